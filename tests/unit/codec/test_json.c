/* The JSON scanner: what it accepts, what it refuses and where, and walking what it accepted. */
#include "../test.h"

#include <stdio.h>

#include "codec/json.h"
#include "fanfare/error.h"

/* A slice of a literal that may hold NUL bytes. */
#define TEXT(literal)                   \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }

/* A copy without anything behind it, so that a sanitizer sees reads past the end. */
static char *exact_copy(struct slice text)
{
    char *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

static int parse(struct slice text, struct json_value *value, struct json_error *error)
{
    char *copy = exact_copy(text);
    int result = json_parse(slice_of(copy, text.len), value, error);
    value->text.ptr = NULL;
    free(copy);
    return result;
}

static const struct accepted {
    struct slice text;
    enum json_kind kind;
} accepted[] = {
    {TEXT("[]"), JSON_ARRAY},
    {TEXT("[[]   ]"), JSON_ARRAY},
    {TEXT("[\"\"]"), JSON_ARRAY},
    {TEXT("[\"a\"]"), JSON_ARRAY},
    {TEXT("[null, 1, \"1\", {}]"), JSON_ARRAY},
    {TEXT("[1\n]"), JSON_ARRAY},
    {TEXT(" [1]"), JSON_ARRAY},
    {TEXT("[1,null,null,null,2]"), JSON_ARRAY},
    {TEXT("[2] "), JSON_ARRAY},
    {TEXT("[123e65]"), JSON_ARRAY},
    {TEXT("[0e+1]"), JSON_ARRAY},
    {TEXT("[0e1]"), JSON_ARRAY},
    {TEXT("[ 4]"), JSON_ARRAY},
    {TEXT("[-0.0000000000000000000000000000000000000000000000000000000000000000001]"), JSON_ARRAY},
    {TEXT("[20e1]"), JSON_ARRAY},
    {TEXT("[-0]"), JSON_ARRAY},
    {TEXT("[-123]"), JSON_ARRAY},
    {TEXT("[1E22]"), JSON_ARRAY},
    {TEXT("[1E-2]"), JSON_ARRAY},
    {TEXT("[123.456e78]"), JSON_ARRAY},
    {TEXT("[1e999999999999999999]"), JSON_ARRAY},
    {TEXT("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"), JSON_OBJECT},
    {TEXT("{\"a\":\"b\",\"a\":\"c\"}"), JSON_OBJECT},
    {TEXT("{}"), JSON_OBJECT},
    {TEXT("{\"\":0}"), JSON_OBJECT},
    {TEXT("{\"foo\\u0000bar\": 42}"), JSON_OBJECT},
    {TEXT("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"), JSON_OBJECT},
    {TEXT("{\n\"a\": \"b\"\n}"), JSON_OBJECT},
    {TEXT("{\"a\":[]}"), JSON_OBJECT},
    {TEXT("[\"\\u0060\\u012a\\u12AB\"]"), JSON_ARRAY},
    {TEXT("[\"\\uD801\\udc37\"]"), JSON_ARRAY},
    {TEXT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), JSON_ARRAY},
    {TEXT("[\"\\\\u0000\"]"), JSON_ARRAY},
    {TEXT("[\"a/*b*/c/*d//e\"]"), JSON_ARRAY},
    {TEXT("[\"\\uD800\"]"), JSON_ARRAY},
    {TEXT("[\"\\uDC00\\uD800\"]"), JSON_ARRAY},
    {TEXT("[\"\x7f\"]"), JSON_ARRAY},
    {TEXT("[\"\xC3\xA9\"]"), JSON_ARRAY},
    {TEXT("[\"\xE2\x82\xAC\xE2\x80\xA8\xEF\xBF\xBF\"]"), JSON_ARRAY},
    {TEXT("[\"\xF0\x9D\x84\x9E\xF4\x8F\xBF\xBF\"]"), JSON_ARRAY},
    {TEXT("[\"eight by\xC3\xA9te boundary\"]"), JSON_ARRAY},
    {TEXT("false"), JSON_FALSE},
    {TEXT("true"), JSON_TRUE},
    {TEXT("null"), JSON_NULL},
    {TEXT("42"), JSON_NUMBER},
    {TEXT("-0.1"), JSON_NUMBER},
    {TEXT("\"asd\""), JSON_STRING},
    {TEXT("\"\""), JSON_STRING},
    {TEXT("\t\r\n [\r\n\t 1 , 2 ] \n"), JSON_ARRAY},
};

