/* Reading checkpoint files, and the messages about them. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "source/checkpoint.h"

#define NAME_SHOWN 240 /* of a file's name in a message, so that the reason still fits */

void checkpoint_fail(struct fan_checkpoint_error *error, const char *name, unsigned line,
                     unsigned column, const char *format, ...)
{
    char what[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    size_t len = strlen(name);
    bool cut = len > NAME_SHOWN;
    error->line = line;
    error->column = column;
    int n = snprintf(error->message, sizeof error->message, "%s%s:%u:%u: %s", cut ? "…" : "",
                     cut ? name + len - NAME_SHOWN : name, line, column, what);
    (void)n; /* a longer reason is cut at its end */
}

/* Grows the text by what read(2) gives, up to one byte above the limit, which tells that there is
 * more. The size in fstat is only a hint: the file may be growing. */
static int read_all(int fd, size_t limit, size_t hint, char **text, size_t *len)
{
    size_t size = (hint < limit ? hint : limit) + 2;
    char *data = memory_try_alloc(size);
    *len = 0;
    while (data) {
        ssize_t n = read(fd, data + *len, size - 1 - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            *text = data;
            return n < 0 ? FAN_E_IO : 0;
        }
        *len += (size_t)n;
        if (*len > limit) {
            *text = data;
            return FAN_E_TOO_LARGE;
        }
        if (*len + 1 < size)
            continue;
        size = size * 2 < limit + 2 ? size * 2 : limit + 2;
        char *grown = memory_try_realloc(data, size);
        if (!grown)
            memory_free(data);
        data = grown;
    }
    *text = NULL;
    return FAN_E_NO_MEMORY;
}

int checkpoint_read(int fd, size_t limit, char **text, size_t *len)
{
    struct stat stat;
    *text = NULL;
    if (fstat(fd, &stat) != 0)
        return FAN_E_IO;
    if (!S_ISREG(stat.st_mode)) {
        errno = S_ISDIR(stat.st_mode) ? EISDIR : EINVAL;
        return FAN_E_IO;
    }
    if (stat.st_size > 0 && (size_t)stat.st_size > limit)
        return FAN_E_TOO_LARGE;
    int error = read_all(fd, limit, (size_t)stat.st_size, text, len);
    if (error) {
        int reason = errno;
        memory_free(*text);
        *text = NULL;
        errno = reason;
    }
    return error;
}

static int fail_file(struct fan_checkpoint_error *error, const char *path, int result, int reason)
{
    if (result == FAN_E_TOO_LARGE)
        checkpoint_fail(error, path, 1, 1, "the file is larger than %u MiB",
                        FAN_CHECKPOINT_MAX_SIZE >> 20);
    else if (result == FAN_E_NO_MEMORY)
        checkpoint_fail(error, path, 1, 1, "out of memory");
    else if (reason == EISDIR)
        checkpoint_fail(error, path, 1, 1, "this is a directory; expected a checkpoint file");
    else if (reason == EINVAL)
        checkpoint_fail(error, path, 1, 1, "this is no regular file; expected a checkpoint file");
    else
        checkpoint_fail(error, path, 1, 1, "cannot be read: %s", strerror(reason));
    return result;
}

int fan_checkpoint_parse_file(const char *path, struct fan_checkpoint **checkpoint,
                              struct fan_checkpoint_error *error)
{
    struct fan_checkpoint_error ignored;
    char *text = NULL;
    size_t len = 0;
    error = error ? error : &ignored;
    *checkpoint = NULL;
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        int reason = errno;
        return fail_file(error, path,
                         reason == ENOENT || reason == ENOTDIR ? FAN_E_NOT_FOUND
                         : reason == EACCES || reason == EPERM ? FAN_E_DENIED
                                                               : FAN_E_IO,
                         reason);
    }
    int result = checkpoint_read(fd, FAN_CHECKPOINT_MAX_SIZE, &text, &len);
    int reason = errno;
    close(fd);
    if (result)
        return fail_file(error, path, result, reason);
    return checkpoint_parse_owned(text, len, path, checkpoint, error);
}

int fan_checkpoint_parse(const char *text, size_t len, const char *name,
                         struct fan_checkpoint **checkpoint, struct fan_checkpoint_error *error)
{
    struct fan_checkpoint_error ignored;
    error = error ? error : &ignored;
    *checkpoint = NULL;
    if (len > FAN_CHECKPOINT_MAX_SIZE)
        return fail_file(error, name, FAN_E_TOO_LARGE, 0);
    char *copy = memory_try_alloc(len);
    if (!copy)
        return fail_file(error, name, FAN_E_NO_MEMORY, 0);
    if (len)
        memcpy(copy, text, len);
    return checkpoint_parse_owned(copy, len, name, checkpoint, error);
}
