/* Writing JSON; see json_writer.h. */
#include "codec/json_writer.h"

#include "base/clock.h"

static void separate(struct buf *out)
{
    if (out->len == 0)
        return;
    char last = out->data[out->len - 1];
    if (last != '{' && last != '[' && last != ':')
        BUF_LITERAL(out, ",");
}

void json_put_name(struct buf *out, const char *name)
{
    separate(out);
    if (!name)
        return;
    BUF_LITERAL(out, "\"");
    buf_append_text(out, name);
    BUF_LITERAL(out, "\":");
}

void json_put_name_slice(struct buf *out, struct slice name)
{
    separate(out);
    json_append_string(out, name);
    BUF_LITERAL(out, ":");
}

void json_begin(struct buf *out, const char *name, char bracket)
{
    json_put_name(out, name);
    buf_append_char(out, bracket);
}

void json_end(struct buf *out, char bracket)
{
    buf_append_char(out, bracket);
}

void json_put_slice(struct buf *out, const char *name, struct slice text)
{
    json_put_name(out, name);
    if (text.ptr)
        json_append_string(out, text);
    else
        BUF_LITERAL(out, "null");
}

void json_put_text(struct buf *out, const char *name, const char *text)
{
    json_put_slice(out, name, slice_from(text));
}

void json_put_u64(struct buf *out, const char *name, uint64_t number)
{
    json_put_name(out, name);
    buf_append_u64(out, number);
}

void json_put_number(struct buf *out, const char *name, double number)
{
    json_put_name(out, name);
    json_append_number(out, number);
}

void json_put_bool(struct buf *out, const char *name, bool value)
{
    json_put_raw(out, name, value ? SLICE("true") : SLICE("false"));
}

void json_put_raw(struct buf *out, const char *name, struct slice json)
{
    json_put_name(out, name);
    buf_append_slice(out, json);
}

void json_put_time(struct buf *out, const char *name, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];
    clock_format(wall_ms, text);
    json_put_text(out, name, wall_ms ? text : NULL);
}
