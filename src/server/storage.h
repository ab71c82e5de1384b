/* The hub and the engine behind it, as a configuration wants them: for the server, and for commands
 * that write to a data directory while no server does. */
#ifndef SERVER_STORAGE_H
#define SERVER_STORAGE_H

#include "base/buf.h"
#include "config/config.h"
#include "hub/hub.h"

/* Makes the hub and starts its engine: the one that is given (the hub owns it then), or, for NULL,
 * the configuration's. Returns 0, or what engine_sqlite_start returns with the reason appended to
 * `why`. *hub is to be freed with hub_free in any case. Borrows config's strings. */
int storage_open(const struct config *config, struct engine *given, struct hub **hub,
                 struct buf *why);

/* Whether topics of this kind are durable. */
bool storage_keeps(const struct config *config, enum topic_kind kind);

#endif
