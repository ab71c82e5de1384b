/*
 * base64url without padding (RFC 4648, 5), as JSON Web Tokens have it. No I/O, any thread.
 */
#ifndef CODEC_BASE64URL_H
#define CODEC_BASE64URL_H

#include "base/buf.h"

/* How many characters n bytes have, and how many bytes n characters. */
#define BASE64URL_LENGTH(n) (((n)*8 + 5) / 6)
#define BASE64URL_BYTES(n)  ((n)*6 / 8)

/* Writes BASE64URL_LENGTH(n) characters, without a NUL; returns how many. */
size_t base64url_encode(const void *bytes, size_t n, char *out);

/* Writes the BASE64URL_BYTES(text.len) bytes that text stands for. 0; FAN_E_PARSE for other
 * characters (padding and white space, too), a length that nothing has, or bits behind the last
 * byte that are not 0: each sequence of bytes has one text. Some may be written even then. */
int base64url_decode_into(struct slice text, void *bytes);

/* The same, appended; nothing is when it fails. Also FAN_E_NO_MEMORY. */
int base64url_decode(struct slice text, struct buf *out);

void base64url_append(struct buf *out, struct slice bytes);

#endif
