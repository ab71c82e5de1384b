/*
 * One look at a server: what /health, /metrics and /api/v1/topics say, and what has changed between
 * two looks. No I/O, not thread-safe.
 */
#ifndef CLI_TOP_SAMPLE_H
#define CLI_TOP_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct top_topic {
    struct slice name;
    struct slice json; /* all of it, as the server says it */
    uint64_t subscribers, offset;
    double rate; /* events per second, as the server measures it */
};

/* What /metrics counts; a figure that an older server does not tell stays 0. */
struct top_figures {
    double connections, subscriptions, topics;
    double published, ephemeral, deliveries, received_bytes, output_bytes, slow_readers, gaps,
        refused;
    double history_events, history_bytes, resident_bytes, cpu_seconds;
};

struct top_sample {
    int64_t wall_ms; /* when it was taken */
    uint64_t at_ms;  /* the same on the clock that never goes back */

    struct buf topics_text, health_text; /* as they came; what follows points into them */
    struct slice version, engine, flush, status;
    uint64_t uptime_s, workers, connections;

    struct top_topic *topics;
    size_t topic_count;

    bool has_figures; /* the server may keep /metrics to its own machine */
    struct top_figures figures;
};

/* An empty sample owns nothing; {0} is one. */
void top_sample_fini(struct top_sample *s);

/* Read what the server answered; the first two keep the text, which they empty the buffer of. 0 or
 * FAN_E_PARSE when it is not what a Fanfare server says. */
int top_read_health(struct top_sample *s, struct buf *text);
int top_read_topics(struct top_sample *s, struct buf *text);
void top_read_metrics(struct top_sample *s, struct slice text);

/* Per second, between two samples. */
struct top_rates {
    bool known; /* else there was no earlier sample of the same server's life */
    double events, deliveries, received_bytes, output_bytes;
    double cpu; /* processor seconds per second */
};

/* `before` may be NULL. */
struct top_rates top_rates_between(const struct top_sample *before, const struct top_sample *now);

/* Appends the sample, with these of its topics, as one JSON object on one line. */
void top_append_json(struct buf *out, const struct top_sample *s, const struct top_rates *rates,
                     const char *url, const struct top_topic *const *topics, size_t topic_count);

#endif
