/* When a log was lost, and when it may have been: epochs change then, and only then, and whoever
 * comes with an old cursor is told. */
#include "store_fixture.h"

/* ---- After the end of a process, and of the machine ---- */

/* As if the process had been killed; the machine is the same. */
static void end_badly(void)
{
    close_hub();
    query("UPDATE meta SET value = 0 WHERE name = 'clean'");
}

/* As if the machine had gone down since. */
static void boot_again(void)
{
    query("UPDATE meta SET value = value + 1 WHERE name = 'boot'");
}

struct epochs {
    uint64_t node, topic;
};

static struct epochs begin(enum store_synchronous how)
{
    synchronous = how;
    open_hub();
    struct outcome first = store(.topics = {"session:a"});
    return (struct epochs){hub_epoch(hub), first.epoch};
}

static void go_on(enum store_synchronous how)
{
    synchronous = how;
    open_hub();
}

static void assert_kept(struct epochs before)
{
    assert_true(hub_epoch(hub) == before.node);
    assert_true(info_of("session:a").epoch == before.topic);
    assert_int_equal(info_of("session:a").offset, 1);
}

/* What is there is still there, under another epoch. */
static void assert_renewed(struct epochs before)
{
    assert_true(hub_epoch(hub) != before.node);
    assert_true(info_of("session:a").epoch != before.topic);
    assert_log("session:a", 0, 1, 1);
    struct outcome next = store(.topics = {"session:a"});
    assert_int_equal(next.offset, 2);
    assert_true(next.epoch == info_of("session:a").epoch);
}

static enum resume_reason resume(int kind, uint64_t epoch, uint64_t offset, struct join_result *r)
{
    const struct start_point start = {.kind = kind, .epoch = epoch, .offset = offset};
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:a"), &start, r), 0);
    hub_leave(hub, 0, 0, r->topic, true);
    inbox_release(&r->inbox);
    return r->reason;
}

static void test_relaxed_and_the_machine_went_down(void **state)
{
    static const enum store_synchronous relaxed[] = {STORE_SYNC_NORMAL, STORE_SYNC_OFF};
    struct join_result r;
    for (unsigned i = 0; i < 2; i++) {
        struct epochs before = begin(relaxed[i]);
        uint64_t seq = stats_of(hub).seq;
        end_badly();
        boot_again();
        go_on(relaxed[i]);
        assert_renewed(before);
        assert_int_equal(resume(START_OFFSET, before.topic, 1, &r), RESUME_EPOCH_CHANGED);
        assert_int_equal(r.missed_from, 2);
        assert_int_equal(resume(START_CURSOR, before.node, seq, &r), RESUME_EPOCH_CHANGED);
        tear_down(state);
        set_up(state);
    }
}

/* It is what the process before did that counts. */
static void test_the_one_before_was_relaxed(void **state)
{
    (void)state;
    struct epochs before = begin(STORE_SYNC_NORMAL);
    end_badly();
    boot_again();
    go_on(STORE_SYNC_FULL);
    assert_renewed(before);
}

static void test_full_and_the_machine_went_down(void **state)
{
    (void)state;
    struct join_result r;
    struct epochs before = begin(STORE_SYNC_FULL);
    uint64_t seq = stats_of(hub).seq;
    end_badly();
    boot_again();
    go_on(STORE_SYNC_NORMAL);
    assert_kept(before);
    assert_int_equal(resume(START_OFFSET, before.topic, 1, &r), RESUME_OK);
    assert_int_equal(resume(START_CURSOR, before.node, seq, &r), RESUME_OK);
}

static void test_relaxed_and_only_the_process_ended(void **state)
{
    (void)state;
    if (access("/proc/sys/kernel/random/boot_id", R_OK) != 0)
        skip();
    struct epochs before = begin(STORE_SYNC_NORMAL);
    end_badly();
    go_on(STORE_SYNC_NORMAL);
    assert_kept(before);
}

static void test_relaxed_and_stopped_before_the_machine_was(void **state)
{
    (void)state;
    struct epochs before = begin(STORE_SYNC_NORMAL);
    close_hub();
    boot_again();
    go_on(STORE_SYNC_NORMAL);
    assert_kept(before);
}

static void test_relaxed_where_nobody_knows_of_boots(void **state)
{
    (void)state;
    struct epochs before = begin(STORE_SYNC_NORMAL);
    end_badly();
    query("UPDATE meta SET value = 0 WHERE name = 'boot'");
    go_on(STORE_SYNC_NORMAL);
    assert_renewed(before);
}

