/* Ctrl-C and SIGTERM as something to wait for; see interrupt.h. */
#include "cli/interrupt.h"

#include <signal.h>
#include <sys/signalfd.h>

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
