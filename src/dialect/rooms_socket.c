/* A client's way into and out of a namespace, and its packets there. */
#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/memory.h"
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

bool room_next(const struct buf *rooms, size_t *at, uint64_t *since, struct slice *room)
{
    if (*at >= rooms->len)
        return false;
    memcpy(since, rooms->data + *at, sizeof *since);
    *room = slice_from(rooms->data + *at + sizeof *since);
    *at += sizeof *since + room->len + 1;
    return true;
}

int room_join(struct client *c, struct slice room, const struct start_point *start, uint64_t since,
              struct join_result *result)
{
    struct room_session *s = room_session_of(c);
    int error = subscriber_join(&c->subscriber, room, encoding_of(s), start, result);
    if (error)
        return error;
    if (since == ROOM_SINCE_START)
        since = result->position;
    else if (result->reason == RESUME_OK)
        subscriber_had(&c->subscriber, room, since);
    buf_append(&s->rooms, &since, sizeof since);
    buf_append_slice(&s->rooms, room);
    buf_append_char(&s->rooms, '\0');
    if (s->rooms.failed)
        conn_close(&c->ws.conn, "out of memory");
    return 0;
}

void room_leave(struct client *c, struct slice room)
{
    struct buf *rooms = &room_session_of(c)->rooms;
    struct slice name;
    uint64_t since;
    size_t at = 0, from = 0;
    subscriber_leave(&c->subscriber, room);
    for (; room_next(rooms, &at, &since, &name); from = at)
        if (slice_equal(name, room)) {
            memmove(rooms->data + from, rooms->data + at, rooms->len - at);
            rooms->len -= at - from;
            return;
        }
}

/* Joins the rooms that every socket is in. first: of the user's own. */
static bool join_own_rooms(struct client *c, struct slice own, struct join_result *first)
{
    const struct start_point now = {START_NOW, 0, 0};
    const struct slice rooms[] = {own, SLICE("global")};
    for (unsigned i = 0; i < 2; i++) {
        struct join_result r;
        int error = room_join(c, rooms[i], &now, ROOM_SINCE_START, &r);
        if (error) {
            websocket_client_refuse_join(c, error);
            return false;
        }
        topic_unref(r.topic);
        if (i == 0)
            *first = r;
    }
    return true;
}

static void confirm(struct client *c)
{
    const struct room_session *s = room_session_of(c);
    struct buf *out = room_begin(c, SIO_CONNECT, NULL);
    buf_append_char(out, '{');
    json_put_text(out, "sid", s->socket_id);
    if (s->pid[0])
        json_put_text(out, "pid", s->pid);
    json_end(out, '}');
    room_send(c, out);
}

/* cursor: where the client stands, NULL when it knows better. */
static void greet(struct client *c, const char *cursor)
{
    const struct buf *rooms = &room_session_of(c)->rooms;
    struct slice room;
    uint64_t since;
    size_t at = 0;
    char id[CONN_ID_SIZE];
    conn_format_id(&c->ws.conn, id);
    struct buf *out = room_begin_event(c, "connection_established", "connection.established");
    json_put_text(out, "source", "websocket");
    json_begin(out, "data", '{');
    json_put_text(out, "connection_id", id);
    json_put_name(out, "user_id");
    json_append_lossy(out, slice_from(client_identity(c)->principal.name));
    json_begin(out, "rooms", '[');
    while (room_next(rooms, &at, &since, &room))
        json_put_slice(out, NULL, room);
    json_end(out, ']');
    json_end(out, '}');
    room_end_event(c, out, cursor);
}

/* ---- What users missed ---- */

#define REPLAY_MAX   500
#define REPLAY_BYTES (512 * 1024)

/* What came to the user's own topic up to `until` since their last connection. */
static void replay(struct client *c, struct slice own, uint64_t until)
{
    const struct delivery *d = client_delivery(c);
    const struct identity *who = client_identity(c);
    uint64_t position, since;
    struct topic_page page;
    if (who->anonymous ||
        !room_recovery_find_user(d->options->rooms.recovery, slice_from(who->principal.name),
                                 &position) ||
        hub_topic_offset_at(d->hub, own, position, &since) != 0)
        return;
    if (until > REPLAY_MAX && since < until - REPLAY_MAX)
        since = until - REPLAY_MAX;
    struct event **events = memory_try_alloc(REPLAY_MAX * sizeof(struct event *));
    if (!events)
        return;
    if (hub_topic_page(d->hub, own, since, REPLAY_MAX, REPLAY_BYTES, events, &page) != 0)
        page.count = 0;
    for (unsigned i = 0; i < page.count; i++) {
        unsigned place = event_place_in(events[i], own);
        if (events[i]->places[place].offset <= until && !c->ws.close_sent)
            room_send_replayed(c, events[i], place);
        event_unref(events[i]);
    }
    memory_free(events);
}

/* ---- Coming back ---- */

