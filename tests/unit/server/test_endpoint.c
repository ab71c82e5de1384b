/* WebSocket endpoints of an embedding program: callbacks, sending from any thread, backpressure. */
#include "../test.h"

#include "auth/key.h"
#include "fanfare/error.h"
#include "server/embedding.h"

/* What one endpoint has seen. */
struct record {
    struct fan_server *server;
    struct fan_websocket *_Atomic ws; /* referenced by `open` */
    atomic_int opened, messages, closed, drained;
    atomic_int code;
    char reason[128], path[128], query[128], protocol[32], address[64];
    int stop_code;
};

static void on_open(void *arg, struct fan_websocket *ws)
{
    struct record *r = arg;
    snprintf(r->path, sizeof r->path, "%s", fan_websocket_path(ws));
    snprintf(r->query, sizeof r->query, "%s", fan_websocket_query(ws));
    snprintf(r->protocol, sizeof r->protocol, "%s", fan_websocket_protocol(ws));
    snprintf(r->address, sizeof r->address, "%s", fan_websocket_address(ws));
    assert_null(fan_websocket_context(ws));
    fan_websocket_set_context(ws, r);
    assert_int_equal(fan_websocket_send(ws, FAN_WEBSOCKET_TEXT, "welcome", 7), 0);
    atomic_store(&r->ws, fan_websocket_ref(ws));
    atomic_fetch_add(&r->opened, 1);
}

static void on_message(void *arg, struct fan_websocket *ws, enum fan_websocket_kind kind,
                       const char *data, size_t size)
{
    struct record *r = arg;
    assert_ptr_equal(fan_websocket_context(ws), r);
    atomic_fetch_add(&r->messages, 1);
    if (size == 4 && memcmp(data, "stop", 4) == 0)
        r->stop_code = fan_server_stop(r->server);
    if (size == 3 && memcmp(data, "bye", 3) == 0) {
        assert_int_equal(fan_websocket_close(ws, 4000, "as you wish"), 0);
        assert_int_equal(fan_websocket_send(ws, kind, data, size), FAN_E_CLOSED);
        return;
    }
    assert_int_equal(fan_websocket_send(ws, kind, data, size), 0);
}

static void on_drained(void *arg, struct fan_websocket *ws)
{
    (void)ws;
    atomic_fetch_add(&((struct record *)arg)->drained, 1);
}

static void on_close(void *arg, struct fan_websocket *ws, int code, const char *reason)
{
    struct record *r = arg;
    assert_int_equal(fan_websocket_send(ws, FAN_WEBSOCKET_TEXT, "x", 1), FAN_E_CLOSED);
    assert_int_equal(fan_websocket_close(ws, 1000, NULL), FAN_E_CLOSED);
    snprintf(r->reason, sizeof r->reason, "%s", reason);
    atomic_store(&r->code, code);
    atomic_fetch_add(&r->closed, 1);
}

static const struct fan_websocket_handler handler = {
    .open = on_open,
    .message = on_message,
    .drained = on_drained,
    .close = on_close,
    .protocols = (const char *const[]){"v2.chat", "v1.chat", NULL},
};

/* Starts a server with an endpoint at /chat and opens a WebSocket there. */
static int begin(struct record *r, const struct fan_server_option *extra, size_t count)
{
    char head[2048];
    struct buf payload = {0};
    *r = (struct record){.server = make_server(extra, count)};
    assert_int_equal(fan_server_websocket(r->server, "/chat", &handler, r, NULL), 0);
    start_server(r->server);
    int fd = open_websocket(r->server, "/chat", "", head);
    assert_int_equal(strncmp(head, "HTTP/1.1 101 ", 13), 0);
    assert_int_equal(read_frame(fd, &payload), 0x80 | WS_TEXT);
    assert_true(slice_is(buf_slice(&payload), "welcome"));
    buf_fini(&payload);
    WAIT_FOR(atomic_load(&r->ws));
    return fd;
}

