/* What clients of the dialect `rooms` ask for by events; each is answered by an acknowledgement. */
#include <stdio.h>

#include "base/clock.h"
#include "codec/cursor.h"
#include "dialect/envelope.h"
#include "dialect/publication.h"
#include "dialect/resume.h"
#include "dialect/rooms_private.h"
#include "fanfare/error.h"
#include "net/conn_log.h"

/* ---- Rooms ---- */

/* The room that the payload names; ptr NULL: the call was refused. */
static struct slice read_room(struct client *c, const struct room_call *call)
{
    struct topic_name name;
    const char *why = "room must be a text: project:<id>, agent:<id>, session:<id>, "
                      "channel:<name> or global";
    struct slice room = slice_of(NULL, 0);
    if (call->payload.kind == JSON_OBJECT)
        room = message_text(call->payload, "room");
    if (room.ptr && topic_name_parse(room, &name, &why) == 0)
        return room;
    room_refuse(c, call, "INVALID_ROOM", slice_from(why));
    return slice_of(NULL, 0);
}

static bool may_read(struct client *c, const struct room_call *call, struct slice room)
{
    struct buf why = {0};
    bool may = subscriber_follows(&c->subscriber, room) || client_may_read(c, room, &why);
    if (!may)
        room_refuse(c, call, "FORBIDDEN", buf_slice(&why));
    buf_fini(&why);
    return may;
}

/* By a cursor, or by since and epoch; since: 0 without epoch means the beginning. */
static bool read_start(struct client *c, const struct room_call *call, struct start_point *start)
{
    struct json_value since = message_member(call->payload, "since");
    struct json_value epoch = message_member(call->payload, "epoch");
    *start = (struct start_point){START_NOW, 0, 0};
    if (since.kind == JSON_NULL && message_member(call->payload, "cursor").kind == JSON_NULL)
        return true;
    if (epoch.kind == JSON_NULL && since.kind == JSON_NUMBER && slice_is(since.text, "0")) {
        start->kind = START_BEGINNING;
        return true;
    }
    if (resume_from_message(call->payload, "since", start) == 0)
        return true;
    room_refuse(c, call, "INVALID_POSITION",
                SLICE("resume with since (a whole number from 0) and epoch, or with cursor, as the "
                      "answer to subscribe and the events have them"));
    return false;
}

static void answer_joined(struct client *c, const struct room_call *call, struct slice room,
                          uint64_t offset, uint64_t epoch, uint64_t seq)
{
    char text[EPOCH_TEXT_SIZE];
    struct buf message = {0};
    struct buf *out = room_begin_ack(c, call);
    buf_printf(&message, "Subscribed to %.*s", SLICE_ARG(room));
    epoch_format(epoch, text);
    json_put_slice(out, "room", room);
    json_put_slice(out, "message", buf_slice(&message));
    json_put_u64(out, "offset", offset);
    json_put_text(out, "epoch", text);
    envelope_cursor(out, hub_epoch(client_delivery(c)->hub), seq);
    room_end_ack(c, out, call);
    buf_fini(&message);
}

/* It is in that room already, and loses nothing by asking again. */
static void answer_again(struct client *c, const struct room_call *call, struct slice room,
                         const struct start_point *start)
{
    struct topic_page page = {0};
    (void)start;
    hub_topic_page(client_delivery(c)->hub, room, UINT64_MAX - 1, 0, 0, NULL, &page);
    answer_joined(c, call, room, page.offset, page.epoch, subscriber_position(&c->subscriber));
}

static void join(struct client *c, const struct room_call *call, struct slice room,
                 const struct start_point *start)
{
    struct join_result r;
    room_leave(c, room); /* it may be in there, and resume */
    int error = room_join(c, room, start, ROOM_SINCE_START, &r);
    if (error == FAN_E_LIMIT)
        room_refuse(c, call, "LIMIT", SLICE("the server has as many rooms as it can"));
    else if (error)
        conn_close(&c->ws.conn, "out of memory");
    if (error)
        return;
    if (start->kind != START_NOW)
        room_went_back(c);
    answer_joined(c, call, room, r.offset, r.epoch, r.seq);
    if (r.reason != RESUME_OK) {
        bool from_beginning = start->kind == START_BEGINNING;
        uint64_t from = r.reason == RESUME_TRIMMED ? r.missed_from : 1;
        room_send_gap(c, room, r.offset ? from : 0, from_beginning ? r.missed_to : r.offset,
                      resume_reason_name(r.reason));
    }
    topic_unref(r.topic);
}

static void on_subscribe(struct client *c, const struct room_call *call)
{
    unsigned most = client_delivery(c)->options->subscriptions;
    struct slice room = read_room(c, call);
    struct start_point start;
    char text[120];
    if (!room.ptr || !may_read(c, call, room) || !read_start(c, call, &start))
        return;
    bool follows = subscriber_follows(&c->subscriber, room);
    if (follows && start.kind == START_NOW) {
        if (room_waits(c)) /* maybe for the very room */
            room_change(c, call, room, answer_again, &start);
        else
            answer_again(c, call, room, &start);
        return;
    }
    if (!follows && subscriber_followed(&c->subscriber) >= most) {
        snprintf(text, sizeof text, "too many rooms: at most %u (limits.subscriptions)", most);
        room_refuse(c, call, "LIMIT", slice_from(text));
        return;
    }
    room_change(c, call, room, join, &start);
}

