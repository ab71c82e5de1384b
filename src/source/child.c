/* Starting a command; see child.h. The monitor is child_monitor.c. */
#include "source/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fanfare/error.h"
#include "source/child_monitor.h"

/* The descriptors of a start. [0] is our end, [1] the command's; -1: none. */
struct plumbing {
    int terminal[2];
    int output[2];
    int error[2];
    int control[2]; /* [1] is the monitor's */
    int failure[2]; /* [1] carries errno when exec fails, and is closed when it succeeds */
};

struct launch {
    const struct child_options *options;
    const struct plumbing *pipes;
};

/* ---- Descriptors ---- */

static void close_both(int ends[2])
{
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0)
            close(ends[i]);
        ends[i] = -1;
    }
}

static void plumbing_fini(struct plumbing *p)
{
    close_both(p->terminal);
    close_both(p->output);
    close_both(p->error);
    close_both(p->control);
    close_both(p->failure);
}

static int open_terminal(int ends[2], const struct child_options *options)
{
    char name[64];
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ends[0] < 0 || grantpt(ends[0]) < 0 || unlockpt(ends[0]) < 0 ||
        ptsname_r(ends[0], name, sizeof name) != 0)
        return FAN_E_IO;
    ends[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ends[1] < 0)
        return FAN_E_IO;
    tcsetattr(ends[1], TCSANOW, &options->settings);
    ioctl(ends[1], TIOCSWINSZ, &options->size);
    return 0;
}

static int open_pipe(int ends[2])
{
    return pipe2(ends, O_CLOEXEC) < 0 ? FAN_E_IO : 0;
}

static int plumbing_init(struct plumbing *p, const struct child_options *o)
{
    *p = (struct plumbing){{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    int error = open_pipe(p->failure);
    if (!error && (o->output == CHILD_TERMINAL || o->error == CHILD_TERMINAL))
        error = open_terminal(p->terminal, o);
    if (!error && o->output == CHILD_PIPE)
        error = open_pipe(p->output);
    if (!error && o->error == CHILD_PIPE)
        error = open_pipe(p->error);
    if (!error && o->session &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->control) < 0)
        error = FAN_E_IO;
    return error;
}

/* ---- In the child ---- */

static _Noreturn void exec_failed(const struct launch *l)
{
    int reason = errno;
    ssize_t n = write(l->pipes->failure[1], &reason, sizeof reason);
    _exit(n > 0 ? 127 : 126);
}

/* The command's standard streams, then the command. All descriptors of ours close on exec. */
static void become_command(const void *context)
{
    const struct launch *l = context;
    const struct plumbing *p = l->pipes;
    const struct child_options *o = l->options;
    int output = o->output == CHILD_TERMINAL ? p->terminal[1] : p->output[1];
    int error = o->error == CHILD_TERMINAL ? p->terminal[1]
                : o->error == CHILD_PIPE   ? p->error[1]
                                           : output;
    if (o->session) {
        setpgid(0, 0);
        tcsetpgrp(p->terminal[1], getpid()); /* all signals are blocked: SIGTTOU cannot stop us */
    }
    if ((o->session && dup2(p->terminal[1], STDIN_FILENO) < 0) || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(error, STDERR_FILENO) < 0)
        exec_failed(l);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, o->mask, NULL);
    execvp(o->argv[0], o->argv);
    exec_failed(l);
}

static pid_t fork_command(const struct launch *l)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (l->options->session)
        child_monitor(l->options, l->pipes->terminal[1], l->pipes->control[1], become_command, l);
    become_command(l);
    _exit(126);
}

/* ---- In the parent ---- */

static ssize_t read_whole(int fd, void *data, size_t size)
{
    ssize_t n;
    while ((n = read(fd, data, size)) < 0 && errno == EINTR)
        ;
    return n;
}

/* Waits until the command runs or could not be executed. Returns 0 or the errno. */
static int await_start(struct child *c, struct plumbing *p)
{
    struct child_report report = {.kind = CHILD_REPORT_FAILED, .value = EIO};
    int reason = 0;
    if (c->session && read_whole(p->control[0], &report, sizeof report) == sizeof report &&
        report.kind == CHILD_REPORT_STARTED)
        c->pid = report.value;
    else if (c->session)
        return report.value;
    ssize_t n = read_whole(p->failure[0], &reason, sizeof reason);
    return n == sizeof reason ? reason : 0;
}

