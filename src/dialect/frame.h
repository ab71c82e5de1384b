/* A WebSocket text frame that is built in place: the header is written when the length is known. */
#ifndef DIALECT_FRAME_H
#define DIALECT_FRAME_H

#include "base/buf.h"

#include "hub/event.h"

struct delivery;

/* Begins a frame at the end of out; returns where. Append the payload, then frame_end. */
size_t frame_begin(struct buf *out);
void frame_end(struct buf *out, size_t begun);

/* Appends payload as one text frame, compressed when it is long enough. */
void frame_append_compressed(struct delivery *d, struct buf *out, struct slice payload);

/* An event as one text frame; `append` writes its envelope. The second compresses it when it is
 * long enough. For encodings. */
typedef void append_event_fn(struct buf *out, const struct event *e, unsigned place);
void frame_append_event(struct buf *out, const struct event *e, unsigned place,
                        append_event_fn *append);
void frame_append_event_compressed(struct delivery *d, struct buf *out, const struct event *e,
                                   unsigned place, append_event_fn *append);

#endif
