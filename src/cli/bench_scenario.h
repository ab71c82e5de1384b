/* What a benchmark does, and what comes of it. */
#ifndef CLI_BENCH_SCENARIO_H
#define CLI_BENCH_SCENARIO_H

#include <stdbool.h>

#include "cli/bench_server.h"

struct bench_options {
    bool quick;
    unsigned connections; /* 0: each scenario's own */
    uint64_t messages;    /* 0: for a time */
    unsigned size;        /* bytes of an event's data */
};

/* One row of the report. A figure that is below 0 was not measured. */
struct bench_result {
    const char *name;
    char title[96];
    const char *unit; /* what cpu_us is for: "delivery" */
    double cpu_us;    /* the server's processor time for one, microseconds */
    double per_second;
    double p50_ms, p99_ms;
    double bytes_each;               /* memory for a connection */
    double server_share, load_share; /* of one core's time */
    uint64_t messages, deliveries;
};

struct bench_scenario {
    const char *name, *purpose;
    unsigned readers, quick_readers; /* 0: a publisher alone */
    unsigned readers_each;           /* of a topic; 0: one topic */
    unsigned window;                 /* messages in flight; 0: none is published, or at a rate */
    double rate;                     /* messages per second; 0: as fast as the window allows */
};

/* The table; NULL name at its end. */
extern const struct bench_scenario bench_scenarios[];

/* How many connections it opens. */
unsigned bench_scenario_connections(const struct bench_scenario *s,
                                    const struct bench_options *options);

/* Runs it against a server. FAN_E_… with the reason in `why`. */
int bench_scenario_run(const struct bench_scenario *s, const struct bench_options *options,
                       const struct bench_server *server, struct bench_result *result,
                       struct buf *why);

#endif
