/*
 * Dialect `ide`: web IDE sessions over WebSocket, one session per connection.
 *
 * Every message, both ways, is {"type","timestamp","session_id","data":{…}}. A session_update comes
 * back to who sent it in a form of its own. What clients may ask for is in ide_messages.c.
 */
#include "dialect/ide.h"

#include "base/clock.h"
#include "dialect/envelope.h"
#include "dialect/frame.h"
#include "dialect/ide_private.h"
#include "dialect/publication.h"
#include "net/conn_log.h"

/* ---- Events on the wire ---- */

static void append_head(struct buf *out, struct slice type, int64_t time_ms, struct slice session)
{
    BUF_LITERAL(out, "{\"type\":");
    envelope_quoted(out, type);
    BUF_LITERAL(out, ",\"timestamp\":");
    envelope_time(out, time_ms);
    BUF_LITERAL(out, ",\"session_id\":");
    envelope_quoted(out, session);
}

static void begin_event(struct buf *out, const struct event *e, unsigned place)
{
    append_head(out, e->type, e->time_ms, envelope_topic_id(e, place));
    if (!e->ephemeral) {
        BUF_LITERAL(out, ",\"offset\":");
        buf_append_u64(out, e->places[place].offset);
    }
    BUF_LITERAL(out, ",\"data\":");
}

/* An `error`, whose fields have other names here. */
static void append_error_data(struct buf *out, struct slice data)
{
    static const char *const names[][2] = {
        {"error", "error_message"}, {"detail", "traceback"}, {"code", "error_type"}};
    const struct json_value object = {JSON_OBJECT, data};
    struct json_value value;
    json_begin(out, NULL, '{');
    for (unsigned i = 0; i < 3; i++)
        if (json_find(object, slice_from(names[i][1]), &value))
            json_put_raw(out, names[i][0], value.text);
    json_end(out, '}');
}

static void append_event(struct buf *out, const struct event *e, unsigned place)
{
    begin_event(out, e, place);
    if (slice_is(e->type, "error"))
        append_error_data(out, e->data);
    else
        buf_append_slice(out, e->data);
    buf_append_char(out, '}');
}

/* As the client sees it that sent the message. */
static void append_echo(struct buf *out, const struct event *e, unsigned place)
{
    begin_event(out, e, place);
    BUF_LITERAL(out, "{\"echo\":true,\"original_message\":{\"type\":\"session_update\",\"data\":");
    buf_append_slice(out, e->data);
    BUF_LITERAL(out, "}}}");
}

static void encode(void *context, struct buf *out, const struct event *e, unsigned place)
{
    (void)context;
    frame_append_event(out, e, place, append_event);
}

static void encode_compressed(void *context, struct buf *out, const struct event *e, unsigned place)
{
    frame_append_event_compressed(context, out, e, place, append_event);
}

static bool encode_own(void *context, struct buf *out, const struct event *e, unsigned place)
{
    (void)context;
    if (!slice_is(e->type, "session_update"))
        return false;
    frame_append_event(out, e, place, append_echo);
    return true;
}

static const struct encoding plain = {
    .name = "ide", .dialect = DIALECT_IDE, .append = encode, .append_own = encode_own};
static const struct encoding compressed = {.name = "ide+deflate",
                                           .dialect = DIALECT_IDE,
                                           .append = encode_compressed,
                                           .append_own = encode_own};
static const struct encoding full = {
    .name = "ide+full", .dialect = DIALECT_IDE, .append = session_encode_full};
static const struct encoding full_compressed = {
    .name = "ide+full+deflate", .dialect = DIALECT_IDE, .append = session_encode_full_compressed};

/* ---- Messages ---- */

static void begin(struct client *c, struct buf *out, const char *type)
{
    append_head(out, slice_from(type), clock_wall_ms(), session_id(c));
    BUF_LITERAL(out, ",\"data\":{");
}

static void end(struct buf *out)
{
    BUF_LITERAL(out, "}}");
}

struct json_value ide_fields(struct json_value message)
{
    struct json_value data = message_member(message, "data");
    return data.kind == JSON_OBJECT ? data : (struct json_value){JSON_OBJECT, SLICE("{}")};
}

static void put_state(struct buf *out, uint64_t offset, struct slice state)
{
    json_put_u64(out, "offset", offset);
    envelope_spliced(out, state);
}

static const struct session_words words = {
    .encodings = {{&plain, &compressed}, {&full, &full_compressed}},
    .greeting = "connect",
    .state = "session_state",
    .begin = begin,
    .end = end,
    .fields = ide_fields,
    .put_state = put_state,
};

