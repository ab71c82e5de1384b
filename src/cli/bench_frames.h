/*
 * Frames of a WebSocket server, read as lightly as possible: what measures must not be what limits.
 * A server's frames are not masked; fragments and compression are never asked for. No I/O.
 */
#ifndef CLI_BENCH_FRAMES_H
#define CLI_BENCH_FRAMES_H

#include "base/buf.h"

struct bench_frames {
    struct buf rest; /* the beginning of a frame that is not there whole */
};

/* Calls `text` for each text message that is whole; a non-zero return of it stops and is returned.
 * FAN_E_CLOSED for a close frame, whose reason goes to `why`; FAN_E_PROTOCOL; FAN_E_NO_MEMORY. */
int bench_frames_feed(struct bench_frames *f, struct slice data,
                      int (*text)(void *arg, struct slice payload), void *arg, struct buf *why);
void bench_frames_fini(struct bench_frames *f);

#endif
