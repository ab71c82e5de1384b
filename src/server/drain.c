/*
 * Going down: nobody new is let in, and those connected are told to go, spread over the drain so
 * that they do not all come back at the next server in the same instant. What was accepted is
 * delivered first. Then a grace for those that take their time, and the end.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/listener.h"
#include "server/private.h"

#define STEP_MS  50
#define GRACE_MS 5000

struct drain_step {
    struct server *server;
    double fraction; /* of the connections that should have been told by now */
    bool first, last;
};

static bool still_owed(const struct client *c)
{
    return c->dialect && (c->subscriber.catch_up || c->publishing);
}

static void shut(struct client *c)
{
    struct conn *conn = &c->ws.conn;
    if (c->dialect) {
        subscriber_sync(&c->subscriber);
        client_shutdown(c);
    } else if (ws_is(conn)) {
        ws_shutdown(&c->ws);
    } else {
        http_server_shutdown(conn);
    }
}

static bool is_told(const struct client *c)
{
    return c->ws.close_sent || c->ws.conn.state != CONN_OPEN;
}

/* Tells connections until the wanted share of those that were there at the beginning is told. */
static void take_step(struct worker *w, void *arg)
{
    struct drain_step *step = arg;
    struct delivery *d = w->context;
    if (step->first) {
        listeners_close(w);
        d->drain_total = w->conn_count;
    }
    uint32_t wanted = (uint32_t)(step->fraction * d->drain_total + 0.999);
    uint32_t told = d->drain_total > w->conn_count ? d->drain_total - w->conn_count : 0;
    for (uint32_t i = 0; i < w->conn_count; i++)
        told += is_told(client_from_conn(w->conns[i]));
    for (uint32_t i = 0; i < w->conn_count && (told < wanted || step->last); i++) {
        struct client *c = client_from_conn(w->conns[i]);
        if (is_told(c) || (still_owed(c) && !step->last))
            continue;
        shut(c);
        told++;
    }
    memory_free(step);
}

static void over_and_out(struct server *s)
{
    uv_timer_stop(&s->drain_timer);
    s->owner.drained(s->owner.arg);
}

static void on_step(uv_timer_t *timer)
{
    struct server *s = timer->data;
    uint64_t passed = clock_ms() - s->drain_started_ms,
             drain = server_settings_now(s)->config->drain_ms;
    bool over = passed > drain + GRACE_MS;
    if (atomic_load(&s->shared.connections) == 0 || over) {
        if (over)
            log_warn("server", "closing connections that did not go",
                     LOG_U64("connections", atomic_load(&s->shared.connections)));
        over_and_out(s);
        return;
    }
    for (unsigned i = 0; i < s->worker_count; i++) {
        struct drain_step *step = memory_alloc(sizeof *step);
        *step = (struct drain_step){
            .server = s,
            .fraction = drain && passed < drain ? (double)(passed + STEP_MS) / (double)drain : 1,
            .last = passed > drain + GRACE_MS / 2,
        };
        if (step->fraction > 1)
            step->fraction = 1;
        worker_post(&s->workers[i], take_step, step);
    }
}

void server_drain(struct server *s)
{
    if (s->draining) {
        over_and_out(s);
        return;
    }
    s->draining = true;
    s->drain_started_ms = clock_ms();
    atomic_store(&s->shared.draining, true);
    log_info("server", "going down", LOG_U64("connections", atomic_load(&s->shared.connections)),
             LOG_U64("drain_ms", server_settings_now(s)->config->drain_ms));
    for (unsigned i = 0; i < s->worker_count; i++) {
        struct drain_step *step = memory_alloc(sizeof *step);
        *step = (struct drain_step){.server = s, .first = true};
        worker_post(&s->workers[i], take_step, step);
    }
    uv_timer_start(&s->drain_timer, on_step, 0, STEP_MS);
}
