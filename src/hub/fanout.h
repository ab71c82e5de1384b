/*
 * A worker's fan-out: who of its connections follows which topic, and the frames they get.
 *
 * Subscribers of one topic in one encoding form a group. Events are taken from the inbox in node
 * order; each is encoded once per group, into the group's run: one contiguous buffer of frames
 * that is built during a loop turn and handed to all members at its end, by reference. Members
 * with a filter or with several topics get their share of the same buffer frame by frame.
 *
 * A subscriber that is behind (it resumes, or it read too slowly) leaves the groups and reads
 * history at its own pace, then comes back at exactly the place where live delivery stands.
 * Nothing is queued for it meanwhile: history is its queue.
 *
 * Who follows topics by a pattern (fanout_pattern.c) stands in the pattern's own group and gets the
 * frames of the topics' groups, which are made for the turn where nobody else follows the topic.
 * Only while it is behind it has subscriptions to the topics that it is to read.
 *
 * No I/O; everything belongs to one worker thread, the sink's callbacks included.
 */
#ifndef HUB_FANOUT_H
#define HUB_FANOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "hub/hub.h"

struct subscriber;
struct subscription;

/* How an event looks on a wire, frame included. Constant objects, which outlive their groups; a
 * group is made per encoding. */
struct encoding {
    const char *name;
    unsigned dialect; /* index below HUB_MAX_DIALECTS, for counting connections */
    /* Appends the frame; place says under which of its topics the event is shown. Failure shows
     * in out->failed. context: fanout.encode_context. */
    void (*append)(void *context, struct buf *out, const struct event *e, unsigned place);
    /* In place of append, for encodings that are made while the program runs and stand in something
     * larger: is given the encoding itself. NULL: append is called. */
    void (*append_as)(const struct encoding *self, void *context, struct buf *out,
                      const struct event *e, unsigned place);
    /* The same for the subscriber that is the event's source (subscriber_speak_as). Returns false,
     * and appends nothing, where it looks as for everybody. NULL: it always does. */
    bool (*append_own)(void *context, struct buf *out, const struct event *e, unsigned place);
};

/* Frames of one delivery: data[offset .. offset+length) of a shared buffer. */
struct frames {
    struct bytes *bytes;
    uint32_t offset, length;
    uint64_t first_seq; /* node order of the first event in it that history has, or might have */
    bool history; /* was read from history: once it is accepted it must not be dropped any more */
};

struct fanout_sink {
    /* Hands frames to every subscriber of the array, to be sent with others of this turn. The
     * callee calls fanout_lag for one that cannot take them. `solo` arrays are stable meanwhile. */
    void (*deliver)(void *arg, struct subscription *const *members, unsigned count,
                    const struct frames *frames);
    /* One subscriber's share. Returns false when its queue is full. */
    bool (*deliver_one)(void *arg, struct subscriber *s, const struct frames *frames);
    /* Whether history may be read on for it: nothing that was delivered waits to be sent. */
    bool (*ready)(void *arg, struct subscriber *s);
    /* It has read up to the live events (or to the end of a replay): `missed` events were sent. */
    void (*caught_up)(void *arg, struct subscriber *s, uint64_t missed);
    /* History lost events that it has not seen. to: last lost offset. */
    void (*gap)(void *arg, struct subscriber *s, struct topic *topic, uint64_t from, uint64_t to,
                const char *reason);
    /* Its queue is full and the topic's policy is `disconnect`. */
    void (*overflow_close)(void *arg, struct subscriber *s, uint64_t position);
    /* There is work for the next turn: do not sleep. */
    void (*wake)(void *arg);
};

/* Counters, written by the worker, read by anybody. */
#define FANOUT_COUNTERS(X)                                                 \
    X(encoded_bytes) /* of all frames built */                             \
    X(deliveries)    /* frames times connections */                        \
    X(dropped_bytes) /* queued for slow readers, then read from history */ \
    X(dropped_superseded)                                                  \
    X(dropped_ephemeral)                                                   \
    X(lagged)                                                              \
    X(gaps)                                                                \
    X(overflow_closed)                                                     \
    X(history_reads)

struct fanout_stats {
    atomic_uint_least64_t encoded[HUB_MAX_DIALECTS]; /* frames built, once per group and event */
#define X(name) atomic_uint_least64_t name;
    FANOUT_COUNTERS(X)
#undef X
};

