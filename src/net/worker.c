/* Workers; see worker.h. */
#include "net/worker.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "codec/deflate.h"
#include "codec/websocket.h"
#include "fanfare/error.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "net/login.h"
#include "net/out_queue.h"
#include "net/tls.h"

static _Thread_local struct worker *current;

bool worker_is_current(const struct worker *w)
{
    return current == w;
}

/* ---- Arrays of connections ---- */

static void push(struct conn ***array, uint32_t *count, uint32_t *cap, struct conn *c)
{
    if (*count == *cap) {
        *cap = *cap ? *cap * 2 : 64;
        *array = memory_realloc(*array, *cap * sizeof(struct conn *));
    }
    (*array)[(*count)++] = c;
}

void worker_mark_dirty(struct worker *w, struct conn *c)
{
    w->busy = true;
    if (c->dirty)
        return;
    c->dirty = true;
    push(&w->dirty, &w->dirty_count, &w->dirty_cap, c);
}

void worker_mark_closing(struct worker *w, struct conn *c)
{
    w->busy = true;
    push(&w->closing, &w->closing_count, &w->closing_cap, c);
}

static void begin(struct worker *w, struct conn *c, int fd, struct peer *peer)
{
    c->worker = w;
    c->fd = fd;
    c->peer = peer;
    c->batch = UINT32_MAX;
    c->last_read = c->last_sent = w->now_s;
    c->id = atomic_fetch_add(&w->shared->next_id, 1) + 1;
}

static void enter(struct worker *w, struct conn *c)
{
    c->index = w->conn_count;
    push(&w->conns, &w->conn_count, &w->conn_cap, c);
    atomic_fetch_add(&w->shared->connections, 1);
}

int worker_add_unbound(struct worker *w, const struct conn_ops *ops, const char *address,
                       struct conn **conn)
{
    uint64_t most = NET_LIMIT(w, connections);
    struct peer *peer;
    if (most && atomic_load(&w->shared->connections) >= most)
        return FAN_E_LIMIT;
    int error = peer_take(w->shared->peers, slice_from(address), false,
                          (uint32_t)NET_LIMIT(w, connections_per_address), &peer);
    if (error)
        return error;
    struct conn *c = slab_try_take(&w->slab);
    struct out_queue *out = out_queue_new(&w->out_queues);
    if (!c || !out) {
        out_queue_free(&w->out_queues, out);
        if (c)
            slab_give(&w->slab, c);
        peer_release(w->shared->peers, peer);
        return FAN_E_NO_MEMORY;
    }
    begin(w, c, -1, peer);
    c->ops = ops;
    c->out = out;
    enter(w, c);
    *conn = c;
    return 0;
}

struct conn *worker_add_conn(struct worker *w, int fd, struct peer *peer, bool tls)
{
    struct conn *c = slab_try_take(&w->slab);
    if (!c)
        goto fail;
    begin(w, c, fd, peer);
    if (tls) {
        c->tls = tls_new(atomic_load(&w->shared->tls), fd, &w->sealed);
        if (!c->tls)
            goto fail_conn;
    }
    if (http_server_attach(c) != 0)
        goto fail_conn;
    enter(w, c);
    conn_timer(c, NET_LIMIT(w, handshake_ms));
    conn_begin(c);
    return c;
fail_conn:
    tls_free(c->tls);
    slab_give(&w->slab, c);
fail:
    NET_STAT(w, no_memory, 1);
    close(fd);
    peer_release(w->shared->peers, peer);
    return NULL;
}

static void reap(struct worker *w)
{
    for (uint32_t i = 0; i < w->closing_count; i++) {
        struct conn *c = w->closing[i];
        if (w->ops->closed)
            w->ops->closed(c);
        c->ops->closed(c);
        conn_timer_stop(c);
        login_end(c);
        conn_fini(c);
        peer_release(w->shared->peers, c->peer);
        struct conn *last = w->conns[--w->conn_count];
        w->conns[c->index] = last;
        last->index = c->index;
        atomic_fetch_sub(&w->shared->connections, 1);
        NET_STAT(w, closed, 1);
        slab_give(&w->slab, c);
    }
    if (w->closing_count)
        listeners_resume(w);
    w->closing_count = 0;
}

/* ---- The turn ---- */

/* A flush can make more output (a queue that drained is filled from history), so dirty
 * connections are worked off until none is left. */
static void flush_all(struct worker *w)
{
    while (w->dirty_count) {
        for (uint32_t i = 0; i < w->dirty_count; i++) {
            struct conn *c = w->dirty[i];
            c->dirty = false;
            conn_flush(c);
        }
        w->dirty_count = 0;
        w->flush->ops->submit(w->flush);
    }
    w->flush->ops->submit(w->flush);
}

