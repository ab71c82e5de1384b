/*
 * A worker: one thread with its own loop, listeners, connections and flush stage. A connection
 * lives and dies on one worker; nothing of it is shared.
 *
 * A loop turn: libuv waits; ready sockets are read as far as they go; then, once, the layer above
 * (turn) hands over what it has for connections, everything is flushed together, and closed
 * connections are given back.
 */
#ifndef NET_WORKER_H
#define NET_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "net/conn.h"
#include "net/flush.h"
#include "net/out_queue.h"
#include "net/peer.h"
#include "net/poller.h"

#define WORKER_READ_SIZE (256 * 1024)
#define WORKER_TICK_MS   100

struct worker;

/* Something to be done on the worker's thread. */
struct worker_task {
    struct worker_task *next;
    void (*fn)(struct worker *w, void *arg);
    void *arg;
    bool owned; /* worker_post made it */
};

struct http_app;
struct http_conn;
struct tls_context;
struct listener;
struct ws_deflate;

/* Limits of all workers together; the numbers may be changed while running (reload). */
struct net_limits {
    atomic_uint_least64_t connections; /* 0: no limit */
    atomic_uint_least64_t connections_per_address;
    atomic_uint_least64_t handshake_ms;
    atomic_uint_least64_t message_size;
    atomic_uint_least64_t queue; /* bytes of events per connection */
    atomic_uint_least64_t messages, burst;
    atomic_uint_least64_t ping_interval_ms;
    atomic_uint_least64_t token_grace_ms; /* for a fresh token, when one has expired */
};

/* What all workers of a server share. */
struct net_shared {
    struct net_limits limits;
    struct peer_table *peers;
    atomic_uint_least64_t connections; /* open now */
    atomic_uint_least64_t next_id;
    _Atomic(struct tls_context *) tls; /* for listeners that speak it; NULL: none */
    /* Whether the address is a trusted proxy, whose connections are not counted; may be NULL. */
    bool (*trusted)(void *arg, const char *address);
    void *trusted_arg;
    unsigned tick_ms; /* how fine timers are; set before the workers are made; 0: WORKER_TICK_MS */
    /* Messages of connections that compress what they send (ws_send_message). */
    uint64_t deflate_threshold; /* smaller ones are sent as they are */
    int deflate_level;          /* 1 to 9 */
    atomic_bool draining;
};

/* What a worker counts, written by it alone and read by anybody (/metrics). */
#define NET_COUNTERS(X)    \
    X(accepted)            \
    X(refused_limit)       \
    X(refused_address)     \
    X(refused_descriptors) \
    X(accept_pauses)       \
    X(bytes_in)            \
    X(bytes_out)           \
    X(closed)              \
    X(backlogged)          \
    X(control_overflows)   \
    X(no_memory)           \
    X(handshake_timeouts)  \
    X(rate_limited)        \
    X(http_requests)       \
    X(websocket_upgrades)  \
    X(messages_in)         \
    X(keepalive_closed)

struct net_stats {
#define X(name) atomic_uint_least64_t name;
    NET_COUNTERS(X)
#undef X
};

struct worker_ops {
    /* Once at the end of each turn that did something: hand over output. */
    void (*turn)(struct worker *w);
    /* After the flush of a turn. True: come back at once, there is more to do. */
    bool (*after_flush)(struct worker *w);
    /* A connection is gone; release what the layer above keeps in it. */
    void (*closed)(struct conn *c);
    /* About every second. */
    void (*second)(struct worker *w);
};

