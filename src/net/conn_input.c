/*
 * Connections: input, and what is asked of the poller. See conn.h.
 */
#include <errno.h>
#include <sys/socket.h>

#include "net/conn_private.h"
#include "net/tls.h"
#include "net/worker.h"

/* ---- Interest in the socket ---- */

static unsigned wanted_interest(const struct conn *c)
{
    return (c->paused || c->held ? 0 : POLLER_READ) | (c->blocked ? POLLER_WRITE : 0);
}

void conn_update_interest(struct conn *c)
{
    unsigned interest = wanted_interest(c);
    if (interest == c->interest || c->state == CONN_CLOSED || !c->watched)
        return;
    c->interest = (uint8_t)interest;
    if (poller_change(&c->worker->poller, c->fd, interest, c) != 0)
        conn_close(c, "poller failed");
}

void conn_pause(struct conn *c)
{
    c->paused = true;
    conn_update_interest(c);
}

void conn_resume(struct conn *c)
{
    c->paused = false;
    conn_update_interest(c);
}

void conn_hold(struct conn *c)
{
    c->held = true;
    conn_update_interest(c);
}

void conn_release(struct conn *c)
{
    c->held = false;
    conn_update_interest(c);
}

void conn_block(struct conn *c)
{
    if (c->blocked)
        return;
    c->blocked = true;
    NET_STAT(c->worker, backlogged, 1);
    conn_update_interest(c);
}

/* ---- Reading ---- */

/* A greedy reader takes this much from one connection in a turn before the others' turn comes. */
#define READ_PER_TURN (4 * WORKER_READ_SIZE)

static ssize_t receive_sealed(struct conn *c)
{
    ssize_t n = tls_read(c->tls, c->worker->read_buffer, WORKER_READ_SIZE);
    if (n < 0 && n != -EAGAIN)
        conn_send_sealed(c); /* the alert */
    else if (conn_queue_sealed(c) != 0)
        return -ENOMEM;
    if (c->out && !c->blocked)
        worker_mark_dirty(c->worker, c);
    return n;
}

static ssize_t receive(struct conn *c)
{
    if (c->tls)
        return receive_sealed(c);
    ssize_t n = recv(c->fd, c->worker->read_buffer, WORKER_READ_SIZE, 0);
    return n < 0 ? -errno : n;
}

static void read_failed(struct conn *c, int error)
{
    if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR)
        return;
    conn_close(c, error == ECONNRESET ? "reset by peer"
                  : error == EPROTO   ? "TLS error"
                                      : "read error");
}

static void on_end(struct conn *c)
{
    c->ended = true;
    if (c->state == CONN_OPEN && c->ops->end)
        c->ops->end(c);
    if (c->state == CONN_FINISHING)
        conn_pause(c); /* its end would be reported again and again */
    else if (!c->held)
        conn_close(c, "closed by peer");
}

static void on_readable(struct conn *c)
{
    size_t taken = 0;
    while (taken < READ_PER_TURN && c->state != CONN_CLOSED && !c->paused && !c->held) {
        ssize_t n = receive(c);
        if (n == 0) {
            on_end(c);
            return;
        }
        if (n < 0) {
            read_failed(c, (int)-n);
            return;
        }
        taken += (size_t)n;
        c->last_read = c->worker->now_s;
        NET_STAT(c->worker, bytes_in, (uint64_t)n);
        if (c->state == CONN_OPEN)
            c->ops->data(c, c->worker->read_buffer, (size_t)n);
        if (n < WORKER_READ_SIZE && !(c->tls && tls_pending(c->tls)))
            return;
    }
}

void conn_on_ready(struct conn *c, unsigned ready)
{
    if (c->state == CONN_CLOSED)
        return;
    if ((ready & POLLER_WRITE) && c->blocked)
        conn_write_out(c);
    if ((ready & POLLER_READ) && c->state != CONN_CLOSED)
        on_readable(c);
    if ((ready & POLLER_ERROR) && !(ready & POLLER_READ) && c->state != CONN_CLOSED)
        conn_close(c, "reset by peer");
}

/* A client's request usually comes with the end of TCP's handshake: read at once, it costs neither
 * an event of the poller nor a second turn. */
void conn_begin(struct conn *c)
{
    on_readable(c);
    if (c->state == CONN_CLOSED)
        return;
    c->interest = (uint8_t)wanted_interest(c);
    c->watched = poller_add(&c->worker->poller, c->fd, c->interest, false, c) == 0;
    if (!c->watched)
        conn_close(c, "poller failed");
}