static void end_turn(struct worker *w)
{
    w->ops->turn(w);
    flush_all(w);
    while (w->closing_count || w->dirty_count) {
        reap(w);
        flush_all(w);
    }
    if (w->ops->after_flush(w))
        worker_again(w);
    if (w->dirty_count || w->closing_count)
        worker_again(w);
}

static void run_tasks(struct worker *w)
{
    pthread_mutex_lock(&w->tasks_lock);
    struct worker_task *task = w->tasks;
    w->tasks = NULL;
    w->tasks_end = &w->tasks;
    pthread_mutex_unlock(&w->tasks_lock);
    while (task) {
        struct worker_task *next = task->next;
        bool owned = task->owned;
        task->fn(w, task->arg);
        if (owned)
            memory_free(task);
        task = next;
    }
}

static void update_now(struct worker *w)
{
    w->now_ms = clock_ms();
    w->now_s = (uint32_t)((w->now_ms - w->start_ms) / 1000);
}

static void on_wake(uv_async_t *async)
{
    struct worker *w = async->data;
    update_now(w);
    w->busy = true;
    run_tasks(w);
}

static void on_sockets(uv_poll_t *poll, int status, int events)
{
    struct worker *w = poll->data;
    struct poller_event ready[POLLER_BATCH];
    unsigned n;
    (void)status;
    (void)events;
    update_now(w);
    w->busy = true;
    /* Two batches at most: more is fetched in the next turn, after a flush. */
    for (int round = 0; round < 2; round++) {
        n = poller_fetch(&w->poller, ready);
        for (unsigned i = 0; i < n; i++) {
            if (listener_owns(ready[i].object))
                listener_on_ready(ready[i].object);
            else
                conn_on_ready(ready[i].object, ready[i].ready);
        }
        if (n < POLLER_BATCH)
            break;
    }
}

static void on_conn_timer(struct wheel_timer *timer, void *arg)
{
    struct conn *c = CONTAINER(timer, struct conn, timer);
    (void)arg;
    if (c->state == CONN_FINISHING && conn_is_moving(c, CONN_FINISH_MS))
        conn_timer(c, CONN_FINISH_MS);
    else if (c->state == CONN_LINGERING || c->state == CONN_FINISHING)
        conn_close(c, "closed");
    else if (c->state == CONN_OPEN)
        c->ops->timer(c);
}

static void on_alarm(struct wheel_timer *timer, void *arg)
{
    struct worker_alarm *a = CONTAINER(timer, struct worker_alarm, timer);
    struct worker *w = arg;
    w->busy = true;
    a->ring(a);
}

void worker_alarm_set(struct worker *w, struct worker_alarm *a, uint64_t delay_ms)
{
    wheel_set(&w->alarms, &a->timer, delay_ms);
}

void worker_alarm_stop(struct worker *w, struct worker_alarm *a)
{
    wheel_cancel(&w->alarms, &a->timer);
}

static void on_tick(uv_timer_t *tick)
{
    struct worker *w = tick->data;
    update_now(w);
    wheel_advance(&w->wheel, w->now_ms, on_conn_timer, w);
    wheel_advance(&w->alarms, w->now_ms, on_alarm, w);
    login_advance(w);
    if (w->now_ms >= w->next_second_ms) {
        w->next_second_ms = w->now_ms + 1000;
        listeners_resume(w);
        if (w->ops->second)
            w->ops->second(w);
    }
}

static void on_check(uv_check_t *check)
{
    struct worker *w = check->data;
    if (!w->busy)
        return;
    w->busy = false;
    end_turn(w);
}

/* Timers and tasks run outside the poll phase; what they caused leaves before the loop sleeps. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct worker *w = prepare->data;
    if (!w->busy)
        return;
    w->busy = false;
    end_turn(w);
}

static void on_idle(uv_idle_t *idle)
{
    struct worker *w = idle->data;
    uv_idle_stop(idle);
    w->wake_pending = false;
    w->busy = true;
}

void worker_again(struct worker *w)
{
    if (w->wake_pending)
        return;
    w->wake_pending = true;
    uv_idle_start(&w->idle, on_idle);
}

void worker_wake(struct worker *w)
{
    uv_async_send(&w->async);
}

/* Woken under the lock: the task may be the last thing that the worker waits for. */
void worker_submit(struct worker *w, struct worker_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&w->tasks_lock);
    *w->tasks_end = task;
    w->tasks_end = &task->next;
    worker_wake(w);
    pthread_mutex_unlock(&w->tasks_lock);
}

void worker_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
    struct worker_task *task = memory_alloc(sizeof *task);
    *task = (struct worker_task){.fn = fn, .arg = arg, .owned = true};
    worker_submit(w, task);
}

void worker_expect(struct worker *w)
{
    w->expected++;
}

void worker_expected(struct worker *w)
{
    w->expected--;
}

/* ---- Life ---- */

static unsigned tick_ms(const struct worker *w)
{
    return w->shared->tick_ms ? w->shared->tick_ms : WORKER_TICK_MS;
}

