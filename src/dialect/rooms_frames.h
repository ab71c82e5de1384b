/* Our own WebSocket frames, taken apart again: what a session's queue holds until something takes
 * it, on HTTP or from one connection to another. */
#ifndef DIALECT_ROOMS_FRAMES_H
#define DIALECT_ROOMS_FRAMES_H

#include "base/slice.h"
#include "codec/websocket.h"

/* The payload of the frame at the front of *rest, which goes to the next one. */
static inline struct slice room_frame_take(struct slice *rest, enum ws_opcode *opcode)
{
    const unsigned char *p = (const unsigned char *)rest->ptr;
    size_t header = 2, length = p[1] & 0x7f;
    *opcode = (enum ws_opcode)(p[0] & 0xf);
    if (length >= 126) {
        unsigned bytes = length == 126 ? 2 : 8;
        length = 0;
        for (unsigned i = 0; i < bytes; i++)
            length = length << 8 | p[2 + i];
        header += bytes;
    }
    struct slice payload = slice_of(rest->ptr + header, length);
    *rest = slice_skip(*rest, header + length);
    return payload;
}

#endif
