/*
 * Logs; see log.h.
 *
 * A line is built on the stack and leaves in one write(2) on a file descriptor opened with
 * O_APPEND, so lines of several threads never mix and no lock is held while writing. Control
 * characters in values are escaped: a peer cannot forge lines or terminal codes.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fanfare/error.h"

#define LINE_SIZE 2048

static atomic_int current_level = LOG_INFO;
static atomic_bool as_json;
static atomic_int out_fd = STDERR_FILENO;
static atomic_bool failing; /* the last line could not be written */
static pthread_mutex_t path_lock = PTHREAD_MUTEX_INITIALIZER;
static char *path;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* What is left for the quote, the brace and the newline at the end of a line that was cut. */
#define CLOSING 4

struct line {
    char text[LINE_SIZE];
    size_t len;
};

/* Puts all of the text or, when the line is full, none of it. */
static bool put(struct line *line, const char *text, size_t n)
{
    if (n > LINE_SIZE - CLOSING - line->len)
        return false;
    memcpy(line->text + line->len, text, n);
    line->len += n;
    return true;
}

static bool put_text(struct line *line, const char *text)
{
    return put(line, text, strlen(text));
}

/* Always has room, CLOSING times. */
static void put_closing(struct line *line, char c)
{
    line->text[line->len++] = c;
}

static size_t size_from_lead(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* The bytes of the code point at the beginning (RFC 3629, 4); 0: none begins there. */
static size_t code_point_size(const unsigned char *s, size_t len)
{
    size_t n = size_from_lead(s[0]);
    if (n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

/* As the inside of a JSON string, which also suits the text form. What does not fit is cut. */
static void put_escaped(struct line *line, struct slice s)
{
    while (s.len) {
        const unsigned char *c = (const unsigned char *)s.ptr;
        size_t n = code_point_size(c, s.len);
        char escape[8];
        bool fits;
        if (n == 0)
            fits = put_text(line, "\\ufffd");
        else if (*c == '"' || *c == '\\')
            fits = put(line, (char[]){'\\', (char)*c}, 2);
        else if (*c < 0x20 || *c == 0x7f)
            fits = put(line, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", *c));
        else
            fits = put(line, s.ptr, n);
        if (!fits)
            return;
        s = slice_skip(s, n ? n : 1);
    }
}

/* `before`, the name, `between`, and then the number or the beginning of the text. False: no room.
 */
static bool put_name(struct line *line, const char *before, const struct log_field *field,
                     const char *between)
{
    char head[96];
    int n = snprintf(head, sizeof head, "%s%s%s", before, field->name, between);
    if (field->kind == LOG_FIELD_U64)
        n = snprintf(head, sizeof head, "%s%s%s%llu", before, field->name, between,
                     (unsigned long long)field->number);
    return n > 0 && (size_t)n < sizeof head && put(line, head, (size_t)n);
}

static bool needs_quotes(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == '"' || s.ptr[i] == '=')
            return true;
    return s.len == 0;
}

static void put_json(struct line *line, const char *time, const char *level, const char *topic,
                     const char *message, const struct log_field *fields)
{
    put_text(line, "{\"time\":\"");
    put_text(line, time);
    put_text(line, "\",\"level\":\"");
    put_text(line, level);
    put_text(line, "\",\"topic\":\"");
    put_text(line, topic);
    put_text(line, "\",\"message\":\"");
    put_escaped(line, slice_from(message));
    bool full = !put_text(line, "\"");
    if (full)
        put_closing(line, '"');
    for (; !full && fields->name; fields++) {
        bool number = fields->kind == LOG_FIELD_U64;
        full = !put_name(line, ",\"", fields, number ? "\":" : "\":\"");
        if (full || number)
            continue;
        put_escaped(line, fields->text);
        full = !put_text(line, "\"");
        if (full)
            put_closing(line, '"');
    }
    put_closing(line, '}');
}

static void put_plain(struct line *line, const char *time, const char *level, const char *topic,
                      const char *message, const struct log_field *fields)
{
    put_text(line, time);
    put_text(line, " ");
    put_text(line, level);
    put_text(line, " ");
    put_text(line, topic);
    put_text(line, ": ");
    put_escaped(line, slice_from(message));
    for (; fields->name; fields++) {
        bool quotes = fields->kind == LOG_FIELD_TEXT && needs_quotes(fields->text);
        if (!put_name(line, " ", fields, quotes ? "=\"" : "=") || fields->kind == LOG_FIELD_U64)
            continue;
        put_escaped(line, fields->text);
        if (quotes && !put_text(line, "\"")) {
            put_closing(line, '"');
            return;
        }
    }
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&current_level, memory_order_relaxed);
}

void log_write(enum log_level level, const char *topic, const char *message,
               const struct log_field *fields)
{
    struct line line = {.len = 0};
    char time[CLOCK_TEXT_SIZE];
    clock_format(clock_wall_ms(), time);
    bool json = atomic_load_explicit(&as_json, memory_order_relaxed);
    (json ? put_json : put_plain)(&line, time, level_names[level], topic, message, fields);
    put_closing(&line, '\n');
    int fd = atomic_load_explicit(&out_fd, memory_order_relaxed);
    if (write(fd, line.text, line.len) >= 0) {
        if (atomic_load_explicit(&failing, memory_order_relaxed))
            atomic_store(&failing, false);
    } else if (fd != STDERR_FILENO && !atomic_exchange(&failing, true)) {
        /* No reason to stop, but to say so, once. */
        dprintf(STDERR_FILENO, "fanfare: cannot write to the log file: %s; its lines are lost\n",
                strerror(errno));
    }
}

/* A new descriptor takes the old one's number, so that a thread that is just writing to it writes
 * to either file, never to a closed or foreign one. */
static int open_path(const char *to)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return FAN_E_IO;
    int old = atomic_load(&out_fd);
    if (old != STDERR_FILENO && dup3(fd, old, O_CLOEXEC) >= 0)
        close(fd);
    else
        atomic_store(&out_fd, fd);
    return 0;
}

int log_configure(const struct log_options *options)
{
    int error = 0;
    pthread_mutex_lock(&path_lock);
    if (options->path)
        error = open_path(options->path);
    else
        atomic_store(&out_fd, STDERR_FILENO);
    if (!error) {
        memory_free(path);
        path = options->path ? memory_copy_string(slice_from(options->path)) : NULL;
        atomic_store(&as_json, options->json);
        atomic_store(&current_level, (int)options->level);
    }
    pthread_mutex_unlock(&path_lock);
    return error;
}

int log_reopen(void)
{
    pthread_mutex_lock(&path_lock);
    int error = path ? open_path(path) : 0;
    pthread_mutex_unlock(&path_lock);
    return error;
}
