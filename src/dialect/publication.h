/*
 * What clients publish through their dialect. The checks are those of every publisher; what comes
 * of it reaches everybody through the hub, the client itself included. Worker's thread only.
 */
#ifndef DIALECT_PUBLICATION_H
#define DIALECT_PUBLICATION_H

#include "dialect/client.h"
#include "hub/event_validate.h"

#define PUBLICATION_MAX 4 /* events of one publication */

struct publication {
    struct slice type, data; /* data: JSON text, an object */
};

/* Publishes the events together, in this order, to the topic, with the client as their source
 * (subscriber_speak_as). Returns 0; FAN_E_INVALID and so on as event_draft_make, with *check, and
 * then nothing is published; FAN_E_DENIED when it may not publish there, FAN_E_LIMIT and
 * FAN_E_NO_MEMORY with check->message. An engine that answers later is believed. */
int publication_send(struct client *c, struct slice topic, const struct publication *events,
                     unsigned count, struct event_check *check);

/* Tells those who follow the topic in the client's own dialect something about it: not kept, not
 * numbered, shown to nobody else. type may be a control message's. */
void publication_tell(struct client *c, struct slice topic, struct slice type, struct slice data);

#endif
