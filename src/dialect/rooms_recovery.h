/*
 * What the dialect `rooms` remembers of those who are gone: sockets, for clients that come back
 * with their `pid` within rooms.recovery_window, and up to where users have been given their own
 * topic. One for a server; any thread.
 */
#ifndef DIALECT_ROOMS_RECOVERY_H
#define DIALECT_ROOMS_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct room_recovery;
struct room_space;

struct room_recovery *room_recovery_new(void);
void room_recovery_free(struct room_recovery *r); /* NULL is allowed */

#define ROOM_ID_SIZE 21 /* of sessions and sockets, with the NUL */

/* A socket whose transport ended. */
struct room_socket {
    char pid[ROOM_ID_SIZE], id[ROOM_ID_SIZE];
    const struct room_space *space;
    struct slice user;
    struct buf rooms; /* each: since when it is in it (uint64_t, node order), the name, a NUL */
};

/* Remembers it until then (monotonic clock); takes its rooms over. When there are too many, the
 * oldest are forgotten. */
void room_recovery_keep(struct room_recovery *r, struct room_socket *socket, uint64_t until_ms);

/* The socket of that pid, user and namespace, which is forgotten with this: its id and rooms, which
 * are the caller's. False: there is none. */
bool room_recovery_take(struct room_recovery *r, struct slice pid, struct slice user,
                        const struct room_space *space, struct room_socket *socket);

/* Up to which position of the node's order the user has been given what is theirs. */
void room_recovery_note_user(struct room_recovery *r, struct slice user, uint64_t position);
bool room_recovery_find_user(struct room_recovery *r, struct slice user, uint64_t *position);

#endif
