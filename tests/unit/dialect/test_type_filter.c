/* Type filters: from lists and text, taking names away, and telling what is set. */
#include "../test.h"

#include <stdio.h>

#include "base/memory.h"
#include "dialect/type_filter.h"
#include "fanfare/error.h"
#include "hub/catalogue.h"

static struct json_value value_of(const char *text)
{
    struct json_value value;
    assert_int_equal(json_parse(slice_from(text), &value, NULL), 0);
    return value;
}

/* NULL for everything; the caller frees it. */
static struct event_filter *parse(const char *list)
{
    struct event_filter *filter;
    struct type_filter_error error = {""};
    if (type_filter_parse(value_of(list), &filter, &error) != 0)
        fail_msg("%s: %s", list, error.message);
    return filter;
}

static struct event_filter *parse_text(const char *list)
{
    struct event_filter *filter;
    struct type_filter_error error = {""};
    if (type_filter_parse_text(slice_from(list), &filter, &error) != 0)
        fail_msg("%s: %s", list, error.message);
    return filter;
}

/* Takes the names away from a filter, which is freed. */
static struct event_filter *without(struct event_filter *from, const char *list)
{
    struct event_filter *filter;
    struct type_filter_error error = {""};
    if (type_filter_remove(from, value_of(list), &filter, &error) != 0)
        fail_msg("%s: %s", list, error.message);
    event_filter_free(from);
    return filter;
}

/* What the filter says of itself; it is freed. */
static void assert_says(struct event_filter *filter, const char *expected)
{
    struct buf out = {0};
    type_filter_append(&out, filter);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
    event_filter_free(filter);
}

static bool wants(const struct event_filter *filter, const char *type)
{
    int index = catalogue_index(catalogue_find(slice_from(type)));
    const struct event e = {
        .type = slice_from(type),
        .type_index = index < 0 ? EVENT_TYPE_CUSTOM : (uint8_t)index,
    };
    return event_filter_wants(filter, &e);
}

/* ---- Lists ---- */

static void test_lists(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "\"topics\":[]"},
        {"[\"*\"]", "\"topics\":[\"*\"]"},
        {"[\"files\",\"*\",\"made_up\"]", "\"topics\":[\"*\"]"},
        {"[\"files\"]", "\"topics\":[\"file_change\"]"},
        {"[\"file_change\",\"files\",\"components\"]",
         "\"topics\":[\"component_update\",\"file_change\"]"},
        {"[\"tasks\",\"checkpoints\"]", "\"topics\":[\"checkpoint_update\"]"},
        {"[\"z.z\",\"a-1\",\"z.z\",\"progress\"]",
         "\"topics\":[\"build_progress\",\"z.z\",\"a-1\"]"},
        {"[\"f\\u0069les\",\"m\\u0061de\"]", "\"topics\":[\"file_change\",\"made\"]"},
        {"[\"errors\"]", "\"topics\":[\"error\"]"},
        {"[\"error\",\"files\"]", "\"topics\":[\"file_change\",\"error\"]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_says(parse(cases[i][0]), cases[i][1]);
}

static void test_everything_is_no_filter(void **state)
{
    (void)state;
    assert_null(parse("[\"*\"]"));
    assert_null(parse("[\"files\",\"*\"]"));
    assert_null(parse_text(""));
    assert_null(parse_text("*"));
    assert_null(parse_text("files, *"));
}

static void test_what_passes(void **state)
{
    (void)state;
    struct event_filter *f = parse("[\"files\",\"made_up\"]");
    assert_true(wants(f, "file_change"));
    assert_true(wants(f, "made_up"));
    assert_true(wants(f, "error")); /* always */
    assert_false(wants(f, "component_update"));
    assert_false(wants(f, "made_up_too"));
    event_filter_free(f);
    f = parse("[]");
    assert_true(wants(f, "error"));
    assert_false(wants(f, "made_up"));
    assert_false(wants(f, "file_change"));
    event_filter_free(f);
}

static void test_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"files", "\"topics\":[\"file_change\"]"},
        {" files ,\tmade_up ", "\"topics\":[\"file_change\",\"made_up\"]"},
        {"files,", "\"topics\":[\"file_change\"]"},
        {"error", "\"topics\":[\"error\"]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_says(parse_text(cases[i][0]), cases[i][1]);
}

/* ---- Refusals ---- */

static void assert_refused(const char *list, const char *message)
{
    struct event_filter *filter = (struct event_filter *)&filter;
    struct type_filter_error error;
    assert_int_equal(type_filter_parse(value_of(list), &filter, &error), FAN_E_INVALID);
    assert_null(filter);
    assert_string_equal(error.message, message);
    filter = (struct event_filter *)&filter;
    memset(&error, 0, sizeof error);
    assert_int_equal(type_filter_remove(NULL, value_of(list), &filter, &error), FAN_E_INVALID);
    assert_null(filter);
    assert_string_equal(error.message, message);
}

#define EXPECTED "topics must be event types ([a-z][a-z0-9_.-]{0,63}), short names or \"*\", got "