static void test_accepts_valid_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        struct json_value value;
        struct json_error error;
        int result = parse(accepted[i].text, &value, &error);
        if (result)
            fail_msg("%s: %s at %zu", accepted[i].text.ptr, error.message, error.at);
        assert_int_equal(value.kind, accepted[i].kind);
    }
}

static const struct refused {
    struct slice text;
    size_t at;
    const char *message; /* a part of it */
} refused[] = {
    {TEXT(" \n"), 2, "expected a value"},
    {TEXT("[1 true]"), 3, "expected ',' or ']'"},
    {TEXT("[a\xE5]"), 1, "expected a value"},
    {TEXT("[\"\": 1]"), 3, "expected ',' or ']'"},
    {TEXT("[\"\"],"), 4, "nothing more"},
    {TEXT("[,1]"), 1, "expected a value"},
    {TEXT("[1,,2]"), 3, "expected a value"},
    {TEXT("[\"x\"]]"), 5, "nothing more"},
    {TEXT("[\"\",]"), 4, "expected a value"},
    {TEXT("[\"x\""), 4, "expected ',' or ']'"},
    {TEXT("[x"), 1, "expected a value"},
    {TEXT("[3[4]]"), 2, "expected ',' or ']'"},
    {TEXT("[\xFF]"), 1, "expected a value"},
    {TEXT("[1,\n1\n,1"), 8, "expected ',' or ']'"},
    {TEXT("[1,"), 3, "expected a value"},
    {TEXT("["), 1, "expected a value or ']'"},
    {TEXT("[*]"), 1, "expected a value"},
    {TEXT("[fals]"), 5, "expected 'false'"},
    {TEXT("[nul]"), 4, "expected 'null'"},
    {TEXT("[tru]"), 4, "expected 'true'"},
    {TEXT("tru"), 3, "expected 'true'"},
    {TEXT("truth"), 3, "expected 'true'"},
    {TEXT("TRUE"), 0, "expected a value"},
    {TEXT("123\0"), 3, "nothing more"},
    {TEXT("[++1234]"), 1, "expected a value"},
    {TEXT("[+1]"), 1, "expected a value"},
    {TEXT("[-01]"), 3, "leading zeros"},
    {TEXT("[-]"), 2, "expected a digit"},
    {TEXT("-"), 1, "expected a digit"},
    {TEXT("[-1.0.]"), 5, "expected ',' or ']'"},
    {TEXT("[-2.]"), 4, "expected a digit"},
    {TEXT("[.-1]"), 1, "expected a value"},
    {TEXT("[.2e-3]"), 1, "expected a value"},
    {TEXT("[0.1.2]"), 4, "expected ',' or ']'"},
    {TEXT("[0.3e+]"), 6, "expected a digit"},
    {TEXT("[0.e1]"), 3, "expected a digit"},
    {TEXT("[0E]"), 3, "expected a digit"},
    {TEXT("[1e"), 3, "expected a digit"},
    {TEXT("[1 000.0]"), 3, "expected ',' or ']'"},
    {TEXT("[1eE2]"), 3, "expected a digit"},
    {TEXT("[9.e+]"), 3, "expected a digit"},
    {TEXT("[Inf]"), 1, "expected a value"},
    {TEXT("[NaN]"), 1, "expected a value"},
    {TEXT("[0x1]"), 2, "expected ',' or ']'"},
    {TEXT("[-Infinity]"), 2, "expected a digit"},
    {TEXT("[-foo]"), 2, "expected a digit"},
    {TEXT("[012]"), 2, "leading zeros"},
    {TEXT("[1a]"), 2, "expected ',' or ']'"},
    {TEXT("[1.8011670033376514H-308]"), 19, "expected ',' or ']'"},
    {TEXT("[\xEF\xBC\x91]"), 1, "expected a value"},
    {TEXT("{\"x\", null}"), 4, "expected ':'"},
    {TEXT("{\"x\"::\"b\"}"), 5, "expected a value"},
    {TEXT("{\"a\":\"a\" 123}"), 9, "expected ',' or '}'"},
    {TEXT("{key: 'value'}"), 1, "name in quotes or '}'"},
    {TEXT("{\"a\":"), 5, "expected a value"},
    {TEXT("{\"a\""), 4, "expected ':'"},
    {TEXT("{\"a"), 3, "unterminated string"},
    {TEXT("{"), 1, "name in quotes or '}'"},
    {TEXT("{\"a\":1"), 6, "expected ',' or '}'"},
    {TEXT("{\"a\":1,"), 7, "name in quotes"},
    {TEXT("{1:1}"), 1, "name in quotes or '}'"},
    {TEXT("{\"id\":0,}"), 8, "name in quotes"},
    {TEXT("{\"id\":0,,}"), 8, "name in quotes"},
    {TEXT("{'a':0}"), 1, "name in quotes or '}'"},
    {TEXT("{\"a\":\"b\"}/**/"), 9, "nothing more"},
    {TEXT("{\"a\":\"b\"}#"), 9, "nothing more"},
    {TEXT("{\"a\":1}}"), 7, "nothing more"},
    {TEXT("{[: \"x\"}"), 1, "name in quotes or '}'"},
    {TEXT("{\"\xB9\":\"0\",}"), 2, "invalid UTF-8"},
    {TEXT("[\"\\uD800\\\"]"), 11, "unterminated string"},
    {TEXT("[\"\\uD800\\u\"]"), 10, "four hexadecimal digits"},
    {TEXT("[\"\\u00A\"]"), 7, "four hexadecimal digits"},
    {TEXT("[\"\\u12"), 6, "four hexadecimal digits"},
    {TEXT("[\"\\x00\"]"), 3, "after '\\'"},
    {TEXT("[\"\\\0\"]"), 3, "after '\\'"},
    {TEXT("[\"\\a\"]"), 3, "after '\\'"},
    {TEXT("[\"\\\xF0\x9F\x8C\x80\"]"), 3, "after '\\'"},
    {TEXT("[\"\\U0041\"]"), 3, "after '\\'"},
    {TEXT("[\"\\"), 3, "unterminated string"},
    {TEXT("[\"a\0a\"]"), 3, "control characters"},
    {TEXT("[\"new\nline\"]"), 5, "control characters"},
    {TEXT("[\"long enough for words\tx\"]"), 23, "control characters"},
    {TEXT("[\"\xC3\"]"), 2, "invalid UTF-8"},
    {TEXT("[\"\x81\"]"), 2, "invalid UTF-8"},
    {TEXT("[\"\xC0\xAF\"]"), 2, "invalid UTF-8"},
    {TEXT("[\"\xE0\x80\xAF\"]"), 2, "invalid UTF-8"},
    {TEXT("[\"\xED\xA0\x80\"]"), 2, "invalid UTF-8"},
    {TEXT("[\"\xF4\xBF\xBF\xBF\"]"), 2, "invalid UTF-8"},
    {TEXT("[\"\xF8\x88\x80\x80\x80\"]"), 2, "invalid UTF-8"},
    {TEXT("[\"12345678\xFF\"]"), 10, "invalid UTF-8"},
    {TEXT("\"\xE2\x82"), 3, "unterminated string"},
    {TEXT("\"x"), 2, "unterminated string"},
    {TEXT("\xEF\xBB\xBF{}"), 0, "expected a value"},
    {TEXT("<null>"), 0, "expected a value"},
    {TEXT("\""), 1, "unterminated string"},
    {TEXT("]"), 0, "expected a value"},
    {TEXT("}"), 0, "expected a value"},
    {TEXT("[\f1]"), 1, "expected a value"},
    {TEXT("[\xC2\xA0]"), 1, "expected a value"},
    {TEXT("1 2"), 2, "nothing more"},
};

