/* A client's way into and out of a namespace, and its packets there. */
#include "auth/authenticator.h"
#include "base/random.h"
#include "codec/cursor.h"
#include "dialect/rooms_private.h"
#include "net/conn_log.h"

/* ---- Refusing ---- */

/* CONNECT_ERROR; space: as the client named it. */
static struct buf *begin_refusal(struct client *c, struct slice space, const char *message)
{
    struct buf *out = message_begin(c);
    buf_append_char(out, (char)('0' + EIO_MESSAGE));
    sio_append_head(out, SIO_CONNECT_ERROR, space, NULL);
    buf_append_char(out, '{');
    json_put_text(out, "message", message);
    return out;
}

static void refuse_space(struct client *c, struct slice space, const char *message)
{
    struct buf *out = begin_refusal(c, space, message);
    json_end(out, '}');
    room_send(c, out);
}

static void refuse_token(struct client *c, struct slice space, const struct token_refusal *refusal)
{
    struct buf *out = begin_refusal(c, space, "Authentication failed");
    json_begin(out, "data", '{');
    json_put_text(out, "code", "AUTH_FAILED");
    json_begin(out, "content", '{');
    json_put_text(out, "code", "AUTH_FAILED");
    json_put_text(out, "reason", token_problem_reason(refusal->problem));
    json_put_name(out, "detail");
    json_append_lossy(out, slice_from(refusal->detail));
    json_end(out, '}');
    json_end(out, '}');
    json_end(out, '}');
    room_send(c, out);
}

/* ---- Who it is ---- */

/* The token of auth.token; without one, the handshake's own counts if it had one. */
static bool login(struct client *c, const struct sio_packet *packet)
{
    struct token_refusal refusal = {0};
    struct json_value token = message_member(packet->data, "token");
    struct buf text = {0};
    if (packet->data.kind == JSON_OBJECT && token.kind == JSON_STRING)
        json_string_append(&text, token);
    else if (packet->data.kind == JSON_OBJECT && token.kind != JSON_NULL)
        buf_append_char(&text, '?'); /* not a token's text: malformed */
    const struct identity *who = client_identity(c);
    bool known = text.len == 0 && who && !who->anonymous;
    bool in = known || client_login(c, buf_slice(&text), &refusal) == TOKEN_GOOD;
    buf_fini(&text);
    if (!in)
        refuse_token(c, packet->space, &refusal);
    return in;
}

/* ---- In ---- */

static void append_own_room(struct buf *out, const struct client *c)
{
    const struct identity *who = client_identity(c);
    if (who->user_topic.len)
        buf_append_slice(out, buf_slice(&who->user_topic));
    else
        BUF_LITERAL(out, "user:anonymous");
}

static const struct encoding *encoding_of(const struct room_session *s)
{
    return s->numbered ? &s->space->numbered : &s->space->plain;
}

int room_join(struct client *c, struct slice room, const struct start_point *start,
              struct join_result *result)
{
    return subscriber_join(&c->subscriber, room, encoding_of(room_session_of(c)), start, result);
}

/* Joins the rooms that every socket is in. *seq: from where on. */
static bool join_own_rooms(struct client *c, struct slice own, uint64_t *seq)
{
    const struct start_point now = {START_NOW, 0, 0};
    const struct slice rooms[] = {own, SLICE("global")};
    for (unsigned i = 0; i < 2; i++) {
        struct join_result r;
        int error = room_join(c, rooms[i], &now, &r);
        if (error) {
            websocket_client_refuse_join(c, error);
            return false;
        }
        *seq = r.seq;
        topic_unref(r.topic);
    }
    return true;
}

static void confirm(struct client *c)
{
    const struct room_session *s = room_session_of(c);
    struct buf *out = room_begin(c, SIO_CONNECT, NULL);
    buf_append_char(out, '{');
    json_put_text(out, "sid", s->socket_id);
    json_end(out, '}');
    room_send(c, out);
}