static void test_refused_lists(void **state)
{
    (void)state;
    static const char *const not_lists[] = {"null", "\"files\"",      "{}",
                                            "[1]",  "[\"files\",[]]", "[\"*\",null]"};
    for (size_t i = 0; i < sizeof not_lists / sizeof *not_lists; i++)
        assert_refused(not_lists[i], "topics must be a list of strings");
    assert_refused("[\"\"]", EXPECTED "\"\"");
    assert_refused("[\"files\",\"Files\"]", EXPECTED "\"Files\"");
    assert_refused("[\"*\",\"a b\"]", EXPECTED "\"a b\"");
    assert_refused("[\"file*\"]", EXPECTED "\"file*\"");
    assert_refused("[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]",
                   EXPECTED "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"");
}

static void test_refused_text(void **state)
{
    (void)state;
    static const char *const texts[] = {",", "files,,made_up", " ", "Files", "*,A"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct event_filter *filter = (struct event_filter *)&filter;
        struct type_filter_error error;
        assert_int_equal(type_filter_parse_text(slice_from(texts[i]), &filter, &error),
                         FAN_E_INVALID);
        assert_null(filter);
        assert_memory_equal(error.message, EXPECTED, strlen(EXPECTED));
    }
}

static void append_custom(struct buf *list, unsigned count)
{
    buf_clear(list);
    for (unsigned i = 0; i < count; i++)
        buf_printf(list, "%s\"t%u\"", i ? "," : "[", i);
    BUF_LITERAL(list, "]");
}

static void test_most_custom_types(void **state)
{
    (void)state;
    struct buf list = {0};
    append_custom(&list, TYPE_FILTER_MAX);
    struct event_filter *f = parse(buf_text(&list));
    assert_int_equal(f->custom_count, TYPE_FILTER_MAX);
    assert_true(wants(f, "t255"));
    event_filter_free(f);
    append_custom(&list, TYPE_FILTER_MAX + 1);
    assert_refused(buf_text(&list), "topics may name at most 256 custom types");
    buf_fini(&list);
}

/* ---- Taking away ---- */

static void test_removal_from_a_list(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"[\"files\",\"components\"]", "[\"files\"]", "\"topics\":[\"component_update\"]"},
        {"[\"files\"]", "[\"files\",\"components\"]", "\"topics\":[]"},
        {"[\"a\",\"b\",\"c\"]", "[\"a\",\"x\"]", "\"topics\":[\"c\",\"b\"]"},
        {"[\"files\",\"error\"]", "[\"error\"]", "\"topics\":[\"file_change\"]"},
        {"[\"files\",\"error\"]", "[\"files\"]", "\"topics\":[\"error\"]"},
        {"[\"files\",\"a\"]", "[\"*\"]", "\"topics\":[]"},
        {"[\"files\",\"a\"]", "[]", "\"topics\":[\"file_change\",\"a\"]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_says(without(parse(cases[i][0]), cases[i][1]), cases[i][2]);
}

static void test_removal_from_everything(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "\"topics\":[\"*\"],\"except\":[]"},
        {"[\"files\"]", "\"topics\":[\"*\"],\"except\":[\"file_change\"]"},
        {"[\"made_up\",\"progress\"]",
         "\"topics\":[\"*\"],\"except\":[\"build_progress\",\"made_up\"]"},
        {"[\"error\"]", "\"topics\":[\"*\"],\"except\":[]"}, /* errors cannot be taken away */
        {"[\"files\",\"*\"]", "\"topics\":[]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_says(without(NULL, cases[i][0]), cases[i][1]);
}

static void test_what_passes_after_removal(void **state)
{
    (void)state;
    struct event_filter *f = without(NULL, "[\"files\",\"made_up\",\"error\"]");
    assert_false(wants(f, "file_change"));
    assert_false(wants(f, "made_up"));
    assert_true(wants(f, "made_up_too"));
    assert_true(wants(f, "component_update"));
    assert_true(wants(f, "error"));
    f = without(f, "[\"made_up_too\",\"components\"]"); /* on top of the others */
    assert_false(wants(f, "made_up"));
    assert_false(wants(f, "made_up_too"));
    assert_false(wants(f, "component_update"));
    assert_true(wants(f, "third"));
    f = without(f, "[\"*\"]");
    assert_false(wants(f, "third"));
    assert_false(wants(f, "feature_update"));
    assert_true(wants(f, "error"));
    event_filter_free(f);
}

static void test_removal_leaves_the_current_one(void **state)
{
    (void)state;
    struct event_filter *current = parse("[\"files\",\"a\",\"b\"]"), *filter;
    struct type_filter_error error;
    assert_int_equal(type_filter_remove(current, value_of("[\"files\",\"a\"]"), &filter, &error),
                     0);
    assert_says(filter, "\"topics\":[\"b\"]");
    assert_says(current, "\"topics\":[\"file_change\",\"a\",\"b\"]");
}

/* ---- Out of memory ---- */

enum how { LIST, TEXT, REMOVAL };

static int make(enum how how, struct event_filter **filter, struct type_filter_error *error)
{
    switch (how) {
    case LIST:
        return type_filter_parse(value_of("[\"a\",\"files\"]"), filter, error);
    case TEXT:
        return type_filter_parse_text(SLICE("a,files"), filter, error);
    default:
        return type_filter_remove(NULL, value_of("[\"a\",\"*\"]"), filter, error);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (enum how how = LIST; how <= REMOVAL; how++) {
        int result = FAN_E_NO_MEMORY;
        unsigned nth = 1;
        for (; result; nth++) {
            struct event_filter *filter;
            struct type_filter_error error;
            memory_fail_nth(nth);
            result = make(how, &filter, &error);
            memory_fail_nth(0);
            assert_int_equal(result, filter ? 0 : FAN_E_NO_MEMORY);
            event_filter_free(filter);
        }
        assert_true(nth > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_everything_is_no_filter),
        cmocka_unit_test(test_what_passes),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_refused_lists),
        cmocka_unit_test(test_refused_text),
        cmocka_unit_test(test_most_custom_types),
        cmocka_unit_test(test_removal_from_a_list),
        cmocka_unit_test(test_removal_from_everything),
        cmocka_unit_test(test_what_passes_after_removal),
        cmocka_unit_test(test_removal_leaves_the_current_one),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
