/*
 * Dialect `rooms`: Socket.IO v4 (Engine.IO protocol 4, Socket.IO protocol 5), for the agent
 * platform. Stock clients connect unchanged.
 *
 * A session begins with a handshake, on which its packets are exchanged; in it the client connects
 * to a namespace, with a token, and is then a client like those of other dialects. Here is the
 * transport: handshakes, WebSockets, pings; HTTP is in rooms_polling.c and rooms_request.c, and the
 * way from there to a WebSocket in rooms_upgrade.c. Namespaces are in rooms_socket.c, further ones
 * of a connection in rooms_carried.c, those of an embedding program in rooms_program.c, the events
 * of clients in rooms_events.c, and what is sent in rooms_wire.c. Who drops out comes back by way
 * of rooms_recovery.c and rooms_takeover.c, and is given what came to their user by rooms_user.c.
 */
#include "dialect/rooms.h"

#include <ctype.h>

#include "auth/permit.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "codec/deflate.h"
#include "dialect/publication.h"
#include "dialect/rooms_private.h"
#include "fanfare/error.h"

/* ---- Packets ---- */

void room_fail(struct client *c, const char *reason)
{
    ws_close(&c->ws, WS_CLOSE_PROTOCOL_ERROR, reason);
}

static void send_packet(struct client *c, enum eio_type type, struct slice data)
{
    struct buf *out = message_begin(c);
    eio_packet_append(out, type, data);
    message_send(c, out, false);
}

/* The client closes; all its sockets say goodbye with it, after what they still have to say. */
static void on_goodbye(struct client *c)
{
    for (struct room_session *s = room_session_of(c), *next; s; s = next) {
        next = s->carried;
        publication_hurry(s->client);
    }
    for (struct room_session *s = room_session_of(c); s; s = s->carried)
        room_user_left(s->client);
}

static void end_session(struct client *c)
{
    on_goodbye(c);
    if (room_session_of(c)->polling)
        room_close_polling(c, SLICE("6"), "closed by client");
    else
        ws_close(&c->ws, WS_CLOSE_NORMAL, "closed by client");
}

static void on_pong(struct client *c)
{
    if (room_session_of(c)->polling) { /* what it confirms the next poll does */
        room_poll_pong(c);
        return;
    }
    room_user_heard(c);
    conn_timer(&c->ws.conn, ROOMS_OPTION(c, ping_interval_ms));
}

void room_take_packet(struct client *c, const struct eio_packet *packet)
{
    struct room_session *s = room_session_of(c);
    if (!eio_state_next(s->state, packet, &s->state)) {
        room_fail(c, "an Engine.IO packet that has no place here");
        return;
    }
    if (s->state == EIO_CLOSED)
        end_session(c);
    else if (packet->type == EIO_PONG)
        on_pong(c);
    else if (room_engine_take(c, packet))
        return;
    else if (packet->binary)
        room_take_binary(c, packet->data);
    else
        room_take_text(c, packet->data);
}

static void on_message(struct ws_conn *ws, struct slice text, bool binary)
{
    struct client *c = client_from_ws(ws);
    struct eio_packet packet = {EIO_MESSAGE, true, text};
    if (text.len > ROOMS_OPTION(c, max_payload))
        ws_close(ws, WS_CLOSE_TOO_LARGE, "a message is larger than rooms.max_payload");
    else if (!binary && eio_packet_parse(text, &packet) != 0)
        room_fail(c, "not an Engine.IO packet");
    else
        room_take_packet(c, &packet);
}

/* ---- WebSocket ---- */

static void on_rate_limited(struct ws_conn *ws)
{
    for (struct room_session *s = room_session_of(client_from_ws(ws)); s; s = s->carried)
        if (s->space && !s->space->hooks)
            room_refuse(s->client, NULL, "RATE_LIMITED",
                        SLICE("too many messages: more than limits.messages a second for 30 s"));
}

static void on_drained(struct ws_conn *ws)
{
    room_drained(client_from_ws(ws));
}

