/* What fanout.c, subscriber.c and catch_up.c share; nobody else includes this. */
#ifndef HUB_FANOUT_PRIVATE_H
#define HUB_FANOUT_PRIVATE_H

#include "hub/fanout.h"

/* What a subscriber that is behind needs to know about one of its topics. */
struct catch_up_topic {
    uint64_t next_offset; /* first one it has not got */
    uint64_t skip_until;  /* node order: events up to here were handled as `latest` */
};

struct catch_up {
    struct list link; /* in fanout.reading or fanout.lagging, or in neither: waits to be drained */
    struct subscriber *owner;
    uint64_t position;        /* has everything up to here */
    uint64_t until;           /* replay ends here; UINT64_MAX: go live at the end */
    uint64_t resume_position; /* after a replay: where live delivery was left */
    uint64_t missed;          /* events sent so far */
    uint64_t gap_seq;
    unsigned gap_index;
    bool announce;  /* tell the sink when it has caught up */
    bool slow;      /* a slow reader: policies of its topics' kinds hold */
    bool in_groups; /* still in the arrays of its groups (fanout.lagging) */
    struct catch_up_topic topics[];
};

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
int group_add(struct group *g, struct subscription *sub, bool picky);
void group_remove(struct subscription *sub);
void fanout_take(struct fanout *f, struct inbox_batch *batch);

/* catch_up.c */

/* Begins to read on from position; the subscriber is taken out of its groups' arrays, at once or
 * (during a delivery) after it. NULL: no memory. */
struct catch_up *catch_up_begin(struct subscriber *s, uint64_t position);
void catch_up_end(struct subscriber *s);

/* A topic was added as the last one: reads on from `position` for it and skips, in the others, what
 * they had. skip_until: of the new topic, when it does not resume. FAN_E_NO_MEMORY. */
int catch_up_add(struct subscriber *s, uint64_t position, uint64_t skip_until, bool resumes);
void catch_up_resume_reading(struct subscriber *s);

/* Takes those that became slow out of their groups' arrays. */
void catch_up_leave_groups(struct fanout *f);

/* subscriber.c: takes the subscriber out of its groups' arrays. */
void subscriber_unlink(struct subscriber *s);

/* Puts the subscriber into its groups' arrays again. FAN_E_NO_MEMORY. */
int subscriber_link(struct subscriber *s);

#endif
