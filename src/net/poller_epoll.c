/* The poller on Linux: epoll. See poller.h. */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fanfare/error.h"
#include "net/poller.h"

int poller_init(struct poller *p)
{
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    return p->fd < 0 ? FAN_E_IO : 0;
}

void poller_fini(struct poller *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

static int control(struct poller *p, int operation, int fd, unsigned interest, bool shared,
                   void *object)
{
    struct epoll_event event = {.data.ptr = object};
    event.events = (interest & POLLER_READ ? EPOLLIN : 0u) |
                   (interest & POLLER_WRITE ? EPOLLOUT : 0u) |
                   (shared ? (unsigned)EPOLLEXCLUSIVE : 0u);
    if (epoll_ctl(p->fd, operation, fd, &event) == 0)
        return 0;
    return errno == ENOMEM || errno == ENOSPC ? FAN_E_NO_MEMORY : FAN_E_IO;
}

int poller_add(struct poller *p, int fd, unsigned interest, bool shared, void *object)
{
    return control(p, EPOLL_CTL_ADD, fd, interest, shared, object);
}

int poller_change(struct poller *p, int fd, unsigned interest, void *object)
{
    return control(p, EPOLL_CTL_MOD, fd, interest, false, object);
}

void poller_remove(struct poller *p, int fd)
{
    struct epoll_event unused = {0};
    epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, &unused);
}

unsigned poller_fetch(struct poller *p, struct poller_event events[POLLER_BATCH])
{
    struct epoll_event ready[POLLER_BATCH];
    int n = epoll_wait(p->fd, ready, POLLER_BATCH, 0);
    for (int i = 0; i < n; i++) {
        unsigned what = ready[i].events;
        events[i].object = ready[i].data.ptr;
        events[i].ready = (what & EPOLLIN ? POLLER_READ : 0u) |
                          (what & EPOLLOUT ? POLLER_WRITE : 0u) |
                          (what & (EPOLLERR | EPOLLHUP) ? POLLER_ERROR : 0u);
    }
    return n < 0 ? 0 : (unsigned)n;
}
