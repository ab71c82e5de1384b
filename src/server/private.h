/* The server's parts; only src/server includes this. */
#ifndef SERVER_PRIVATE_H
#define SERVER_PRIVATE_H

#include "api/api.h"
#include "auth/access.h"
#include "config/config.h"
#include "dialect/client.h"
#include "hub/hub.h"
#include "net/worker.h"
#include "server/endpoint.h"
#include "server/server.h"

struct server_watch;

struct server {
    struct api api;
    /* The configuration in force; options that cannot be reloaded never change. */
    const struct config *config;
    struct config *reloaded; /* owned: `config`, after a reload */
    struct config *retired;  /* owned: the one before */
    struct hub *hub;
    struct net_shared shared;
    struct delivery_options delivery_options;
    struct access_rules *access;
    struct http_app app;
    struct worker *workers;
    unsigned worker_count, running; /* made; with a thread */
    struct tls_context *tls;
    struct server_watch *watches;
    struct buf unix_paths;      /* to be removed at the end, each with a NUL */
    struct buf urls;            /* where it listens, each with a NUL */
    struct endpoint *endpoints; /* owned; unchanged once it runs */
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

/* listen.c: opens all addresses for all workers. 0, or FAN_E_ADDRESS with the reason. */
int server_listen(struct server *s, struct buf *why);
void server_unlink(struct server *s);

/* watch.c */
int server_watch_start(struct server *s, struct buf *why);
void server_watch_stop(struct server *s);
void server_watch_health(struct server *s, struct buf *out);

/* publish.c: an event from inside the process; data is JSON text. 0, or an error as
 * fan_server_publish with the reason appended. Any thread. */
struct server_event {
    struct slice topic, type, data, source;
};
int server_publish(struct server *s, const struct server_event *event, struct buf *why);

/* settings.c: from the configuration to what the parts read. */
void server_apply_hub(const struct config *config, struct hub_config *out);
void server_apply_limits(struct server *s);

#endif