int worker_init(struct worker *w, const struct worker_config *config)
{
    memset(w, 0, sizeof *w);
    w->index = config->index;
    w->ops = config->ops;
    w->app = config->app;
    w->context = config->context;
    w->shared = config->shared;
    w->conn_size = config->conn_size;
    slab_init(&w->slab, config->conn_size);
    list_init(&w->listeners);
    w->start_ms = clock_ms();
    update_now(w);
    wheel_init(&w->wheel, tick_ms(w), w->now_ms);
    wheel_init(&w->alarms, tick_ms(w), w->now_ms);
    wheel_init(&w->logins, WORKER_TICK_MS, w->now_ms);
    w->tasks_end = &w->tasks;
    pthread_mutex_init(&w->tasks_lock, NULL);
    w->read_buffer = memory_alloc(WORKER_READ_SIZE);
    if (poller_init(&w->poller) != 0)
        return FAN_E_IO;
    if (uv_loop_init(&w->loop) != 0)
        return FAN_E_IO;
    uv_async_init(&w->loop, &w->async, on_wake);
    uv_poll_init(&w->loop, &w->poll, w->poller.fd);
    uv_timer_init(&w->loop, &w->tick);
    uv_prepare_init(&w->loop, &w->prepare);
    uv_check_init(&w->loop, &w->check);
    uv_idle_init(&w->loop, &w->idle);
    w->async.data = w->poll.data = w->tick.data = w;
    w->prepare.data = w->check.data = w->idle.data = w;
    return 0;
}

struct start_order {
    struct worker *worker;
    enum flush_choice flush;
    unsigned files;
    int error;
    uv_sem_t started;
};

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_all(struct worker *w)
{
    for (uint32_t i = 0; i < w->conn_count; i++)
        conn_close(w->conns[i], "server stopped");
    reap(w);
}

/* Other threads still have work of this worker's connections, and will bring it back. */
static void await_expected(struct worker *w)
{
    listeners_close(w);
    close_all(w);
    while (w->expected)
        uv_run(&w->loop, UV_RUN_ONCE);
}

/* The first handshake should not pay for what OpenSSL loads when it is first used. */
static void warm_up(void)
{
    char accept[29];
    ws_accept_value(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), accept);
}

static void *run(void *arg)
{
    struct start_order *order = arg;
    struct worker *w = order->worker;
    current = w;
    warm_up();
    w->flush = flush_open(order->flush, order->files);
    order->error = w->flush ? 0 : FAN_E_UNSUPPORTED;
    bool started = w->flush != NULL;
    if (started) {
        uv_poll_start(&w->poll, UV_READABLE, on_sockets);
        uv_timer_start(&w->tick, on_tick, tick_ms(w), tick_ms(w));
        uv_prepare_start(&w->prepare, on_prepare);
        uv_check_start(&w->check, on_check);
    }
    uv_sem_post(&order->started); /* the order is gone from here on */
    if (started)
        uv_run(&w->loop, UV_RUN_DEFAULT);
    if (w->expected)
        await_expected(w);
    uv_walk(&w->loop, close_handle, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    if (started) {
        close_all(w);
        run_tasks(w); /* what they carry is theirs to free */
        w->flush->ops->close(w->flush);
    }
    return NULL;
}

int worker_start(struct worker *w, enum flush_choice flush, unsigned files)
{
    struct start_order order = {.worker = w, .flush = flush, .files = files};
    uv_sem_init(&order.started, 0);
    if (pthread_create(&w->thread, NULL, run, &order) != 0) {
        uv_sem_destroy(&order.started);
        return FAN_E_NO_MEMORY;
    }
    uv_sem_wait(&order.started);
    uv_sem_destroy(&order.started);
    if (order.error)
        pthread_join(w->thread, NULL);
    return order.error;
}

static void stop_loop(struct worker *w, void *arg)
{
    (void)arg;
    uv_stop(&w->loop);
}

void worker_stop(struct worker *w)
{
    worker_post(w, stop_loop, NULL);
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
}

void worker_fini(struct worker *w)
{
    listeners_close(w);
    uv_walk(&w->loop, close_handle, NULL); /* of one that never ran */
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_loop_close(&w->loop);
    poller_fini(&w->poller);
    while (w->tasks) {
        struct worker_task *task = w->tasks;
        w->tasks = task->next;
        if (task->owned)
            memory_free(task);
    }
    for (unsigned i = 0; i < sizeof w->compressors / sizeof *w->compressors; i++)
        ws_deflate_free(w->compressors[i]);
    slab_fini(&w->slab);
    memory_free(w->conns);
    memory_free(w->dirty);
    memory_free(w->closing);
    out_queue_pool_fini(&w->out_queues);
    http_server_fini(w);
    buf_fini(&w->sealed);
    memory_free(w->read_buffer);
    pthread_mutex_destroy(&w->tasks_lock);
}
