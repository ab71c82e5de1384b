/*
 * The process that leads a command's session; see child_monitor.h.
 *
 * It sleeps until the command changes its state or the caller is gone. All signals are blocked: it
 * ends with the command, or when the caller's end of the control socket is closed. Then, as the
 * leader of the session, it takes the command along with SIGHUP, as a closed window would.
 */
#include "source/child_monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct monitor {
    const struct child_options *options;
    pid_t command;
    int terminal, control, deaths;
};

static void tell(const struct monitor *m, int kind, int value)
{
    struct child_report report;
    memset(&report, 0, sizeof report);
    report.kind = kind;
    report.value = value;
    while (write(m->control, &report, sizeof report) < 0 && errno == EINTR)
        ;
}

/* Closes what the monitor does not need, above all the caller's end of the terminal: when the
 * caller dies it must be closed. The standard streams stay, and what exec closes is the command's
 * already. */
static void close_others(struct monitor *m)
{
    enum { FIRST = STDERR_FILENO + 1, BEHIND = FIRST + 3 };
    int *const needed[] = {&m->terminal, &m->control, &m->deaths};
    int moved[3];
    for (int i = 0; i < 3; i++) /* out of each other's way */
        moved[i] = fcntl(*needed[i], F_DUPFD, BEHIND);
    for (int i = 0; i < 3; i++)
        *needed[i] = dup2(moved[i], FIRST + i);
    if (close_range(BEHIND, ~0U, 0) < 0)
        for (int fd = BEHIND; fd < 1024; fd++)
            close(fd);
}

static bool same_mode(const struct termios *a, const struct termios *b)
{
    return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag;
}

/* The caller died without doing it. Somebody else's mode is left alone. */
static void restore_terminal(const struct child_options *o)
{
    struct termios now;
    if (o->terminal >= 0 && tcgetattr(o->terminal, &now) == 0 && same_mode(&now, &o->during))
        tcsetattr(o->terminal, TCSANOW, &o->before);
}

/* Tells what became of the command. Returns whether it has ended. */
static bool report_command(const struct monitor *m)
{
    int status;
    while (waitpid(m->command, &status, WNOHANG | WUNTRACED) == m->command) {
        bool ended = !WIFSTOPPED(status);
        if (ended) /* what it leaves behind in the background shall not get SIGHUP from our end */
            tcsetpgrp(m->terminal, getpid());
        tell(m, CHILD_REPORT_STATE, status);
        if (ended)
            return true;
    }
    return false;
}

static _Noreturn void watch(const struct monitor *m)
{
    struct pollfd fds[] = {{.fd = m->control, .events = POLLIN},
                           {.fd = m->deaths, .events = POLLIN}};
    struct signalfd_siginfo death;
    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents) {
            restore_terminal(m->options);
            _exit(0);
        }
        while (read(m->deaths, &death, sizeof death) > 0)
            ;
        if (report_command(m))
            _exit(0);
    }
}

_Noreturn void child_monitor(const struct child_options *options, int terminal, int control,
                             void (*become_command)(const void *context), const void *context)
{
    struct monitor m = {.options = options, .terminal = terminal, .control = control};
    sigset_t deaths;
    sigemptyset(&deaths);
    sigaddset(&deaths, SIGCHLD);
    m.deaths = signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK);
    if (m.deaths < 0 || setsid() < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0 ||
        (m.command = fork()) < 0) {
        tell(&m, CHILD_REPORT_FAILED, errno);
        _exit(126);
    }
    if (m.command == 0)
        become_command(context);
    tell(&m, CHILD_REPORT_STARTED, m.command);
    close_others(&m);
    watch(&m);
}