static void leave(struct client *c, const struct room_call *call, struct slice room,
                  const struct start_point *start)
{
    struct buf message = {0};
    (void)start;
    room_leave(c, room);
    buf_printf(&message, "Unsubscribed from %.*s", SLICE_ARG(room));
    struct buf *out = room_begin_ack(c, call);
    json_put_slice(out, "room", room);
    json_put_slice(out, "message", buf_slice(&message));
    room_end_ack(c, out, call);
    buf_fini(&message);
}

static void on_unsubscribe(struct client *c, const struct room_call *call)
{
    struct slice room = read_room(c, call);
    if (room.ptr)
        room_change(c, call, room, leave, NULL);
}

static void append_room(void *out, struct slice room, bool pattern)
{
    (void)pattern; /* nobody follows patterns here */
    json_put_slice(out, NULL, room);
}

static void on_debug_rooms(struct client *c, const struct room_call *call)
{
    char id[CONN_ID_SIZE];
    conn_format_id(&c->ws.conn, id);
    struct buf *out = room_begin_ack(c, call);
    json_put_text(out, "connection_id", id);
    json_put_name(out, "user_id");
    json_append_lossy(out, slice_from(client_identity(c)->principal.name));
    json_begin(out, "rooms", '[');
    subscriber_each(&c->subscriber, append_room, out);
    json_end(out, ']');
    room_end_ack(c, out, call);
}

/* ---- The rest ---- */

static void on_ping(struct client *c, const struct room_call *call)
{
    struct buf *out = room_begin_ack(c, call);
    json_put_time(out, "timestamp", clock_wall_ms());
    room_end_ack(c, out, call);
    room_end_event(c, room_begin_event(c, "pong", "pong"), NULL);
}

static void on_refresh_token(struct client *c, const struct room_call *call)
{
    static const struct json_value nothing = {JSON_NULL, {"null", 4}};
    bool named = call->payload.kind == JSON_OBJECT;
    client_refresh_token(c, call->payload,
                         named ? message_member(call->payload, "token") : nothing);
}

/* The tag of a publication without an acknowledgement. */
#define NO_ACK UINT64_MAX

static void refuse_publication(struct client *c, const struct room_call *call,
                               const struct publication_outcome *outcome)
{
    static const struct {
        int error;
        const char *code;
    } codes[] = {
        {FAN_E_DENIED, "FORBIDDEN"},
        {FAN_E_LIMIT, "LIMIT"},
        {FAN_E_IO, "STORAGE_UNAVAILABLE"},
        {FAN_E_BUSY, "OVERLOADED"},
    };
    const char *code = "INVALID_EVENT";
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].error == outcome->error)
            code = codes[i].code;
    room_refuse(c, call, code, slice_from(outcome->message));
}

/* It may have left its namespace meanwhile. */
static void published(struct client *c, const struct publication_outcome *outcome)
{
    const struct room_call call = {.has_id = outcome->tag != NO_ACK, .id = outcome->tag};
    if (!room_session_of(c) || !room_session_of(c)->space)
        return;
    if (outcome->error) {
        refuse_publication(c, &call, outcome);
        return;
    }
    struct buf *out = room_begin_ack(c, &call);
    json_put_slice(out, "room", outcome->topic);
    room_end_ack(c, out, &call);
}

static void on_publish(struct client *c, const struct room_call *call)
{
    struct slice room = read_room(c, call);
    if (!room.ptr)
        return;
    struct json_value data = message_member(call->payload, "data");
    const struct publication publication = {
        .type = message_text(call->payload, "event"),
        .data = data.kind == JSON_NULL ? SLICE("{}") : data.text,
    };
    if (publication.type.ptr)
        publication_send(c, room, &publication, 1, published, call->has_id ? call->id : NO_ACK);
    else
        room_refuse(c, call, "INVALID_EVENT", SLICE("event must be a text, the event's type"));
}

static const struct {
    const char *name;
    void (*handle)(struct client *c, const struct room_call *call);
} handlers[] = {
    {"subscribe", on_subscribe},     {"unsubscribe", on_unsubscribe},     {"ping", on_ping},
    {"debug:rooms", on_debug_rooms}, {"refresh_token", on_refresh_token}, {"publish", on_publish},
};

bool room_event_publishes(struct json_value name)
{
    return json_string_is(name, "publish");
}

void room_take_event(struct client *c, struct json_value name, const struct room_call *call)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (json_string_is(name, handlers[i].name)) {
            handlers[i].handle(c, call);
            return;
        }
    room_refuse(c, call, "UNKNOWN_EVENT",
                SLICE("the events are subscribe, unsubscribe, ping, debug:rooms, refresh_token "
                      "and publish"));
    ws_bad_message(&c->ws);
}
