/*
 * Connections: output and closing. See conn.h.
 *
 * What is queued in a turn is given to the kernel at its end. Small segments are joined into one
 * send; the socket's refusal (its buffer is full) leaves the rest queued until it is writable.
 */
#include "net/conn.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "fanfare/error.h"
#include "net/conn_private.h"
#include "net/out_queue.h"
#include "net/tls.h"
#include "net/worker.h"

/* Segments that together are smaller than this are copied into one send. */
#define JOIN_MAX         65536
#define IOV_MAX_PER_SEND 64
#define LINGER_MS        2000

/* ---- Queueing ---- */

static int fail_no_memory(struct conn *c)
{
    NET_STAT(c->worker, no_memory, 1);
    conn_close(c, "out of memory");
    return FAN_E_NO_MEMORY;
}

static int queue(struct conn *c, const struct out_segment *segment)
{
    if (c->state == CONN_CLOSED || c->state == CONN_LINGERING)
        return FAN_E_CLOSED;
    if (!c->out)
        c->out = out_queue_new(&c->worker->out_queues);
    if (!c->out || out_queue_push(c->out, segment) != 0)
        return fail_no_memory(c);
    if (segment->kind == OUT_CONTROL)
        NET_STAT(c->worker, bytes_out, segment->length);
    if (!c->blocked)
        worker_mark_dirty(c->worker, c);
    return 0;
}

static int control_overflow(struct conn *c)
{
    NET_STAT(c->worker, control_overflows, 1);
    if (c->state == CONN_OPEN && c->ops->overflow)
        c->ops->overflow(c);
    else
        conn_close(c, "control queue overflow");
    return FAN_E_LIMIT;
}

static bool is_full(const struct conn *c, uint32_t length)
{
    const struct out_queue *q = c->out;
    return q && q->control_bytes && q->control_bytes + length > OUT_CONTROL_MAX;
}

static bool is_full_of_large(const struct conn *c)
{
    const struct out_queue *q = c->out;
    return q && q->bytes - q->control_bytes - q->event_bytes > OUT_LARGE_MAX;
}

int conn_send(struct conn *c, enum out_class kind, struct bytes *bytes, uint32_t offset,
              uint32_t length, uint64_t first_seq)
{
    const struct out_segment segment = {bytes, offset, length, first_seq, (uint8_t)kind, true};
    const struct out_queue *q = c->out;
    if (q && kind == OUT_EVENTS && q->event_bytes &&
        q->event_bytes + length > NET_LIMIT(c->worker, queue))
        return FAN_E_LIMIT;
    if (kind == OUT_CONTROL && is_full(c, length)) {
        /* Much was asked at once: the peer may well read, and was offered nothing yet. */
        conn_offer(c);
        if (is_full(c, length))
            return control_overflow(c);
    }
    return queue(c, &segment);
}

int conn_send_copy(struct conn *c, struct slice text)
{
    struct bytes *bytes = bytes_try_copy(text);
    if (!bytes)
        return fail_no_memory(c);
    int error = conn_send(c, OUT_CONTROL, bytes, 0, bytes->len, 0);
    bytes_unref(bytes);
    return error;
}

static int queue_copy(struct conn *c, struct slice text)
{
    struct bytes *bytes = bytes_try_copy(text);
    if (!bytes)
        return fail_no_memory(c);
    const struct out_segment segment = {bytes, 0, bytes->len, 0, OUT_CONTROL, false};
    int error = queue(c, &segment);
    bytes_unref(bytes);
    return error;
}

int conn_send_large(struct conn *c, struct slice text)
{
    if (is_full_of_large(c))
        conn_offer(c);
    if (is_full_of_large(c))
        return control_overflow(c);
    return queue_copy(c, text);
}

int conn_send_body(struct conn *c, struct slice body)
{
    return body.len ? queue_copy(c, body) : 0;
}

bool conn_oldest_event(const struct conn *c, uint64_t *seq)
{
    const struct out_queue *q = c->out;
    for (uint32_t i = 0; q && i < q->count; i++) {
        const struct out_segment *s = out_queue_at(q, i);
        if (s->kind == OUT_EVENTS || s->kind == OUT_HISTORY) {
            *seq = s->first_seq;
            return true;
        }
    }
    return false;
}

