/*
 * HTTP requests in. Every request is fed whole, cut in two at every position, and byte by byte:
 * what the parser reports must be the same.
 */
#include "../test.h"

#include <stdio.h>

#include "base/memory.h"
#include "codec/http.h"
#include "fanfare/error.h"

/* ---- Reading requests ---- */

struct outcome {
    struct buf trace;
    int result;
    int status;
    const char *why;
    size_t used;
    int head_answer; /* what `head` returns */
    int body_answer;
};

static void note_slice(struct outcome *o, const char *what, struct slice s)
{
    if (s.ptr)
        buf_printf(&o->trace, " %s=%.*s", what, SLICE_ARG(s));
}

static int on_head(void *arg, const struct http_request *r)
{
    struct outcome *o = arg;
    buf_printf(&o->trace, "%s", http_method_name(r->method));
    note_slice(o, "target", r->target);
    note_slice(o, "host", http_header_get(r, "host"));
    if (r->has_body)
        buf_printf(&o->trace, r->chunked ? " chunked" : " length=%llu",
                   (unsigned long long)r->content_length);
    buf_printf(&o->trace, "%s%s%s%s [", r->minor ? "" : " 1.0", r->keep_alive ? "" : " last",
               r->upgrade ? " upgrade" : "", r->expect_continue ? " expect" : "");
    return o->head_answer;
}

static int on_body(void *arg, struct slice piece)
{
    struct outcome *o = arg;
    buf_append_slice(&o->trace, piece);
    return o->body_answer;
}

static int on_done(void *arg)
{
    struct outcome *o = arg;
    buf_append_text(&o->trace, "]\n");
    return 0;
}

static const struct http_parser_ops ops = {on_head, on_body, on_done};

/* Feeds a piece from memory of its own size; resumes behind each request. */
static void feed_all(struct http_parser *p, struct outcome *o, struct slice piece)
{
    char *copy = malloc(piece.len ? piece.len : 1);
    memcpy(copy, piece.ptr, piece.len);
    size_t at = 0;
    do {
        size_t used;
        o->result = http_parser_feed(p, copy + at, piece.len - at, &used, &o->status, &o->why);
        at += used;
        o->used += used;
        assert_true(at <= piece.len);
        if (o->result == 0)
            http_parser_resume(p);
    } while (o->result == 0 && at < piece.len);
    free(copy);
}

static struct outcome read_cut(struct slice in, size_t first, size_t step, int head_answer)
{
    struct outcome o = {.head_answer = head_answer};
    struct http_parser *p = http_parser_new(&ops, &o);
    size_t n = first;
    while (in.len && o.result == 0) {
        n = n && n < in.len ? n : in.len;
        feed_all(p, &o, slice_of(in.ptr, n));
        in = slice_skip(in, n);
        n = step;
    }
    http_parser_free(p);
    return o;
}

static void check_all_ways(struct slice in, int head_answer, const char *trace, int result,
                           int status)
{
    struct outcome whole = read_cut(in, 0, 0, head_answer);
    if (strcmp(buf_text(&whole.trace), trace) != 0 || whole.result != result ||
        whole.status != status)
        fail_msg("%.*s\n\"%s\", %s, %d %s", SLICE_ARG(in), buf_text(&whole.trace),
                 fan_error_name(whole.result), whole.status, whole.why ? whole.why : "");
    for (size_t i = 1; i < in.len + 8; i++) {
        bool cut = i < in.len;
        struct outcome o = read_cut(in, cut ? i : i - in.len, cut ? 0 : i - in.len, head_answer);
        assert_int_equal(o.result, whole.result);
        assert_int_equal(o.status, whole.status);
        assert_true(slice_equal(buf_slice(&o.trace), buf_slice(&whole.trace)));
        if (result >= 0)
            assert_int_equal(o.used, whole.used);
        else
            assert_string_equal(o.why, whole.why);
        buf_fini(&o.trace);
    }
    buf_fini(&whole.trace);
}

static void check_ok(const char *in, const char *trace)
{
    check_all_ways(slice_from(in), 0, trace, 0, 0);
}

static void check_refused(const char *in, int status)
{
    check_all_ways(
        slice_from(in), 0, "",
        status == 413 || status == 414 || status == 431 ? FAN_E_TOO_LARGE : FAN_E_PROTOCOL, status);
}

