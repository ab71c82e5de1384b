/* The hub: order, offsets, idempotency, what is kept and what is dropped. */
#include "hub_setup.h"

#include "hub/hub_private.h"

/* ---- Order ---- */

static void test_offsets_and_node_order(void **state)
{
    (void)state;
    struct outcome a1 = publish(hub, .topics = {"session:a"});
    struct outcome b1 = publish(hub, .topics = {"session:b"});
    struct outcome a2 = publish(hub, .topics = {"session:a"});
    assert_int_equal(a1.offset, 1);
    assert_int_equal(b1.offset, 1);
    assert_int_equal(a2.offset, 2);
    assert_int_equal(a1.seq, 1);
    assert_int_equal(b1.seq, 2);
    assert_int_equal(a2.seq, 3);
    assert_int_equal(a1.epoch, a2.epoch);
    assert_int_not_equal(a1.epoch, b1.epoch);
    assert_int_equal(stats_of(hub).published, 3);
    assert_int_equal(stats_of(hub).seq, 3);
}

static void test_one_event_in_several_topics(void **state)
{
    (void)state;
    struct draft draft = {.topics = {"session:a", "user:u", "global"}};
    publish(hub, .topics = {"user:u"});
    struct outcome out = publish_draft(hub, &draft);
    assert_int_equal(out.error, 0);
    assert_int_equal(out.event->places[0].offset, 1);
    assert_int_equal(out.event->places[1].offset, 2);
    assert_int_equal(out.event->places[2].offset, 1);
    assert_int_equal(out.event->seq, 2);
    assert_int_equal(stats_of(hub).events_kept, 2);
    event_unref(out.event);
}

static void test_refused_whole(void **state)
{
    (void)state;
    publish(hub, .topics = {"session:a"});
    assert_int_equal(publish(hub, .topics = {"session:a", "user:u", "session:a"}).error,
                     FAN_E_INVALID);
    assert_int_equal(publish(hub, .topics = {"session:a", "nonsense"}).error, FAN_E_INVALID);
    assert_int_equal(stats_of(hub).refused, 2);
    assert_int_equal(stats_of(hub).events_kept, 1);
    assert_int_equal(publish(hub, .topics = {"session:a"}).offset, 2);
    assert_int_equal(publish(hub, .topics = {"user:u"}).offset, 1);
}

static void test_ephemeral(void **state)
{
    (void)state;
    publish(hub, .topics = {"session:a"});
    struct outcome out = publish(hub, .topics = {"session:a"}, .ephemeral = true, .id = "x");
    assert_int_equal(out.error, 0);
    assert_int_equal(out.offset, 0);
    assert_int_equal(out.seq, 1);
    assert_int_not_equal(out.epoch, 0);
    assert_false(publish(hub, .topics = {"session:a"}, .id = "x").duplicate);
    assert_int_equal(stats_of(hub).ephemeral, 1);
    assert_int_equal(stats_of(hub).events_kept, 2);
}

/* ---- Idempotency ---- */

static void test_repeated_id(void **state)
{
    (void)state;
    struct outcome first = publish(hub, .topics = {"session:a"}, .id = "i", .time_ms = 1000);
    pass_time(5000);
    struct draft draft = {.topics = {"session:a"}, .id = "i"};
    struct outcome again = publish_draft(hub, &draft);
    assert_true(again.duplicate);
    assert_int_equal(again.error, 0);
    assert_int_equal(again.offset, first.offset);
    assert_int_equal(again.epoch, first.epoch);
    assert_int_equal(again.event->time_ms, 1000);
    event_unref(again.event);
    assert_int_equal(stats_of(hub).duplicates, 1);
    assert_int_equal(stats_of(hub).events_kept, 1);
    assert_false(publish(hub, .topics = {"session:b"}, .id = "i").duplicate);
}

static void test_id_expires(void **state)
{
    (void)state;
    publish(hub, .topics = {"session:a"}, .id = "i");
    pass_time(599999);
    assert_true(publish(hub, .topics = {"session:a"}, .id = "i").duplicate);
    pass_time(1);
    struct outcome out = publish(hub, .topics = {"session:a"}, .id = "i");
    assert_false(out.duplicate);
    assert_int_equal(out.offset, 2);
    assert_int_equal(stats_of(hub).idempotency_entries, 1);
    pass_time(600000);
    hub_tick(hub);
    assert_int_equal(stats_of(hub).idempotency_entries, 0);
}