uint64_t conn_drop_events(struct conn *c, uint64_t *first_seq)
{
    uint64_t dropped = c->out ? out_queue_drop_events(c->out, first_seq) : 0;
    if (dropped && c->fd < 0 && c->out->bytes == 0)
        worker_mark_dirty(c->worker, c); /* no socket will say that it has drained */
    return dropped;
}

void conn_take(struct conn *c, struct buf *out)
{
    struct out_queue *q = c->out;
    for (uint32_t i = 0; i < q->count; i++) {
        const struct out_segment *s = out_queue_at(q, i);
        buf_append(out, s->bytes->data + s->offset, s->length);
    }
    out_queue_free(&c->worker->out_queues, q);
    c->out = out_queue_new(
        &c->worker->out_queues); /* it always has one: nothing of it goes into a batch */
    if (!c->out)
        fail_no_memory(c);
    else if (c->state == CONN_OPEN && c->ops->drained)
        c->ops->drained(c);
}

uint64_t conn_waiting(const struct conn *c)
{
    return c->out ? c->out->bytes : 0;
}

bool conn_is_moving(const struct conn *c, uint64_t ms)
{
    return c->out && c->worker->now_s - c->last_sent < (ms + 999) / 1000;
}

static void add_to_batch(struct conn *c, struct bytes *bytes, uint32_t offset, uint32_t length,
                         enum out_class kind)
{
    struct flush *flush = c->worker->flush;
    c->batch = flush->batch;
    c->in_batch = (uint8_t)kind;
    c->last_sent = c->worker->now_s;
    flush->ops->send(flush, c, bytes, offset, length);
}

static int fail_tls(struct conn *c, int error)
{
    if (error == -ENOMEM)
        return fail_no_memory(c);
    conn_close(c, "TLS error");
    return FAN_E_CLOSED;
}

static int seal_into_batch(struct conn *c, const char *data, uint32_t length)
{
    struct buf *sealed = &c->worker->sealed;
    int error = tls_write(c->tls, data, length);
    struct bytes *records = error ? NULL : bytes_try_copy(buf_slice(sealed));
    buf_clear(sealed);
    if (!records)
        return fail_tls(c, error ? error : -ENOMEM);
    add_to_batch(c, records, 0, records->len, OUT_SEALED);
    bytes_unref(records);
    return 0;
}

int conn_send_run(struct conn *c, struct bytes *bytes, uint32_t offset, uint32_t length,
                  uint64_t first_seq)
{
    struct flush *flush = c->worker->flush;
    bool now = !c->out && c->batch != flush->batch && c->state == CONN_OPEN;
    if (now && !c->tls)
        add_to_batch(c, bytes, offset, length, OUT_EVENTS);
    else if (now && c->attached && length <= JOIN_MAX)
        return seal_into_batch(c, bytes->data + offset, length);
    else
        return conn_send(c, OUT_EVENTS, bytes, offset, length, first_seq);
    return 0;
}

/* ---- Flushing ---- */

/* All that waits in one buffer, when it is small. */
static struct bytes *join(const struct out_queue *q)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < q->count; i++)
        total += out_queue_at(q, i)->length;
    struct bytes *joined = total <= JOIN_MAX ? bytes_try_new(total) : NULL;
    for (uint32_t i = 0; joined && i < q->count; i++) {
        const struct out_segment *s = out_queue_at(q, i);
        memcpy(joined->data + joined->len, s->bytes->data + s->offset, s->length);
        joined->len += s->length;
    }
    return joined;
}

/* Queues what TLS has to say. */
int conn_queue_sealed(struct conn *c)
{
    struct buf *sealed = &c->worker->sealed;
    if ((sealed->len == 0 && !sealed->failed) || c->state > CONN_FINISHING) {
        buf_clear(sealed);
        return 0;
    }
    if (!c->out)
        c->out = out_queue_new(&c->worker->out_queues);
    bool failed =
        sealed->failed || !c->out || out_queue_push_sealed(c->out, buf_slice(sealed)) != 0;
    buf_clear(sealed);
    if (failed)
        return fail_no_memory(c);
    if (!c->blocked)
        worker_mark_dirty(c->worker, c);
    return 0;
}

