/* The server's parts; only src/server includes this. */
#ifndef SERVER_PRIVATE_H
#define SERVER_PRIVATE_H

#include "api/api.h"
#include "auth/access.h"
#include "auth/authenticator.h"
#include "config/config.h"
#include "dialect/client.h"
#include "hub/hub.h"
#include "net/worker.h"
#include "server/endpoint.h"
#include "server/server.h"
#include "server/token_options.h"

struct program_space;
struct server_watch;

/* What a reload replaces as a whole. Immutable; workers read the one in force. */
struct server_settings {
    const struct config *config; /* options that cannot be reloaded are the same in all of them */
    struct config *owned;        /* config, when it came from a reload */
    struct access_rules *access;
    struct tls_context *tls; /* NULL: plain */
};

struct server {
    struct api api;
    const struct config *config; /* as of the start, for what cannot be reloaded */
    _Atomic(struct server_settings *) settings;
    struct server_settings *retired; /* the one before, which a worker may still be reading */
    struct authenticator *authenticator;
    struct hub *hub;
    struct net_shared shared;
    struct delivery_options delivery_options;
    struct http_app app;
    struct worker *workers;
    unsigned worker_count, running; /* made; with a thread */
    pthread_mutex_t watch_lock;     /* /health looks at them while they come and go */
    struct server_watch *watches;
    struct buf unix_paths;        /* to be removed at the end, each with a NUL */
    struct buf urls;              /* where it listens, each with a NUL */
    struct endpoint *endpoints;   /* owned; unchanged once it runs */
    struct program_space *spaces; /* of the embedding program; likewise */
    struct server_owner owner;
    uv_timer_t tick;
    uv_timer_t drain_timer;
    uint64_t drain_started_ms;
    bool draining;
};

/* app.c: finds the route of a request, after the access rules. */
void server_request(struct http_exchange *x);

/* Whether the address is one of trusted_proxies. */
bool server_is_trusted(const struct config *config, struct slice address);

/* presence.c */
void server_presence(void *arg, struct worker *w, struct slice topic, void *token,
                     void (*done)(void *token, struct buf *array));

/* metrics.c */
void server_metrics(void *arg, struct buf *out);
void server_health(void *arg, struct buf *out);

uint64_t server_clients(void *arg, struct buf *out);

/* listen.c: opens all addresses for all workers. 0, or FAN_E_ADDRESS with the reason. */
int server_listen(struct server *s, struct buf *why);
void server_unlink(struct server *s);

/* watch.c */
int server_watch_start(struct server *s, struct buf *why);
void server_watch_stop(struct server *s);
void server_watch_health(struct server *s, struct buf *out);

/* publish.c: an event from inside the process. 0, or an error as fan_server_publish with the reason
 * appended. Any thread; waits for the engine, but on workers. */
int server_publish(struct server *s, const struct api_event *event, struct buf *why);

/* settings.c: from the configuration to what the parts read. */
void server_apply_hub(const struct config *config, struct hub_config *out);

/* Takes the configuration over as the one in force (owned: free it with the settings). Addresses
 * must have been opened. 0, or FAN_E_INVALID with the reason (TLS files); nothing is changed then.
 */
int server_apply_settings(struct server *s, const struct config *config, struct config *owned,
                          struct buf *why);
void server_free_settings(struct server *s);

static inline const struct server_settings *server_settings_now(struct server *s)
{
    return atomic_load_explicit(&s->settings, memory_order_acquire);
}

#endif