static void finish(struct record *r, int fd)
{
    close(fd); /* else the server waits for an answer to its goodbye */
    fan_server_free(r->server);
    assert_int_equal(atomic_load(&r->closed), atomic_load(&r->opened));
    fan_websocket_unref(atomic_load(&r->ws));
}

static void expect_frame(int fd, int first, const char *text)
{
    struct buf payload = {0};
    assert_int_equal(read_frame(fd, &payload), first);
    if (!slice_is(buf_slice(&payload), text))
        fail_msg("expected \"%s\", got \"%.*s\"", text, SLICE_ARG(buf_slice(&payload)));
    buf_fini(&payload);
}

/* ---- Registration ---- */

static void nothing(void *arg, struct fan_websocket *ws)
{
    (void)arg, (void)ws;
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path, *protocol;
        int code;
        const char *message;
    } cases[] = {
        {"chat", NULL, FAN_E_INVALID, "an endpoint's path begins with '/', got \"chat\""},
        {NULL, NULL, FAN_E_INVALID, "an endpoint's path begins with '/', got \"\""},
        {"/a*", NULL, FAN_E_INVALID,
         "a '*' may only stand at a path's end, behind a '/', got \"/a*\""},
        {"/*/a", NULL, FAN_E_INVALID,
         "a '*' may only stand at a path's end, behind a '/', got \"/*/a\""},
        {"/b", "two words", FAN_E_INVALID,
         "a subprotocol is a token such as \"chat.v1\", got \"two words\""},
        {"/taken", NULL, FAN_E_EXISTS, "there is an endpoint at \"/taken\" already"},
    };
    struct fan_server *server = make_server(NULL, 0);
    struct fan_websocket_handler h = {.open = nothing};
    struct fan_server_error error;
    assert_int_equal(fan_server_websocket(server, "/taken", &h, NULL, &error), 0);
    assert_int_equal(fan_server_websocket(server, "/taken/*", &h, NULL, &error), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *protocols[] = {cases[i].protocol, NULL};
        h.protocols = protocols;
        int code = fan_server_websocket(server, cases[i].path, &h, NULL, &error);
        assert_int_equal(code, cases[i].code);
        assert_string_equal(error.message, cases[i].message);
    }
    start_server(server);
    assert_int_equal(fan_server_websocket(server, "/late", &h, NULL, &error), FAN_E_INVALID);
    assert_string_equal(error.message, "endpoints are registered before the server is started");
    fan_server_free(server);
}

/* ---- Requests ---- */

/* The status of a handshake's answer; head gets all of it. */
static int ask(const struct fan_server *server, const char *path, const char *headers,
               char head[2048])
{
    close(open_websocket(server, path, headers, head));
    return atoi(head + strlen("HTTP/1.1 "));
}

static void test_which_endpoint_is_taken(void **state)
{
    (void)state;
    struct record rooms = {0}, lobby = {0}, all = {0};
    const struct fan_server_option extra[] = {{"base_path", "/live"}};
    char head[2048];
    struct fan_server *server = make_server(extra, 1);
    struct fan_websocket_handler h = {.open = on_open};
    fan_server_websocket(server, "/rooms/*", &h, &rooms, NULL);
    fan_server_websocket(server, "/rooms/lobby", &h, &lobby, NULL);
    start_server(server);
    assert_int_equal(ask(server, "/live/rooms/lobby", "", head), 101);
    WAIT_FOR(atomic_load(&lobby.opened) == 1);
    assert_int_equal(ask(server, "/live/rooms/caf%C3%A9/x?a=%20b", "", head), 101);
    WAIT_FOR(atomic_load(&rooms.opened) == 1);
    assert_string_equal(rooms.path, "/rooms/café/x");
    assert_string_equal(rooms.query, "a=%20b");
    assert_string_equal(rooms.address, "127.0.0.1");
    assert_int_equal(ask(server, "/rooms/lobby", "", head), 404); /* not below the base path */
    assert_int_equal(ask(server, "/live/rooms", "", head), 404);
    assert_int_equal(ask(server, "/live/rooms/a%00b", "", head), 404);
    assert_int_equal(ask(server, "/live/rooms/a%zz", "", head), 404);
    assert_int_equal(ask(server, "/live/api/build/stream/a", "", head), 101);
    assert_int_equal(ask(server, "/live/rooms/lobby", "Origin: http://evil.example\r\n", head),
                     403);
    assert_int_equal(atomic_load(&lobby.opened) + atomic_load(&rooms.opened), 2);
    fan_server_free(server);
    fan_websocket_unref(atomic_load(&rooms.ws));
    fan_websocket_unref(atomic_load(&lobby.ws));
    fan_websocket_unref(atomic_load(&all.ws));
}

