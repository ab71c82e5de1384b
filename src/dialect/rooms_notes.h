/*
 * What the engine keeps of the dialect `rooms`: sockets and users as notes, small JSON objects by
 * name. No state; any thread.
 */
#ifndef DIALECT_ROOMS_NOTES_H
#define DIALECT_ROOMS_NOTES_H

#include "dialect/rooms_recovery.h"

#define ROOM_NOTE_SOCKET "rooms/socket/" /* and the pid */
#define ROOM_NOTE_USER   "rooms/user/"   /* and the user's id */

/* Has the note kept, or, without a value, forgotten; nobody waits for it. */
void room_note_send(struct hub *hub, const char *kind, struct slice key, struct slice value);

/* until_ms: wall clock, 0: the socket is there. */
void room_note_append_socket(struct buf *out, const struct room_socket *socket, int64_t until_ms);
void room_note_append_user(struct buf *out, uint64_t position, int64_t now_ms);

/* Back: 0; FAN_E_PARSE, FAN_E_NO_MEMORY, FAN_E_NOT_FOUND (there is no such namespace any more).
 * The socket's user is put into `user`; the pid is the caller's to fill in. */
int room_note_read_socket(struct slice text, const struct room_space *spaces,
                          struct room_socket *socket, struct buf *user, int64_t *until_ms);
int room_note_read_user(struct slice text, uint64_t *position, int64_t *at_ms);

#endif
