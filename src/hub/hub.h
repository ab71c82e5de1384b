/*
 * The hub: all topics of a node, their order, and who must hear of them. No I/O; time and
 * randomness come from the configuration, so that tests decide them.
 *
 * One short lock guards topics, order and inboxes. A publish takes its number in the node's order
 * and fills the inboxes of the workers that have subscribers under it; a join takes its start
 * position and registers the worker under it. That is why resume, snapshot and live tail meet
 * without a gap or a double.
 */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/slice.h"
#include "hub/event.h"
#include "hub/inbox.h"
#include "hub/topic.h"
#include "hub/topic_name.h"

#define HUB_MAX_WORKERS      64 /* a bit each in topic.interested; as the option `workers` says */
#define HUB_MAX_EVENT_TOPICS 64
#define HUB_MAX_TOPICS       1000000

enum slow_policy { SLOW_CATCH_UP, SLOW_LATEST, SLOW_DISCONNECT };

struct topic_limits {
    bool durable;
    uint64_t count, age_ms, bytes; /* kept per topic; age and bytes 0: no limit */
    enum slow_policy slow;
    uint64_t idle_ms;
};

struct hub_config {
    struct topic_limits kinds[TOPIC_KINDS];
    uint64_t memory_limit;              /* bytes of kept events and states in all */
    const char *const *latest_channels; /* channels whose slow readers get the newest per key */
    size_t latest_channel_count;
    unsigned workers;
    uint64_t idempotency_ms;
    uint64_t (*monotonic_ms)(void);
    void (*random)(void *out, size_t n);
};

/* Counters and gauges, for /metrics; read under the lock by hub_stats. */
struct hub_stats {
    uint64_t published, ephemeral, duplicates, refused;
    uint64_t trimmed_count, trimmed_age, trimmed_bytes, trimmed_memory;
    uint64_t topics, topics_dropped, events_kept, bytes_kept, idempotency_entries;
    uint64_t inbox_overflows, unknown_status;
    uint64_t subscriptions, seq;
};

struct hub;

struct engine {
    const struct engine_ops *ops;
    struct hub *hub;
};

struct publish_batch;

#define PUBLISH_REASON_SIZE 128

/* Reading from the log of a topic that the engine keeps, below what memory has. */
struct stored_read {
    struct topic *topic;
    uint64_t from, end;    /* in: offsets [from, end); all of them are kept */
    uint64_t behind;       /* in: only events behind this position; they may begin above `from` */
    unsigned max;          /* in: so many events */
    size_t max_bytes;      /* in: stop behind about so many bytes of data */
    struct event **events; /* out: referenced, as many as `count` says, without a hole */
    unsigned count;
    /* Out: the next ones, up to this offset, are damaged; 0: they are not. */
    uint64_t damaged_to;
};

/* How an engine does; counters since its start. */
struct engine_status {
    char reason[PUBLISH_REASON_SIZE]; /* why durable events are refused; "": they are not */
    uint64_t commits, commit_us, events, runs, failures, reads, damaged, queued_bytes, log_bytes;
};

/* Something small that is kept by its name beside the events, for after a restart. What is kept
 * later by the same name takes its place. */
struct note {
    struct slice name, value; /* the owner's until it is done; a value without text: forget it */
    /* Called exactly once, on any thread: it is on the disk, or cannot be written now, which is
     * tried again with every commit. Must not block. */
    void (*done)(struct note *note);
    struct note *next; /* the engine's */
};