static void set_nonblocking(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Hands our ends over to the child structure. */
static void take_ends(struct child *c, struct plumbing *p, const struct child_options *o)
{
    c->terminal = p->terminal[0];
    c->control = p->control[0];
    c->outputs[0] = o->output == CHILD_TERMINAL ? p->terminal[0] : p->output[0];
    c->outputs[1] = o->error == CHILD_PIPE ? p->error[0] : -1;
    if (o->error == CHILD_TERMINAL && o->output != CHILD_TERMINAL)
        c->outputs[1] = p->terminal[0];
    p->terminal[0] = p->output[0] = p->error[0] = p->control[0] = -1;
    set_nonblocking(c->outputs[0]);
    set_nonblocking(c->outputs[1]);
    set_nonblocking(c->terminal);
    set_nonblocking(c->control);
}

static void close_child_ends(struct plumbing *p)
{
    int *const ends[] = {&p->terminal[1], &p->output[1], &p->error[1], &p->control[1],
                         &p->failure[1]};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (*ends[i] >= 0)
            close(*ends[i]);
        *ends[i] = -1;
    }
}

static int start_error(int reason)
{
    if (reason == ENOENT)
        return FAN_E_NOT_FOUND;
    return reason == EAGAIN || reason == ENOMEM || reason == EIO ? FAN_E_IO : FAN_E_DENIED;
}

static int launch(struct child *c, const struct child_options *o, struct plumbing *p)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    c->process = c->pid = fork_command(&(struct launch){.options = o, .pipes = p});
    int reason = c->process < 0 ? errno : 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close_child_ends(p);
    if (!reason && (reason = await_start(c, p)) != 0)
        while (waitpid(c->process, NULL, 0) < 0 && errno == EINTR)
            ;
    return reason;
}

int child_start(struct child *c, const struct child_options *o, struct buf *why)
{
    struct plumbing p;
    *c = (struct child){.session = o->session, .terminal = -1, .outputs = {-1, -1}, .control = -1};
    int reason = plumbing_init(&p, o) ? errno : launch(c, o, &p), error = 0;
    if (reason) {
        error = start_error(reason);
        buf_append_text(why, strerror(reason));
    } else {
        take_ends(c, &p, o);
    }
    plumbing_fini(&p);
    return error;
}

/* ---- Later ---- */

static enum child_state state_of(int status, int *value)
{
    if (WIFSTOPPED(status)) {
        *value = WSTOPSIG(status);
        return CHILD_STOPPED;
    }
    if (WIFSIGNALED(status)) {
        *value = WTERMSIG(status);
        return CHILD_KILLED;
    }
    *value = WEXITSTATUS(status);
    return CHILD_EXITED;
}

/* The monitor tells; when it was killed, so is the command, by the loss of its terminal. */
static enum child_state poll_monitor(struct child *c, int *value)
{
    struct child_report report;
    ssize_t n = read(c->control, &report, sizeof report);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return CHILD_RUNS;
    *value = SIGHUP;
    enum child_state state = n == sizeof report ? state_of(report.value, value) : CHILD_KILLED;
    if (state != CHILD_STOPPED)
        while (waitpid(c->process, NULL, 0) < 0 && errno == EINTR)
            ;
    return state;
}

enum child_state child_poll(struct child *c, int *value)
{
    int status;
    if (c->session)
        return poll_monitor(c, value);
    pid_t pid = waitpid(c->process, &status, WNOHANG);
    return pid == c->process ? state_of(status, value) : CHILD_RUNS;
}

void child_close(struct child *c)
{
    int *const ends[] = {&c->outputs[0], &c->outputs[1], &c->terminal, &c->control};
    for (int i = 0; i < 2; i++)
        if (c->outputs[i] == c->terminal)
            c->outputs[i] = -1;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (*ends[i] >= 0)
            close(*ends[i]);
        *ends[i] = -1;
    }
}
