/*
 * What the dialect `rooms` remembers of those who are gone: sockets, for clients that come back
 * with their `pid` within rooms.recovery_window, and up to where users have been given their own
 * topic. One for a server; any thread.
 *
 * With an engine that keeps notes it outlives the process, however that ends: what must be known of
 * those who are still there is written down, too.
 */
#ifndef DIALECT_ROOMS_RECOVERY_H
#define DIALECT_ROOMS_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "dialect/rooms_marks.h"

struct hub;
struct room_recovery;
struct room_space;

struct room_recovery *room_recovery_new(void);
void room_recovery_free(struct room_recovery *r); /* NULL is allowed */

/* Once, before anybody connects: takes what the hub's engine has kept, and keeps it there from here
 * on. Sockets that were there until the end may come back for window_ms more; users are forgotten
 * after user_ms (0: never). FAN_E_IO, FAN_E_NO_MEMORY: not all of it. */
int room_recovery_load(struct room_recovery *r, struct hub *hub, const struct room_space *spaces,
                       uint64_t window_ms, uint64_t user_ms);

#define ROOM_ID_SIZE 21 /* of sessions and sockets, with the NUL */

/* A socket, there or gone. */
struct room_socket {
    char pid[ROOM_ID_SIZE], id[ROOM_ID_SIZE];
    const struct room_space *space;
    struct slice user;
    struct buf rooms; /* each: since when it is in it (uint64_t, node order), the name, a NUL */
    struct room_marks *marks;
};
void room_socket_fini(struct room_socket *socket); /* its rooms and marks */

/* The transport ended: remembers it until then (monotonic clock); takes its rooms and marks over.
 * When there are too many, the oldest are forgotten. */
void room_recovery_keep(struct room_recovery *r, struct room_socket *socket, uint64_t until_ms);

/* The socket of that pid, user and namespace, which is forgotten with this: its id, rooms and
 * marks, which are the caller's. False: there is none. */
bool room_recovery_take(struct room_recovery *r, struct slice pid, struct slice user,
                        const struct room_space *space, struct room_socket *socket);

/* ---- Sockets that are there ---- */

/* Whether it has to be written down. */
bool room_recovery_writes(const struct room_recovery *r);

/* Writes the socket down as it is now; or appends the note that does, for those who wait for it. */
void room_recovery_write(struct room_recovery *r, const struct room_socket *socket);
void room_recovery_note(const struct room_socket *socket, struct buf *name, struct buf *value);

/* It is gone for good. */
void room_recovery_strike(struct room_recovery *r, const char *pid);

/* ---- Users ---- */

/* A connection of the user ended: up to which position of the node's order they have been given
 * what is theirs. */
void room_recovery_note_user(struct room_recovery *r, struct slice user, uint64_t position);
bool room_recovery_find_user(struct room_recovery *r, struct slice user, uint64_t *position);

/* The same of a connection that goes on, for the case that the server does not. */
void room_recovery_write_user(struct room_recovery *r, struct slice user, struct slice topic,
                              uint64_t position);

#endif
