/* The data of a run's events; see run_event.h. */
#include "source/run_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/json_writer.h"

static void put_lossy(struct buf *out, const char *name, struct slice text)
{
    json_put_name(out, name);
    json_append_lossy(out, text);
}

/* ---- Beginning and end ---- */

static bool needs_quotes(const char *argument)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_^";
    return !*argument || argument[strspn(argument, plain)];
}

static void append_quoted(struct buf *out, const char *argument)
{
    BUF_LITERAL(out, "'");
    for (; *argument; argument++)
        if (*argument == '\'')
            BUF_LITERAL(out, "'\\''");
        else
            buf_append_char(out, *argument);
    BUF_LITERAL(out, "'");
}

/* The command as one would type it into a shell. */
static void append_command(struct buf *out, char *const *argv)
{
    for (int i = 0; argv[i]; i++) {
        if (i)
            BUF_LITERAL(out, " ");
        if (needs_quotes(argv[i]))
            append_quoted(out, argv[i]);
        else
            buf_append_text(out, argv[i]);
    }
}

static void put_command(struct buf *out, char *const *argv, const char *directory)
{
    struct buf command = {0};
    append_command(&command, argv);
    put_lossy(out, "command", buf_slice(&command));
    put_lossy(out, "cwd", slice_from(directory));
    buf_fini(&command);
}

void run_event_put_beginning(struct buf *out, const struct run_beginning *b)
{
    put_command(out, b->argv, b->directory);
    json_put_u64(out, "pid", (uint64_t)b->pid);
    json_put_bool(out, "pty", b->size != NULL);
    if (b->size) {
        json_put_u64(out, "cols", b->size->ws_col);
        json_put_u64(out, "rows", b->size->ws_row);
    }
}

void run_event_started(struct buf *out, const struct run_beginning *b)
{
    json_begin(out, NULL, '{');
    run_event_put_beginning(out, b);
    json_end(out, '}');
}

/* "SIGTERM"; the number of one that has no name, as the real-time signals. */
static void put_signal(struct buf *out, int number)
{
    char name[32];
    const char *abbreviation = sigabbrev_np(number);
    if (abbreviation)
        snprintf(name, sizeof name, "SIG%s", abbreviation);
    else
        snprintf(name, sizeof name, "%d", number);
    json_put_text(out, "signal", number ? name : NULL);
}

void run_event_put_end(struct buf *out, const struct run_end *end)
{
    if (end->signal)
        json_put_text(out, "exit_code", NULL);
    else
        json_put_u64(out, "exit_code", (uint64_t)end->exit_code);
    put_signal(out, end->signal);
    json_put_number(out, "duration", end->seconds);
    if (end->pid)
        json_put_u64(out, "pid", (uint64_t)end->pid);
    if (end->directory)
        put_command(out, end->argv, end->directory);
}

void run_event_finished(struct buf *out, const struct run_end *end)
{
    json_begin(out, NULL, '{');
    run_event_put_end(out, end);
    json_end(out, '}');
}

void run_event_failed(struct buf *out, const char *message)
{
    json_begin(out, NULL, '{');
    put_lossy(out, "error_message", slice_from(message));
    json_put_text(out, "error_type", "command_not_started");
    json_end(out, '}');
}

/* ---- In between ---- */

void run_event_progress(struct buf *out, const struct progress *progress)
{
    json_begin(out, NULL, '{');
    json_put_u64(out, "total", progress->total);
    json_put_u64(out, "completed", progress->completed);
    json_put_number(out, "percent", progress->percent);
    json_end(out, '}');
}

static void begin_output(struct buf *out, struct slice text, unsigned stream, const char *source)
{
    json_begin(out, NULL, '{');
    put_lossy(out, "output", text);
    json_put_text(out, "output_type", stream ? "stderr" : "stdout");
    put_lossy(out, "source", slice_from(source));
}

void run_event_output(struct buf *out, struct slice text, unsigned stream, const char *source)
{
    begin_output(out, text, stream, source);
    json_end(out, '}');
}

void run_event_gap(struct buf *out, uint64_t left_out, unsigned stream)
{
    struct buf text = {0};
    BUF_LITERAL(&text, "\r\n[fanfare: ");
    run_event_append_size(&text, left_out);
    BUF_LITERAL(&text, " of output left out here]\r\n");
    begin_output(out, buf_slice(&text), stream, "fanfare");
    json_put_u64(out, "left_out", left_out);
    json_end(out, '}');
    buf_fini(&text);
}

void run_event_append_size(struct buf *out, uint64_t bytes)
{
    if (bytes < 10 * 1024)
        buf_printf(out, "%" PRIu64 " bytes", bytes);
    else if (bytes < 10 * 1024 * 1024)
        buf_printf(out, "%" PRIu64 " KiB", bytes / 1024);
    else
        buf_printf(out, "%" PRIu64 " MiB", bytes / 1024 / 1024);
}
