/*
 * The hot-path JSON scanner: strict validation (RFC 8259) and finding members, without building
 * anything. Values are slices of the input and pass through as bytes.
 *
 * Everything here is I/O-free and allocates only where a buf is given. Any thread.
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* Deepest nesting of objects and arrays that is accepted. */
#define JSON_MAX_DEPTH 128

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* "a string", "an object": for messages to people. */
const char *json_kind_name(enum json_kind kind);

struct json_value {
    enum json_kind kind;
    struct slice text; /* as it stands in the input: a string with its quotes, no white space
                          around it */
};

struct json_member {
    struct slice name; /* between the quotes, escapes not resolved; compare with json_name_is */
    bool name_escaped; /* the name contains a backslash */
    struct json_value value;
};

struct json_error {
    size_t at;           /* byte position from 0; the input's length where it ends too early */
    const char *message; /* "expected ',' or '}'" */
};

/* Turns a position into line and column, both from 1; columns count bytes. */
void json_locate(struct slice text, size_t at, unsigned *line, unsigned *column);

/* Checks that text is exactly one JSON value (white space around it is allowed) in valid UTF-8
 * and says of what kind. Returns 0; FAN_E_PARSE, or FAN_E_TRUNCATED when the text is a proper
 * beginning of a value, with *error filled (error may be NULL). */
int json_parse(struct slice text, struct json_value *value, struct json_error *error);

/*
 * Walks an object's members. The whole text must have been through json_parse (the value of which
 * is given): walking a value that was accepted cannot fail, and does no checking again.
 *
 *   struct json_iter it = json_members(value);
 *   while (json_next_member(&it, &member)) …
 */
struct json_iter {
    const char *at, *end;
};
struct json_iter json_members(struct json_value object);
bool json_next_member(struct json_iter *it, struct json_member *member);

/* The same for an array's elements. */
struct json_iter json_elements(struct json_value array);
bool json_next_element(struct json_iter *it, struct json_value *element);

/* How many elements the text has, a JSON array; 0 for anything else. */
unsigned json_count(struct slice array);

/* Whether the member's name, escapes resolved, is `name`. */
bool json_name_is(const struct json_member *member, struct slice name);

/* The member of that name; the last one counts where a name stands twice. False: none. */
bool json_find(struct json_value object, struct slice name, struct json_value *value);

/*
 * One pass over an object that is both check and search, for the publish path: validates all of
 * text as one JSON object and stores the values of the members named in names[0..count-1] into
 * values (found[i] says which were there; the last one counts). Errors as json_parse; text that
 * is valid JSON but no object is FAN_E_INVALID.
 */
int json_scan_object(struct slice text, const struct slice *names, unsigned count,
                     struct json_value *values, bool *found, struct json_error *error);

/* A string value's content with escapes resolved, appended as UTF-8; an escaped lone surrogate
 * becomes U+FFFD. */
void json_string_append(struct buf *out, struct json_value string);

/* The content of a string value when it has no escapes (then no copy is needed); false else. */
bool json_string_plain(struct json_value string, struct slice *content);

/* Compares a string value's content, escapes resolved, with text. False for other kinds. */
bool json_string_is(struct json_value string, const char *text);

double json_number(struct json_value number);

/* A whole number within int64_t, also written as 1.0 or 1e3; false else. */
bool json_integer(struct json_value number, int64_t *out);

/* Writing: text as a JSON string with quotes. The text must be valid UTF-8; control characters,
 * '"' and '\' are escaped, and U+2028/2029 and '<' are not. */
void json_append_string(struct buf *out, struct slice text);

/* Writing: the shortest text that reads back as the same double; null for NaN and infinities. */
void json_append_number(struct buf *out, double number);

/* Appends text as a JSON string, where text is arbitrary bytes: invalid UTF-8 → U+FFFD. */
void json_append_lossy(struct buf *out, struct slice text);

/* A copy of a valid value without white space between tokens. */
void json_append_compact(struct buf *out, struct json_value value);

#endif
