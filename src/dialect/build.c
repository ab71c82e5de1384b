/*
 * Dialect `build`: build monitoring over WebSocket, one session per connection.
 *
 * Events are flat: the envelope's members, then those of data. So are the messages about the
 * connection.
 */
#include "dialect/build.h"

#include "base/clock.h"
#include "dialect/envelope.h"
#include "dialect/frame.h"
#include "dialect/session.h"

/* ---- Events on the wire ---- */

static void append_event(struct buf *out, const struct event *e, unsigned place)
{
    BUF_LITERAL(out, "{\"type\":");
    envelope_quoted(out, e->type);
    BUF_LITERAL(out, ",\"session_id\":");
    envelope_quoted(out, envelope_topic_id(e, place));
    BUF_LITERAL(out, ",\"timestamp\":");
    envelope_time(out, e->time_ms);
    if (!e->ephemeral) {
        BUF_LITERAL(out, ",\"offset\":");
        buf_append_u64(out, e->places[place].offset);
    }
    if (e->nested) {
        BUF_LITERAL(out, ",\"data\":");
        buf_append_slice(out, e->data);
    } else {
        envelope_spliced(out, e->data);
    }
    buf_append_char(out, '}');
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

static const struct encoding plain = {.name = "build", .dialect = DIALECT_BUILD, .append = encode};
static const struct encoding compressed = {
    .name = "build+deflate", .dialect = DIALECT_BUILD, .append = encode_compressed};
static const struct encoding full = {
    .name = "build+full", .dialect = DIALECT_BUILD, .append = session_encode_full};
static const struct encoding full_compressed = {.name = "build+full+deflate",
                                                .dialect = DIALECT_BUILD,
                                                .append = session_encode_full_compressed};

/* ---- Messages ---- */

static void begin(struct client *c, struct buf *out, const char *type)
{
    BUF_LITERAL(out, "{\"type\":");
    envelope_quoted(out, slice_from(type));
    BUF_LITERAL(out, ",\"session_id\":");
    envelope_quoted(out, session_id(c));
    BUF_LITERAL(out, ",\"timestamp\":");
    envelope_time(out, clock_wall_ms());
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
    json_put_u64(out, "offset", offset);
    json_put_raw(out, "status", state);
}

static const struct session_words words = {
    .encodings = {{&plain, &compressed}, {&full, &full_compressed}},
    .greeting = "connection",
    .state = "build_status",
    .begin = begin,
    .end = end,
    .fields = fields,
    .put_state = put_state,
};

static void send_error(struct client *c, struct json_value message, const char *code,
                       struct slice text)
{
    (void)message;
    struct buf *out = session_begin(c, "error");
    json_put_name(out, "error_message");
    json_append_lossy(out, text);
    json_put_text(out, "error_type", code);
    session_send(c, out);
}

static void on_ping(struct client *c, struct json_value message)
{
    (void)message;
    struct buf *out = message_begin(c);
    BUF_LITERAL(out, "{\"type\":\"pong\",\"timestamp\":");
    envelope_time(out, clock_wall_ms());
    buf_append_char(out, '}');
    message_send(c, out, false);
}

static const struct message_handler handlers[] = {
    {"ping", on_ping},
    {"subscribe", session_on_subscribe},
    {"unsubscribe", session_on_unsubscribe},
    {"request_status", session_on_state},
    {"get_status", session_on_state},
    {"resume", session_on_resume},
    {"refresh_token", session_on_refresh_token},
    {NULL, NULL},
};

static void accept_client(struct http_exchange *x, struct slice id)
{
    session_accept(x, &build_dialect, id);
}

const struct dialect build_dialect = {
    .name = "build",
    .index = DIALECT_BUILD,
    .path = "/api/build/stream/{session_id}",
    .accept = accept_client,
    .caught_up = session_caught_up,
    .gap = session_gap,
    .overflow = websocket_client_overflow,
    .shutdown = websocket_client_shutdown,
    .handlers = handlers,
    .error = send_error,
    .token_refreshed = session_token_refreshed,
    .session = &words,
};
