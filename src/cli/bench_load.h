/*
 * The load of a benchmark: many readers and one publisher on one thread and one epoll.
 *
 * Message n (from 0) goes to topic n % topics, and reader i follows topic i % topics, so each
 * reader knows which message has to be next: whatever is lost, doubled, out of order or in the
 * wrong place ends the run. Every delivery is counted when a reader has it.
 */
#ifndef CLI_BENCH_LOAD_H
#define CLI_BENCH_LOAD_H

#include "cli/histogram.h"
#include "cli/remote.h"

struct bench_load;

/* Takes the address of the server, which must speak plain HTTP, and a name that no other run has.
 * size: bytes of an event's data. FAN_E_… with the reason in `why`. */
int bench_load_new(struct bench_load **load, const struct remote *remote, unsigned size,
                   struct buf *why);
void bench_load_free(struct bench_load *l);

struct bench_outcome {
    uint64_t messages, deliveries;
    double seconds;            /* from the first message until everything was delivered */
    double cpu_seconds;        /* of this program */
    struct histogram *latency; /* ns from when a message was due; NULL: not wanted */
};

/* Opens readers of topics 0 to topics-1, 256 at a time, and waits for every greeting. */
int bench_load_open(struct bench_load *l, unsigned readers, unsigned topics, struct buf *why);

/* The same, with the time that it took in `out`. */
int bench_load_connect_timed(struct bench_load *l, unsigned readers, unsigned topics,
                             struct bench_outcome *out, struct buf *why);

/* What to publish: as many messages as given, else for as long as given. */
struct bench_plan {
    unsigned window;      /* closed loop: messages published and not delivered to everybody yet */
    double rate;          /* open loop, messages per second; 0: closed loop */
    uint64_t messages;    /* 0: duration counts */
    uint64_t duration_ns; /* of publishing */
};

/* Publishes to the readers until the plan is fulfilled and everything is delivered. */
int bench_load_run(struct bench_load *l, const struct bench_plan *plan, struct bench_outcome *out,
                   struct buf *why);

/* Publishes without readers, plan->window messages unacknowledged at most; `messages` are those
 * that the server acknowledged. */
int bench_load_publish(struct bench_load *l, const struct bench_plan *plan,
                       struct bench_outcome *out, struct buf *why);

#endif
