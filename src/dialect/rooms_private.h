/* What the files of the dialect `rooms` share; nobody else includes this. */
#ifndef DIALECT_ROOMS_PRIVATE_H
#define DIALECT_ROOMS_PRIVATE_H

#include "codec/engineio.h"
#include "codec/socketio.h"
#include "dialect/rooms.h"
#include "dialect/rooms_marks.h"
#include "dialect/rooms_recovery.h"
#include "dialect/rooms_space.h"
#include "dialect/websocket_client.h"

#define ROOMS_OPTION(c, name) \
    atomic_load_explicit(&client_delivery(c)->options->rooms.name, memory_order_relaxed)

/* A client's event, while it is being answered. */
struct room_call {
    bool has_id; /* it wants an acknowledgement */
    uint64_t id;
    struct json_value payload; /* its first argument; JSON_NULL: none */
};

/* What a session on HTTP has more. */
struct room_polling {
    struct room_request *poll; /* waits for something to be sent, with its copies; NULL: none */
    struct room_request *post; /* is answered when its sender may go on; NULL: none */
    uint64_t heard_ms;         /* when the last request came; the worker's clock */
    uint64_t ping_ms;          /* when to ping, or to give up */
    uint64_t lost_ms;          /* when a poll broke off that may be repeated; 0: none did */
    uint64_t last_poll;        /* the tags of what came last; 0: it had none */
    uint64_t last_post;
    uint64_t answered;    /* the number of the last poll's newest copy; 0: it was not answered */
    uint64_t answered_on; /* the connection of that */
    struct buf kept;      /* what it was answered, until the next poll; empty: not kept */
    bool release;         /* the next poll ends at once */
    bool claimed;         /* a WebSocket asks to take over */
};

/*
 * client.state: a socket, and, where there is no carrier, the Engine.IO session.
 *
 * A session's connection belongs to one client, whose socket may be in one namespace. Sockets in
 * further namespaces are clients of their own, with their own rooms, identity and queue, and are
 * carried by the first one (rooms_carried.c).
 */
struct room_session {
    struct client *client;
    struct room_session *carrier; /* NULL: it is the session itself */
    struct room_session *carried; /* the sockets that it carries, or the next one of its carrier */
    struct room_polling *polling; /* NULL: it is not on HTTP */
    enum eio_state state;         /* the session's, like the next four */
    bool javascript;              /* the client takes cursors behind its events */
    bool left;                    /* we ended a socket: more for it may be on the way */
    bool vouched;                 /* whose it is was said by the handshake */
    struct sio_assembly *assembly;
    bool entered;                   /* CONNECT was answered */
    bool listed;                    /* in delivery.live */
    bool numbered;                  /* its events carry cursors */
    const struct room_space *space; /* NULL: not connected to a namespace */
    struct room_takeover *takeover; /* CONNECT waits for it; NULL: for none */
    void *program;                  /* in a namespace of the program: its side of the socket */
    const struct room_call *call;   /* NULL: none is being answered */
    int64_t idle_ms;                /* wall clock: since when the session has no socket */
    uint64_t asked, confirmed;      /* room_user_… */
    uint32_t stay;                  /* counts the namespaces it has left */
    struct buf rooms;               /* as in struct room_socket */
    struct room_marks *marks;       /* likewise; NULL: it never went back */
    struct buf *answers;            /* what is sent is collected here; NULL: it is sent */
    char sid[ROOM_ID_SIZE];         /* of the session */
    char pid[ROOM_ID_SIZE];         /* by which the client may come back; "": it cannot */
    char socket_id[ROOM_ID_SIZE];   /* of the socket */
};

static inline struct room_session *room_session_of(const struct client *c)
{
    return c->state;
}

/* The client whose connection it is. */
static inline struct client *room_carrier(const struct client *c)
{
    const struct room_session *s = room_session_of(c);
    return s->carrier ? s->carrier->client : s->client;
}

/* ---- rooms_wire.c: what is sent ---- */

/* {"type":…,"timestamp":…,"source":…,"room":…,"offset":…,"data":…}. replayed: marked so. */
void room_append_envelope(struct buf *out, const struct event *e, unsigned place, bool replayed);

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

/* ---- rooms_carried.c: sockets in further namespaces ---- */

/* A client whose connection is the carrier's; it is in no namespace yet. NULL: it was refused for
 * a limit, or there is no memory. */
struct client *room_carried_new(struct client *carrier);

/* The same on another worker, for a session that moved; id: of its connection. */
struct client *room_carried_begin(struct client *carrier, struct room_session *s,
                                  struct principal *principal, uint64_t id);

/* The session's client in that namespace; NULL: it has no socket there. */
struct client *room_carried_find(struct client *carrier, struct slice space);

/* Whether the session has any socket. */
bool room_has_socket(struct client *carrier);

/* Hands what waits to the carrier. all: also above what is put into its queue ahead. */
void room_carry(struct client *c, bool all);

/* The carrier's queue is empty: more may be put there. */
void room_carry_on(struct client *carrier);

/* Takes it off its carrier's list. */
void room_carried_detach(struct room_session *s);

/* The carrier is gone: so are they. */
void room_carried_close(struct client *carrier, const char *reason);

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

/* Appends an entry to what is like session.rooms. */
void room_put(struct buf *rooms, uint64_t since, struct slice room);

/* The entry of session.rooms at *at, which goes to the next one. False: there is none. */
bool room_next(const struct buf *rooms, size_t *at, uint64_t *since, struct slice *room);

/* `0{"sid":…}`: the socket is in its namespace. */
void room_confirm(struct client *c);

/* The transport ends: the socket may come back. */
void room_remember(struct client *c);