static int get(const struct fan_server *server, const char *path, char head[2048])
{
    char request[256];
    size_t len = 0;
    int fd = connect_to(server);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
    write_all(fd, request, strlen(request));
    memset(head, 0, 2048);
    while (!strstr(head, "\r\n\r\n") && len < 2047 && read_exactly(fd, head + len, 1))
        len++;
    close(fd);
    return atoi(head + strlen("HTTP/1.1 "));
}

static void test_own_routes_answer_other_requests(void **state)
{
    (void)state;
    struct record r = {0};
    char head[2048];
    struct fan_server *server = make_server(NULL, 0);
    struct fan_websocket_handler h = {.open = on_open};
    fan_server_websocket(server, "/*", &h, &r, NULL);
    start_server(server);
    assert_int_equal(get(server, "/health", head), 200);
    assert_int_equal(get(server, "/elsewhere", head), 426);
    assert_int_equal(ask(server, "/health", "", head), 101);
    WAIT_FOR(atomic_load(&r.opened) == 1);
    fan_server_free(server);
    fan_websocket_unref(atomic_load(&r.ws));
}

static void test_subprotocols(void **state)
{
    (void)state;
    static const struct {
        const char *offer, *selected;
    } cases[] = {
        {"", NULL},
        {"Sec-WebSocket-Protocol: v1.chat\r\n", "v1.chat"},
        {"Sec-WebSocket-Protocol: v1.chat, v2.chat\r\n", "v2.chat"},
        {"Sec-WebSocket-Protocol: V1.CHAT\r\n", NULL},
        {"Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: v1.chat\r\n", "v1.chat"},
        {"Sec-WebSocket-Protocol: x, fanfare\r\n", "fanfare"},
    };
    struct record r = {.server = make_server(NULL, 0)};
    char head[2048];
    fan_server_websocket(r.server, "/chat", &handler, &r, NULL);
    start_server(r.server);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[64];
        assert_int_equal(ask(r.server, "/chat", cases[i].offer, head), 101);
        snprintf(line, sizeof line, "Sec-WebSocket-Protocol: %s\r\n",
                 cases[i].selected ? cases[i].selected : "");
        assert_true(cases[i].selected ? strstr(head, line) != NULL
                                      : strstr(head, "Sec-WebSocket-Protocol") == NULL);
        WAIT_FOR(atomic_load(&r.opened) == (int)i + 1);
        assert_string_equal(r.protocol, cases[i].selected ? cases[i].selected : "");
        WAIT_FOR(atomic_load(&r.closed) == (int)i + 1);
        fan_websocket_unref(atomic_load(&r.ws));
    }
    fan_server_free(r.server);
}

/* ---- Messages and closing ---- */

