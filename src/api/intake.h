/*
 * Intake: events that came together from one publisher are handed to the hub together, and
 * answered in their order. Worker's thread only.
 *
 * An engine may take its time. Then the publisher goes on and what it sends is handed over behind
 * that; the answers follow when the engine has decided, in the publisher's order, whatever the
 * order in which the engine is done. While too much is under way the connection is not read from.
 */
#ifndef API_INTAKE_H
#define API_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "api/publish_event.h"
#include "base/map.h"
#include "net/conn.h"

#define INTAKE_MAX 128 /* events handed over at once */

/* Of one publisher, until the engine is done with some of them. */
#define INTAKE_UNDER_WAY_EVENTS  4096
#define INTAKE_UNDER_WAY_BYTES   (4u << 20)
#define INTAKE_UNDER_WAY_BATCHES 64

enum ack_mode {
    ACK_EACH,  /* an answer for every event */
    ACK_BATCH, /* errors, and sums now and then */
    ACK_NONE,  /* errors only */
};

/* "each", "batch", "none". False: something else. */
bool ack_mode_parse(struct slice text, enum ack_mode *mode);

struct flight;

struct intake_ops {
    /* One line of answer, without its newline. */
    void (*answer)(void *arg, struct slice line);
    /* Events that a flush had left under way have been answered; intake_is_idle says whether others
     * are left. The intake may be freed. */
    void (*settled)(void *arg);
};

struct intake {
    struct api *api;
    struct conn *conn; /* the publisher's */
    struct identity *who;
    enum ack_mode ack;
    bool lines;      /* errors carry their line */
    bool sum_topics; /* sums tell the last place in each topic */
    bool early;      /* answers do not wait for the store */
    int status;      /* HTTP's, of the last answer */
    size_t max_data;
    const struct intake_ops *ops;
    void *arg;
    struct flight *open;          /* what has been added; NULL: nothing */
    struct flight *first, **last; /* handed over and not settled, in order */
    struct {
        unsigned batches, events;
        size_t bytes;
    } under_way;
    struct buf names;  /* spare memory for topics' names */
    struct buf answer; /* an array that is being built */
    uint64_t line;     /* events so far */
    /* Sums since the last intake_sum. */
    uint64_t published, failed;
    struct map topics; /* struct topic_sum */
    unsigned topics_left_out;
};

/* who: the publisher, borrowed; `who` may be set to another one later. */
void intake_init(struct intake *in, struct api *api, struct conn *conn, struct identity *who,
                 enum ack_mode ack, const struct intake_ops *ops, void *arg);

/* What is under way is published all the same; nobody hears of it. */
void intake_fini(struct intake *in);

/* The object was copied to where it is now, and belongs to arg. */
void intake_moved(struct intake *in, void *arg);

/* One event's text. */
void intake_add(struct intake *in, struct slice text);

/* A text that may be an array of events. */
void intake_add_message(struct intake *in, struct slice text);

/* An event that could not even be read. */
void intake_add_failure(struct intake *in, const struct publish_failure *failure);

/* A line that is no event's answer, to be given when everything before it has been answered. */
void intake_add_line(struct intake *in, struct slice line);

/* Publishes what has been added, and answers. False: some is under way; ops->settled follows. */
bool intake_flush(struct intake *in);

/* Whether everything that was handed over has been answered. */
static inline bool intake_is_idle(const struct intake *in)
{
    return !in->first || in->early;
}

/* Appends {"published","failed","topics"} of everything answered since the last call. */
void intake_append_sum(struct intake *in, struct buf *out);

#endif
