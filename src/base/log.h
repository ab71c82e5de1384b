/*
 * Logs: one line each, as text or JSON, to stderr or a file. Any thread; a line is never split.
 *
 * Lines carry an event word and fields, never tokens, never event data above debug level:
 *   log_info("websocket", "connect", LOG_TEXT("dialect", name), LOG_U64("connection", id));
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

struct log_field {
    const char *name; /* NULL ends a list */
    enum { LOG_FIELD_TEXT, LOG_FIELD_U64 } kind;
    struct slice text;
    uint64_t number;
};

#define LOG_SLICE(field, s) ((struct log_field){.name = field, .kind = LOG_FIELD_TEXT, .text = s})
#define LOG_TEXT(field, s)  LOG_SLICE(field, slice_from(s))
#define LOG_U64(field, n) \
    ((struct log_field){.name = field, .kind = LOG_FIELD_U64, .number = (uint64_t)(n)})

struct log_options {
    enum log_level level;
    bool json;
    const char *path; /* NULL: stderr */
};

/* Starts or restarts logging with these options; opens the file. Returns 0 or FAN_E_IO, and then
 * goes on as before. Before the first call: level info, text, stderr. */
int log_configure(const struct log_options *options);

/* Opens the file anew, after logrotate moved it away. Returns 0 or FAN_E_IO. */
int log_reopen(void);

bool log_enabled(enum log_level level);

/* topic: the part of the program ("websocket", "http", "watch"); message: what happened. */
void log_write(enum log_level level, const char *topic, const char *message,
               const struct log_field *fields);

#define LOG_AT(level, topic, ...)                                       \
    do {                                                                \
        if (log_enabled(level))                                         \
            LOG_CALL(level, topic, __VA_ARGS__, (struct log_field){0}); \
    } while (0)
#define LOG_CALL(level, topic, message, ...) \
    log_write(level, topic, message, (const struct log_field[]){__VA_ARGS__})

#define log_debug(topic, ...) LOG_AT(LOG_DEBUG, topic, __VA_ARGS__)
#define log_info(topic, ...)  LOG_AT(LOG_INFO, topic, __VA_ARGS__)
#define log_warn(topic, ...)  LOG_AT(LOG_WARN, topic, __VA_ARGS__)
#define log_error(topic, ...) LOG_AT(LOG_ERROR, topic, __VA_ARGS__)

#endif