static void test_id_with_several_topics(void **state)
{
    (void)state;
    publish(hub, .topics = {"session:a", "session:b"}, .id = "i");
    struct outcome same = publish(hub, .topics = {"session:b", "session:a"}, .id = "i");
    assert_true(same.duplicate);
    assert_int_equal(same.error, 0);
    assert_int_equal(publish(hub, .topics = {"session:a"}, .id = "i").error, 0);
    assert_int_equal(publish(hub, .topics = {"session:a", "session:c"}, .id = "i").error,
                     FAN_E_EXISTS);
    assert_int_equal(stats_of(hub).events_kept, 1);
}

static void test_ids_are_bounded(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    char id[32];
    config.kinds[TOPIC_SESSION].count = 1;
    reopen(&config);
    for (unsigned i = 0; i <= IDEMPOTENCY_MAX_ENTRIES; i++) {
        snprintf(id, sizeof id, "id-%u", i);
        publish(hub, .topics = {"session:a"}, .id = id);
    }
    assert_int_equal(stats_of(hub).idempotency_entries, IDEMPOTENCY_MAX_ENTRIES);
    assert_true(publish(hub, .topics = {"session:a"}, .id = "id-1").duplicate);
    assert_false(publish(hub, .topics = {"session:a"}, .id = "id-0").duplicate);
}

/* ---- Retention ---- */

static void test_kept_by_count(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 3;
    reopen(&config);
    publish_many(hub, "session:a", 5);
    struct topic_page page = page_of("session:a", 0, 64);
    assert_int_equal(page.first_offset, 3);
    assert_int_equal(page.count, 3);
    assert_int_equal(page.offset, 5);
    assert_int_equal(stats_of(hub).trimmed_count, 2);
    assert_int_equal(stats_of(hub).events_kept, 3);
}

static void test_nothing_kept(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_PROJECT].count = 0;
    reopen(&config);
    publish_many(hub, "project:a", 2);
    struct topic_page page = page_of("project:a", 0, 64);
    assert_int_equal(page.first_offset, 3);
    assert_int_equal(page.count, 0);
    assert_int_equal(stats_of(hub).bytes_kept, 0);
}

static void test_kept_by_bytes(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_PROJECT].bytes = 4096;
    reopen(&config);
    publish_many(hub, "project:a", 100);
    struct topic_page page = page_of("project:a", 0, 64);
    assert_true(page.count > 2 && page.count < 64);
    uint64_t one = stats_of(hub).bytes_kept / stats_of(hub).events_kept;
    assert_true(stats_of(hub).bytes_kept <= 4096 && stats_of(hub).bytes_kept + one > 4096);
    assert_int_equal(stats_of(hub).trimmed_bytes, 100 - page.count);
    /* One that alone is larger is kept until the next comes. */
    char *data = memory_zero(8193);
    memset(data, ' ', 8192);
    memcpy(data, "{}", 2);
    publish(hub, .topics = {"project:a"}, .data = data);
    memory_free(data);
    assert_int_equal(page_of("project:a", 0, 64).count, 1);
}

static void test_kept_by_age(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].age_ms = 60000;
    reopen(&config);
    publish(hub, .topics = {"session:a"});
    pass_time(30000);
    publish(hub, .topics = {"session:a"});
    pass_time(30000);
    hub_tick(hub);
    assert_int_equal(page_of("session:a", 0, 64).first_offset, 1);
    pass_time(1);
    hub_tick(hub);
    assert_int_equal(page_of("session:a", 0, 64).first_offset, 2);
    assert_int_equal(stats_of(hub).trimmed_age, 1);
    pass_time(30000);
    hub_tick(hub);
    struct topic_page page = page_of("session:a", 0, 64);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.offset, 2);
}

/* A publisher may say when something happened, in a recording for instance: it does not decide how
 * long that is kept. */
static void test_age_counts_from_acceptance(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].age_ms = 60000;
    reopen(&config);
    publish(hub, .topics = {"session:a"}, .time_ms = wall - 86400000);
    publish(hub, .topics = {"session:a"}, .time_ms = wall + 86400000);
    publish(hub, .topics = {"session:a"});
    hub_tick(hub);
    assert_int_equal(page_of("session:a", 0, 64).count, 3);
    pass_time(60001);
    hub_tick(hub);
    assert_int_equal(page_of("session:a", 0, 64).count, 0);
}