static void test_refuses_with_position_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct refused *c = &refused[i];
        struct json_value value;
        struct json_error error = {0};
        int result = parse(c->text, &value, &error);
        int expected = c->at == c->text.len ? FAN_E_TRUNCATED : FAN_E_PARSE;
        if (result != expected || error.at != c->at || !strstr(error.message, c->message))
            fail_msg("%s: %s, \"%s\" at %zu", c->text.ptr, fan_error_name(result),
                     error.message ? error.message : "", error.at);
    }
}

static void test_empty_text_is_truncated(void **state)
{
    (void)state;
    struct json_value value;
    struct json_error error;
    assert_int_equal(json_parse(slice_of(NULL, 0), &value, &error), FAN_E_TRUNCATED);
    assert_int_equal(error.at, 0);
    assert_int_equal(json_parse(SLICE(""), &value, NULL), FAN_E_TRUNCATED);
}

static void test_every_prefix_is_truncated(void **state)
{
    (void)state;
    struct slice text = SLICE("{\"a\":[1.5e3,-0,true,false,null,\"\xE2\x82\xAC\\u20ac\\n\"],"
                              "\"b\":{\"c\":{}}, \"d\" : [ ] }");
    struct json_value value;
    for (size_t n = 0; n < text.len; n++) {
        struct json_error error;
        assert_int_equal(parse(slice_of(text.ptr, n), &value, &error), FAN_E_TRUNCATED);
        assert_int_equal(error.at, n);
    }
    assert_int_equal(parse(text, &value, NULL), 0);
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    static char text[200000];
    struct json_value value;
    struct json_error error;
    memset(text, '[', 128);
    memset(text + 128, ']', 128);
    assert_int_equal(json_parse(slice_of(text, 256), &value, NULL), 0);
    memset(text, '[', sizeof text);
    assert_int_equal(json_parse(slice_of(text, sizeof text), &value, &error), FAN_E_PARSE);
    assert_int_equal(error.at, 128);
    assert_non_null(strstr(error.message, "deeper"));
    for (size_t i = 0; i + 5 <= sizeof text; i += 5)
        memcpy(text + i, "{\"a\":", 5);
    assert_int_equal(json_parse(slice_of(text, sizeof text), &value, &error), FAN_E_PARSE);
    assert_int_equal(error.at, 5 * 128);
    /* Width is not depth. */
    for (size_t i = 0; i < sizeof text; i += 4)
        memcpy(text + i, "[[],", 4);
    memset(text, '[', 1);
    for (size_t i = 1; i + 3 < sizeof text; i += 3)
        memcpy(text + i, "[],", 3);
    struct slice wide = slice_of(text, 1 + 3 * 60000);
    text[wide.len - 1] = ']';
    assert_int_equal(json_parse(wide, &value, NULL), 0);
}

