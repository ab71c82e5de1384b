/*
 * A command between the caller and its terminal or pipes; see run_session.h.
 *
 * One loop on the main thread. It reads a stream of the command only when the last piece was passed
 * on whole: so a slow caller slows the command, exactly as without us, and nothing piles up. The
 * server never does.
 *
 * What the command gets for its standard streams follows what the caller has, so that it behaves as
 * it would without us:
 *
 * - Both input and output are the caller's terminal: a session of its own with a terminal of its
 *   own. The caller's terminal is in raw mode meanwhile, and keys such as Ctrl-C and Ctrl-Z take
 *   effect in the command's.
 * - Otherwise the command stays in the caller's job with the caller's standard input. Output that
 *   would have gone to a terminal goes to one (that changes nothing in what is written), other
 *   output to a pipe.
 */
#include "cli/run_session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/run_outlet.h"
#include "cli/run_terminal.h"
#include "fanfare/error.h"
#include "source/child.h"

#define BACKGROUND_MS 200 /* how often to look whether we have come to the foreground */
#define AFTER_END     ((size_t)1024 * 1024) /* more than a pipe or terminal holds */
#define KEYS_SIZE     4096

struct session {
    const struct run_session_options *options;
    struct child child;
    struct run_terminal terminal; /* the caller's, when the command has a session of its own */
    int window;                   /* whose size counts; -1: no terminal at all */
    int signals;
    struct run_outlet outlets[2];
    bool open[2];        /* the command may still write to this stream */
    size_t after_end[2]; /* bytes read since the command has ended */
    bool keyboard_open;
    size_t keys_from, keys_to;
    char keys[KEYS_SIZE];
    bool ended, impatient;
    struct run_end end;
    struct run_written written;
    char *directory; /* in which the command runs */
    uint64_t started_ms;
};

static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

/* ---- Notices ---- */

/* Whether a notice would land in the middle of a full-screen program. */
static bool screen_is_taken(const struct session *s)
{
    struct termios inner;
    return !s->ended && s->child.session && tcgetattr(s->child.terminal, &inner) == 0 &&
           !(inner.c_lflag & ICANON);
}

static void show_notice(void *arg, const char *event, struct slice text)
{
    run_report_server_notice(arg, event, text);
}

/* Notices of the publisher; they wait until the screen is the caller's. Returns whether it has
 * ended. */
static bool show_notices(const struct session *s)
{
    const struct run_session_options *o = s->options;
    return run_publisher_notices(o->publisher, screen_is_taken(s) ? NULL : show_notice, o->report);
}

/* ---- Starting ---- */

