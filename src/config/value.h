/* The values of options: from text into struct config, back, compared and moved. No I/O. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/options.h"

/*
 * Sets the option from texts (several for lists only), freeing what was there. Returns 0; or
 * FAN_E_INVALID with "expected …, got …" appended to `why`, and the value unchanged. A secret is
 * not repeated in `why`.
 */
int value_set(struct config *c, const struct option *o, const struct slice *texts, size_t count,
              struct buf *why);

/* The same from one text, where a list stands as items with commas between or as a JSON list. */
int value_set_text(struct config *c, const struct option *o, struct slice text, struct buf *why);

/* Adds one item to a list. */
int value_add(struct config *c, const struct option *o, struct slice text, struct buf *why);

/* Frees what the option holds and leaves it empty. */
void value_clear(struct config *c, const struct option *o);

bool value_equal(const struct config *a, const struct config *b, const struct option *o);

/* Gives `to` a copy of the value in `from`. */
void value_copy(struct config *to, const struct config *from, const struct option *o);

/* Appends the value as a YAML flow value: 5000, 1MiB, 7d, "text", [a, b]. */
void value_append_yaml(struct buf *out, const struct config *c, const struct option *o);

/* Appends the value as JSON: durations as milliseconds, sizes as bytes. */
void value_append_json(struct buf *out, const struct config *c, const struct option *o);

/* "a size such as 64KiB, 1MiB or 2GiB, from 1KiB to 1GiB": what the option takes. */
void value_append_expected(struct buf *out, const struct option *o);

#endif
