/*
 * The namespaces of a server, and what an embedding program does with sockets in its own ones.
 *
 * Made before the server starts and unchanged from then on, so that any thread may read.
 */
#ifndef DIALECT_ROOMS_SPACE_H
#define DIALECT_ROOMS_SPACE_H

#include "codec/json.h"
#include "hub/fanout.h"

struct client;
struct worker;

/* An event or acknowledgement of a client. */
struct room_message {
    struct json_value data; /* an array; an event's begins with its name */
    bool has_id;            /* an event: it wants an acknowledgement; this is one: always */
    uint64_t id;
    const struct slice *attachments;
    unsigned attachment_count;
};

/* The program's side of a namespace, or of plain Engine.IO sessions. `socket` is what `make`
 * returned. All are called on the worker of the socket's client, one at a time. */
struct room_hooks {
    /* The program's side of a client's socket. NULL: no memory. */
    void *(*make)(void *arg, struct client *c);
    /* The client asks to be let in. auth: an object; JSON_NULL: none. False: it is refused, and the
     * members of the refusal (`"message":…`) were appended to `refusal`. What is sent meanwhile
     * lets it in. */
    bool (*open)(void *socket, struct json_value auth, struct buf *refusal);
    void (*event)(void *socket, const struct room_message *event);
    void (*acknowledged)(void *socket, const struct room_message *answer);
    /* A message, where there is only Engine.IO. */
    void (*message)(void *socket, struct slice data, bool binary);
    /* All that was sent has gone. */
    void (*drained)(void *socket);
    /* The session goes to another connection, maybe of another worker: the client is gone now, and
     * `arrived` will name the new one, or `closed` follows. */
    void (*departed)(void *socket, struct worker *to);
    void (*arrived)(void *socket, struct client *c);
    /* Last call. reason: a constant; NULL: it was refused. */
    void (*closed)(void *socket, const char *reason);
};

struct room_space;

/* How events look in a namespace: encoding is what the fan-out knows. */
struct room_encoding {
    struct encoding encoding;
    const struct room_space *space;
    bool numbered; /* with the cursor as last argument, for clients that recover */
    bool compressed;
};

struct room_space {
    struct room_space *next;
    char *name;
    bool plain;                           /* no namespace, but sessions of Engine.IO alone */
    bool recovers;                        /* clients may come back to their sockets */
    const struct room_hooks *hooks;       /* NULL: the server's own */
    void *arg;                            /* of the hooks */
    struct buf head;                      /* how its events begin: `42/ws,[` */
    struct room_encoding encodings[2][2]; /* numbered, compressed */
};

/* Adds a namespace; the name is copied. FAN_E_EXISTS. */
int room_space_add(struct room_space **list, struct slice name, const struct room_hooks *hooks,
                   void *arg, struct room_space **added);
void room_spaces_free(struct room_space *list);

/* NULL: there is none of that name. */
const struct room_space *room_space_find(const struct room_space *list, struct slice name);

/* ---- For the program's side, on the worker ---- */

/* Sends frames (codec/websocket.h) of whole packets; copied. The caller looks at how much waits
 * (conn_waiting). FAN_E_CLOSED, FAN_E_NO_MEMORY. */
int room_program_send(struct client *c, struct slice frames);

/* Ends the socket, in which `closed` is called; in Engine.IO alone: the session. */
void room_program_end(struct client *c);

/* Closes the whole session, which reads too slowly. reason: a constant. */
void room_program_abandon(struct client *c, const char *reason);

/* The socket's id, in Engine.IO alone the session's; borrowed. */
const char *room_program_id(const struct client *c);

#endif