/* With a key an endpoint is for those with a token, and knows whose it is. */
static void test_tokens(void **state)
{
    (void)state;
    static const char secret[] = "a-secret-of-more-than-thirty-two-bytes";
    const struct fan_server_option extra[] = {{"jwt.key", secret}};
    struct record r = {.server = make_server(extra, 1)};
    char head[2048], headers[512];
    struct buf token = {0}, why = {0};
    struct key *key = key_from_secret(slice_from(secret), &why);
    assert_int_equal(key_sign(key, SLICE("{\"sub\":\"Ada\"}"), SLICE(""), &token), 0);
    assert_int_equal(fan_server_websocket(r.server, "/chat", &handler, &r, NULL), 0);
    start_server(r.server);
    close(open_websocket(r.server, "/chat", "", head));
    assert_int_equal(strncmp(head, "HTTP/1.1 401 ", 13), 0);
    assert_int_equal(atomic_load(&r.opened), 0);
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", buf_text(&token));
    int fd = open_websocket(r.server, "/chat", headers, head);
    assert_int_equal(strncmp(head, "HTTP/1.1 101 ", 13), 0);
    WAIT_FOR(atomic_load(&r.ws));
    assert_string_equal(fan_websocket_user(atomic_load(&r.ws)), "Ada");
    finish(&r, fd);
    key_free(key);
    buf_fini(&token);
    buf_fini(&why);
}

static void test_messages(void **state)
{
    (void)state;
    struct record r;
    int fd = begin(&r, NULL, 0);
    send_frame(fd, WS_TEXT, "hello", 5);
    expect_frame(fd, 0x80 | WS_TEXT, "hello");
    send_frame(fd, WS_TEXT, "", 0);
    expect_frame(fd, 0x80 | WS_TEXT, "");
    send_frame(fd, WS_BINARY, "x", 1); /* was not allowed */
    expect_frame(fd, 0x80 | WS_CLOSE,
                 "\x03\xEB"
                 "binary messages are not accepted here");
    finish(&r, fd);
    assert_int_equal(atomic_load(&r.messages), 2);
}

static void test_largest_message(void **state)
{
    (void)state;
    struct record r = {.server = make_server(NULL, 0)};
    struct fan_websocket_handler h = handler;
    char head[2048], text[40] = {0};
    h.max_message = 32;
    fan_server_websocket(r.server, "/chat", &h, &r, NULL);
    start_server(r.server);
    int fd = open_websocket(r.server, "/chat", "", head);
    memset(text, 'a', 33);
    expect_frame(fd, 0x80 | WS_TEXT, "welcome");
    send_frame(fd, WS_TEXT, text, 32);
    text[32] = '\0';
    expect_frame(fd, 0x80 | WS_TEXT, text);
    send_frame(fd, WS_TEXT, text, 33);
    struct buf payload = {0};
    assert_int_equal(read_frame(fd, &payload), 0x80 | WS_CLOSE);
    assert_memory_equal(payload.data, "\x03\xF1", 2); /* 1009 */
    buf_fini(&payload);
    finish(&r, fd);
}

static void test_client_closes(void **state)
{
    (void)state;
    struct record r;
    int fd = begin(&r, NULL, 0);
    send_frame(fd, WS_CLOSE,
               "\x0B\xB8"
               "done",
               6); /* 3000 */
    WAIT_FOR(atomic_load(&r.closed) == 1);
    assert_int_equal(atomic_load(&r.code), 3000);
    assert_string_equal(r.reason, "done");
    finish(&r, fd);
}

static void test_client_closes_without_a_code(void **state)
{
    (void)state;
    struct record r;
    int fd = begin(&r, NULL, 0);
    send_frame(fd, WS_CLOSE, "", 0);
    shutdown(fd, SHUT_WR); /* as a client does that has been answered */
    WAIT_FOR(atomic_load(&r.closed) == 1);
    assert_int_equal(atomic_load(&r.code), 1005);
    assert_string_equal(r.reason, "");
    finish(&r, fd);
}

static void test_client_vanishes(void **state)
{
    (void)state;
    struct record r;
    int fd = begin(&r, NULL, 0);
    shutdown(fd, SHUT_RDWR);
    WAIT_FOR(atomic_load(&r.closed) == 1);
    assert_int_equal(atomic_load(&r.code), 1006);
    assert_string_equal(r.reason, "closed by peer");
    finish(&r, fd);
}