static void test_locate(void **state)
{
    (void)state;
    struct slice text = SLICE("ab\n\ncd\r\nx");
    static const struct {
        size_t at;
        unsigned line, column;
    } cases[] = {{0, 1, 1}, {1, 1, 2}, {2, 1, 3}, {3, 2, 1},
                 {4, 3, 1}, {8, 4, 1}, {9, 4, 2}, {99, 4, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned line, column;
        json_locate(text, cases[i].at, &line, &column);
        assert_int_equal(line, cases[i].line);
        assert_int_equal(column, cases[i].column);
    }
}

static void test_kind_names(void **state)
{
    (void)state;
    assert_string_equal(json_kind_name(JSON_STRING), "a string");
    assert_string_equal(json_kind_name(JSON_OBJECT), "an object");
    assert_string_equal(json_kind_name(JSON_NULL), "null");
}

/* ---- Walking ---- */

static struct json_value value_of(const char *text)
{
    struct json_value value;
    struct json_error error;
    if (json_parse(slice_from(text), &value, &error))
        fail_msg("%s: %s at %zu", text, error.message, error.at);
    return value;
}

#define assert_slice(slice, text) assert_true(slice_is((slice), (text)))

static void test_walks_members(void **state)
{
    (void)state;
    struct json_value value = value_of(" { \"a\" : 1 ,\"b\\u0063\":\"x}\\\"]\",\n\"d\":{\"e\":[{}"
                                       ",\"]\"]} , \"f\":true,\"g\":[ ],\"h\":null, \"\":false } ");
    struct json_iter it = json_members(value);
    struct json_member m;
    static const struct {
        const char *name, *text;
        enum json_kind kind;
        bool escaped;
    } expected[] = {
        {"a", "1", JSON_NUMBER, false},
        {"b\\u0063", "\"x}\\\"]\"", JSON_STRING, true},
        {"d", "{\"e\":[{},\"]\"]}", JSON_OBJECT, false},
        {"f", "true", JSON_TRUE, false},
        {"g", "[ ]", JSON_ARRAY, false},
        {"h", "null", JSON_NULL, false},
        {"", "false", JSON_FALSE, false},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(json_next_member(&it, &m));
        assert_slice(m.name, expected[i].name);
        assert_slice(m.value.text, expected[i].text);
        assert_int_equal(m.value.kind, expected[i].kind);
        assert_int_equal(m.name_escaped, expected[i].escaped);
    }
    assert_false(json_next_member(&it, &m));
    assert_false(json_next_member(&it, &m));
}

static void test_walks_elements(void **state)
{
    (void)state;
    struct json_iter it = json_elements(value_of("[1 , [2,[3]] ,\"4,5\", {\"a\":[]} ]"));
    struct json_value v;
    const char *const expected[] = {"1", "[2,[3]]", "\"4,5\"", "{\"a\":[]}"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(json_next_element(&it, &v));
        assert_slice(v.text, expected[i]);
    }
    assert_false(json_next_element(&it, &v));
}

static void test_walking_the_wrong_kind_yields_nothing(void **state)
{
    (void)state;
    struct json_member m;
    struct json_value v;
    const char *const texts[] = {"[]", "{}", "[ ]", "{ }", "1", "\"a\"", "null"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json_iter members = json_members(value_of(texts[i]));
        struct json_iter elements = json_elements(value_of(texts[i]));
        assert_false(json_next_member(&members, &m));
        assert_false(json_next_element(&elements, &v));
    }
    struct json_iter it = json_members(value_of("[1]"));
    assert_false(json_next_member(&it, &m));
    it = json_elements(value_of("{\"a\":1}"));
    assert_false(json_next_element(&it, &v));
}

static void test_find_takes_the_last(void **state)
{
    (void)state;
    struct json_value object = value_of("{\"a\":1,\"b\":2,\"\\u0061\":3}");
    struct json_value v;
    assert_true(json_find(object, SLICE("a"), &v));
    assert_slice(v.text, "3");
    assert_true(json_find(object, SLICE("b"), &v));
    assert_slice(v.text, "2");
    assert_false(json_find(object, SLICE("c"), &v));
    assert_false(json_find(value_of("[\"a\"]"), SLICE("a"), &v));
}

static void test_scan_object_checks_and_finds(void **state)
{
    (void)state;
    const struct slice names[] = {TEXT("topic"), TEXT("data"), TEXT("missing")};
    struct json_value v[3];
    bool found[3];
    struct slice text = SLICE(" {\"data\":1,\"nested\":{\"topic\":0,\"missing\":0},"
                              "\"t\\u006fpic\": \"t\" ,\"data\":{\"x\":[]}}\n");
    assert_int_equal(json_scan_object(text, names, 3, v, found, NULL), 0);
    assert_true(found[0] && found[1] && !found[2]);
    assert_slice(v[0].text, "\"t\"");
    assert_int_equal(v[0].kind, JSON_STRING);
    assert_slice(v[1].text, "{\"x\":[]}");
    assert_int_equal(v[1].kind, JSON_OBJECT);
    assert_int_equal(json_scan_object(SLICE("{}"), names, 3, v, found, NULL), 0);
    assert_false(found[0] || found[1] || found[2]);
    assert_int_equal(json_scan_object(SLICE("{\"a\":1}"), NULL, 0, NULL, NULL, NULL), 0);
}

static void test_scan_object_agrees_with_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct json_error error = {0};
        int result = json_scan_object(refused[i].text, NULL, 0, NULL, NULL, &error);
        assert_int_equal(result,
                         refused[i].at == refused[i].text.len ? FAN_E_TRUNCATED : FAN_E_PARSE);
        assert_int_equal(error.at, refused[i].at);
    }
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        int result = json_scan_object(accepted[i].text, NULL, 0, NULL, NULL, NULL);
        assert_int_equal(result, accepted[i].kind == JSON_OBJECT ? 0 : FAN_E_INVALID);
    }
    struct json_error error;
    assert_int_equal(json_scan_object(SLICE(" []"), NULL, 0, NULL, NULL, &error), FAN_E_INVALID);
    assert_int_equal(error.at, 1);
    assert_string_equal(error.message, "expected an object");
    assert_int_equal(json_scan_object(slice_of(NULL, 0), NULL, 0, NULL, NULL, &error),
                     FAN_E_TRUNCATED);
}

