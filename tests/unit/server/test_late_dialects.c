/* Clients of the dialects, and what they publish, with an engine that is done later. */
#include "server/late_node.h"

#define UPDATE "{\"type\":\"session_update\",\"data\":{\"n\":1}}"

/* ---- ide ---- */

static int open_ide(struct late_node *n)
{
    int fd = node_websocket(n, "/ws/a");
    expect(fd, "\"type\":\"connect\"");
    return fd;
}

static void test_ide_update_comes_back(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = open_ide(n), other = open_ide(n);
    say(fd, UPDATE);
    say(fd, UPDATE);
    late_await(n->engine, 2); /* what publishes does not wait for what published */
    expect_silence(fd);
    late_allow(n->engine, 2);
    expect(fd, "\"offset\":1,\"data\":{\"echo\":true,");
    expect(fd, "\"offset\":2,\"data\":{\"echo\":true,");
    expect(other, "\"offset\":1,\"data\":{\"n\":1}}");
    expect(other, "\"offset\":2,\"data\":{\"n\":1}}");
    close(fd);
    close(other);
    node_end(n);
}

/* What comes behind a publication is taken behind it, and so on. */
static void test_ide_messages_keep_their_order(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = open_ide(n);
    say(fd, UPDATE);
    say(fd, "{\"type\":\"get_state\"}");
    say(fd, "nonsense");
    say(fd, UPDATE);
    say(fd, "{\"type\":\"ping\"}");
    late_await(n->engine, 1);
    expect_silence(fd);
    late_allow(n->engine, 1);
    expect(fd, "\"offset\":1,\"data\":{\"echo\":true,");
    expect(fd, "\"type\":\"session_state\"");
    expect(fd, "\"code\":\"invalid_json\"");
    late_await(n->engine, 2);
    late_allow(n->engine, 1);
    expect(fd, "\"type\":\"pong\"");
    expect(fd, "\"offset\":2,\"data\":{\"echo\":true,");
    close(fd);
    node_end(n);
}

/* It is the server's fault, however often: the client stays. */
static void test_ide_hears_what_cannot_be_stored(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = open_ide(n);
    late_let_go(n->engine);
    late_fail(n->engine, FAN_E_IO, "the disk is full");
    for (unsigned i = 0; i < 30; i++) {
        say(fd, UPDATE);
        expect(fd, "not published: the disk is full; try again when GET /health says that the "
                   "engine is well\",\"code\":\"storage_unavailable\"");
    }
    late_fail(n->engine, FAN_E_BUSY, "");
    say(fd, UPDATE);
    expect(fd, "\"code\":\"overloaded\"");
    late_fail(n->engine, 0, "");
    say(fd, UPDATE);
    expect(fd, "\"offset\":1,\"data\":{\"echo\":true,");
    close(fd);
    node_end(n);
}

static void test_ide_client_goes(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = open_ide(n);
    struct buf payload = {0};
    say(fd, UPDATE);
    late_await(n->engine, 1);
    say(fd, "{\"type\":\"ping\"}");
    close(fd);
    fd = open_ide(n);
    say(fd, UPDATE);
    say(fd, "{\"type\":\"ping\"}");
    say(fd, UPDATE); /* waits, and is published before the goodbye */
    send_frame(fd, WS_CLOSE, "\x03\xe8", 2);
    while (read_frame(fd, &payload) == 0x81)
        ;
    close(fd);
    late_let_go(n->engine);
    WAIT_FOR(node_offset(n, "session:a") == 3);
    buf_fini(&payload);
    node_end(n);
}

/* More than may be under way, and than may wait: it is not read meanwhile. */
static void test_ide_client_that_floods(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct late_node *n = node_start();
    int fd = open_ide(n);
    for (unsigned i = 0; i < COUNT; i++) {
        say(fd, UPDATE);
        if (i == 500)
            late_let_go(n->engine);
    }
    for (unsigned i = 1; i <= COUNT; i++) {
        char part[64];
        snprintf(part, sizeof part, "\"offset\":%u,\"data\":{\"echo\":true,", i);
        expect(fd, part);
    }
    close(fd);
    node_end(n);
}

/* ---- rooms ---- */

static void connect_namespace(int fd)
{
    say(fd, "40/ws,");
    expect(fd, "40/ws,{\"sid\":");
    expect(fd, "connection_established");
}

static int open_rooms(struct late_node *n)
{
    int fd = node_websocket(n, "/socket.io/?EIO=4&transport=websocket");
    expect(fd, "0{\"sid\":");
    connect_namespace(fd);
    return fd;
}

