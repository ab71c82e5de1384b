/*
 * Filters by event type, as clients set them: lists of types, short names and "*".
 */
#ifndef DIALECT_TYPE_FILTER_H
#define DIALECT_TYPE_FILTER_H

#include "base/buf.h"
#include "codec/json.h"
#include "hub/fanout.h"

/* Most custom types in one filter. */
#define TYPE_FILTER_MAX 256

struct type_filter_error {
    char message[160];
};

/* Reads a JSON array of names. *filter is NULL afterwards when it says "*". `error` events always
 * pass. FAN_E_INVALID, FAN_E_NO_MEMORY, both with the message. */
int type_filter_parse(struct json_value list, struct event_filter **filter,
                      struct type_filter_error *error);

/* The same from text with commas between the names ("" and "*": everything). */
int type_filter_parse_text(struct slice list, struct event_filter **filter,
                           struct type_filter_error *error);

/* Takes names away from the current filter (NULL: everything), which is not changed. */
int type_filter_remove(const struct event_filter *current, struct json_value list,
                       struct event_filter **filter, struct type_filter_error *error);

/* Appends "topics":[…] and, for a filter that excludes, "except":[…], as members of the object that
 * is open. */
void type_filter_append(struct buf *out, const struct event_filter *filter);

#endif
