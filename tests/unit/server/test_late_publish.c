/* Publishing over HTTP and WebSocket, and from inside, to an engine that is done later. */
#include "server/late_node.h"

#include <semaphore.h>

#include "api/intake.h"

#define EVENT "{\"topic\":\"session:a\",\"type\":\"x\"}"

/* ---- One event over HTTP ---- */

static void test_single(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_connect(n);
    post(fd, "/api/v1/publish", "application/json", EVENT);
    post(fd, "/api/v1/publish", "application/json", "{}"); /* waits for its turn */
    late_await(n->engine, 1);
    expect_silence(fd);
    late_allow(n->engine, 1);
    EXPECT_ANSWER(fd, "}\n", "HTTP/1.1 200", "\"offset\":1,");
    EXPECT_ANSWER(fd, "}\n", "HTTP/1.1 422");
    post(fd, "/api/v1/publish", "application/json", EVENT); /* the connection goes on */
    late_allow(n->engine, 1);
    EXPECT_ANSWER(fd, "}\n", "HTTP/1.1 200", "\"offset\":2,");
    close(fd);
    node_end(n);
}

static void test_single_that_cannot_be_stored(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_connect(n);
    late_fail(n->engine, FAN_E_IO, "the disk is full");
    late_let_go(n->engine);
    post(fd, "/api/v1/publish", "application/json", EVENT);
    EXPECT_ANSWER(fd, "}\n", "HTTP/1.1 503", "Retry-After: 1\r\n",
                  "\"code\":\"storage_unavailable\"", "not published: the disk is full;");
    late_fail(n->engine, FAN_E_BUSY, "");
    post(fd, "/api/v1/publish", "application/json", EVENT);
    EXPECT_ANSWER(fd, "}\n", "HTTP/1.1 503", "Retry-After: 1\r\n", "\"code\":\"overloaded\"");
    late_fail(n->engine, 0, "");
    post(fd, "/api/v1/publish", "application/json", EVENT);
    EXPECT_ANSWER(fd, "}\n", "HTTP/1.1 200", "\"offset\":1,");
    close(fd);
    node_end(n);
}

static void test_single_without_waiting(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_connect(n);
    post(fd, "/api/v1/publish?durability=memory", "application/json", EVENT);
    EXPECT_ANSWER(fd, "}\n", "HTTP/1.1 200", "{\"topic\":\"session:a\",\"time\":\"",
                  "\",\"durability\":\"memory\"}\n");
    assert_int_equal(node_offset(n, "session:a"), 0);
    late_allow(n->engine, 1);
    WAIT_FOR(node_offset(n, "session:a") == 1);
    close(fd);
    node_end(n);
}