static bool join_again(struct client *c, const struct buf *rooms, struct cursor position)
{
    struct slice room;
    uint64_t since;
    for (size_t at = 0; room_next(rooms, &at, &since, &room);) {
        uint64_t from = since > position.seq ? since : position.seq;
        const struct start_point start = {START_CURSOR, from, position.epoch};
        struct buf why = {0};
        struct join_result r;
        bool may = slice_starts(room, "user:") || client_may_read(c, room, &why);
        buf_fini(&why);
        if (!may)
            continue;
        int error = room_join(c, room, &start, since, &r);
        if (error) {
            websocket_client_refuse_join(c, error);
            return false;
        }
        if (r.reason != RESUME_OK)
            room_send_gap(c, room, r.missed_from, r.offset, resume_reason_name(r.reason));
        topic_unref(r.topic);
    }
    return true;
}

/* Whether the client brings a position of ours and we remember its socket. */
static bool find_socket(struct client *c, struct json_value data, struct room_socket *socket,
                        struct cursor *position)
{
    const struct delivery *d = client_delivery(c);
    struct slice user = slice_from(client_identity(c)->principal.name);
    if (data.kind != JSON_OBJECT)
        return false;
    struct slice pid = message_text(data, "pid"), offset = message_text(data, "offset");
    return pid.ptr && offset.ptr && cursor_parse(offset, position) == 0 &&
           position->epoch == hub_epoch(d->hub) &&
           room_recovery_take(d->options->rooms.recovery, pid, user, room_session_of(c)->space,
                              socket);
}

static bool recover(struct client *c, struct json_value data)
{
    struct room_session *s = room_session_of(c);
    struct room_socket socket;
    struct cursor position;
    if (!find_socket(c, data, &socket, &position))
        return false;
    memcpy(s->pid, socket.pid, sizeof s->pid);
    memcpy(s->socket_id, socket.id, sizeof s->socket_id);
    confirm(c);
    if (join_again(c, &socket.rooms, position))
        greet(c, NULL);
    buf_fini(&socket.rooms);
    return true;
}

static void begin(struct client *c)
{
    struct room_session *s = room_session_of(c);
    struct buf own = {0};
    struct join_result first;
    char cursor[CURSOR_TEXT_SIZE];
    random_text(s->socket_id, ROOM_ID_SIZE - 1);
    s->pid[0] = '\0';
    if (s->numbered)
        random_text(s->pid, ROOM_ID_SIZE - 1);
    append_own_room(&own, c);
    confirm(c);
    if (own.failed) {
        conn_close(&c->ws.conn, "out of memory");
    } else if (join_own_rooms(c, buf_slice(&own), &first)) {
        cursor_format((struct cursor){hub_epoch(client_delivery(c)->hub), first.seq}, cursor);
        greet(c, s->numbered ? cursor : NULL);
        replay(c, buf_slice(&own), first.offset);
    }
    buf_fini(&own);
}

static void on_connect(struct client *c, const struct sio_packet *packet)
{
    struct room_session *s = room_session_of(c);
    const struct room_space *space = room_space_find(packet->space);
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
    if (packet->data.kind == JSON_OBJECT) {
        enum json_kind wish = message_member(packet->data, "recovery").kind;
        s->numbered = wish == JSON_TRUE || (s->numbered && wish != JSON_FALSE);
    }
    if (!s->numbered || !recover(c, packet->data))
        begin(c);
}

/* ---- Out ---- */

/* Up to where the user has been given their own topic: not what still waits to be sent. */
static void note_user(struct client *c)
{
    const struct identity *who = client_identity(c);
    uint64_t position = subscriber_position(&c->subscriber), first = position + 1;
    if (who->anonymous)
        return;
    conn_drop_events(&c->ws.conn, &first);
    room_recovery_note_user(client_delivery(c)->options->rooms.recovery,
                            slice_from(who->principal.name),
                            first <= position ? first - 1 : position);
}

void room_remember(struct client *c)
{
    struct room_session *s = room_session_of(c);
    const struct delivery *d = client_delivery(c);
    uint64_t window = d->options->rooms.recovery_window_ms;
    if (!s->space || !client_identity(c))
        return;
    note_user(c);
    if (!s->pid[0] || !window)
        return;
    struct room_socket socket = {.space = s->space,
                                 .user = slice_from(client_identity(c)->principal.name),
                                 .rooms = s->rooms};
    memcpy(socket.pid, s->pid, sizeof socket.pid);
    memcpy(socket.id, s->socket_id, sizeof socket.id);
    s->rooms = (struct buf){0};
    room_recovery_keep(d->options->rooms.recovery, &socket, clock_ms() + window);
    buf_fini(&socket.rooms);
}

static void leave(struct client *c)
{
    struct room_session *s = room_session_of(c);
    note_user(c);
    subscriber_fini(&c->subscriber);
    subscriber_init(&c->subscriber, &client_delivery(c)->fanout);
    buf_fini(&s->rooms);
    s->space = NULL;
}

void room_disconnect(struct client *c)
{
    room_send(c, room_begin(c, SIO_DISCONNECT, NULL));
    room_remember(c);
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
