/* Reading event streams, and following topics over connections that break. */
#include "../test.h"
#include "client/fake_server.h"

#include "base/memory.h"
#include "client/backoff.h"
#include "client/event_reader.h"
#include "client/response.h"
#include "client/subscribe.h"
#include "fanfare/error.h"

/* ---- The stream's format ---- */

static int collect(void *arg, struct slice name, struct slice data)
{
    buf_printf(arg, "[%.*s|%.*s]", SLICE_ARG(name), SLICE_ARG(data));
    return 0;
}

/* Feeds the text in pieces of every size; each must give the same. */
static void expect_events(const char *text, const char *events, const char *id)
{
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        struct event_reader r;
        struct buf out = {0};
        event_reader_init(&r, 100);
        r.on_event = collect;
        r.arg = &out;
        for (size_t i = 0; i < strlen(text); i += piece) {
            size_t left = strlen(text) - i;
            assert_int_equal(event_reader_feed(&r, slice_of(text + i, left < piece ? left : piece)),
                             0);
        }
        assert_string_equal(buf_text(&out), events);
        assert_string_equal(buf_text(&r.id), id);
        event_reader_fini(&r);
        buf_fini(&out);
    }
}

static void test_format(void **state)
{
    (void)state;
    expect_events("data: a\n\n", "[|a]", "");
    expect_events("id: 7\ndata:a\ndata: b\n\n", "[|a\nb]", "7");
    expect_events("\xef\xbb\xbf"
                  "data: a\r\n\r\n: comment\rdata: b\r\r",
                  "[|a][|b]", "");
    expect_events("event: x\ndata: 1\n\ndata: 2\n\n", "[x|1][|2]", "");
    expect_events("id: 1\n\nid\ndata\n\n", "[|]", "");
    expect_events("id: c\n\n: ping\n\n", "", "c");
    expect_events("unknown: x\ndata: a\n\ndata: cut", "[|a]", "");
}

static void test_format_limits(void **state)
{
    (void)state;
    struct event_reader r;
    struct buf out = {0};
    event_reader_init(&r, 100);
    r.on_event = collect;
    r.arg = &out;
    assert_int_equal(event_reader_feed(&r, SLICE("retry: 250\nretry: x\n")), 0);
    assert_int_equal(r.retry_ms, 250);
    char line[200];
    memset(line, 'x', sizeof line);
    assert_int_equal(event_reader_feed(&r, slice_of(line, sizeof line)), FAN_E_TOO_LARGE);
    event_reader_fini(&r);
    buf_fini(&out);
}

static void test_backoff(void **state)
{
    (void)state;
    struct backoff b = {.first_ms = 100, .most_ms = 1000};
    static const uint32_t full[] = {100, 200, 400, 800, 1000, 1000};
    for (int i = 0; i < 6; i++) {
        uint32_t ms = backoff_next(&b);
        assert_in_range(ms, full[i] / 2, full[i]);
    }
    backoff_reset(&b);
    assert_in_range(backoff_next(&b), 50, 100);
}

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port, *authority, *base;
        bool tls;
    } good[] = {
        {"http://127.0.0.1:8000", "127.0.0.1", "8000", "127.0.0.1:8000", "", false},
        {"https://live.example.com", "live.example.com", "443", "live.example.com", "", true},
        {"wss://h/live/", "h", "443", "h", "/live", true},
        {"ws://[::1]:80/", "::1", "80", "[::1]", "", false},
        {"localhost:9", "localhost", "9", "localhost:9", "", false},
        {"unix:/run/x.sock", "/run/x.sock", "", "localhost", "", false},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct url url;
        struct buf why = {0};
        assert_int_equal(url_parse(good[i].text, &url, &why), 0);
        assert_string_equal(url.host, good[i].host);
        assert_string_equal(url.port, good[i].port);
        assert_string_equal(url.authority, good[i].authority);
        assert_string_equal(url.base, good[i].base);
        assert_int_equal(url.tls, good[i].tls);
        buf_fini(&why);
    }
}

/* ---- Responses ---- */

/* Feeds the text in pieces of one size. */
static int feed_response(struct response *r, const char *text, size_t piece)
{
    size_t used, len = strlen(text);
    int error = 0;
    for (size_t i = 0; i < len && !error; i += piece)
        error = response_feed(r, text + i, len - i < piece ? len - i : piece, &used);
    return error;
}

