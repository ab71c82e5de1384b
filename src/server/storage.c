/* Opening the hub on its engine; see storage.h. */
#include "server/storage.h"

#include <string.h>

#include "engine/memory.h"
#include "engine/sqlite.h"
#include "server/private.h"

static const enum store_synchronous synchronous_map[] = {
    [CONFIG_SYNC_FULL] = STORE_SYNC_FULL,
    [CONFIG_SYNC_NORMAL] = STORE_SYNC_NORMAL,
    [CONFIG_SYNC_OFF] = STORE_SYNC_OFF,
};

int storage_open(const struct config *config, struct engine *given, struct hub **hub,
                 struct buf *why)
{
    struct hub_config hub_config;
    server_apply_hub(config, &hub_config);
    *hub = hub_new(&hub_config);
    if (given || config->engine == CONFIG_ENGINE_MEMORY) {
        hub_set_engine(*hub, given ? given : engine_memory_new());
        return 0;
    }
    struct sqlite_options options = {
        .directory = config->data,
        .synchronous = synchronous_map[config->store_synchronous],
        .memory_limit = hub_config.memory_limit,
        .idempotency_ms = hub_config.idempotency_ms,
    };
    memcpy(options.kinds, hub_config.kinds, sizeof options.kinds);
    return engine_sqlite_start(*hub, &options, why);
}

bool storage_keeps(const struct config *config, enum topic_kind kind)
{
    struct hub_config hub_config;
    server_apply_hub(config, &hub_config);
    return hub_config.kinds[kind].durable;
}