/* The last words of a session, as far as the socket takes them. */
void conn_send_sealed(struct conn *c)
{
    struct buf *sealed = &c->worker->sealed;
    if (sealed->len) {
        ssize_t sent = send(c->fd, sealed->data, sealed->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent;
    }
    buf_clear(sealed);
}

/* Encrypts the front of the queue, a piece at a time: what is sealed cannot be dropped any more.
 * Returns whether TLS records stand at the front now. */
static bool seal(struct conn *c)
{
    struct out_queue *q = c->out;
    const struct out_segment *s = out_queue_at(q, 0);
    if (q->count == 0 || s->kind == OUT_SEALED)
        return q->count > 0;
    struct bytes *joined = q->count > 1 ? join(q) : NULL;
    uint32_t n = joined ? joined->len : s->length < JOIN_MAX ? s->length : JOIN_MAX;
    int error = tls_write(c->tls, joined ? joined->data : s->bytes->data + s->offset, n);
    bytes_unref(joined);
    if (error == 0) {
        out_queue_take(q, n);
        return conn_queue_sealed(c) == 0;
    }
    if (error != -EAGAIN) /* else the end of the handshake brings it back */
        fail_tls(c, error);
    return false;
}

static void drained(struct conn *c)
{
    out_queue_free(&c->worker->out_queues, c->out);
    c->out = NULL;
    if (c->blocked) {
        c->blocked = false;
        conn_update_interest(c);
    }
    if (c->state == CONN_FINISHING && c->ended) {
        conn_close(c, "closed");
    } else if (c->state == CONN_FINISHING) {
        c->state = CONN_LINGERING;
        tls_shutdown(c->tls);
        conn_send_sealed(c);
        shutdown(c->fd, SHUT_WR);
        conn_timer(c, LINGER_MS);
    } else if (c->state == CONN_OPEN && c->ops->drained) {
        c->ops->drained(c);
    }
}

static void write_failed(struct conn *c, int error)
{
    if (error == EAGAIN || error == EWOULDBLOCK) {
        conn_block(c);
        out_queue_compact(c->out);
    } else {
        conn_close(c, error == EPIPE || error == ECONNRESET ? "reset by peer" : "write error");
    }
}

/* Sends the front of the queue; returns bytes or a negative errno. */
static ssize_t send_front(struct conn *c)
{
    struct iovec parts[IOV_MAX_PER_SEND];
    const struct out_queue *q = c->out;
    unsigned n = 0;
    for (; n < q->count && n < IOV_MAX_PER_SEND; n++) {
        const struct out_segment *s = out_queue_at(q, n);
        if (c->tls && s->kind != OUT_SEALED)
            break;
        parts[n] = (struct iovec){s->bytes->data + s->offset, s->length};
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = n};
    ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? -errno : sent;
}

void conn_write_out(struct conn *c)
{
    while (c->out && c->out->count) {
        if (c->tls && !seal(c))
            return;
        ssize_t n = send_front(c);
        if (n == -EINTR)
            continue;
        if (n < 0) {
            write_failed(c, (int)-n);
            return;
        }
        c->last_sent = c->worker->now_s;
        out_queue_advance(c->out, (size_t)n);
    }
    drained(c);
}

/* Puts the queue into the batch as one send, if it can go as one and nothing of this connection
 * stands in the batch yet. */
static bool batch_queue(struct conn *c)
{
    struct out_queue *q = c->out;
    enum out_class kind = OUT_EVENTS;
    /* An empty queue, all of it dropped, still has to be reported as drained. */
    if (!c->attached || c->state != CONN_OPEN || q->begun || q->count == 0)
        return false;
    if (c->tls && (q->count > 1 || out_queue_at(q, 0)->kind != OUT_SEALED))
        return false;
    for (uint32_t i = 0; i < q->count; i++) {
        const struct out_segment *each = out_queue_at(q, i);
        /* What comes back of the batch is counted, and a large answer is not to be. */
        if (each->kind == OUT_CONTROL && !each->counted)
            return false;
        if (each->kind != OUT_HISTORY && kind == OUT_EVENTS)
            kind = each->kind;
    }
    struct out_segment *s = out_queue_at(q, 0);
    uint64_t length = q->bytes;
    struct bytes *joined = q->count == 1 ? bytes_ref(s->bytes) : join(q);
    if (!joined)
        return false;
    uint32_t offset = q->count == 1 ? s->offset : 0;
    out_queue_free(&c->worker->out_queues, q);
    c->out = NULL;
    add_to_batch(c, joined, offset, (uint32_t)length, kind);
    bytes_unref(joined);
    if (kind != OUT_EVENTS && c->state == CONN_OPEN && !c->blocked && c->ops->drained)
        c->ops->drained(c);
    return true;
}

/* Whether there is something to write, and nothing of it stands in the batch. */
static bool may_write(struct conn *c)
{
    struct flush *flush = c->worker->flush;
    if (!c->out || c->blocked || c->state == CONN_CLOSED || c->fd < 0)
        return false;
    if (c->batch == flush->batch)
        flush->ops->submit(flush);
    return c->out && !c->blocked && c->state != CONN_CLOSED;
}

void conn_offer(struct conn *c)
{
    if (may_write(c))
        conn_write_out(c);
    else if (c->fd < 0 && c->state == CONN_OPEN && conn_waiting(c))
        c->ops->collect(c);
}

void conn_flush(struct conn *c)
{
    if (!may_write(c)) {
        if (c->fd < 0 && c->state == CONN_OPEN && conn_waiting(c))
            c->ops->collect(c);
        else if (c->fd < 0 && c->state == CONN_OPEN)
            c->ops->drained(c);
        return;
    }
    if (c->tls && c->out->count && !seal(c))
        return;
    if (!batch_queue(c))
        conn_write_out(c);
}

void conn_sent(struct conn *c, struct bytes *bytes, uint32_t offset, uint32_t length, int sent)
{
    if (c->state == CONN_CLOSED)
        return;
    if (sent < 0 && sent != -EAGAIN && sent != -EINTR && sent != -ENOBUFS && sent != -ENOMEM) {
        conn_close(c, sent == -EPIPE || sent == -ECONNRESET ? "reset by peer" : "write error");
        return;
    }
    uint32_t done = sent > 0 ? (uint32_t)sent : 0;
    /* Events may be dropped and read again from history, answers may not. */
    const struct out_segment rest = {.bytes = bytes,
                                     .offset = offset + done,
                                     .length = length - done,
                                     .kind = c->in_batch,
                                     .counted = c->in_batch != OUT_SEALED};
    if (!c->out)
        c->out = out_queue_new(&c->worker->out_queues);
    if (!c->out || out_queue_push_front(c->out, &rest) != 0) {
        fail_no_memory(c);
        return;
    }
    /* Whatever frames it holds count as begun: a piece of the first may be on its way. */
    c->out->begun = true;
    conn_block(c);
    out_queue_compact(c->out);
}

/* ---- Closing ---- */

void conn_close(struct conn *c, const char *reason)
{
    if (c->state == CONN_CLOSED)
        return;
    c->state = CONN_CLOSED;
    if (!c->close_reason)
        c->close_reason = reason;
    conn_timer_stop(c);
    if (c->watched)
        poller_remove(&c->worker->poller, c->fd);
    worker_mark_closing(c->worker, c);
}

void conn_finish(struct conn *c, const char *reason)
{
    if (c->state != CONN_OPEN)
        return;
    if (c->fd < 0) {
        conn_close(c, reason);
        return;
    }
    c->state = CONN_FINISHING;
    if (!c->close_reason)
        c->close_reason = reason;
    c->held = false;
    conn_resume(c);
    conn_timer(c, CONN_FINISH_MS);
    if (c->batch == c->worker->flush->batch)
        c->worker->flush->ops->submit(c->worker->flush);
    if (c->out)
        worker_mark_dirty(c->worker, c);
    else
        drained(c);
}

void conn_fini(struct conn *c)
{
    c->worker->flush->ops->detach(c->worker->flush, c);
    out_queue_free(&c->worker->out_queues, c->out);
    c->out = NULL;
    tls_free(c->tls);
    c->tls = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void conn_timer(struct conn *c, uint64_t delay_ms)
{
    wheel_set(&c->worker->wheel, &c->timer, delay_ms);
}

void conn_timer_stop(struct conn *c)
{
    wheel_cancel(&c->worker->wheel, &c->timer);
}
