/*
 * The stored form of a run: consecutive events of one topic, as the blob of one row.
 *
 * A checked_blob, the key of which is the row's id and its first_seq, with in it of each event,
 * numbers as LEB128 varints, signed ones zigzag:
 *
 *   flags (1 byte) · seq less the seq before (the first: less the row's first_seq) · time less the
 *   time before (the first: less 0) · [audience, 1 byte] · lengths of type, source, id, key, data ·
 *   their bytes · [count of places, then of each: 0 for the run's own topic; or the length of a
 *   topic's name and the name, offset, epoch (8 bytes, big-endian)]
 *
 * What stands in brackets is there when a flag says so. The offset of an event in its run's topic
 * is the row's first_offset and its position in the run. No I/O, any thread. Whatever is wrong with
 * a blob is found: the reader never serves a part of a broken run as if it were whole, since the
 * checksum is checked before the first event is given out.
 */
#ifndef ENGINE_RUN_CODEC_H
#define ENGINE_RUN_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "engine/checked_blob.h"

struct event;

/* A writer ends a run when it has so many events or about so many bytes: readers decode whole
 * runs. */
#define RUN_MAX_EVENTS 256
#define RUN_MAX_BYTES  (64 * 1024)

/* Places of an event, as HUB_MAX_EVENT_TOPICS. */
#define RUN_MAX_PLACES 64

/* Where an event stands in a topic. name empty: the run's own topic. */
struct run_place {
    struct slice name;
    uint64_t offset, epoch;
};

/* An event as it is stored; slices point into the blob. */
struct run_record {
    uint64_t seq;
    int64_t time_ms;
    bool nested;
    uint8_t audience;
    struct slice type, source, id, key, data;
    unsigned place_count; /* 0: the run's own topic only */
    struct run_place places[RUN_MAX_PLACES];
};

struct run_writer {
    struct buf *out;
    struct checked_key key;
    uint64_t seq;
    int64_t time_ms;
    unsigned count;
};

/* Begins a blob in `out`, which is emptied. The row's id; the first event's seq. */
void run_begin(struct run_writer *w, struct buf *out, int64_t id, uint64_t first_seq);

/* Adds a record; seqs rise. */
void run_add(struct run_writer *w, const struct run_record *record);

/* Writes the checksum. FAN_E_NO_MEMORY: the blob is not whole. */
int run_end(struct run_writer *w);

/* Whether the run should end before another event is added. */
bool run_is_full(const struct run_writer *w);

struct run_reader {
    const unsigned char *at, *end;
    uint64_t seq;
    int64_t time_ms;
};

/* Checks version and checksum. FAN_E_PARSE: not a run, or a damaged one; FAN_E_UNSUPPORTED: of a
 * version that this program does not know. */
int run_open(struct run_reader *r, struct slice blob, int64_t id, uint64_t first_seq);

/* The next record: 1, at the end 0, FAN_E_PARSE. */
int run_next(struct run_reader *r, struct run_record *record);

#endif
