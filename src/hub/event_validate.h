/*
 * Checks at publishing: may this type be published there, and is the data what the catalogue
 * says? One pass over the members of data, no allocation unless data is replaced. Any thread.
 */
#ifndef HUB_EVENT_VALIDATE_H
#define HUB_EVENT_VALIDATE_H

#include "hub/catalogue.h"

struct event_check {
    int64_t time_ms;     /* in: when the event happens, for types that say so in their data */
    const char *field;   /* on failure: what was wrong, "progress"; static */
    char message[320];   /* on failure: a sentence, "progress must be a number from 0 to 100, got
                            \"x\"" */
    const char *warning; /* the field with a value outside its open choices, to be counted; NULL:
                            none; static */
    struct slice key;    /* latest-per-key: the key's bytes (within data), empty and not NULL when
                            the type alone is the key, ptr NULL when the type has none */
};

/*
 * Whether an event of this type name may be published to topics of these kinds (TOPIC_BIT), and
 * its row of the catalogue (*type, NULL for custom types). An empty name means that type was left
 * out, which only `channel:` topics allow; pass on the name `event` then. Returns 0, or
 * FAN_E_INVALID with check->field "type" and the message.
 */
int event_type_resolve(struct slice name, unsigned kinds, const struct event_type **type,
                       struct event_check *check);

/*
 * Checks data, the text of a JSON object that json_parse accepted, without white space around it.
 * type NULL (custom): everything passes. Where data has to be changed (a percentage computed,
 * content too long left out) the new data is written to the empty buffer replacement; if that
 * stays empty, data goes on as it is. Returns 0; FAN_E_INVALID with check->field and
 * check->message; FAN_E_NO_MEMORY. *check is overwritten, but for time_ms.
 */
int event_validate(const struct event_type *type, struct slice data, struct buf *replacement,
                   struct event_check *check);

/* The bit that stands for the topic in a set of channels with rows of their own
 * (catalogue_channel_at); 0 for other topics. */
uint32_t event_channel_bit(struct topic_name name);

/* The same as event_validate for an event without a row of its own, on all of these channels. */
int event_validate_channels(uint32_t channels, struct slice data, struct buf *replacement,
                            struct event_check *check);

/* Whether data (as above) of such an event has a member named type, session_id, timestamp or
 * offset, so that a flat envelope must nest it under `data`. type NULL: custom. */
bool event_needs_nesting(const struct event_type *type, struct slice data);

#endif
