/* Topic names: what is one, what is none, and what is said about it. */
#include "../test.h"

#include "fanfare/error.h"
#include "hub/topic_name.h"

static void test_good_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum topic_kind kind;
        const char *id;
    } cases[] = {
        {"session:build_123", TOPIC_SESSION, "build_123"},
        {"session:a:b/c@d-e.f", TOPIC_SESSION, "a:b/c@d-e.f"},
        {"project:550e8400-e29b-41d4-a716-446655440000", TOPIC_PROJECT,
         "550e8400-e29b-41d4-a716-446655440000"},
        {"agent:7", TOPIC_AGENT, "7"},
        {"user:ada@example.com", TOPIC_USER, "ada@example.com"},
        {"user:ada%20l%25", TOPIC_USER, "ada%20l%25"},
        {"channel:files/src", TOPIC_CHANNEL, "files/src"},
        {"global", TOPIC_GLOBAL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct topic_name name;
        const char *why = NULL;
        assert_int_equal(topic_name_parse(slice_from(cases[i].text), &name, &why), 0);
        assert_int_equal(name.kind, cases[i].kind);
        assert_true(slice_is(name.id, cases[i].id));
        struct buf out = {0};
        topic_name_append(&out, name);
        assert_string_equal(buf_text(&out), cases[i].text);
        buf_fini(&out);
    }
}

static void test_bad_names(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "a topic is session:<id>"},
        {"session", "the id after 'session:' must be 1 to 128"},
        {"session:", "the id after 'session:' must be 1 to 128"},
        {"session:a b", "the id after 'session:' must be"},
        {"session:a%20b", "the id after 'session:' must be"},
        {"channel:\xc3\xa9", "the name after 'channel:' must be"},
        {"Session:a", "a topic is session:<id>"},
        {"room:a", "a topic is session:<id>"},
        {":a", "a topic is session:<id>"},
        {"global:", "'global' takes no id"},
        {"global:x", "'global' takes no id"},
        {"user:", "the id after 'user:'"},
        {"user:%2", "the id after 'user:'"},
        {"user:%zz", "the id after 'user:'"},
        {"user:%2f", "the id after 'user:'"}, /* not canonical: small digits */
        {"user:%41", "the id after 'user:'"}, /* not canonical: 'A' needs no escape */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct topic_name name;
        const char *why = NULL;
        assert_int_equal(topic_name_parse(slice_from(cases[i][0]), &name, &why), FAN_E_INVALID);
        assert_true(slice_starts(slice_from(why), cases[i][1]));
        assert_int_equal(topic_name_parse(slice_from(cases[i][0]), &name, NULL), FAN_E_INVALID);
    }
}

static void test_longest_names(void **state)
{
    (void)state;
    char text[8 + 130];
    memset(text, 'a', sizeof text);
    memcpy(text, "session:", 8);
    struct topic_name name;
    assert_int_equal(topic_name_parse(slice_of(text, 8 + 128), &name, NULL), 0);
    assert_int_equal(topic_name_parse(slice_of(text, 8 + 129), &name, NULL), FAN_E_INVALID);
}

static void test_users_of_any_name(void **state)
{
    (void)state;
    struct buf out = {0};
    assert_int_equal(topic_user_append(&out, SLICE("auth0|ada\xc3\xa9 %")), 0);
    assert_string_equal(buf_text(&out), "user:auth0%7Cada%C3%A9%20%25");
    struct topic_name name;
    assert_int_equal(topic_name_parse(buf_slice(&out), &name, NULL), 0);
    buf_clear(&out);
    char subject[385];
    memset(subject, '|', sizeof subject);
    assert_int_equal(topic_user_append(&out, slice_of(subject, 128)), 0);
    assert_int_equal(topic_name_parse(buf_slice(&out), &name, NULL), 0);
    assert_int_equal(topic_user_append(&out, slice_of(subject, 129)), FAN_E_TOO_LARGE);
    assert_int_equal(topic_user_append(&out, slice_of(subject, 385)), FAN_E_TOO_LARGE);
    assert_int_equal(topic_user_append(&out, SLICE("")), FAN_E_INVALID);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_names),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_longest_names),
        cmocka_unit_test(test_users_of_any_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
