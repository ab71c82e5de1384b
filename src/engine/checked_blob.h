/*
 * Blobs that know when they were damaged: a header before what somebody appends.
 *
 *   version (1 byte) · CRC-32 of the row's key and of the rest (4 bytes, big-endian) · content
 *
 * The key is two numbers that the row has beside the blob, so that a blob under the wrong key is as
 * damaged as a broken one. Blobs of version 1, whose checksum is of the content alone, can be read.
 * No I/O, any thread.
 */
#ifndef ENGINE_CHECKED_BLOB_H
#define ENGINE_CHECKED_BLOB_H

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define CHECKED_BLOB_HEADER 5

struct checked_key {
    int64_t id;
    uint64_t number;
};

/* Empties `out` and begins a blob in it. */
void checked_blob_begin(struct buf *out);

/* Writes the checksum. FAN_E_NO_MEMORY: the blob is not whole. */
int checked_blob_end(struct buf *out, struct checked_key key);

/* What is in the blob. FAN_E_PARSE: it is damaged; FAN_E_UNSUPPORTED: of a version that this
 * program does not know. */
int checked_blob_open(struct slice blob, struct checked_key key, struct slice *content);

#endif
