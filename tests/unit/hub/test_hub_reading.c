/* Where readers of the hub begin, what comes to their workers, and reading history. */
#include "hub_setup.h"

/* ---- Where readers begin ---- */

static struct join_result locate_in(const char *topic, int kind, uint64_t offset, uint64_t epoch)
{
    const struct start_point start = {kind, offset, epoch};
    struct join_result r;
    assert_int_equal(hub_join(hub, 0, 0, slice_from(topic), &start, &r), 0);
    inbox_release(&r.inbox);
    hub_leave(hub, 0, 0, r.topic, true);
    return r;
}

static void test_start_now(void **state)
{
    (void)state;
    struct join_result r = locate_in("session:new", START_NOW, 0, 0);
    assert_int_equal(r.offset, 0);
    assert_int_equal(r.reason, RESUME_OK);
    assert_int_equal(r.position, 0);
    publish_many(hub, "session:a", 3);
    publish_many(hub, "session:b", 2);
    r = locate_in("session:a", START_NOW, 0, 0);
    assert_int_equal(r.offset, 3);
    assert_int_equal(r.seq, 5);
    assert_int_equal(r.position, 5);
    assert_int_equal(r.available_from, 1);
}

static void test_start_at_an_offset(void **state)
{
    (void)state;
    publish_many(hub, "session:b", 2); /* 1, 2 */
    publish_many(hub, "session:a", 3); /* 3, 4, 5 */
    publish_many(hub, "session:b", 1); /* 6 */
    uint64_t epoch = epoch_of_topic("session:a");
    struct join_result r = locate_in("session:a", START_OFFSET, 1, epoch);
    assert_int_equal(r.reason, RESUME_OK);
    assert_int_equal(r.position, 3);
    assert_int_equal(locate_in("session:a", START_OFFSET, 0, epoch).position, 2);
    r = locate_in("session:a", START_OFFSET, 3, epoch);
    assert_int_equal(r.reason, RESUME_OK);
    assert_int_equal(r.position, 5);
    assert_int_equal(locate_in("session:a", START_OFFSET, 4, epoch).reason, RESUME_INVALID);
    r = locate_in("session:a", START_OFFSET, 1, epoch + 1);
    assert_int_equal(r.reason, RESUME_EPOCH_CHANGED);
    assert_int_equal(r.position, r.seq);
    r = locate_in("session:empty", START_OFFSET, 0, 0);
    assert_int_equal(r.reason, RESUME_EPOCH_CHANGED);
    r = locate_in("session:empty", START_OFFSET, 0, epoch_of_topic("session:empty"));
    assert_int_equal(r.reason, RESUME_OK);
}

static void test_start_at_a_trimmed_offset(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 2;
    reopen(&config);
    publish_many(hub, "session:a", 5); /* 4 and 5 are kept */
    uint64_t epoch = epoch_of_topic("session:a");
    assert_int_equal(locate_in("session:a", START_OFFSET, 3, epoch).reason, RESUME_OK);
    struct join_result r = locate_in("session:a", START_OFFSET, 2, epoch);
    assert_int_equal(r.reason, RESUME_TRIMMED);
    assert_int_equal(r.missed_from, 3);
    assert_int_equal(r.missed_to, 3);
    assert_int_equal(r.available_from, 4);
    assert_int_equal(r.position, r.seq);
    r = locate_in("session:a", START_OFFSET, 0, epoch);
    assert_int_equal(r.missed_from, 1);
    assert_int_equal(r.missed_to, 3);
}

static void test_start_at_a_cursor(void **state)
{
    (void)state;
    publish_many(hub, "session:a", 2);
    publish_many(hub, "session:b", 2);
    struct join_result r = locate_in("session:a", START_CURSOR, 1, hub_epoch(hub));
    assert_int_equal(r.reason, RESUME_OK);
    assert_int_equal(r.position, 1);
    assert_int_equal(locate_in("session:a", START_CURSOR, 4, hub_epoch(hub)).position, 4);
    assert_int_equal(locate_in("session:a", START_CURSOR, 5, hub_epoch(hub)).reason,
                     RESUME_INVALID);
    assert_int_equal(locate_in("session:a", START_CURSOR, 1, hub_epoch(hub) + 1).reason,
                     RESUME_EPOCH_CHANGED);
    /* A topic that is younger than the cursor is replayed from its start. */
    publish_many(hub, "session:young", 2);
    r = locate_in("session:young", START_CURSOR, 1, hub_epoch(hub));
    assert_int_equal(r.reason, RESUME_OK);
    assert_int_equal(r.position, 1);
}

