/* The event itself as JSON, as event streams and the HTTP API show it. No I/O, any thread. */
#ifndef HUB_EVENT_JSON_H
#define HUB_EVENT_JSON_H

#include "base/buf.h"
#include "hub/event.h"

/* {"topic","type","time","offset","id","source","key","data"}: what is empty is left out, as is
 * the offset of an ephemeral event, which has "ephemeral":true. place: which of its topics. */
void event_append_json(struct buf *out, const struct event *e, unsigned place);

#endif