#define HOST "Host: a\r\n"

/* ---- What is accepted ---- */

static void test_simple_requests(void **state)
{
    (void)state;
    check_ok("GET / HTTP/1.1\r\n" HOST "\r\n", "GET target=/ host=a []\n");
    check_ok("HEAD /x HTTP/1.1\r\n" HOST "\r\n", "HEAD target=/x host=a []\n");
    check_ok("DELETE /x HTTP/1.1\r\nHOST:a:80\r\n\r\n", "DELETE target=/x host=a:80 []\n");
    check_ok("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS target=* host=a []\n");
    check_ok("PATCH / HTTP/1.1\r\n" HOST "\r\n", "OTHER target=/ host=a []\n");
    check_ok("GET /a/%2F/b?c=d&e=%20?f HTTP/1.1\r\n" HOST "\r\n",
             "GET target=/a/%2F/b?c=d&e=%20?f host=a []\n");
}

static void test_bodies(void **state)
{
    (void)state;
    check_ok("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nHello",
             "POST target=/ host=a length=5 [Hello]\n");
    check_ok("PUT / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "PUT target=/ host=a []\n");
    check_ok("POST / HTTP/1.1\r\n" HOST "\r\n", "POST target=/ host=a []\n");
    check_ok("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
             "5\r\nHello\r\n7\r\n, world\r\n0\r\n\r\n",
             "POST target=/ host=a chunked [Hello, world]\n");
    check_ok("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
             "00A;name=value;q=\"x\"\r\n0123456789\r\n0\r\nTrailer: ignored\r\nHost: b\r\n\r\n",
             "POST target=/ host=a chunked [0123456789]\n");
    check_ok("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             "POST target=/ host=a chunked []\n");
}

static void test_pipelined_requests_wait(void **state)
{
    (void)state;
    check_ok("GET /1 HTTP/1.1\r\n" HOST "\r\n"
             "POST /2 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
             "POST /3 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nd\r\n0\r\n\r\n"
             "\r\nGET /4 HTTP/1.1\r\n" HOST "\r\n",
             "GET target=/1 host=a []\nPOST target=/2 host=a length=3 [abc]\n"
             "POST target=/3 host=a chunked [d]\nGET target=/4 host=a []\n");
    struct outcome o = {0};
    struct http_parser *p = http_parser_new(&ops, &o);
    struct slice two = SLICE("GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n");
    size_t used;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(http_parser_feed(p, two.ptr, two.len, &used, &o.status, &o.why), 0);
        assert_int_equal(used, i ? 0 : two.len / 2);
        assert_false(http_parser_busy(p));
    }
    assert_string_equal(buf_text(&o.trace), "GET target=/1 host=a []\n");
    http_parser_resume(p);
    assert_int_equal(http_parser_feed(p, two.ptr, 5, &used, &o.status, &o.why), 0);
    assert_true(http_parser_busy(p));
    http_parser_free(p);
    buf_fini(&o.trace);
}

static void test_keep_alive(void **state)
{
    (void)state;
    check_ok("GET / HTTP/1.0\r\n\r\n", "GET target=/ 1.0 last []\n");
    check_ok("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET target=/ 1.0 []\n");
    check_ok("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
             "GET target=/ host=a last []\n");
    check_ok("GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n",
             "GET target=/ host=a last []\n");
}

static void test_expect_continue(void **state)
{
    (void)state;
    check_ok("POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
             "POST target=/ host=a length=1 expect [x]\n");
    check_ok("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
             "POST target=/ length=1 1.0 last [x]\n");
}

static void test_absolute_targets(void **state)
{
    (void)state;
    check_ok("GET http://b:8000/x?y HTTP/1.1\r\n" HOST "\r\n", "GET target=/x?y host=b:8000 []\n");
    check_ok("GET HTTPS://b HTTP/1.1\r\n" HOST "\r\n", "GET target= host=b []\n");
    check_ok("GET http://b?c HTTP/1.1\r\n" HOST "\r\n", "GET target=?c host=b []\n");
    check_refused("GET http://u@b/ HTTP/1.1\r\n" HOST "\r\n", 400);
    check_refused("GET ftp://b/ HTTP/1.1\r\n" HOST "\r\n", 400);
    check_refused("GET http:// HTTP/1.1\r\n" HOST "\r\n", 400);
}

static int check_parts(void *arg, const struct http_request *r)
{
    const char *const *expected = arg;
    assert_true(slice_is(r->path, expected[0]));
    assert_true(slice_is(r->query, expected[1]));
    assert_true(slice_is(r->authority, expected[2]));
    return 1;
}

static void test_parts_of_the_target(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        {"/", "", "", "/"},
        {"/a/b", "c=d?e", "", "/a/b?c=d?e"},
        {"/a", "", "", "/a?"},
        {"/", "", "h", "http://h"},
        {"/", "q", "h:1", "http://h:1?q"},
        {"/p", "q", "[::1]", "https://[::1]/p?q"},
        {"/http://x", "", "", "/http://x"},
    };
    const struct http_parser_ops parts = {check_parts, on_body, on_done};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_parser *p = http_parser_new(&parts, (void *)cases[i]);
        char text[200];
        size_t used;
        int status;
        const char *why;
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" HOST "\r\n", cases[i][3]);
        assert_int_equal(http_parser_feed(p, text, strlen(text), &used, &status, &why), 1);
        http_parser_free(p);
    }
}

