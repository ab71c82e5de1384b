/*
 * The flush stage through io_uring: the sends of a turn go to the kernel in one submission.
 *
 * Only sends use the ring, all with MSG_DONTWAIT: they are done when the submission returns, so
 * buffers need to live no longer than that. Successful ones post no completion
 * (IOSQE_CQE_SKIP_SUCCESS). MSG_WAITALL makes a short send count as failed, so that it posts one,
 * with the number of bytes that went. Descriptors are registered, which saves the kernel a lookup
 * and a reference count per send. Those of connections that were accepted in one turn mostly have
 * numbers in a row, and are registered with one call before the first send.
 */
#include <errno.h>
#include <liburing.h>

#include "base/log.h"
#include "base/memory.h"
#include "net/conn.h"
#include "net/flush.h"

/* Smaller batches measured up to 8 % slower, larger ones no faster. */
#define BATCH 1024

struct pending {
    struct conn *conn;
    struct bytes *bytes;
    uint32_t offset, length;
};

struct uring {
    struct flush flush;
    struct io_uring ring;
    unsigned files; /* registered slots; descriptors above are used unregistered */
    unsigned count;
    bool broken; /* the ring failed for good: everything goes the ordinary way */
    struct pending pending[BATCH];
    unsigned entering_count;
    struct conn *entering[BATCH]; /* not registered yet; their descriptors stand in a row */
};

static void disarm(struct uring *u)
{
    if (!u->broken)
        io_uring_queue_exit(&u->ring);
    memory_free(u);
}

/* Kernels before 5.17 lack IORING_FEAT_CQE_SKIP, without which every send would cost a completion
 * and the ring could overflow. */
static struct flush *open_uring(unsigned files)
{
    struct uring *u = memory_zero(sizeof *u);
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int error = io_uring_queue_init_params(BATCH, &u->ring, &params);
    if (error == -EINVAL) {
        params = (struct io_uring_params){0};
        error = io_uring_queue_init_params(BATCH, &u->ring, &params);
    }
    if (error < 0) {
        memory_free(u);
        return NULL;
    }
    u->flush.ops = &flush_uring_ops;
    if (!(params.features & IORING_FEAT_CQE_SKIP)) {
        disarm(u);
        return NULL;
    }
    u->files = io_uring_register_files_sparse(&u->ring, files) == 0 ? files : 0;
    return &u->flush;
}

static void close_uring(struct flush *f)
{
    disarm((struct uring *)f);
}

static void collect(struct uring *u)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    io_uring_for_each_cqe(&u->ring, head, cqe)
    {
        const struct pending *p = &u->pending[cqe->user_data];
        conn_sent(p->conn, p->bytes, p->offset, p->length, cqe->res);
        seen++;
    }
    io_uring_cq_advance(&u->ring, seen);
}

/* The kernel takes no more submissions, which is not expected to happen: what is left, and all that
 * comes, is sent the ordinary way. The ring is closed so that stale entries cannot run later. */
static void give_up(struct uring *u, unsigned from)
{
    io_uring_queue_exit(&u->ring);
    u->broken = true;
    log_error("flush", "io_uring failed; going on with send");
    for (unsigned i = from; i < u->count; i++) {
        const struct pending *p = &u->pending[i];
        conn_sent(p->conn, p->bytes, p->offset, p->length, -EAGAIN);
    }
}

static void submit(struct flush *f)
{
    struct uring *u = (struct uring *)f;
    unsigned done = 0, failures = 0;
    f->batch++;
    while (done < u->count) {
        int n = io_uring_submit(&u->ring);
        if (n > 0) {
            done += (unsigned)n;
            continue;
        }
        collect(u); /* -EBUSY: room for completions is wanted */
        if (++failures == 100) {
            give_up(u, done);
            break;
        }
    }
    if (u->count && !u->broken)
        collect(u);
    for (unsigned i = 0; i < u->count; i++)
        bytes_unref(u->pending[i].bytes);
    u->count = 0;
}

/* Registers the descriptors that wait for it. */
static void register_entering(struct uring *u)
{
    int fds[BATCH], done = 0;
    for (unsigned i = 0; i < u->entering_count; i++)
        fds[i] = u->entering[i]->fd;
    if (!u->broken)
        done = io_uring_register_files_update(&u->ring, (unsigned)u->entering[0]->fd, fds,
                                              u->entering_count);
    for (unsigned i = 0; i < u->entering_count; i++)
        u->entering[i]->attached = (int)i < done;
    u->entering_count = 0;
}

static void add_send(struct flush *f, struct conn *c, struct bytes *bytes, uint32_t offset,
                     uint32_t length)
{
    struct uring *u = (struct uring *)f;
    if (u->count == BATCH)
        submit(f);
    if (u->entering_count)
        register_entering(u);
    if (u->broken) {
        flush_send_ops.send(f, c, bytes, offset, length);
        return;
    }
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    io_uring_prep_send(sqe, c->fd, bytes->data + offset, length,
                       MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
    sqe->flags = c->attached ? IOSQE_CQE_SKIP_SUCCESS | IOSQE_FIXED_FILE : IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = u->count;
    u->pending[u->count++] = (struct pending){c, bytes_ref(bytes), offset, length};
    c->batch = f->batch;
}

static void attach(struct flush *f, struct conn *c)
{
    struct uring *u = (struct uring *)f;
    unsigned n = u->entering_count;
    if (u->broken || (unsigned)c->fd >= u->files)
        return;
    if (n == BATCH || (n && c->fd != u->entering[n - 1]->fd + 1))
        register_entering(u);
    u->entering[u->entering_count++] = c;
    c->attached = true;
}

static void detach(struct flush *f, struct conn *c)
{
    struct uring *u = (struct uring *)f;
    int none = -1;
    if (!c->attached)
        return;
    if (u->entering_count)
        register_entering(u);
    if (c->attached && !u->broken)
        io_uring_register_files_update(&u->ring, (unsigned)c->fd, &none, 1);
    c->attached = false;
}

const struct flush_ops flush_uring_ops = {
    .name = "io_uring",
    .open = open_uring,
    .close = close_uring,
    .send = add_send,
    .submit = submit,
    .attach = attach,
    .detach = detach,
};
