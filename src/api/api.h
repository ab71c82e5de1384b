/*
 * The HTTP API's context, and its handlers. One object per server, shared by all workers;
 * handlers run on the worker of their connection.
 */
#ifndef API_API_H
#define API_API_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/route.h"
#include "auth/identity.h"
#include "hub/hub.h"
#include "net/http_server.h"
#include "net/worker.h"

/* A request in the API: what its route's parameters are. */
#define API_MAX_VALUES 4

struct api_request {
    struct api *api;
    struct http_exchange *exchange;
    struct slice path;                   /* without base_path */
    struct slice values[API_MAX_VALUES]; /* path parameters, percent-decoded, NUL-terminated */
    struct buf storage;                  /* of values */
};

typedef void api_handler(struct api_request *r);

/* An event from inside the process. */
struct api_event {
    struct slice topic; /* empty: where events of its type go by themselves */
    struct slice type, source;
    struct slice data; /* JSON text, an object */
    struct slice id;   /* for idempotency; empty: none */
};

/* What the server knows and the API shows. */
struct api_host {
    /* Appends members to the health object, a comma before each. */
    void (*health)(void *arg, struct buf *out);
    /* Appends metrics that are not the API's. */
    void (*metrics)(void *arg, struct buf *out);
    /* Publishes one event, checked like those of clients. 0, or an error with the reason appended.
     * Returns when it has its place, so on no worker's thread unless the engine is in memory. */
    int (*publish)(void *arg, const struct api_event *event, struct buf *why);
    /* The secret of POST /webhooks/github, "" when there is none; valid until the next reload. */
    const char *(*webhook_secret)(void *arg);
    /* Appends `"dialect":clients` of each dialect, and returns how many clients there are. */
    uint64_t (*clients)(void *arg, struct buf *out);
    /* Collects who is connected to the topic from all workers, then calls done on the worker of
     * the exchange with a JSON array. The exchange may end before: then with NULL. */
    void (*presence)(void *arg, struct worker *w, struct slice topic, void *token,
                     void (*done)(void *token, struct buf *array));
    void *arg;
};

/* How many events the server takes, over the last seconds. */
#define API_RATE_SECONDS 5
struct api_rate {
    uint64_t published[API_RATE_SECONDS]; /* the hub's counter at each of the last ticks */
    unsigned at, filled;                  /* where the next one goes; how many there are */
    atomic_uint_least64_t per_1000s;      /* the figure */
};

struct api {
    struct hub *hub;
    struct net_shared *shared;
    struct api_host host;
    const char *version;
    const char *flush_name;
    char *server_url;
    struct platform *platform; /* projects and what else is kept; platform.h */
    uint64_t started_ms;       /* monotonic */
    atomic_bool demo_allowed;
    atomic_bool metrics_public;
    unsigned build_dialect, ide_dialect; /* indices, for counting their connections */
    atomic_uint_least64_t unusual;       /* events with a status outside the usual ones */
    atomic_uint_least64_t lost;          /* answered before they were stored, and then refused */
    atomic_uint_least64_t publish_limit; /* events a second of one identity; 0: none */
    atomic_uint_least64_t webhook_bytes; /* of bodies that are being received */
    struct api_rate rate;
};

/* A handler and its description. */
struct api_route {
    enum http_method method;
    const char *path;
    api_handler *handle;
};

/* The API's own routes; the rest (dialects) is the server's. */
const struct api_route *api_routes(unsigned *count);

static inline size_t api_message_size(const struct api *api)
{
    return (size_t)atomic_load_explicit(&api->shared->limits.message_size, memory_order_relaxed);
}

static inline void api_count_unusual(struct api *api)
{
    atomic_fetch_add_explicit(&api->unusual, 1, memory_order_relaxed);
}

static inline void api_count_lost(struct api *api)
{
    atomic_fetch_add_explicit(&api->lost, 1, memory_order_relaxed);
}

/* limits.publish: takes n events' worth (0: only looks) of what the publisher may send; returns how
 * many milliseconds it must wait before it may go on (0: none). */
uint64_t api_publish_quota(struct api *api, struct identity *who, uint64_t n);

/* Once a second, from one thread. */
void api_tick(struct api *api);

/* Takes n events' worth of limits.publish for the exchange's user. Who comes while others, or it
 * itself, are far ahead of the limit is sent away: answers 429 and returns false. That costs
 * nothing of the quota: it would never be free again otherwise. */
bool api_may_publish(struct api *api, struct http_exchange *x, uint64_t n);

/* Reads a whole-number query parameter. Answers 422 and returns false when it is not one within
 * min..max. Absent: *value stays. */
bool api_query_number(struct api_request *r, const char *name, uint64_t min, uint64_t max,
                      uint64_t *value);

/* Handlers, by file. */
api_handler api_publish, api_publish_socket;       /* publish_http.c, publish_socket.c */
api_handler api_topics, api_history, api_presence; /* topics.c */
api_handler api_sessions, api_status, api_demo;    /* sessions.c, demo.c */
api_handler api_ide_status, api_ide_connections, api_no_sandbox, api_no_model; /* ide.c */
api_handler api_projects, api_project_create, api_project;                     /* projects.c */
api_handler api_project_update, api_project_delete;
api_handler api_agent_status, api_agent_status_set, api_workflow, api_workflow_set; /* reports.c */
api_handler api_suggestions, api_suggestion_add;
api_handler api_github;                                                        /* webhook.c */
api_handler api_websocket_stats;                                               /* stats.c */
api_handler api_health, api_metrics;                                           /* health.c */
api_handler api_openapi, api_asyncapi, api_page, api_client_library, api_root; /* pages.c */

#endif
