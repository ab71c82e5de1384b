/* How the typed broadcast functions write an event; for src/hub/broadcast*.c alone. */
#ifndef HUB_BROADCAST_PRIVATE_H
#define HUB_BROADCAST_PRIVATE_H

#include "codec/json_writer.h"
#include "fanfare/broadcast.h"

/* An event's data that is being written. */
struct draft {
    struct buf data;
    int error; /* the first one */
};

struct draft draft_begin(void);

/* NULL texts are left out, so that the catalogue says whether they may be. */
void draft_put_bytes(struct draft *draft, const char *name, const char *text, size_t size);
void draft_put_text(struct draft *draft, const char *name, const char *text);

/* A document of the caller's: it must be whole JSON, or it could close the object around it. NULL:
 * an empty object. */
void draft_put_json(struct draft *draft, const char *name, const char *json);

/* The same, and NULL is left out. */
void draft_put_json_if(struct draft *draft, const char *name, const char *json);

/* Left out when negative. */
void draft_put_count(struct draft *draft, const char *name, long long count);
void draft_put_flag(struct draft *draft, const char *name, int flag);

/* Ends the draft: checks it, publishes it, frees it. */
int draft_broadcast(struct draft *draft, const struct fan_publisher *publisher,
                    const char *session_id, const char *type);

/* The same for one of the channels that are there from the start. */
int draft_broadcast_channel(struct draft *draft, const struct fan_publisher *publisher,
                            const char *channel);

/* The same for a type that finds its topics by itself; none is named. */
int draft_broadcast_routed(struct draft *draft, const struct fan_publisher *publisher,
                           const char *type);

/* Notes why the call fails. Returns FAN_E_INVALID. */
int broadcast_invalid(const char *field, const char *message);

#endif