/* Which event types a subscriber wants. */
struct event_filter {
    uint64_t mask; /* bit per catalogue index; EVENT_TYPE_CUSTOM: all custom types not listed */
    unsigned custom_count;
    char **custom; /* custom types wanted, or unwanted when `exclude` */
    bool exclude;
    bool listed_error; /* `error`, which always passes, was also asked for */
};
bool event_filter_wants(const struct event_filter *f, const struct event *e);
void event_filter_free(struct event_filter *f); /* NULL is allowed */

struct subscription {
    struct subscriber *owner;
    struct group *group;
    uint64_t from;  /* node order: events of the topic behind this belong to it */
    uint32_t index; /* in the group's array */
    bool picky;     /* in the array of those that need a look at each event */
    bool live;      /* in an array at all */
    bool borrowed;  /* only while it catches up, for a pattern */
};

struct pattern_subscription;
struct pattern_group;

struct catch_up;

struct subscriber {
    struct fanout *fanout;
    struct subscription first;  /* the only one, as long as there is one */
    struct subscription **more; /* all of them, `first` not used, once there were two */
    uint32_t count, more_cap;
    uint32_t borrowed; /* of them, for patterns */
    uint32_t pattern_count;
    struct pattern_subscription *patterns; /* a list; NULL: none */
    struct event_filter *filter;           /* owned; NULL: everything */
    char *source;              /* owned; events of this source are its own; NULL: none are */
    uint64_t last_serial;      /* fanout.serial of what it got last, so that it gets it once */
    struct catch_up *catch_up; /* NULL: live */
};

struct topic_local {
    struct topic *topic;
    struct group *groups;
};

struct group {
    struct topic_local *local;
    const struct encoding *encoding;
    struct group *next;
    struct subscription **solo, **picky;
    uint32_t solo_count, solo_cap, picky_count, picky_cap;
    uint32_t members;  /* with those that catch up */
    uint32_t run_size; /* what the last turns' runs needed */
    struct bytes *run; /* frames of this turn, NULL: none yet */
    uint64_t run_first_seq;
    struct list dirty; /* in fanout.dirty while there is a run */
    struct list all;   /* in fanout.groups */
};

struct fanout {
    struct hub *hub;
    unsigned worker;
    const struct fanout_sink *sink;
    void *arg;
    void *encode_context;            /* for the encodings; may be NULL */
    uint64_t seq;                    /* all events up to here were taken from the inbox */
    uint64_t serial;                 /* counts the events taken */
    struct buf scratch;              /* the frame that is being encoded */
    const struct subscriber *reader; /* whose history it belongs to; NULL: it is everybody's */
    bool reads_ahead;                /* it comes before others of the reader's topics */
    struct list groups;              /* all of them */
    struct list dirty;               /* groups with a run */
    struct list reading;             /* catch_up of subscribers that may read on */
    struct list lagging;            /* catch_up of those that still stand in their groups' arrays */
    struct history_source *sources; /* scratch for reads */
    uint32_t sources_cap;
    struct map patterns;            /* by prefix */
    struct pattern_group **matched; /* of the event that is being taken: who follows by pattern */
    uint32_t matched_count, matched_cap;
    struct fanout_stats stats;
};

void fanout_init(struct fanout *f, struct hub *hub, unsigned worker, const struct fanout_sink *sink,
                 void *arg);
/* All subscribers must have left. */
void fanout_fini(struct fanout *f);

/* Takes the inbox and builds runs. Returns whether anything was there. */
bool fanout_drain(struct fanout *f);

/* For encodings: the position from which whoever has got this event, and all before it, goes on. */
uint64_t fanout_position(const struct fanout *f, const struct event *e);

/* Hands all runs to their groups. Called at the end of a loop turn, before the flush. */
void fanout_deliver(struct fanout *f);

/* Reads history for those who catch up, one step each. Returns whether more is to be done right
 * away. Called once a turn, behind the flush. */
bool fanout_read_history(struct fanout *f);

/* ---- Subscribers ---- */

void subscriber_init(struct subscriber *s, struct fanout *f);

/* Leaves all topics. Safe on one that never joined, and twice. */
void subscriber_fini(struct subscriber *s);