#define PUBLISH(id) "42/ws," #id "[\"publish\",{\"room\":\"session:a\",\"event\":\"x\"}]"

static void test_rooms_acknowledge_when_it_is_stored(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = open_rooms(n);
    say(fd, PUBLISH(1));
    say(fd, PUBLISH()); /* wants no acknowledgement */
    say(fd, PUBLISH(2));
    late_await(n->engine, 3);
    expect_silence(fd);
    late_allow(n->engine, 1);
    expect(fd, "43/ws,1[{\"status\":\"success\",\"room\":\"session:a\"}]");
    late_fail(n->engine, FAN_E_IO, "the disk is full");
    late_allow(n->engine, 2);
    expect(fd, "\"code\":\"STORAGE_UNAVAILABLE\"");
    expect(fd, "43/ws,2[{\"status\":\"error\",\"code\":\"STORAGE_UNAVAILABLE\"");
    late_fail(n->engine, FAN_E_BUSY, "");
    late_allow(n->engine, 1);
    say(fd, PUBLISH(3));
    expect(fd, "43/ws,3[{\"status\":\"error\",\"code\":\"OVERLOADED\"");
    close(fd);
    node_end(n);
}

/* Who publishes and then joins does not hear it; events with attachments wait whole. */
static void test_rooms_packets_keep_their_order(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = open_rooms(n);
    say(fd, PUBLISH(1));
    late_await(n->engine, 1);
    say(fd, "42/ws,2[\"subscribe\",{\"room\":\"session:a\"}]");
    say(fd, "451-/ws,3[\"nothing\",{\"_placeholder\":true,\"num\":0}]");
    send_frame(fd, WS_BINARY, "abc", 3);
    say(fd, PUBLISH(4));
    expect_silence(fd);
    late_allow(n->engine, 1);
    expect(fd, "43/ws,1[{\"status\":\"success\"");
    expect(fd, "43/ws,2[{\"status\":\"success\",\"room\":\"session:a\"");
    expect(fd, "43/ws,3[{\"status\":\"error\",\"code\":\"UNKNOWN_EVENT\"");
    late_allow(n->engine, 1);
    expect(fd, "43/ws,4[{\"status\":\"success\"");
    expect(fd, "\"offset\":2,");
    close(fd);
    node_end(n);
}

static void test_rooms_client_goes(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    struct buf payload = {0};
    int fd = open_rooms(n);
    say(fd, PUBLISH(1));
    say(fd, "41/ws,"); /* leaves its namespace, in its turn */
    late_await(n->engine, 1);
    late_allow(n->engine, 1);
    expect(fd, "43/ws,1[{\"status\":\"success\"");
    connect_namespace(fd);
    say(fd, PUBLISH(1));
    say(fd, "42/ws,2[\"ping\"]");
    say(fd, PUBLISH(3));
    say(fd, "1"); /* closes */
    while (read_frame(fd, &payload) == 0x81)
        ;
    close(fd);
    late_let_go(n->engine);
    WAIT_FOR(node_offset(n, "session:a") == 3);
    buf_fini(&payload);
    node_end(n);
}

/* ---- rooms on HTTP, and away from there ---- */

static void request(int fd, const char *method, const char *sid, const char *body)
{
    struct buf text = {0};
    buf_printf(&text,
               "%s /socket.io/?EIO=4&transport=polling%s%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
               "Content-Length: %zu\r\n\r\n%s",
               method, sid[0] ? "&sid=" : "", sid, strlen(body), body);
    write_all(fd, text.data, text.len);
    buf_fini(&text);
}

/* A session on HTTP in the namespace; its id. */
static void open_polling(int fd, char sid[32])
{
    struct buf got = {0};
    request(fd, "GET", "", "");
    read_until(fd, "\"maxPayload\":", &got);
    const char *at = strstr(buf_text(&got), "\"sid\":\"") + 7;
    snprintf(sid, 32, "%.*s", (int)strcspn(at, "\""), at);
    read_until(fd, "}", &got);
    request(fd, "POST", sid, "40/ws,");
    read_until(fd, "\r\n\r\nok", &got);
    request(fd, "GET", sid, "");
    read_until(fd, "\"global\"]}}", &got);
    assert_non_null(strstr(buf_text(&got), "connection_established"));
    buf_fini(&got);
}

