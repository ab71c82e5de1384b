/* base64 with padding (RFC 4648, 4). No I/O, any thread. */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include "base/buf.h"

/* Appends the bytes that text stands for; padding may be left out. 0; FAN_E_PARSE for other
 * characters (white space, too) and what no bytes have as their text; FAN_E_NO_MEMORY. */
int base64_decode(struct slice text, struct buf *out);

void base64_append(struct buf *out, struct slice bytes);

#endif
