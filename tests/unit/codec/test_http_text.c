/* Headers, percent-encoding, queries, identifiers and forwarded addresses. */
#include "../test.h"

#include "base/memory.h"
#include "codec/http.h"
#include "fanfare/error.h"

static struct http_request request_with(const struct http_header *headers, unsigned count)
{
    struct http_request r = {.header_count = count};
    memcpy(r.headers, headers, count * sizeof *headers);
    return r;
}

#define HEADER(name, value)             \
    {                                   \
        {"" name, sizeof(name) - 1},    \
        {                               \
            "" value, sizeof(value) - 1 \
        }                               \
    }

static void test_headers(void **state)
{
    (void)state;
    const struct http_header headers[] = {
        HEADER("Accept", "a"), HEADER("CONNECTION", "keep-alive , Upgrade"), HEADER("accept", "b"),
        HEADER("Connection", ",,x"), HEADER("Empty", "")};
    struct http_request r = request_with(headers, 5);
    assert_true(slice_is(http_header_get(&r, "accept"), "a"));
    assert_true(slice_is(http_header_get(&r, "Empty"), ""));
    assert_non_null(http_header_get(&r, "empty").ptr);
    assert_null(http_header_get(&r, "absent").ptr);
    assert_int_equal(http_header_count(&r, "ACCEPT"), 2);
    assert_int_equal(http_header_count(&r, "absent"), 0);
    assert_true(http_header_has_token(&r, "connection", "upgrade"));
    assert_true(http_header_has_token(&r, "connection", "X"));
    assert_false(http_header_has_token(&r, "connection", "keep"));
    assert_false(http_header_has_token(&r, "absent", "x"));
}