static void test_program_closes(void **state)
{
    (void)state;
    struct record r;
    int fd = begin(&r, NULL, 0);
    send_frame(fd, WS_TEXT, "bye", 3);
    expect_frame(fd, 0x80 | WS_CLOSE,
                 "\x0F\xA0"
                 "as you wish");
    send_frame(fd, WS_CLOSE, "\x0F\xA0", 2);
    shutdown(fd, SHUT_WR);
    WAIT_FOR(atomic_load(&r.closed) == 1);
    assert_int_equal(atomic_load(&r.code), 4000);
    finish(&r, fd);
}

static void test_close_codes(void **state)
{
    (void)state;
    static const int wrong[] = {-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000};
    struct record r;
    int fd = begin(&r, NULL, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(fan_websocket_close(atomic_load(&r.ws), wrong[i], NULL), FAN_E_INVALID);
    assert_int_equal(fan_websocket_close(atomic_load(&r.ws), 1000, "\xFF"), FAN_E_INVALID);
    assert_int_equal(fan_websocket_close(atomic_load(&r.ws), 1000, NULL), 0);
    expect_frame(fd, 0x80 | WS_CLOSE, "\x03\xE8");
    finish(&r, fd);
}

/* ---- From other threads ---- */

static void test_sending_from_another_thread(void **state)
{
    (void)state;
    struct record r;
    int fd = begin(&r, NULL, 0);
    char text[16];
    for (int i = 0; i < 100; i++) {
        int len = snprintf(text, sizeof text, "%d", i);
        assert_int_equal(fan_websocket_send(atomic_load(&r.ws),
                                            i % 2 ? FAN_WEBSOCKET_BINARY : FAN_WEBSOCKET_TEXT, text,
                                            (size_t)len),
                         0);
    }
    assert_int_equal(fan_websocket_send(atomic_load(&r.ws), FAN_WEBSOCKET_TEXT, "\xC3", 1),
                     FAN_E_INVALID);
    assert_int_equal(fan_websocket_close(atomic_load(&r.ws), 1000, "that is all"), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "%d", i);
        expect_frame(fd, 0x80 | (i % 2 ? WS_BINARY : WS_TEXT), text);
    }
    expect_frame(fd, 0x80 | WS_CLOSE,
                 "\x03\xE8"
                 "that is all");
    finish(&r, fd);
}

/* Sends until the client's buffers and the queue are full; returns how many went. */
static int fill(struct record *r, const char *text, size_t size)
{
    int sent = 0;
    for (;;) {
        int before = atomic_load(&r->drained);
        int code = fan_websocket_send(atomic_load(&r->ws), FAN_WEBSOCKET_TEXT, text, size);
        if (code == 0) {
            sent++;
            continue;
        }
        assert_int_equal(code, FAN_E_AGAIN);
        for (int i = 0; atomic_load(&r->drained) == before; i++) {
            if (i == 200) /* nobody reads any more */
                return sent;
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
}

/* A client that does not read: sends are refused at the limit, and again accepted when it has
 * read. */
static void test_backpressure(void **state)
{
    (void)state;
    const struct fan_server_option extra[] = {{"limits.queue", "64KiB"}};
    struct record r;
    struct buf payload = {0};
    int fd = begin(&r, extra, 1);
    static char text[16384];
    memset(text, 'a', sizeof text);
    int sent = fill(&r, text, sizeof text), before = atomic_load(&r.drained);
    for (int i = 0; i < sent; i++) {
        assert_int_equal(read_frame(fd, &payload), 0x80 | WS_TEXT);
        assert_int_equal(payload.len, sizeof text);
    }
    WAIT_FOR(atomic_load(&r.drained) > before);
    assert_int_equal(fan_websocket_send(atomic_load(&r.ws), FAN_WEBSOCKET_TEXT, "on", 2), 0);
    expect_frame(fd, 0x80 | WS_TEXT, "on");
    buf_fini(&payload);
    finish(&r, fd);
}

/* A client that sends and does not read is not read from beyond the limit, and nothing of the
 * answers is lost. */
static void *write_many(void *arg)
{
    static char text[1000];
    memset(text, 'b', sizeof text);
    for (int i = 0; i < 20000; i++)
        send_frame(*(int *)arg, WS_TEXT, text, sizeof text);
    return NULL;
}

static void test_reading_waits_for_the_answers(void **state)
{
    (void)state;
    const struct fan_server_option extra[] = {{"limits.messages", "1000000"},
                                              {"limits.burst", "1000000"}};
    struct record r;
    struct buf payload = {0};
    int fd = begin(&r, extra, 2);
    pthread_t writer;
    pthread_create(&writer, NULL, write_many, &fd);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL); /* lets the answers pile up */
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(read_frame(fd, &payload), 0x80 | WS_TEXT);
        assert_int_equal(payload.len, 1000);
    }
    pthread_join(writer, NULL);
    buf_fini(&payload);
    finish(&r, fd);
}

