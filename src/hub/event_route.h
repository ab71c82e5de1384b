/*
 * Where an event goes whose publisher names no topic: its type's routes in the catalogue, followed
 * with what its data says. Any thread.
 */
#ifndef HUB_EVENT_ROUTE_H
#define HUB_EVENT_ROUTE_H

#include "base/buf.h"
#include "hub/event_validate.h"

/* Whether events of this type find their topics by themselves; NULL (a custom type): no. */
static inline bool event_has_routes(const struct event_type *type)
{
    return type && type->route_count > 0;
}

/*
 * Appends the topics' names, each followed by a NUL, and sets *count. type has routes; data is a
 * JSON object that event_validate found good for it. Ids that are UUIDs are written in small
 * letters, and users are encoded as in the topics of their tokens, so that publisher and reader
 * meet. Returns 0; FAN_E_INVALID with check->field and check->message when a value cannot be part
 * of a topic's name, or leads nowhere; a failed buffer is the caller's to see.
 */
int event_route(const struct event_type *type, struct slice data, struct buf *names,
                unsigned *count, struct event_check *check);

#endif
