/* Filters by event type: what clients may say, what passes, how it is told back. */
#include "../test.h"

#include <stdio.h>

#include "base/memory.h"
#include "dialect/type_filter.h"
#include "fanfare/error.h"
#include "hub/catalogue.h"

static struct json_value parse(const char *text)
{
    struct json_value value;
    assert_int_equal(json_parse(slice_from(text), &value, NULL), 0);
    return value;
}

static bool wants(const struct event_filter *f, const char *name)
{
    const struct event_type *type = catalogue_find(slice_from(name));
    const struct event_spec spec = {
        .type = slice_from(name),
        .type_index = type ? (uint8_t)catalogue_index(type) : EVENT_TYPE_CUSTOM,
    };
    struct event *e = event_try_new(&spec);
    bool wanted = event_filter_wants(f, e);
    event_unref(e);
    return wanted;
}

static void assert_told(const struct event_filter *f, const char *expected)
{
    struct buf out = {0};
    type_filter_append(&out, f);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static struct event_filter *filter_of(const char *list)
{
    struct event_filter *f;
    struct type_filter_error why;
    assert_int_equal(type_filter_parse(parse(list), &f, &why), 0);
    return f;
}

static void test_names(void **state)
{
    (void)state;
    struct event_filter *f =
        filter_of("[\"component_update\",\"terminal\",\"my.type\",\"my.type\"]");
    assert_true(wants(f, "component_update"));
    assert_true(wants(f, "terminal_output"));
    assert_true(wants(f, "my.type"));
    assert_true(wants(f, "error"));
    assert_false(wants(f, "feature_update"));
    assert_false(wants(f, "other.type"));
    assert_told(f, "\"topics\":[\"component_update\",\"terminal_output\",\"my.type\"]");
    event_filter_free(f);
}

static void test_short_names(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"components", "component_update"}, {"features", "feature_update"},
        {"terminal", "terminal_output"},    {"checkpoints", "checkpoint_update"},
        {"tasks", "checkpoint_update"},     {"progress", "build_progress"},
        {"files", "file_change"},           {"errors", "error"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char list[64];
        snprintf(list, sizeof list, "[\"%s\"]", names[i][0]);
        struct event_filter *f = filter_of(list);
        assert_true(wants(f, names[i][1]));
        snprintf(list, sizeof list, "\"topics\":[\"%s\"]", names[i][1]);
        assert_told(f, list);
        event_filter_free(f);
    }
}

static void test_everything_and_nothing(void **state)
{
    (void)state;
    assert_null(filter_of("[\"*\"]"));
    assert_null(filter_of("[\"terminal\",\"*\"]"));
    assert_told(NULL, "\"topics\":[\"*\"]");
    struct event_filter *f = filter_of("[]");
    assert_true(wants(f, "error"));
    assert_false(wants(f, "terminal_output"));
    assert_false(wants(f, "custom"));
    assert_told(f, "\"topics\":[]");
    event_filter_free(f);
}

static void assert_bad(const char *list)
{
    struct event_filter *f = (void *)1;
    struct type_filter_error why = {""};
    assert_int_equal(type_filter_parse(parse(list), &f, &why), FAN_E_INVALID);
    assert_null(f);
    assert_int_equal(strncmp(why.message, "topics m", 8), 0);
}

static void test_bad_lists(void **state)
{
    (void)state;
    assert_bad("{}");
    assert_bad("\"terminal\"");
    assert_bad("null");
    assert_bad("[1]");
    assert_bad("[null]");
    assert_bad("[[\"terminal\"]]");
    assert_bad("[\"terminal\",7]");
    assert_bad("[\"\"]");
    assert_bad("[\"No Such\"]");
    assert_bad("[\"a\\u0000b\"]");
    struct event_filter *f;
    struct type_filter_error why;
    const struct json_value missing = {0};
    assert_int_equal(type_filter_parse(missing, &f, &why), FAN_E_INVALID);
}

