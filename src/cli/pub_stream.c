/*
 * `fanfare pub -`; see pub_stream.h.
 *
 * The main thread reads lines and hands them to the client, waiting for room in its spool when the
 * server is slower than stdin. The client's thread calls back for refused events; the tag of an
 * event is its line number.
 */
#include "cli/pub_stream.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "codec/json.h"
#include "fanfare/client.h"

#define LONGEST_LINE ((size_t)64 * 1024 * 1024)
#define SPOOL_SIZE   ((size_t)80 * 1024 * 1024) /* room for the longest line */
#define STEP_MS      200

struct pub_stream {
    struct remote remote;
    struct fan_client *client;
    bool json;
    uint64_t timeout_ms;
    uint64_t line;   /* number of the line that is read, from 1 */
    uint64_t failed; /* refused here; what the server refuses is in the client's statistics */
    atomic_bool denied;
};

/* ---- Messages ---- */

static void report_line(const struct pub_stream *p, uint64_t line, int status, const char *why)
{
    struct buf out = {0};
    if (p->json) {
        BUF_LITERAL(&out, "{\"line\":");
        buf_append_u64(&out, line);
        if (status)
            buf_printf(&out, ",\"status\":%d", status);
        BUF_LITERAL(&out, ",\"error\":");
        json_append_lossy(&out, slice_from(why));
        BUF_LITERAL(&out, "}\n");
    } else {
        if (line)
            buf_printf(&out, "line %llu: ", (unsigned long long)line);
        terminal_append_plain(&out, slice_from(why));
        BUF_LITERAL(&out, "\n");
    }
    terminal_write(p->json ? stdout : stderr, &out);
    buf_fini(&out);
}

/* On the client's thread. */
static void on_problem(void *arg, const struct fan_client_problem *problem)
{
    struct pub_stream *p = arg;
    if (problem->kind == FAN_CLIENT_EVENT_REFUSED) {
        report_line(p, problem->tag, problem->status, problem->message);
        return;
    }
    if (problem->kind == FAN_CLIENT_DENIED) {
        atomic_store(&p->denied, true);
        command_error(&pub_command, "the server refuses the connection: %s", problem->message);
    } else {
        struct buf reason = {0};
        remote_append_reason(&reason, &p->remote, slice_from(problem->message));
        command_error(&pub_command, "%s; trying again", buf_text(&reason));
        buf_fini(&reason);
    }
}

/* ---- Waiting for the server ---- */

/* Repeats a wait in short steps until it succeeds, the server refuses us, or it has acknowledged
 * nothing for the time that is allowed. Returns what the wait returned last. */
static int wait_patiently(struct pub_stream *p, int (*wait)(struct pub_stream *p, size_t bytes),
                          size_t bytes)
{
    struct fan_client_stats stats;
    uint64_t since = clock_ms(), before = UINT64_MAX;
    for (;;) {
        int error = wait(p, bytes);
        if (error != FAN_E_TIMEOUT || atomic_load(&p->denied))
            return error;
        fan_client_stats(p->client, &stats);
        uint64_t done = stats.acknowledged + stats.refused;
        if (done != before)
            since = clock_ms();
        before = done;
        if (p->timeout_ms && clock_ms() - since >= p->timeout_ms)
            return error;
    }
}

static int wait_room(struct pub_stream *p, size_t bytes)
{
    return fan_client_wait_room(p->client, bytes, STEP_MS);
}

static int wait_flush(struct pub_stream *p, size_t bytes)
{
    (void)bytes;
    return fan_client_flush(p->client, STEP_MS);
}

/* ---- Lines ---- */

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!strchr(" \t\r", line.ptr[i]))
            return false;
    return true;
}

/* Publishes one line. 0, or FAN_E_TIMEOUT when the server does not take any more. */
static int publish_line(struct pub_stream *p, struct slice line)
{
    char why[256];
    p->line++;
    if (is_blank(line))
        return 0;
    int error;
    do {
        error = fan_client_publish_json(p->client, line.ptr, line.len, p->line, why, sizeof why);
        if (error == FAN_E_LIMIT && wait_patiently(p, wait_room, line.len) != 0)
            return FAN_E_TIMEOUT;
    } while (error == FAN_E_LIMIT);
    if (error) {
        p->failed++;
        report_line(p, p->line, 0, why);
    }
    return atomic_load(&p->denied) ? FAN_E_TIMEOUT : 0;
}

/* Publishes the whole lines at the beginning of text and removes them. */
static int publish_lines(struct pub_stream *p, struct buf *text)
{
    struct slice rest = buf_slice(text);
    const char *newline;
    int error = 0;
    while (!error && rest.len && (newline = memchr(rest.ptr, '\n', rest.len))) {
        struct slice line = slice_of(rest.ptr, (size_t)(newline - rest.ptr));
        error = publish_line(p, line);
        rest = slice_skip(rest, line.len + 1);
    }
    buf_consume(text, text->len - rest.len);
    return error;
}

/* Reads lines until stdin ends; the last newline is optional. */
static int read_lines(struct pub_stream *p)
{
    struct buf text = {.limit = LONGEST_LINE};
    int error = 0;
    while (!error) {
        char *room = buf_reserve(&text, 65536);
        if (!room) {
            p->failed++;
            report_line(p, p->line + 1, 0, "longer than 64 MiB; what follows was not read");
            break;
        }
        ssize_t n = read(STDIN_FILENO, room, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        buf_commit(&text, (size_t)n);
        if (memchr(room, '\n', (size_t)n))
            error = publish_lines(p, &text);
    }
    if (!error && !text.failed && text.len)
        error = publish_line(p, buf_slice(&text));
    buf_fini(&text);
    return error;
}

/* ---- The end ---- */

static int summarize(const struct pub_stream *p)
{
    struct fan_client_stats stats;
    struct buf out = {0};
    fan_client_stats(p->client, &stats);
    unsigned long long published = stats.acknowledged, lost = stats.spool_events,
                       failed = stats.refused + p->failed;
    if (p->json)
        buf_printf(&out, "{\"published\":%llu,\"failed\":%llu,\"unacknowledged\":%llu}\n",
                   published, failed, lost);
    else
        buf_printf(&out, "published %llu, failed %llu", published, failed);
    if (!p->json)
        buf_printf(&out, lost ? ", not acknowledged %llu\n" : "\n", lost);
    bool written = terminal_write(p->json ? stdout : stderr, &out);
    buf_fini(&out);
    return failed || lost || !written ? FAILED : DONE;
}

int pub_stream(const struct arguments *a, int timeout_ms)
{
    static const char *const single[] = {"id", "key", "time", "ephemeral", NULL};
    for (int i = 0; single[i]; i++)
        if (arguments_has(a, single[i]))
            return usage_error(a->command, "--%s is for one event; here each line says it itself",
                               single[i]);
    struct pub_stream p = {.json = arguments_has(a, "json"), .timeout_ms = (uint64_t)timeout_ms};
    int code = remote_init(&p.remote, a, -1);
    if (code)
        return code;
    struct fan_client_options options = {
        .url = p.remote.url,
        .token = p.remote.token,
        .ca_file = p.remote.ca_file,
        .source = arguments_get(a, "source"),
        .spool_bytes = SPOOL_SIZE,
        .on_problem = on_problem,
        .arg = &p,
    };
    char why[256];
    if (fan_client_new(&options, &p.client, why, sizeof why))
        return command_error(a->command, "%s", why);
    if (read_lines(&p) == 0)
        wait_patiently(&p, wait_flush, 0);
    code = summarize(&p);
    fan_client_free(p.client);
    return code;
}
