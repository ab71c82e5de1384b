/* Recordings in files; see replay_source.h. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "cli/replay_source.h"

#define LONGEST_LINE ((size_t)64 * 1024 * 1024)
#define READ_SIZE    ((size_t)65536)

static int file_error(const struct replay_file *f, const char *reason)
{
    return command_error(f->command, "%s: %s", f->name, reason);
}

/* Reads what there is. 0, REPLAY_INTERRUPTED, FAILED. */
static int read_more(struct replay_file *f)
{
    struct pollfd fds[] = {{.fd = f->fd, .events = POLLIN}, {.fd = f->wake, .events = POLLIN}};
    if (poll(fds, 2, -1) < 0)
        return errno == EINTR ? 0 : file_error(f, strerror(errno));
    if (fds[1].revents)
        return REPLAY_INTERRUPTED;
    f->text.limit = LONGEST_LINE;
    char *room = buf_reserve(&f->text, READ_SIZE);
    if (!room)
        return file_error(f, "a line is longer than 64 MiB");
    ssize_t n = read(f->fd, room, READ_SIZE);
    if (n < 0)
        return errno == EINTR ? 0 : file_error(f, strerror(errno));
    f->ended = n == 0;
    buf_commit(&f->text, (size_t)n);
    return 0;
}

/* The next line, without its newline. 0, REPLAY_END, REPLAY_INTERRUPTED, FAILED. */
static int next_line(struct replay_file *f, struct slice *line)
{
    size_t searched = 0;
    buf_consume(&f->text, f->taken);
    f->taken = 0;
    for (;;) {
        struct slice text = buf_slice(&f->text), rest = slice_skip(text, searched);
        const char *newline = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;
        if (newline || (f->ended && text.len)) {
            line->ptr = text.ptr;
            line->len = newline ? (size_t)(newline - text.ptr) : text.len;
            f->taken = line->len + (newline ? 1 : 0);
            f->line++;
            return 0;
        }
        if (f->ended)
            return REPLAY_END;
        searched = text.len;
        int code = read_more(f);
        if (code)
            return code;
    }
}

static bool is_blank(struct slice line)
{
    return slice_trim(line).len == 0 || slice_is(slice_trim(line), "\r");
}

int replay_file_next(struct replay_file *f, struct json_value *event)
{
    struct slice line;
    struct json_error problem;
    int code;
    do
        code = next_line(f, &line);
    while (code == 0 && is_blank(line));
    if (code)
        return code;
    if (json_parse(line, event, &problem) != 0)
        return command_error(f->command, "%s:%llu: not JSON: %s (column %zu)", f->name,
                             (unsigned long long)f->line, problem.message, problem.at + 1);
    if (event->kind != JSON_OBJECT)
        return command_error(f->command,
                             "%s:%llu: expected an event as `fanfare sub --json` writes it, a JSON "
                             "object, not %s",
                             f->name, (unsigned long long)f->line, json_kind_name(event->kind));
    return 0;
}

void replay_file_fini(struct replay_file *f)
{
    buf_fini(&f->text);
}