struct worker {
    unsigned index;
    const struct worker_ops *ops;
    const struct http_app *app;
    void *context; /* of the layer above */
    struct net_shared *shared;
    struct net_stats stats;
    struct flush *flush;
    struct poller poller;
    struct wheel wheel;
    struct wheel logins; /* of those that expire, login.h */
    struct wheel alarms; /* worker_alarm_set */
    uint64_t now_ms;     /* monotonic, taken once a turn */
    uint32_t now_s;      /* seconds since the worker's start, for conn.last_read */
    uint64_t start_ms;
    struct buf sealed;                  /* TLS records that are about to be queued */
    struct out_queue_pool out_queues;   /* spare ones */
    struct http_conn *spare_http;       /* NULL, or of the connection that needed it last */
    char *read_buffer;                  /* WORKER_READ_SIZE, shared by all connections */
    struct ws_deflate *compressors[16]; /* by window bits; made when first needed */
    size_t conn_size;
    struct slab slab;
    struct conn **conns; /* dense */
    uint32_t conn_count, conn_cap;
    struct conn **dirty; /* have output queued in this turn */
    uint32_t dirty_count, dirty_cap;
    struct conn **closing;
    uint32_t closing_count, closing_cap;
    bool busy;         /* the turn did something */
    bool wake_pending; /* worker_again was called */
    struct list listeners;
    uv_loop_t loop;
    uv_poll_t poll;
    uv_async_t async;
    uv_timer_t tick;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uint64_t next_second_ms;
    pthread_mutex_t tasks_lock;
    struct worker_task *tasks, **tasks_end;
    unsigned expected; /* worker_expect */
    pthread_t thread;
    bool stopping;
};

#define NET_STAT(w, field, n) \
    atomic_fetch_add_explicit(&(w)->stats.field, (n), memory_order_relaxed)
#define NET_LIMIT(w, field) atomic_load_explicit(&(w)->shared->limits.field, memory_order_relaxed)

struct worker_config {
    unsigned index;
    const struct worker_ops *ops;
    const struct http_app *app;
    void *context;
    struct net_shared *shared;
    size_t conn_size; /* of the layer above's connection object, which begins with struct conn */
    enum flush_choice flush;
    unsigned files; /* most descriptors the process may have */
};

/* Makes the worker; it runs from worker_start on. 0, FAN_E_NO_MEMORY, FAN_E_IO. */
int worker_init(struct worker *w, const struct worker_config *config);

/* Starts its thread; the flush stage is opened there. Returns when it runs: 0, or
 * FAN_E_UNSUPPORTED when the wanted flush stage is not available. */
int worker_start(struct worker *w, enum flush_choice flush, unsigned files);

/* Ends the loop, from any thread: open connections are closed. Once. */
void worker_stop(struct worker *w);

/* Waits for the thread of one that was stopped. */
void worker_join(struct worker *w);
void worker_fini(struct worker *w);

/* Runs fn(worker, arg) on the worker's thread, soon. Any thread. Order is kept. */
void worker_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);

/* The same with a task of the caller's, of whom fn and arg are set; nothing is allocated. It is the
 * caller's again when fn is called. */
void worker_submit(struct worker *w, struct worker_task *task);

/* From the worker's own thread: another thread is going to submit a task, and the worker must not
 * end before it came. To be called once for each. */
void worker_expect(struct worker *w);
void worker_expected(struct worker *w); /* it came */

/* Wakes the loop so that a turn takes place. Any thread. */
void worker_wake(struct worker *w);

/* From the worker's own thread: another turn right after this one. */
void worker_again(struct worker *w);

/* Whether the caller is the worker's thread. */
bool worker_is_current(const struct worker *w);

/* A timer that is not a connection's; a member of something larger, zero at first. */
struct worker_alarm {
    struct wheel_timer timer;
    void (*ring)(struct worker_alarm *a);
};

/* Rings once, after at least delay_ms; from the worker's thread. Setting it again moves it. */
void worker_alarm_set(struct worker *w, struct worker_alarm *a, uint64_t delay_ms);
void worker_alarm_stop(struct worker *w, struct worker_alarm *a);

/* Takes over an accepted descriptor, and reads what has come on it already: it may be closed, until
 * the end of the turn, when this returns. The peer has been taken. NULL: no memory (fd is closed).
 */
struct conn *worker_add_conn(struct worker *w, int fd, struct peer *peer, bool tls);

/* A connection without a socket, for a session whose bytes go other ways: what is queued for it is
 * taken by conn_take. It counts as a connection of the address. 0; FAN_E_LIMIT, FAN_E_NO_MEMORY. */
int worker_add_unbound(struct worker *w, const struct conn_ops *ops, const char *address,
                       struct conn **conn);

/* ---- For conn.c ---- */
void worker_mark_dirty(struct worker *w, struct conn *c);
void worker_mark_closing(struct worker *w, struct conn *c);

#endif