static void test_responses(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n"
                               "HTTP/1.1 422 Unprocessable\r\nContent-Type: Application/JSON\r\n"
                               "Retry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "b\r\n{\"error\":\"n\r\n3\r\no\"}\r\n0\r\n\r\n";
    for (size_t piece = 1; piece < sizeof text; piece++) {
        struct response r;
        struct buf why = {0};
        response_init(&r);
        assert_int_equal(feed_response(&r, text, piece), 0);
        assert_true(r.done);
        assert_int_equal(r.status, 422);
        assert_int_equal(r.retry_after, 7);
        assert_string_equal(r.content_type, "application/json");
        response_append_error(&why, &r);
        assert_string_equal(buf_text(&why), "no");
        response_fini(&r);
        buf_fini(&why);
    }
    struct response r;
    response_init(&r);
    assert_int_equal(feed_response(&r, "nonsense\r\n\r\n", 99), FAN_E_PROTOCOL);
    response_fini(&r);
    response_init(&r);
    assert_int_equal(feed_response(&r, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 99), 0);
    assert_int_equal(response_finish(&r), FAN_E_TRUNCATED);
    response_fini(&r);
}

/* ---- Following ---- */

struct seen {
    struct fake_server server;
    char heads[3][2048];
    struct buf events, states;
    int wanted;
};

static int on_event(void *arg, struct slice json, struct slice cursor)
{
    struct seen *s = arg;
    buf_printf(&s->events, "%.*s@%.*s ", SLICE_ARG(json), SLICE_ARG(cursor));
    return --s->wanted == 0 ? 1 : 0;
}

static void on_state(void *arg, struct slice why, uint32_t retry_ms)
{
    struct seen *s = arg;
    buf_printf(&s->states, "%s;", why.len ? (retry_ms ? "lost" : "?") : "up");
}

static const char stream_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/* Two events and a break; then one answer that passes; then the rest. */
static void play_stream(struct fake_server *server, int fd, int n)
{
    struct seen *s = server->arg;
    if (n > 3 || !fake_read_head(fd, s->heads[n - 1], sizeof s->heads[0]))
        return;
    if (n == 1) {
        fake_send_text(fd, stream_head);
        fake_send_text(fd, "retry: 100\n\nid: c1\ndata: 1\n\nid: c2\ndata: 2\n\ndata: half");
    } else if (n == 2) {
        fake_send_text(fd, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    } else {
        fake_send_text(fd, stream_head);
        fake_send_text(fd, "id: c3\ndata: 3\n\n");
        fake_drain(fd);
    }
}

static struct subscription subscribe_to(struct seen *s, char *const *topics, size_t count)
{
    struct subscription o = {.topics = topics,
                             .topic_count = count,
                             .since = "0",
                             .wake = -1,
                             .on_event = on_event,
                             .on_state = on_state,
                             .arg = s};
    struct buf why = {0};
    assert_int_equal(url_parse(s->server.url, &o.url, &why), 0);
    buf_fini(&why);
    return o;
}

static void finish(struct seen *s)
{
    fake_server_stop(&s->server);
    buf_fini(&s->events);
    buf_fini(&s->states);
}

static void test_continues_where_it_was(void **state)
{
    (void)state;
    struct seen s = {.server = {.play = play_stream, .arg = &s}, .wanted = 3};
    struct buf why = {0};
    static char first[] = "session:a b", second[] = "global";
    char *topics[] = {first, second};
    fake_server_start(&s.server);
    struct subscription o = subscribe_to(&s, topics, 2);
    o.types = "x,y";
    assert_int_equal(subscription_run(&o, &why), 1);
    assert_string_equal(buf_text(&s.events), "1@c1 2@c2 3@c3 ");
    assert_string_equal(buf_text(&s.states), "up;lost;lost;up;");
    assert_non_null(
        strstr(s.heads[0],
               "GET /events?topic=session%3Aa%20b&topic=global&types=x%2Cy&since=0 HTTP/1.1\r\n"));
    assert_non_null(strstr(s.heads[1], "&since=c2 HTTP"));
    assert_non_null(strstr(s.heads[2], "&since=c2 HTTP"));
    buf_fini(&why);
    finish(&s);
}

static void play_forbidden(struct fake_server *server, int fd, int n)
{
    struct seen *s = server->arg;
    (void)n;
    fake_read_head(fd, s->heads[0], sizeof s->heads[0]);
    fake_send_text(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 16\r\n\r\n{\"error\":\"nope\"}");
}

static void test_a_refusal_ends_it(void **state)
{
    (void)state;
    struct seen s = {.server = {.play = play_forbidden, .arg = &s}};
    struct buf why = {0};
    static char topic[] = "user:x";
    char *topics[] = {topic};
    fake_server_start(&s.server);
    struct subscription o = subscribe_to(&s, topics, 1);
    assert_int_equal(subscription_run(&o, &why), FAN_E_DENIED);
    assert_string_equal(buf_text(&why), "nope");
    finish(&s);
    o.once = true; /* and now nobody listens */
    s = (struct seen){0};
    assert_int_equal(subscription_run(&o, &why), FAN_E_IO);
    assert_non_null(strstr(buf_text(&why), "refused"));
    buf_fini(&why);
}

static void play_page(struct fake_server *server, int fd, int n)
{
    struct seen *s = server->arg;
    (void)n;
    fake_read_head(fd, s->heads[0], sizeof s->heads[0]);
    fake_send_text(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>");
}

static void test_another_kind_of_server(void **state)
{
    (void)state;
    struct seen s = {.server = {.play = play_page, .arg = &s}};
    struct buf why = {0};
    static char topic[] = "global";
    char *topics[] = {topic};
    fake_server_start(&s.server);
    struct subscription o = subscribe_to(&s, topics, 1);
    assert_int_equal(subscription_run(&o, &why), FAN_E_INVALID);
    assert_non_null(strstr(buf_text(&why), "not a stream of events"));
    buf_fini(&why);
    finish(&s);
}

static void test_wake_ends_it(void **state)
{
    (void)state;
    struct seen s = {.server = {.play = play_stream, .arg = &s}};
    struct buf why = {0};
    static char topic[] = "global";
    char *topics[] = {topic};
    int wake[2];
    fake_server_start(&s.server);
    struct subscription o = subscribe_to(&s, topics, 1);
    assert_int_equal(pipe(wake), 0);
    assert_int_equal(write(wake[1], "x", 1), 1);
    o.wake = wake[0];
    assert_int_equal(subscription_run(&o, &why), FAN_E_CLOSED);
    close(wake[0]);
    close(wake[1]);
    buf_fini(&why);
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_format_limits),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_continues_where_it_was),
        cmocka_unit_test(test_a_refusal_ends_it),
        cmocka_unit_test(test_another_kind_of_server),
        cmocka_unit_test(test_wake_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