static void test_the_file_is_gone(void **state)
{
    (void)state;
    struct join_result r;
    struct epochs before = begin(STORE_SYNC_FULL);
    uint64_t seq = stats_of(hub).seq;
    close_hub();
    assert_int_equal(unlink(path_of(STORE_FILE)), 0);
    go_on(STORE_SYNC_FULL);
    assert_true(hub_epoch(hub) != before.node);
    assert_int_equal(resume(START_OFFSET, before.topic, 1, &r), RESUME_EPOCH_CHANGED);
    assert_int_equal(resume(START_CURSOR, before.node, seq, &r), RESUME_EPOCH_CHANGED);
    struct outcome first = store(.topics = {"session:a"});
    assert_int_equal(first.offset, 1);
    assert_true(first.epoch != before.topic);
}

/* ---- Topics that are forgotten ---- */

/* Waits until the disk knows of so many topics. */
static void await_topics(int64_t count)
{
    uint64_t end = clock_ms() + 60000;
    while (query("SELECT count(*) FROM topics") != count) {
        if (clock_ms() > end)
            fail_msg("there are still %lld topics",
                     (long long)query("SELECT count(*) FROM topics"));
        usleep(10000);
    }
}

static void test_a_forgotten_topic(void **state)
{
    (void)state;
    struct join_result r;
    struct topic_info info;
    config.kinds[TOPIC_SESSION].age_ms = 1;
    config.kinds[TOPIC_SESSION].idle_ms = 1;
    open_hub();
    uint64_t node = hub_epoch(hub), start = stats_of(hub).seq;
    store(.topics = {"user:b"});
    store(.topics = {"session:a"}, .type = "component_update",
          .data = "{\"component_id\":\"auth\",\"status\":\"completed\",\"progress\":100}");
    struct outcome last = store(.topics = {"session:a"});
    await_topics(1);
    for (int restarts = 0; restarts < 2; restarts++) {
        /* The session's log was lost; what happened before it, and all other logs, are not. */
        assert_true(hub_epoch(hub) == node);
        assert_log("user:b", 0, 1, 1);
        assert_int_equal(hub_topic_info(hub, SLICE("session:a"), remember, &info), FAN_E_NOT_FOUND);
        assert_int_equal(resume(START_OFFSET, last.epoch, 1, &r), RESUME_EPOCH_CHANGED);
        assert_int_equal(r.missed_from, 2);
        assert_int_equal(resume(START_CURSOR, node, start, &r), RESUME_EPOCH_CHANGED);
        assert_int_equal(resume(START_CURSOR, node, last.seq, &r), RESUME_OK);
        reopen();
    }
    config.kinds[TOPIC_SESSION].age_ms = 0;
    reopen();
    struct outcome next = store(.topics = {"session:a"});
    assert_int_equal(next.offset, 1);
    assert_true(next.epoch != last.epoch);
    assert_int_equal(resume(START_OFFSET, last.epoch, 1, &r), RESUME_EPOCH_CHANGED);
    assert_int_equal(resume(START_OFFSET, next.epoch, 0, &r), RESUME_OK);
    reopen();
    assert_true(info_of("session:a").epoch == next.epoch);
    assert_log("session:a", 0, 1, 1);
}

/* Everything of it is gone by age, but somebody reads it: it keeps its epoch and its numbers. */
static void test_a_topic_that_is_read_is_not_forgotten(void **state)
{
    (void)state;
    struct join_result r;
    const struct start_point now = {.kind = START_NOW};
    config.kinds[TOPIC_SESSION].age_ms = 1;
    config.kinds[TOPIC_SESSION].idle_ms = 1;
    open_hub();
    struct outcome first = store(.topics = {"session:a"});
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:a"), &now, &r), 0);
    inbox_release(&r.inbox);
    store(.topics = {"session:b"});
    await_topics(1);
    struct outcome second = store(.topics = {"session:a"});
    assert_int_equal(second.offset, 2);
    assert_true(second.epoch == first.epoch);
    hub_leave(hub, 0, 0, r.topic, true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_relaxed_and_the_machine_went_down),
        TEST(test_the_one_before_was_relaxed),
        TEST(test_full_and_the_machine_went_down),
        TEST(test_relaxed_and_only_the_process_ended),
        TEST(test_relaxed_and_stopped_before_the_machine_was),
        TEST(test_relaxed_where_nobody_knows_of_boots),
        TEST(test_the_file_is_gone),
        TEST(test_a_forgotten_topic),
        TEST(test_a_topic_that_is_read_is_not_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
