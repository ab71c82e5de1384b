/*
 * Tables of text: columns as wide as their widest cell, cut to a terminal's width at the first
 * column. No I/O, not thread-safe.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>

#include "base/buf.h"

#define TABLE_COLUMNS_MAX 12

struct table_column {
    const char *title; /* "": a column without one */
    bool right;        /* numbers stand at the right */
};

struct table {
    const struct table_column *columns;
    unsigned column_count;
    struct buf text; /* the cells' contents, one behind the other */
    struct buf ends; /* a size_t for each cell: where its content ends in text */
    unsigned cells;
};

/* The columns must outlive the table. */
void table_init(struct table *t, const struct table_column *columns, unsigned count);
void table_fini(struct table *t);

/* The next cell; rows follow from their number. Control characters are made visible. */
void table_add(struct table *t, struct slice text);
void table_add_format(struct table *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends the titles (bold when colours) and the rows first..first+count-1. width: characters of a
 * line; the first column is cut with "…" where a row would be longer. 0: no limit. */
void table_append(struct buf *out, const struct table *t, bool colours, unsigned width,
                  unsigned first, unsigned count);

/* Characters that the text takes on a terminal: code points of UTF-8. */
size_t table_width_of(struct slice text);

/* Appends text, at most width characters of it, the last one "…" where it was cut. */
void table_append_cut(struct buf *out, struct slice text, size_t width);

#endif