void room_drained(struct client *c)
{
    const struct room_session *s = room_session_of(c);
    subscriber_drained(&c->subscriber);
    if (!s)
        return; /* it moves */
    if (s->program)
        s->space->hooks->drained(s->program);
    if (!s->carrier)
        room_carry_on(c);
}

/* Whoever connects to no namespace has no business here. */
static bool is_idle(struct client *c)
{
    int64_t idle = clock_wall_ms() - room_session_of(c)->idle_ms;
    return !room_has_socket(c) && idle >= (int64_t)ROOMS_OPTION(c, connect_timeout_ms);
}

uint64_t room_ping(struct client *c)
{
    if (is_idle(c)) {
        ws_close(&c->ws, WS_CLOSE_NORMAL, "connected to no namespace");
    } else {
        room_user_asked(c);
        send_packet(c, EIO_PING, SLICE(""));
    }
    return ROOMS_OPTION(c, ping_timeout_ms);
}

static void on_close_frame(struct ws_conn *ws, uint16_t code, struct slice reason)
{
    (void)code;
    (void)reason;
    on_goodbye(client_from_ws(ws));
}

static uint64_t ping(struct ws_conn *ws)
{
    return room_ping(client_from_ws(ws));
}

const struct ws_ops room_websocket_ops = {
    .message = on_message,
    .close_frame = on_close_frame,
    .rate_limited = on_rate_limited,
    .drained = on_drained,
    .ping = ping,
    .binary = true,
    .limited = true,
};

/* ---- Handshakes ---- */

void room_append_refusal(struct buf *out, enum room_refusal code)
{
    static const char *const messages[] = {
        [ROOM_UNKNOWN_TRANSPORT] = "Transport unknown",
        [ROOM_UNKNOWN_SESSION] = "Session ID unknown",
        [ROOM_BAD_METHOD] = "Bad handshake method",
        [ROOM_BAD_REQUEST] = "Bad request",
        [ROOM_FORBIDDEN] = "Forbidden",
        [ROOM_BAD_VERSION] = "Unsupported protocol version",
    };
    buf_printf(out, "{\"code\":%d,\"message\":\"%s\"}", (int)code, messages[code]);
}

void room_refuse_request(struct http_exchange *x, enum room_refusal code)
{
    struct buf body = {0};
    room_append_refusal(&body, code);
    http_reply_json(x, 400, &body);
}

static bool has_query(const struct http_request *r, const char *name)
{
    struct buf value = {0};
    bool found = http_query_get(r->query, name, &value) != FAN_E_NOT_FOUND;
    buf_fini(&value);
    return found;
}

/* Whether the client is the JavaScript one, which takes an event's last argument, a text, as its
 * position and hands it to nobody. Python's says nothing of itself but in `t`, a decimal
 * fraction. */
static bool looks_like_javascript(const struct http_request *r)
{
    struct slice agent = http_header_get(r, "User-Agent");
    struct buf t = {0};
    bool other = agent.ptr && !slice_starts(agent, "Mozilla/") &&
                 !slice_starts(agent, "node-XMLHttpRequest");
    if (http_query_get(r->query, "t", &t) == 0)
        other |= memchr(t.data, '.', t.len) != NULL;
    buf_fini(&t);
    return !other;
}

struct room_session *room_session_new(struct http_exchange *x)
{
    struct room_session *s = memory_try_alloc(sizeof *s);
    if (!s)
        return NULL;
    memset(s, 0, sizeof *s);
    s->state = EIO_ON_WEBSOCKET;
    s->javascript = looks_like_javascript(x->request);
    s->vouched = permit_identity(x) && !permit_identity(x)->anonymous;
    s->idle_ms = clock_wall_ms();
    random_text(s->sid, ROOM_ID_SIZE - 1);
    return s;
}

void room_send_handshake(struct client *c)
{
    struct buf *out = message_begin(c);
    buf_append_char(out, '0' + EIO_OPEN);
    buf_append_char(out, '{');
    json_put_text(out, "sid", room_session_of(c)->sid);
    json_begin(out, "upgrades", '[');
    if (room_session_of(c)->polling)
        json_put_text(out, NULL, "websocket");
    json_end(out, ']');
    json_put_u64(out, "pingInterval", ROOMS_OPTION(c, ping_interval_ms));
    json_put_u64(out, "pingTimeout", ROOMS_OPTION(c, ping_timeout_ms));
    json_put_u64(out, "maxPayload", ROOMS_OPTION(c, max_payload));
    json_end(out, '}');
    message_send(c, out, false);
}

