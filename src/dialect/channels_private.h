/* What the files of the dialect `channels` share; nobody else includes this. */
#ifndef DIALECT_CHANNELS_PRIVATE_H
#define DIALECT_CHANNELS_PRIVATE_H

#include "dialect/websocket_client.h"

/* The event in the dialect's envelope. */
void channels_append_event(struct buf *out, const struct event *e, unsigned place);

/* An answer: begin, put the members of its data, send. id: as channels_id gave it. */
struct buf *channels_begin(struct client *c, struct slice id);
void channels_send(struct client *c, struct buf *out);
void channels_error(struct client *c, struct slice id, const char *text);

/* Whether the client may read the channel, or all that a pattern stands for; false: it was answered
 * with an error. */
bool channels_may_read(struct client *c, struct slice id, struct slice channel);

/* The message's id as JSON; empty when it has none. */
struct slice channels_id(struct json_value message);

/* {"type":"gap",…}: events from..to of the channel or pattern are gone; 0: unknown. */
void channels_send_gap(struct client *c, struct slice channel, uint64_t from, uint64_t to,
                       const char *reason);

/* How this client's events are encoded. */
const struct encoding *channels_encoding(const struct client *c);

/* channels_subscribe.c */
void channels_on_subscribe(struct client *c, struct json_value message);
void channels_on_unsubscribe(struct client *c, struct json_value message);

/* channels_request.c */
void channels_on_request(struct client *c, struct json_value message);

/* The client goes; what it waits for must not find it any more. */
void channels_forget_requests(struct client *c);

#endif
