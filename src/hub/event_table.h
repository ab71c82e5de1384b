/* The rows of the event catalogue, for catalogue.c alone; everybody else asks hub/catalogue.h. */
#ifndef HUB_EVENT_TABLE_H
#define HUB_EVENT_TABLE_H

#include "hub/catalogue.h"

extern const struct event_type event_table[];
extern const unsigned event_table_count;

/* More of them, behind those in the catalogue's order: the agent platform's. */
extern const struct event_type rooms_table[];
extern const unsigned rooms_table_count;

/* By channel instead of type; see catalogue_channel. */
extern const struct event_type channel_table[];
extern const unsigned channel_table_count;

/* Finish functions that rows refer to; see event_finish_fn. */
event_finish_fn event_finish_progress;  /* completed ≤ total; percent computed when left out */
event_finish_fn event_finish_timestamp; /* the event's time as `timestamp` when left out */
event_finish_fn event_finish_longest;   /* too long text left out, with `truncated: true` */

#endif
