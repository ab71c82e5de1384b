/*
 * What a data directory's database holds, without the engine: for commands that look at it. Reads
 * only; a server may be at work on the directory meanwhile. One thread.
 */
#ifndef ENGINE_STORE_OFFLINE_H
#define ENGINE_STORE_OFFLINE_H

#include "base/list.h"
#include "engine/run_codec.h"
#include "engine/store_db.h"

struct store_offline {
    struct store_db db;
    struct buf path;
};

/* Opens DIRECTORY/fanfare.db. 0; FAN_E_NOT_FOUND, FAN_E_IO or FAN_E_UNSUPPORTED with the reason
 * appended to `why`. Close it in any case. */
int store_offline_open(struct store_offline *o, const char *directory, struct buf *why);
void store_offline_close(struct store_offline *o);

/* A topic's log. */
struct stored_log {
    uint64_t id;
    struct slice name;
    uint64_t epoch;
    uint64_t first_offset;        /* of what the log holds; offset + 1 when it holds nothing */
    uint64_t offset;              /* of its newest event ever */
    uint64_t runs, events, bytes; /* as retention counts them */
    int64_t oldest_ms, newest_ms; /* when they were accepted, wall clock; 0: no events */
};

/* Calls use() for each topic in the order of names; names last until it returns. 0, or FAN_E_IO
 * with the reason appended to `why`. */
int store_offline_topics(struct store_offline *o,
                         void (*use)(void *arg, const struct stored_log *log), void *arg,
                         struct buf *why);

/* Looks at everything: SQLite's pages, each run's checksum, and that no topic's offsets have holes.
 * Calls found() with a sentence for each thing that is wrong, at most `most` of them. Returns how
 * many things are wrong. */
uint64_t store_offline_check(struct store_offline *o, uint64_t most,
                             void (*found)(void *arg, const char *sentence), void *arg);

/* ---- Every event, in the order in which they happened ---- */

/* An event, under its first topic that was asked for. */
struct stored_event {
    const struct run_record *record;
    struct slice topic; /* of the run; record's places without a name stand there */
    uint64_t epoch, offset;
};

struct export_ops {
    /* Whether the topic's events are wanted. */
    bool (*wants)(void *arg, struct slice topic);
    /* 0 goes on; anything else ends the export with it. */
    int (*event)(void *arg, const struct stored_event *event);
    /* A run that cannot be read, and is left out. */
    void (*damaged)(void *arg, struct slice topic, uint64_t first_offset, uint64_t count);
};

/* Gives each event of the topics that are wanted once, in the node's order. 0, what ops->event
 * returned, or FAN_E_IO or FAN_E_NO_MEMORY with the reason appended to `why`. */
int store_offline_export(struct store_offline *o, const struct export_ops *ops, void *arg,
                         struct buf *why);

#endif
