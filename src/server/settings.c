/* From the configuration to what the server's parts read. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "fanfare/error.h"
#include "net/tls.h"
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

static void apply_limits(struct server *s, const struct config *c)
{
    struct net_limits *l = &s->shared.limits;
    atomic_store(&l->connections, c->limits.connections);
    atomic_store(&l->connections_per_address, c->limits.connections_per_address);
    atomic_store(&l->handshake_ms, c->limits.handshake_ms);
    atomic_store(&l->message_size, c->limits.message_size);
    atomic_store(&l->queue, c->limits.queue);
    atomic_store(&l->messages, c->limits.messages);
    atomic_store(&l->burst, c->limits.burst);
    atomic_store(&l->ping_interval_ms, c->ping_interval_ms);
    atomic_store(&l->token_grace_ms, c->jwt.grace_ms);
    atomic_store(&s->api.publish_limit, c->limits.publish);
    atomic_store(&s->api.demo_allowed, c->demo);
    atomic_store(&s->api.metrics_public, c->metrics_public);
    atomic_store(&s->delivery_options.subscriptions, (unsigned)c->limits.subscriptions);
    atomic_store(&s->delivery_options.rooms.ping_interval_ms, (unsigned)c->rooms.ping_interval_ms);
    atomic_store(&s->delivery_options.rooms.ping_timeout_ms, (unsigned)c->rooms.ping_timeout_ms);
    atomic_store(&s->delivery_options.rooms.connect_timeout_ms,
                 (unsigned)c->rooms.connect_timeout_ms);
    atomic_store(&s->delivery_options.rooms.recovery_window_ms,
                 (unsigned)c->rooms.recovery_window_ms);
    atomic_store(&s->delivery_options.rooms.max_payload, (unsigned)c->rooms.max_payload);
}

/* What stands behind "://" of each URL that is listened on is an own host. */
static struct access_rules *make_access(const struct server *s, const struct config *c)
{
    const char *bound[64];
    size_t count = 0;
    for (size_t at = 0; at < s->urls.len && count < 64; at += strlen(s->urls.data + at) + 1) {
        const char *host = strstr(s->urls.data + at, "://");
        if (host)
            bound[count++] = host + 3;
    }
    const struct access_options options = {
        .keyed = token_is_needed(c),
        .insecure = c->insecure,
        .own_urls = (const char *const *)c->public_urls.items,
        .own_url_count = c->public_urls.count,
        .bound = bound,
        .bound_count = count,
        .cors = (const char *const *)c->cors_origins.items,
        .cors_count = c->cors_origins.count,
    };
    return access_rules_new(&options);
}

static int apply_tokens(struct server *s, const struct config *c, struct buf *why)
{
    struct buf path = {0};
    const struct authenticator_options options = token_options(c, &path);
    int error = 0;
    if (s->authenticator)
        error = authenticator_configure(s->authenticator, &options, why);
    else
        s->authenticator = authenticator_new(&options, why);
    s->delivery_options.authenticator = s->authenticator;
    buf_fini(&path);
    return error || !s->authenticator ? FAN_E_INVALID : 0;
}

/* ---- Taking over ---- */

/* What has been decided at the start for good. */
static int check_change(const struct server *s, const struct config *config, struct buf *why)
{
    if ((config->tls_cert[0] != '\0') != (s->config->tls_cert[0] != '\0')) {
        BUF_LITERAL(why, "TLS cannot be turned on or off while the server runs (tls.cert)");
        return FAN_E_INVALID;
    }
    if (token_is_needed(config) != token_is_needed(s->config)) {
        BUF_LITERAL(why, "the open mode cannot be entered or left while the server runs (jwt.key, "
                         "jwt.public_key, jwt.jwks)");
        return FAN_E_INVALID;
    }
    return 0;
}

static void free_one(struct server_settings *settings)
{
    if (!settings)
        return;
    config_free(settings->owned);
    access_rules_free(settings->access);
    tls_context_free(settings->tls);
    memory_free(settings);
}

int server_apply_settings(struct server *s, const struct config *config, struct config *owned,
                          struct buf *why)
{
    struct tls_context *tls = NULL;
    int error = check_change(s, config, why);
    if (error)
        return error;
    if (config->tls_cert[0]) {
        tls = tls_context_new(config->tls_cert, config->tls_key, why);
        if (!tls)
            return FAN_E_INVALID;
    }
    error = apply_tokens(s, config, why);
    if (error) {
        tls_context_free(tls);
        return error;
    }
    struct server_settings *fresh = memory_zero(sizeof *fresh);
    *fresh = (struct server_settings){config, owned, make_access(s, config), tls};
    apply_limits(s, config);
    atomic_store(&s->shared.tls, tls);
    free_one(s->retired);
    s->retired = atomic_exchange(&s->settings, fresh);
    return 0;
}

void server_free_settings(struct server *s)
{
    free_one(s->retired);
    free_one(atomic_load(&s->settings));
}
