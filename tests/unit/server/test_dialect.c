/*
 * A dialect of its own: one file, this one, and one line that registers it. It speaks of sessions,
 * one a connection, in lines like "3 tick {…}".
 */
#include "../test.h"

#include "auth/key.h"
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

static const struct dialect toy_dialect, late_dialect;

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
    if (dialect_register(&toy_dialect) != 0 || dialect_register(&late_dialect) != 0)
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

/* ---- A dialect whose clients say who they are in a message ---- */

static void answer(struct client *c, struct json_value message, const char *code, struct slice text)
{
    struct buf *out = message_begin(c);
    (void)message;
    buf_printf(out, "%s: %.*s", code, SLICE_ARG(text));
    message_send(c, out, false);
}

static void on_login(struct client *c, struct json_value message)
{
    struct token_refusal refusal;
    struct buf why = {0};
    if (client_login(c, message_text(message, "token"), &refusal))
        answer(c, message, "refused", slice_from(token_problem_reason(refusal.problem)));
    else if (client_may_read(c, SLICE("session:a"), &why))
        answer(c, message, "reads", slice_from(client_identity(c)->principal.name));
    else
        answer(c, message, "forbidden", buf_slice(&why));
    buf_fini(&why);
}

static void on_ask(struct client *c, struct json_value message)
{
    struct buf why = {0};
    bool may = client_may_read(c, SLICE("session:a"), &why);
    answer(c, message, may ? "yes" : "no", buf_slice(&why));
    buf_fini(&why);
}

static const struct message_handler late_handlers[] = {
    {"login", on_login}, {"ask", on_ask}, {NULL, NULL}};

static void accept_late(struct http_exchange *x, struct slice id)
{
    (void)id;
    websocket_client_accept(x, &late_dialect);
}

static const struct dialect late_dialect = {
    .name = "late",
    .index = DIALECT_FREE + 1,
    .path = "/late",
    .late_token = true,
    .accept = accept_late,
    .shutdown = websocket_client_shutdown,
    .handlers = late_handlers,
    .error = answer,
};

static void login(int fd, const char *claims, const char *expected)
{
    static const char secret[] = "a-secret-of-more-than-thirty-two-bytes";
    struct buf token = {0}, message = {0};
    struct key *key = key_from_secret(slice_from(secret), &message);
    assert_int_equal(key_sign(key, slice_from(claims), SLICE(""), &token), 0);
    buf_printf(&message, "{\"type\":\"login\",\"token\":\"%s\"}", buf_text(&token));
    say(fd, buf_text(&message));
    assert_reads(fd, expected);
    key_free(key);
    buf_fini(&token);
    buf_fini(&message);
}

static void test_late_token(void **state)
{
    (void)state;
    const struct fan_server_option extra[] = {{"jwt.key", "a-secret-of-more-than-thirty-two-bytes"},
                                              {"jwt.grace", "0s"}};
    struct fan_server *open = server;
    char head[2048];
    server = make_server(extra, 2);
    start_server(server);
    close(open_websocket(server, "/toy/s", "", head));
    assert_int_equal(strncmp(head, "HTTP/1.1 401 ", 13), 0);
    int fd = open_toy("/late");
    say(fd, "{\"type\":\"ask\"}");
    assert_reads(fd, "no: nobody may not read session:a: no token was shown");
    say(fd, "{\"type\":\"login\"}");
    assert_reads(fd, "refused: token missing");
    login(fd, "{\"sub\":\"Ada\",\"exp\":1}", "refused: token expired");
    login(fd, "{\"sub\":\"Ada\"}", "reads: Ada");
    login(fd, "{\"sub\":\"Bob\",\"rooms\":[]}", "forbidden: Bob may not read session:a");
    close(fd);
    fan_server_free(server);
    server = open;
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
        cmocka_unit_test(test_late_token),
        cmocka_unit_test(test_registering),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
