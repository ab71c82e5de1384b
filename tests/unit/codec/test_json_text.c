/* JSON strings and numbers, read and written. */
#include "../test.h"

#include <float.h>
#include <locale.h>
#include <math.h>

#include "base/memory.h"
#include "codec/json.h"

static struct json_value value_of(const char *text)
{
    struct json_value value;
    struct json_error error;
    if (json_parse(slice_from(text), &value, &error))
        fail_msg("%s: %s at %zu", text, error.message, error.at);
    return value;
}

static void check_content(const char *json, struct slice expected)
{
    struct buf out = {0};
    json_string_append(&out, value_of(json));
    assert_false(out.failed);
    assert_true(slice_equal(buf_slice(&out), expected));
    buf_fini(&out);
}

static void test_string_escapes_are_resolved(void **state)
{
    (void)state;
    check_content("\"\"", SLICE(""));
    check_content("\"plain\"", SLICE("plain"));
    check_content("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", SLICE("\"\\/\b\f\n\r\t"));
    check_content("\"a\\u0041\\u00e9\\u20AC\\uFFFDz\"",
                  SLICE("aA\xC3\xA9\xE2\x82\xAC\xEF\xBF\xBDz"));
    check_content("\"\\u0000\"", SLICE("\0"));
    check_content("\"\\ud834\\udd1e\"", SLICE("\xF0\x9D\x84\x9E"));
    check_content("\"\\uDBFF\\uDFFF\"", SLICE("\xF4\x8F\xBF\xBF"));
}

static void test_lone_surrogates_become_replacements(void **state)
{
    (void)state;
    check_content("\"\\ud834\"", SLICE("\xEF\xBF\xBD"));
    check_content("\"\\udd1e\"", SLICE("\xEF\xBF\xBD"));
    check_content("\"\\ud834x\"", SLICE("\xEF\xBF\xBDx"));
    check_content("\"\\ud834\\n\"", SLICE("\xEF\xBF\xBD\n"));
    check_content("\"\\ud834\\u0041\"", SLICE("\xEF\xBF\xBD"
                                              "A"));
    check_content("\"\\ud834\\ud834\\udd1e\"", SLICE("\xEF\xBF\xBD\xF0\x9D\x84\x9E"));
    check_content("\"\\udd1e\\ud834\"", SLICE("\xEF\xBF\xBD\xEF\xBF\xBD"));
}

static void test_string_plain(void **state)
{
    (void)state;
    struct slice content;
    assert_true(json_string_plain(value_of("\"abc\""), &content));
    assert_true(slice_is(content, "abc"));
    assert_true(json_string_plain(value_of("\"\""), &content));
    assert_int_equal(content.len, 0);
    assert_false(json_string_plain(value_of("\"a\\n\""), &content));
    assert_false(json_string_plain(value_of("12"), &content));
    assert_false(json_string_plain(value_of("null"), &content));
}

static void test_string_is(void **state)
{
    (void)state;
    assert_true(json_string_is(value_of("\"ping\""), "ping"));
    assert_true(json_string_is(value_of("\"p\\u0069ng\""), "ping"));
    assert_true(json_string_is(value_of("\"\\ud834\\udd1e\""), "\xF0\x9D\x84\x9E"));
    assert_true(json_string_is(value_of("\"\""), ""));
    assert_false(json_string_is(value_of("\"ping\""), "pin"));
    assert_false(json_string_is(value_of("\"ping\""), "pings"));
    assert_false(json_string_is(value_of("\"pin\\u0067\""), "pin"));
    assert_false(json_string_is(value_of("\"ping\\u0000\""), "ping"));
    assert_false(json_string_is(value_of("\"Ping\""), "ping"));
    assert_false(json_string_is(value_of("1"), "1"));
    assert_false(json_string_is(value_of("null"), "null"));
}

static void check_written(struct slice text, const char *json)
{
    struct buf out = {0};
    json_append_string(&out, text);
    assert_string_equal(buf_text(&out), json);
    buf_clear(&out);
    json_append_lossy(&out, text);
    assert_string_equal(buf_text(&out), json);
    buf_fini(&out);
    check_content(json, text);
}