static void send_error(struct client *c, struct json_value message, const char *code,
                       struct slice text)
{
    (void)message;
    bool malformed = strcmp(code, "invalid_json") == 0;
    struct buf *out = session_begin(c, "error");
    json_put_text(out, "error", malformed ? "Invalid message format" : "Message processing error");
    json_put_name(out, "detail");
    json_append_lossy(out, text);
    json_put_text(out, "code", code);
    session_send(c, out);
}

static bool check_envelope(struct client *c, struct json_value message)
{
    struct json_value id = message_member(message, "session_id");
    struct json_value data = message_member(message, "data");
    if (data.kind != JSON_NULL && data.kind != JSON_OBJECT)
        return ide_refuse_field(c, message, "data", "an object", data);
    if (id.kind == JSON_NULL)
        return true;
    struct slice own = session_id(c), text;
    if (json_string_plain(id, &text) && slice_equal(text, own))
        return true;
    message_refuse(c, message, "invalid_message",
                   "session_id must be \"%.*s\", the session of this connection, or left out",
                   SLICE_ARG(own));
    return false;
}

/* ---- Client messages ---- */

static void on_ping(struct client *c, struct json_value message)
{
    struct json_value timestamp = message_member(message, "timestamp");
    struct buf *out = session_begin(c, "pong");
    if (timestamp.kind == JSON_STRING || timestamp.kind == JSON_NUMBER)
        json_put_raw(out, "timestamp", timestamp.text);
    else
        json_put_time(out, "timestamp", clock_wall_ms());
    session_send(c, out);
}

/* ---- Resuming ---- */

/* A client that comes back on a new connection may name its old one: what it sent there is its own
 * here, too. */
static void speak_again(struct client *c, struct slice id)
{
    if (slice_starts(id, "conn-") && id.len < CONN_ID_SIZE && http_identifier_valid(id) &&
        subscriber_speak_as(&c->subscriber, id) != 0)
        conn_close(&c->ws.conn, "out of memory");
}

static void on_resume(struct client *c, struct json_value message)
{
    speak_again(c, message_text(ide_fields(message), "connection_id"));
    session_on_resume(c, message);
}

static const struct message_handler handlers[] = {
    {"ping", on_ping},
    {"get_state", session_on_state},
    {"resume", on_resume},
    {"subscribe", session_on_subscribe},
    {"unsubscribe", session_on_unsubscribe},
    {"session_update", ide_on_session_update},
    {"hook_event", ide_on_hook_event},
    {"save_file", ide_on_save_file},
    {"execute_code", ide_on_execute_code},
    {"execution_input", ide_on_execution},
    {"cancel_execution", ide_on_execution},
    {"ghost_chat", ide_on_ghost_chat},
    {"cancel_ai", ide_on_cancel_ai},
    {"refresh_token", session_on_refresh_token},
    {NULL, NULL},
};

static const char *const publishes[] = {"session_update", "hook_event", "save_file", NULL};

/* ---- Connecting and leaving ---- */

static void accept_client(struct http_exchange *x, struct slice id)
{
    if (slice_is(id, "status") || slice_is(id, "sessions")) {
        http_reply_error(x, 400, "invalid_id", "\"%.*s\" is reserved: choose another session id",
                         SLICE_ARG(id));
        return;
    }
    struct buf before = {0};
    bool comes_back = http_query_get(x->request->query, "connection_id", &before) == 0;
    struct client *c = session_accept(x, &ide_dialect, id);
    if (c && comes_back)
        speak_again(c, buf_slice(&before));
    buf_fini(&before);
}

/* The session's other connections hear of it. */
static void closed(struct client *c)
{
    char id[CONN_ID_SIZE];
    struct buf data = {0};
    const char *reason = c->ws.conn.close_reason ? c->ws.conn.close_reason : "closed";
    if (c->subscriber.count == 0 || client_delivery(c)->worker->shared->draining)
        return;
    conn_format_id(&c->ws.conn, id);
    json_begin(&data, NULL, '{');
    json_put_text(&data, "connection_id", id);
    json_put_text(&data, "reason", reason);
    json_end(&data, '}');
    if (!data.failed)
        publication_tell(c, topic_name_slice(session_topic(c)), SLICE("disconnect"),
                         buf_slice(&data));
    buf_fini(&data);
}

const struct dialect ide_dialect = {
    .name = "ide",
    .index = DIALECT_IDE,
    .path = "/ws/{session_id}",
    .accept = accept_client,
    .caught_up = session_caught_up,
    .gap = session_gap,
    .overflow = websocket_client_overflow,
    .shutdown = websocket_client_shutdown,
    .closed = closed,
    .handlers = handlers,
    .publishes = publishes,
    .check = check_envelope,
    .error = send_error,
    .token_refreshed = session_token_refreshed,
    .session = &words,
};
