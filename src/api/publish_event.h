/*
 * One event on its way in, from JSON text to something the hub can accept: shared by all ways of
 * publishing.
 */
#ifndef API_PUBLISH_EVENT_H
#define API_PUBLISH_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "hub/hub.h"

/* When to try again after a 503, seconds: nobody knows better. */
#define PUBLISH_RETRY_AFTER_S 1

/* Why an event was refused. */
struct publish_failure {
    int status;       /* 400, 401, 403, 413, 422, 503 */
    const char *code; /* "invalid_json", "invalid_event"… */
    char field[64];   /* "" when it is about the whole */
    char message[400];
};

struct parsed_event {
    struct event *event; /* the caller's reference */
    bool many;           /* it did not come with one topic: answered with "results" */
    size_t names_at;     /* the topics' names in `names`, each followed by a NUL */
    const char *warning; /* a field with an unusual value, to be counted; NULL: none */
};

/* text: one JSON object. names: the topics' names are appended. Returns 0, or a negative error
 * with *failure filled. max_data: largest data. */
int publish_event_parse(struct slice text, size_t max_data, struct buf *names,
                        struct parsed_event *out, struct publish_failure *failure);

/* Fills *failure for what the hub said of an item, and the batch's reason with it. */
void publish_event_refused(int error, const char *reason, struct publish_failure *failure);

/* {"error":{"code","message","field"}} without the last brace, so that more can be added. */
void publish_failure_append(struct buf *out, const struct publish_failure *failure);

/* {"topic","offset","epoch","time"}, or {"results":[…]} for one that did not come with one topic.
 */
void publish_result_append(struct buf *out, const struct publish_item *item, bool many);

/* The same before the event has its places: {"topic","time","durability":"memory"}. */
void publish_promise_append(struct buf *out, const struct slice *topics, unsigned count,
                            int64_t time_ms, bool many);

#endif
