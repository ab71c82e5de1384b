/*
 * Intake: events that came together from one publisher are handed to the hub together, and
 * answered in their order. Worker's thread only.
 */
#ifndef API_INTAKE_H
#define API_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "api/publish_event.h"
#include "base/map.h"

#define INTAKE_MAX 128 /* events handed over at once */

enum ack_mode {
    ACK_EACH,  /* an answer for every event */
    ACK_BATCH, /* errors, and sums now and then */
    ACK_NONE,  /* errors only */
};

/* "each", "batch", "none". False: something else. */
bool ack_mode_parse(struct slice text, enum ack_mode *mode);

struct intake_ops {
    /* One line of answer, without its newline. */
    void (*answer)(void *arg, struct slice line);
};

struct intake_entry {
    struct publish_item item; /* event NULL: it was refused before it came to the hub */
    struct publish_failure *failure;
    size_t names_at;
    uint64_t line; /* number of the event among all of this publisher, from 1 */
    bool many;
    bool array_first, array_last; /* of a message that was an array */
};

struct intake {
    struct api *api;
    struct identity *who;
    enum ack_mode ack;
    bool lines;      /* errors carry their line */
    bool sum_topics; /* sums tell the last place in each topic */
    size_t max_data;
    const struct intake_ops *ops;
    void *arg;
    struct intake_entry *entries; /* INTAKE_MAX, while there are any */
    unsigned count;
    struct buf names;  /* topics of the entries */
    struct buf answer; /* an array that is being built */
    uint64_t line;
    /* Sums since the last intake_sum. */
    uint64_t published, failed;
    struct map topics; /* struct topic_sum */
    unsigned topics_left_out;
};

/* who: the publisher, borrowed; `who` may be set to another one later. */
void intake_init(struct intake *in, struct api *api, struct identity *who, enum ack_mode ack,
                 const struct intake_ops *ops, void *arg);
void intake_fini(struct intake *in);

/* One event's text. */
void intake_add(struct intake *in, struct slice text);

/* A text that may be an array of events. */
void intake_add_message(struct intake *in, struct slice text);

/* An event that could not even be read. */
void intake_add_failure(struct intake *in, const struct publish_failure *failure);

/* Publishes what has been added and answers. Returns the HTTP status of the last answer. */
int intake_flush(struct intake *in);

/* Appends {"published","failed","topics"} of everything since the last call. */
void intake_append_sum(struct intake *in, struct buf *out);

#endif
