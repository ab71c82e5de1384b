/*
 * An event: something that happened. Immutable once the hub accepted it, shared by reference
 * between history, inboxes and all workers, freed at the last reference. One allocation each.
 */
#ifndef HUB_EVENT_H
#define HUB_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"

struct topic;
struct event_type;

/* Where an event stands in one of its topics. */
struct event_place {
    struct topic *topic; /* referenced by the event from acceptance on */
    uint64_t offset;     /* 0 for an ephemeral event */
    uint64_t epoch;
};

struct event {
    atomic_uint refs;
    uint16_t place_count;
    uint16_t held; /* histories that still hold it; under the hub's lock */
    bool ephemeral;
    bool nested;          /* flat envelopes must nest data: it uses an envelope's names */
    uint8_t type_index;   /* in the catalogue; EVENT_TYPE_CUSTOM for others */
    uint8_t audience;     /* 0: everybody; else one more than the only dialect that shows it */
    uint32_t size;        /* of the allocation, for accounting */
    uint64_t seq;         /* place in the node's order; for an ephemeral event the last one taken */
    int64_t time_ms;      /* when it happened, as its publisher says */
    uint64_t accepted_ms; /* monotonic; 0 before */
    const struct event_type *type_info; /* NULL for custom types */
    struct list by_age;                 /* in the hub's order of all kept events */
    struct slice type, source, id, key, data;
    struct event_place places[]; /* then the text of the slices */
};

#define EVENT_TYPE_CUSTOM 63

/* What is needed to make one. Slices are copied; source, id and key may be empty. */
struct event_spec {
    struct slice type, source, id, key, data;
    const struct event_type *type_info;
    uint8_t type_index, audience;
    bool ephemeral, nested;
    int64_t time_ms;
    unsigned place_count;
};

/* What a newer event of a `latest` topic must share to supersede this one: type and key, since a
 * component and a feature may well have the same id. They lie side by side, with a NUL between. */
static inline struct slice event_subject(const struct event *e)
{
    return slice_of(e->type.ptr, e->type.len + 1 + e->key.len);
}

/* One reference, places empty. NULL: no memory. */
struct event *event_try_new(const struct event_spec *spec);

static inline struct event *event_ref(struct event *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

/* Any thread. */
void event_unref(struct event *e);

/* Which of its places is in the topic of that name; 0 when none is. */
unsigned event_place_in(const struct event *e, struct slice topic);

#endif
