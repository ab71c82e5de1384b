/*
 * A whole terminal; see screen.h. The sequences are those of xterm that every terminal of today
 * understands; those it does not know (synchronised output) it ignores.
 */
#include "cli/screen.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/terminal.h"
#include "fanfare/error.h"

#define ENTER      "\x1b[?1049h\x1b[?25l\x1b[2J" /* alternate screen, no cursor, empty */
#define LEAVE      "\x1b[0m\x1b[?25h\x1b[?1049l"
#define DRAW_BEGIN "\x1b[?2026h\x1b[H" /* show it when all of it is there; from the top left */
#define DRAW_LINE  "\x1b[K\r\n"        /* what was longer before goes */
#define DRAW_END   "\x1b[K\x1b[J\x1b[?2026l"

/* The screen that is open, for the end that nobody planned. */
static struct screen *current;

static void put(const char *text)
{
    ssize_t n = write(STDOUT_FILENO, text, strlen(text));
    (void)n; /* a terminal that is gone needs nothing any more */
}

/* Only what is allowed in a signal handler. */
static void restore(const struct screen *s)
{
    put(LEAVE);
    tcsetattr(s->keys, TCSAFLUSH, &s->before);
}

static void on_crash(int signal_number)
{
    if (current)
        restore(current);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* Sanitizers have handlers of their own, which stay. */
static void watch_crashes(void)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction now, ours = {.sa_handler = on_crash};
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            sigaction(signals[i], &ours, NULL);
    }
}

static void at_exit(void)
{
    if (current)
        restore(current);
}

static void enter(struct screen *s)
{
    struct termios raw = s->before;
    cfmakeraw(&raw);
    tcsetattr(s->keys, TCSAFLUSH, &raw);
    put(ENTER);
}

bool screen_possible(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) && kind && *kind && strcmp(kind, "dumb") != 0;
}

static int open_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGQUIT);
    sigaddset(&signals, SIGWINCH);
    sigaddset(&signals, SIGTSTP);
    sigaddset(&signals, SIGCONT);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0)
        sigprocmask(SIG_BLOCK, &signals, NULL);
    return fd;
}

int screen_open(struct screen *s)
{
    static bool watched;
    *s = (struct screen){.keys = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NONBLOCK), .signals = -1};
    if (s->keys < 0 || tcgetattr(s->keys, &s->before) != 0)
        goto fail_keys;
    s->signals = open_signals();
    if (s->signals < 0)
        goto fail_keys;
    current = s;
    if (!watched)
        atexit(at_exit);
    watched = true;
    watch_crashes();
    enter(s);
    return 0;
fail_keys:
    if (s->keys >= 0)
        close(s->keys);
    return FAN_E_IO;
}

void screen_close(struct screen *s)
{
    restore(s);
    current = NULL;
    close(s->keys);
    close(s->signals);
}

void screen_size(unsigned *rows, unsigned *columns)
{
    struct winsize size;
    *rows = 24;
    *columns = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col) {
        *rows = size.ws_row;
        *columns = size.ws_col;
    }
}

bool screen_draw(const struct buf *picture)
{
    struct buf out = {0};
    struct slice rest = buf_slice(picture), line;
    BUF_LITERAL(&out, DRAW_BEGIN);
    while (slice_split(&rest, '\n', &line)) {
        buf_append_slice(&out, line);
        if (rest.len)
            BUF_LITERAL(&out, DRAW_LINE);
    }
    BUF_LITERAL(&out, DRAW_END);
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    return written;
}

void screen_suspend(struct screen *s)
{
    restore(s);
    raise(SIGSTOP);
    enter(s);
}

enum screen_news screen_signal(struct screen *s)
{
    struct signalfd_siginfo info;
    enum screen_news news = SCREEN_NOTHING;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTSTP)
            screen_suspend(s);
        else if (info.ssi_signo == SIGCONT)
            enter(s); /* stopped by somebody else: what is on the terminal is not ours */
        else if (info.ssi_signo != SIGWINCH)
            return SCREEN_END;
        news = SCREEN_REDRAW;
    }
    return news;
}