/* What orders, keeps and carries events. */
struct engine_ops {
    const char *name;
    bool durable;
    /* Any thread, must not block on the network. Takes the batch over and gives it back by calling
     * batch->done exactly once: before it returns (memory) or later from another thread. */
    void (*publish)(struct engine *engine, struct publish_batch *batch);
    /* For durable engines. On any thread without the hub's lock, and may read from the disk:
     * pieces are small. 0, FAN_E_NO_MEMORY, FAN_E_IO (it cannot be read now). find: the offset of
     * the topic's first event behind the position, in [from, end]. */
    int (*read)(struct engine *engine, struct stored_read *read);
    int (*load_state)(struct engine *engine, struct topic *topic, struct buf *snapshot,
                      uint64_t *offset); /* appends the last snapshot; none: nothing, 0 */
    int (*find)(struct engine *engine, struct topic *topic, uint64_t position, uint64_t from,
                uint64_t end, uint64_t *offset);
    void (*status)(struct engine *engine, struct engine_status *out); /* out is zero */
    /* Notes, which are written in the order of coming, and reading them. NULL: it keeps none. As
     * publish; as load_state. */
    void (*keep)(struct engine *engine, struct note *note);
    int (*each_note)(struct engine *engine, struct slice prefix,
                     void (*use)(void *arg, struct slice name, struct slice value), void *arg);
    /* Once, when nobody publishes any more: gives back all batches and ends its threads. NULL: it
     * has none. */
    void (*stop)(struct engine *engine);
    void (*free)(struct engine *engine);
};

/* One event on its way in. */
struct publish_item {
    struct event *event;        /* the item's own reference */
    const struct slice *topics; /* names, as many as the event has places; valid until done */
    bool duplicate;             /* answered with the first one's place */
    bool queued, placed;        /* how far it has come in a durable engine (hub/placing.h) */
    /* 0, FAN_E_NO_MEMORY, FAN_E_LIMIT, FAN_E_EXISTS (id on other topics), FAN_E_INVALID (a topic
     * twice), FAN_E_IO (it could not be stored), FAN_E_BUSY (too much waits to be stored). */
    int error;
};

/* Events that are handed over together. */
struct publish_batch {
    struct publish_item **items;
    unsigned count;
    /* Set by the engine where an item gets FAN_E_IO: what is wrong with the store, a phrase such as
     * "the disk is full". Else empty. */
    char reason[PUBLISH_REASON_SIZE];
    void (*done)(struct publish_batch *batch);
    void *arg;
    struct publish_batch *next; /* the engine's */
};

struct hub *hub_new(const struct hub_config *config);
void hub_free(struct hub *h);

/* The engine is owned by the hub from here on. */
void hub_set_engine(struct hub *h, struct engine *engine);
const char *hub_engine_name(const struct hub *h);

/* Any thread. */
void hub_engine_status(struct hub *h, struct engine_status *out);

/* Whether notes outlive the process. Any thread, as the next one, which is done at once where they
 * do not. */
bool hub_keeps_notes(const struct hub *h);
void hub_keep(struct hub *h, struct note *note);

/* Calls use() for each note whose name begins with the prefix. 0, FAN_E_IO, FAN_E_NO_MEMORY. */
int hub_each_note(struct hub *h, struct slice prefix,
                  void (*use)(void *arg, struct slice name, struct slice value), void *arg);

/* wake(arg) is called, from any thread and possibly with the lock held, when worker's inbox
 * becomes non-empty; it must only signal. */
void hub_set_wake(struct hub *h, unsigned worker, void (*wake)(void *arg), void *arg);

/* Ends what the engine does in the background: all batches are done afterwards. */
void hub_stop(struct hub *h);

/* Hands the batch to the engine; submission.h is for those who cannot wait for `done`. Any thread.
 */
void hub_publish(struct hub *h, struct publish_batch *batch);

/* For engines: gives the events their place, folds state, fills the inboxes. */
void hub_accept(struct hub *h, struct publish_batch *batch);

/* Once a second or so, from one thread: age, idle topics, forgotten ids. */
void hub_tick(struct hub *h);

void hub_stats(struct hub *h, struct hub_stats *out);
uint64_t hub_epoch(const struct hub *h);

/* ---- For workers: joining, reading, leaving ---- */

