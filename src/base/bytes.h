/*
 * Immutable shared bytes: one frame or run of frames, written once, sent to many connections.
 *
 * The count is not atomic: an object belongs to one worker thread.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdint.h>

#include "base/slice.h"

struct bytes {
    uint32_t refs;
    uint32_t len;
    uint32_t cap;
    char data[];
};

/* Room for cap bytes, len 0, one reference; NULL when there is no memory. */
struct bytes *bytes_try_new(size_t cap);

/* A copy of data; NULL when there is no memory. */
struct bytes *bytes_try_copy(struct slice data);

static inline struct bytes *bytes_ref(struct bytes *b)
{
    b->refs++;
    return b;
}

/* Frees at the last reference; NULL is allowed. */
void bytes_unref(struct bytes *b);

#endif