static void test_percent_decode(void **state)
{
    (void)state;
    static const struct {
        struct slice in;
        bool plus;
        const char *out; /* NULL: malformed */
    } cases[] = {
        {{"", 0}, false, ""},
        {{"a%20b+c", 7}, false, "a b+c"},
        {{"a%20b+c", 7}, true, "a b c"},
        {{"%2F%2f", 6}, false, "//"},
        {{"%C3%A9", 6}, false, "\xC3\xA9"},
        {{"%", 1}, false, NULL},
        {{"%2", 2}, false, NULL},
        {{"%2", 1}, false, NULL},
        {{"%zz", 3}, false, NULL},
        {{"%2 ", 3}, false, NULL},
        {{"a%-1", 4}, false, NULL},
        {{"%25zz", 5}, false, "%zz"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        int result = http_percent_decode(cases[i].in, cases[i].plus, &out);
        assert_int_equal(result, cases[i].out ? 0 : FAN_E_PARSE);
        if (cases[i].out)
            assert_string_equal(buf_text(&out), cases[i].out);
        buf_fini(&out);
    }
    struct buf out = {0};
    assert_int_equal(http_percent_decode(SLICE("%00x"), false, &out), 0);
    assert_true(slice_equal(buf_slice(&out), SLICE("\0x")));
    buf_fini(&out);
    memory_fail_nth(1);
    assert_int_equal(http_percent_decode(SLICE("x"), false, &out), FAN_E_NO_MEMORY);
    buf_fini(&out);
}

static void test_percent_encode(void **state)
{
    (void)state;
    struct buf out = {0};
    http_percent_encode(SLICE("AZaz09-._~ /?:@\0\xC3\xFF%"), &out);
    assert_string_equal(buf_text(&out), "AZaz09-._~%20%2F%3F%3A%40%00%C3%FF%25");
    struct buf back = {0};
    assert_int_equal(http_percent_decode(buf_slice(&out), false, &back), 0);
    assert_true(slice_equal(buf_slice(&back), SLICE("AZaz09-._~ /?:@\0\xC3\xFF%")));
    buf_fini(&out);
    buf_fini(&back);
}

static void check_get(const char *query, const char *name, int result, const char *value)
{
    struct buf out = {0};
    assert_int_equal(http_query_get(slice_from(query), name, &out), result);
    if (result == 0)
        assert_string_equal(buf_text(&out), value);
    buf_fini(&out);
}

static void test_query_get(void **state)
{
    (void)state;
    check_get("a=1&b=2", "b", 0, "2");
    check_get("a=1&a=2", "a", 0, "1");
    check_get("a", "a", 0, "");
    check_get("a=", "a", 0, "");
    check_get("a=b=c", "a", 0, "b=c");
    check_get("&&a=x+y%21&", "a", 0, "x y!");
    check_get("%61%2B=1", "a+", 0, "1");
    check_get("a+b=1", "a b", 0, "1");
    check_get("a=%zz", "a", FAN_E_PARSE, NULL);
    check_get("b=%zz&a=1", "a", 0, "1");
    check_get("%zz=1&a=1", "a", 0, "1");
    check_get("", "a", FAN_E_NOT_FOUND, NULL);
    check_get("aa=1&=2&A=3", "a", FAN_E_NOT_FOUND, NULL);
    check_get("a%00=1", "a", FAN_E_NOT_FOUND, NULL);
    check_get("=2", "", 0, "2");
}

static void test_query_next(void **state)
{
    (void)state;
    struct slice rest = SLICE("&a=1&&b&=c&d=e=f&");
    struct slice name, value;
    const char *const expected[][2] = {{"a", "1"}, {"b", ""}, {"", "c"}, {"d", "e=f"}};
    for (size_t i = 0; i < 4; i++) {
        assert_true(http_query_next(&rest, &name, &value));
        assert_true(slice_is(name, expected[i][0]));
        assert_true(slice_is(value, expected[i][1]));
    }
    assert_false(http_query_next(&rest, &name, &value));
    assert_false(http_query_next(&rest, &name, &value));
}

static void test_identifiers(void **state)
{
    (void)state;
    char text[129];
    memset(text, 'x', sizeof text);
    assert_true(http_identifier_valid(SLICE("AZaz09._:@/-")));
    assert_true(http_identifier_valid(slice_of(text, 128)));
    assert_false(http_identifier_valid(slice_of(text, 129)));
    assert_false(http_identifier_valid(SLICE("")));
    static const char *const bad[] = {"a b", "a%2F", "a*", "\xC3\xA9", "a\n", "a,b", "a?b", "a#"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(http_identifier_valid(slice_from(bad[i])));
    assert_false(http_identifier_valid(SLICE("a\0b")));
}

static bool note_address(void *arg, struct slice address)
{
    struct buf *out = arg;
    buf_append_slice(out, address);
    buf_append_char(out, '|');
    return !slice_is(address, "stop");
}

static void check_forwarded(struct http_header first, struct http_header second,
                            const char *expected)
{
    struct http_request r = request_with((struct http_header[]){first, second}, 2);
    struct buf out = {0};
    http_forwarded_each(&r, note_address, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

#define FORWARDED(value)   (struct http_header) HEADER("Forwarded", value)
#define X_FORWARDED(value) (struct http_header) HEADER("X-Forwarded-For", value)
#define OTHER              (struct http_header) HEADER("Other", "x")

static void test_x_forwarded_for(void **state)
{
    (void)state;
    check_forwarded(OTHER, OTHER, "");
    check_forwarded(X_FORWARDED("192.0.2.1, 2001:db8::1 ,[2001:db8::2]:80,192.0.2.3:80"), OTHER,
                    "192.0.2.3|2001:db8::2|2001:db8::1|192.0.2.1|");
    check_forwarded(X_FORWARDED("1, 2"), X_FORWARDED("3, 4"), "4|3|2|1|");
    check_forwarded(X_FORWARDED("1, stop, 3"), OTHER, "3|stop|");
    check_forwarded(X_FORWARDED(",, 1,"), OTHER, "1|");
    check_forwarded(X_FORWARDED("[::1"), OTHER, "unknown|");
    check_forwarded(X_FORWARDED(":80"), OTHER, "unknown|");
    /* a quote that the client opened does not swallow what the proxy has added */
    check_forwarded(X_FORWARDED("\"evil, 192.0.2.9"), OTHER, "192.0.2.9|\"evil|");
}

static void test_forwarded(void **state)
{
    (void)state;
    check_forwarded(FORWARDED("for=192.0.2.60;proto=http;by=203.0.113.43"), OTHER, "192.0.2.60|");
    check_forwarded(FORWARDED("For=\"[2001:db8:cafe::17]:4711\""), OTHER, "2001:db8:cafe::17|");
    check_forwarded(FORWARDED("for=192.0.2.43, for=\"198.51.100.17:80\""), X_FORWARDED("ignored"),
                    "198.51.100.17|192.0.2.43|");
    check_forwarded(FORWARDED("proto=https; FOR = _hidden"), FORWARDED("by=x, host=\"a,b\""),
                    "unknown|unknown|_hidden|");
    check_forwarded(FORWARDED("for=\"evil, for=\"[2001:db8::1]:4711\""), OTHER,
                    "2001:db8::1|\"evil|");
    check_forwarded(FORWARDED("for=\"a;for=1;by=2"), OTHER, "1|");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(http_method_name(HTTP_GET), "GET");
    assert_string_equal(http_method_name(HTTP_OPTIONS), "OPTIONS");
    assert_string_equal(http_status_text(404), "Not Found");
    assert_string_equal(http_status_text(101), "Switching Protocols");
    assert_string_equal(http_status_text(799), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),         cmocka_unit_test(test_percent_decode),
        cmocka_unit_test(test_percent_encode),  cmocka_unit_test(test_query_get),
        cmocka_unit_test(test_query_next),      cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_x_forwarded_for), cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
