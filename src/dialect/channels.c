/*
 * Dialect `channels`: a code editor's channels over WebSocket, any number on one connection.
 *
 * Clients subscribe to channels and to patterns of them, and make requests; what they send may
 * carry an id, which comes back in the answer. Subscriptions are in channels_subscribe.c, requests
 * in channels_request.c.
 */
#include "dialect/channels.h"

#include "base/clock.h"
#include "dialect/channels_private.h"
#include "dialect/envelope.h"
#include "dialect/frame.h"
#include "fanfare/error.h"
#include "net/conn_log.h"

#define ID_MAX 256 /* bytes of a message's id, as JSON */

/* ---- Events on the wire ---- */

void channels_append_event(struct buf *out, const struct event *e, unsigned place)
{
    BUF_LITERAL(out, "{\"type\":\"event\",\"channel\":");
    envelope_quoted(out, envelope_topic_id(e, place));
    if (!slice_is(e->type, "event")) {
        BUF_LITERAL(out, ",\"event\":");
        envelope_quoted(out, e->type);
    }
    BUF_LITERAL(out, ",\"data\":");
    buf_append_slice(out, e->data);
    BUF_LITERAL(out, ",\"timestamp\":");
    envelope_time(out, e->time_ms);
    if (!e->ephemeral) {
        BUF_LITERAL(out, ",\"offset\":");
        buf_append_u64(out, e->places[place].offset);
    }
    buf_append_char(out, '}');
}

static void encode(void *context, struct buf *out, const struct event *e, unsigned place)
{
    (void)context;
    frame_append_event(out, e, place, channels_append_event);
}

static void encode_compressed(void *context, struct buf *out, const struct event *e, unsigned place)
{
    frame_append_event_compressed(context, out, e, place, channels_append_event);
}

static const struct encoding plain_encoding = {
    .name = "channels", .dialect = DIALECT_CHANNELS, .append = encode};
static const struct encoding compressed_encoding = {
    .name = "channels+deflate", .dialect = DIALECT_CHANNELS, .append = encode_compressed};

const struct encoding *channels_encoding(const struct client *c)
{
    return c->ws.deflate ? &compressed_encoding : &plain_encoding;
}

/* ---- Answers ---- */

struct buf *channels_begin(struct client *c, struct slice id)
{
    struct buf *out = message_begin(c);
    json_begin(out, NULL, '{');
    json_put_text(out, "type", "response");
    if (id.len)
        json_put_raw(out, "id", id);
    json_begin(out, "data", '{');
    return out;
}

void channels_send(struct client *c, struct buf *out)
{
    json_end(out, '}');
    json_end(out, '}');
    message_send(c, out, out->len > 32 * 1024);
}

struct slice channels_id(struct json_value message)
{
    struct slice text = message_member(message, "id").text;
    return message.kind == JSON_OBJECT && text.len <= ID_MAX && !slice_is(text, "null")
               ? text
               : slice_of(NULL, 0);
}

static void put_error(struct client *c, struct slice id, const char *code, struct slice text)
{
    struct buf *out = channels_begin(c, id);
    json_put_name(out, "error");
    json_append_lossy(out, text);
    json_end(out, '}');
    json_put_name(out, "error");
    json_append_lossy(out, code ? slice_from(code) : text);
    json_end(out, '}');
    message_send(c, out, false);
}

void channels_error(struct client *c, struct slice id, const char *text)
{
    put_error(c, id, NULL, slice_from(text));
}

/* Codes that programs act upon; what else is wrong is for people. */
static const char *shown_code(const char *code)
{
    bool shown = strcmp(code, "rate_limited") == 0 || strncmp(code, "token_", 6) == 0 ||
                 strcmp(code, "forbidden") == 0;
    return shown ? code : NULL;
}

static void send_error(struct client *c, struct json_value message, const char *code,
                       struct slice text)
{
    if (strcmp(code, "invalid_json") != 0) {
        put_error(c, channels_id(message), shown_code(code), text);
        return;
    }
    struct buf *out = channels_begin(c, slice_of(NULL, 0));
    json_put_text(out, "error", "Failed to parse message");
    json_put_name(out, "detail");
    json_append_lossy(out, text);
    channels_send(c, out);
}

void channels_send_gap(struct client *c, struct slice channel, uint64_t from, uint64_t to,
                       const char *reason)
{
    struct buf *out = message_begin(c);
    json_begin(out, NULL, '{');
    json_put_text(out, "type", "gap");
    json_put_slice(out, "channel", channel);
    json_put_u64(out, "from", from);
    json_put_u64(out, "to", to);
    json_put_text(out, "reason", reason);
    json_end(out, '}');
    message_send(c, out, false);
}

bool channels_may_read(struct client *c, struct slice id, struct slice channel)
{
    struct buf topic = {0}, why = {0};
    BUF_LITERAL(&topic, "channel:");
    buf_append_slice(&topic, channel);
    bool may = client_may_read(c, buf_slice(&topic), &why);
    if (!may)
        put_error(c, id, "forbidden", buf_slice(&why));
    buf_fini(&topic);
    buf_fini(&why);
    return may;
}

/* ---- Client messages ---- */

static void on_ping(struct client *c, struct json_value message)
{
    struct slice id = channels_id(message);
    struct buf *out = message_begin(c);
    json_begin(out, NULL, '{');
    json_put_text(out, "type", "pong");
    if (id.len)
        json_put_raw(out, "id", id);
    json_put_time(out, "timestamp", clock_wall_ms());
    json_end(out, '}');
    message_send(c, out, false);
}

static const struct message_handler handlers[] = {
    {"subscribe", channels_on_subscribe},
    {"unsubscribe", channels_on_unsubscribe},
    {"request", channels_on_request},
    {"ping", on_ping},
    {NULL, NULL},
};

static void token_refreshed(struct client *c, struct json_value message, const char *expires)
{
    struct buf *out = channels_begin(c, channels_id(message));
    json_put_text(out, "status", "token_refreshed");
    json_put_text(out, "expires", expires);
    channels_send(c, out);
}

/* ---- Connecting ---- */

static void accept_client(struct http_exchange *x, struct slice id)
{
    char own_id[CONN_ID_SIZE];
    (void)id;
    struct client *c = websocket_client_accept(x, &channels_dialect);
    if (!c)
        return;
    conn_format_id(&c->ws.conn, own_id);
    struct buf *out = channels_begin(c, slice_of(NULL, 0));
    json_put_text(out, "status", "connected");
    json_put_text(out, "connectionId", own_id);
    json_put_text(out, "cwd", NULL);
    channels_send(c, out);
}

/* ---- From the fan-out ---- */

static void caught_up(struct client *c, uint64_t missed)
{
    (void)c;
    (void)missed; /* the events tell: those up to the answer's offset were missed */
}

static void gap(struct client *c, struct topic *topic, uint64_t from, uint64_t to,
                const char *reason)
{
    channels_send_gap(c, slice_skip(topic_name_slice(topic), strlen("channel:")), from, to, reason);
}

const struct dialect channels_dialect = {
    .name = "channels",
    .index = DIALECT_CHANNELS,
    .path = "/ws",
    .accept = accept_client,
    .caught_up = caught_up,
    .gap = gap,
    .overflow = websocket_client_overflow,
    .shutdown = websocket_client_shutdown,
    .closed = channels_forget_requests,
    .handlers = handlers,
    .error = send_error,
    .token_refreshed = token_refreshed,
};
