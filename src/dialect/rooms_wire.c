/* What clients of the dialect `rooms` are sent. */
#include "base/clock.h"
#include "dialect/envelope.h"
#include "dialect/rooms_private.h"

/* Answers above this do not count for the control queue's limit. */
#define LARGE (32 * 1024)

/* ---- Events ---- */

void room_append_envelope(struct buf *out, const struct event *e, unsigned place, bool replayed)
{
    BUF_LITERAL(out, "{\"type\":");
    envelope_quoted(out, e->type);
    BUF_LITERAL(out, ",\"timestamp\":");
    envelope_time(out, e->time_ms);
    if (e->source.len) {
        BUF_LITERAL(out, ",\"source\":");
        json_append_string(out, e->source);
    }
    BUF_LITERAL(out, ",\"room\":");
    envelope_quoted(out, topic_name_slice(e->places[place].topic));
    if (!e->ephemeral) {
        BUF_LITERAL(out, ",\"offset\":");
        buf_append_u64(out, e->places[place].offset);
    }
    if (replayed)
        BUF_LITERAL(out, ",\"replayed\":true");
    BUF_LITERAL(out, ",\"data\":");
    buf_append_slice(out, e->data);
    buf_append_char(out, '}');
}

/* ---- Packets ---- */

struct buf *room_begin(struct client *c, enum sio_type type, const uint64_t *id)
{
    const struct room_session *s = room_session_of(c);
    struct buf *out = message_begin(c);
    buf_append_char(out, (char)('0' + EIO_MESSAGE));
    sio_append_head(out, type, slice_from(s->space->name), id);
    return out;
}

void room_send(struct client *c, struct buf *out)
{
    if (room_collect(c, out))
        return;
    /* Where nothing is offered to a socket at once, many small ones may wait, too. */
    message_send(c, out, out->len > LARGE || c->ws.conn.fd < 0);
}

void room_send_replayed(struct client *c, const struct event *e, unsigned place)
{
    struct buf *out = room_begin(c, SIO_EVENT, NULL);
    buf_append_char(out, '[');
    envelope_quoted(out, e->type);
    buf_append_char(out, ',');
    room_append_envelope(out, e, place, true);
    buf_append_char(out, ']');
    message_send(c, out, true);
}

struct buf *room_begin_event(struct client *c, const char *name, const char *type)
{
    struct buf *out = room_begin(c, SIO_EVENT, NULL);
    buf_append_char(out, '[');
    json_put_text(out, NULL, name);
    json_begin(out, NULL, '{');
    json_put_text(out, "type", type);
    json_put_time(out, "timestamp", clock_wall_ms());
    return out;
}

void room_end_event(struct client *c, struct buf *out, const char *cursor)
{
    json_end(out, '}');
    if (cursor)
        json_put_text(out, NULL, cursor);
    json_end(out, ']');
    room_send(c, out);
}

/* ---- Answers ---- */

static struct buf *begin_ack(struct client *c, const struct room_call *call, const char *status)
{
    struct buf *out = room_begin(c, SIO_ACK, &call->id);
    buf_append_char(out, '[');
    json_begin(out, NULL, '{');
    json_put_text(out, "status", status);
    return out;
}

struct buf *room_begin_ack(struct client *c, const struct room_call *call)
{
    return begin_ack(c, call, "success");
}

void room_end_ack(struct client *c, struct buf *out, const struct room_call *call)
{
    json_end(out, '}');
    json_end(out, ']');
    if (call->has_id)
        room_send(c, out);
}

void room_refuse(struct client *c, const struct room_call *call, const char *code,
                 struct slice message)
{
    bool acknowledged = call && call->has_id;
    struct buf *out;
    if (acknowledged) {
        out = begin_ack(c, call, "error");
    } else {
        out = room_begin_event(c, "error", "error");
        json_put_text(out, "source", "websocket");
        json_begin(out, "data", '{');
    }
    json_put_text(out, "code", code);
    json_put_name(out, "message");
    json_append_lossy(out, message);
    if (acknowledged) {
        room_end_ack(c, out, call);
    } else {
        json_end(out, '}');
        room_end_event(c, out, NULL);
    }
}

void room_send_gap(struct client *c, struct slice room, uint64_t from, uint64_t to,
                   const char *reason)
{
    struct buf *out = room_begin_event(c, "gap", "gap");
    json_put_text(out, "source", "websocket");
    json_put_slice(out, "room", room);
    json_begin(out, "data", '{');
    json_put_u64(out, "from", from);
    json_put_u64(out, "to", to);
    json_put_text(out, "reason", reason);
    json_end(out, '}');
    room_end_event(c, out, NULL);
}
