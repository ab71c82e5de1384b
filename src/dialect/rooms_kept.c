/*
 * What is written down of sockets that may come back, so that they can after the server was killed,
 * too; for the dialect `rooms`.
 *
 * A client that was told that it is in a room counts on it. So with an engine that keeps notes the
 * answer to `subscribe` waits until the note is on the disk, or cannot be written now. What is
 * delivered meanwhile does not wait, unless the socket went back for the room: the cursors of that
 * stretch make sense only to a server that knows the mark. Then it is held where it stands, and
 * goes on from there.
 */
#include "base/memory.h"
#include "dialect/publication.h"
#include "dialect/rooms_private.h"

struct room_socket room_as_socket(const struct room_session *s, struct slice user)
{
    struct room_socket socket = {
        .space = s->space, .user = user, .rooms = s->rooms, .marks = s->marks};
    memcpy(socket.pid, s->pid, sizeof socket.pid);
    memcpy(socket.id, s->socket_id, sizeof socket.id);
    return socket;
}

static struct room_recovery *recovery_of(struct client *c)
{
    return client_delivery(c)->options->rooms.recovery;
}

static bool is_written(struct client *c)
{
    const struct room_session *s = room_session_of(c);
    return s->space && s->pid[0] && ROOMS_OPTION(c, recovery_window_ms) &&
           room_recovery_writes(recovery_of(c));
}

static struct room_socket socket_now(struct client *c)
{
    return room_as_socket(room_session_of(c), slice_from(client_identity(c)->principal.name));
}

void room_write(struct client *c)
{
    if (!is_written(c))
        return;
    struct room_socket socket = socket_now(c);
    room_recovery_write(recovery_of(c), &socket);
}

void room_strike(struct client *c)
{
    if (is_written(c))
        room_recovery_strike(recovery_of(c), room_session_of(c)->pid);
}

/* ---- Answers that wait ---- */

bool room_waits(const struct client *c)
{
    return c->publishing != NULL;
}

bool room_collect(struct client *c, const struct buf *out)
{
    struct buf *answers = room_session_of(c)->answers;
    uint32_t length = (uint32_t)out->len;
    if (!answers)
        return false;
    buf_append(answers, &length, sizeof length);
    buf_append_slice(answers, buf_slice(out));
    answers->failed |= out->failed;
    return true;
}

static void send_answers(struct client *c, struct slice answers)
{
    while (answers.len) {
        uint32_t length;
        memcpy(&length, answers.ptr, sizeof length);
        struct buf *out = message_begin(c);
        buf_append_slice(out, slice_of(answers.ptr + sizeof length, length));
        room_send(c, out);
        answers = slice_skip(answers, sizeof length + length);
    }
}

/* It may have left its namespace meanwhile, or be in another one. */
static bool is_there(struct client *c, const struct publication_outcome *outcome)
{
    const struct room_session *s = room_session_of(c);
    return s && s->space && s->stay == outcome->tag;
}

static void told(struct client *c, const struct publication_outcome *outcome)
{
    if (is_there(c, outcome))
        send_answers(c, outcome->answer);
}

static void told_and_released(struct client *c, const struct publication_outcome *outcome)
{
    told(c, outcome);
    if (is_there(c, outcome))
        subscriber_release(&c->subscriber);
}

/* Writes the socket down; what was collected is sent then. held: it goes on then, too. */
static void write_and_tell(struct client *c, const struct buf *answers, bool held)
{
    struct buf name = {0}, value = {0};
    struct room_socket socket = socket_now(c);
    room_recovery_note(&socket, &name, &value);
    if (name.failed || value.failed || answers->failed)
        conn_close(&c->ws.conn, "out of memory");
    else
        publication_keep(c, buf_slice(&name), buf_slice(&value), buf_slice(answers),
                         held ? told_and_released : told, room_session_of(c)->stay);
    buf_fini(&name);
    buf_fini(&value);
}

void room_change(struct client *c, const struct room_call *call, struct slice room,
                 room_changing *change, const struct start_point *start)
{
    struct buf answers = {0};
    bool holds = start && start->kind != START_NOW;
    if (!is_written(c)) {
        change(c, call, room, start);
        return;
    }
    if (holds && subscriber_hold(&c->subscriber) != 0) {
        conn_close(&c->ws.conn, "out of memory");
        return;
    }
    room_session_of(c)->answers = &answers;
    change(c, call, room, start);
    room_session_of(c)->answers = NULL;
    write_and_tell(c, &answers, holds);
    buf_fini(&answers);
}

/* ---- Marks ---- */

static unsigned count_rooms(const struct buf *rooms)
{
    struct slice room;
    uint64_t since;
    unsigned count = 0;
    for (size_t at = 0; room_next(rooms, &at, &since, &room);)
        count++;
    return count;
}

/* A mark where the first `count` rooms are ahead of where the socket reads on. False: they are not.
 */
static bool mark(struct client *c, unsigned count)
{
    struct room_session *s = room_session_of(c);
    uint64_t *reached = memory_try_alloc((count + 1) * sizeof *reached);
    uint64_t position = subscriber_position(&c->subscriber), since;
    struct slice room;
    bool ahead = false;
    size_t at = 0;
    for (unsigned i = 0; reached && i < count && room_next(&s->rooms, &at, &since, &room); i++) {
        reached[i] = subscriber_reached(&c->subscriber, room);
        ahead |= reached[i] > position;
    }
    if (!reached || (ahead && room_marks_add(&s->marks, reached, count) != 0))
        conn_close(&c->ws.conn, "out of memory");
    memory_free(reached);
    return ahead;
}

void room_went_back(struct client *c)
{
    const struct room_session *s = room_session_of(c);
    if (s->numbered)
        mark(c, count_rooms(&s->rooms) - 1);
}

void room_rejoined(struct client *c)
{
    struct buf nothing = {0};
    const struct room_session *s = room_session_of(c);
    if (!s->space)
        return; /* a session on its way, without a socket */
    bool marked = s->numbered && mark(c, count_rooms(&s->rooms));
    if (!marked || !is_written(c)) {
        room_write(c);
        return;
    }
    if (subscriber_hold(&c->subscriber) == 0)
        write_and_tell(c, &nothing, true);
    else
        conn_close(&c->ws.conn, "out of memory");
}
