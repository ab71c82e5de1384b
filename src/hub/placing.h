/*
 * For engines that write events down before anybody may see them: accepting in two steps.
 *
 * hub_accept_now, on the publisher's thread, takes what needs no writing. What it leaves goes, in
 * the order of the calls, to the one thread that places: hub_place decides offsets, node order and
 * duplicates without anybody seeing it; then the events are written; then hub_deliver shows them.
 * When writing fails, hub_unplace gives everything back, so that there is never a hole. Only
 * events of topics that are kept in memory are delivered whatever becomes of the writing.
 *
 * While events are placed, events that need no writing go on taking numbers of the node's order:
 * placed ones stand PLACE_AHEAD behind the last one taken. When that many have come, later ones
 * wait in the queue as well.
 */
#ifndef HUB_PLACING_H
#define HUB_PLACING_H

#include "hub/hub.h"

#define PLACE_AHEAD (UINT64_C(1) << 20)

/* True: every event of the batch was accepted or refused. False: the batch has to be placed, all of
 * it, in the order of these calls. Any thread. */
bool hub_accept_now(struct hub *h, struct publish_batch *batch);

/* Refuses all of a batch that hub_accept_now left and that was not placed. Any thread. */
void hub_refuse(struct hub *h, struct publish_batch *batch, int error);

/* Places the batches of a list (publish_batch.next). Returns the highest number of the node's order
 * that may be taken before the next call; those events that must be written say `placed`. One
 * thread only, and each call is followed by hub_deliver. */
uint64_t hub_place(struct hub *h, struct publish_batch *batches);

/* The events could not be written: they are refused with the error and the reason (static), and
 * their offsets and ids are free again. Before hub_deliver. */
void hub_unplace(struct hub *h, struct publish_batch *batches, int error, const char *reason);

/* Shows everybody what was placed. */
void hub_deliver(struct hub *h, struct publish_batch *batches);

/* Whether any of the event's topics is kept by the engine. */
bool hub_is_stored(const struct event *e);

/* Where the topic's log begins by its limits. */
uint64_t hub_log_floor(struct hub *h, const struct topic *t);

/* The engine has dropped a topic's events up to this offset, whose event has this number in the
 * node's order. What exceeds a topic's count is nobody's to be read before that. */
enum trim_reason { TRIM_AGE, TRIM_BYTES };
void hub_log_trimmed(struct hub *h, struct topic *t, uint64_t to, uint64_t seq,
                     enum trim_reason reason);

/* ---- Folded states, which need not be in memory; see hub_state.c. On any thread ---- */

/* Builds the topic's state if it is not in memory. FAN_E_NO_MEMORY, FAN_E_IO. */
int hub_warm(struct hub *h, struct topic *t);

/* Appends the state for storage, as of *offset. FAN_E_NOT_FOUND: it is not in memory. */
int hub_snapshot(struct hub *h, struct topic *t, struct buf *out, uint64_t *offset);

/* Stored topics that nobody has used for their kind's idle time, referenced. */
unsigned hub_idle_topics(struct hub *h, struct topic **out, unsigned max);

/* Takes such a topic's events and state out of memory; the state only if a snapshot of it as of
 * this offset is stored. False: it is in use again, or has another state. */
bool hub_cool(struct hub *h, struct topic *t, uint64_t offset);

/* Whether the log is empty and nobody has used the topic for its kind's idle time; and dropping it
 * then, once the engine has forgotten it: false, it is in use again. */
bool hub_is_forgettable(struct hub *h, const struct topic *t);
bool hub_forget(struct hub *h, struct topic *t);

/* ---- At the start, before anybody uses the hub ---- */

/* What a node is known by, and what it has lost. */
struct node_record {
    uint64_t epoch, seq;
    uint64_t lost_seq[TOPIC_KINDS], lost_generation[TOPIC_KINDS];
};
void hub_get_node(struct hub *h, struct node_record *out);
void hub_restore_node(struct hub *h, const struct node_record *node);

struct topic_record {
    struct slice name;
    uint64_t store_id, epoch, offset, first_offset, birth_seq, last_seq, trimmed_seq;
};

/* A topic as it was. FAN_E_NO_MEMORY, FAN_E_LIMIT, FAN_E_INVALID (the name). */
int hub_restore_topic(struct hub *h, const struct topic_record *record, struct topic **out);

/* The topic of that name, referenced; NULL: there is none. */
struct topic *hub_get_topic(struct hub *h, struct slice name);

/* An event of stored topics, newest last in the node's order and without a hole up to each topic's
 * end. Its places are complete; in[i]: whether it goes to the history of its i-th. The hub takes a
 * reference of its own. FAN_E_NO_MEMORY. */
int hub_restore_event(struct hub *h, struct event *e, uint64_t in);

/* An id that must be found when it is published again, for age_ms less than new ones. */
void hub_restore_id(struct hub *h, const struct topic *t, const struct event *e, uint64_t offset,
                    uint64_t age_ms);

#endif
