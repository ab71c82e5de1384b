/*
 * How far a client has come in each of its rooms, from the one string that it brings back.
 *
 * As long as all rooms of a socket go on together, the cursor of the last event tells it all. A
 * client that resumes a room by message goes back for it, while it has got more of the others: from
 * there until it is where those were, its cursors are behind them, and the same number may have
 * been seen before. So each going back makes a mark, which says what the rooms had reached, and the
 * events up to there carry the mark's number behind their cursor. When the client comes back, what
 * it has got is known for each room, and takes the place of all marks.
 *
 * Rooms are counted as they stand in room_session.rooms. One thread at a time.
 */
#ifndef DIALECT_ROOMS_MARKS_H
#define DIALECT_ROOMS_MARKS_H

#include <stdbool.h>

#include "base/buf.h"
#include "codec/cursor.h"
#include "codec/json.h"

/* What stands behind an event as its last argument. */
struct room_offset {
    struct cursor cursor;
    uint32_t mark; /* 0: none */
};
#define ROOM_OFFSET_SIZE (CURSOR_TEXT_SIZE + 11)
void room_offset_format(struct room_offset offset, char out[ROOM_OFFSET_SIZE]);

/* 0 or FAN_E_PARSE. */
int room_offset_parse(struct slice text, struct room_offset *offset);

/* The newest are kept; NULL: there never was one. */
struct room_marks;
void room_marks_free(struct room_marks *marks); /* NULL is allowed */

/* Of memory. */
size_t room_marks_bytes(const struct room_marks *marks);

/* The first `count` rooms had reached these positions when the socket went back: *marks is made if
 * need be. FAN_E_NO_MEMORY. */
int room_marks_add(struct room_marks **marks, const uint64_t *reached, unsigned count);

/* The client came back with the offset, and goes on from these positions, one for each room. Does
 * nothing where there are no marks. FAN_E_NO_MEMORY. */
int room_marks_come_back(struct room_marks *marks, const struct room_offset *offset,
                         const uint64_t *starts, unsigned count);

/* The number that an event at the position carries; 0: none. */
uint32_t room_marks_shown(const struct room_marks *marks, uint64_t position);

/* From where on a client with that offset is owed the room, in which it is since `since`. */
uint64_t room_marks_start(const struct room_marks *marks, const struct room_offset *offset,
                          unsigned room, uint64_t since);

/* The socket left the room; those behind it move up. */
void room_marks_leave(struct room_marks *marks, unsigned room);

/* As members of the JSON object that is open, and back. read: FAN_E_PARSE, FAN_E_NO_MEMORY, and
 * *marks is NULL. */
void room_marks_append(const struct room_marks *marks, struct buf *out);
int room_marks_read(struct json_value object, struct room_marks **marks);

#endif
