/* What fanout.c, subscriber.c and catch_up.c share; nobody else includes this. */
#ifndef HUB_FANOUT_PRIVATE_H
#define HUB_FANOUT_PRIVATE_H

#include "hub/fanout.h"

/* What a subscriber that is behind needs to know about one of its topics. */
struct catch_up_topic {
    uint64_t next_offset;  /* first one it has not got */
    uint64_t got_until;    /* node order: it has got the topic's events up to here */
    uint64_t got_from;     /* and behind here, or behind where the subscription begins */
    bool whole;            /* gets all of it, also where its policy is `latest` */
    uint64_t latest_until; /* `latest`: what stands in this topic only is settled up to here */
    bool replayed;         /* was followed when the replay was asked for */
    uint64_t live_next;    /* during a replay: the next_offset of what comes behind it */
    uint64_t replay_end;   /* during a replay: the last offset that belongs to it; 0: none */
};

struct catch_up {
    struct list link; /* in fanout.reading or fanout.lagging, or in neither: waits to be drained */
    struct subscriber *owner;
    uint64_t position;  /* everything up to here has been read */
    uint64_t until;     /* a replay ends here; UINT64_MAX: reads up to the live events */
    uint64_t missed;    /* events sent so far */
    bool announce;      /* tell the sink when it has caught up */
    bool slow;          /* a slow reader: policies of its topics' kinds hold */
    bool in_groups;     /* still in the arrays of its groups (fanout.lagging) */
    uint32_t held;      /* subscriber_hold */
    bool live_announce; /* during a replay: what position, missed and announce were before it */
    uint64_t live_position, live_missed;
    uint64_t replay_from;
    uint64_t waiting_from, waiting_until; /* the replay to come behind this one; until 0: none */
    struct catch_up_topic topics[];
};

static inline bool catch_up_replays(const struct catch_up *c)
{
    return c->until != UINT64_MAX;
}

static inline struct subscription *subscriber_at(const struct subscriber *s, unsigned i)
{
    if (s->first.group)
        return i == 0 ? (struct subscription *)&s->first : s->more[i - 1];
    return s->more[i];
}

#define STAT_ADD(field, n) atomic_fetch_add_explicit(&(field), (n), memory_order_relaxed)

/* fanout.c */
struct group *group_get(struct fanout *f, struct topic *topic, const struct encoding *encoding);
void group_release(struct fanout *f, struct group *g); /* frees it when it has no members */
void group_flush(struct fanout *f, struct group *g);
/* Makes room for one more in the array, so that group_add cannot fail. FAN_E_NO_MEMORY. */
int group_reserve(struct group *g, bool picky);
void group_add(struct group *g, struct subscription *sub, bool picky);
void group_remove(struct subscription *sub);
/* Hands the frame of the group's topic to one who looks at each event; false: not for it. */
bool group_deliver_to(struct fanout *f, const struct group *g, struct subscriber *s,
                      const struct event *e, unsigned place, const struct frames *frames);

/* Appends the event's frame to the scratch buffer. */
void fanout_append(struct fanout *f, const struct encoding *encoding, const struct event *e,
                   unsigned place);

/* Appends the event as its own source sees it to the scratch buffer; false: it is not that one, or
 * sees nothing special. */
bool fanout_append_own(struct fanout *f, const struct subscriber *s,
                       const struct encoding *encoding, const struct event *e, unsigned place);
void fanout_take(struct fanout *f, struct inbox_batch *batch);

/* catch_up.c */

/* Makes the object for reading on from position; the subscriber still stands in its groups' arrays.
 * NULL: no memory. */
struct catch_up *catch_up_begin(struct subscriber *s, uint64_t position);
void catch_up_end(struct subscriber *s);

/* A topic was added as the last one: goes back to where it begins for its sake, and passes over
 * what the subscriber has got already. FAN_E_NO_MEMORY. */
int catch_up_add(struct subscriber *s, bool resumes);
void catch_up_resume_reading(struct subscriber *s);

/* Takes those that became slow out of their groups' arrays. */
void catch_up_leave_groups(struct fanout *f);

/* The topic's events in (from, until] it has got in another way. */
void catch_up_got(struct subscriber *s, struct slice topic, uint64_t from, uint64_t until);

/* Goes back for a topic that it follows already: now from an earlier position on. What lies behind
 * got_from it has got. FAN_E_NO_MEMORY. */
int catch_up_extend(struct subscriber *s, struct slice topic, uint64_t from, uint64_t got_from);

/* catch_up_replay.c: a replay has been read; the next one begins, or what it interrupted goes on.
 */
void catch_up_finish_replay(struct subscriber *s);

/* fanout_pattern.c */
void fanout_patterns_init(struct fanout *f);
void fanout_patterns_fini(struct fanout *f);

/* Finds out who follows the event's topic by a pattern (fanout.matched), and makes groups of the
 * topic for them. */
void fanout_match(struct fanout *f, struct topic *topic, const struct event *e);
bool fanout_is_matched(const struct fanout *f, const struct encoding *encoding);
void fanout_deliver_matched(struct fanout *f, const struct group *g, const struct event *e,
                            unsigned place, const struct frames *frames);
void fanout_lag_matched(struct fanout *f, const struct encoding *encoding, const struct event *e);
void fanout_lag_patterns(struct fanout *f, uint64_t first_dropped);

/* Borrows subscriptions to the topics of its patterns that have had events behind the position.
 * FAN_E_NO_MEMORY. */
int subscriber_borrow_since(struct subscriber *s, uint64_t position);

/* The same for one event's topic, of one who is catching up. */
void subscriber_borrow_for(struct subscriber *s, const struct encoding *encoding,
                           struct topic *topic, const struct event *e);
void subscriber_return_borrowed(struct subscriber *s);
void subscriber_leave_patterns(struct subscriber *s);

/* Position behind which it gets the topic's events by a pattern; UINT64_MAX: it does not. */
uint64_t subscriber_heard_from(const struct subscriber *s, struct slice topic);

/* subscriber.c */
struct subscription *subscriber_find(const struct subscriber *s, struct slice topic);
struct subscription *subscriber_add(struct subscriber *s, struct group *g); /* NULL: no memory */
void subscriber_remove(struct subscriber *s, unsigned index);

/* After something was left: stands in the right arrays, or has nothing more to catch up with. */
void subscriber_settle(struct subscriber *s);

/* Takes the subscriber out of its groups' arrays. */
void subscriber_unlink(struct subscriber *s);

/* Hands over the runs of its groups. */
void subscriber_flush(struct subscriber *s);

/* Puts the subscriber into its groups' arrays, or into the right ones. FAN_E_NO_MEMORY: nothing
 * has changed. */
int subscriber_link(struct subscriber *s);

#endif