/* Ends the connection with a reset. */
static void vanish(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

/* What it published is published, whether it hears of it or not. */
static void test_single_whose_publisher_goes(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    for (unsigned i = 1; i <= 10; i++) {
        int fd = node_connect(n);
        post(fd, "/api/v1/publish", "application/json", EVENT);
        late_await(n->engine, i);
        if (i % 2)
            vanish(fd);
        else
            close(fd);
    }
    WAIT_FOR(atomic_load(&n->server->shared.connections) == 5);
    late_let_go(n->engine);
    WAIT_FOR(node_offset(n, "session:a") == 10);
    node_end(n);
}

/* Some clients end their side when the request is whole, and read on. */
static void test_answers_to_who_has_said_all(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int single = node_connect(n), stream = node_connect(n);
    char c;
    post(single, "/api/v1/publish", "application/json", EVENT);
    post(stream, "/api/v1/publish", "application/x-ndjson", EVENT "\n");
    shutdown(single, SHUT_WR);
    shutdown(stream, SHUT_WR);
    late_await(n->engine, 2);
    late_let_go(n->engine);
    EXPECT_ANSWER(single, "}\n", "HTTP/1.1 200", "\"offset\":");
    EXPECT_ANSWER(stream, "0\r\n\r\n", "HTTP/1.1 200", "{\"published\":1,");
    assert_false(read_exactly(single, &c, 1));
    assert_false(read_exactly(stream, &c, 1));
    close(single);
    close(stream);
    node_end(n);
}

static void test_demo(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_connect(n);
    post(fd, "/demo/send-update?session=d", "application/json", "{}");
    late_await(n->engine, 1);
    expect_silence(fd);
    late_allow(n->engine, 1);
    EXPECT_ANSWER(fd, "}\n", "HTTP/1.1 200", "\"published\":7}");
    assert_int_equal(node_offset(n, "session:d"), 7);
    post(fd, "/demo/send-update", "application/json", "{}");
    late_await(n->engine, 2);
    close(fd);
    node_end(n);
}

/* ---- Streams ---- */

static void test_stream(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_connect(n);
    struct buf got = {0};
    post(fd, "/api/v1/publish?ack=each", "application/x-ndjson",
         EVENT "\n\n7\n" EVENT "\n{\"topic\":\"global\",\"type\":\"x\"}");
    read_until(fd, "\r\n\r\n", &got);
    late_await(n->engine, 1);
    expect_silence(fd);
    late_allow(n->engine, 2); /* the last line has no newline and comes by itself */
    EXPECT_ANSWER(fd, "\n\r\n", "\"offset\":1,");
    EXPECT_ANSWER(fd, "\n\r\n", "\"error\"", "\"line\":3}");
    EXPECT_ANSWER(fd, "\n\r\n", "\"offset\":2,");
    EXPECT_ANSWER(fd, "\n\r\n", "\"topic\":\"global\",\"offset\":1,");
    EXPECT_ANSWER(fd, "\n\r\n", "{\"published\":3,\"failed\":1,", "\"session:a\":{\"offset\":2,",
                  "\"global\":{\"offset\":1,");
    EXPECT_ANSWER(fd, "0\r\n\r\n", "0");
    buf_fini(&got);
    close(fd);
    node_end(n);
}

static void test_stream_that_cannot_be_stored(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_connect(n);
    late_fail(n->engine, FAN_E_IO, "the disk is full");
    late_let_go(n->engine);
    post(fd, "/api/v1/publish", "application/x-ndjson", EVENT "\n" EVENT "\n");
    EXPECT_ANSWER(fd, "\"line\":1}\n\r\n", "\"code\":\"storage_unavailable\"", "\"retry_after\":1");
    EXPECT_ANSWER(fd, "\"line\":2}\n\r\n", "the disk is full");
    EXPECT_ANSWER(fd, "0\r\n\r\n", "{\"published\":0,\"failed\":2,\"topics\":{}}");
    late_hold(n->engine);
    post(fd, "/api/v1/publish?durability=memory", "application/x-ndjson", EVENT "\n");
    EXPECT_ANSWER(fd, "0\r\n\r\n",
                  "{\"published\":1,\"failed\":0,\"topics\":{\"session:a\":{\"durability\":"
                  "\"memory\"}}}");
    late_let_go(n->engine);
    WAIT_FOR(atomic_load(&n->server->api.lost) == 1);
    close(fd);
    node_end(n);
}

struct writing {
    int fd;
    struct buf text;
    pthread_t thread;
};

static void *write_on(void *arg)
{
    struct writing *w = arg;
    write_all(w->fd, w->text.data, w->text.len);
    return NULL;
}

/* Writes from another thread, because the server may stop reading. */
static void begin_writing(struct writing *w, int fd)
{
    w->fd = fd;
    assert_int_equal(pthread_create(&w->thread, NULL, write_on, w), 0);
}

static void end_writing(struct writing *w)
{
    pthread_join(w->thread, NULL);
    buf_fini(&w->text);
}

#define MANY 40000

/* Events that stand in one read of the server's, beyond the bound. */
#define ONE_READ (WORKER_READ_SIZE / sizeof EVENT + INTAKE_MAX)

/* More than may be under way is not read meanwhile, and is not lost. */
static void test_stream_beyond_the_bound(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_connect(n);
    struct writing w = {0};
    buf_printf(&w.text,
               "POST /api/v1/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n"
               "Content-Type: application/x-ndjson\r\n\r\n",
               MANY * sizeof EVENT);
    for (unsigned i = 0; i < MANY; i++)
        BUF_LITERAL(&w.text, EVENT "\n");
    begin_writing(&w, fd);
    late_await(n->engine, INTAKE_UNDER_WAY_EVENTS / INTAKE_MAX);
    late_let_go(n->engine);
    EXPECT_ANSWER(fd, "0\r\n\r\n", "{\"published\":40000,\"failed\":0,", "\"offset\":40000,");
    assert_in_range(late_most(n->engine), INTAKE_MAX, INTAKE_UNDER_WAY_EVENTS + ONE_READ);
    end_writing(&w);
    close(fd);
    node_end(n);
}

static void test_stream_whose_publisher_goes(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_connect(n);
    post(fd, "/api/v1/publish", "application/x-ndjson", EVENT "\n7\n" EVENT "\n");
    late_await(n->engine, 1);
    vanish(fd);
    late_let_go(n->engine);
    WAIT_FOR(node_offset(n, "session:a") == 2);
    node_end(n);
}

/* ---- WebSockets ---- */

static void test_socket_that_hears_of_each(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_websocket(n, "/api/v1/publish");
    say(fd, EVENT);
    late_await(n->engine, 1);
    say(fd, "7");
    say(fd, "[]");
    say(fd, "[" EVENT ",7]");
    late_await(n->engine, 2); /* both are under way */
    expect_silence(fd);
    late_allow(n->engine, 1);
    expect(fd, "{\"topic\":\"session:a\",\"offset\":1,");
    late_allow(n->engine, 1);
    expect(fd, "\"line\":2}");
    expect(fd, "[]");
    expect(fd, "[{\"topic\":\"session:a\",\"offset\":2,");
    close(fd);
    node_end(n);
}

static void test_socket_that_hears_sums(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_websocket(n, "/api/v1/publish?ack=batch");
    say(fd, "[" EVENT "," EVENT "]");
    late_await(n->engine, 1);
    say(fd, EVENT);
    late_await(n->engine, 2);
    expect_silence(fd);
    late_allow(n->engine, 1);
    expect(fd, "{\"published\":2,\"failed\":0,\"topics\":{\"session:a\":{\"offset\":2,");
    late_fail(n->engine, FAN_E_IO, "the disk is full");
    late_allow(n->engine, 1);
    expect(fd, "the disk is full");
    expect(fd, "{\"published\":0,\"failed\":1,\"topics\":{}}");
    close(fd);
    node_end(n);
}

static void test_socket_that_hears_errors(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_websocket(n, "/api/v1/publish?ack=none");
    say(fd, EVENT);
    late_await(n->engine, 1);
    say(fd, "7");
    late_allow(n->engine, 1);
    expect(fd, "\"line\":2}"); /* waited for the one before, which is not worth a word */
    late_fail(n->engine, FAN_E_BUSY, "");
    late_allow(n->engine, 1);
    say(fd, EVENT);
    expect(fd, "\"code\":\"overloaded\"");
    close(fd);
    node_end(n);
}

static void test_socket_without_waiting(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_websocket(n, "/api/v1/publish?durability=memory");
    say(fd, EVENT);
    expect(fd, "\"durability\":\"memory\"}");
    assert_int_equal(node_offset(n, "session:a"), 0);
    close(fd);
    node_end(n);
}

static void append_message(struct buf *out, struct slice text)
{
    static const uint8_t mask[4] = {0};
    uint8_t header[WS_HEADER_MAX];
    size_t size = ws_header_write(header, WS_TEXT, true, false, text.len, mask);
    buf_append(out, header, size);
    buf_append_slice(out, text);
}

static void test_socket_beyond_the_bound(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_websocket(n, "/api/v1/publish?ack=none");
    struct writing w = {0};
    for (unsigned i = 0; i < MANY; i++)
        append_message(&w.text, SLICE(EVENT));
    begin_writing(&w, fd);
    late_await(n->engine, INTAKE_UNDER_WAY_EVENTS / INTAKE_MAX);
    late_let_go(n->engine);
    end_writing(&w);
    say(fd, "7");
    expect(fd, "\"line\":40001}");
    assert_int_equal(node_offset(n, "session:a"), MANY);
    assert_in_range(late_most(n->engine), 1, INTAKE_UNDER_WAY_EVENTS + ONE_READ);
    close(fd);
    node_end(n);
}

static void test_socket_whose_publisher_goes(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_websocket(n, "/api/v1/publish");
    say(fd, EVENT);
    say(fd, EVENT);
    send_frame(fd, WS_CLOSE, "\x03\xe8", 2);
    struct buf payload = {0};
    assert_int_equal(read_frame(fd, &payload), 0x88);
    close(fd);
    fd = node_websocket(n, "/api/v1/publish");
    say(fd, "[" EVENT ",7," EVENT "]");
    late_await(n->engine, 2);
    close(fd); /* without a word */
    late_let_go(n->engine);
    WAIT_FOR(node_offset(n, "session:a") == 4);
    buf_fini(&payload);
    node_end(n);
}

/* ---- The end of the server ---- */

/* What is owed is answered before the goodbye. */
static void test_going_down_answers_first(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int socket = node_websocket(n, "/api/v1/publish"), http = node_connect(n);
    struct buf payload = {0};
    say(socket, EVENT);
    late_await(n->engine, 1);
    post(http, "/api/v1/publish", "application/json", EVENT);
    late_await(n->engine, 2);
    node_drain(n);
    WAIT_FOR(atomic_load(&n->server->shared.draining));
    late_allow(n->engine, 2);
    expect(socket, "\"offset\":1,");
    assert_int_equal(read_frame(socket, &payload), 0x88);
    assert_memory_equal(payload.data, "\x03\xe9", 2);
    EXPECT_ANSWER(http, "}\n", "HTTP/1.1 200", "Connection: close", "\"offset\":2,");
    close(socket);
    close(http);
    node_await_drained(n);
    buf_fini(&payload);
    node_end(n);
}

static void *stop_server(void *arg)
{
    server_stop(arg);
    return NULL;
}

/* The workers do not end before the engine has given back what is theirs. */
static void test_stopping_waits_for_the_engine(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fds[] = {node_websocket(n, "/api/v1/publish"), node_connect(n), node_connect(n),
                 node_websocket(n, "/ws/a")};
    pthread_t stopping;
    say(fds[0], EVENT);
    post(fds[1], "/api/v1/publish", "application/json", EVENT);
    post(fds[2], "/api/v1/publish", "application/x-ndjson", EVENT "\n");
    expect(fds[3], "\"connect\"");
    say(fds[3], "{\"type\":\"session_update\",\"data\":{}}");
    late_await(n->engine, 4);
    node_end_loop(n);
    assert_int_equal(pthread_create(&stopping, NULL, stop_server, n->server), 0);
    for (unsigned i = 0; i < 4; i++) {
        char c;
        while (read_exactly(fds[i], &c, 1))
            ; /* all are closed while the engine holds */
        close(fds[i]);
    }
    assert_int_equal(node_offset(n, "session:a"), 0);
    late_let_go(n->engine);
    pthread_join(stopping, NULL);
    assert_int_equal(node_offset(n, "session:a"), 4);
    node_end(n);
}

/* ---- From inside ---- */

struct inside {
    struct late_node *node;
    int error;
    struct buf why;
    sem_t done;
};

static void publish_inside(struct inside *i)
{
    const struct api_event event = {
        .topic = SLICE("session:a"), .type = SLICE("x"), .data = SLICE("{}")};
    i->error = server_publish(i->node->server, &event, &i->why);
}

static void on_worker(struct worker *w, void *arg)
{
    struct inside *i = arg;
    (void)w;
    publish_inside(i);
    sem_post(&i->done);
}

static void *on_thread(void *arg)
{
    publish_inside(arg);
    return NULL;
}

/* A worker goes on; what fails later is counted. */
static void test_callbacks_do_not_wait(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    struct inside i = {.node = n, .error = 1};
    sem_init(&i.done, 0, 0);
    for (unsigned k = 0; k < 2; k++) {
        worker_post(&n->server->workers[1], on_worker, &i);
        sem_wait(&i.done);
        assert_int_equal(i.error, 0);
    }
    late_allow(n->engine, 1);
    WAIT_FOR(node_offset(n, "session:a") == 1);
    late_fail(n->engine, FAN_E_IO, "");
    late_let_go(n->engine);
    WAIT_FOR(atomic_load(&n->server->api.lost) == 1);
    sem_destroy(&i.done);
    node_end(n);
}

static void test_other_threads_wait(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    struct inside i = {.node = n, .error = 1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, on_thread, &i), 0);
    late_await(n->engine, 1);
    late_let_go(n->engine);
    pthread_join(thread, NULL);
    assert_int_equal(i.error, 0);
    assert_int_equal(node_offset(n, "session:a"), 1);
    late_fail(n->engine, FAN_E_IO, "the disk is full");
    publish_inside(&i);
    assert_int_equal(i.error, FAN_E_IO);
    assert_non_null(strstr(buf_text(&i.why), "the disk is full"));
    buf_fini(&i.why);
    node_end(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_single_that_cannot_be_stored),
        cmocka_unit_test(test_single_without_waiting),
        cmocka_unit_test(test_single_whose_publisher_goes),
        cmocka_unit_test(test_answers_to_who_has_said_all),
        cmocka_unit_test(test_demo),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_that_cannot_be_stored),
        cmocka_unit_test(test_stream_beyond_the_bound),
        cmocka_unit_test(test_stream_whose_publisher_goes),
        cmocka_unit_test(test_socket_that_hears_of_each),
        cmocka_unit_test(test_socket_that_hears_sums),
        cmocka_unit_test(test_socket_that_hears_errors),
        cmocka_unit_test(test_socket_without_waiting),
        cmocka_unit_test(test_socket_beyond_the_bound),
        cmocka_unit_test(test_socket_whose_publisher_goes),
        cmocka_unit_test(test_going_down_answers_first),
        cmocka_unit_test(test_stopping_waits_for_the_engine),
        cmocka_unit_test(test_callbacks_do_not_wait),
        cmocka_unit_test(test_other_threads_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
