/* Reading Server-Sent Events; see event_reader.h. */
#include "client/event_reader.h"

#include "fanfare/error.h"

void event_reader_init(struct event_reader *r, size_t largest)
{
    *r = (struct event_reader){0};
    r->line.limit = r->data.limit = r->name.limit = r->id.limit = largest;
    r->skip_mark = true;
}

void event_reader_fini(struct event_reader *r)
{
    buf_fini(&r->line);
    buf_fini(&r->data);
    buf_fini(&r->name);
    buf_fini(&r->id);
}

void event_reader_restart(struct event_reader *r)
{
    buf_clear(&r->line);
    buf_clear(&r->data);
    buf_clear(&r->name);
    r->skip_newline = false;
    r->skip_mark = true;
}

static void read_retry(struct event_reader *r, struct slice value)
{
    uint32_t ms = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9' || ms > 10000000)
            return;
        ms = ms * 10 + (uint32_t)(value.ptr[i] - '0');
    }
    r->retry_ms = ms;
}

static void read_field(struct event_reader *r, struct slice name, struct slice value)
{
    if (slice_is(name, "data")) {
        buf_append_slice(&r->data, value);
        buf_append_char(&r->data, '\n');
    } else if (slice_is(name, "event")) {
        buf_clear(&r->name);
        buf_append_slice(&r->name, value);
    } else if (slice_is(name, "id") && !(value.len && memchr(value.ptr, '\0', value.len))) {
        buf_clear(&r->id);
        buf_append_slice(&r->id, value);
    } else if (slice_is(name, "retry")) {
        read_retry(r, value);
    }
}

static int dispatch(struct event_reader *r)
{
    int result = 0;
    if (r->data.len)
        result = r->on_event(r->arg, buf_slice(&r->name),
                             slice_of(r->data.data, r->data.len - 1)); /* the last newline */
    buf_clear(&r->data);
    buf_clear(&r->name);
    return result;
}

static int end_line(struct event_reader *r)
{
    struct slice line = buf_slice(&r->line);
    if (r->skip_mark && slice_starts(line, "\xef\xbb\xbf"))
        line = slice_skip(line, 3);
    r->skip_mark = false;
    int result = 0;
    if (line.len == 0) {
        result = dispatch(r);
    } else if (!slice_starts(line, ":")) { /* else a comment */
        struct slice name, value = line;
        slice_split(&value, ':', &name);
        if (slice_starts(value, " "))
            value = slice_skip(value, 1);
        read_field(r, name, value);
    }
    buf_clear(&r->line);
    return result;
}

int event_reader_feed(struct event_reader *r, struct slice piece)
{
    while (piece.len) {
        if (r->skip_newline && piece.ptr[0] == '\n')
            piece = slice_skip(piece, 1);
        r->skip_newline = false;
        size_t n = 0;
        while (n < piece.len && piece.ptr[n] != '\n' && piece.ptr[n] != '\r')
            n++;
        buf_append(&r->line, piece.ptr, n);
        if (n < piece.len) {
            r->skip_newline = piece.ptr[n] == '\r';
            n++;
            int result = end_line(r);
            if (result)
                return result;
        }
        if (r->line.failed || r->data.failed || r->name.failed || r->id.failed)
            return FAN_E_TOO_LARGE;
        piece = slice_skip(piece, n);
    }
    return 0;
}
