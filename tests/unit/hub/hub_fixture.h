/* A hub with clocks and random numbers that the test decides, and ways to publish to it. */
#ifndef HUB_FIXTURE_H
#define HUB_FIXTURE_H

#include "../test.h"

#include <stdio.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/event_validate.h"
#include "hub/hub.h"

static int64_t wall = 1767268800123;
static uint64_t monotonic = 50000000;
static uint64_t random_state = 1;

static inline uint64_t read_monotonic(void)
{
    return monotonic;
}

static inline void pass_time(uint64_t ms)
{
    wall += (int64_t)ms;
    monotonic += ms;
}

static inline void fake_random(void *out, size_t n)
{
    unsigned char *to = out;
    for (size_t i = 0; i < n; i++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        to[i] = (unsigned char)(random_state >> 56);
    }
}

static const char *const latest_channels[] = {"search"};

/* Nothing is trimmed before the test asks for it. */
static inline struct hub_config roomy(unsigned workers)
{
    struct hub_config config = {
        .memory_limit = 1u << 30,
        .latest_channels = latest_channels,
        .latest_channel_count = 1,
        .workers = workers,
        .idempotency_ms = 600000,
        .monotonic_ms = read_monotonic,
        .random = fake_random,
    };
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        config.kinds[kind] = (struct topic_limits){
            .durable = kind != TOPIC_CHANNEL, .count = 100000, .idle_ms = 600000};
    return config;
}

struct draft {
    const char *topics[HUB_MAX_EVENT_TOPICS + 1]; /* ends with NULL */
    const char *type;                             /* NULL: "made_up", a custom one */
    const char *id, *key, *data;
    bool ephemeral;
    int64_t time_ms; /* 0: now */
};

/* What became of a draft. The event belongs to the caller. */
struct outcome {
    struct event *event;
    int error;
    bool duplicate;
    uint64_t offset, epoch, seq; /* of its first topic */
};

static inline void ignore_done(struct publish_batch *batch)
{
    (void)batch;
}

static inline struct event *make_event(const struct draft *d, unsigned places)
{
    const char *type = d->type ? d->type : "made_up";
    const struct event_type *info = catalogue_find(slice_from(type));
    const struct event_spec spec = {
        .type = slice_from(type),
        .id = slice_from(d->id),
        .key = slice_from(d->key),
        .data = d->data ? slice_from(d->data) : SLICE("{}"),
        .type_info = info,
        .type_index = info ? (uint8_t)catalogue_index(info) : EVENT_TYPE_CUSTOM,
        .ephemeral = d->ephemeral,
        .time_ms = d->time_ms ? d->time_ms : wall,
        .place_count = places,
    };
    return event_try_new(&spec);
}

static inline struct outcome publish_draft(struct hub *h, const struct draft *d)
{
    struct slice names[HUB_MAX_EVENT_TOPICS];
    unsigned places = 0;
    for (; d->topics[places]; places++)
        names[places] = slice_from(d->topics[places]);
    struct publish_item item = {.event = make_event(d, places), .topics = names};
    if (!item.event)
        return (struct outcome){.error = FAN_E_NO_MEMORY};
    struct publish_item *items[] = {&item};
    struct publish_batch batch = {.items = items, .count = 1, .done = ignore_done};
    hub_accept(h, &batch);
    struct outcome out = {.event = item.event, .error = item.error, .duplicate = item.duplicate};
    if (!item.error)
        out = (struct outcome){item.event,
                               0,
                               item.duplicate,
                               item.event->places[0].offset,
                               item.event->places[0].epoch,
                               item.event->seq};
    return out;
}

/* Publishes and forgets; returns the outcome without its event. */
static inline struct outcome publish_from(struct hub *h, struct draft d)
{
    struct outcome out = publish_draft(h, &d);
    event_unref(out.event);
    out.event = NULL;
    return out;
}

/* publish(h, .topics = {"session:a"}, .key = "k") */
#define publish(h, ...) publish_from((h), (struct draft){__VA_ARGS__})

static inline void publish_many(struct hub *h, const char *topic, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(publish(h, .topics = {topic}).error, 0);
}

static inline struct hub_stats stats_of(struct hub *h)
{
    struct hub_stats stats;
    hub_stats(h, &stats);
    return stats;
}

#endif
