/*
 * Writing JSON member by member; the commas come by themselves.
 *
 *   json_begin(&out, NULL, '{');
 *   json_put_text(&out, "status", "pending");
 *   json_begin(&out, "errors", '[');
 *   json_end(&out, ']');
 *   json_end(&out, '}');
 *
 * A comma is written unless the last byte of the buffer is '{', '[' or ':'; so text may be
 * appended by other means in between, as long as it is whole values. Names are constants of the
 * program and not escaped; NULL for an array's elements. Failures stick to the buffer. No I/O,
 * any thread.
 */
#ifndef CODEC_JSON_WRITER_H
#define CODEC_JSON_WRITER_H

#include "codec/json.h"

/* The comma if one is needed, and `"name":` unless name is NULL. */
void json_put_name(struct buf *out, const char *name);

/* Likewise, for names that come from outside: valid UTF-8, escaped as needed. */
void json_put_name_slice(struct buf *out, struct slice name);

/* An object or array: '{' and '}', '[' and ']'. */
void json_begin(struct buf *out, const char *name, char bracket);
void json_end(struct buf *out, char bracket);

/* text must be valid UTF-8; NULL (or a slice's ptr NULL) writes null. */
void json_put_text(struct buf *out, const char *name, const char *text);
void json_put_slice(struct buf *out, const char *name, struct slice text);

void json_put_u64(struct buf *out, const char *name, uint64_t number);
void json_put_number(struct buf *out, const char *name, double number);
void json_put_bool(struct buf *out, const char *name, bool value);

/* Text that is JSON already. */
void json_put_raw(struct buf *out, const char *name, struct slice json);

/* RFC 3339 text of a wall clock time; null for 0. */
void json_put_time(struct buf *out, const char *name, int64_t wall_ms);

#endif
