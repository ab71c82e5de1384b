/* Namespaces, sockets and plain Engine.IO of an embedding program, spoken to over a WebSocket. */
#include "../test.h"

#include "embedding.h"
#include "fanfare/socketio.h"

#define ENTER "/socket.io/?EIO=4&transport=websocket"

/* ---- What the program does ---- */

struct seen {
    struct fan_server *server;
    pthread_mutex_t lock;
    char text[512]; /* what happened last */
    atomic_uint connects, events, others, disconnects, answers, ends, drained;
    atomic_int error;
    _Atomic(struct fan_socket *) socket; /* a reference */
};

static void note(struct seen *seen, const char *text, size_t size)
{
    pthread_mutex_lock(&seen->lock);
    snprintf(seen->text, sizeof seen->text, "%.*s", (int)size, text);
    pthread_mutex_unlock(&seen->lock);
}

static bool noted(struct seen *seen, const char *text)
{
    pthread_mutex_lock(&seen->lock);
    bool same = strcmp(seen->text, text) == 0;
    pthread_mutex_unlock(&seen->lock);
    return same;
}

static struct fan_arguments json(const char *text)
{
    return (struct fan_arguments){.json = text, .size = strlen(text)};
}

static int on_connect(void *arg, struct fan_socket *socket, const char *auth, size_t size,
                      struct fan_refusal *refusal)
{
    struct seen *seen = arg;
    note(seen, auth, size);
    assert_int_equal(strlen(fan_socket_id(socket)), 20);
    assert_string_equal(fan_socket_address(socket), "127.0.0.1");
    assert_string_equal(fan_socket_user(socket), "anonymous");
    if (memmem(auth, size, "refuse", 6)) {
        snprintf(refusal->message, sizeof refusal->message, "not \"today\"");
        snprintf(refusal->data, sizeof refusal->data, "{\"code\":7}");
        return FAN_E_DENIED;
    }
    const struct fan_arguments hello = json("[1]");
    assert_int_equal(fan_socket_emit(socket, "hello", &hello), 0);
    assert_int_equal(fan_socket_join(socket, "odd"), 0);
    fan_socket_set_context(socket, seen);
    struct fan_socket *before = atomic_exchange(&seen->socket, fan_socket_ref(socket));
    fan_socket_unref(before);
    atomic_fetch_add(&seen->connects, 1);
    return 0;
}

static void on_echo(void *arg, struct fan_socket *socket, const struct fan_event *event)
{
    struct seen *seen = arg;
    assert_ptr_equal(fan_socket_context(socket), seen);
    assert_string_equal(event->name, "echo");
    note(seen, event->arguments.json, event->arguments.size);
    if (event->ack == FAN_NO_ACK)
        fan_socket_emit(socket, "back", &event->arguments);
    else
        fan_socket_acknowledge(socket, event->ack, &event->arguments);
    atomic_fetch_add(&seen->events, 1);
}

static void on_leave(void *arg, struct fan_socket *socket, const struct fan_event *event)
{
    (void)arg;
    (void)event;
    assert_int_equal(fan_socket_disconnect(socket), 0);
    assert_int_equal(fan_socket_emit(socket, "late", NULL), FAN_E_CLOSED);
}

static void on_other(void *arg, struct fan_socket *socket, const struct fan_event *event)
{
    struct seen *seen = arg;
    (void)socket;
    note(seen, event->name, strlen(event->name));
    atomic_fetch_add(&seen->others, 1);
}

static void on_drained(void *arg, struct fan_socket *socket)
{
    struct seen *seen = arg;
    (void)socket;
    atomic_fetch_add(&seen->drained, 1);
}

static void on_disconnect(void *arg, struct fan_socket *socket, const char *reason)
{
    struct seen *seen = arg;
    assert_int_equal(fan_socket_emit(socket, "late", NULL), FAN_E_CLOSED);
    note(seen, reason, strlen(reason));
    atomic_fetch_add(&seen->disconnects, 1);
}

static void on_answer(void *arg, struct fan_socket *socket, int error,
                      const struct fan_arguments *arguments)
{
    struct seen *seen = arg;
    atomic_store(&seen->error, error);
    if (arguments)
        note(seen, arguments->json, arguments->size);
    if (socket)
        atomic_fetch_add(&seen->answers, 1);
    else
        atomic_fetch_add(&seen->ends, 1);
}

