/* A hub that is made anew for each test, and looks into it. */
#ifndef HUB_SETUP_H
#define HUB_SETUP_H

#include "hub_fixture.h"

static struct hub *hub;

static inline int open_hub(void **state)
{
    (void)state;
    struct hub_config config = roomy(2);
    hub = hub_new(&config);
    return 0;
}

static inline int close_hub(void **state)
{
    (void)state;
    memory_fail_nth(0);
    hub_free(hub);
    hub = NULL;
    return 0;
}

static inline void reopen(const struct hub_config *config)
{
    hub_free(hub);
    hub = hub_new(config);
}

static inline uint64_t offset_in(const struct event *e, const char *topic)
{
    for (unsigned i = 0; i < e->place_count; i++)
        if (slice_is(topic_name_slice(e->places[i].topic), topic))
            return e->places[i].offset;
    return 0;
}

static inline struct topic_page page_of(const char *topic, uint64_t since, unsigned max)
{
    struct event *events[64];
    struct topic_page page;
    assert_int_equal(hub_topic_page(hub, slice_from(topic), since, max, 1u << 30, events, &page),
                     0);
    uint64_t first = since + 1 > page.first_offset ? since + 1 : page.first_offset;
    for (unsigned i = 0; i < page.count; i++) {
        assert_int_equal(offset_in(events[i], topic), first + i);
        event_unref(events[i]);
    }
    return page;
}

static inline uint64_t epoch_of_topic(const char *topic)
{
    return page_of(topic, 0, 0).epoch;
}

static inline struct join_result follow(unsigned worker, const char *topic)
{
    const struct start_point now = {START_NOW, 0, 0};
    struct join_result r;
    assert_int_equal(hub_join(hub, worker, 0, slice_from(topic), &now, &r), 0);
    inbox_release(&r.inbox);
    return r;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_hub, close_hub)

#endif
