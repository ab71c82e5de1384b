/* A client's way into and out of a namespace, and its packets there. */
#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "codec/cursor.h"
#include "dialect/publication.h"
#include "dialect/rooms_private.h"
#include "net/conn_log.h"

/* ---- Refusing ---- */

/* CONNECT_ERROR; space: as the client named it. message NULL: it follows. */
static struct buf *begin_refusal(struct client *c, struct slice space, const char *message)
{
    struct buf *out = message_begin(c);
    buf_append_char(out, (char)('0' + EIO_MESSAGE));
    sio_append_head(out, SIO_CONNECT_ERROR, space, NULL);
    buf_append_char(out, '{');
    if (message)
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
    bool known = text.len == 0 && room_session_of(c)->vouched && who && !who->anonymous;
    bool in = known || client_login(c, buf_slice(&text), &refusal) == TOKEN_GOOD;
    room_session_of(c)->vouched &= known || !in;
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
    return &s->space->encodings[s->numbered][room_carrier(s->client)->ws.deflate].encoding;
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

void room_put(struct buf *rooms, uint64_t since, struct slice room)
{
    buf_append(rooms, &since, sizeof since);
    buf_append_slice(rooms, room);
    buf_append_char(rooms, '\0');
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
    room_put(&s->rooms, since, room);
    if (s->rooms.failed)
        conn_close(&c->ws.conn, "out of memory");
    return 0;
}

void room_leave(struct client *c, struct slice room)
{
    struct room_session *s = room_session_of(c);
    struct buf *rooms = &s->rooms;
    struct slice name;
    uint64_t since;
    size_t at = 0, from = 0;
    subscriber_leave(&c->subscriber, room);
    for (unsigned i = 0; room_next(rooms, &at, &since, &name); i++, from = at)
        if (slice_equal(name, room)) {
            memmove(rooms->data + from, rooms->data + at, rooms->len - at);
            rooms->len -= at - from;
            room_marks_leave(s->marks, i);
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

void room_confirm(struct client *c)
{
    struct room_session *s = room_session_of(c);
    struct buf *out = room_begin(c, SIO_CONNECT, NULL);
    s->entered = true;
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

/* ---- Coming back ---- */

/* False: it was refused, and the connection is closed. */
static bool join_one_again(struct client *c, struct slice room, uint64_t since,
                           const struct start_point *start)
{
    struct join_result r;
    int error = room_join(c, room, start, since, &r);
    if (error) {
        websocket_client_refuse_join(c, error);
        return false;
    }
    if (r.reason != RESUME_OK)
        room_send_gap(c, room, r.missed_from, r.offset, resume_reason_name(r.reason));
    topic_unref(r.topic);
    return true;
}

static bool may_go_on(struct client *c, struct slice room)
{
    struct buf why = {0};
    bool may = slice_starts(room, "user:") || client_may_read(c, room, &why);
    buf_fini(&why);
    return may;
}

/* The marks that go with the rooms are the session's already. */
static bool join_again(struct client *c, const struct buf *rooms, const struct room_offset *offset)
{
    struct room_session *s = room_session_of(c);
    struct slice room;
    struct buf starts = {0};
    uint64_t since;
    unsigned count = 0;
    bool joined = true;
    for (size_t at = 0; joined && room_next(rooms, &at, &since, &room);) {
        struct start_point start = {START_CURSOR, 0, offset->cursor.epoch};
        if (!may_go_on(c, room)) {
            room_marks_leave(s->marks, count);
            continue;
        }
        start.offset = room_marks_start(s->marks, offset, count++, since);
        buf_append(&starts, &start.offset, sizeof start.offset);
        joined = join_one_again(c, room, since, &start);
    }
    if (joined && (starts.failed ||
                   room_marks_come_back(s->marks, offset, (uint64_t *)starts.data, count) != 0))
        conn_close(&c->ws.conn, "out of memory");
    buf_fini(&starts);
    if (joined)
        room_rejoined(c);
    return joined;
}

/* Whether the client brings a position of ours, and the pid of a socket. */
static bool brings_position(struct client *c, struct json_value data, struct slice *pid,
                            struct room_offset *offset)
{
    if (data.kind != JSON_OBJECT)
        return false;
    struct slice text = message_text(data, "offset");
    *pid = message_text(data, "pid");
    return pid->ptr && text.ptr && room_offset_parse(text, offset) == 0 &&
           offset->cursor.epoch == hub_epoch(client_delivery(c)->hub);
}

static bool recover(struct client *c, struct slice pid, const struct room_offset *offset)
{
    struct room_recovery *recovery = client_delivery(c)->options->rooms.recovery;
    struct room_session *s = room_session_of(c);
    struct slice user = slice_from(client_identity(c)->principal.name);
    struct room_socket socket;
    if (!room_recovery_take(recovery, pid, user, s->space, &socket))
        return false;
    memcpy(s->pid, socket.pid, sizeof s->pid);
    memcpy(s->socket_id, socket.id, sizeof s->socket_id);
    s->marks = socket.marks;
    socket.marks = NULL;
    s->confirmed = s->asked = offset->cursor.seq;
    room_live_add(c);
    room_confirm(c);
    if (join_again(c, &socket.rooms, offset))
        greet(c, NULL);
    room_socket_fini(&socket);
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
    room_live_add(c);
    room_confirm(c);
    if (own.failed) {
        conn_close(&c->ws.conn, "out of memory");
    } else if (join_own_rooms(c, buf_slice(&own), &first)) {
        cursor_format((struct cursor){hub_epoch(client_delivery(c)->hub), first.seq}, cursor);
        greet(c, s->numbered ? cursor : NULL);
        room_write(c);
        room_user_begin(c, buf_slice(&own), &first);
    }
    buf_fini(&own);
}

void room_enter(struct client *c, struct json_value auth)
{
    struct room_offset offset;
    struct slice pid;
    if (!room_session_of(c)->numbered || !brings_position(c, auth, &pid, &offset) ||
        !recover(c, pid, &offset))
        begin(c);
}

/* Whoever comes back may have been here all the time. */
static void come_back(struct client *c, struct json_value auth)
{
    struct room_offset offset;
    struct slice pid;
    if (!room_session_of(c)->numbered || !brings_position(c, auth, &pid, &offset))
        begin(c);
    else if (!recover(c, pid, &offset) && !room_takeover_begin(c, pid, auth))
        begin(c);
}

/* False: it was refused. */
static bool connect_to_server(struct client *c, const struct room_space *space,
                              const struct sio_packet *packet)
{
    struct room_session *s = room_session_of(c);
    bool wants = s->javascript;
    if (!login(c, packet))
        return false;
    if (c->ws.conn.state != CONN_OPEN)
        return true;
    if (packet->data.kind == JSON_OBJECT) {
        enum json_kind wish = message_member(packet->data, "recovery").kind;
        wants = wish == JSON_TRUE || (wants && wish != JSON_FALSE);
    }
    s->space = space;
    s->numbered = wants && space->recovers;
    s->entered = false;
    s->pid[0] = '\0';
    come_back(c, packet->data);
    return true;
}

static bool connect_to_program(struct client *c, const struct room_space *space,
                               const struct sio_packet *packet)
{
    struct room_session *s = room_session_of(c);
    struct buf refusal = {0};
    s->space = space;
    s->numbered = s->entered = false;
    s->pid[0] = '\0';
    random_text(s->socket_id, ROOM_ID_SIZE - 1);
    bool in = room_program_open(c, packet->data, &refusal);
    if (!in && s->entered) { /* it was let in by what it was sent */
        room_send(c, room_begin(c, SIO_DISCONNECT, NULL));
        s->space = NULL;
    } else if (!in) {
        s->space = NULL;
        struct buf *out = begin_refusal(c, packet->space, NULL);
        buf_append_slice(out, buf_slice(&refusal));
        json_end(out, '}');
        room_send(c, out);
    }
    buf_fini(&refusal);
    return in;
}

/* The first namespace is the session's own; what is refused leaves nothing behind. */
static void enter(struct client *carrier, const struct room_space *space,
                  const struct sio_packet *packet)
{
    bool first = !room_session_of(carrier)->space;
    struct client *c = first ? carrier : room_carried_new(carrier);
    if (!c) {
        refuse_space(carrier, packet->space, "too many connections, or no memory for one more");
        return;
    }
    bool in =
        space->hooks ? connect_to_program(c, space, packet) : connect_to_server(c, space, packet);
    if (in || first)
        return;
    room_carry(c, true);
    room_carried_detach(room_session_of(c));
    conn_close(&c->ws.conn, "refused");
}

static void on_connect(struct client *c, const struct sio_packet *packet)
{
    const struct room_space *space =
        room_space_find(client_delivery(c)->options->rooms.spaces, packet->space);
    if (!space)
        refuse_space(c, packet->space, "Invalid namespace");
    else if (room_carried_find(c, packet->space))
        refuse_space(c, packet->space, "already connected to this namespace");
    else
        enter(c, space, packet);
}

/* ---- Out ---- */

void room_remember_socket(const struct delivery *d, struct room_session *s,
                          const struct identity *who, struct buf *rooms)
{
    struct room_recovery *recovery = d->options->rooms.recovery;
    uint64_t window = d->options->rooms.recovery_window_ms;
    struct slice user = slice_from(who->principal.name);
    if (!who->anonymous)
        room_recovery_note_user(recovery, user, s->confirmed);
    if (!s->pid[0] || !window)
        return;
    struct room_socket socket = room_as_socket(s, user);
    socket.rooms = *rooms;
    *rooms = (struct buf){0};
    s->marks = NULL;
    s->pid[0] = '\0'; /* once */
    room_recovery_keep(recovery, &socket, clock_ms() + window);
    room_socket_fini(&socket);
}

void room_remember(struct client *c)
{
    struct room_session *s = room_session_of(c);
    if (!s->space || s->space->hooks || !s->entered || !client_identity(c))
        return;
    room_live_remove(c);
    room_remember_socket(client_delivery(c), s, client_identity(c), &s->rooms);
}

/* A carried socket is gone with its namespace; the session's own place becomes free. */
void room_leave_space(struct client *c)
{
    struct room_session *s = room_session_of(c);
    struct client *carrier = room_carrier(c);
    subscriber_fini(&c->subscriber);
    subscriber_init(&c->subscriber, &client_delivery(c)->fanout);
    buf_fini(&s->rooms);
    room_marks_free(s->marks);
    s->marks = NULL;
    room_live_remove(c);
    room_takeover_forget(c);
    s->space = NULL;
    s->pid[0] = '\0';
    s->numbered = s->entered = false;
    s->stay++;
    if (!room_has_socket(carrier))
        room_session_of(carrier)->idle_ms = clock_wall_ms();
    if (c == carrier)
        return;
    room_carry(c, true);
    room_carried_detach(s);
    conn_close(&c->ws.conn, "left its namespace");
}

void room_disconnect(struct client *c)
{
    room_session_of(room_carrier(c))->left = true;
    room_send(c, room_begin(c, SIO_DISCONNECT, NULL));
    room_program_closed(c, "disconnected by the server");
    room_remember(c);
    room_leave_space(c);
}

/* The client says goodbye: nothing is to be recovered. */
static void on_disconnect(struct client *c)
{
    if (room_session_of(c)->space->hooks) {
        room_program_closed(c, "disconnected by the client");
    } else if (room_session_of(c)->entered) {
        room_user_left(c);
        room_user_note(c);
        room_strike(c);
    }
    room_leave_space(c);
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

/* carrier: whose connection it came on; c: the socket that it is for. */
static void take_packet(struct client *carrier, struct client *c, const struct sio_whole *whole)
{
    switch (whole->packet.type) {
    case SIO_DISCONNECT:
        on_disconnect(c);
        break;
    case SIO_CONNECT_ERROR:
        room_fail(carrier, "a client sent CONNECT_ERROR");
        break;
    default:
        if (!room_session_of(c)->entered)
            room_fail(carrier, "a packet before CONNECT was answered");
        else if (room_session_of(c)->space->hooks)
            room_program_take(c, whole);
        else if (whole->packet.type == SIO_EVENT || whole->packet.type == SIO_BINARY_EVENT)
            on_event(c, &whole->packet);
        break; /* else an acknowledgement: no event of ours asks for one */
    }
}

static void take_whole(struct client *carrier, const struct sio_whole *whole)
{
    if (whole->packet.type == SIO_CONNECT) {
        on_connect(carrier, &whole->packet);
        return;
    }
    struct client *c = room_carried_find(carrier, whole->packet.space);
    if (c)
        take_packet(carrier, c, whole);
    else if (whole->packet.type != SIO_DISCONNECT && !room_session_of(carrier)->left)
        room_fail(carrier, "a packet for a namespace without CONNECT");
}

static void take(struct client *carrier, int result, const struct sio_whole *whole, const char *why)
{
    if (result == 1)
        take_whole(carrier, whole);
    else if (result < 0)
        room_fail(carrier, why ? why : "out of memory");
}

/* ---- Packets that wait for the client's publications ---- */

static void take_again(struct client *c, struct slice message, bool binary)
{
    if (binary)
        room_take_binary(room_carrier(c), message);
    else
        room_take_text(room_carrier(c), message);
}

/* The socket for whose publications what comes on the connection has to wait, in whatever
 * namespace: all its packets keep their order. NULL: none. */
static struct client *waits_for(struct client *carrier, bool publishes)
{
    for (struct room_session *s = room_session_of(carrier); s; s = s->carried)
        if (publication_must_wait(s->client, publishes))
            return s->client;
    return NULL;
}

/* Its attachments are messages of their own, which wait with it. */
static bool has_attachments(struct slice text)
{
    char type = text.len ? (char)(text.ptr[0] - '0') : SIO_EVENT;
    return type == SIO_BINARY_EVENT || type == SIO_BINARY_ACK;
}

static bool publishes(const struct sio_packet *packet)
{
    struct json_iter it = json_elements(packet->data);
    struct json_value name;
    return packet->type == SIO_EVENT && json_next_element(&it, &name) && room_event_publishes(name);
}

void room_take_text(struct client *c, struct slice text)
{
    struct sio_whole whole;
    const char *why = NULL;
    struct client *busy = waits_for(c, !has_attachments(text));
    if (busy) {
        publication_defer(busy, text, false, take_again);
        return;
    }
    int result = sio_take_text(&room_session_of(c)->assembly, text, &whole, &why);
    busy = result == 1 ? waits_for(c, publishes(&whole.packet)) : NULL;
    if (busy)
        publication_defer(busy, text, false, take_again);
    else
        take(c, result, &whole, why);
}

void room_take_binary(struct client *c, struct slice bytes)
{
    struct sio_whole whole;
    const char *why = NULL;
    size_t most = client_delivery(c)->options->rooms.max_payload;
    struct client *busy = waits_for(c, true);
    if (busy) {
        publication_defer(busy, bytes, true, take_again);
        return;
    }
    take(c, sio_take_binary(&room_session_of(c)->assembly, bytes, most, &whole, &why), &whole, why);
}
