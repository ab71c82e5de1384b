/* Sockets of an embedding program (fanfare/socketio.h): what its files share. */
#ifndef SERVER_SOCKETIO_H
#define SERVER_SOCKETIO_H

#include <pthread.h>
#include <stdatomic.h>

#include "codec/socketio.h"
#include "dialect/client.h"
#include "dialect/rooms_space.h"
#include "fanfare/socketio.h"

struct call;

/* A namespace, or the sessions at /engine.io/, and all sockets in it. */
struct program_space {
    struct program_space *next;
    struct room_space *space;
    struct fan_namespace_handler handler;
    struct fan_engineio_handler engine;
    struct fan_event_handler *events; /* copies, ended by a name NULL; NULL: none */
    void *arg;
    pthread_mutex_t lock; /* of the sockets' list and of their rooms */
    struct list sockets;
};

/* Registers a namespace; name NULL: the sessions at /engine.io/. As fan_server_namespace. */
int program_space_add(struct program_space **list, struct room_space **spaces, const char *name,
                      void *arg, struct program_space **added, struct buf *why);
void program_spaces_free(struct program_space *list);
struct program_space *program_space_find(struct program_space *list, const char *name);
void program_space_set_handler(struct program_space *space,
                               const struct fan_namespace_handler *handler);

/* Sends to all sockets in the room (NULL: all there are). model: what each is asked for, without a
 * round; NULL: no answers. As fan_namespace_emit. */
int program_space_emit(struct program_space *space, const char *room, const char *event,
                       const struct fan_arguments *arguments, const struct call *model);

/* ---- Packets (socketio_packet.c): made once, sent to many, from any thread ---- */

struct program_packet {
    atomic_uint refs;
    enum sio_type type; /* of one without attachments */
    bool raw;           /* a message of Engine.IO alone: text is a frame */
    unsigned attachments;
    const char *space; /* the namespace's name */
    struct buf text;   /* JSON, the name of an event at its front */
    struct buf binary; /* frames of the attachments */
};

/* Checks and copies. name NULL: an acknowledgement. 0, FAN_E_INVALID, FAN_E_NO_MEMORY. */
int program_packet_new(const struct program_space *space, const char *name,
                       const struct fan_arguments *arguments, struct program_packet **packet);
int program_packet_message(enum fan_websocket_kind kind, struct slice data,
                           struct program_packet **packet);
struct program_packet *program_packet_ref(struct program_packet *p);
void program_packet_unref(struct program_packet *p);
size_t program_packet_size(const struct program_packet *p);

/* Appends its frames. id NULL: without one. */
void program_packet_append(const struct program_packet *p, const uint64_t *id, struct buf *out);

/* ---- Calls (socketio_call.c): events that want an answer ---- */

#define CALLS_MAX 1024

/* The calls of one fan_namespace_call. */
struct call_round {
    atomic_uint left;
    fan_answer_fn *answer;
    void *arg;
};

struct call {
    struct call *next;
    uint64_t id, deadline_ms;
    unsigned timeout_ms;
    fan_answer_fn *answer;
    void *arg;
    struct call_round *round; /* NULL: one socket's */
};

/* ---- Sockets ---- */

struct order;

struct fan_socket {
    atomic_uint refs;
    struct program_space *space;
    const char *id, *address, *user; /* in text */
    void *context;

    pthread_mutex_t lock;
    struct worker *worker; /* where its client is, or will be next */
    struct order *orders, **orders_end;
    bool scheduled; /* the worker will look at the orders */
    bool closed;
    bool refused;   /* a call was, and `drained` is owed */
    size_t posted;  /* bytes of orders */
    size_t waiting; /* bytes that the client's queue holds */
    unsigned calls; /* how many are awaited */

    /* The worker's. */
    struct client *client; /* NULL: gone, or on its way to another worker */
    struct call *awaited;
    uint64_t next_id;
    struct worker_alarm alarm; /* when the next call times out */

    /* Of space->lock. */
    struct list link;
    bool in;
    struct buf rooms; /* each with a NUL */
    unsigned room_count;

    char text[];
};

/* Runs what `worker` was asked for; posted to it. Consumes a reference. */
void socket_run_orders(struct worker *w, void *arg);
void socket_schedule(struct fan_socket *s); /* under s->lock */

/* Ends the orders that were never run. */
void socket_drop_orders(struct fan_socket *s);

/* On the worker: a call begins, an answer comes, all end. */
void call_await(struct fan_socket *s, struct call *c);
void call_answered(struct fan_socket *s, uint64_t id, const struct fan_arguments *arguments);
void calls_end(struct fan_socket *s, int error);
void calls_set_alarm(struct fan_socket *s);
/* Tells how it ended and frees it. */
void call_finish(struct fan_socket *s, struct call *c, int error,
                 const struct fan_arguments *arguments);
void call_round_done(struct call_round *round);

/* What the dialect calls. */
extern const struct room_hooks program_hooks;

#endif