static void test_start_at_a_trimmed_cursor(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 2;
    reopen(&config);
    publish_many(hub, "session:b", 1); /* 1 */
    publish_many(hub, "session:a", 3); /* 2, 3, 4 */
    publish_many(hub, "session:b", 1); /* 5 */
    publish_many(hub, "session:a", 2); /* 6, 7; 2 to 4 are gone */
    struct join_result r = locate_in("session:a", START_CURSOR, 5, hub_epoch(hub));
    assert_int_equal(r.reason, RESUME_OK);
    assert_int_equal(locate_in("session:a", START_CURSOR, 4, hub_epoch(hub)).reason, RESUME_OK);
    r = locate_in("session:a", START_CURSOR, 3, hub_epoch(hub));
    assert_int_equal(r.reason, RESUME_TRIMMED);
    assert_int_equal(r.missed_from, 3);
    assert_int_equal(r.missed_to, 3);
    r = locate_in("session:a", START_CURSOR, 1, hub_epoch(hub));
    assert_int_equal(r.missed_from, 1);
    assert_int_equal(r.missed_to, 3);
}

/* What the cursor's reader had of the topic's predecessor nobody knows any more. */
static void test_cursor_behind_a_lost_log(void **state)
{
    (void)state;
    publish(hub, .topics = {"session:s"});
    publish(hub, .topics = {"channel:c"});
    pass_time(600000);
    hub_tick(hub);
    publish(hub, .topics = {"channel:c"});
    struct join_result r = locate_in("channel:c", START_CURSOR, 1, hub_epoch(hub));
    assert_int_equal(r.reason, RESUME_EPOCH_CHANGED);
    assert_int_equal(r.missed_from, 0);
    assert_int_equal(r.missed_to, 0);
    assert_int_equal(locate_in("channel:c", START_CURSOR, 2, hub_epoch(hub)).reason, RESUME_OK);
    assert_int_equal(locate_in("session:s", START_CURSOR, 0, hub_epoch(hub)).reason, RESUME_OK);
}

static void test_start_at_the_beginning(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 2;
    reopen(&config);
    publish_many(hub, "session:b", 3); /* 1 to 3 */
    struct join_result r = locate_in("session:a", START_BEGINNING, 0, 0);
    assert_int_equal(r.reason, RESUME_OK);
    assert_int_equal(r.position, 3);
    publish_many(hub, "session:a", 2); /* 4, 5 */
    r = locate_in("session:a", START_BEGINNING, 0, 0);
    assert_int_equal(r.reason, RESUME_OK);
    assert_int_equal(r.position, 3);
    publish_many(hub, "session:a", 1);
    r = locate_in("session:a", START_BEGINNING, 0, 0);
    assert_int_equal(r.reason, RESUME_TRIMMED);
    assert_int_equal(r.missed_from, 1);
    assert_int_equal(r.missed_to, 1);
    assert_int_equal(r.position, 4);
}

static void test_reason_names(void **state)
{
    (void)state;
    assert_string_equal(resume_reason_name(RESUME_TRIMMED), "trimmed");
    assert_string_equal(resume_reason_name(RESUME_EPOCH_CHANGED), "epoch_changed");
    assert_string_equal(resume_reason_name(RESUME_INVALID), "invalid");
    assert_string_equal(resume_reason_name(RESUME_LIMIT), "limit");
}

/* The log of what was trimmed thins out: exact for the newest losses, never too high. */
static void test_trim_log(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 2;
    reopen(&config);
    publish_many(hub, "session:a", 5000);
    uint64_t last = 0;
    for (uint64_t seq = 0; seq < 4998; seq += 7) {
        struct join_result r = locate_in("session:a", START_CURSOR, seq, hub_epoch(hub));
        assert_int_equal(r.reason, RESUME_TRIMMED);
        assert_in_range(r.missed_from, last > 1 ? last : 1, seq + 1);
        if (seq > 4998 - TRIM_LOG_MAX / 2)
            assert_int_equal(r.missed_from, seq + 1);
        assert_int_equal(r.missed_to, 4998);
        last = r.missed_from;
    }
}

/* ---- Inboxes ---- */

static unsigned wakes;

static void count_wake(void *arg)
{
    (void)arg;
    wakes++;
}