static void test_kept_by_memory(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.memory_limit = 8192;
    reopen(&config);
    for (unsigned i = 0; i < 100; i++) {
        publish(hub, .topics = {"project:a", "project:b"});
        publish(hub, .topics = {i % 2 ? "project:b" : "project:c"});
        assert_true(stats_of(hub).bytes_kept <= 8192);
    }
    uint64_t kept = stats_of(hub).events_kept;
    assert_true(kept > 4 && kept < 100);
    assert_int_equal(stats_of(hub).trimmed_memory, 200 - kept);
    assert_int_equal(page_of("project:a", 0, 64).offset, 100);
    assert_int_equal(page_of("project:b", 0, 64).offset, 150);
    assert_int_equal(page_of("project:a", 0, 64).count, kept / 2);
}

/* An event of two topics is held until both have dropped it. */
static void test_held_by_the_last_topic(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 1;
    reopen(&config);
    publish(hub, .topics = {"session:a", "project:b"});
    publish(hub, .topics = {"session:a"});
    assert_int_equal(page_of("session:a", 0, 64).first_offset, 2);
    assert_int_equal(page_of("project:b", 0, 64).count, 1);
    assert_int_equal(stats_of(hub).events_kept, 2);
    assert_int_equal(stats_of(hub).trimmed_count, 1);
}

/* ---- Topics come and go ---- */

static void test_idle_topics_are_dropped(void **state)
{
    (void)state;
    publish(hub, .topics = {"channel:c"});
    publish(hub, .topics = {"session:s"});
    uint64_t epoch = epoch_of_topic("channel:c");
    pass_time(599999);
    hub_tick(hub);
    assert_int_equal(stats_of(hub).topics, 2);
    pass_time(1);
    hub_tick(hub);
    /* A session's log is kept; a channel's is lost with it. */
    assert_int_equal(stats_of(hub).topics, 1);
    assert_int_equal(stats_of(hub).topics_dropped, 1);
    assert_int_equal(stats_of(hub).events_kept, 1);
    struct outcome out = publish(hub, .topics = {"channel:c"});
    assert_int_equal(out.offset, 1);
    assert_int_not_equal(out.epoch, epoch);
    assert_int_equal(epoch_of_topic("channel:c"), out.epoch);
}

static void test_topic_without_events_keeps_its_epoch(void **state)
{
    (void)state;
    const struct start_point now = {START_NOW, 0, 0};
    struct join_result r;
    assert_int_equal(hub_join(hub, 0, 0, SLICE("channel:c"), &now, &r), 0);
    uint64_t epoch = r.epoch;
    inbox_release(&r.inbox);
    pass_time(3600000);
    hub_tick(hub);
    assert_int_equal(stats_of(hub).topics, 1); /* somebody is there */
    hub_leave(hub, 0, 0, r.topic, true);
    pass_time(600000);
    hub_tick(hub);
    assert_int_equal(stats_of(hub).topics, 0);
    assert_int_equal(publish(hub, .topics = {"channel:c"}).epoch, epoch);
}

static void test_durable_topic_goes_when_its_history_has_aged_away(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].age_ms = 1000;
    reopen(&config);
    publish(hub, .topics = {"session:s"}, .type = "terminal_output",
            .data = "{\"output\":\"x\",\"output_type\":\"stdout\"}");
    assert_true(stats_of(hub).bytes_kept > 0);
    pass_time(600001);
    hub_tick(hub);
    assert_int_equal(stats_of(hub).topics, 0);
    assert_int_equal(stats_of(hub).bytes_kept, 0);
}

static void test_epochs_differ_between_nodes(void **state)
{
    (void)state;
    uint64_t node = hub_epoch(hub);
    uint64_t topic = publish(hub, .topics = {"session:a"}).epoch;
    struct hub_config config = roomy(1);
    reopen(&config);
    assert_int_not_equal(hub_epoch(hub), node);
    assert_int_not_equal(publish(hub, .topics = {"session:a"}).epoch, topic);
}

/* ---- Listings ---- */

static bool remember_first(void *arg, const struct topic_info *info)
{
    ++*(unsigned *)arg;
    assert_int_equal(info->kind, TOPIC_SESSION);
    return false;
}

static void check_info(void *arg, const struct topic_info *info)
{
    *(bool *)arg = true;
    assert_true(slice_is(info->name, "session:a"));
    assert_int_equal(info->offset, 2);
    assert_int_equal(info->first_offset, 1);
    assert_int_equal(info->subscribers, 1);
    assert_int_equal(info->subscribers_of[3], 1);
    assert_int_equal(info->subscribers_of[0], 0);
}

