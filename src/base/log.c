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
static pthread_mutex_t path_lock = PTHREAD_MUTEX_INITIALIZER;
static char *path;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

struct line {
    char text[LINE_SIZE];
    size_t len;
};

static void put(struct line *line, const char *text, size_t n)
{
    size_t room = LINE_SIZE - 2 - line->len; /* always room for a brace and the newline */
    if (n > room)
        n = room;
    memcpy(line->text + line->len, text, n);
    line->len += n;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* As the inside of a JSON string, which also suits the text form. */
static void put_escaped(struct line *line, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        char escape[8];
        if (c == '"' || c == '\\')
            put(line, (char[]){'\\', (char)c}, 2);
        else if (c < 0x20 || c == 0x7f)
            put(line, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
        else
            put(line, (const char *)&s.ptr[i], 1);
    }
}

static void put_number(struct line *line, uint64_t number)
{
    char digits[24];
    put(line, digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number));
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
    put_text(line, "\"");
    for (; fields->name; fields++) {
        put_text(line, ",\"");
        put_text(line, fields->name);
        put_text(line, "\":");
        if (fields->kind == LOG_FIELD_U64) {
            put_number(line, fields->number);
        } else {
            put_text(line, "\"");
            put_escaped(line, fields->text);
            put_text(line, "\"");
        }
    }
    put_text(line, "}");
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
        put_text(line, " ");
        put_text(line, fields->name);
        put_text(line, "=");
        if (fields->kind == LOG_FIELD_U64) {
            put_number(line, fields->number);
            continue;
        }
        bool quotes = needs_quotes(fields->text);
        put_text(line, quotes ? "\"" : "");
        put_escaped(line, fields->text);
        put_text(line, quotes ? "\"" : "");
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
    line.text[line.len++] = '\n';
    ssize_t written =
        write(atomic_load_explicit(&out_fd, memory_order_relaxed), line.text, line.len);
    (void)written; /* a log that cannot be written is no reason to stop */
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