static void test_strings_are_written_with_escapes(void **state)
{
    (void)state;
    check_written(SLICE(""), "\"\"");
    check_written(SLICE("a \"b\" \\c\\ </script>"), "\"a \\\"b\\\" \\\\c\\\\ </script>\"");
    check_written(SLICE("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
    check_written(SLICE("\0\x01\x0B\x1F\x7F"), "\"\\u0000\\u0001\\u000b\\u001f\x7F\"");
    check_written(SLICE("\xE2\x80\xA8\xE2\x80\xA9 \xF0\x9D\x84\x9E"),
                  "\"\xE2\x80\xA8\xE2\x80\xA9 \xF0\x9D\x84\x9E\"");
}

static void test_lossy_strings_are_repaired(void **state)
{
    (void)state;
    struct buf out = {0};
    json_append_lossy(&out, SLICE("a\xFF\"b\xE2\x82\nc\xED\xA0\x80"));
    assert_string_equal(buf_text(&out), "\"a\xEF\xBF\xBD\\\"b\xEF\xBF\xBD\\nc\xEF\xBF\xBD\xEF\xBF"
                                        "\xBD\xEF\xBF\xBD\"");
    struct json_value value;
    assert_int_equal(json_parse(buf_slice(&out), &value, NULL), 0);
    buf_fini(&out);
}

static void test_numbers_are_read_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0},
        {"0.0e5", 0},
        {"42", 42},
        {"-1.5", -1.5},
        {"0.1", 0.1},
        {"1e3", 1e3},
        {"1E+3", 1e3},
        {"123.456e-2", 1.23456},
        {"0.000001", 1e-6},
        {"100000000000000000000000", 1e23},
        {"1.7976931348623157e308", DBL_MAX},
        {"5e-324", 5e-324},
        {"2.2250738585072011e-308", 2.2250738585072011e-308},
        {"9007199254740993", 9007199254740992.0},
        {"1e400", INFINITY},
        {"-1e999999999999999999999", -INFINITY},
        {"1e-999999999999999999999", 0},
        {"0.0000000000000000000000000000000000000001e40", 1},
        {"10.0", 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (json_number(value_of(cases[i].text)) != cases[i].value)
            fail_msg("%s: %.17g", cases[i].text, json_number(value_of(cases[i].text)));
    assert_true(signbit(json_number(value_of("-0"))));
    assert_true(json_number(value_of("\"1\"")) == 0);
}

static void test_long_numbers_round_correctly(void **state)
{
    (void)state;
    /* Halfway between two doubles; one digit far behind decides. */
    struct buf text = {0};
    buf_append_text(&text, "9007199254740993.");
    for (int i = 0; i < 2000; i++)
        buf_append_char(&text, '0');
    assert_true(json_number(value_of(buf_text(&text))) == 9007199254740992.0);
    buf_append_char(&text, '1');
    assert_true(json_number(value_of(buf_text(&text))) == 9007199254740994.0);
    buf_fini(&text);
}

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool whole;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"0.000", true, 0},
        {"0e99999999999", true, 0},
        {"12", true, 12},
        {"-12", true, -12},
        {"1.0", true, 1},
        {"1e3", true, 1000},
        {"1.25e2", true, 125},
        {"12.50e1", true, 125},
        {"1200e-2", true, 12},
        {"0.001e3", true, 1},
        {"10.0", true, 10},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9.223372036854775807e18", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999", false, 0},
        {"1e19", false, 0},
        {"1e9999999999999999999", false, 0},
        {"1.5", false, 0},
        {"1e-1", false, 0},
        {"1e-9999999999999999999", false, 0},
        {"123.456e2", false, 0},
        {"\"1\"", false, 0},
        {"true", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t n = 0;
        if (json_integer(value_of(cases[i].text), &n) != cases[i].whole || n != cases[i].value)
            fail_msg("%s: %lld", cases[i].text, (long long)n);
    }
}

static void test_numbers_are_written_shortest(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-45.5, "-45.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100, "100"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {1.5e-5, "0.000015"},
        {1e-6, "0.000001"},
        {1e-7, "1e-7"},
        {1.25e-9, "1.25e-9"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {5e-324, "5e-324"},
        {123456.789, "123456.789"},
        {9007199254740993.0, "9007199254740992"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        json_append_number(&out, cases[i].value);
        assert_string_equal(buf_text(&out), cases[i].text);
        buf_fini(&out);
    }
}

static void test_numbers_survive_the_round_trip(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        double value;
        memcpy(&value, &random, sizeof value);
        if (!isfinite(value))
            continue;
        struct buf out = {0};
        json_append_number(&out, value);
        if (json_number(value_of(buf_text(&out))) != value)
            fail_msg("%s is not %.17g", buf_text(&out), value);
        buf_fini(&out);
    }
}

static void test_locale_has_no_say(void **state)
{
    (void)state;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        skip();
    test_numbers_are_read_exactly(state);
    test_numbers_are_written_shortest(state);
    setlocale(LC_NUMERIC, "C");
}

static void test_appending_without_memory_fails_the_buffer(void **state)
{
    (void)state;
    struct json_value value = value_of("\"a\\n\\u20ac\"");
    void (*const appends[])(struct buf *, struct json_value) = {json_string_append,
                                                                json_append_compact};
    for (size_t i = 0; i < 2; i++) {
        struct buf out = {0};
        memory_fail_nth(1);
        appends[i](&out, value);
        memory_fail_nth(0);
        assert_true(out.failed);
        buf_fini(&out);
    }
    struct buf out = {.limit = 5};
    json_append_string(&out, SLICE("abcdef"));
    assert_true(out.failed);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_string_escapes_are_resolved),
        cmocka_unit_test(test_lone_surrogates_become_replacements),
        cmocka_unit_test(test_string_plain),
        cmocka_unit_test(test_string_is),
        cmocka_unit_test(test_strings_are_written_with_escapes),
        cmocka_unit_test(test_lossy_strings_are_repaired),
        cmocka_unit_test(test_numbers_are_read_exactly),
        cmocka_unit_test(test_long_numbers_round_correctly),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_numbers_are_written_shortest),
        cmocka_unit_test(test_numbers_survive_the_round_trip),
        cmocka_unit_test(test_locale_has_no_say),
        cmocka_unit_test(test_appending_without_memory_fails_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