static const struct fan_event_handler events[] = {
    {"echo", on_echo}, {"leave", on_leave}, {NULL, NULL}};

static const struct fan_namespace_handler handler = {
    .connect = on_connect,
    .events = events,
    .event = on_other,
    .drained = on_drained,
    .disconnect = on_disconnect,
};

static struct seen *start(const struct fan_server_option *extra, size_t count)
{
    struct seen *seen = calloc(1, sizeof *seen);
    pthread_mutex_init(&seen->lock, NULL);
    seen->server = make_server(extra, count);
    assert_int_equal(fan_server_namespace(seen->server, "/", &handler, seen, NULL), 0);
    assert_int_equal(fan_server_namespace(seen->server, "/more", &handler, seen, NULL), 0);
    start_server(seen->server);
    return seen;
}

static void finish(struct seen *seen)
{
    fan_server_free(seen->server);
    fan_socket_unref(atomic_load(&seen->socket));
    pthread_mutex_destroy(&seen->lock);
    free(seen);
}

/* ---- The client ---- */

static void say(int fd, const char *text)
{
    send_frame(fd, WS_TEXT, text, strlen(text));
}

/* The next packet but pings; the buffer ends with a NUL. */
static const char *hear(int fd, struct buf *packet)
{
    do
        assert_true(read_frame(fd, packet) >= 0);
    while (strcmp(buf_text(packet), "2") == 0);
    return buf_text(packet);
}

static void expect(int fd, const char *text)
{
    struct buf packet = {0};
    assert_string_equal(hear(fd, &packet), text);
    buf_fini(&packet);
}

static int open_session(const struct seen *seen, const char *path)
{
    char head[2048];
    struct buf packet = {0};
    int fd = open_websocket(seen->server, path, "", head);
    assert_int_equal(hear(fd, &packet)[0], '0');
    buf_fini(&packet);
    return fd;
}

/* In the namespace /; what comes with it has been read. */
static int enter(const struct seen *seen)
{
    struct buf packet = {0};
    int fd = open_session(seen, ENTER);
    say(fd, "40");
    assert_memory_equal(hear(fd, &packet), "40{\"sid\":\"", 10);
    expect(fd, "42[\"hello\",1]");
    buf_fini(&packet);
    return fd;
}

/* ---- Tests ---- */

static void test_what_is_refused(void **state)
{
    (void)state;
    struct fan_server_error error;
    struct fan_server *server = make_server(NULL, 0);
    const char *const bad[] = {"", "chat", "/a,b", "/a?b", "/a b", NULL};
    for (const char *const *name = bad; *name; name++) {
        assert_int_equal(fan_server_namespace(server, *name, &handler, NULL, &error),
                         FAN_E_INVALID);
        assert_non_null(strstr(error.message, "namespace"));
    }
    assert_int_equal(fan_server_namespace(server, NULL, &handler, NULL, NULL), FAN_E_INVALID);
    assert_int_equal(fan_server_namespace(server, "/ws", &handler, NULL, &error), 0);
    assert_int_equal(fan_server_namespace(server, "/ws", &handler, NULL, &error), FAN_E_EXISTS);
    const struct fan_engineio_handler engine = {0};
    assert_int_equal(fan_server_engineio(server, &engine, NULL, &error), 0);
    assert_int_equal(fan_server_engineio(server, &engine, NULL, &error), FAN_E_EXISTS);
    assert_int_equal(fan_namespace_emit(server, "/ws", NULL, "x", NULL), FAN_E_CLOSED);
    assert_int_equal(fan_namespace_emit(server, "/none", NULL, "x", NULL), FAN_E_NOT_FOUND);
    start_server(server);
    assert_int_equal(fan_server_namespace(server, "/late", &handler, NULL, &error), FAN_E_INVALID);
    assert_int_equal(fan_namespace_emit(server, "/ws", NULL, "x", NULL), 0);
    fan_server_free(server);
}

