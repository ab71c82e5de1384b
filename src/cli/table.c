/* Tables of text; see table.h. */
#include "cli/table.h"

#include "cli/terminal.h"

#define SPACE 2 /* between columns */

void table_init(struct table *t, const struct table_column *columns, unsigned count)
{
    *t = (struct table){.columns = columns, .column_count = count};
}

void table_fini(struct table *t)
{
    buf_fini(&t->text);
    buf_fini(&t->ends);
}

void table_add(struct table *t, struct slice text)
{
    terminal_append_plain(&t->text, text);
    buf_append(&t->ends, &t->text.len, sizeof t->text.len);
    t->cells++;
}

void table_add_format(struct table *t, const char *format, ...)
{
    struct buf cell = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&cell, format, args);
    va_end(args);
    table_add(t, buf_slice(&cell));
    buf_fini(&cell);
}

static size_t cell_end(const struct table *t, unsigned cell)
{
    size_t end;
    memcpy(&end, t->ends.data + cell * sizeof end, sizeof end);
    return end;
}

static struct slice cell_at(const struct table *t, unsigned row, unsigned column)
{
    unsigned cell = row * t->column_count + column;
    size_t begin = cell ? cell_end(t, cell - 1) : 0;
    return slice_of(t->text.data + begin, cell_end(t, cell) - begin);
}

/* Bytes of UTF-8 that begin a code point. */
static bool begins(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

size_t table_width_of(struct slice text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += begins(text.ptr[i]);
    return width;
}

void table_append_cut(struct buf *out, struct slice text, size_t width)
{
    bool cut = table_width_of(text) > width;
    size_t left = cut && width ? width - 1 : width;
    for (size_t i = 0; i < text.len; i++) {
        if (begins(text.ptr[i]) && left-- == 0)
            break;
        buf_append_char(out, text.ptr[i]);
    }
    if (cut && width)
        BUF_LITERAL(out, "…");
}

/* What each column takes; the first one gives way when the line is too short. */
static void measure(const struct table *t, unsigned width, size_t widths[TABLE_COLUMNS_MAX])
{
    size_t total = 0;
    for (unsigned column = 0; column < t->column_count; column++) {
        widths[column] = table_width_of(slice_from(t->columns[column].title));
        for (unsigned row = 0; row < t->cells / t->column_count; row++) {
            size_t cell = table_width_of(cell_at(t, row, column));
            widths[column] = cell > widths[column] ? cell : widths[column];
        }
        total += widths[column] + (column ? SPACE : 0);
    }
    if (width && total > width) {
        size_t over = total - width;
        widths[0] = widths[0] > over + 4 ? widths[0] - over : 4;
    }
}

static void append_cell(struct buf *out, const struct table *t, unsigned column, size_t width,
                        struct slice text)
{
    size_t taken = table_width_of(text);
    size_t space = taken < width ? width - taken : 0;
    bool last = column + 1 == t->column_count;
    if (column)
        buf_printf(out, "%*s", SPACE, "");
    if (t->columns[column].right)
        buf_printf(out, "%*s", (int)space, "");
    table_append_cut(out, text, width);
    if (!t->columns[column].right && !last)
        buf_printf(out, "%*s", (int)space, "");
}

void table_append(struct buf *out, const struct table *t, bool colours, unsigned width,
                  unsigned first, unsigned count)
{
    size_t widths[TABLE_COLUMNS_MAX];
    unsigned rows = t->cells / t->column_count;
    struct buf titles = {0};
    if (t->text.failed || t->ends.failed)
        return;
    measure(t, width, widths);
    for (unsigned column = 0; column < t->column_count; column++)
        append_cell(&titles, t, column, widths[column], slice_from(t->columns[column].title));
    terminal_append(out, colours, STYLE_BOLD, buf_slice(&titles));
    BUF_LITERAL(out, "\n");
    buf_fini(&titles);
    for (unsigned row = first; row < rows && row - first < count; row++) {
        for (unsigned column = 0; column < t->column_count; column++)
            append_cell(out, t, column, widths[column], cell_at(t, row, column));
        BUF_LITERAL(out, "\n");
    }
}
