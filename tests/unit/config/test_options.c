/* The table of options keeps its own rules, and the committed reference is what it says. */
#include "../test.h"

#include <ctype.h>
#include <stdio.h>

#include "config/address.h"
#include "config/describe.h"
#include "config/loading.h"
#include "config/suggest.h"
#include "config/value.h"

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        assert_ptr_equal(option_find(slice_from(o->name)), o); /* also: flags are unique */
        for (const char *c = o->name; *c; c++)
            assert_true(islower((unsigned char)*c) || *c == '_' || *c == '.');
        assert_int_equal(o->help[strlen(o->help) - 1], '.');
        assert_true(o->type != OPTION_ENUM || o->names);
        assert_true(o->min <= o->max || o->max == 0);
    }
    assert_null(option_find(SLICE("nothing")));
    assert_ptr_equal(option_find(SLICE("limits-message-size")),
                     option_find(SLICE("limits.message_size")));
}

/* Every default passes its own check, and reads back as it is written. */
static void test_defaults_are_valid(void **state)
{
    (void)state;
    struct config *c = config_defaults();
    for (size_t i = 0; i < option_count; i++) {
        struct buf why = {0}, value = {0};
        if (!options[i].initial)
            continue;
        assert_int_equal(value_set_text(c, &options[i], slice_from(options[i].initial), &why), 0);
        value_append_yaml(&value, c, &options[i]);
        if (options[i].type != OPTION_LIST)
            assert_string_equal(buf_text(&value), options[i].initial);
        buf_fini(&why);
        buf_fini(&value);
    }
    config_free(c);
}

static void test_reference_is_fresh(void **state)
{
    (void)state;
    struct buf wanted = {0}, found = {0};
    char piece[4096];
    size_t n;
    config_append_docs(&wanted);
    struct buf path = {0};
    buf_printf(&path, "%.*s/docs/configuration.md",
               (int)(strstr(__FILE__, "/tests/unit/") - __FILE__), __FILE__);
    FILE *file = fopen(buf_text(&path), "r");
    buf_fini(&path);
    assert_non_null(file);
    while ((n = fread(piece, 1, sizeof piece, file)) > 0)
        buf_append(&found, piece, n);
    fclose(file);
    if (!slice_equal(buf_slice(&wanted), buf_slice(&found)))
        fail_msg("docs/configuration.md is stale: fanfare config --docs > docs/configuration.md");
    buf_fini(&wanted);
    buf_fini(&found);
}

static void test_suggestions(void **state)
{
    (void)state;
    assert_string_equal(option_suggest(SLICE("lisen")), "listen");
    assert_string_equal(option_suggest(SLICE("limits.mesage_size")), "limits.message_size");
    assert_string_equal(option_suggest(SLICE("cors-origin")), "cors_origins");
    assert_null(option_suggest(SLICE("completely-different")));
    assert_null(option_suggest(SLICE("")));
    struct suggestion s = {.wanted = SLICE("pbu")};
    suggestion_offer(&s, "sub");
    suggestion_offer(&s, "pub");
    assert_string_equal(s.best, "pub");
}

static void test_addresses(void **state)
{
    (void)state;
    struct address a;
    assert_int_equal(address_parse(SLICE("127.0.0.1:8000"), &a), 0);
    assert_string_equal(a.host, "127.0.0.1");
    assert_int_equal(a.port, 8000);
    assert_int_equal(address_parse(SLICE("[::1]:0"), &a), 0);
    assert_string_equal(a.host, "::1");
    assert_int_equal(address_parse(SLICE("unix:/run/x"), &a), 0);
    assert_true(a.unix_socket);
    static const char *const wrong[] = {
        "",       "8000",   ":8000", "host",          "host:", "host:65536",  "host:-1",
        "a b:80", "::1:80", "[::1]", "[nonsense]:80", "unix:", "host:080000",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_not_equal(address_parse(slice_from(wrong[i]), &a), 0);
    char path[200];
    memset(path, 'x', sizeof path);
    memcpy(path, "unix:", 5);
    assert_int_not_equal(address_parse(slice_of(path, sizeof path), &a), 0);
}

static bool contains(const char *network, const char *address)
{
    struct network n;
    struct in6_addr a;
    assert_int_equal(network_parse(slice_from(network), &n), 0);
    assert_int_equal(network_address_parse(slice_from(address), &a), 0);
    return network_contains(&n, &a);
}

static void test_networks(void **state)
{
    (void)state;
    assert_true(contains("10.0.0.0/8", "10.255.0.1"));
    assert_false(contains("10.0.0.0/8", "11.0.0.1"));
    assert_true(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(contains("192.168.1.7", "192.168.1.7"));
    assert_false(contains("192.168.1.7", "192.168.1.8"));
    assert_true(contains("192.168.1.128/25", "192.168.1.200"));
    assert_false(contains("192.168.1.128/25", "192.168.1.100"));
    assert_true(contains("fd00::/8", "fdff::1"));
    assert_true(contains("0.0.0.0/0", "8.8.8.8"));
    assert_false(contains("0.0.0.0/0", "::1"));
    assert_true(contains("::/0", "8.8.8.8"));
    static const char *const wrong[] = {
        "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "::/129", "x", "10.0.0/8", "/8",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct network n;
        assert_int_not_equal(network_parse(slice_from(wrong[i]), &n), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_defaults_are_valid),
        cmocka_unit_test(test_reference_is_fresh),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