static void test_connecting(void **state)
{
    (void)state;
    struct seen *seen = start(NULL, 0);
    int fd = enter(seen);
    assert_true(noted(seen, "{}"));
    say(fd, "40/more,{\"token\":\"x\",\"__proto__\":1}");
    struct buf packet = {0};
    assert_memory_equal(hear(fd, &packet), "40/more,{\"sid\":\"", 16);
    expect(fd, "42/more,[\"hello\",1]");
    assert_true(noted(seen, "{\"token\":\"x\",\"__proto__\":1}"));
    say(fd, "41");
    WAIT_FOR(atomic_load(&seen->disconnects) == 1);
    assert_true(noted(seen, "disconnected by the client"));
    say(fd, "40{\"why\":\"refuse\"}");
    expect(fd, "44{\"message\":\"not \\\"today\\\"\",\"data\":{\"code\":7}}");
    say(fd, "42/more,[\"echo\"]");
    expect(fd, "42/more,[\"back\"]");
    close(fd);
    WAIT_FOR(atomic_load(&seen->disconnects) == 2);
    assert_int_equal(atomic_load(&seen->connects), 2);
    buf_fini(&packet);
    finish(seen);
}

static void test_events(void **state)
{
    (void)state;
    struct seen *seen = start(NULL, 0);
    struct buf packet = {0};
    int fd = enter(seen);
    say(fd, "42[\"echo\",1,\"\\u00e4\",{\"a\":[]}]");
    expect(fd, "42[\"back\",1,\"\\u00e4\",{\"a\":[]}]");
    say(fd, "4217[\"echo\"]");
    expect(fd, "4317[]");
    say(fd, "451-3[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    send_frame(fd, WS_BINARY, "\1\2", 2);
    expect(fd, "461-3[{\"_placeholder\":true,\"num\":0}]");
    assert_int_equal(read_frame(fd, &packet), 0x82);
    assert_memory_equal(packet.data, "\1\2", 2);
    say(fd, "42[\"\\u0061n\\\"other\",1]");
    WAIT_FOR(atomic_load(&seen->others) == 1);
    assert_true(noted(seen, "an\"other"));
    say(fd, "42[7]");
    WAIT_FOR(atomic_load(&seen->others) == 2);
    assert_true(noted(seen, "7"));
    say(fd, "42[\"leave\"]");
    expect(fd, "41");
    WAIT_FOR(atomic_load(&seen->disconnects) == 1);
    close(fd);
    buf_fini(&packet);
    finish(seen);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    struct seen *seen = start(NULL, 0);
    int fd = enter(seen);
    struct fan_socket *socket = atomic_load(&seen->socket);
    const char *const bad[] = {"", "{}", "[", "[1", "1", "[]]", NULL};
    for (const char *const *text = bad; *text; text++) {
        const struct fan_arguments arguments = json(*text);
        assert_int_equal(fan_socket_emit(socket, "x", &arguments), FAN_E_INVALID);
    }
    const struct fan_arguments lost = json("[{\"_placeholder\":true,\"num\":0}]");
    assert_int_equal(fan_socket_emit(socket, "x", &lost), FAN_E_INVALID);
    assert_int_equal(fan_socket_emit(socket, "disconnect", NULL), FAN_E_INVALID);
    assert_int_equal(fan_socket_emit(socket, "\xff", NULL), FAN_E_INVALID);
    assert_int_equal(fan_socket_emit(socket, NULL, NULL), FAN_E_INVALID);
    assert_int_equal(fan_socket_acknowledge(socket, FAN_NO_ACK, NULL), FAN_E_INVALID);
    assert_int_equal(fan_engineio_send(socket, FAN_WEBSOCKET_TEXT, "x", 1), FAN_E_INVALID);
    assert_int_equal(fan_socket_join(socket, ""), FAN_E_INVALID);
    assert_int_equal(fan_socket_leave(socket, "nowhere"), FAN_E_NOT_FOUND);
    const struct fan_arguments spaced = json("  [ 1 , 2 ] ");
    assert_int_equal(fan_socket_emit(socket, "q\"uote", &spaced), 0);
    expect(fd, "42[\"q\\\"uote\",1 , 2]");
    close(fd);
    finish(seen);
}

static void test_calls(void **state)
{
    (void)state;
    struct seen *seen = start(NULL, 0);
    int fd = enter(seen);
    struct fan_socket *socket = atomic_load(&seen->socket);
    const struct fan_arguments one = json("[1]");
    assert_int_equal(fan_socket_call(socket, "ask", &one, 20000, on_answer, seen), 0);
    expect(fd, "420[\"ask\",1]");
    say(fd, "431[\"to nobody\"]");
    say(fd, "430[\"yes\",{\"a\":1}]");
    WAIT_FOR(atomic_load(&seen->answers) == 1);
    assert_true(noted(seen, "[\"yes\",{\"a\":1}]"));
    assert_int_equal(atomic_load(&seen->error), 0);
    say(fd, "430[\"again\"]"); /* once */
    assert_int_equal(fan_socket_call(socket, "ask", NULL, 10, on_answer, seen), 0);
    expect(fd, "421[\"ask\"]");
    WAIT_FOR(atomic_load(&seen->answers) == 2);
    assert_int_equal(atomic_load(&seen->error), FAN_E_TIMEOUT);
    assert_int_equal(fan_socket_call(socket, "ask", NULL, 20000, on_answer, seen), 0);
    expect(fd, "422[\"ask\"]");
    close(fd);
    WAIT_FOR(atomic_load(&seen->answers) == 3);
    assert_int_equal(atomic_load(&seen->error), FAN_E_CLOSED);
    WAIT_FOR(fan_socket_call(socket, "ask", NULL, 10, on_answer, seen) == FAN_E_CLOSED);
    finish(seen);
}

static void test_rooms(void **state)
{
    (void)state;
    const struct fan_server_option few = {"limits.subscriptions", "2"};
    struct seen *seen = start(&few, 1);
    int first = enter(seen);
    struct fan_socket *one = fan_socket_ref(atomic_load(&seen->socket));
    int second = enter(seen);
    WAIT_FOR(atomic_load(&seen->socket) != one);
    const struct fan_arguments n = json("[5]");
    assert_int_equal(fan_socket_join(one, "first"), 0);
    assert_int_equal(fan_socket_join(one, "first"), 0);
    assert_int_equal(fan_socket_join(one, "third"), FAN_E_LIMIT);
    assert_int_equal(fan_namespace_emit(seen->server, "/", "first", "to", &n), 0);
    assert_int_equal(fan_namespace_emit(seen->server, "/", "odd", "all", &n), 0);
    expect(first, "42[\"to\",5]");
    expect(first, "42[\"all\",5]");
    expect(second, "42[\"all\",5]");
    assert_int_equal(fan_socket_leave(one, "odd"), 0);
    assert_int_equal(fan_namespace_emit(seen->server, "/", "odd", "rest", NULL), 0);
    assert_int_equal(fan_namespace_emit(seen->server, "/", NULL, "end", NULL), 0);
    expect(first, "42[\"end\"]");
    expect(second, "42[\"rest\"]");
    expect(second, "42[\"end\"]");
    assert_int_equal(
        fan_namespace_call(seen->server, "/", NULL, "ask", NULL, 20000, on_answer, seen), 0);
    expect(first, "420[\"ask\"]");
    expect(second, "420[\"ask\"]");
    say(first, "430[]");
    WAIT_FOR(atomic_load(&seen->answers) == 1);
    assert_int_equal(atomic_load(&seen->ends), 0);
    close(second);
    WAIT_FOR(atomic_load(&seen->answers) == 2 && atomic_load(&seen->ends) == 1);
    assert_int_equal(
        fan_namespace_call(seen->server, "/", "nobody", "ask", NULL, 1, on_answer, seen), 0);
    assert_int_equal(atomic_load(&seen->ends), 2);
    close(first);
    WAIT_FOR(fan_socket_join(one, "late") == FAN_E_CLOSED);
    fan_socket_unref(one);
    finish(seen);
}

static void test_backpressure(void **state)
{
    (void)state;
    const struct fan_server_option small = {"limits.queue", "64KiB"};
    struct seen *seen = start(&small, 1);
    int fd = enter(seen);
    struct fan_socket *socket = atomic_load(&seen->socket);
    char *text = malloc(40000);
    memset(text, 'x', 40000);
    memcpy(text, "[\"", 2);
    memcpy(text + 39998, "\"]", 2);
    const struct fan_arguments large = {.json = text, .size = 40000};
    unsigned sent = 0;
    int error;
    do {
        error = fan_socket_emit(socket, "large", &large);
        sent += error == 0;
    } while (!error && sent < 10000);
    assert_int_equal(error, FAN_E_AGAIN);
    unsigned before = atomic_load(&seen->drained); /* the first ones may have gone at once */
    struct buf packet = {0};
    for (unsigned i = 0; i < sent; i++)
        assert_int_equal(strlen(hear(fd, &packet)), 40000 + strlen("42\"large\","));
    WAIT_FOR(atomic_load(&seen->drained) > before);
    assert_int_equal(fan_socket_emit(socket, "small", NULL), 0);
    expect(fd, "42[\"small\"]");
    buf_fini(&packet);
    free(text);
    close(fd);
    finish(seen);
}

static void test_slow_readers_of_a_namespace_are_closed(void **state)
{
    (void)state;
    const struct fan_server_option small = {"limits.queue", "64KiB"};
    struct seen *seen = start(&small, 1);
    int fd = enter(seen);
    char text[30002] = "[\"";
    memset(text + 2, 'x', sizeof text - 4);
    memcpy(text + sizeof text - 2, "\"]", 2);
    const struct fan_arguments large = {.json = text, .size = sizeof text};
    for (unsigned i = 0; i < 100000 && atomic_load(&seen->disconnects) == 0; i++)
        assert_int_equal(fan_namespace_emit(seen->server, "/", NULL, "large", &large), 0);
    close(fd);
    WAIT_FOR(atomic_load(&seen->disconnects) == 1);
    finish(seen);
}

/* From many threads at once, each socket gets what one thread sends in order. */
static void *send_many(void *arg)
{
    struct seen *seen = arg;
    for (unsigned i = 0; i < 500; i++) {
        char text[16];
        snprintf(text, sizeof text, "[%u]", i);
        const struct fan_arguments arguments = json(text);
        assert_int_equal(fan_namespace_emit(seen->server, "/", "odd", "n", &arguments), 0);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct seen *seen = start(NULL, 0);
    int fds[4];
    pthread_t thread;
    for (unsigned i = 0; i < 4; i++)
        fds[i] = enter(seen);
    pthread_create(&thread, NULL, send_many, seen);
    for (unsigned n = 0; n < 500; n++)
        for (unsigned i = 0; i < 4; i++) {
            char text[32];
            snprintf(text, sizeof text, "42[\"n\",%u]", n);
            expect(fds[i], text);
        }
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < 4; i++)
        close(fds[i]);
    WAIT_FOR(atomic_load(&seen->disconnects) == 4);
    finish(seen);
}

/* ---- Engine.IO alone ---- */

static void on_engine_open(void *arg, struct fan_socket *session)
{
    struct seen *seen = arg;
    assert_int_equal(fan_engineio_send(session, FAN_WEBSOCKET_TEXT, "hi", 2), 0);
    atomic_fetch_add(&seen->connects, 1);
}

static void on_engine_message(void *arg, struct fan_socket *session, enum fan_websocket_kind kind,
                              const char *data, size_t size)
{
    (void)arg;
    if (size == 3 && memcmp(data, "bye", 3) == 0)
        assert_int_equal(fan_socket_disconnect(session), 0);
    else
        assert_int_equal(fan_engineio_send(session, kind, data, size), 0);
    assert_int_equal(fan_engineio_send(session, FAN_WEBSOCKET_TEXT, "\xff", 1), FAN_E_INVALID);
}

static void on_engine_close(void *arg, struct fan_socket *session, const char *reason)
{
    struct seen *seen = arg;
    (void)session;
    note(seen, reason, strlen(reason));
    atomic_fetch_add(&seen->disconnects, 1);
}

static void test_engine(void **state)
{
    (void)state;
    const struct fan_engineio_handler engine = {
        .open = on_engine_open, .message = on_engine_message, .close = on_engine_close};
    struct seen *seen = calloc(1, sizeof *seen);
    struct buf packet = {0};
    pthread_mutex_init(&seen->lock, NULL);
    seen->server = make_server(NULL, 0);
    assert_int_equal(fan_server_engineio(seen->server, &engine, seen, NULL), 0);
    start_server(seen->server);
    int fd = open_session(seen, "/engine.io/?EIO=4&transport=websocket");
    expect(fd, "4hi");
    say(fd, "4hello");
    expect(fd, "4hello");
    send_frame(fd, WS_BINARY, "\0\1", 2);
    assert_int_equal(read_frame(fd, &packet), 0x82);
    assert_memory_equal(packet.data, "\0\1", 2);
    say(fd, "4bye");
    assert_int_equal(read_frame(fd, &packet), 0x88);
    close(fd);
    WAIT_FOR(atomic_load(&seen->disconnects) == 1);
    assert_int_equal(atomic_load(&seen->connects), 1);
    buf_fini(&packet);
    finish(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_connecting),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_rooms),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_slow_readers_of_a_namespace_are_closed),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