static void test_listings(void **state)
{
    (void)state;
    const struct start_point now = {START_NOW, 0, 0};
    unsigned seen = 0;
    bool called = false;
    struct join_result r;
    publish_many(hub, "session:a", 2);
    publish_many(hub, "session:b", 2);
    assert_int_equal(hub_join(hub, 0, 3, SLICE("session:a"), &now, &r), 0);
    inbox_release(&r.inbox);
    hub_each_topic(hub, remember_first, &seen);
    assert_int_equal(seen, 1);
    assert_int_equal(hub_topic_info(hub, SLICE("session:a"), check_info, &called), 0);
    assert_true(called);
    assert_int_equal(hub_topic_info(hub, SLICE("session:c"), check_info, &called), FAN_E_NOT_FOUND);
    hub_leave(hub, 0, 3, r.topic, true);
}

static double last_rate;

static void note_rate(void *arg, const struct topic_info *info)
{
    (void)arg;
    last_rate = info->rate;
}

static double rate_of(const char *topic)
{
    assert_int_equal(hub_topic_info(hub, slice_from(topic), note_rate, NULL), 0);
    return last_rate;
}

static void test_rates(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 30; second++) {
        publish_many(hub, "session:a", 10);
        pass_time(1000);
    }
    double rate = rate_of("session:a");
    assert_true(rate > 9.9 && rate < 10.1);
    pass_time(5000);
    double later = rate_of("session:a");
    assert_true(later > 0 && later < rate / 2);
    pass_time(3600000);
    assert_true(rate_of("session:a") <= 0);
    publish_many(hub, "session:a", 10);
    pass_time(1000);
    assert_true(rate_of("session:a") > 0);
}

/* ---- Memory ---- */

/* Whatever allocation fails: the event is there whole or not at all, and the hub goes on. */
static void test_failing_allocations(void **state)
{
    (void)state;
    bool failed = true;
    for (unsigned nth = 1; failed; nth++) {
        struct hub_config config = roomy(1);
        config.kinds[TOPIC_SESSION].count = 9;
        reopen(&config);
        publish_many(hub, "session:a", 8);
        struct join_result r = follow(0, "session:a");
        struct draft draft = {.topics = {"session:a", "session:b"},
                              .id = "i",
                              .type = "error",
                              .data = "{\"error_message\":\"m\"}"};
        unsigned places = 2;
        const struct slice names[] = {SLICE("session:a"), SLICE("session:b")};
        struct publish_item item = {.event = make_event(&draft, places), .topics = names};
        struct publish_item *items[] = {&item};
        struct publish_batch batch = {.items = items, .count = 1, .done = ignore_done};
        memory_fail_nth(nth);
        hub_accept(hub, &batch);
        failed = nth < 40;
        memory_fail_nth(0);
        event_unref(item.event);
        struct inbox_batch inbox;
        hub_drain(hub, 0, &inbox);
        if (item.error) {
            assert_int_equal(item.error, FAN_E_NO_MEMORY);
            assert_int_equal(inbox.count, 0);
            assert_int_equal(stats_of(hub).events_kept, 8);
        } else {
            assert_true(inbox.count == 1 || inbox.overflowed);
            assert_int_equal(stats_of(hub).events_kept, 9);
            assert_int_equal(page_of("session:b", 0, 1).count, 1);
        }
        inbox_release(&inbox);
        assert_int_equal(publish(hub, .topics = {"session:a"}).error, 0);
        hub_leave(hub, 0, 0, r.topic, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_offsets_and_node_order),
        TEST(test_one_event_in_several_topics),
        TEST(test_refused_whole),
        TEST(test_ephemeral),
        TEST(test_repeated_id),
        TEST(test_id_expires),
        TEST(test_id_with_several_topics),
        TEST(test_ids_are_bounded),
        TEST(test_kept_by_count),
        TEST(test_nothing_kept),
        TEST(test_kept_by_bytes),
        TEST(test_kept_by_age),
        TEST(test_age_counts_from_acceptance),
        TEST(test_kept_by_memory),
        TEST(test_held_by_the_last_topic),
        TEST(test_idle_topics_are_dropped),
        TEST(test_topic_without_events_keeps_its_epoch),
        TEST(test_durable_topic_goes_when_its_history_has_aged_away),
        TEST(test_epochs_differ_between_nodes),
        TEST(test_listings),
        TEST(test_rates),
        TEST(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