static void test_upgrade_stops_behind_the_head(void **state)
{
    (void)state;
    struct slice in = SLICE("GET /ws HTTP/1.1\r\n" HOST "Connection: keep-alive, Upgrade\r\n"
                            "Upgrade: websocket\r\n\r\n\x81\x85 frames \x01\x02");
    check_all_ways(in, 1, "GET target=/ws host=a upgrade [", 1, 0);
    struct outcome o = read_cut(in, 0, 0, 1);
    assert_int_equal(o.used, in.len - 12);
    buf_fini(&o.trace);
}

static void test_upgrade_may_be_declined(void **state)
{
    (void)state;
    check_ok("GET /1 HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
             "POST /2 HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n"
             "Content-Length: 2\r\n\r\nab"
             "GET /3 HTTP/1.1\r\n" HOST "\r\n",
             "GET target=/1 host=a upgrade []\nPOST target=/2 host=a length=2 upgrade [ab]\n"
             "GET target=/3 host=a []\n");
    check_ok("GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n", "GET target=/ host=a []\n");
    check_ok("GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\n\r\n", "GET target=/ host=a []\n");
}

/* ---- What is refused ---- */

static void test_bad_request_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int status;
    } cases[] = {
        {"GET /", 400},
        {"GET", 400},
        {" GET / HTTP/1.1", 400},
        {"GET  / HTTP/1.1", 400},
        {"GET /  HTTP/1.1", 400},
        {"GET / HTTP/1.1 ", 400},
        {"GET\t/ HTTP/1.1", 400},
        {"GET / HTTP/1.1\tx", 400},
        {"GET / http/1.1", 400},
        {"GET / HTTP/1", 400},
        {"GET / HTTP/11", 400},
        {"GET / HTTP/0.9", 505},
        {"GET / HTTP/1.2", 505},
        {"GET / HTTP/2.0", 505},
        {"PRI * HTTP/2.0", 505},
        {"GET x HTTP/1.1", 400},
        {"GET * HTTP/1.1", 400},
        {"GET /#fragment HTTP/1.1", 400},
        {"GET /\xC3\xA9 HTTP/1.1", 400},
        {"GET ?x HTTP/1.1", 400},
        {"G@T / HTTP/1.1", 400},
        {"FROBNICATE / HTTP/1.1", 501},
        {"get / HTTP/1.1", 501},
        {"CONNECT a:80 HTTP/1.1", 501},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "%s\r\n" HOST "\r\n", cases[i].line);
        check_refused(text, cases[i].status);
    }
}

