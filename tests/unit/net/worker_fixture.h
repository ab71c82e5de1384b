/*
 * A real worker with connections over socket pairs, whose other ends the test holds. What they
 * speak is a probe that counts what happens. Everything that touches a connection runs on the
 * worker's thread; the test waits for it.
 */
#ifndef WORKER_FIXTURE_H
#define WORKER_FIXTURE_H

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fanfare/error.h"
#include "net/http_server.h"
#include "net/worker.h"

#define PATIENCE_MS 20000

struct probe {
    struct conn *conn; /* NULL once it is closed */
    int fd;            /* the other end, not blocking */
    atomic_uint drained, timers, overflows, ends, closed;
    atomic_size_t bytes; /* that came */
    char last[64];       /* the first bytes of what came last */
    const char *reason;  /* why it was closed */
    bool close_on_data;
};

struct world {
    struct worker worker;
    struct net_shared shared;
    void (*turn)(void *arg);
    void *turn_arg;
};

static struct world world;

/* ---- The probe's protocol ---- */

static void probe_data(struct conn *c, char *data, size_t len)
{
    struct probe *p = c->protocol;
    size_t n = len < sizeof p->last - 1 ? len : sizeof p->last - 1;
    memcpy(p->last, data, n);
    p->last[n] = '\0';
    if (p->close_on_data)
        conn_close(c, "told to");
    atomic_fetch_add(&p->bytes, len);
}

static void probe_end(struct conn *c)
{
    atomic_fetch_add(&((struct probe *)c->protocol)->ends, 1);
}

static void probe_drained(struct conn *c)
{
    atomic_fetch_add(&((struct probe *)c->protocol)->drained, 1);
}

static void probe_timer(struct conn *c)
{
    atomic_fetch_add(&((struct probe *)c->protocol)->timers, 1);
}

static void probe_overflow(struct conn *c)
{
    uint64_t unused;
    atomic_fetch_add(&((struct probe *)c->protocol)->overflows, 1);
    conn_drop_events(c, &unused);
    conn_finish(c, "overflow");
}

static void probe_closed(struct conn *c)
{
    struct probe *p = c->protocol;
    p->conn = NULL;
    p->reason = c->close_reason;
    atomic_fetch_add(&p->closed, 1);
}

static const struct conn_ops probe_ops = {
    .name = "probe",
    .data = probe_data,
    .end = probe_end,
    .drained = probe_drained,
    .timer = probe_timer,
    .overflow = probe_overflow,
    .closed = probe_closed,
};

/* ---- The worker ---- */

static inline void on_turn(struct worker *w)
{
    (void)w;
    if (world.turn)
        world.turn(world.turn_arg);
}

static inline bool nothing_more(struct worker *w)
{
    (void)w;
    return false;
}

static inline void no_request(struct http_exchange *x)
{
    (void)x;
}

static const struct worker_ops world_ops = {.turn = on_turn, .after_flush = nothing_more};
static const struct http_app world_app = {.request = no_request};

static inline void set_limits(struct net_limits *limits)
{
    atomic_store(&limits->handshake_ms, 10000);
    atomic_store(&limits->message_size, 1 << 20);
    atomic_store(&limits->queue, 1 << 20);
    atomic_store(&limits->messages, 5000);
    atomic_store(&limits->burst, 10000);
    atomic_store(&limits->ping_interval_ms, 30000);
    atomic_store(&limits->connections_per_address, 1000);
}

/* False: this flush stage is not available here. */
static inline bool world_open(enum flush_choice flush, const struct http_app *app)
{
    memset(&world, 0, sizeof world);
    set_limits(&world.shared.limits);
    world.shared.peers = peer_table_new();
    const struct worker_config config = {
        .ops = &world_ops,
        .app = app,
        .shared = &world.shared,
        .conn_size = 1024,
    };
    assert_int_equal(worker_init(&world.worker, &config), 0);
    if (worker_start(&world.worker, flush, 256) == 0)
        return true;
    worker_fini(&world.worker);
    peer_table_free(world.shared.peers);
    return false;
}

static inline void world_close(void)
{
    worker_stop(&world.worker);
    worker_join(&world.worker);
    worker_fini(&world.worker);
    peer_table_free(world.shared.peers);
}

struct errand {
    void (*run)(void *arg);
    void *arg;
    sem_t done;
};

static inline void run_errand(struct worker *w, void *arg)
{
    struct errand *e = arg;
    (void)w;
    e->run(e->arg);
    sem_post(&e->done);
}

/* Runs it on the worker's thread and waits. */
static inline void on_worker(void (*run)(void *arg), void *arg)
{
    struct errand e = {.run = run, .arg = arg};
    sem_init(&e.done, 0, 0);
    worker_post(&world.worker, run_errand, &e);
    sem_wait(&e.done);
    sem_destroy(&e.done);
}

/* Waits until a counter reaches the value. */
static inline void wait_for(const char *what, bool (*reached)(void *arg), void *arg)
{
    uint64_t until = clock_ms() + PATIENCE_MS;
    while (!reached(arg)) {
        if (clock_ms() > until)
            fail_msg("waited in vain for %s", what);
        poll(NULL, 0, 1);
    }
}

/* ---- Connections ---- */

struct connecting {
    struct probe *probe;
    int fd;
};

static inline void add_probe(void *arg)
{
    struct connecting *c = arg;
    struct peer *peer;
    assert_int_equal(peer_take(world.shared.peers, SLICE("unix"), false, 1, &peer), 0);
    struct conn *conn = worker_add_conn(&world.worker, c->fd, peer, false);
    assert_non_null(conn);
    conn->ops->closed(conn); /* the probe stands in the place of HTTP */
    conn->ops = &probe_ops;
    conn->protocol = c->probe;
    conn_timer_stop(conn);
    c->probe->conn = conn;
    world.worker.flush->ops->attach(world.worker.flush, conn);
}

static inline void make_pair(int fds[2], int buffer)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    if (buffer)
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
}

/* buffer: of the worker's end, bytes; 0: the usual one. */
static inline void probe_open(struct probe *p, int buffer)
{
    int fds[2];
    make_pair(fds, buffer);
    *p = (struct probe){.fd = fds[1]};
    struct connecting c = {p, fds[0]};
    on_worker(add_probe, &c);
}

static inline bool is_closed(void *arg)
{
    return atomic_load(&((struct probe *)arg)->closed) > 0;
}

static inline void wait_closed(struct probe *p)
{
    wait_for("the end of a connection", is_closed, p);
    assert_int_equal(atomic_load(&p->closed), 1);
}

/* Reads what is there, waiting for at least one byte. Returns 0 at the end. */
static inline size_t read_some(int fd, char *to, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    ssize_t n = recv(fd, to, size, 0);
    assert_true(n >= 0 || errno == ECONNRESET);
    return n > 0 ? (size_t)n : 0;
}

static inline void write_all(int fd, const char *text, size_t len)
{
    while (len) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        assert_true(n > 0);
        text += n;
        len -= (size_t)n;
    }
}

#endif