/* The same for one that is nobody's client at the moment: its user is given what they missed, and
 * it may come back. Takes its rooms over where there is a way back. */
void room_remember_socket(const struct delivery *d, struct room_session *s,
                          const struct identity *who, struct buf *rooms);

/* Ends the socket: it is in no namespace any more. */
void room_leave_space(struct client *c);

/* Tells the client that it is no longer connected to its namespace; it may come back. */
void room_disconnect(struct client *c);

/* The socket is let into a namespace of the server's: it recovers, or begins. */
void room_enter(struct client *c, struct json_value auth);

/* ---- rooms_kept.c: what is written down of sockets that are there ---- */

/* What is to be remembered of the session; its rooms and marks are borrowed. */
struct room_socket room_as_socket(const struct room_session *s, struct slice user);

/* Writes the socket down as it is now, where that is done; it is gone for good. */
void room_write(struct client *c);
void room_strike(struct client *c);

/* Calls change(), which alters the socket's rooms. Where sockets are written down, what it sends
 * waits for that; and where it resumes a room, also all that follows. start: NULL where it begins
 * nothing. */
typedef void room_changing(struct client *c, const struct room_call *call, struct slice room,
                           const struct start_point *start);
void room_change(struct client *c, const struct room_call *call, struct slice room,
                 room_changing *change, const struct start_point *start);

/* Whether an answer of the socket's may wait. */
bool room_waits(const struct client *c);

/* For room_send: keeps the packet for later. False: it is to be sent now. */
bool room_collect(struct client *c, const struct buf *out);

/* The socket has just resumed the last of its rooms; it has joined all of them again. */
void room_went_back(struct client *c);
void room_rejoined(struct client *c);

/* ---- rooms_takeover.c: those who come back before their end was noticed ---- */

/* A socket that may come back, by its pid, as long as it lives. */
void room_live_add(struct client *c);
void room_live_remove(struct client *c);

/* Ends the socket of that pid, wherever it is, then calls room_enter. False: no memory, or no such
 * pid can be. */
bool room_takeover_begin(struct client *c, struct slice pid, struct json_value auth);

/* Nobody waits any more. */
void room_takeover_forget(struct client *c);

/* ---- rooms_user.c: what users missed ---- */

/*
 * A user's own topic is kept for them. What a client has been sent it may not have got: what is
 * sure is told by its answer to what was sent behind it, a ping or a poll. `asked` marks the
 * position then, `heard` confirms it; `left`: the client said goodbye, and whatever it was sent
 * counts. At the end, `note` remembers what is confirmed.
 */
void room_user_begin(struct client *c, struct slice own, const struct join_result *joined);
void room_user_asked(struct client *carrier);
void room_user_heard(struct client *carrier);
void room_user_left(struct client *c);
void room_user_note(struct client *c);

/* ---- rooms_program.c: namespaces of the embedding program ---- */

/* CONNECT to such a namespace; auth as in room_hooks.open. False: it was refused. */
bool room_program_open(struct client *c, struct json_value auth, struct buf *refusal);
void room_program_take(struct client *c, const struct sio_whole *whole);

/* A session without Socket.IO begins, after its handshake was sent. False: no memory, and the
 * connection is closed. */
bool room_engine_open(struct client *c);

/* Gives the program a message of such a session; false: the session is of another kind. */
bool room_engine_take(struct client *c, const struct eio_packet *packet);

/* The socket ends. Nothing happens where it is none of the program's. */
void room_program_closed(struct client *c, const char *reason);

/* ---- rooms_events.c: what clients ask for ---- */

/* name: the event's, as it stands in JSON. */
void room_take_event(struct client *c, struct json_value name, const struct room_call *call);

/* Whether an event of that name only publishes. */
bool room_event_publishes(struct json_value name);

/* ---- rooms_polling.c, rooms_request.c: sessions on HTTP ---- */

/* A handshake; a poll, or packets that are posted, for a session. */
void room_open_polling(struct http_exchange *x);
void room_poll(struct http_exchange *x);

/* The worker that has the session of this id, if there is one; NULL: there is none. */
struct worker *room_session_worker(struct worker *from, struct slice sid);

/* The session's client, on its worker; NULL: there is none. */
struct client *room_session_find(struct worker *w, const char *sid);

/* Ends the session's poll, the next one if none waits. On its worker. */
void room_release_poll(struct client *c);

/* A ping of the session was answered. */
void room_poll_pong(struct client *c);

/* The session is no longer on HTTP; what waits is refused. */
void room_forget_polling(struct client *c);

/* The session ends; last: the packet that an open poll gets behind what waits. */
void room_close_polling(struct client *c, struct slice last, const char *reason);

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

/* Whether the request is for Engine.IO alone. */
bool room_is_engine(const struct http_request *request);

/* A session of the request's client; NULL: no memory. */
struct room_session *room_session_new(struct http_exchange *x);
void room_session_free(struct room_session *s);

/* `0{"sid":…}`. */
void room_send_handshake(struct client *c);

/* How long until the first ping, in milliseconds. */
uint64_t room_first_ping(struct client *c);

/* Pings and returns for how many milliseconds anything may be missing. */
uint64_t room_ping(struct client *c);

/* A packet of a session that is on its transport. */
void room_take_packet(struct client *c, const struct eio_packet *packet);

/* The client's connection, a WebSocket, goes on with the session, which it owns from here on. */
void room_become_websocket(struct client *c, struct room_session *s);

/* What sessions on HTTP have of a WebSocket: its limits. */
extern const struct ws_ops room_websocket_ops;

/* All that waited for the client has gone. */
void room_drained(struct client *c);

/* The peer breaks the protocol. reason: a constant. */
void room_fail(struct client *c, const char *reason);

#endif
