/* Parts of envelopes; see envelope.h. */
#include "dialect/envelope.h"

#include "base/clock.h"
#include "codec/json_writer.h"
#include "hub/event_json.h"
#include "hub/topic.h"

struct slice envelope_topic_id(const struct event *e, unsigned place)
{
    struct slice name = topic_name_slice(e->places[place].topic), kind;
    slice_split(&name, ':', &kind);
    return name;
}

void envelope_quoted(struct buf *out, struct slice text)
{
    char *to = buf_reserve(out, text.len + 2);
    if (!to)
        return;
    to[0] = '"';
    memcpy(to + 1, text.ptr, text.len);
    to[text.len + 1] = '"';
    buf_commit(out, text.len + 2);
}

void envelope_time(struct buf *out, int64_t time_ms)
{
    char text[CLOCK_TEXT_SIZE];
    clock_format(time_ms, text);
    envelope_quoted(out, slice_of(text, CLOCK_TEXT_SIZE - 1));
}

void envelope_cursor(struct buf *out, uint64_t node_epoch, uint64_t seq)
{
    char cursor[CURSOR_TEXT_SIZE];
    cursor_format((struct cursor){node_epoch, seq}, cursor);
    json_put_name(out, "cursor");
    envelope_quoted(out, slice_of(cursor, CURSOR_TEXT_SIZE - 1));
}

void envelope_position(struct buf *out, uint64_t epoch, uint64_t offset, uint64_t node_epoch,
                       uint64_t seq)
{
    char epoch_text[EPOCH_TEXT_SIZE];
    epoch_format(epoch, epoch_text);
    json_put_name(out, "epoch");
    envelope_quoted(out, slice_of(epoch_text, EPOCH_TEXT_SIZE - 1));
    json_put_u64(out, "offset", offset);
    envelope_cursor(out, node_epoch, seq);
}

void envelope_event(struct buf *out, struct cursor position, const struct event *e, unsigned place)
{
    char cursor[CURSOR_TEXT_SIZE];
    size_t at = out->len;
    event_append_json(out, e, place);
    if (e->ephemeral || out->failed || out->len == at)
        return;
    out->len--; /* the closing brace: the cursor goes in */
    cursor_format(position, cursor);
    BUF_LITERAL(out, ",\"cursor\":");
    envelope_quoted(out, slice_from(cursor));
    buf_append_char(out, '}');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void envelope_spliced(struct buf *out, struct slice object)
{
    const char *from = object.ptr + 1, *to = object.ptr + object.len - 1;
    while (from < to && is_space(*from))
        from++;
    while (to > from && is_space(to[-1]))
        to--;
    if (from == to)
        return;
    buf_append_char(out, ',');
    buf_append(out, from, (size_t)(to - from));
}
