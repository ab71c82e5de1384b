/*
 * The engine `sqlite`: topics of durable kinds are kept in a database in the data directory. One
 * thread writes all of them down, many events to a commit, and shows them when they are on disk;
 * see docs/durability.md and docs/decisions/0011-durable-store.md.
 */
#ifndef ENGINE_SQLITE_H
#define ENGINE_SQLITE_H

#include "engine/store_db.h"
#include "hub/hub.h"

struct sqlite_options {
    const char *directory; /* made if it is not there */
    enum store_synchronous synchronous;
    struct topic_limits kinds[TOPIC_KINDS]; /* as the hub's */
    uint64_t memory_limit;                  /* likewise */
    uint64_t idempotency_ms;                /* likewise */
};

/* Opens the database, alone on its directory, and gives the hub, which nobody uses yet and which
 * owns the engine afterwards, what it knew when it was closed. 0, FAN_E_IO, FAN_E_UNSUPPORTED,
 * FAN_E_EXISTS (another server has it), with the reason appended; the hub may only be freed then.
 */
int engine_sqlite_start(struct hub *hub, const struct sqlite_options *options, struct buf *why);

#endif
