/*
 * A topic: a named, ordered log and its folded state. Everything in it is guarded by the hub's
 * lock, except `locals` (each worker touches its own entry only) and the reference count.
 */
#ifndef HUB_TOPIC_H
#define HUB_TOPIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"
#include "hub/event.h"
#include "hub/topic_name.h"

/* Dialects are counted per topic (session lists tell how many connections of which dialect). */
#define HUB_MAX_DIALECTS 8

struct session_state;
struct topic_local;

/* A growing ring of the kept events, oldest first. Offsets in it have no gaps. */
struct topic_history {
    struct event **ring;
    uint32_t head, count, mask; /* mask + 1 slots; 0 while ring is NULL */
};

/* Where trimmed events stood: enough to tell, for a position in the node's order, which offset came
 * next. When it is full, every second entry of its older half goes, so that it is exact for what
 * was trimmed lately, which is what slow readers ask for, and a lower bound elsewhere. */
#define TRIM_LOG_MAX 512
#define TRIM_LOG_MIN 16

struct trim_log {
    uint32_t count, cap;
    struct {
        uint64_t seq, offset;
    } entries[];
};

struct topic {
    atomic_uint refs;
    enum topic_kind kind;
    uint64_t epoch;
    uint64_t offset;      /* of the newest event; 0: none yet */
    uint64_t birth_seq;   /* node order when it was made */
    uint64_t last_seq;    /* of its newest event */
    uint64_t trimmed_seq; /* of the newest event that history dropped; 0: none */
    uint64_t trimmed_to;  /* its offset */
    uint64_t bytes;       /* of kept events */
    struct topic_history history;
    struct trim_log *trim_log;   /* NULL: nothing was trimmed yet */
    struct session_state *state; /* NULL: no fold, or nothing folded yet */
    bool state_cold;             /* stored: it is to be built first (hub_state.c) */
    bool stored;                 /* the engine keeps its log; `history` is only the end of it */
    uint64_t floor;              /* stored: the first offset that is kept */
    uint64_t ring_seq;           /* stored: behind this position `history` has everything */
    _Atomic uint64_t store_id;   /* the engine's; 0: it has none yet */
    uint32_t pending;            /* events that the engine has and that are not delivered yet */
    uint32_t placed;             /* how many of them have their place */
    uint64_t used_ms;            /* monotonic: last publish or leave */
    uint64_t interested;         /* bit per worker that has subscribers */
    uint64_t pattern_workers;    /* bit per worker that has a pattern which it matches */
    uint32_t subscribers;
    uint32_t subscribers_of[HUB_MAX_DIALECTS];
    uint64_t rate_second; /* monotonic second that rate_count counts in */
    uint32_t rate_count;
    float rate; /* events per second, smoothed */
    struct list idle_link;
    struct list kind_link;       /* in the hub's list of its kind */
    struct topic_local **locals; /* one per worker */
    uint32_t name_len;
    char name[];
};

/* Any thread. Memory only: what the topic holds was released when the hub dropped it. */
struct topic *topic_ref(struct topic *t);
void topic_unref(struct topic *t); /* NULL is allowed */

static inline struct slice topic_name_slice(const struct topic *t)
{
    return slice_of(t->name, t->name_len);
}

/* One reference; NULL: no memory. workers: entries of locals. */
struct topic *topic_try_new(struct slice name, enum topic_kind kind, unsigned workers);

/* Makes room for so many more; it stays until they are appended, as long as nothing is shifted out
 * of an empty history. FAN_E_NO_MEMORY changes nothing. */
int topic_history_reserve(struct topic_history *h, uint32_t more);

/* The reference goes to the history; room must have been reserved. */
void topic_history_append(struct topic_history *h, struct event *e);

/* The event at index i from the oldest, 0 to count-1. */
static inline struct event *topic_history_at(const struct topic_history *h, uint32_t i)
{
    return h->ring[(h->head + i) & h->mask];
}

/* Removes the oldest and hands over its reference; NULL when empty. */
struct event *topic_history_shift(struct topic_history *h);

/* Gives back the memory of an empty history. */
void topic_history_release(struct topic_history *h);

/* Index of the first kept event whose number in the node's order is above seq; count if none. */
uint32_t topic_history_after(const struct topic_history *h, uint64_t seq);

/* The offset of the oldest event in memory; the next offset when there is none. */
static inline uint64_t topic_ring_first(const struct topic *t)
{
    return t->offset + 1 - t->history.count;
}

/* The offset of the oldest kept event; the next offset when none is kept. */
static inline uint64_t topic_first_offset(const struct topic *t)
{
    return t->stored ? t->floor : topic_ring_first(t);
}

/* Whether memory has all that is kept behind the position. */
static inline bool topic_ring_reaches(const struct topic *t, uint64_t position)
{
    return !t->stored || position >= t->ring_seq;
}

/* Notes where an event stood that memory drops. Of a stored topic it may still be in the log: what
 * is asked for is only what the log has not. Older than what is noted already: passed over. */
void topic_note_trimmed(struct topic *t, uint64_t seq, uint64_t offset);

/* The first offset behind a position of the node's order that history no longer reaches: exact, or
 * a lower bound. */
uint64_t topic_trimmed_after(const struct topic *t, uint64_t seq);

/* Counts one event in the topic's rate; reading decays it. now_ms is monotonic. */
void topic_rate_count(struct topic *t, uint64_t now_ms);
double topic_rate(struct topic *t, uint64_t now_ms);

#endif
