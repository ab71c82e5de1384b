/* Output for people: colours where they are wanted, and text that cannot harm a terminal. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdio.h>

#include "base/buf.h"

enum style { STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW, STYLE_CYAN };

/* Whether the stream is a terminal that shows colours; NO_COLOR (no-color.org) turns them off. */
bool terminal_has_colours(FILE *stream);

/* Appends text, in a style when colours. Control characters are shown as \u00XX: text from
 * elsewhere must not move the cursor or rename the window. */
void terminal_append(struct buf *out, bool colours, enum style style, struct slice text);

/* The same without a style. */
void terminal_append_plain(struct buf *out, struct slice text);

/* Writes and flushes. False when the reader is gone or the disk is full. */
bool terminal_write(FILE *stream, const struct buf *text);

#endif
