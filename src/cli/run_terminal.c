/* The caller's terminal; see run_terminal.h. */
#include "cli/run_terminal.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* For the handler of crashes, which can be given nothing. */
static const struct run_terminal *volatile raw_terminal;

static void on_crash(int signal_number)
{
    const struct run_terminal *t = raw_terminal;
    if (t)
        tcsetattr(t->fd, TCSANOW, &t->before);
    raise(signal_number); /* with the default action now (SA_RESETHAND) */
}

static void watch_crashes(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER};
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
        sigaction(crashes[i], &action, NULL);
}

static void read_settings(struct run_terminal *t)
{
    if (tcgetattr(t->fd, &t->before) < 0)
        return;
    t->during = t->before;
    cfmakeraw(&t->during);
}

void run_terminal_init(struct run_terminal *t, int fd)
{
    *t = (struct run_terminal){.fd = fd};
    if (fd < 0)
        return;
    read_settings(t);
    watch_crashes();
}

bool run_terminal_is_ours(const struct run_terminal *t)
{
    return t->fd >= 0 && tcgetpgrp(t->fd) == getpgrp();
}

void run_terminal_enter(struct run_terminal *t)
{
    if (t->raw || !run_terminal_is_ours(t))
        return;
    read_settings(t);
    raw_terminal = t;
    t->raw = tcsetattr(t->fd, TCSANOW, &t->during) == 0;
}

void run_terminal_leave(struct run_terminal *t)
{
    if (t->raw && run_terminal_is_ours(t))
        tcsetattr(t->fd, TCSANOW, &t->before);
    t->raw = false;
    raw_terminal = NULL;
}
