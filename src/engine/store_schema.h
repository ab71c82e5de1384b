/*
 * The tables of a data directory's fanfare.db, and the steps from each version of them to the next.
 *
 *   meta    what is known of the node, by name (enum store_meta): all values are 64-bit integers
 *   topics  one row per durable topic that ever had an event
 *   runs    consecutive events of a topic: what one commit, or a part of it, added to it
 *
 * A run's id holds its topic and its first offset, so that a topic's runs lie next to each other in
 * the order of offsets, no second index has to be kept, and trimming frees whole pages.
 */
#ifndef ENGINE_STORE_SCHEMA_H
#define ENGINE_STORE_SCHEMA_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/buf.h"

/* PRAGMA application_id: "Fnfr". PRAGMA user_version: the number of steps that were taken. */
#define STORE_APPLICATION_ID 0x466e6672
unsigned store_schema_version(void);

/* runs.id: topic << 36 | first_offset, so 2^27 topics of 2^36 events each. */
#define STORE_OFFSET_BITS 36
#define STORE_OFFSET_MAX  ((UINT64_C(1) << STORE_OFFSET_BITS) - 1)
#define STORE_TOPIC_MAX   ((UINT64_C(1) << 27) - 1)

static inline int64_t store_run_id(uint64_t topic, uint64_t first_offset)
{
    return (int64_t)(topic << STORE_OFFSET_BITS | first_offset);
}

static inline uint64_t store_run_topic(int64_t id)
{
    return (uint64_t)id >> STORE_OFFSET_BITS;
}

static inline uint64_t store_run_offset(int64_t id)
{
    return (uint64_t)id & STORE_OFFSET_MAX;
}

/* Brings a new or older database to this program's version, in one transaction. 0;
 * FAN_E_UNSUPPORTED (of a newer program, or not Fanfare's) or FAN_E_IO, with the reason appended.
 */
int store_migrate(sqlite3 *db, struct buf *why);

/* Whether the database is of just this version. 0, or as store_migrate. */
int store_schema_check(sqlite3 *db, struct buf *why);

#endif
