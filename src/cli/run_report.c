/* What `fanfare run` says of itself; see run_report.h. */
#include "cli/run_report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/terminal.h"
#include "codec/json_writer.h"

/* A descriptor is duplicated: opened anew by its name, as the system would, no socket can be. */
static int open_path(const char *path)
{
    static const char directory[] = "/dev/fd/";
    size_t len = sizeof directory - 1;
    if (strncmp(path, directory, len) == 0 && path[len] >= '0' && path[len] <= '9') {
        char *end;
        long number = strtol(path + len, &end, 10);
        if (!*end && number <= INT_MAX)
            return fcntl((int)number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    }
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

int run_report_open(struct run_report *r, const char *path)
{
    r->fd = path ? open_path(path) : STDERR_FILENO;
    r->owns_fd = path && r->fd >= 0;
    return r->fd < 0 ? errno : 0;
}

void run_report_close(struct run_report *r)
{
    if (r->owns_fd)
        close(r->fd);
    r->owns_fd = false;
    r->fd = RUN_REPORT_NONE;
}

/* ---- Lines ---- */

/* A line of its own on stderr, whatever the command does to the terminal. */
static void print_line(struct run_report *r, struct slice line)
{
    struct buf out = {0};
    const char *newline = r->terminal && r->terminal->raw ? "\r\n" : "\n";
    bool shown_together = isatty(STDERR_FILENO) && isatty(STDOUT_FILENO);
    if (r->output && shown_together && r->output->mid_line)
        buf_append_text(&out, newline);
    if (r->output)
        r->output->mid_line = false;
    buf_append_slice(&out, line);
    buf_append_text(&out, newline);
    terminal_write(stderr, &out);
    buf_fini(&out);
}

static void print_sentence(struct run_report *r, struct slice text)
{
    struct buf line = {0};
    buf_printf(&line, "fanfare %s: ", r->command->name);
    terminal_append_plain(&line, text);
    print_line(r, buf_slice(&line));
    buf_fini(&line);
}

static void write_failed(struct run_report *r)
{
    struct buf text = {0};
    buf_printf(&text, "--report: %s; nothing more is written there", strerror(errno));
    run_report_close(r);
    print_sentence(r, buf_slice(&text));
    buf_fini(&text);
}

static void write_whole(struct run_report *r, struct slice line)
{
    while (line.len) {
        ssize_t n = write(r->fd, line.ptr, line.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            write_failed(r);
            return;
        }
        line = slice_skip(line, (size_t)n);
    }
}

static void write_object(struct run_report *r, struct buf *object)
{
    if (r->fd == STDERR_FILENO) {
        print_line(r, buf_slice(object));
    } else if (run_report_is_read(r)) {
        BUF_LITERAL(object, "\n");
        write_whole(r, buf_slice(object));
    }
    buf_fini(object);
}

static void begin_object(struct buf *out, const char *event)
{
    json_begin(out, NULL, '{');
    json_put_text(out, "event", event);
}

/* ---- Events ---- */

static void report_notice(struct run_report *r, const char *event, struct slice text)
{
    struct buf out = {0};
    begin_object(&out, event);
    json_put_name(&out, "message");
    json_append_lossy(&out, text);
    json_end(&out, '}');
    write_object(r, &out);
}

void run_report_notice(struct run_report *r, const char *event, struct slice text)
{
    if (r->fd != STDERR_FILENO)
        print_sentence(r, text);
    if (run_report_is_read(r))
        report_notice(r, event, text);
}

void run_report_server_notice(struct run_report *r, const char *event, struct slice text)
{
    if (r->fd != STDERR_FILENO && !r->quiet)
        print_sentence(r, text);
    if (run_report_is_read(r))
        report_notice(r, event, text);
}

static void put_session(struct buf *out, const struct run_report *r)
{
    json_put_text(out, "session", r->session);
    json_put_text(out, "url", r->link);
}

void run_report_started(struct run_report *r, const struct run_beginning *beginning)
{
    struct buf out = {0};
    if (!run_report_is_read(r))
        return;
    begin_object(&out, "started");
    put_session(&out, r);
    run_event_put_beginning(&out, beginning);
    json_end(&out, '}');
    write_object(r, &out);
}

void run_report_finished(struct run_report *r, const struct run_end *end,
                         const struct run_written *written, const struct run_losses *losses)
{
    struct buf out = {0};
    if (!run_report_is_read(r))
        return;
    begin_object(&out, "finished");
    put_session(&out, r);
    run_event_put_end(&out, end);
    json_put_u64(&out, "lines", written->lines);
    json_put_u64(&out, "bytes", written->bytes);
    json_put_bool(&out, "delivered", losses->delivered);
    json_put_u64(&out, "left_out", losses->left_out);
    json_put_u64(&out, "undelivered", losses->undelivered);
    json_put_u64(&out, "refused", losses->refused);
    json_end(&out, '}');
    write_object(r, &out);
}

/* ---- Counting ---- */

/* In blocks of a constant size, which the compiler makes vector instructions of: the command's
 * output passes through here. */
#define BLOCK 64

void run_written_add(struct run_written *w, struct slice bytes)
{
    w->bytes += bytes.len;
    for (; bytes.len >= BLOCK; bytes = slice_skip(bytes, BLOCK)) {
        unsigned char newlines = 0;
        for (size_t i = 0; i < BLOCK; i++)
            newlines = (unsigned char)(newlines + (bytes.ptr[i] == '\n'));
        w->lines += newlines;
    }
    for (size_t i = 0; i < bytes.len; i++)
        w->lines += bytes.ptr[i] == '\n';
}