uint64_t room_first_ping(struct client *c)
{
    unsigned interval = ROOMS_OPTION(c, ping_interval_ms);
    unsigned connect = ROOMS_OPTION(c, connect_timeout_ms);
    return interval < connect ? interval : connect;
}

void room_become_websocket(struct client *c, struct room_session *s)
{
    s->client = c;
    s->state = EIO_ON_WEBSOCKET;
    c->state = s;
    c->ws.ops = &room_websocket_ops;
    conn_timer(&c->ws.conn, room_first_ping(c));
}

static void open_websocket(struct http_exchange *x)
{
    const struct delivery *d = x->conn->worker->context;
    const struct ws_accept_options options = {
        .ops = &room_websocket_ops,
        .deflate = d->options->deflate[DIALECT_ROOMS],
        .deflate_wishes = WS_DEFLATE_CLIENT_ANEW,
    };
    bool engine = room_is_engine(x->request);
    struct room_session *s = room_session_new(x);
    if (!s) {
        http_reply_error(x, 503, "out_of_memory", "not enough memory for this connection");
        return;
    }
    if (!ws_accept(x, &options)) {
        memory_free(s);
        return;
    }
    struct client *c = client_open(x, &rooms_dialect);
    room_become_websocket(c, s);
    room_send_handshake(c);
    if (engine)
        room_engine_open(c);
}

bool room_is_engine(const struct http_request *r)
{
    static const char path[] = "/engine.io/";
    size_t n = sizeof path - 1;
    return r->path.len >= n && memcmp(r->path.ptr + r->path.len - n, path, n) == 0;
}

static bool claims(const struct http_request *r, const struct delivery_options *options)
{
    if (room_is_engine(r))
        return options->rooms.engine != NULL;
    bool plain = r->path.len >= 3 && memcmp(r->path.ptr + r->path.len - 3, "/ws", 3) == 0;
    return !plain || has_query(r, "EIO");
}

static void accept_websocket(struct http_exchange *x, bool known)
{
    const struct http_request *r = x->request;
    struct buf sid = {0};
    if (r->method != HTTP_GET || !r->upgrade)
        room_refuse_request(x, r->method != HTTP_GET ? ROOM_BAD_METHOD : ROOM_BAD_REQUEST);
    else if (!known)
        open_websocket(x);
    else if (http_query_get(r->query, "sid", &sid) == 0)
        room_probe(x, buf_slice(&sid));
    else
        room_refuse_request(x, ROOM_UNKNOWN_SESSION);
    buf_fini(&sid);
}

static void accept_polling(struct http_exchange *x, bool known)
{
    enum http_method method = x->request->method;
    if (method != HTTP_GET && !(method == HTTP_POST && known))
        room_refuse_request(x, ROOM_BAD_METHOD);
    else if (known)
        room_poll(x);
    else
        room_open_polling(x);
}

static void accept_client(struct http_exchange *x, struct slice id)
{
    struct slice query = x->request->query;
    bool known = has_query(x->request, "sid");
    (void)id;
    if (!http_query_is(query, "EIO", "4"))
        room_refuse_request(x, ROOM_BAD_VERSION);
    else if (http_query_is(query, "transport", "websocket"))
        accept_websocket(x, known);
    else if (http_query_is(query, "transport", "polling"))
        accept_polling(x, known);
    else
        room_refuse_request(x, ROOM_UNKNOWN_TRANSPORT);
}

/* ---- From the fan-out ---- */

static void caught_up(struct client *c, uint64_t missed)
{
    (void)c;
    (void)missed; /* the offsets tell */
}

static void gap(struct client *c, struct topic *topic, uint64_t from, uint64_t to,
                const char *reason)
{
    room_send_gap(c, topic_name_slice(topic), from, to, reason);
}