static bool same_file(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* What the command gets for standard output and error. Where both of ours are the same they stay
 * the same, so that their order is kept. */
static void choose_outputs(const struct session *s, struct child_options *o)
{
    enum run_terminals terminals = s->options->terminals;
    bool output_terminal = isatty(STDOUT_FILENO), error_terminal = isatty(STDERR_FILENO);
    bool wanted = terminals == RUN_TERMINAL || (terminals == RUN_AUTOMATIC && output_terminal);
    o->output = wanted ? CHILD_TERMINAL : CHILD_PIPE;
    o->error = CHILD_PIPE;
    if (same_file(STDOUT_FILENO, STDERR_FILENO))
        o->error = CHILD_WITH_OUTPUT;
    else if (terminals != RUN_PIPES && error_terminal && output_terminal == wanted)
        o->error = CHILD_TERMINAL;
    o->session = wanted && output_terminal && isatty(STDIN_FILENO);
}

static unsigned short number_from(const char *variable, unsigned short otherwise)
{
    const char *text = getenv(variable);
    long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 && n < 10000 ? (unsigned short)n : otherwise;
}

/* The size of the caller's terminal; where there is none, or it has no size, what scripts set. */
static void choose_size(struct session *s, struct winsize *size)
{
    static const int streams[] = {STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO};
    s->window = -1;
    for (size_t i = 0; i < 3 && s->window < 0; i++)
        if (ioctl(streams[i], TIOCGWINSZ, size) == 0)
            s->window = streams[i];
    if (s->window < 0 || size->ws_col == 0 || size->ws_row == 0)
        *size = (struct winsize){.ws_col = number_from("COLUMNS", 80),
                                 .ws_row = number_from("LINES", 24)};
}

/* A terminal that only takes output must not change it: what the caller's terminal does to it, that
 * will do. */
static void choose_settings(const struct session *s, struct child_options *o)
{
    if (o->session) {
        o->settings = o->before = s->terminal.before;
        o->during = s->terminal.during;
        return;
    }
    o->settings = (struct termios){.c_iflag = ICRNL | IXON,
                                   .c_cflag = CS8 | CREAD,
                                   .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | IEXTEN};
    cfsetspeed(&o->settings, B38400);
}

static void cannot_start(struct session *s, int error, const char *why)
{
    const char *name = s->options->argv[0];
    struct buf message = {0};
    buf_printf(&message, "%s: %s", name, why);
    s->end.exit_code = error == FAN_E_NOT_FOUND ? 127 : 126;
    run_report_notice(s->options->report, "not_started", buf_slice(&message));
    run_publisher_fail(s->options->publisher, buf_text(&message));
    buf_fini(&message);
}

static void has_started(struct session *s, const struct child_options *o, int64_t wall_ms)
{
    bool terminal = o->output == CHILD_TERMINAL || o->error == CHILD_TERMINAL;
    const struct run_beginning beginning = {.argv = o->argv,
                                            .directory = s->end.directory,
                                            .pid = s->child.pid,
                                            .size = terminal ? &o->size : NULL};
    /* A session's terminal adds carriage returns itself, as far as the command wants it. */
    const struct run_output_form form = {.wall_ms = wall_ms,
                                         .adds_return = {terminal && !o->session, terminal}};
    run_publisher_begin(s->options->publisher, &beginning, &form);
    run_report_started(s->options->report, &beginning);
    s->end.pid = s->child.pid;
    run_terminal_enter(&s->terminal);
    s->open[0] = s->child.outputs[0] >= 0;
    s->open[1] = s->child.outputs[1] >= 0;
    s->keyboard_open = s->child.session;
}

static int start(struct session *s, const sigset_t *mask)
{
    struct child_options o = {.argv = s->options->argv, .mask = mask, .terminal = STDIN_FILENO};
    struct buf why = {0};
    choose_outputs(s, &o);
    choose_size(s, &o.size);
    run_terminal_init(&s->terminal, o.session ? STDIN_FILENO : -1);
    choose_settings(s, &o);
    s->directory = getcwd(NULL, 0);
    s->end.argv = s->options->argv;
    s->end.directory = s->directory ? s->directory : "";
    s->started_ms = clock_ms();
    int64_t wall_ms = clock_wall_ms();
    int error = child_start(&s->child, &o, &why);
    if (error)
        cannot_start(s, error, buf_text(&why));
    else
        has_started(s, &o, wall_ms);
    buf_fini(&why);
    return error;
}

/* ---- Output ---- */

/* The command shall see that nobody reads any more. */
static void close_stream(struct session *s, int stream)
{
    int *fd = &s->child.outputs[stream];
    s->open[stream] = false;
    if (s->child.session)
        return;
    if (*fd == s->child.terminal)
        s->child.terminal = -1;
    close(*fd);
    *fd = -1;
}

/* Fills the outlet, which is empty, with what the command has written. */
static void read_output(struct session *s, int stream)
{
    struct run_outlet *o = &s->outlets[stream];
    ssize_t n = 0;
    while (o->to < RUN_OUTLET_SIZE) {
        n = read(s->child.outputs[stream], o->data + o->to, RUN_OUTLET_SIZE - o->to);
        if (n <= 0)
            break;
        o->to += (size_t)n;
    }
    s->after_end[stream] += s->ended ? o->to : 0;
    bool again = n < 0 && (errno == EAGAIN || errno == EINTR);
    if ((n <= 0 && (!again || s->ended)) || s->after_end[stream] > AFTER_END)
        s->open[stream] = false;
    if (run_report_is_read(s->options->report))
        run_written_add(&s->written, slice_of(o->data, o->to));
    run_publisher_output(s->options->publisher, (unsigned)stream, slice_of(o->data, o->to));
}

/* The caller reads no more. When it closed a pipe the command shall see that, too; otherwise it
 * runs on. */
static void on_outlet_problem(struct session *s, int stream)
{
    struct run_outlet *o = &s->outlets[stream];
    struct buf message = {0};
    if (o->problem == EPIPE && s->open[stream])
        close_stream(s, stream);
    else if (o->problem != EPIPE && o->problem != EIO) {
        buf_printf(&message, "%s: %s; what follows is only published",
                   stream ? "standard error" : "standard output", strerror(o->problem));
        run_report_notice(s->options->report, "output_failed", buf_slice(&message));
        if (s->end.exit_code == 0)
            s->end.exit_code = FAILED;
    }
    buf_fini(&message);
}

static void pass_on(struct session *s, int stream, bool ready)
{
    struct run_outlet *o = &s->outlets[stream];
    bool had_problem = o->problem;
    run_outlet_write(o, ready);
    if (o->problem && !had_problem)
        on_outlet_problem(s, stream);
}

static void move_output(struct session *s, int stream)
{
    read_output(s, stream);
    pass_on(s, stream, false);
}

/* ---- Keyboard ---- */

static void read_keys(struct session *s)
{
    ssize_t n = read(STDIN_FILENO, s->keys, sizeof s->keys);
    if (n > 0)
        s->keys_to = (size_t)n;
    else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        s->keyboard_open = false;
}

static void write_keys(struct session *s)
{
    ssize_t n = write(s->child.terminal, s->keys + s->keys_from, s->keys_to - s->keys_from);
    if (n > 0)
        s->keys_from += (size_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        s->keys_from = s->keys_to;
    if (s->keys_from == s->keys_to)
        s->keys_from = s->keys_to = 0;
}

/* ---- Signals ---- */

static void update_size(struct session *s)
{
    struct winsize size;
    if (s->window < 0 || s->child.terminal < 0 || ioctl(s->window, TIOCGWINSZ, &size) < 0)
        return;
    ioctl(s->child.terminal, TIOCSWINSZ, &size); /* tells the session */
    if (!s->child.session)
        kill(s->child.pid, SIGWINCH);
}

/* The command's whole job in its own session; in the caller's job, the command alone: others there
 * get their own signals. */
static void send_signal(const struct session *s, int number)
{
    kill(s->child.session ? -s->child.pid : s->child.pid, number);
}

/* Stops this program, and in a session the whole job that it belongs to, until somebody continues
 * it. A job that nobody could continue is not stopped by the system. */
static void stop_here(const struct session *s)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    if (s->child.session && !s->ended)
        kill(0, SIGTSTP);
    else
        raise(SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &stop, NULL);
    sigprocmask(SIG_BLOCK, &stop, NULL);
}

/* The command was stopped: the caller gets its terminal back, and we stop as well. */
static void suspend(struct session *s)
{
    run_terminal_leave(&s->terminal);
    stop_here(s);
    run_terminal_enter(&s->terminal);
    update_size(s);
    send_signal(s, SIGCONT);
}

static void on_stop_signal(struct session *s, bool from_terminal)
{
    if (!s->ended && !from_terminal)
        send_signal(s, SIGTSTP); /* a session's monitor tells when it has worked */
    if (s->ended || !s->child.session)
        stop_here(s);
}

static void end_with(struct session *s, enum child_state state, int value)
{
    s->ended = true;
    s->end.seconds = (double)(clock_ms() - s->started_ms) / 1000;
    if (state == CHILD_KILLED)
        s->end.signal = value;
    else if (value || s->end.exit_code == 0)
        s->end.exit_code = value;
    s->keyboard_open = false;
    s->keys_from = s->keys_to = 0;
}

static void look_after_child(struct session *s)
{
    int value = 0;
    while (!s->ended) {
        enum child_state state = child_poll(&s->child, &value);
        if (state == CHILD_RUNS)
            return;
        if (state == CHILD_STOPPED)
            suspend(s);
        else
            end_with(s, state, value);
    }
}

static void on_forwarded(struct session *s, int number, bool from_terminal)
{
    if (s->ended) {
        s->impatient = true;
        run_publisher_give_up(s->options->publisher);
    } else if (s->child.session || !from_terminal) {
        send_signal(s, number);
    }
    if (number == SIGHUP && s->child.session)
        s->keyboard_open = false;
}

static void on_signal(struct session *s, const struct signalfd_siginfo *info)
{
    int number = (int)info->ssi_signo;
    bool from_terminal = info->ssi_code == SI_KERNEL;
    switch (number) {
    case SIGCHLD:
        look_after_child(s);
        break;
    case SIGWINCH:
        update_size(s);
        break;
    case SIGTSTP:
        on_stop_signal(s, from_terminal);
        break;
    case SIGCONT:
        if (!s->ended && !from_terminal)
            send_signal(s, SIGCONT);
        break;
    default:
        on_forwarded(s, number, from_terminal);
    }
}

static void read_signals(struct session *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == sizeof info)
        on_signal(s, &info);
}

