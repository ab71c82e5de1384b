/* Passing output on; see run_outlet.h. */
#include "cli/run_outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SURE_SIZE ((size_t)4096) /* PIPE_BUF: what a pipe that is ready takes */

/* O_NONBLOCK belongs to the open file, which the caller and others share: so terminals and pipes
 * are opened anew. */
void run_outlet_init(struct run_outlet *o, int fd)
{
    struct stat s;
    char path[32];
    *o = (struct run_outlet){.fd = fd};
    if (fstat(fd, &s) < 0 || S_ISREG(s.st_mode))
        return;
    o->is_socket = S_ISSOCK(s.st_mode);
    if (o->is_socket)
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int opened = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    o->is_opened = opened >= 0;
    o->may_block = !o->is_opened;
    o->fd = o->is_opened ? opened : fd;
}

void run_outlet_fini(struct run_outlet *o)
{
    if (o->is_opened)
        close(o->fd);
    o->is_opened = false;
}

static ssize_t write_some(const struct run_outlet *o)
{
    size_t n = o->to - o->from;
    if (o->is_socket)
        return send(o->fd, o->data + o->from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(o->fd, o->data + o->from, o->may_block && n > SURE_SIZE ? SURE_SIZE : n);
}

void run_outlet_write(struct run_outlet *o, bool ready)
{
    while (run_outlet_waits(o) && !o->problem && (ready || !o->may_block)) {
        ssize_t n = write_some(o);
        if (n > 0)
            o->from += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            return;
        else if (n < 0 && errno != EINTR)
            o->problem = errno;
        ready = ready && !o->may_block;
    }
    if (o->problem || !run_outlet_waits(o)) {
        o->mid_line = o->to > 0 && o->data[o->to - 1] != '\n';
        o->from = o->to = 0;
    }
}
