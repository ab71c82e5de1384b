/* Clients of JSON messages over WebSocket; see websocket_client.h. */
#include "dialect/websocket_client.h"

#include <stdarg.h>

#include "codec/deflate.h"
#include "dialect/publication.h"
#include "fanfare/error.h"

/* Scratch memory above this is given back after a message. */
#define SCRATCH_KEPT (256 * 1024)

/* How much of an unknown type is shown. */
#define SHOWN_TYPE 64

/* ---- Sending ---- */

struct buf *message_begin(struct client *c)
{
    struct buf *out = &client_delivery(c)->scratch;
    buf_clear(out);
    return out;
}

void message_send(struct client *c, struct buf *out, bool large)
{
    if (out->failed)
        conn_close(&c->ws.conn, "out of memory");
    else if (large)
        ws_send_large(&c->ws, buf_slice(out));
    else
        ws_send(&c->ws, buf_slice(out));
    if (out->cap > SCRATCH_KEPT)
        buf_fini(out);
}

/* ---- Receiving ---- */

static const struct json_value nothing = {JSON_NULL, {"null", 4}};

void message_refuse(struct client *c, struct json_value message, const char *code,
                    const char *format, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    c->dialect->error(c, message, code, buf_slice(&text));
    buf_fini(&text);
    ws_bad_message(&c->ws);
}

static void refuse_type(struct client *c, struct json_value message, struct json_value type)
{
    struct buf name = {0};
    if (type.kind == JSON_STRING)
        json_string_append(&name, type);
    else
        BUF_LITERAL(&name, "type must be a string");
    if (name.len > SHOWN_TYPE)
        name.len = SHOWN_TYPE;
    message_refuse(c, message, "unknown_type", "Unknown message type: %s", buf_text(&name));
    buf_fini(&name);
}

/* The handler of that type; NULL: there is none. */
static const struct message_handler *find_handler(const struct client *c, struct json_value type)
{
    const struct message_handler *h = c->dialect->handlers;
    while (h->type && !json_string_is(type, h->type))
        h++;
    return h->type ? h : NULL;
}

static bool publishes(const struct client *c, struct json_value type)
{
    const char *const *name = c->dialect->publishes;
    while (name && *name && !json_string_is(type, *name))
        name++;
    return name && *name;
}

static void dispatch_again(struct client *c, struct slice text, bool binary)
{
    (void)binary;
    message_dispatch(c, text);
}

void message_dispatch(struct client *c, struct slice text)
{
    static const struct slice type_name = {"type", 4};
    struct json_value type = nothing, message;
    struct json_error why;
    bool found;
    int error = json_scan_object(text, &type_name, 1, &type, &found, &why);
    if (c->publishing && publication_must_wait(c, !error && found && publishes(c, type))) {
        publication_defer(c, text, false, dispatch_again);
        return;
    }
    if (error == FAN_E_INVALID) {
        message_refuse(c, nothing, "invalid_json", "a message must be a JSON object");
        return;
    }
    if (error) {
        message_refuse(c, nothing, "invalid_json", "Invalid JSON at byte %zu: %s", why.at,
                       why.message);
        return;
    }
    json_parse(text, &message, NULL); /* was accepted above; finds where it begins and ends */
    if (c->dialect->check && !c->dialect->check(c, message))
        return;
    const struct message_handler *h = found ? find_handler(c, type) : NULL;
    if (h)
        h->handle(c, message);
    else
        refuse_type(c, message, found ? type : nothing);
}

struct json_value message_member(struct json_value message, const char *name)
{
    struct json_value value;
    return json_find(message, slice_from(name), &value) ? value : nothing;
}

struct slice message_text(struct json_value message, const char *name)
{
    struct slice text;
    return json_string_plain(message_member(message, name), &text) ? text : slice_of(NULL, 0);
}

static void on_message(struct ws_conn *ws, struct slice text, bool binary)
{
    (void)binary;
    message_dispatch(client_from_ws(ws), text);
}

static void on_rate_limited(struct ws_conn *ws)
{
    struct client *c = client_from_ws(ws);
    c->dialect->error(c, nothing, "rate_limited",
                      SLICE("too many messages: more than limits.messages a second for 30 s"));
}

static void on_drained(struct ws_conn *ws)
{
    subscriber_drained(&client_from_ws(ws)->subscriber);
}

static void on_close_frame(struct ws_conn *ws, uint16_t code, struct slice reason)
{
    (void)code;
    (void)reason;
    publication_hurry(client_from_ws(ws));
}

static const struct ws_ops client_ws_ops = {
    .message = on_message,
    .rate_limited = on_rate_limited,
    .drained = on_drained,
    .close_frame = on_close_frame,
    .limited = true,
};

/* ---- Beginning and end ---- */

struct client *websocket_client_accept(struct http_exchange *x, const struct dialect *dialect)
{
    const struct delivery *d = x->conn->worker->context;
    const struct ws_accept_options options = {
        .ops = &client_ws_ops,
        .deflate = d->options->deflate[dialect->index],
        .deflate_wishes = WS_DEFLATE_CLIENT_ANEW,
    };
    return ws_accept(x, &options) ? client_open(x, dialect) : NULL;
}

void websocket_client_refuse_join(struct client *c, int error)
{
    bool limit = error == FAN_E_LIMIT;
    ws_close(&c->ws, limit ? WS_CLOSE_TRY_LATER : WS_CLOSE_INTERNAL,
             limit ? "too many topics" : "out of memory");
}

void websocket_client_overflow(struct client *c, const char *cursor)
{
    struct buf reason = {0};
    buf_printf(&reason, "too slow; resume with cursor %s", cursor);
    ws_close_text(&c->ws, WS_CLOSE_TRY_LATER, "slow reader", buf_slice(&reason));
    buf_fini(&reason);
}

void websocket_client_shutdown(struct client *c)
{
    ws_close(&c->ws, WS_CLOSE_GOING_AWAY, "server stops");
}
