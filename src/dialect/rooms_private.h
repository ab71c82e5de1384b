/* What the files of the dialect `rooms` share; nobody else includes this. */
#ifndef DIALECT_ROOMS_PRIVATE_H
#define DIALECT_ROOMS_PRIVATE_H

#include "codec/engineio.h"
#include "codec/socketio.h"
#include "dialect/rooms.h"
#include "dialect/rooms_recovery.h"
#include "dialect/websocket_client.h"

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
    struct client *client;
    struct room_request *poll; /* on HTTP: it waits for something to be sent; NULL: none */
    bool release;              /* on HTTP: the next poll ends at once */
    enum eio_state state;
    bool numbered;                  /* its events carry cursors */
    const struct room_space *space; /* NULL: not connected to a namespace */
    const struct room_call *call;   /* NULL: none is being answered */
    struct sio_assembly *assembly;
    struct buf rooms;             /* as in struct room_socket */
    char sid[ROOM_ID_SIZE];       /* of the session */
    char pid[ROOM_ID_SIZE];       /* by which the client may come back; "": it cannot */
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

/* An event of the user's own topic that came while they were away. */
void room_send_replayed(struct client *c, const struct event *e, unsigned place);

/* What went wrong: in the acknowledgement of the call, or, without one, as event `error`. */
void room_refuse(struct client *c, const struct room_call *call, const char *code,
                 struct slice message);

void room_send_gap(struct client *c, struct slice room, uint64_t from, uint64_t to,
                   const char *reason);

/* ---- rooms_socket.c: namespaces ---- */

/* The data of an Engine.IO message. */
void room_take_text(struct client *c, struct slice text);
void room_take_binary(struct client *c, struct slice bytes);

/* subscriber_join and subscriber_leave, as the client's events are encoded. since: from which
 * position on it counts as being in the room, and has been handed what came up to where it starts;
 * ROOM_SINCE_START: it is new there. */
#define ROOM_SINCE_START UINT64_MAX
int room_join(struct client *c, struct slice room, const struct start_point *start, uint64_t since,
              struct join_result *result);
void room_leave(struct client *c, struct slice room);

/* The entry of session.rooms at *at, which goes to the next one. False: there is none. */
bool room_next(const struct buf *rooms, size_t *at, uint64_t *since, struct slice *room);

/* The transport ends: the socket may come back. */
void room_remember(struct client *c);

/* Tells the client that it is no longer connected to its namespace; it may come back. */
void room_disconnect(struct client *c);

/* ---- rooms_events.c: what clients ask for ---- */

/* name: the event's, as it stands in JSON. */
void room_take_event(struct client *c, struct json_value name, const struct room_call *call);

/* ---- rooms_polling.c: sessions on HTTP ---- */

/* A handshake; a poll, or packets that are posted, for a session. */
void room_open_polling(struct http_exchange *x);
void room_poll(struct http_exchange *x);

/* The worker that has the session of this id, if there is one; NULL: there is none. */
struct worker *room_session_worker(struct worker *from, struct slice sid);

/* The session's client, on its worker; NULL: there is none. */
struct client *room_session_find(struct worker *w, const char *sid);

/* Ends the session's poll, the next one if none waits. From any worker. */
void room_session_release(struct worker *from, const char *sid);

/* The session is no longer on HTTP. */
void room_forget_polling(struct client *c);

/* ---- rooms_upgrade.c ---- */

/* The handshake of a WebSocket for a session on HTTP. */
void room_probe(struct http_exchange *x, struct slice sid);

/* ---- rooms.c: the transport ---- */

/* Errors as Engine.IO has them. */
enum room_refusal {
    ROOM_UNKNOWN_TRANSPORT,
    ROOM_UNKNOWN_SESSION,
    ROOM_BAD_METHOD,
    ROOM_BAD_REQUEST,
    ROOM_FORBIDDEN,
    ROOM_BAD_VERSION,
};
void room_append_refusal(struct buf *out, enum room_refusal code);
void room_refuse_request(struct http_exchange *x, enum room_refusal code);

/* A session of the request's client; NULL: no memory. */
struct room_session *room_session_new(struct http_exchange *x);
void room_session_free(struct room_session *s);

/* `0{"sid":…}`. */
void room_send_handshake(struct client *c);

/* Until the first ping. */
void room_start_timer(struct client *c);

/* Pings and returns for how many milliseconds anything may be missing. */
uint64_t room_ping(struct client *c);

/* A packet of a session that is on its transport. */
void room_take_packet(struct client *c, const struct eio_packet *packet);

/* The client's connection, a WebSocket, goes on with the session, which it owns from here on. */
void room_become_websocket(struct client *c, struct room_session *s);

/* The peer breaks the protocol. reason: a constant. */
void room_fail(struct client *c, const char *reason);

#endif
