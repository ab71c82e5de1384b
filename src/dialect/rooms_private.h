/* What the files of the dialect `rooms` share; nobody else includes this. */
#ifndef DIALECT_ROOMS_PRIVATE_H
#define DIALECT_ROOMS_PRIVATE_H

#include "codec/engineio.h"
#include "codec/socketio.h"
#include "dialect/websocket_client.h"

#define ROOM_ID_SIZE 21 /* of sessions and sockets, with the NUL */

/* A namespace, with the encodings of its events. */
struct room_space {
    struct slice name;
    struct encoding plain;
    struct encoding numbered; /* with the cursor as last argument, for clients that recover */
};

/* A client's event, while it is being answered. */
struct room_call {
    bool has_id; /* it wants an acknowledgement */
    uint64_t id;
    struct json_value payload; /* its first argument; JSON_NULL: none */
};

/* client.state: an Engine.IO session and the socket on it. */
struct room_session {
    enum eio_state state;
    bool numbered;                  /* its events carry cursors */
    const struct room_space *space; /* NULL: not connected to a namespace */
    const struct room_call *call;   /* NULL: none is being answered */
    struct sio_assembly *assembly;
    char sid[ROOM_ID_SIZE];       /* of the session */
    char socket_id[ROOM_ID_SIZE]; /* of the socket */
};

static inline struct room_session *room_session_of(const struct client *c)
{
    return c->state;
}

/* ---- rooms_wire.c: what is sent ---- */

/* NULL: there is none of that name. */
const struct room_space *room_space_find(struct slice name);

/* A packet in the worker's buffer, up to its data; then room_send. id NULL: without one. */
struct buf *room_begin(struct client *c, enum sio_type type, const uint64_t *id);
void room_send(struct client *c, struct buf *out);

/* `42/ws,["name",{"type":…,"timestamp":…`, the object open; and its end, behind which `cursor`
 * stands as an argument of its own unless it is NULL. */
struct buf *room_begin_event(struct client *c, const char *name, const char *type);
void room_end_event(struct client *c, struct buf *out, const char *cursor);

/* An acknowledgement, `{"status":"success"` so far; it is only sent where one was asked for. */
struct buf *room_begin_ack(struct client *c, const struct room_call *call);
void room_end_ack(struct client *c, struct buf *out, const struct room_call *call);

/* What went wrong: in the acknowledgement of the call, or, without one, as event `error`. */
void room_refuse(struct client *c, const struct room_call *call, const char *code,
                 struct slice message);

void room_send_gap(struct client *c, struct slice room, uint64_t from, uint64_t to,
                   const char *reason);

/* ---- rooms_socket.c: namespaces ---- */

/* The data of an Engine.IO message. */
void room_take_text(struct client *c, struct slice text);
void room_take_binary(struct client *c, struct slice bytes);

/* subscriber_join, as the client's events are encoded. */
int room_join(struct client *c, struct slice room, const struct start_point *start,
              struct join_result *result);

/* Tells the client that it is no longer connected to its namespace. */
void room_disconnect(struct client *c);

/* ---- rooms_events.c: what clients ask for ---- */

/* name: the event's, as it stands in JSON. */
void room_take_event(struct client *c, struct json_value name, const struct room_call *call);

/* ---- rooms.c: the transport ---- */

/* The peer breaks the protocol. reason: a constant. */
void room_fail(struct client *c, const char *reason);

#endif
