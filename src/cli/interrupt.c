/* Ctrl-C and SIGTERM as something to wait for; see interrupt.h. */
#include "cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

int interrupt_open(void)
{
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &before);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        sigprocmask(SIG_SETMASK, &before, NULL);
    return fd;
}

int interrupt_open_reader(void)
{
    int interrupt = interrupt_open(), both = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event signals = {.events = EPOLLIN}, hangup = {.events = 0};
    if (both < 0 || interrupt < 0 || epoll_ctl(both, EPOLL_CTL_ADD, interrupt, &signals) != 0) {
        if (both >= 0)
            close(both);
        return interrupt;
    }
    epoll_ctl(both, EPOLL_CTL_ADD, STDOUT_FILENO, &hangup); /* fails for files: they never go */
    return both;
}

bool interrupt_reader_is_gone(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO};
    return poll(&output, 1, 0) > 0;
}