static void test_inboxes(void **state)
{
    (void)state;
    struct inbox_batch batch;
    hub_set_wake(hub, 0, count_wake, NULL);
    wakes = 0;
    struct join_result a = follow(0, "session:a"), b = follow(0, "session:b");
    struct join_result other = follow(1, "session:b");
    publish(hub, .topics = {"session:a"});
    publish(hub, .topics = {"session:a", "session:b"});
    publish(hub, .topics = {"session:c"});
    publish(hub, .topics = {"session:b"}, .ephemeral = true);
    assert_int_equal(wakes, 1);
    assert_true(hub_drain(hub, 0, &batch));
    assert_int_equal(batch.count, 3);
    assert_int_equal(batch.items[0]->seq, 1);
    assert_int_equal(batch.items[1]->seq, 2);
    assert_true(batch.items[2]->ephemeral);
    assert_int_equal(batch.seq, 3);
    inbox_release(&batch);
    assert_false(hub_drain(hub, 0, &batch));
    assert_true(hub_drain(hub, 1, &batch));
    assert_int_equal(batch.count, 2);
    inbox_release(&batch);
    assert_int_equal(stats_of(hub).subscriptions, 3);
    hub_leave(hub, 0, 0, a.topic, true);
    publish(hub, .topics = {"session:a"});
    assert_false(hub_drain(hub, 0, &batch));
    assert_int_equal(wakes, 1);
    hub_leave(hub, 0, 0, b.topic, true);
    hub_leave(hub, 1, 0, other.topic, true);
}

/* What is pending when somebody joins belongs to those who were there before. */
static void test_join_detaches_what_is_pending(void **state)
{
    (void)state;
    const struct start_point now = {START_NOW, 0, 0};
    struct join_result a = follow(0, "session:a"), late;
    publish_many(hub, "session:a", 2);
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:a"), &now, &late), 0);
    assert_int_equal(late.inbox.count, 2);
    assert_int_equal(late.inbox.seq, late.seq);
    inbox_release(&late.inbox);
    hub_leave(hub, 0, 0, late.topic, false);
    hub_leave(hub, 0, 0, a.topic, true);
}

static void test_inbox_overflow(void **state)
{
    (void)state;
    struct inbox_batch batch;
    struct join_result a = follow(0, "session:a");
    publish_many(hub, "session:a", INBOX_MAX_EVENTS + 3);
    assert_int_equal(stats_of(hub).inbox_overflows, 1);
    assert_true(hub_drain(hub, 0, &batch));
    assert_true(batch.overflowed);
    assert_int_equal(batch.count, 3);
    inbox_release(&batch);
    publish_many(hub, "session:a", 1);
    assert_true(hub_drain(hub, 0, &batch));
    assert_false(batch.overflowed);
    inbox_release(&batch);
    hub_leave(hub, 0, 0, a.topic, true);
}

/* ---- Reading ---- */

static void test_newest_of_each_key(void **state)
{
    (void)state;
    struct topic *topic = follow(0, "channel:search").topic;
    const char *const keys[] = {"a", "b", NULL, "a", "a", "b", NULL};
    for (unsigned i = 0; i < 7; i++)
        publish(hub, .topics = {"channel:search"}, .key = keys[i]);
    struct latest_read read;
    assert_int_equal(hub_read_latest(hub, topic, 0, UINT64_MAX, 1 << 20, &read), 0);
    assert_int_equal(read.count, 4);
    assert_int_equal(read.events[0]->seq, 3);
    assert_int_equal(read.events[1]->seq, 5);
    assert_int_equal(read.events[2]->seq, 6);
    assert_int_equal(read.events[3]->seq, 7);
    assert_int_equal(read.superseded, 3);
    assert_int_equal(read.from, 1);
    assert_int_equal(read.to, 4);
    for (unsigned i = 0; i < read.count; i++)
        event_unref(read.events[i]);
    memory_free(read.events);
    assert_int_equal(hub_slow_policy(hub, topic), SLOW_LATEST);
    hub_leave(hub, 0, 0, topic, true);
    topic = follow(0, "channel:files").topic;
    assert_int_equal(hub_slow_policy(hub, topic), SLOW_CATCH_UP);
    hub_leave(hub, 0, 0, topic, true);
}

static void release(struct latest_read *read)
{
    for (unsigned i = 0; i < read->count; i++)
        event_unref(read->events[i]);
    memory_free(read->events);
}

/* A component and a feature of the same name are two things. */
static void test_keys_belong_to_types(void **state)
{
    (void)state;
    struct latest_read read;
    struct topic *topic = follow(0, "channel:search").topic;
    publish(hub, .topics = {"channel:search"}, .type = "one", .key = "auth");
    publish(hub, .topics = {"channel:search"}, .type = "two", .key = "auth");
    publish(hub, .topics = {"channel:search"}, .type = "one", .key = "auth");
    assert_int_equal(hub_read_latest(hub, topic, 0, UINT64_MAX, 1 << 20, &read), 0);
    assert_int_equal(read.count, 2);
    assert_int_equal(read.events[0]->seq, 2);
    assert_int_equal(read.events[1]->seq, 3);
    release(&read);
    hub_leave(hub, 0, 0, topic, true);
}

