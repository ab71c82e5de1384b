/*
 * What `fanfare top` shows, and what its keys do. No I/O, not thread-safe.
 */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include "cli/top_sample.h"

enum top_sort { TOP_BY_RATE, TOP_BY_SUBSCRIBERS, TOP_BY_OFFSET, TOP_BY_TOPIC, TOP_SORT_COUNT };

#define TOP_FILTER_MAX 128

struct top_view {
    enum top_sort sort;
    bool reverse;
    char filter[TOP_FILTER_MAX + 1]; /* only topics that contain it; case is ignored */
    bool typing;                     /* the filter is being typed */
    bool paused, help;
    unsigned scroll;        /* topics above the first row */
    unsigned rows, columns; /* of the terminal; 0 rows: no limit */
    bool colours;
    const char *url;
};

/* "rate", "subscribers", "offset", "topic"; false for anything else. */
bool top_sort_parse(const char *text, enum top_sort *sort);

/* The topics that pass the filter, in their order: a list to be freed with memory_free, whose
 * members live in the sample. Never NULL. */
const struct top_topic **top_view_select(const struct top_view *v, const struct top_sample *s,
                                         size_t *count);

enum top_action { TOP_NOTHING, TOP_REDRAW, TOP_QUIT };

/* Keys beside the printable characters. */
enum top_key {
    TOP_KEY_ESCAPE = 0x1b,
    TOP_KEY_BACKSPACE = 0x7f,
    TOP_KEY_UP = 0x100,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_HOME,
    TOP_KEY_END,
};

/* Reads one key from what a terminal sent: the bytes that it took, 0 when there are none. *key is 0
 * for sequences that mean nothing here. */
size_t top_key_read(const char *data, size_t len, int *key);

enum top_action top_view_key(struct top_view *v, int key);

/* Appends the picture: lines that end in newlines, as many as v->rows. sample NULL: nothing is
 * known yet. problem: why the server cannot be reached just now; "" when it can. */
void top_view_append(struct buf *out, struct top_view *v, const struct top_sample *sample,
                     const struct top_rates *rates, const char *problem);

/* "1.2k", "3.4M": at most 5 characters for what is no byte count; "1.5 GiB" for what is one. */
void top_append_number(struct buf *out, double number);
void top_append_bytes(struct buf *out, double bytes);

#endif