enum resume_reason {
    RESUME_OK,
    RESUME_TRIMMED,
    RESUME_EPOCH_CHANGED,
    RESUME_INVALID,
    RESUME_LIMIT
};
const char *resume_reason_name(enum resume_reason reason);

/* Where a subscriber wants to start. */
struct start_point {
    enum { START_NOW, START_OFFSET, START_CURSOR, START_BEGINNING } kind;
    uint64_t offset, epoch; /* START_OFFSET: a topic's; START_CURSOR: seq and the node's epoch */
};

/* What a join found out, all of one instant. */
struct join_result {
    struct topic *topic;    /* referenced */
    uint64_t offset, epoch; /* the topic's */
    uint64_t seq;           /* the node's order: live delivery begins behind it */
    uint64_t position;      /* where to begin reading; equals seq for START_NOW and failures */
    enum resume_reason reason;
    uint64_t missed_from, missed_to; /* offsets that history no longer has, for TRIMMED; 0,0: not
                                        known */
    uint64_t available_from;         /* first kept offset */
    struct inbox_batch inbox;        /* the worker's pending items, all at or below seq */
};

/* Subscribes worker to the topic, making it if need be. Returns 0, FAN_E_NO_MEMORY, FAN_E_LIMIT. */
int hub_join(struct hub *h, unsigned worker, unsigned dialect, struct slice name,
             const struct start_point *start, struct join_result *out);

/* The opposite: one subscriber less; last: the worker has no other one in this topic. Drops the
 * caller's reference. */
void hub_leave(struct hub *h, unsigned worker, unsigned dialect, struct topic *topic, bool last);

/* One more subscriber of the worker, from where it stands; the opposite is hub_leave. */
void hub_follow(struct hub *h, unsigned worker, unsigned dialect, struct topic *topic);

/* What a worker's joining a pattern found out, all of one instant. */
struct pattern_result {
    uint64_t seq;      /* the node's order: live delivery begins behind it */
    uint64_t position; /* where to begin reading; equals seq for START_NOW and failures */
    enum resume_reason reason;
    struct inbox_batch inbox; /* as in join_result */
};

/* From here on the worker's inbox gets the events of all topics whose names begin with the prefix
 * (topic_prefix_next), also of those that are made later. FAN_E_NO_MEMORY. */
int hub_pattern_join(struct hub *h, unsigned worker, struct slice prefix,
                     const struct start_point *start, struct pattern_result *out);
void hub_pattern_leave(struct hub *h, unsigned worker, struct slice prefix);

/* Topics, referenced; free with topic_array_fini. */
struct topic_array {
    struct topic **topics;
    unsigned count, cap;
};
void topic_array_fini(struct topic_array *array);

/* Adds the topics whose names begin with the prefix and that have had an event behind the position.
 * FAN_E_NO_MEMORY: not all of them. */
int hub_topics_since(struct hub *h, struct slice prefix, uint64_t position,
                     struct topic_array *out);

/* Finds a resume position for somebody who is already in the topic. */
void hub_locate(struct hub *h, struct topic *topic, const struct start_point *start,
                struct join_result *out);

#define HUB_READ_MAX 4096

/* A topic of a reader, and the first offset in it that the reader has not got. */
struct history_source {
    struct topic *topic;
    uint64_t next_offset;
};

/* Reading from history, merged over topics in node order. */
struct history_read {
    const struct history_source *sources; /* in: what is followed */
    unsigned source_count;
    uint64_t position;                  /* in: behind this; out: read up to here */
    uint64_t until;                     /* in: not beyond this position; UINT64_MAX: to the end */
    size_t max_bytes;                   /* in: stop behind about so many bytes of events */
    struct event *events[HUB_READ_MAX]; /* out: referenced */
    unsigned count;
    bool at_end;              /* out: nothing is left before `until`, or live may begin */
    struct inbox_batch inbox; /* out, when at_end and until is UINT64_MAX: see join_result */
    /* Out: history no longer has the events of sources[gap_index] from its next_offset to gap_to.
     * Nothing was read then; the next call, with a next_offset behind them, goes on. */
    bool gap;
    unsigned gap_index;
    uint64_t gap_to;
    bool failed; /* out: history cannot be read now; nothing was read */
};