static void test_line_ends_other_than_crlf(void **state)
{
    (void)state;
    check_refused("GET / HTTP/1.1\n" HOST "\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\n" HOST "\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\n" HOST "A:\rContent-Length: 5\r\n\r\n", 400);
    check_refused("\nGET / HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void test_empty_lines_before_a_request(void **state)
{
    (void)state;
    check_ok("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "GET target=/ host=a []\n");
    check_refused("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void test_control_characters(void **state)
{
    (void)state;
    check_refused("GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400);
    check_refused("GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", 400);
    check_all_ways(SLICE("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), 0, "", FAN_E_PROTOCOL, 400);
    check_refused("\x16\x03\x01\x02", 400); /* a TLS greeting: refused at its first byte */
}

static void test_bad_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {"X : a",
                                          "X\t: a",
                                          " X: a",
                                          "X",
                                          ": a",
                                          "X Y: a",
                                          "X(: a",
                                          "X\xC3: a",
                                          "Content-Length : 5",
                                          "X: a\r\n folded",
                                          "X: a\r\n\tfolded",
                                          "X:\r\n y"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char text[200];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "%s\r\n\r\n", headers[i]);
        check_refused(text, 400);
    }
    check_refused("GET / HTTP/1.1\r\n " HOST "\r\n", 400);
}

static void test_host(void **state)
{
    (void)state;
    check_refused("GET / HTTP/1.1\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400);
    check_refused("GET / HTTP/1.0\r\n" HOST "host: b\r\n\r\n", 400);
    static const char *const bad[] = {"a b",  "a/b",    "a:8x",   "a:1:2", "u@a",
                                      "[::1", "[::1]x", "[::1/]", "a\"b",  "a\xC3\xA9"};
    static const char *const good[] = {"",         "a-b.c_d~:",      "[::1]",
                                       "[::1]:80", "127.0.0.1:8000", "a%20b"};
    char text[200], trace[200];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", bad[i]);
        check_refused(text, 400);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", good[i]);
        snprintf(trace, sizeof trace, "GET target=/ host=%s []\n", good[i]);
        check_ok(text, trace);
    }
}

/* Where two parsers in a row could disagree about where a request ends. */
static void test_smuggling(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        {"Content-Length: 5\r\nTransfer-Encoding: chunked", 400},
        {"Transfer-Encoding: chunked\r\nContent-Length: 5", 400},
        {"Content-Length: 5\r\nContent-Length: 5", 400},
        {"Content-Length: 5\r\nContent-Length: 6", 400},
        {"Content-Length: 5, 5", 400},
        {"Content-Length: +5", 400},
        {"Content-Length: -5", 400},
        {"Content-Length: 0x5", 400},
        {"Content-Length: 5 5", 400},
        {"Content-Length: ", 400},
        {"Content-Length: 5a", 400},
        {"Content-Length: 99999999999999999999999", 413},
        {"Transfer-Encoding: gzip", 400},
        {"Transfer-Encoding: identity", 400},
        {"Transfer-Encoding: chunked, gzip", 400},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip", 400},
        {"Transfer-Encoding: xchunked", 400},
        {"Transfer-Encoding: chunkedx", 400},
        {"Transfer-Encoding: \"chunked\"", 400},
        {"Transfer-Encoding: ", 400},
        {"Transfer-Encoding : chunked", 400},
        {"Transfer-Encoding: gzip, chunked", 501},
        {"Transfer-Encoding: chunked, chunked", 400},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400},
        {"Transfer-Encoding:\x0b"
         "chunked",
         400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[300];
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\n" HOST "%s\r\n\r\n", cases[i].headers);
        check_refused(text, cases[i].status);
    }
    check_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

static void test_bad_chunks(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "x\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        " 1\r\na\r\n",
        "\r\n",
        ";x\r\n",
        "1\na\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\r\na0\r\n\r\n",
        "1\r\na\r\n0\r\n\n",
        "1\r\na\r\n0\n\r\n",
        "1\r\na\r\n0\r\nX\r\n\r\n",
        "1 \r\na\r\n",
        "1\r\na\r\n0\r\n: y\r\n\r\n",
        "1\r\na\r\n0\r\n X: y\r\n\r\n",
        "1\r\na\r\n0\r\nX : y\r\n\r\n",
        "1\r\na\r\n0\r\nX: y\n\r\n",
        "1\r\na\r\n0\r\nX: y\rZ\r\n\r\n",
        "1;a\nb\r\na\r\n",
        "1;a\rb\r\na\r\n",
        "10000000000000000\r\n",
        "FFFFFFFFFFFFFFFFF\r\n",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct buf in = {0};
        buf_printf(&in, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n%s",
                   bodies[i]);
        struct outcome o = read_cut(buf_slice(&in), 0, 0, 0);
        if (o.result != FAN_E_PROTOCOL || o.status != 400 || memchr(o.trace.data, ']', o.trace.len))
            fail_msg("%s: %d %s", bodies[i], o.status, buf_text(&o.trace));
        for (size_t cut = 1; cut < in.len; cut++) {
            struct outcome other = read_cut(buf_slice(&in), cut, 1, 0);
            assert_int_equal(other.status, 400);
            buf_fini(&other.trace);
        }
        buf_fini(&o.trace);
        buf_fini(&in);
    }
}

/* ---- Limits ---- */

static void check_large(struct buf *in, int status)
{
    struct outcome o = read_cut(buf_slice(in), 0, 0, 0);
    assert_int_equal(o.result, FAN_E_TOO_LARGE);
    assert_int_equal(o.status, status);
    buf_fini(&o.trace);
    o = read_cut(buf_slice(in), 1000, 1000, 0);
    assert_int_equal(o.status, status);
    buf_fini(&o.trace);
    buf_fini(in);
}

static void append_times(struct buf *b, const char *text, size_t times)
{
    while (times--)
        buf_append_text(b, text);
}

static void test_head_size(void **state)
{
    (void)state;
    struct buf in = {0};
    buf_append_text(&in, "GET /");
    append_times(&in, "x", 40000);
    check_large(&in, 414);
    buf_append_text(&in, "GET / HTTP/1.1\r\n" HOST "X: ");
    append_times(&in, "x", 40000);
    check_large(&in, 431);
    buf_append_text(&in, "GET / HTTP/1.1\r\n" HOST "X: ");
    append_times(&in, "x", HTTP_MAX_HEAD - in.len - 4);
    buf_append_text(&in, "\r\n\r\n");
    assert_int_equal(in.len, HTTP_MAX_HEAD);
    struct outcome o = read_cut(buf_slice(&in), 0, 0, 0);
    assert_int_equal(o.result, 0);
    assert_string_equal(buf_text(&o.trace), "GET target=/ host=a []\n");
    buf_fini(&o.trace);
    buf_fini(&in);
}

static void test_header_count(void **state)
{
    (void)state;
    for (size_t extra = 99; extra <= 100; extra++) {
        struct buf in = {0};
        buf_append_text(&in, "GET / HTTP/1.1\r\n" HOST);
        append_times(&in, "X: y\r\n", extra);
        buf_append_text(&in, "\r\n");
        struct outcome o = read_cut(buf_slice(&in), 0, 0, 0);
        assert_int_equal(o.result, extra == 99 ? 0 : FAN_E_TOO_LARGE);
        assert_int_equal(o.status, extra == 99 ? 0 : 431);
        buf_fini(&o.trace);
        buf_fini(&in);
    }
}

static void test_chunk_overhead(void **state)
{
    (void)state;
    static const char head[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
    struct buf in = {0};
    buf_append_text(&in, head);
    append_times(&in, "1\r\nx\r\n", 20000); /* tiny chunks are fine */
    buf_append_text(&in, "0\r\n\r\n");
    struct outcome o = read_cut(buf_slice(&in), 1000, 1000, 0);
    assert_int_equal(o.result, 0);
    buf_fini(&o.trace);
    buf_clear(&in);
    buf_append_text(&in, head);
    buf_append_text(&in, "1;");
    append_times(&in, "x", 20000);
    o = read_cut(buf_slice(&in), 1000, 1000, 0);
    assert_int_equal(o.status, 400);
    buf_fini(&o.trace);
    buf_clear(&in);
    buf_append_text(&in, head);
    buf_append_text(&in, "0\r\n");
    append_times(&in, "X: y\r\n", 4000);
    o = read_cut(buf_slice(&in), 1000, 1000, 0);
    assert_int_equal(o.status, 400);
    buf_fini(&o.trace);
    buf_fini(&in);
}

/* ---- Callbacks and memory ---- */

static void test_callbacks_stop_the_parser(void **state)
{
    (void)state;
    struct slice in = SLICE("POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody");
    check_all_ways(in, FAN_E_DENIED, "POST target=/ host=a length=4 [", FAN_E_DENIED, 0);
    for (size_t step = 1; step <= in.len; step++) {
        struct outcome o = {.body_answer = FAN_E_LIMIT};
        struct http_parser *p = http_parser_new(&ops, &o);
        for (size_t at = 0; at < in.len && o.result == 0; at += step)
            feed_all(p, &o, slice_of(in.ptr + at, step < in.len - at ? step : in.len - at));
        assert_int_equal(o.result, FAN_E_LIMIT);
        size_t used;
        assert_int_equal(http_parser_feed(p, "x", 1, &used, &o.status, &o.why), FAN_E_LIMIT);
        assert_int_equal(o.status, 0);
        http_parser_free(p);
        buf_fini(&o.trace);
    }
}

static void test_errors_last(void **state)
{
    (void)state;
    struct outcome o = {0};
    struct http_parser *p = http_parser_new(&ops, &o);
    feed_all(p, &o, SLICE("nonsense\r\n"));
    assert_int_equal(o.status, 400);
    http_parser_resume(p);
    feed_all(p, &o, SLICE("GET / HTTP/1.1\r\n" HOST "\r\n"));
    assert_int_equal(o.result, FAN_E_PROTOCOL);
    assert_int_equal(o.status, 400);
    assert_int_equal(o.trace.len, 0);
    http_parser_free(p);
}

/* Nothing of the first connection may be left: half a head, headers, a body, an error. */
static void test_reuse(void **state)
{
    (void)state;
    static const struct slice first[] = {
        SLICE("GET /half HTTP/1.1\r\n" HOST "X-A: b"),
        SLICE("GET /whole HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhe"),
        SLICE("\r\n\r\n\r\n\r\n"),
        SLICE("nonsense\r\n"),
    };
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        struct outcome before = {0}, after = {0};
        struct http_parser *p = http_parser_new(&ops, &before);
        feed_all(p, &before, first[i]);
        size_t seen = before.trace.len;
        http_parser_reuse(p, &after);
        assert_false(http_parser_busy(p));
        feed_all(p, &after, SLICE("\r\nGET /next HTTP/1.1\r\n" HOST "\r\n"));
        assert_int_equal(after.result, 0);
        assert_string_equal(buf_text(&after.trace), "GET target=/next host=a []\n");
        assert_int_equal(before.trace.len, seen);
        http_parser_free(p);
        buf_fini(&before.trace);
        buf_fini(&after.trace);
    }
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    struct slice in = SLICE("POST /a/rather/long/path HTTP/1.1\r\n" HOST
                            "X-Long: 0123456789012345678901234567890123456789\r\n"
                            "Content-Length: 4\r\n\r\nbody");
    memory_fail_nth(1);
    assert_null(http_parser_new(&ops, NULL));
    for (unsigned nth = 1;; nth++) {
        struct outcome o = {0};
        struct http_parser *p = http_parser_new(&ops, &o);
        buf_reserve(&o.trace, 1000);
        memory_fail_nth(nth);
        for (size_t at = 0; at < in.len && o.result == 0; at++)
            feed_all(p, &o, slice_of(in.ptr + at, 1));
        memory_fail_nth(0);
        http_parser_free(p);
        buf_fini(&o.trace);
        if (o.result == 0)
            break;
        assert_int_equal(o.result, FAN_E_NO_MEMORY);
        assert_int_equal(o.status, 503);
    }
    http_parser_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple_requests),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_pipelined_requests_wait),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_absolute_targets),
        cmocka_unit_test(test_parts_of_the_target),
        cmocka_unit_test(test_upgrade_stops_behind_the_head),
        cmocka_unit_test(test_upgrade_may_be_declined),
        cmocka_unit_test(test_bad_request_lines),
        cmocka_unit_test(test_line_ends_other_than_crlf),
        cmocka_unit_test(test_empty_lines_before_a_request),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_bad_chunks),
        cmocka_unit_test(test_head_size),
        cmocka_unit_test(test_header_count),
        cmocka_unit_test(test_chunk_overhead),
        cmocka_unit_test(test_callbacks_stop_the_parser),
        cmocka_unit_test(test_errors_last),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