static void test_rooms_on_http(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_connect(n), poll_fd = node_connect(n);
    char sid[32];
    open_polling(fd, sid);
    request(poll_fd, "GET", sid, "");
    request(fd, "POST", sid,
            PUBLISH(1) "\x1e"
                       "42/ws,2[\"debug:rooms\"]");
    EXPECT_ANSWER(fd, "\r\n\r\nok", "HTTP/1.1 200");
    late_await(n->engine, 1);
    expect_silence(poll_fd);
    late_allow(n->engine, 1);
    EXPECT_ANSWER(poll_fd, "\"global\"]}]", "43/ws,1[{\"status\":\"success\"",
                  "\x1e"
                  "43/ws,2[");
    close(fd);
    close(poll_fd);
    node_end(n);
}

/* The session moves when what it published has been acknowledged. */
static void test_rooms_move_with_what_they_published(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int fd = node_connect(n);
    char sid[32], path[128];
    open_polling(fd, sid);
    request(fd, "POST", sid,
            PUBLISH(1) "\x1e"
                       "42/ws,2[\"debug:rooms\"]");
    EXPECT_ANSWER(fd, "\r\n\r\nok", "HTTP/1.1 200");
    late_await(n->engine, 1);
    snprintf(path, sizeof path, "/socket.io/?EIO=4&transport=websocket&sid=%s", sid);
    int socket = node_websocket(n, path);
    say(socket, "2probe");
    expect(socket, "3probe");
    say(socket, "5");
    say(socket, PUBLISH(3));
    late_allow(n->engine, 2);
    expect(socket, "43/ws,1[{\"status\":\"success\"");
    expect(socket, "43/ws,2[{\"status\":\"success\"");
    expect(socket, "43/ws,3[{\"status\":\"success\"");
    close(fd);
    close(socket);
    node_end(n);
}

/* ---- Everybody else ---- */

/* Nobody hears of an event before it is stored. */
static void test_delivery_follows_the_engine(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    int channels = node_websocket(n, "/ws"), http = node_connect(n);
    expect(channels, "\"status\":\"connected\"");
    say(channels, "{\"type\":\"subscribe\",\"channel\":\"custom\"}");
    expect(channels, "\"status\":\"subscribed\"");
    post(http, "/api/v1/publish", "application/json",
         "{\"topic\":\"channel:custom\",\"data\":{\"n\":1}}");
    late_await(n->engine, 1);
    expect_silence(channels);
    late_fail(n->engine, FAN_E_IO, "the disk is full");
    late_allow(n->engine, 1);
    EXPECT_ANSWER(http, "}\n", "HTTP/1.1 503");
    late_fail(n->engine, 0, "");
    late_allow(n->engine, 1);
    post(http, "/api/v1/publish", "application/json",
         "{\"topic\":\"channel:custom\",\"data\":{\"n\":2}}");
    expect(channels, "\"n\":2");
    EXPECT_ANSWER(http, "}\n", "HTTP/1.1 200", "\"offset\":1,");
    close(channels);
    close(http);
    node_end(n);
}

/* Who is owed an acknowledgement gets it before the goodbye. */
static void test_going_down_acknowledges_first(void **state)
{
    (void)state;
    struct late_node *n = node_start();
    struct buf payload = {0};
    int fd = open_rooms(n);
    say(fd, PUBLISH(1));
    late_await(n->engine, 1);
    node_drain(n);
    WAIT_FOR(atomic_load(&n->server->shared.draining));
    late_allow(n->engine, 1);
    expect(fd, "43/ws,1[{\"status\":\"success\"");
    int first = read_frame(fd, &payload);
    assert_int_equal(first, 0x88);
    close(fd);
    node_await_drained(n);
    buf_fini(&payload);
    node_end(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ide_update_comes_back),
        cmocka_unit_test(test_ide_messages_keep_their_order),
        cmocka_unit_test(test_ide_hears_what_cannot_be_stored),
        cmocka_unit_test(test_ide_client_goes),
        cmocka_unit_test(test_ide_client_that_floods),
        cmocka_unit_test(test_rooms_acknowledge_when_it_is_stored),
        cmocka_unit_test(test_rooms_packets_keep_their_order),
        cmocka_unit_test(test_rooms_client_goes),
        cmocka_unit_test(test_rooms_on_http),
        cmocka_unit_test(test_rooms_move_with_what_they_published),
        cmocka_unit_test(test_delivery_follows_the_engine),
        cmocka_unit_test(test_going_down_acknowledges_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
