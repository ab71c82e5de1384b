/* Clients and delivery; see client.h. */
#include "dialect/client.h"

#include "base/clock.h"
#include "base/memory.h"
#include "codec/cursor.h"
#include "codec/deflate.h"
#include "dialect/client_token.h"
#include "dialect/publication.h"
#include "fanfare/error.h"
#include "net/conn_log.h"

/* Members are fetched ahead by this many, because each is a cache miss of its own. */
#define PREFETCH 6

/* ---- The fan-out's sink ---- */

static void lag(struct client *c, const struct frames *frames)
{
    uint64_t first = frames->first_seq;
    uint64_t dropped = conn_drop_events(&c->ws.conn, &first);
    fanout_lag(&c->subscriber, first, dropped);
}

static void give(struct client *c, const struct frames *frames)
{
    if (c->ws.close_sent)
        return;
    int error = conn_send_run(&c->ws.conn, frames->bytes, frames->offset, frames->length,
                              frames->first_seq);
    if (error == FAN_E_LIMIT)
        lag(c, frames);
}

static void deliver(void *arg, struct subscription *const *members, unsigned count,
                    const struct frames *frames)
{
    struct delivery *d = arg;
    NET_STAT(d->worker, bytes_out, (uint64_t)count * frames->length);
    for (unsigned i = 0; i < count; i++) {
        if (i + PREFETCH < count)
            __builtin_prefetch(members[i + PREFETCH]);
        struct client *c = CONTAINER(members[i], struct client, subscriber.first);
        if (!c->subscriber.catch_up)
            give(c, frames);
    }
}

static bool deliver_one(void *arg, struct subscriber *s, const struct frames *frames)
{
    struct client *c = client_from_subscriber(s);
    struct delivery *d = arg;
    NET_STAT(d->worker, bytes_out, frames->length);
    if (c->ws.close_sent)
        return true;
    enum out_class kind = frames->history ? OUT_HISTORY : OUT_EVENTS;
    if (conn_send(&c->ws.conn, kind, frames->bytes, frames->offset, frames->length,
                  frames->first_seq) == FAN_E_LIMIT) {
        lag(c, frames);
        return false;
    }
    return true;
}

static bool ready(void *arg, struct subscriber *s)
{
    const struct ws_conn *ws = &client_from_subscriber(s)->ws;
    (void)arg;
    return ws->conn.state == CONN_OPEN && !conn_waiting(&ws->conn) && !ws->close_sent;
}

static void caught_up(void *arg, struct subscriber *s, uint64_t missed)
{
    struct client *c = client_from_subscriber(s);
    (void)arg;
    c->dialect->caught_up(c, missed);
}

static void gap(void *arg, struct subscriber *s, struct topic *topic, uint64_t from, uint64_t to,
                const char *reason)
{
    struct client *c = client_from_subscriber(s);
    (void)arg;
    c->dialect->gap(c, topic, from, to, reason);
}

static void overflow_close(void *arg, struct subscriber *s, uint64_t position)
{
    struct client *c = client_from_subscriber(s);
    struct delivery *d = arg;
    char cursor[CURSOR_TEXT_SIZE];
    uint64_t unused = 0;
    cursor_format((struct cursor){hub_epoch(d->hub), position}, cursor);
    conn_drop_events(&c->ws.conn, &unused);
    c->dialect->overflow(c, cursor);
}

static void wake(void *arg)
{
    worker_again(((struct delivery *)arg)->worker);
}

static const struct fanout_sink sink = {
    .deliver = deliver,
    .deliver_one = deliver_one,
    .ready = ready,
    .caught_up = caught_up,
    .gap = gap,
    .overflow_close = overflow_close,
    .wake = wake,
};

/* ---- Per worker ---- */

struct delivery *delivery_new(struct hub *hub, struct worker *worker,
                              const struct delivery_options *options)
{
    struct delivery *d = memory_zero(sizeof *d);
    d->hub = hub;
    d->worker = worker;
    d->options = options;
    fanout_init(&d->fanout, hub, worker->index, &sink, d);
    d->fanout.encode_context = d;
    return d;
}

void delivery_free(struct delivery *d)
{
    if (!d)
        return;
    fanout_fini(&d->fanout);
    map_fini(&d->polling);
    map_fini(&d->live);
    ws_deflate_free(d->compressor);
    buf_fini(&d->scratch);
    buf_fini(&d->plain);
    memory_free(d);
}

void delivery_turn(struct worker *w)
{
    struct delivery *d = w->context;
    fanout_drain(&d->fanout);
    fanout_deliver(&d->fanout);
}

bool delivery_after_flush(struct worker *w)
{
    struct delivery *d = w->context;
    return fanout_read_history(&d->fanout);
}

/* ---- Clients ---- */

struct client *client_begin(struct conn *conn, const struct dialect *dialect,
                            struct principal *principal, struct slice path)
{
    struct client *c = client_from_conn(conn);
    struct delivery *d = client_delivery(c);
    c->dialect = dialect;
    c->since_ms = clock_wall_ms();
    subscriber_init(&c->subscriber, &d->fanout);
    atomic_fetch_add_explicit(&d->clients[dialect->index], 1, memory_order_relaxed);
    if (login_begin(conn, principal, &client_login_ops) != 0)
        conn_close(conn, "out of memory");
    conn_log(conn, "connect", dialect->name, LOG_SLICE("path", path));
    return c;
}

struct client *client_open(struct http_exchange *x, const struct dialect *dialect)
{
    return client_begin(x->conn, dialect, x->principal, x->request->path);
}

void delivery_conn_closed(struct conn *conn)
{
    struct client *c = client_from_conn(conn);
    if (!c->dialect)
        return;
    struct delivery *d = client_delivery(c);
    if (c->dialect->closed)
        c->dialect->closed(c);
    publication_forget(c);
    subscriber_fini(&c->subscriber);
    atomic_fetch_sub_explicit(&d->clients[c->dialect->index], 1, memory_order_relaxed);
    conn_log(conn, "close", c->dialect->name,
             LOG_TEXT("reason", conn->close_reason ? conn->close_reason : "closed"));
    c->dialect = NULL;
}

void client_shutdown(struct client *c)
{
    c->dialect->shutdown(c);
}
