/*
 * What runs a database has, also when some of its pages are damaged: what stands on the others is
 * found all the same. Reads only. One thread.
 */
#ifndef ENGINE_STORE_WALK_H
#define ENGINE_STORE_WALK_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* A run's row, without its events. */
struct walked_run {
    int64_t id; /* see store_run_id */
    uint64_t count, first_seq, last_seq;
};

struct walk_ops {
    /* 0 goes on; anything else ends the walk with it. */
    int (*run)(void *arg, const struct walked_run *run);
    /* Runs with ids from..to cannot be found: the pages on which they stood are damaged. */
    void (*lost)(void *arg, int64_t from, int64_t to);
};

/* Goes over all runs in the order of their ids. 0, what ops->run returned, or FAN_E_IO with the
 * reason appended to `why`. */
int store_walk(sqlite3 *db, const struct walk_ops *ops, void *arg, struct buf *why);

/* The first run that can be found in (from, last], where searching from `from` on meets a damaged
 * page: its id, or last + 1. */
int64_t store_next_readable(sqlite3 *db, int64_t from, int64_t last);

/* Whether SQLite's code says that something on the disk cannot be read, and never will be. */
bool store_is_damage(int code);

/* A topic's name and epoch as they stand in the database. SQLITE_ROW, SQLITE_DONE: there is no such
 * topic; or an error's code. `name` is appended to. */
int store_walk_topic(sqlite3 *db, uint64_t id, struct buf *name, uint64_t *epoch, uint64_t *offset);

/* What is lost of a topic: these offsets. known: whether `name` is its name, which may be lost as
 * well; it is "topic number N" then. */
typedef void store_lost_use(void *arg, struct slice name, bool known, uint64_t first,
                            uint64_t last);

/* Calls use() for each topic that may have had runs with these ids. */
void store_walk_lost(sqlite3 *db, int64_t from, int64_t to, store_lost_use *use, void *arg);

/* Appends what to call a topic whose name is lost. */
void store_append_number(struct buf *out, uint64_t topic);

#endif