static void fill_signals(sigset_t *set)
{
    static const int others[] = {SIGCHLD, SIGWINCH, SIGTSTP, SIGCONT};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof forwarded / sizeof forwarded[0]; i++)
        sigaddset(set, forwarded[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        sigaddset(set, others[i]);
}

/* ---- The loop ---- */

enum { SIGNALS, CONTROL, NOTICES, KEYBOARD, KEYS, OUTPUT, ERROR, OUTLET, ERROR_OUTLET, FDS };

static struct pollfd wish(int fd, short events, bool wanted)
{
    return (struct pollfd){.fd = wanted ? fd : -1, .events = events};
}

static void fill_wishes(const struct session *s, struct pollfd fds[FDS])
{
    const struct child *c = &s->child;
    bool keys = s->keys_to > 0;
    fds[SIGNALS] = wish(s->signals, POLLIN, true);
    fds[CONTROL] = wish(c->control, POLLIN, !s->ended);
    fds[NOTICES] = wish(run_publisher_wakeup(s->options->publisher), POLLIN, true);
    fds[KEYBOARD] = wish(STDIN_FILENO, POLLIN, s->keyboard_open && s->terminal.raw && !keys);
    fds[KEYS] = wish(c->terminal, POLLOUT, keys);
    for (int i = 0; i < 2; i++) {
        bool waits = run_outlet_waits(&s->outlets[i]);
        fds[OUTPUT + i] = wish(c->outputs[i], POLLIN, s->open[i] && !waits);
        fds[OUTLET + i] = wish(s->outlets[i].fd, POLLOUT, waits);
    }
}

static int patience(const struct session *s)
{
    for (int i = 0; i < 2; i++)
        if (s->ended && s->open[i] && !run_outlet_waits(&s->outlets[i]))
            return 0; /* what is left is there already */
    return s->terminal.fd >= 0 && !s->terminal.raw ? BACKGROUND_MS : -1;
}

static void turn(struct session *s)
{
    struct pollfd fds[FDS];
    fill_wishes(s, fds);
    if (poll(fds, FDS, patience(s)) < 0)
        return;
    for (int i = 0; i < 2; i++) {
        if (fds[OUTLET + i].revents)
            pass_on(s, i, true);
        if (fds[OUTPUT + i].revents || (s->ended && fds[OUTPUT + i].fd >= 0))
            move_output(s, i);
    }
    if (fds[KEYS].revents)
        write_keys(s);
    if (fds[KEYBOARD].revents)
        read_keys(s);
    if (fds[SIGNALS].revents)
        read_signals(s);
    if (fds[CONTROL].revents)
        look_after_child(s);
    if (fds[NOTICES].revents)
        show_notices(s);
    if (!s->ended && !s->terminal.raw)
        run_terminal_enter(&s->terminal); /* the shell's `fg` says nothing to a job that runs */
}

static bool is_done(const struct session *s)
{
    if (!s->ended)
        return false;
    bool waits = run_outlet_waits(&s->outlets[0]) || run_outlet_waits(&s->outlets[1]);
    return s->impatient || !(s->open[0] || s->open[1] || waits);
}

/* The command has ended; the server may not have heard of it yet. */
static void await_publisher(struct session *s)
{
    const struct run_session_options *o = s->options;
    run_publisher_end(o->publisher, &s->end, o->wait_ms, o->hurry);
    while (!show_notices(s)) {
        struct pollfd fds[] = {wish(s->signals, POLLIN, true),
                               wish(run_publisher_wakeup(o->publisher), POLLIN, true)};
        poll(fds, 2, -1);
        if (fds[0].revents)
            read_signals(s);
    }
    show_notices(s);
}

static void report_end(const struct session *s)
{
    struct run_losses losses;
    run_publisher_losses(s->options->publisher, &losses);
    run_report_finished(s->options->report, &s->end, &s->written, &losses);
}

/* Ctrl-C on the command's own terminal reached the command alone; on the caller's it would have
 * reached the whole job: a script or loop around us must not go on. Only for a command that the
 * signal has ended. */
static void share_interrupt(const struct session *s)
{
    sigset_t set;
    int number = s->end.signal;
    if (!s->child.session || (number != SIGINT && number != SIGQUIT))
        return;
    sigemptyset(&set);
    sigaddset(&set, number);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0}); /* the core would be ours, and tell nothing */
    kill(0, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void run_session_block_signals(void)
{
    sigset_t set;
    signal(SIGCHLD, SIG_DFL); /* an ignored one would keep its exit code from us */
    fill_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

int run_session(const struct run_session_options *options)
{
    static struct session session; /* too large for a stack */
    struct session *s = &session;
    sigset_t set, mask;
    *s = (struct session){.options = options, .signals = -1};
    sigprocmask(SIG_SETMASK, NULL, &mask);
    fill_signals(&set);
    for (int i = 1; i < NSIG; i++)
        if (sigismember(&set, i) == 1)
            sigdelset(&mask, i);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    run_outlet_init(&s->outlets[0], STDOUT_FILENO);
    run_outlet_init(&s->outlets[1], STDERR_FILENO);
    options->report->terminal = &s->terminal;
    options->report->output = &s->outlets[0];
    s->ended = start(s, &mask) != 0;
    while (!is_done(s))
        turn(s);
    run_terminal_leave(&s->terminal);
    await_publisher(s);
    report_end(s);
    child_close(&s->child);
    run_outlet_fini(&s->outlets[0]);
    run_outlet_fini(&s->outlets[1]);
    free(s->directory);
    share_interrupt(s);
    return s->end.signal ? 128 + s->end.signal : s->end.exit_code;
}
