/* The keys of `fanfare top`; see top_view.h. */
#include <string.h>

#include "cli/top_view.h"

/* What follows ESC [ or ESC O (ECMA-48, 5.4): the sequences of the keys that have a meaning. */
static const struct {
    const char *sequence;
    int key;
} sequences[] = {
    {"A", TOP_KEY_UP},   {"B", TOP_KEY_DOWN}, {"5~", TOP_KEY_PAGE_UP}, {"6~", TOP_KEY_PAGE_DOWN},
    {"H", TOP_KEY_HOME}, {"F", TOP_KEY_END},  {"1~", TOP_KEY_HOME},    {"4~", TOP_KEY_END},
};

size_t top_key_read(const char *data, size_t len, int *key)
{
    if (len == 0)
        return 0;
    *key = (unsigned char)data[0];
    if (data[0] != TOP_KEY_ESCAPE || len == 1)
        return 1;
    if (data[1] != '[' && data[1] != 'O')
        return 1; /* Escape, and then something else */
    size_t end = 2;
    while (end < len && ((unsigned char)data[end] < 0x40 || (unsigned char)data[end] > 0x7e))
        end++;
    struct slice sequence = slice_of(data + 2, end < len ? end - 1 : len - 2);
    *key = 0;
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++)
        if (slice_is(sequence, sequences[i].sequence))
            *key = sequences[i].key;
    return end < len ? end + 1 : len;
}

static enum top_action type_filter(struct top_view *v, int key)
{
    size_t len = strlen(v->filter);
    if (key == '\r' || key == '\n') {
        v->typing = false;
    } else if (key == TOP_KEY_ESCAPE) {
        v->typing = false;
        v->filter[0] = '\0';
    } else if (key == TOP_KEY_BACKSPACE || key == '\b') {
        if (len)
            v->filter[len - 1] = '\0';
    } else if (key > ' ' && key < TOP_KEY_BACKSPACE && len < TOP_FILTER_MAX) {
        v->filter[len] = (char)key;
        v->filter[len + 1] = '\0';
    } else {
        return TOP_NOTHING;
    }
    v->scroll = 0;
    return TOP_REDRAW;
}

static enum top_action sort_by(struct top_view *v, enum top_sort sort)
{
    v->sort = sort;
    v->scroll = 0;
    return TOP_REDRAW;
}

static enum top_action scroll_by(struct top_view *v, long rows)
{
    long scroll = (long)v->scroll + rows;
    v->scroll = scroll > 0 ? (unsigned)scroll : 0; /* drawing knows where the end is */
    return TOP_REDRAW;
}

static enum top_action scroll(struct top_view *v, int key)
{
    long page = v->rows > 8 ? (long)v->rows - 7 : 1;
    switch (key) {
    case TOP_KEY_UP:
    case 'k':
        return scroll_by(v, -1);
    case TOP_KEY_DOWN:
    case 'j':
        return scroll_by(v, 1);
    case TOP_KEY_PAGE_UP:
        return scroll_by(v, -page);
    case TOP_KEY_PAGE_DOWN:
        return scroll_by(v, page);
    case TOP_KEY_HOME:
        return scroll_by(v, -(long)v->scroll);
    case TOP_KEY_END:
        return scroll_by(v, 1000000);
    default:
        return TOP_NOTHING;
    }
}

enum top_action top_view_key(struct top_view *v, int key)
{
    if (key == 3) /* Ctrl-C: the terminal is raw, so it is a key like others */
        return TOP_QUIT;
    if (v->typing)
        return type_filter(v, key);
    switch (key) {
    case 'q':
    case 'Q':
        return TOP_QUIT;
    case 'e':
        return sort_by(v, TOP_BY_RATE);
    case 'u':
        return sort_by(v, TOP_BY_SUBSCRIBERS);
    case 'o':
        return sort_by(v, TOP_BY_OFFSET);
    case 't':
        return sort_by(v, TOP_BY_TOPIC);
    case 'r':
        v->reverse = !v->reverse;
        return TOP_REDRAW;
    case '/':
        v->typing = true;
        return TOP_REDRAW;
    case TOP_KEY_ESCAPE:
        v->filter[0] = '\0';
        return TOP_REDRAW;
    case ' ':
        v->paused = !v->paused;
        return TOP_REDRAW;
    case 'h':
    case '?':
        v->help = !v->help;
        return TOP_REDRAW;
    default:
        return scroll(v, key);
    }
}
