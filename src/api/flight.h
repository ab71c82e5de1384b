/*
 * A flight: events on their way to the engine together, and what their publisher is to be answered.
 * One allocation, which the engine and the publisher share until the engine is done. Worker's
 * thread only, but for what the engine does with the submission.
 */
#ifndef API_FLIGHT_H
#define API_FLIGHT_H

#include "api/intake.h"
#include "hub/submission.h"
#include "net/worker.h"

struct intake_entry {
    struct publish_item item; /* event NULL: it does not come to the hub */
    struct publish_failure *failure;
    char *text; /* NULL; or a line of intake_add_line */
    size_t names_at;
    uint64_t line;   /* number of the event among all of this publisher, from 1 */
    int64_t time_ms; /* for an answer before the engine's */
    bool many;
    bool array_first, array_last; /* of a message that was an array */
};

struct flight {
    struct submission submission;
    struct worker_task task;
    struct worker *worker;
    struct api *api;
    struct intake *intake; /* NULL: settled, or the publisher is gone */
    struct flight *next;
    struct buf names; /* topics of the entries */
    struct slice *topics;
    size_t bytes;
    unsigned count, cap;
    bool late;                     /* the engine was not done at once: the task comes */
    bool back;                     /* it came */
    bool answered;                 /* before the engine was done */
    struct intake_entry entries[]; /* then an item's pointer and a topic for each */
};

/* An empty one of the intake, whose spare memory it takes. */
struct flight *flight_new(struct intake *in);

/* A place for one more entry, of INTAKE_MAX; the flight may move. */
struct intake_entry *flight_add(struct flight **flight);

/* Nothing is added any more: makes the batch of the entries' events. */
void flight_fill_batch(struct flight *f);

/* Nobody waits for its answers any more: frees it, or leaves that to its task. */
void flight_leave(struct flight *f);

/* Neither the engine nor a task has it. */
void flight_free(struct flight *f);

#endif
