/*
 * A dialect of its own: one file, this one, and one line that registers it. It speaks of sessions,
 * one a connection, in lines like "3 tick {…}".
 */
#include "../test.h"

#include "dialect/dialect.h"
#include "dialect/envelope.h"
#include "dialect/frame.h"
#include "dialect/session.h"
#include "fanfare/error.h"
#include "server/embedding.h"

/* ---- The dialect ---- */

static void append_event(struct buf *out, const struct event *e, unsigned place)
{
    buf_append_u64(out, e->places[place].offset);
    buf_printf(out, " %.*s %.*s", SLICE_ARG(e->type), SLICE_ARG(e->data));
}

static void encode(void *context, struct buf *out, const struct event *e, unsigned place)
{
    (void)context;
    frame_append_event(out, e, place, append_event);
}

static const struct encoding lines = {.name = "toy", .dialect = DIALECT_FREE, .append = encode};

static void begin(struct client *c, struct buf *out, const char *type)
{
    buf_printf(out, "%s %.*s {", type, SLICE_ARG(session_id(c)));
}

static void end(struct buf *out)
{
    buf_append_char(out, '}');
}

static struct json_value fields(struct json_value message)
{
    return message;
}

static void put_state(struct buf *out, uint64_t offset, struct slice state)
{
    (void)state;
    json_put_u64(out, "offset", offset);
}

static const struct session_words words = {
    .encodings = {{&lines, &lines}, {&lines, &lines}},
    .greeting = "welcome",
    .state = "state",
    .begin = begin,
    .end = end,
    .fields = fields,
    .put_state = put_state,
};

static void send_error(struct client *c, struct json_value message, const char *code,
                       struct slice text)
{
    (void)message;
    struct buf *out = session_begin(c, "sorry");
    json_put_text(out, "code", code);
    json_put_slice(out, "why", text);
    session_send(c, out);
}

static const struct message_handler handlers[] = {{"state", session_on_state},
                                                  {"only", session_on_subscribe},
                                                  {"again", session_on_resume},
                                                  {NULL, NULL}};

static const struct dialect toy_dialect;

static void accept_client(struct http_exchange *x, struct slice id)
{
    session_accept(x, &toy_dialect, id);
}

static const struct dialect toy_dialect = {
    .name = "toy",
    .index = DIALECT_FREE,
    .path = "/toy/{session_id}",
    .accept = accept_client,
    .caught_up = session_caught_up,
    .gap = session_gap,
    .overflow = websocket_client_overflow,
    .shutdown = websocket_client_shutdown,
    .handlers = handlers,
    .error = send_error,
    .session = &words,
};

/* ---- What it does without another line ---- */

static struct fan_server *server;
static struct buf payload;

static int start(void **state)
{
    (void)state;
    if (dialect_register(&toy_dialect) != 0)
        return -1;
    server = make_server(NULL, 0);
    start_server(server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fan_server_stop(server);
    fan_server_free(server);
    buf_fini(&payload);
    return 0;
}

static int open_toy(const char *path)
{
    char head[2048];
    int fd = open_websocket(server, path, "", head);
    assert_int_equal(strncmp(head, "HTTP/1.1 101 ", 13), 0);
    return fd;
}

static void publish(const char *type, const char *data)
{
    struct fan_server_error error;
    if (fan_server_publish(server, "session:s", type, data, strlen(data), &error) != 0)
        fail_msg("%s", error.message);
}

static void assert_reads(int fd, const char *beginning)
{
    assert_int_equal(read_frame(fd, &payload), 0x81);
    if (!slice_starts(buf_slice(&payload), beginning))
        fail_msg("%s does not begin with %s", buf_text(&payload), beginning);
}

static void say(int fd, const char *text)
{
    send_frame(fd, WS_TEXT, text, strlen(text));
}

static void test_everything(void **state)
{
    (void)state;
    int fd = open_toy("/toy/s?state=1");
    assert_reads(fd, "welcome s {\"status\":\"connected\",\"connection_id\":\"conn-");
    assert_reads(fd, "state s {\"offset\":0}");
    publish("tick", "{\"n\":1}");
    assert_reads(fd, "1 tick {\"n\":1}");
    say(fd, "{\"type\":\"only\",\"topics\":[\"tock\"]}");
    assert_reads(fd, "subscribed s {\"topics\":[\"tock\"],\"epoch\":\"");
    publish("tick", "{}");
    publish("tock", "{}");
    assert_reads(fd, "3 tock {}");
    say(fd, "{\"type\":\"dance\"}");
    assert_reads(fd, "sorry s {\"code\":\"unknown_type\",\"why\":\"Unknown message type: dance\"}");
    int again = open_toy("/toy/s?since=0");
    assert_reads(again, "welcome s ");
    assert_reads(again, "1 tick {\"n\":1}");
    assert_reads(again, "2 tick {}");
    assert_reads(again, "3 tock {}");
    assert_reads(again, "resumed s ");
    close(again);
    close(fd);
}

static void test_registering(void **state)
{
    (void)state;
    struct dialect other = toy_dialect;
    assert_int_equal(dialect_register(&other), FAN_E_EXISTS);
    other.index = DIALECT_BUILD;
    assert_int_equal(dialect_register(&other), FAN_E_EXISTS);
    other.index = 1000;
    assert_int_equal(dialect_register(&other), FAN_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_registering),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