/* Joins a topic, which it must not follow yet (but may hear by a pattern), from a start point. The
 * result says how resuming went; a subscriber that resumes gets what it missed first, then
 * sink->caught_up (also when nothing was missed), then live events. With START_NOW, or when
 * resuming failed, it is live at once. Release result->topic with topic_unref. Returns 0,
 * FAN_E_NO_MEMORY, FAN_E_LIMIT, FAN_E_INVALID. */
int subscriber_join(struct subscriber *s, struct slice topic, const struct encoding *encoding,
                    const struct start_point *start, struct join_result *result);

/* For a subscriber that takes another one's place and has just resumed the topic: what stands
 * between `since` (node order) and where it resumed was handed over before. So it does not come
 * again when another topic that has some of those events is joined. */
void subscriber_had(struct subscriber *s, struct slice topic, uint64_t since);

/* The position behind the last event of the topic that it was handed. */
uint64_t subscriber_reached(const struct subscriber *s, struct slice topic);

/* Stops following; FAN_E_NOT_FOUND. */
int subscriber_leave(struct subscriber *s, struct slice topic);

/* Follows all topics whose names begin with the prefix (topic_prefix_next), also those made later,
 * from START_NOW, START_CURSOR or START_BEGINNING. It gets an event once, however it follows. What
 * it missed comes first; where history of one of the topics does not reach back, sink->gap tells.
 * Releases nothing to the caller: out->inbox is used up. FAN_E_NO_MEMORY; FAN_E_EXISTS. */
int subscriber_join_pattern(struct subscriber *s, struct slice prefix,
                            const struct encoding *encoding, const struct start_point *start,
                            struct pattern_result *out);

/* FAN_E_NOT_FOUND. */
int subscriber_leave_pattern(struct subscriber *s, struct slice prefix);

/* Whether it follows the topic itself; whether it gets the topic's events, also by a pattern. */
bool subscriber_follows(const struct subscriber *s, struct slice topic);
bool subscriber_hears(const struct subscriber *s, struct slice topic);

/* Whether it follows this very pattern. */
bool subscriber_follows_pattern(const struct subscriber *s, struct slice prefix);

/* Calls use() for each topic and pattern (by its prefix) that it follows. */
void subscriber_each(const struct subscriber *s,
                     void (*use)(void *arg, struct slice name, bool pattern), void *arg);

/* How many topics and patterns it follows. */
static inline uint32_t subscriber_followed(const struct subscriber *s)
{
    return s->count - s->borrowed + s->pattern_count;
}

/* Replaces the filter (owned from here on; NULL: everything). */
void subscriber_filter(struct subscriber *s, struct event_filter *filter);

/* From here on, events with this `source` are the subscriber's own, and may look different to it.
 * FAN_E_NO_MEMORY. */
int subscriber_speak_as(struct subscriber *s, struct slice source);

/* Everything that was published before this call is handed to the sink before it returns, unless
 * the subscriber catches up. For answers that must come behind it. */
void subscriber_sync(struct subscriber *s);

/* The same for a batch that was detached together with a snapshot: what came later waits. */
void subscriber_sync_batch(struct subscriber *s, struct inbox_batch *batch);

/* Pauses live delivery, replays (from, until] of the node's order, calls sink->caught_up, and
 * goes on where it had been. While a replay runs, another one waits for its end; those that wait
 * are done as one, so each must end where the one before begins. FAN_E_NO_MEMORY. */
int subscriber_replay(struct subscriber *s, uint64_t from, uint64_t until);

/* Until it is released as often as it was held, nothing more is delivered to it: it goes on from
 * where it stands, so that nothing is missing. FAN_E_NO_MEMORY: it is not held. */
int subscriber_hold(struct subscriber *s);
void subscriber_release(struct subscriber *s);

/* The position behind the last event it was given, if it is live. */
uint64_t subscriber_position(const struct subscriber *s);

/* From the sink, during deliver or deliver_one: everything from the event first_dropped on did not
 * reach it, dropped_bytes of what had been queued included. */
void fanout_lag(struct subscriber *s, uint64_t first_dropped, uint64_t dropped_bytes);

/* From the connection: what was queued has been sent. */
void subscriber_drained(struct subscriber *s);

#endif
