/* Wrapped columns; see columns.h. */
#include "config/columns.h"

#define TERM_COLUMN 34
#define WIDTH       96

static void append_spaces(struct buf *out, size_t count)
{
    while (count--)
        buf_append_char(out, ' ');
}

/* Characters on a terminal: continuation bytes of UTF-8 take no column. */
static size_t width_of(struct slice word)
{
    size_t width = 0;
    for (size_t i = 0; i < word.len; i++)
        width += word.ptr[i] != '`' && ((unsigned char)word.ptr[i] & 0xc0) != 0x80;
    return width;
}

static void append_word(struct buf *out, struct slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] != '`')
            buf_append_char(out, word.ptr[i]);
}

static void append_wrapped(struct buf *out, struct slice text, size_t indent)
{
    struct slice word;
    size_t column = indent;
    while (slice_split(&text, ' ', &word)) {
        size_t width = width_of(word);
        if (column > indent && column + 1 + width > WIDTH) {
            BUF_LITERAL(out, "\n");
            append_spaces(out, indent);
            column = indent;
        } else if (column > indent) {
            buf_append_char(out, ' ');
            column++;
        }
        append_word(out, word);
        column += width;
    }
    BUF_LITERAL(out, "\n");
}

void columns_append(struct buf *out, const char *term, struct slice explanation)
{
    size_t width = width_of(slice_from(term)) + 2;
    append_spaces(out, 2);
    buf_append_text(out, term);
    if (width + 2 > TERM_COLUMN) {
        BUF_LITERAL(out, "\n");
        width = 0;
    }
    append_spaces(out, TERM_COLUMN - width);
    append_wrapped(out, explanation, TERM_COLUMN);
}

void columns_append_paragraph(struct buf *out, struct slice text)
{
    append_wrapped(out, text, 0);
}
