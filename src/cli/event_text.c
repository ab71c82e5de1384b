/* Events for people; see event_text.h. */
#include "cli/event_text.h"

#include "cli/terminal.h"

struct slice event_member(struct json_value event, struct slice name)
{
    struct json_value value;
    struct slice text = SLICE("");
    if (!json_find(event, name, &value) || value.kind == JSON_NULL)
        return text;
    if (value.kind != JSON_STRING)
        return value.text;
    return json_string_plain(value, &text) ? text : value.text;
}

bool event_is_notice(struct json_value event)
{
    struct json_value data;
    return !json_find(event, SLICE("data"), &data);
}

static void append_part(struct buf *out, bool colours, enum style style, struct slice text)
{
    if (text.len == 0)
        return;
    terminal_append(out, colours, style, text);
    BUF_LITERAL(out, " ");
}

void event_append_text(struct buf *out, bool colours, struct json_value event)
{
    struct slice time = event_member(event, SLICE("time"));
    struct slice offset = event_member(event, SLICE("offset"));
    struct slice type = event_member(event, SLICE("type"));
    bool bad = slice_is(type, "error");
    if (time.len == 24) /* the time of day is enough for people */
        time = slice_of(time.ptr + 11, 12);
    append_part(out, colours, STYLE_DIM, time);
    append_part(out, colours, STYLE_CYAN, event_member(event, SLICE("topic")));
    if (offset.len) {
        struct buf number = {0};
        buf_printf(&number, "#%.*s", SLICE_ARG(offset));
        append_part(out, colours, STYLE_DIM, buf_slice(&number));
        buf_fini(&number);
    }
    append_part(out, colours, bad ? STYLE_RED : STYLE_BOLD, type);
    terminal_append_plain(out, event_member(event, SLICE("data")));
    BUF_LITERAL(out, "\n");
}

void event_append_notice(struct buf *out, bool colours, struct json_value notice)
{
    terminal_append(out, colours, STYLE_YELLOW, event_member(notice, SLICE("type")));
    BUF_LITERAL(out, " ");
    terminal_append_plain(out, notice.text);
    BUF_LITERAL(out, "\n");
}
