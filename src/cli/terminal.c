/* Output for people; see terminal.h. */
#include "cli/terminal.h"

#include <stdlib.h>
#include <unistd.h>

bool terminal_has_colours(FILE *stream)
{
    const char *no_colour = getenv("NO_COLOR"), *kind = getenv("TERM");
    return isatty(fileno(stream)) && !(no_colour && *no_colour) && kind &&
           strcmp(kind, "dumb") != 0;
}

/* A control character of ASCII or, in two bytes of UTF-8, of Latin-1 (C1): its code, else 0. */
static unsigned control_at(struct slice text, size_t i, size_t *len)
{
    unsigned char c = (unsigned char)text.ptr[i];
    unsigned char next = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;
    *len = c == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 1;
    if (*len == 2)
        return next;
    return c < 0x20 || c == 0x7f ? (c ? c : 0x100) : 0;
}

void terminal_append_plain(struct buf *out, struct slice text)
{
    size_t len;
    for (size_t i = 0; i < text.len; i += len) {
        unsigned control = control_at(text, i, &len);
        if (control)
            buf_printf(out, "\\u%04x", control & 0xff);
        else
            buf_append_char(out, text.ptr[i]);
    }
}

void terminal_append(struct buf *out, bool colours, enum style style, struct slice text)
{
    static const char *const codes[] = {
        [STYLE_BOLD] = "1",   [STYLE_DIM] = "2",     [STYLE_RED] = "31",
        [STYLE_GREEN] = "32", [STYLE_YELLOW] = "33", [STYLE_CYAN] = "36",
    };
    if (colours)
        buf_printf(out, "\x1b[%sm", codes[style]);
    terminal_append_plain(out, text);
    if (colours)
        BUF_LITERAL(out, "\x1b[0m");
}

bool terminal_write(FILE *stream, const struct buf *text)
{
    return fwrite(text->data ? text->data : "", 1, text->len, stream) == text->len &&
           fflush(stream) == 0;
}
