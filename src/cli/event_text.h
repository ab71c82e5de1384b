/* Events for people: one line each. */
#ifndef CLI_EVENT_TEXT_H
#define CLI_EVENT_TEXT_H

#include <stdbool.h>

#include "base/buf.h"
#include "codec/json.h"

/* Whether it is not an event, which has data, but word of the stream itself: history no longer
 * reaches back, or the token has expired. */
bool event_is_notice(struct json_value event);

/* Appends "12:00:00.123 session:web #7 tick {"n":1}" and a newline. The event is an object. */
void event_append_text(struct buf *out, bool colours, struct json_value event);

/* Appends "gap {…}" and a newline: a notice. */
void event_append_notice(struct buf *out, bool colours, struct json_value notice);

/* A member's text: a string's content when it has no escapes, else as it stands in the JSON; empty
 * when there is none or it is null. */
struct slice event_member(struct json_value event, struct slice name);

#endif
