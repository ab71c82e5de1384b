/* The event itself as JSON, as event streams and the HTTP API show it. No I/O, any thread. */
#ifndef HUB_EVENT_JSON_H
#define HUB_EVENT_JSON_H

#include "base/buf.h"
#include "hub/event.h"

/* {"topic","type","time","offset","id","source","key","data"}: what is empty is left out. An event
 * that came without an id shows one made of its first topic's epoch and offset, the same in all of
 * its topics. An ephemeral event has "ephemeral":true and neither offset nor, if none was given,
 * id. place: which of its topics. */
void event_append_json(struct buf *out, const struct event *e, unsigned place);

#endif
