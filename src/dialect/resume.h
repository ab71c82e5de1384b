/* What dialects share about start positions: reading them from URLs and messages. */
#ifndef DIALECT_RESUME_H
#define DIALECT_RESUME_H

#include "codec/json.h"
#include "hub/hub.h"

/* From a URL's query: cursor=…, or epoch=…&since=…, or since=0 alone (the beginning). *start stays
 * START_NOW without them. Returns 0, or FAN_E_INVALID when they make no sense. */
int resume_from_query(struct slice query, struct start_point *start);

/* From a message's members epoch and `offset_name`, or cursor. FAN_E_INVALID. */
int resume_from_message(struct json_value message, const char *offset_name,
                        struct start_point *start);

/* A cursor's text. */
int resume_from_cursor(struct slice text, struct start_point *start);

#endif
