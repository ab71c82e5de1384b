/* A parsed checkpoint from the inside; the public side is fanfare/checkpoint.h. */
#ifndef SOURCE_CHECKPOINT_H
#define SOURCE_CHECKPOINT_H

#include "base/buf.h"
#include "codec/json.h"
#include "fanfare/checkpoint.h"

struct checkpoint_strings {
    const char **items;
    size_t count;
};

struct checkpoint_parts {
    struct fan_checkpoint_part *items;
    size_t count;
};

struct fan_checkpoint {
    char *source; /* the file's text, owned; document points into it */
    struct json_value document;
    char *arena; /* every string below stands in here, NUL-terminated */
    const char *id, *phase, *timestamp, *written_status, *metadata;
    const char *error; /* NULL: none */
    struct checkpoint_strings tasks, files;
    struct checkpoint_parts components, features;
};

/* Parses source, which the checkpoint takes over (it was allocated with memory_try_alloc), also
 * when parsing fails. Else as fan_checkpoint_parse. */
int checkpoint_parse_owned(char *source, size_t len, const char *name,
                           struct fan_checkpoint **checkpoint, struct fan_checkpoint_error *error);

/* Reads all of fd's file into *text (for memory_free; room for a NUL behind it). limit: the most
 * bytes accepted. Returns 0, FAN_E_TOO_LARGE, FAN_E_IO (errno says why; a directory: EISDIR, what
 * else is no regular file: EINVAL) or FAN_E_NO_MEMORY. */
int checkpoint_read(int fd, size_t limit, char **text, size_t *len);

/* Fills an error that concerns the file as a whole; a long name is shortened at its front. */
void checkpoint_fail(struct fan_checkpoint_error *error, const char *name, unsigned line,
                     unsigned column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Appends {"<id_name>":…,"status":…,"progress":…,"metadata":…}. */
void checkpoint_append_update(struct buf *out, const char *id_name,
                              const struct fan_checkpoint_part *part);

/* Appends ["…","…"]. */
void checkpoint_append_strings(struct buf *out, const struct checkpoint_strings *strings);

#endif
