/* Server-Sent Events out; see sse.h. */
#include "codec/sse.h"

#include <stdint.h>

/* Splits off the first line; its end is \n, \r or \r\n. False when there is no line end: *line is
 * what was left. */
static bool take_line(struct slice *rest, struct slice *line)
{
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != '\n' && rest->ptr[n] != '\r')
        n++;
    *line = slice_of(rest->ptr, n);
    if (n == rest->len)
        return false;
    bool pair = rest->ptr[n] == '\r' && n + 1 < rest->len && rest->ptr[n + 1] == '\n';
    *rest = slice_skip(*rest, n + (pair ? 2 : 1));
    return true;
}

/* A "field: line" for each line of text. */
static void append_lines(struct buf *out, struct slice field, struct slice text)
{
    struct slice line;
    bool more;
    do {
        more = take_line(&text, &line);
        buf_append_slice(out, field);
        buf_append_slice(out, line);
        buf_append_char(out, '\n');
    } while (more);
}

void sse_append_event(struct buf *out, struct slice id, struct slice name, struct slice data)
{
    if (id.len)
        append_lines(out, SLICE("id: "), id);
    if (name.len)
        append_lines(out, SLICE("event: "), name);
    append_lines(out, SLICE("data: "), data);
    buf_append_char(out, '\n');
}

void sse_append_comment(struct buf *out, struct slice text)
{
    append_lines(out, SLICE(": "), text);
    buf_append_char(out, '\n');
}

void sse_append_retry(struct buf *out, unsigned ms)
{
    BUF_LITERAL(out, "retry: ");
    buf_append_u64(out, ms);
    BUF_LITERAL(out, "\n\n");
}