/* worker: whose inbox is detached at the end. */
void hub_read(struct hub *h, unsigned worker, struct history_read *read);

/* What happens to slow readers of the topic. */
enum slow_policy hub_slow_policy(const struct hub *h, const struct topic *topic);

/* The offset of the topic's first event behind position: what comes next. Where history no longer
 * reaches back so far, it is that of the first event that is missing, or one before it. */
uint64_t hub_next_offset(struct hub *h, struct topic *topic, uint64_t position);

/* The topic's first kept offset. */
uint64_t hub_first_offset(struct hub *h, struct topic *topic);

/* Events that one read of the latest looks at: bounds how long it holds the lock. */
#define HUB_LATEST_MAX 16384

/* For slow readers of `latest` topics: of the events in (position, until] the newest of each type
 * and key, and all without a key, in order, up to about max_bytes of data; the number of superseded
 * events up to there and their range of offsets. It stops before an event that stands in several
 * topics, which counts in each of them. Events are referenced; the array is freed with memory_free.
 * FAN_E_NO_MEMORY; FAN_E_UNAVAILABLE: memory does not reach back so far, the log does. */
struct latest_read {
    struct event **events;
    unsigned count;
    uint64_t end; /* position up to which this is complete; until, unless a bound was reached */
    uint64_t superseded, from, to;
    uint64_t first_offset; /* kept at all */
    uint64_t next_offset;  /* of what comes behind `end` */
};
int hub_read_latest(struct hub *h, struct topic *topic, uint64_t position, uint64_t until,
                    size_t max_bytes, struct latest_read *out);

/* Detaches worker's inbox. False when it is empty. */
bool hub_drain(struct hub *h, unsigned worker, struct inbox_batch *out);
void inbox_release(struct inbox_batch *batch);

/* The session state as JSON, after exactly the events up to *offset; the worker's inbox is
 * detached in the same instant when batch is not NULL. FAN_E_NOT_FOUND: no such topic. */
int hub_state_json(struct hub *h, struct slice topic, unsigned worker, struct inbox_batch *batch,
                   uint64_t *offset, struct buf *out);

/* Whether the folded state knows this checkpoint. */
bool hub_has_checkpoint(struct hub *h, struct slice topic, struct slice checkpoint_id);

/* ---- Listings ---- */

struct topic_info {
    struct slice name;
    enum topic_kind kind;
    uint64_t offset, epoch, first_offset, bytes;
    uint32_t subscribers;
    const uint32_t *subscribers_of;
    double rate;
    const struct session_state *state; /* may be NULL */
};

/* Before a listing that shows states: brings those of sessions back into memory that a durable
 * engine keeps elsewhere, a thousand at a time. Any thread. */
void hub_warm_states(struct hub *h);

/* Calls each() under the lock, in no order, until it returns false. */
void hub_each_topic(struct hub *h, bool (*each)(void *arg, const struct topic_info *info),
                    void *arg);

/* One topic; FAN_E_NOT_FOUND. */
int hub_topic_info(struct hub *h, struct slice name,
                   void (*use)(void *arg, const struct topic_info *info), void *arg);

/* The offset behind which a reader at `position` in the node's order goes on. FAN_E_NOT_FOUND. */
int hub_topic_offset_at(struct hub *h, struct slice name, uint64_t position, uint64_t *since);

/* A topic's events with offsets above `since`, at most max and about max_bytes, referenced, into
 * events. FAN_E_NOT_FOUND. */
struct topic_page {
    unsigned count;
    uint64_t offset, epoch, first_offset;
};
int hub_topic_page(struct hub *h, struct slice name, uint64_t since, unsigned max, size_t max_bytes,
                   struct event **events, struct topic_page *page);

#endif
