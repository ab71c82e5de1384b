/* From the configuration to what the server's parts read. */
#include "base/clock.h"
#include "base/random.h"
#include "server/private.h"

#define IDEMPOTENCY_MS (10 * 60 * 1000)

static const enum config_kind kind_map[TOPIC_KINDS] = {
    [TOPIC_SESSION] = CONFIG_SESSION, [TOPIC_PROJECT] = CONFIG_PROJECT,
    [TOPIC_AGENT] = CONFIG_AGENT,     [TOPIC_USER] = CONFIG_USER,
    [TOPIC_CHANNEL] = CONFIG_CHANNEL, [TOPIC_GLOBAL] = CONFIG_GLOBAL,
};

static const enum slow_policy slow_map[] = {
    [CONFIG_SLOW_CATCH_UP] = SLOW_CATCH_UP,
    [CONFIG_SLOW_LATEST] = SLOW_LATEST,
    [CONFIG_SLOW_DISCONNECT] = SLOW_DISCONNECT,
};

void server_apply_hub(const struct config *config, struct hub_config *out)
{
    *out = (struct hub_config){
        .memory_limit = config->memory_limit,
        .latest_channels = (const char *const *)config->latest_channels.items,
        .latest_channel_count = config->latest_channels.count,
        .workers = (unsigned)config->workers,
        .idempotency_ms = IDEMPOTENCY_MS,
        .wall_ms = clock_wall_ms,
        .monotonic_ms = clock_ms,
        .random = random_bytes,
    };
    for (int kind = 0; kind < TOPIC_KINDS; kind++) {
        const struct config_topic *from = &config->topics[kind_map[kind]];
        out->kinds[kind] = (struct topic_limits){
            .durable = from->durable,
            .count = from->count,
            .age_ms = from->age_ms,
            .bytes = from->bytes,
            .slow = slow_map[from->slow],
            .idle_ms = from->idle_ms,
        };
    }
}

void server_apply_limits(struct server *s)
{
    const struct config *c = s->config;
    struct net_limits *l = &s->shared.limits;
    atomic_store(&l->connections, c->limits.connections);
    atomic_store(&l->connections_per_address, c->limits.connections_per_address);
    atomic_store(&l->handshake_ms, c->limits.handshake_ms);
    atomic_store(&l->message_size, c->limits.message_size);
    atomic_store(&l->queue, c->limits.queue);
    atomic_store(&l->messages, c->limits.messages);
    atomic_store(&l->burst, c->limits.burst);
    atomic_store(&l->ping_interval_ms, c->ping_interval_ms);
    atomic_store(&s->api.publish_limit, c->limits.publish);
    atomic_store(&s->delivery_options.subscriptions, (unsigned)c->limits.subscriptions);
}
