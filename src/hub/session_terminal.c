/*
 * The end of a session's terminal output.
 *
 * The text lies in one piece: it slides through a buffer a quarter larger than what is kept and
 * is moved to the front when that is full, which costs four bytes moved for each byte taken in.
 */
#include "base/memory.h"
#include "hub/session_sections.h"

#define FIRST_CAPACITY 1024
#define LAST_CAPACITY  (SESSION_TERMINAL_TAIL + SESSION_TERMINAL_TAIL / 4)

void session_terminal_fini(struct session_terminal *terminal)
{
    memory_free(terminal->data);
    *terminal = (struct session_terminal){0};
}

/* The last SESSION_TERMINAL_TAIL bytes, or a little less: never from inside a code point, which
 * is where make_room may have cut. */
static struct slice tail_of(struct slice text)
{
    if (text.len > SESSION_TERMINAL_TAIL)
        text = slice_skip(text, text.len - SESSION_TERMINAL_TAIL);
    while (text.len && ((unsigned char)text.ptr[0] & 0xC0) == 0x80)
        text = slice_skip(text, 1);
    return text;
}

static bool make_room(struct session_terminal *terminal, size_t n)
{
    size_t cap = terminal->cap ? terminal->cap : FIRST_CAPACITY;
    while (cap < terminal->len + n && cap < LAST_CAPACITY)
        cap = cap * 2 < LAST_CAPACITY ? cap * 2 : LAST_CAPACITY;
    if (cap != terminal->cap) {
        char *data = memory_try_realloc(terminal->data, cap);
        if (!data)
            return false;
        terminal->data = data;
        terminal->cap = (uint32_t)cap;
    }
    if (terminal->len + n <= cap)
        return true;
    size_t kept = n < SESSION_TERMINAL_TAIL ? SESSION_TERMINAL_TAIL - n : 0;
    memmove(terminal->data, terminal->data + terminal->len - kept, kept);
    terminal->len = (uint32_t)kept;
    return true;
}

static bool add_text(struct session_terminal *terminal, struct slice text)
{
    text = tail_of(text);
    if (text.len == 0)
        return true;
    if (!make_room(terminal, text.len))
        return false;
    memcpy(terminal->data + terminal->len, text.ptr, text.len);
    terminal->len += (uint32_t)text.len;
    return true;
}

bool session_terminal_load(struct session_terminal *terminal, struct json_value tail)
{
    if (tail.kind != JSON_STRING)
        return true;
    struct buf scratch = {0};
    struct slice text;
    bool done = session_text(tail, &scratch, &text) && add_text(terminal, text);
    buf_fini(&scratch);
    return done;
}

bool session_terminal_fold(struct session_terminal *terminal, const struct session_event *event)
{
    static const struct slice names[] = {NAME("output")};
    struct json_value output;
    return !session_pick(event->data, names, 1, &output) || session_terminal_load(terminal, output);
}

void session_terminal_append(const struct session_terminal *terminal, const char *name,
                             struct buf *out)
{
    struct slice tail = tail_of(slice_of(terminal->data, terminal->len));
    json_put_slice(out, name, tail.ptr ? tail : SLICE(""));
}
