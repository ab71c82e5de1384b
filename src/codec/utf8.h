/* UTF-8 (RFC 3629): validation in pieces and repair of arbitrary bytes. No I/O, any thread. */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* A validator that takes a text in pieces; {0} is the start. */
struct utf8_state {
    uint8_t need; /* continuation bytes still expected */
    uint8_t low;  /* allowed range of the next one */
    uint8_t high;
};

/* False as soon as the bytes so far cannot begin a valid text (RFC 6455, 8.1 wants that early).
 * Surrogates, overlong forms and code points above U+10FFFF are invalid. ASCII runs are fast. */
bool utf8_feed(struct utf8_state *s, struct slice piece);

/* Whether the text may end here. */
static inline bool utf8_complete(const struct utf8_state *s)
{
    return s->need == 0;
}

bool utf8_valid(struct slice text);

/* How many bytes at the end of text are the beginning of a code point whose rest is missing
 * (0 to 3): a reader of a stream keeps them for the next piece. */
size_t utf8_incomplete_tail(struct slice text);

/* The size in bytes (1 to 4) of the code point that text begins with; 0 when it begins with none,
 * -1 when text ends inside one. text is not empty. */
int utf8_first_size(struct slice text);

/* The length of the longest valid beginning of text. *bad: how many bytes behind it form one
 * maximal invalid sequence (or one cut off by the end); 0 when all of text is valid. */
size_t utf8_valid_prefix(struct slice text, size_t *bad);

/* Appends code_point, which is no surrogate, as UTF-8. */
void utf8_append(struct buf *out, uint32_t code_point);

/* Appends text with each maximal invalid sequence replaced by U+FFFD (as the WHATWG decoder). */
void utf8_append_repaired(struct buf *out, struct slice text);

#endif