static void test_at_most_so_many(void **state)
{
    (void)state;
    struct buf list = {0};
    struct event_filter *f;
    struct type_filter_error why;
    BUF_LITERAL(&list, "[\"terminal\"");
    for (unsigned i = 0; i < TYPE_FILTER_MAX; i++)
        buf_printf(&list, ",\"custom.%u\"", i);
    BUF_LITERAL(&list, "]");
    f = filter_of(buf_text(&list));
    assert_int_equal(f->custom_count, TYPE_FILTER_MAX);
    event_filter_free(f);
    list.len--;
    BUF_LITERAL(&list, ",\"more\"]");
    assert_int_equal(type_filter_parse(parse(buf_text(&list)), &f, &why), FAN_E_INVALID);
    assert_non_null(strstr(why.message, "256"));
    buf_fini(&list);
}

static struct event_filter *without(const struct event_filter *current, const char *list)
{
    struct event_filter *f;
    struct type_filter_error why;
    assert_int_equal(type_filter_remove(current, parse(list), &f, &why), 0);
    return f;
}

static void test_everything_but(void **state)
{
    (void)state;
    struct event_filter *f = without(NULL, "[\"terminal\",\"noisy\"]");
    assert_false(wants(f, "terminal_output"));
    assert_false(wants(f, "noisy"));
    assert_true(wants(f, "component_update"));
    assert_true(wants(f, "quiet"));
    assert_told(f, "\"topics\":[\"*\"],\"except\":[\"terminal_output\",\"noisy\"]");
    struct event_filter *more = without(f, "[\"files\",\"noisy\",\"loud\"]");
    assert_false(wants(more, "file_change"));
    assert_false(wants(more, "loud"));
    assert_false(wants(more, "noisy"));
    assert_true(wants(more, "quiet"));
    assert_true(wants(f, "loud")); /* the old one has not changed */
    event_filter_free(f);
    event_filter_free(more);
}

static void test_taking_away(void **state)
{
    (void)state;
    struct event_filter *f = filter_of("[\"terminal\",\"files\",\"mine\",\"errors\"]");
    struct event_filter *less = without(f, "[\"files\",\"mine\",\"never.there\"]");
    assert_told(less, "\"topics\":[\"terminal_output\",\"error\"]");
    struct event_filter *none = without(less, "[\"*\"]");
    assert_told(none, "\"topics\":[]");
    assert_true(wants(none, "error"));
    struct event_filter *silent = without(less, "[\"errors\"]");
    assert_told(silent, "\"topics\":[\"terminal_output\"]");
    assert_true(wants(silent, "error")); /* always passes */
    event_filter_free(f);
    event_filter_free(less);
    event_filter_free(none);
    event_filter_free(silent);
}

static void test_text(void **state)
{
    (void)state;
    struct event_filter *f;
    struct type_filter_error why;
    assert_int_equal(type_filter_parse_text(SLICE(" terminal , mine,"), &f, &why), 0);
    assert_told(f, "\"topics\":[\"terminal_output\",\"mine\"]");
    event_filter_free(f);
    assert_int_equal(type_filter_parse_text(SLICE(""), &f, &why), 0);
    assert_null(f);
    assert_int_equal(type_filter_parse_text(SLICE("*"), &f, &why), 0);
    assert_null(f);
    assert_int_equal(type_filter_parse_text(SLICE("a,,b"), &f, &why), FAN_E_INVALID);
    assert_null(f);
    assert_int_equal(type_filter_parse_text(SLICE("<b>"), &f, &why), FAN_E_INVALID);
    assert_non_null(strstr(why.message, "<b>"));
}

/* Whoever shows the message need not know why. */
static void test_without_memory(void **state)
{
    (void)state;
    bool failed = true;
    for (unsigned nth = 1; failed; nth++) {
        struct event_filter *f = NULL;
        struct type_filter_error why;
        memset(&why, 'x', sizeof why);
        memory_fail_nth(nth);
        int error = type_filter_parse(parse("[\"a\",\"b\",\"\\u0063\"]"), &f, &why);
        memory_fail_nth(0);
        failed = error != 0;
        if (error) {
            assert_null(f);
            assert_true(error == FAN_E_NO_MEMORY || error == FAN_E_INVALID);
            assert_non_null(memchr(why.message, '\0', sizeof why.message));
        }
        event_filter_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_short_names),
        cmocka_unit_test(test_everything_and_nothing),
        cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_at_most_so_many),
        cmocka_unit_test(test_everything_but),
        cmocka_unit_test(test_taking_away),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
