/* The flush stage without io_uring: one send(2) per connection, at once. */
#include <errno.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "net/conn.h"
#include "net/flush.h"

static struct flush *open_send(unsigned files)
{
    (void)files;
    struct flush *f = memory_zero(sizeof *f);
    f->ops = &flush_send_ops;
    return f;
}

static void close_send(struct flush *f)
{
    memory_free(f);
}

static void send_now(struct flush *f, struct conn *c, struct bytes *bytes, uint32_t offset,
                     uint32_t length)
{
    (void)f;
    ssize_t n;
    do
        n = send(c->fd, bytes->data + offset, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)length)
        conn_sent(c, bytes, offset, length, n < 0 ? -errno : (int)n);
}

static void submit(struct flush *f)
{
    f->batch++;
}

static void nothing(struct flush *f, struct conn *c)
{
    (void)f;
    (void)c;
}

const struct flush_ops flush_send_ops = {
    .name = "send",
    .open = open_send,
    .close = close_send,
    .send = send_now,
    .submit = submit,
    .attach = nothing,
    .detach = nothing,
};