static void overflow(struct client *c, const char *cursor)
{
    struct buf *out = room_begin_event(c, "error", "error");
    json_put_text(out, "source", "websocket");
    json_begin(out, "data", '{');
    json_put_text(out, "code", "SLOW_READER");
    json_put_text(out, "message", "read too slowly: connect again and resume");
    json_put_text(out, "cursor", cursor);
    json_end(out, '}');
    room_end_event(c, out, NULL);
    websocket_client_overflow(c, cursor);
}

/* ---- Tokens ---- */

/* "token_expired" as a client's program has it: TOKEN_EXPIRED. */
static void send_error(struct client *c, struct json_value message, const char *code,
                       struct slice text)
{
    const struct room_session *s = room_session_of(c);
    char shown[40];
    size_t n = 0;
    (void)message;
    if (!s->space)
        return;
    if (!s->call && strcmp(code, "token_expired") == 0) {
        struct buf *out = room_begin_event(c, code, code);
        json_put_text(out, "source", "websocket");
        json_begin(out, "data", '{');
        json_put_slice(out, "message", text);
        json_end(out, '}');
        room_end_event(c, out, NULL);
        return;
    }
    for (; n < sizeof shown - 1 && code[n]; n++)
        shown[n] = (char)toupper((unsigned char)code[n]);
    shown[n] = '\0';
    room_refuse(c, s->call, shown, text);
}

static void token_refreshed(struct client *c, struct json_value message, const char *expires)
{
    const struct room_call *call = room_session_of(c)->call;
    struct buf *out = room_begin_ack(c, call);
    (void)message;
    json_put_text(out, "expires", expires);
    room_end_ack(c, out, call);
}

static void token_ended(struct client *c)
{
    struct client *carrier = room_carrier(c);
    if (room_session_of(c)->space)
        room_disconnect(c);
    if (!room_has_socket(carrier))
        ws_close(&carrier->ws, WS_CLOSE_TOKEN_EXPIRED, "token expired");
}

/* ---- The end ---- */

void room_session_free(struct room_session *s)
{
    sio_assembly_free(&s->assembly);
    buf_fini(&s->rooms);
    room_marks_free(s->marks);
    memory_free(s->polling);
    memory_free(s);
}

/* A socket that breaks off while its connection stays would be missed by nobody: that one goes,
 * too. */
static void close_carried(struct client *c, struct room_session *s)
{
    struct client *carrier = room_carrier(c);
    room_carried_detach(s);
    if (s->space)
        conn_close(&carrier->ws.conn, c->ws.conn.close_reason);
}

static void closed(struct client *c)
{
    struct room_session *s = room_session_of(c);
    const char *reason = c->ws.conn.close_reason ? c->ws.conn.close_reason : "closed";
    if (!s)
        return; /* it moved */
    room_remember(c);
    room_live_remove(c);
    room_takeover_forget(c);
    room_program_closed(c, reason);
    if (s->carrier)
        close_carried(c, s);
    else
        room_carried_close(c, reason);
    if (s->polling)
        room_forget_polling(c);
    c->state = NULL;
    room_session_free(s);
}

/* Nobody asks a session without an open poll what became of it: it comes back elsewhere. */
static void on_shutdown(struct client *c)
{
    struct client *carrier = c->state ? room_carrier(c) : c;
    if (c->state && room_session_of(carrier)->polling)
        room_close_polling(carrier, SLICE("1"), "server stops");
    else
        websocket_client_shutdown(c);
}

static const char *const other_paths[] = {"/ws/socket.io/", "/ws", "/engine.io/", NULL};

const struct dialect rooms_dialect = {
    .name = "rooms",
    .index = DIALECT_ROOMS,
    .path = "/socket.io/",
    .other_paths = other_paths,
    .claims = claims,
    .late_token = true,
    .accept = accept_client,
    .caught_up = caught_up,
    .gap = gap,
    .overflow = overflow,
    .shutdown = on_shutdown,
    .closed = closed,
    .error = send_error,
    .token_refreshed = token_refreshed,
    .token_ended = token_ended,
};
