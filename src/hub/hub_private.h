/* What hub.c, hub_publish.c, hub_join.c and hub_history.c share; nobody else includes this. */
#ifndef HUB_HUB_PRIVATE_H
#define HUB_HUB_PRIVATE_H

#include "hub/hub.h"

struct hub_worker {
    struct inbox inbox;
    void (*wake)(void *arg);
    void *wake_arg;
};

/* An event id that was published not long ago. The key is the topic's name, a NUL, the id. */
struct idempotency_entry {
    struct list by_age;
    uint64_t expires_ms;
    uint64_t offset, epoch;
    int64_t time_ms;
    uint32_t key_len;
    char key[];
};

/* Ids are kept for the promised time, but at most this many: 64 MiB or so. */
#define IDEMPOTENCY_MAX_ENTRIES 400000

struct hub {
    pthread_mutex_t lock;
    struct hub_config config;
    struct engine *engine;
    struct map topics;
    struct list by_kind[TOPIC_KINDS]; /* the topics again */
    struct list by_age;               /* all kept events, in node order */
    struct list idle;                 /* topics without subscribers, least recently used first */
    uint64_t seq;
    uint64_t placed_seq; /* of the first event that has its place and is not shown yet; 0: none */
    uint64_t epoch;
    uint64_t lost_seq[TOPIC_KINDS]; /* newest event of any topic that was dropped with its log */
    uint64_t lost_generation[TOPIC_KINDS]; /* how many such: enters the epoch of later topics */
    uint64_t state_bytes;
    size_t sweep_slot;   /* where the next sweep over the topics goes on */
    struct map patterns; /* what workers follow by the beginning of names */
    struct map ids;
    struct list ids_by_age;
    struct buf key; /* scratch for idempotency keys */
    struct hub_stats stats;
    struct hub_worker workers[HUB_MAX_WORKERS];
};

/* All of these with the lock held. */

/* The topic of that name, or NULL. */
struct topic *hub_find_topic(struct hub *h, struct slice name);

/* Finds or makes it. FAN_E_NO_MEMORY, FAN_E_LIMIT, FAN_E_INVALID (the name). */
int hub_need_topic(struct hub *h, struct slice name, struct topic **out);

/* Forgets it with its log, if it has one: its successor gets another epoch. */
void hub_drop_topic(struct hub *h, struct topic *t);

/* Called when a topic gains or loses its last reason to be awake. */
void hub_touch_topic(struct hub *h, struct topic *t);

/* Drops the topic's oldest event, from memory if it is stored. */
void hub_trim_oldest(struct hub *h, struct topic *t);

/* Drops the oldest event of the topic's log, wherever that is kept. */
void hub_drop_oldest(struct hub *h, struct topic *t);

/* What the engine was asked about a topic whose events are not all in memory, so that a question
 * that comes up under the lock can be answered without it. */
struct stored_hint {
    struct topic *topic; /* referenced while a question is open */
    bool by_seq;
    uint64_t asked;  /* an offset; by_seq: a position of the node's order */
    uint64_t answer; /* the event's seq; by_seq: offset of the first event behind the position */
    bool answered, failed;
};

/* The position right before the event with the offset, which is kept; or behind the last. False:
 * the engine must be asked first. Lock held. */
bool hub_position_before(const struct topic *t, uint64_t offset, struct stored_hint *hint,
                         uint64_t *position);

/* The offset of the first event behind the position, or a lower bound where it is trimmed. False:
 * as above. */
bool hub_offset_behind(const struct topic *t, uint64_t position, struct stored_hint *hint,
                       uint64_t *offset);

/* Asks the engine. Without the lock. */
void hub_ask(struct hub *h, struct stored_hint *hint);

/* Takes a worker's pending items. */
void hub_detach_inbox(struct hub *h, unsigned worker, struct inbox_batch *out);

/* Copies of the folded state's size into the accounting. */
void hub_account_state(struct hub *h, uint64_t before, uint64_t after);

/* hub_publish.c: the steps of accepting one event. Finding its topics, which are made if need be;
 * FAN_E_NO_MEMORY, FAN_E_LIMIT, FAN_E_INVALID. */
int hub_find_places(struct hub *h, struct publish_item *item);
void hub_begin_item(struct hub *h, struct publish_item *item);

/* Room in the topics' histories, behind what is placed there already. FAN_E_NO_MEMORY. */
int hub_reserve_places(struct event *e);

/* True when the id is known: the event's places are then those of the first one, and item->error
 * is set when it stands in other topics. */
bool hub_find_duplicate(struct hub *h, struct publish_item *item);

/* Gives the event, whose seq is set unless it is ephemeral, to everybody: history, folded state,
 * inboxes. Room must have been reserved. */
void hub_show(struct hub *h, struct event *e, uint64_t now_ms);

/* hub_state.c: takes the topic's next event into its folded state. */
void hub_fold(struct hub *h, struct topic *t, const struct event *e);

/* All steps behind hub_begin_item at once. */
void hub_accept_item(struct hub *h, struct publish_item *item, uint64_t now_ms);

/* hub_history.c: hub_topic_page for a topic that is known. */
int hub_page(struct hub *h, struct topic *t, uint64_t since, unsigned max, size_t max_bytes,
             struct event **events, struct topic_page *page);

/* hub_pattern.c */
void hub_patterns_init(struct hub *h);
void hub_patterns_fini(struct hub *h);
void hub_patterns_apply(struct hub *h, struct topic *t); /* sets the topic's pattern_workers */

/* hub_ids.c: event ids of the last ten minutes. */
struct idempotency_entry *hub_id_find(struct hub *h, struct slice topic, struct slice id);
void hub_id_remember(struct hub *h, const struct topic *t, const struct event *e, uint64_t offset);
void hub_id_restore(struct hub *h, const struct topic *t, const struct event *e, uint64_t offset,
                    uint64_t age_ms);
void hub_id_forget(struct hub *h, struct slice topic, struct slice id); /* if it is known */
void hub_ids_expire(struct hub *h, uint64_t now_ms);
void hub_ids_init(struct hub *h);
void hub_ids_fini(struct hub *h);

#endif