static void test_scan_object_depth(void **state)
{
    (void)state;
    char text[1024];
    size_t n = 0;
    memcpy(text, "{\"a\":", 5);
    n = 5;
    memset(text + n, '[', 127);
    memset(text + n + 127, ']', 127);
    n += 254;
    text[n++] = '}';
    assert_int_equal(json_scan_object(slice_of(text, n), NULL, 0, NULL, NULL, NULL), 0);
    memset(text + 5, '[', 128);
    struct json_error error;
    assert_int_equal(json_scan_object(slice_of(text, n), NULL, 0, NULL, NULL, &error), FAN_E_PARSE);
    assert_int_equal(error.at, 5 + 127);
}

static void test_compact(void **state)
{
    (void)state;
    struct buf out = {0};
    json_append_compact(
        &out, value_of(" { \"a b\" : [ 1 ,\t2 ] ,\n\"c\\\" \":\" \\\\\" , \"d\": { } } "));
    assert_string_equal(buf_text(&out), "{\"a b\":[1,2],\"c\\\" \":\" \\\\\",\"d\":{}}");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_valid_texts),
        cmocka_unit_test(test_refuses_with_position_and_reason),
        cmocka_unit_test(test_empty_text_is_truncated),
        cmocka_unit_test(test_every_prefix_is_truncated),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_locate),
        cmocka_unit_test(test_kind_names),
        cmocka_unit_test(test_walks_members),
        cmocka_unit_test(test_walks_elements),
        cmocka_unit_test(test_walking_the_wrong_kind_yields_nothing),
        cmocka_unit_test(test_find_takes_the_last),
        cmocka_unit_test(test_scan_object_checks_and_finds),
        cmocka_unit_test(test_scan_object_agrees_with_parse),
        cmocka_unit_test(test_scan_object_depth),
        cmocka_unit_test(test_compact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