/* What does not fit is read the next time, from the end of this one, and counted then. */
static void test_latest_in_pieces(void **state)
{
    (void)state;
    struct latest_read read;
    uint64_t superseded = 0, position = 0;
    unsigned got = 0;
    struct topic *topic = follow(0, "channel:search").topic;
    for (unsigned i = 0; i < 60; i++)
        publish(hub, .topics = {"channel:search"}, .key = i % 3 ? NULL : "k",
                .data = "{\"n\":12345}");
    do {
        assert_int_equal(hub_read_latest(hub, topic, position, 60, 40, &read), 0);
        assert_in_range(read.count, 1, 4);
        assert_true(read.end > position);
        assert_int_equal(read.next_offset, read.end + 1);
        superseded += read.superseded;
        got += read.count;
        position = read.end;
        release(&read);
    } while (position < 60);
    assert_int_equal(got, 41);
    assert_int_equal(superseded, 19);
    hub_leave(hub, 0, 0, topic, true);
}

static void test_latest_looks_only_so_far(void **state)
{
    (void)state;
    struct latest_read read;
    struct topic *topic = follow(0, "session:a").topic;
    for (unsigned i = 0; i < HUB_LATEST_MAX + 5; i++)
        publish(hub, .topics = {"session:a"}, .key = "k");
    assert_int_equal(hub_read_latest(hub, topic, 0, UINT64_MAX, 1 << 20, &read), 0);
    assert_int_equal(read.count, 1);
    assert_int_equal(read.end, HUB_LATEST_MAX);
    assert_int_equal(read.superseded, HUB_LATEST_MAX - 1);
    release(&read);
    assert_int_equal(hub_read_latest(hub, topic, read.end, UINT64_MAX, 1 << 20, &read), 0);
    assert_int_equal(read.count, 1);
    assert_int_equal(read.superseded, 4);
    release(&read);
    hub_leave(hub, 0, 0, topic, true);
}

/* An event of several topics counts in each of them: the newest of one says nothing about it. */
static void test_latest_stops_before_an_event_of_several_topics(void **state)
{
    (void)state;
    struct topic *topic = follow(0, "channel:search").topic;
    publish(hub, .topics = {"channel:search"}, .key = "k");
    publish(hub, .topics = {"channel:search"}, .key = "k");
    publish(hub, .topics = {"channel:search", "session:a"}, .key = "k");
    publish(hub, .topics = {"channel:search"}, .key = "k");
    struct latest_read read;
    assert_int_equal(hub_read_latest(hub, topic, 0, UINT64_MAX, 1 << 20, &read), 0);
    assert_int_equal(read.count, 1);
    assert_int_equal(read.events[0]->seq, 2);
    assert_int_equal(read.superseded, 1);
    assert_int_equal(read.end, 2);
    assert_int_equal(read.next_offset, 3);
    release(&read);
    assert_int_equal(hub_read_latest(hub, topic, 2, UINT64_MAX, 1 << 20, &read), 0);
    assert_int_equal(read.count, 0);
    assert_int_equal(read.end, 2);
    release(&read);
    hub_leave(hub, 0, 0, topic, true);
}

static void test_pages(void **state)
{
    (void)state;
    struct event *events[10];
    struct topic_page page;
    assert_int_equal(hub_topic_page(hub, SLICE("session:a"), 0, 10, 1000, events, &page),
                     FAN_E_NOT_FOUND);
    publish_many(hub, "session:a", 25);
    page = page_of("session:a", 0, 10);
    assert_int_equal(page.count, 10);
    assert_int_equal(page.offset, 25);
    assert_int_equal(page_of("session:a", 20, 10).count, 5);
    assert_int_equal(page_of("session:a", 25, 10).count, 0);
    assert_int_equal(page_of("session:a", 1000, 10).count, 0);
    assert_int_equal(page_of("session:a", UINT64_MAX, 10).count, 0);
    /* Bytes are a limit as well, but one event always comes. */
    assert_int_equal(hub_topic_page(hub, SLICE("session:a"), 0, 10, 1, events, &page), 0);
    assert_int_equal(page.count, 1);
    event_unref(events[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_start_now),
        TEST(test_start_at_an_offset),
        TEST(test_start_at_a_trimmed_offset),
        TEST(test_start_at_a_cursor),
        TEST(test_start_at_a_trimmed_cursor),
        TEST(test_cursor_behind_a_lost_log),
        TEST(test_start_at_the_beginning),
        TEST(test_reason_names),
        TEST(test_trim_log),
        TEST(test_inboxes),
        TEST(test_join_detaches_what_is_pending),
        TEST(test_inbox_overflow),
        TEST(test_newest_of_each_key),
        TEST(test_keys_belong_to_types),
        TEST(test_latest_in_pieces),
        TEST(test_latest_looks_only_so_far),
        TEST(test_latest_stops_before_an_event_of_several_topics),
        TEST(test_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
