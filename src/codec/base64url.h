/*
 * base64url without padding (RFC 4648, 5), as JSON Web Tokens have it. No I/O, any thread.
 */
#ifndef CODEC_BASE64URL_H
#define CODEC_BASE64URL_H

#include "base/buf.h"

/* Appends the bytes that text stands for. 0; FAN_E_PARSE for other characters (padding and white
 * space, too), a length that nothing has, or bits behind the last byte that are not 0: each
 * sequence of bytes has one text. FAN_E_NO_MEMORY. */
int base64url_decode(struct slice text, struct buf *out);

void base64url_append(struct buf *out, struct slice bytes);

#endif
