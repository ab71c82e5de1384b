/* What the tests of intake share: a hub, a publisher, and what it hears. */
#ifndef UNIT_API_INTAKE_FIXTURE_H
#define UNIT_API_INTAKE_FIXTURE_H

#include "../test.h"

#include "api/api.h"
#include "api/intake.h"
#include "base/memory.h"

static inline uint64_t still(void)
{
    return 50000000;
}

static inline void fake_random(void *out, size_t n)
{
    static unsigned char next;
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)out)[i] = ++next;
}

static inline struct hub *new_hub(struct engine *engine)
{
    struct hub_config config = {
        .memory_limit = 1u << 26,
        .workers = 1,
        .idempotency_ms = 600000,
        .monotonic_ms = still,
        .random = fake_random,
    };
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        config.kinds[kind] = (struct topic_limits){.count = 1000, .idle_ms = 600000};
    struct hub *h = hub_new(&config);
    hub_set_engine(h, engine);
    return h;
}

/* Epochs become `#` and times `@`. */
static inline void mask(struct buf *out, struct slice text)
{
    while (text.len) {
        bool epoch = slice_starts(text, "\"epoch\":\""), time = slice_starts(text, "\"time\":\"");
        if (epoch || time) {
            buf_append_text(out, epoch ? "\"epoch\":\"#" : "\"time\":\"@");
            text = slice_skip(text, epoch ? 9 + 11 : 8 + 24);
        } else {
            buf_append_char(out, *text.ptr);
            text = slice_skip(text, 1);
        }
    }
}

/* Somebody who may publish everything. */
static inline struct identity *anybody(void)
{
    struct access_policy *policy = access_policy_new(&(struct access_policy_options){.open = true});
    struct identity *who = identity_anonymous(policy);
    access_policy_unref(policy);
    return who;
}

#define EVENT     "{\"topic\":\"session:a\",\"type\":\"x\"}"
#define RESULT(n) "{\"topic\":\"session:a\",\"offset\":" #n ",\"epoch\":\"#\",\"time\":\"@\"}"
#define NOT_AN_EVENT                                                                               \
    "{\"error\":{\"status\":422,\"code\":\"invalid_event\",\"message\":\"an event must be a JSON " \
    "object\"}"

#endif
