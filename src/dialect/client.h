/*
 * A client: a connection that speaks a dialect and follows topics.
 *
 * This is where net and hub meet: the fan-out's sink puts frames into connections, a connection
 * that drained lets its subscriber read on. One `delivery` per worker; worker's thread only.
 */
#ifndef DIALECT_CLIENT_H
#define DIALECT_CLIENT_H

#include <stdatomic.h>

#include "auth/identity.h"
#include "base/map.h"
#include "codec/cursor.h"
#include "dialect/dialect.h"
#include "hub/fanout.h"
#include "net/worker.h"
#include "net/ws_conn.h"

struct client {
    struct ws_conn ws;             /* first: the worker makes connections of this size */
    const struct dialect *dialect; /* NULL: it still speaks HTTP */
    struct subscriber subscriber;
    uint64_t sent_from; /* node order: everything it follows behind this it has been sent */
    int64_t since_ms;   /* wall clock of the connect */
    struct client_publishing *publishing; /* NULL: nothing it published is under way */
    uint32_t flags;                       /* the dialect's own */
    void *state;                          /* the dialect's own, usually NULL */
};

/* Settings that may change while running. */
struct delivery_options {
    bool deflate[HUB_MAX_DIALECTS];
    uint64_t deflate_threshold;
    int deflate_level;
    atomic_uint subscriptions; /* most topics of one connection */
    struct {
        atomic_uint ping_interval_ms, ping_timeout_ms, connect_timeout_ms;
        atomic_uint max_payload; /* bytes */
        atomic_uint recovery_window_ms;
        struct room_recovery *recovery;
        struct room_space *spaces;       /* namespaces */
        const struct room_space *engine; /* sessions at /engine.io/; NULL: there are none */
    } rooms;
    /* Collects who is connected to the topic from all workers, then calls done on w with a JSON
     * array. */
    void (*presence)(void *arg, struct worker *w, struct slice topic, void *token,
                     void (*done)(void *token, struct buf *array));
    void *presence_arg;
    struct authenticator *authenticator;
    struct worker *workers; /* all of them, for what belongs to another one */
    unsigned worker_count;
};

/* Makes and frees what the dialects of a server share over its workers. init begins with {0}; fini
 * is safe on that, and comes after the last delivery_free. */
void delivery_options_init(struct delivery_options *o);
void delivery_options_fini(struct delivery_options *o);

struct delivery {
    struct hub *hub;
    struct worker *worker;
    struct fanout fanout;
    const struct delivery_options *options;
    struct ws_deflate *compressor; /* made when first needed */
    struct buf scratch;            /* for messages that are being built */
    struct buf plain;              /* for encodings that compress */
    atomic_uint_least64_t clients[HUB_MAX_DIALECTS];
    atomic_uint_least64_t compressed;
    struct map live;      /* sockets of `rooms` that may come back, by pid */
    struct map polling;   /* sessions of `rooms` that the worker keeps for HTTP, by id */
    uint32_t drain_total; /* connections when the server began to go down */
};

struct delivery *delivery_new(struct hub *hub, struct worker *worker,
                              const struct delivery_options *options);
void delivery_free(struct delivery *d);

/* worker_ops. */
void delivery_turn(struct worker *w);
bool delivery_after_flush(struct worker *w);
void delivery_conn_closed(struct conn *c);

static inline struct delivery *client_delivery(struct client *c)
{
    return c->ws.conn.worker->context;
}

static inline struct client *client_from_conn(struct conn *c)
{
    return (struct client *)c; /* its first member */
}

static inline struct client *client_from_ws(struct ws_conn *ws)
{
    return (struct client *)ws;
}

static inline struct client *client_from_subscriber(struct subscriber *s)
{
    return CONTAINER(s, struct client, subscriber);
}

/* For encodings: where a client that has got the event goes on. */
static inline struct cursor client_cursor(const struct delivery *d, const struct event *e)
{
    return (struct cursor){hub_epoch(d->hub), fanout_position(&d->fanout, e)};
}

/* The connection of the exchange becomes a client of the dialect (after ws_accept, or
 * http_take_over). Logs the connect. */
struct client *client_open(struct http_exchange *x, const struct dialect *dialect);

/* The same for a connection that is nobody's exchange. path: for the log. */
struct client *client_begin(struct conn *conn, const struct dialect *dialect,
                            struct principal *principal, struct slice path);

/* Who the client is; NULL only before client_login. Borrowed, until its token is renewed. */
struct identity *client_identity(const struct client *c);

/* For dialects with late_token: the client is whose the token is (empty: somebody without one,
 * where that is allowed). TOKEN_GOOD; or why not, with *refusal filled, and it is who it was. */
enum token_problem client_login(struct client *c, struct slice token,
                                struct token_refusal *refusal);

/* Whether it may read the topic, publish to it, run code, use AI; else the reason is appended to
 * `why`. For what it asks for by message; accept functions ask permit_read (auth/permit.h). The
 * pattern `channel:files/` with a '*' behind it, say, may be read when all that it stands for may.
 */
bool client_may_read(const struct client *c, struct slice topic, struct buf *why);
bool client_may_publish(const struct client *c, struct slice topic, struct buf *why);
bool client_may_execute(const struct client *c, struct buf *why);
bool client_may_use_ai(const struct client *c, struct buf *why);

/* For the message `refresh_token`: a good token of the same user takes the old one's place, which
 * dialect.token_refreshed answers; another one is refused through dialect.error. token: the
 * member of that name. */
void client_refresh_token(struct client *c, struct json_value message, struct json_value token);

/* Says goodbye to a client because the server goes. */
void client_shutdown(struct client *c);

#endif
