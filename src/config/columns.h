/* Help texts: a column of terms beside their wrapped explanations. No I/O, any thread. */
#ifndef CONFIG_COLUMNS_H
#define CONFIG_COLUMNS_H

#include "base/buf.h"

/* Appends "  term   explanation…", the explanation wrapped in its column. Backquotes, which mark
 * code in the same text's Markdown form, are left out. */
void columns_append(struct buf *out, const char *term, struct slice explanation);

/* Appends text wrapped at the same width from column 0, without backquotes, and a newline. */
void columns_append_paragraph(struct buf *out, struct slice text);

#endif
