/* `fanfare run`: runs a command and publishes what it writes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/run_session.h"
#include "codec/http.h"
#include "config/config.h"

#define WAIT_MS 5000

struct run {
    struct arguments arguments;
    struct remote remote;
    struct buf topic;
    struct buf link; /* the page that shows the session; empty: none that a browser could open */
    int wait_ms;
    struct run_report report;
};

/* ---- Options ---- */

static int read_session(struct run *r)
{
    const char *session = arguments_get(&r->arguments, "session");
    if (session && !http_identifier_valid(slice_from(session)))
        return usage_error(&run_command,
                           "--session: expected 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -, "
                           "got \"%s\"%s",
                           session,
                           session == getenv("FANFARE_SESSION") ? " (FANFARE_SESSION)" : "");
    BUF_LITERAL(&r->topic, "session:");
    if (session)
        buf_append_text(&r->topic, session);
    else
        config_session_of_directory(".", &r->topic);
    return 0;
}

static int read_wait(struct run *r)
{
    const char *wait = arguments_get(&r->arguments, "wait");
    r->wait_ms = WAIT_MS;
    if (wait && !arguments_time(wait, &r->wait_ms))
        return usage_error(&run_command, "--wait: expected a time such as 30s, got \"%s\"", wait);
    return 0;
}

static int read_options(struct run *r)
{
    const struct arguments *a = &r->arguments;
    r->report.quiet = arguments_has(a, "quiet");
    if (a->rest_count == 0)
        return usage_error(&run_command, "expected a COMMAND, as in: fanfare run -- make -j4");
    if (arguments_has(a, "pty") && arguments_has(a, "no-pty"))
        return usage_error(&run_command, "--pty and --no-pty exclude each other");
    int code = read_session(r);
    if (!code)
        code = read_wait(r);
    return code ? code : remote_init(&r->remote, a, -1);
}

/* ---- Running ---- */

/* Where to watch: the page of the server that shows this session. */
static void make_link(struct run *r)
{
    const struct url *url = &r->remote.target.url;
    if (url->unix_socket)
        return;
    buf_printf(&r->link, "%s://%s%s/?session=", url->tls ? "https" : "http", url->authority,
               url->base);
    http_percent_encode(slice_skip(buf_slice(&r->topic), strlen("session:")), &r->link);
}

static void print_link(const struct run *r)
{
    const struct run_report *report = &r->report;
    if (report->link && !report->quiet && report->fd != STDERR_FILENO && isatty(STDERR_FILENO))
        fprintf(stderr, "fanfare run: watch it at %s\n", report->link);
}

static int open_report(struct run *r)
{
    const char *path = arguments_get(&r->arguments, "report");
    r->report.command = &run_command;
    r->report.session = buf_text(&r->topic) + strlen("session:");
    r->report.link = r->link.len ? buf_text(&r->link) : NULL;
    r->report.fd = RUN_REPORT_NONE;
    if (!path && !arguments_has(&r->arguments, "json"))
        return 0;
    int failure = run_report_open(&r->report, path);
    if (failure)
        return command_error(&run_command, "--report: %s: %s", path, strerror(failure));
    return 0;
}

/* For `fanfare pub` and others that the command starts: the same session of the same server. */
static void set_environment(struct run *r)
{
    setenv("FANFARE_SESSION", buf_text(&r->topic) + strlen("session:"), 1);
    setenv("FANFARE_URL", r->remote.url, 1);
}

/* A standard stream that the caller has closed would be taken by the next file to be opened. */
static void fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static int run_it(struct run *r)
{
    const struct arguments *a = &r->arguments;
    char why[256];
    const struct run_publisher_options publisher = {
        .remote = &r->remote, .topic = buf_text(&r->topic), .name = base_name(a->rest[0])};
    set_environment(r);
    run_session_block_signals();
    struct run_session_options session = {
        .argv = a->rest,
        .terminals = arguments_has(a, "pty")      ? RUN_TERMINAL
                     : arguments_has(a, "no-pty") ? RUN_PIPES
                                                  : RUN_AUTOMATIC,
        .wait_ms = r->wait_ms,
        .hurry = !arguments_has(a, "wait"),
        .publisher = run_publisher_new(&publisher, why, sizeof why),
        .report = &r->report,
    };
    if (!session.publisher)
        return command_error(&run_command, "%s", why);
    print_link(r);
    int code = run_session(&session);
    if (!run_publisher_join(session.publisher))
        _exit(code); /* the client may still be looking up the server's name */
    run_publisher_free(session.publisher);
    return code;
}

static int run(int argc, char **argv)
{
    struct run r = {0};
    int code = arguments_init(&r.arguments, &run_command, argc, argv);
    if (!code)
        code = read_options(&r);
    if (!code) {
        fill_standard_streams();
        make_link(&r);
        code = open_report(&r);
        if (!code)
            code = run_it(&r);
        run_report_close(&r.report);
    }
    arguments_fini(&r.arguments);
    buf_fini(&r.topic);
    buf_fini(&r.link);
    return code;
}

const struct command run_command = {
    .name = "run",
    .summary = "run a command and publish its output and progress",
    .synopsis = (const char *const[]){"[OPTIONS] [--] COMMAND [ARGUMENT]…", NULL},
    .description =
        (const char *const[]){
            "Runs the command as if it had been started without it: output, input, keys, signals, "
            "the window's size and the exit code pass through as they are. A copy of the output is "
            "published to the session as `terminal_output`, with `run_started`, `run_finished`, "
            "and `build_progress` as far as the output tells it: ninja, make with CMake, ctest, "
            "meson, cargo, pytest, docker, and percentages that rise.",
            "On a terminal the command gets a terminal of its own. Where the output goes to a file "
            "or a pipe it gets a pipe, and not a byte is changed.",
            "The server never stops or slows the command. While it cannot be reached, up to 16 MiB "
            "of output are kept; above that the oldest is left out, and the stream says so. At the "
            "end the rest has a few seconds to be delivered.",
            "Exits with the command's exit code; 127 when there is no such command, 126 when it "
            "cannot be started, 128 + n after signal n.",
            "With `--json` the notices on stderr are JSON, an object on each line, from `started` "
            "to `finished` with the exit code, the number of lines, and what the server did not "
            "get; stdout stays the command's. `--report FILE` keeps them apart from what the "
            "command itself writes to stderr.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            {"session", "ID", "FANFARE_SESSION", "The session. [the directory's name]"},
            REMOTE_OPTIONS,
            {"pty", NULL, NULL,
             "Give the command a terminal also where the output is no terminal: for colours and "
             "progress bars in logs."},
            {"no-pty", NULL, NULL, "Never give it a terminal."},
            {"wait", "TIME", NULL,
             "How long the rest may take to be delivered after the command has ended. [5s; 1s when "
             "the server was never reached]"},
            {"quiet", NULL, NULL, "Say nothing about the server on stderr."},
            {"json", NULL, NULL, "Make the notices on stderr lines of JSON."},
            {"report", "FILE", NULL,
             "Write these lines to a file instead; /dev/fd/3 is an open descriptor."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare run -- ninja -C build", "Build, with others watching"},
            {"fanfare run --session web -- npm test", "In a session with a name"},
            {"fanfare run --pty -- cargo build 2>&1 | tee build.log", "Keep the colours in a file"},
            {"fanfare run --report run.json -- make && jq -s last run.json",
             "For programs: how it ended"},
            {0},
        },
    .runs_another = true,
    .run = run,
};