struct sender {
    struct fan_websocket *ws;
    atomic_bool over;
};

static void *send_until_closed(void *arg)
{
    struct sender *s = arg;
    int code;
    do
        code = fan_websocket_send(s->ws, FAN_WEBSOCKET_TEXT, "tick", 4);
    while (code == 0 || code == FAN_E_AGAIN);
    assert_int_equal(code, FAN_E_CLOSED);
    return NULL;
}

/* Senders that do not know of the end: each message is delivered or refused, none leaks. */
static void test_senders_outlive_the_server(void **state)
{
    (void)state;
    struct record r;
    pthread_t threads[2];
    int fd = begin(&r, NULL, 0);
    struct sender s = {.ws = atomic_load(&r.ws)};
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, send_until_closed, &s);
    expect_frame(fd, 0x80 | WS_TEXT, "tick");
    shutdown(fd, SHUT_RDWR);
    fan_server_free(r.server);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fan_websocket_close(s.ws, 1000, NULL), FAN_E_CLOSED);
    assert_string_equal(fan_websocket_path(s.ws), "/chat");
    fan_websocket_unref(s.ws);
    close(fd);
}

/* ---- The end ---- */

static void *stop(void *server)
{
    assert_int_equal(fan_server_stop(server), 0);
    return NULL;
}

static void test_stopping_says_goodbye(void **state)
{
    (void)state;
    struct record r;
    int fd = begin(&r, NULL, 0);
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop, r.server);
    expect_frame(fd, 0x80 | WS_CLOSE,
                 "\x03\xE9"
                 "server stops");
    send_frame(fd, WS_CLOSE, "\x03\xE9", 2);
    shutdown(fd, SHUT_WR);
    pthread_join(stopper, NULL);
    assert_int_equal(atomic_load(&r.code), 1001);
    finish(&r, fd);
}

static void test_stopping_in_a_callback_is_refused(void **state)
{
    (void)state;
    struct record r;
    int fd = begin(&r, NULL, 0);
    send_frame(fd, WS_TEXT, "stop", 4);
    expect_frame(fd, 0x80 | WS_TEXT, "stop");
    assert_int_equal(r.stop_code, FAN_E_INVALID);
    finish(&r, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_which_endpoint_is_taken),
        cmocka_unit_test(test_own_routes_answer_other_requests),
        cmocka_unit_test(test_subprotocols),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_largest_message),
        cmocka_unit_test(test_client_closes),
        cmocka_unit_test(test_client_closes_without_a_code),
        cmocka_unit_test(test_client_vanishes),
        cmocka_unit_test(test_program_closes),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_sending_from_another_thread),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_reading_waits_for_the_answers),
        cmocka_unit_test(test_senders_outlive_the_server),
        cmocka_unit_test(test_stopping_says_goodbye),
        cmocka_unit_test(test_stopping_in_a_callback_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