static void greet(struct client *c, struct slice own)
{
    char id[CONN_ID_SIZE];
    conn_format_id(&c->ws.conn, id);
    struct buf *out = room_begin_event(c, "connection_established", "connection.established");
    json_put_text(out, "source", "websocket");
    json_begin(out, "data", '{');
    json_put_text(out, "connection_id", id);
    json_put_name(out, "user_id");
    json_append_lossy(out, slice_from(client_identity(c)->principal.name));
    json_begin(out, "rooms", '[');
    json_put_slice(out, NULL, own);
    json_put_text(out, NULL, "global");
    json_end(out, ']');
    json_end(out, '}');
    room_end_event(c, out, NULL);
}

static void on_connect(struct client *c, const struct sio_packet *packet)
{
    struct room_session *s = room_session_of(c);
    const struct room_space *space = room_space_find(packet->space);
    struct buf own = {0};
    uint64_t seq;
    if (!space) {
        refuse_space(c, packet->space, "Invalid namespace");
        return;
    }
    if (s->space) {
        refuse_space(c, packet->space, "one connection takes one namespace: use forceNew");
        return;
    }
    if (!login(c, packet) || c->ws.conn.state != CONN_OPEN)
        return;
    s->space = space;
    random_text(s->socket_id, ROOM_ID_SIZE - 1);
    append_own_room(&own, c);
    if (own.failed)
        conn_close(&c->ws.conn, "out of memory");
    else {
        confirm(c);
        greet(c, buf_slice(&own));
        join_own_rooms(c, buf_slice(&own), &seq);
    }
    buf_fini(&own);
}

/* ---- Out ---- */

static void leave(struct client *c)
{
    subscriber_fini(&c->subscriber);
    subscriber_init(&c->subscriber, &client_delivery(c)->fanout);
    room_session_of(c)->space = NULL;
}

void room_disconnect(struct client *c)
{
    room_send(c, room_begin(c, SIO_DISCONNECT, NULL));
    leave(c);
}

/* ---- Packets ---- */

static void on_event(struct client *c, const struct sio_packet *packet)
{
    struct room_session *s = room_session_of(c);
    struct room_call call = {packet->has_id, packet->id, {JSON_NULL, {"null", 4}}};
    struct json_iter it = json_elements(packet->data);
    struct json_value name;
    json_next_element(&it, &name); /* was checked when it was read */
    json_next_element(&it, &call.payload);
    s->call = &call;
    room_take_event(c, name, &call);
    s->call = NULL;
}

static void take_packet(struct client *c, const struct sio_packet *packet)
{
    const struct room_session *s = room_session_of(c);
    if (packet->type == SIO_CONNECT) {
        on_connect(c, packet);
        return;
    }
    if (!s->space || !slice_equal(s->space->name, packet->space)) {
        if (packet->type != SIO_DISCONNECT) /* both may say goodbye at once */
            room_fail(c, "a packet for a namespace without CONNECT");
        return;
    }
    switch (packet->type) {
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        on_event(c, packet);
        break;
    case SIO_DISCONNECT:
        leave(c);
        break;
    case SIO_CONNECT_ERROR:
        room_fail(c, "a client sent CONNECT_ERROR");
        break;
    default:
        break; /* an acknowledgement: no event of ours asks for one */
    }
}

static void take(struct client *c, int result, const struct sio_whole *whole, const char *why)
{
    if (result == 1)
        take_packet(c, &whole->packet);
    else if (result < 0)
        room_fail(c, why ? why : "out of memory");
}

void room_take_text(struct client *c, struct slice text)
{
    struct sio_whole whole;
    const char *why = NULL;
    take(c, sio_take_text(&room_session_of(c)->assembly, text, &whole, &why), &whole, why);
}

void room_take_binary(struct client *c, struct slice bytes)
{
    struct sio_whole whole;
    const char *why = NULL;
    size_t most = client_delivery(c)->options->rooms.max_payload;
    take(c, sio_take_binary(&room_session_of(c)->assembly, bytes, most, &whole, &why), &whole, why);
}
