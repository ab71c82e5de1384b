/*
 * An event from inside the process, checked like those of other publishers: from names and JSON
 * text to something the hub can accept. Any thread.
 */
#ifndef HUB_EVENT_DRAFT_H
#define HUB_EVENT_DRAFT_H

#include "base/buf.h"
#include "hub/event.h"
#include "hub/event_validate.h"

struct event_draft {
    struct slice topic;       /* empty: where events of the type go by themselves (event_route.h) */
    const struct slice *more; /* further topics, as many as more_count says; only without `names` */
    unsigned more_count;
    struct slice type, source, id;
    struct slice key;  /* may be empty; a type of the catalogue has its own */
    struct slice data; /* JSON text, an object */
    struct buf *names; /* gets the topics' names, each followed by a NUL; NULL: topic is given */
    int64_t time_ms;
    bool ephemeral;
};

/* Makes the event, with as many places as it has topics. Returns 0 and one reference;
 * FAN_E_INVALID, FAN_E_PARSE, FAN_E_TOO_LARGE (data above max_data bytes) with check->message,
 * FAN_E_NO_MEMORY with it, too. check->warning as event_validate. */
int event_draft_make(const struct event_draft *draft, size_t max_data, struct event **event,
                     struct event_check *check);

#endif
