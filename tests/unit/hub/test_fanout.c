/* The fan-out of one worker: who gets what, and in which order. */
#include "fanout_setup.h"

/* ---- Live ---- */

static void test_solo_readers_share_a_run(void **state)
{
    (void)state;
    join(r, "session:a");
    join(other, "session:a");
    for (unsigned i = 1; i <= 20; i++)
        publish_n(hub, i, .topics = {"session:a"});
    turn(&fanout);
    assert_int_equal(r->runs, 1);
    assert_int_equal(other->runs, 1);
    assert_ptr_equal(r->last_run, other->last_run);
    assert_int_equal(r->queue_count, 1);
    assert_int_equal(atomic_load(&fanout.stats.encoded[0]), 20);
    assert_int_equal(atomic_load(&fanout.stats.deliveries), 40);
    assert_got(r, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20");
}

static void test_large_runs(void **state)
{
    (void)state;
    char *data = memory_zero(100001);
    memset(data, ' ', 100000);
    memcpy(data, "{\"n\":7}", 7);
    join(r, "session:a");
    join(other, "session:a");
    subscriber_filter(&other->s, only("made_up"));
    for (unsigned i = 0; i < 9; i++)
        publish(hub, .topics = {"session:a"}, .data = data);
    memory_free(data);
    assert_got(r, "7 7 7 7 7 7 7 7 7");
    assert_got(other, "7 7 7 7 7 7 7 7 7");
}

static void test_a_group_per_encoding(void **state)
{
    (void)state;
    const struct start_point now = {START_NOW, 0, 0};
    struct join_result result;
    join(r, "session:a");
    assert_int_equal(subscriber_join(&other->s, SLICE("session:a"), &other_wire, &now, &result), 0);
    topic_unref(result.topic);
    publish_n(hub, 1, .topics = {"session:a"});
    turn(&fanout);
    assert_ptr_not_equal(r->last_run, other->last_run);
    assert_got(r, "1");
    assert_got(other, "1");
}

static void test_filters(void **state)
{
    (void)state;
    join(r, "session:a");
    join(other, "session:a");
    subscriber_filter(&other->s, only("odd"));
    for (unsigned i = 1; i <= 6; i++)
        publish_n(hub, i, .topics = {"session:a"}, .type = i % 2 ? "odd" : "even");
    assert_got(r, "1 2 3 4 5 6");
    assert_got(other, "1 3 5");
    subscriber_filter(&other->s, NULL);
    publish_n(hub, 8, .topics = {"session:a"}, .type = "even");
    assert_got(other, "1 3 5 8");
    assert_int_equal(other->runs, 1);
}

/* What was published before the change comes under the old filter, what comes later under the new
 * one. */
static void test_filter_changes_in_mid_turn(void **state)
{
    (void)state;
    join(r, "session:a");
    publish_n(hub, 1, .topics = {"session:a"}, .type = "even");
    fanout_drain(&fanout);
    publish_n(hub, 2, .topics = {"session:a"}, .type = "even");
    subscriber_filter(&r->s, only("odd"));
    publish_n(hub, 3, .topics = {"session:a"}, .type = "even");
    publish_n(hub, 4, .topics = {"session:a"}, .type = "odd");
    assert_got(r, "1 2 4");
}

static void test_several_topics_in_node_order(void **state)
{
    (void)state;
    join(r, "session:a");
    join(r, "session:b");
    join(r, "global");
    publish_n(hub, 1, .topics = {"session:b"});
    publish_n(hub, 2, .topics = {"session:a"});
    publish_n(hub, 3, .topics = {"session:c", "global", "session:a"});
    publish_n(hub, 4, .topics = {"session:c"});
    publish_n(hub, 5, .topics = {"session:b", "session:a"});
    assert_got(r, "1 2 3 5");
    /* Shown under the first listed topic that it follows. */
    assert_int_equal(r->got[2].frame.place, 1);
    assert_int_equal(r->got[3].frame.place, 0);
}

static void test_ephemeral_events(void **state)
{
    (void)state;
    join(r, "session:a");
    publish_n(hub, 1, .topics = {"session:a"}, .ephemeral = true);
    publish_n(hub, 2, .topics = {"session:a"});
    assert_got(r, "1 2");
    join_at(other, "session:a", beginning());
    publish_n(hub, 3, .topics = {"session:a"}, .ephemeral = true);
    settle(&fanout, other);
    assert_got(other, "2");
    assert_int_equal(atomic_load(&fanout.stats.dropped_ephemeral), 1);
    publish_n(hub, 4, .topics = {"session:a"}, .ephemeral = true);
    assert_got(other, "2 4");
}

/* ---- Joining and leaving ---- */

static void test_join_in_mid_turn_gets_nothing_old(void **state)
{
    (void)state;
    join(r, "session:a");
    publish_n(hub, 1, .topics = {"session:a"});
    fanout_drain(&fanout);
    publish_n(hub, 2, .topics = {"session:a"});
    struct join_result at = join(other, "session:a");
    assert_int_equal(at.offset, 2);
    publish_n(hub, 3, .topics = {"session:a"});
    assert_got(other, "3");
    assert_got(r, "1 2 3");
}

static void test_leave_in_mid_turn(void **state)
{
    (void)state;
    join(r, "session:a");
    join(r, "session:b");
    join(other, "session:a");
    publish_n(hub, 1, .topics = {"session:a"});
    fanout_drain(&fanout);
    assert_int_equal(subscriber_leave(&other->s, SLICE("session:a")), 0);
    assert_int_equal(subscriber_leave(&other->s, SLICE("session:a")), FAN_E_NOT_FOUND);
    assert_int_equal(subscriber_leave(&r->s, SLICE("session:b")), 0);
    assert_false(subscriber_follows(&r->s, SLICE("session:b")));
    assert_true(subscriber_follows(&r->s, SLICE("session:a")));
    publish_n(hub, 2, .topics = {"session:a"});
    publish_n(hub, 3, .topics = {"session:b"});
    assert_got(r, "1 2");
    assert_int_equal(other->s.count, 0);
    turn(&fanout);
    reader_take_all(other);
    assert_int_equal(other->got_count, 0);
}

/* A second topic turns a reader that shared runs into one that is looked at event by event: what
 * waits in the run of this turn is still for it. */
static void test_second_topic_in_mid_turn(void **state)
{
    (void)state;
    for (unsigned resumes = 0; resumes < 2; resumes++) {
        struct hub_config config = roomy(1);
        reopen(&config);
        publish_n(hub, 1, .topics = {"session:b"});
        join(r, "session:a");
        publish_n(hub, 2, .topics = {"session:a"});
        fanout_drain(&fanout);
        publish_n(hub, 3, .topics = {"session:a"});
        join_at(r, "session:b", resumes ? cursor(0) : (struct start_point){START_NOW, 0, 0});
        publish_n(hub, 4, .topics = {"session:b"});
        publish_n(hub, 5, .topics = {"session:a"});
        assert_got(r, resumes ? "2 3 1 4 5" : "2 3 4 5");
    }
}

static void test_many_topics_come_and_go(void **state)
{
    (void)state;
    char name[32];
    for (unsigned i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "session:%u", i);
        join(r, name);
    }
    for (unsigned i = 0; i < 50; i += 2) {
        snprintf(name, sizeof name, "session:%u", i);
        assert_int_equal(subscriber_leave(&r->s, slice_from(name)), 0);
    }
    assert_int_equal(r->s.count, 25);
    publish_n(hub, 1, .topics = {"session:2"});
    publish_n(hub, 2, .topics = {"session:3"});
    assert_got(r, "2");
    for (unsigned i = 49; i > 1; i -= 2) {
        snprintf(name, sizeof name, "session:%u", i);
        assert_int_equal(subscriber_leave(&r->s, slice_from(name)), 0);
    }
    publish_n(hub, 3, .topics = {"session:1"});
    assert_got(r, "2 3");
    assert_int_equal(r->runs, 1); /* alone with one topic again */
    assert_int_equal(subscriber_leave(&r->s, SLICE("session:1")), 0);
    hub_tick(hub);
    assert_int_equal(stats_of(hub).subscriptions, 0);
}

/* ---- Resuming ---- */

static void test_resume_meets_the_live_events(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 700; i++)
        publish_n(hub, i, .topics = {"session:a"});
    struct join_result at = join_at(r, "session:a", cursor(695));
    assert_int_equal(at.position, 695);
    publish_n(hub, 701, .topics = {"session:a"});
    turn(&fanout);
    publish_n(hub, 702, .topics = {"session:a"});
    assert_got(r, "696 697 698 699 700 701 702");
    assert_int_equal(r->caught_up, 1);
    assert_int_equal(r->missed, 6);
    assert_int_equal(r->gap_count, 0);
    /* A long history comes in pieces, each when the one before has been taken. */
    join_at(other, "session:a", beginning());
    settle(&fanout, other);
    assert_int_equal(other->got_count, 702);
    assert_int_equal(other->caught_up, 1);
    for (unsigned i = 0; i < 702; i++)
        assert_int_equal(other->got[i].frame.number, i + 1);
}

static void test_resume_with_nothing_missed(void **state)
{
    (void)state;
    publish_n(hub, 1, .topics = {"session:a"});
    join_at(r, "session:a", cursor(1));
    assert_got(r, "");
    assert_int_equal(r->caught_up, 1);
    assert_int_equal(r->missed, 0);
    publish_n(hub, 2, .topics = {"session:a"});
    assert_got(r, "2");
}

static void test_failed_resume_is_live_at_once(void **state)
{
    (void)state;
    publish_n(hub, 1, .topics = {"session:a"});
    struct join_result at = join_at(r, "session:a", cursor(7));
    assert_int_equal(at.reason, RESUME_INVALID);
    publish_n(hub, 2, .topics = {"session:a"});
    assert_got(r, "2");
    assert_int_equal(r->caught_up, 0);
}

static void test_resumed_events_are_filtered(void **state)
{
    (void)state;
    subscriber_filter(&r->s, only("odd"));
    for (unsigned i = 1; i <= 6; i++)
        publish_n(hub, i, .topics = {"session:a"}, .type = i % 2 ? "odd" : "even");
    join_at(r, "session:a", beginning());
    assert_got(r, "1 3 5");
    assert_int_equal(r->missed, 3);
}

static void test_resume_of_several_topics_is_merged(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 600; i++)
        publish_n(hub, i,
                  .topics = {i % 3 == 0   ? "session:a"
                             : i % 3 == 1 ? "session:b"
                                          : "session:c"});
    publish_n(hub, 601, .topics = {"session:b", "session:a"});
    join_at(r, "session:a", cursor(0));
    join_at(r, "session:b", cursor(0));
    join_at(r, "session:c", cursor(0));
    settle(&fanout, r);
    assert_int_equal(r->got_count, 601);
    for (unsigned i = 0; i < 601; i++)
        assert_int_equal(r->got[i].frame.number, i + 1);
}

/* Going back for one topic's sake passes over what was sent through the others. */
static void test_second_topic_resumes_behind_the_first(void **state)
{
    (void)state;
    publish_n(hub, 1, .topics = {"session:b"});
    join(r, "session:a");
    publish_n(hub, 2, .topics = {"session:a"});
    publish_n(hub, 3, .topics = {"session:b", "session:a"});
    publish_n(hub, 4, .topics = {"session:a", "session:b"});
    publish_n(hub, 5, .topics = {"session:b"});
    assert_got(r, "2 3 4");
    join_at(r, "session:b", cursor(0));
    publish_n(hub, 6, .topics = {"session:a"});
    assert_got(r, "2 3 4 1 5 6");
}

/* A topic that was joined late has not brought what was published before to the reader, even when
 * it stands first in the event's list. */
static void test_event_from_before_a_join_comes_through_the_other_topic(void **state)
{
    (void)state;
    publish_n(hub, 1, .topics = {"session:a", "session:b"});
    join(r, "session:a");
    publish_n(hub, 2, .topics = {"session:a"});
    assert_got(r, "2");
    join_at(r, "session:b", cursor(0));
    assert_got(r, "2 1");
    assert_int_equal(r->got[1].frame.place, 1);
}

/* While it catches up on one topic, another one that is joined now begins now. */
static void test_join_now_while_behind(void **state)
{
    (void)state;
    publish_n(hub, 1, .topics = {"session:a"});
    publish_n(hub, 2, .topics = {"session:b"});
    publish_n(hub, 3, .topics = {"session:b", "session:a"});
    join_at(r, "session:a", cursor(0));
    join(r, "session:b");
    publish_n(hub, 4, .topics = {"session:b"});
    assert_got(r, "1 3 4");
    assert_int_equal(r->caught_up, 1);
}

static void test_leave_while_behind(void **state)
{
    (void)state;
    publish_n(hub, 1, .topics = {"session:a"});
    publish_n(hub, 2, .topics = {"session:b"});
    join_at(r, "session:a", cursor(0));
    join_at(r, "session:b", cursor(0));
    assert_int_equal(subscriber_leave(&r->s, SLICE("session:a")), 0);
    assert_got(r, "2");
    join_at(r, "session:c", cursor(0));
    assert_int_equal(subscriber_leave(&r->s, SLICE("session:c")), 0);
    assert_int_equal(subscriber_leave(&r->s, SLICE("session:b")), 0);
    assert_null(r->s.catch_up);
    assert_false(turn(&fanout));
}

/* ---- Sync ---- */

static void test_sync_hands_over_what_was_published(void **state)
{
    (void)state;
    join(r, "session:a");
    publish_n(hub, 1, .topics = {"session:a"});
    subscriber_sync(&r->s);
    reader_take_all(r);
    assert_string_equal(numbers(r), "1");
    assert_int_equal(subscriber_position(&r->s), 1);
    assert_false(fanout_drain(&fanout));
}

static void test_sync_with_a_snapshot(void **state)
{
    (void)state;
    struct inbox_batch batch;
    struct buf json = {0};
    uint64_t offset;
    join(r, "session:a");
    publish_n(hub, 1, .topics = {"session:a"});
    assert_int_equal(hub_state_json(hub, SLICE("session:a"), 0, &batch, &offset, &json), 0);
    publish_n(hub, 2, .topics = {"session:a"});
    subscriber_sync_batch(&r->s, &batch);
    reader_take_all(r);
    assert_int_equal(offset, 1);
    assert_string_equal(numbers(r), "1");
    buf_fini(&json);
    assert_got(r, "1 2");
}

/* A connection that moves to another worker: there a new subscriber goes on for it. */
static void test_who_goes_on_for_another_gets_nothing_again(void **state)
{
    (void)state;
    join_at(r, "session:b", beginning());
    publish_n(hub, 1, .topics = {"session:a", "session:b"});
    publish_n(hub, 2, .topics = {"session:a"});
    settle(&fanout, r);
    assert_got(r, "1");
    uint64_t reached = subscriber_reached(&r->s, SLICE("session:b"));
    join_at(other, "session:b", (struct start_point){START_CURSOR, reached, hub_epoch(hub)});
    subscriber_had(&other->s, SLICE("session:b"), 0);
    publish_n(hub, 3, .topics = {"session:b"});
    join_at(other, "session:a", beginning());
    publish_n(hub, 4, .topics = {"session:a", "session:b"});
    settle(&fanout, other);
    assert_got(other, "2 3 4");
}

/* One topic is far ahead of another that it still reads from the beginning. */
static void test_each_topic_has_its_own_position(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 3; i++)
        publish_n(hub, i, .topics = {"session:a"});
    join(r, "session:b");
    publish_n(hub, 4, .topics = {"session:b"});
    assert_got(r, "4");
    uint64_t live = subscriber_reached(&r->s, SLICE("session:b"));
    join_at(r, "session:a", beginning());
    assert_int_equal(subscriber_reached(&r->s, SLICE("session:b")), live);
    assert_true(subscriber_reached(&r->s, SLICE("session:a")) < live - 1);
    settle(&fanout, r);
    assert_int_equal(subscriber_reached(&r->s, SLICE("session:a")), live);
}

/* ---- Memory ---- */

/* One story with everything in it. Returns false when the reader was given up. */
static bool tell_story(void)
{
    struct join_result result;
    const struct start_point now = {START_NOW, 0, 0};
    const struct start_point from_start = beginning();
    if (subscriber_join(&r->s, SLICE("session:a"), &wire, &now, &result) != 0)
        return false;
    topic_unref(result.topic);
    publish(hub, .topics = {"session:a"}, .data = "{\"n\":1}");
    turn(&fanout);
    if (subscriber_join(&r->s, SLICE("session:b"), &wire, &from_start, &result) != 0)
        return false;
    topic_unref(result.topic);
    publish(hub, .topics = {"session:a", "session:b"}, .data = "{\"n\":2}");
    for (unsigned i = 0; i < 4; i++) {
        turn(&fanout);
        reader_take_all(r);
    }
    r->queue_limit = 1;
    r->stuck = true;
    for (unsigned i = 3; i < 12; i++) {
        char data[32];
        snprintf(data, sizeof data, "{\"n\":%u}", i);
        publish(hub, .topics = {i % 2 ? "session:a" : "session:b"}, .data = data);
        turn(&fanout);
    }
    r->stuck = false;
    reader_take_all(r);
    if (subscriber_leave(&r->s, SLICE("session:b")) != 0)
        return false;
    return !r->closed;
}

/* Whatever allocation fails: the reader gets every event that the hub took, or it is told to go. */
static void test_failing_allocations(void **state)
{
    (void)state;
    unsigned survived = 0;
    for (unsigned nth = 1; nth < 120; nth++) {
        struct hub_config config = roomy(1);
        reopen(&config);
        publish_n(hub, 0, .topics = {"session:a"});
        join(other, "session:a");
        memory_fail_nth(nth);
        bool lives = tell_story();
        memory_fail_nth(0);
        settle(&fanout, other);
        settle(&fanout, r);
        lives = lives && !r->closed;
        survived += lives;
        uint64_t last = 0;
        for (unsigned i = 0; i < r->got_count; i++) {
            assert_true(r->got[i].frame.seq > last);
            last = r->got[i].frame.seq;
        }
        /* session:a has everything that the other reader got. */
        unsigned a_events = 0;
        for (unsigned i = 0; i < r->got_count; i++)
            for (unsigned k = 0; k < other->got_count; k++)
                a_events += other->got[k].frame.seq == r->got[i].frame.seq;
        if (lives && !other->closed)
            assert_int_equal(a_events, other->got_count);
    }
    assert_true(survived > 20);
}

/* A reader whose second join fails goes on with what it had. */
static void test_failing_join_changes_nothing(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth < 20; nth++)
        for (unsigned resumes = 0; resumes < 2; resumes++) {
            struct hub_config config = roomy(1);
            const struct start_point start =
                resumes ? beginning() : (struct start_point){START_NOW, 0, 0};
            struct join_result result;
            reopen(&config);
            publish_n(hub, 1, .topics = {"session:b"});
            join(r, "session:a");
            memory_fail_nth(nth);
            int error = subscriber_join(&r->s, SLICE("session:b"), &wire, &start, &result);
            memory_fail_nth(0);
            topic_unref(result.topic);
            publish_n(hub, 2, .topics = {"session:a"});
            if (error)
                assert_got(r, "2");
            else
                assert_got(r, resumes ? "1 2" : "2");
            assert_int_equal(r->s.count, error ? 1 : 2);
            assert_false(r->closed);
        }
}

/* A frame that cannot be built makes everybody read it from history, behind what is in the run. */
static void test_frame_without_memory(void **state)
{
    (void)state;
    char *data = memory_zero(5001);
    memset(data, ' ', 5000);
    memcpy(data, "{\"n\":2}", 7);
    join(r, "session:a");
    join(other, "session:a");
    subscriber_filter(&other->s, only("made_up"));
    publish_n(hub, 1, .topics = {"session:a"});
    publish(hub, .topics = {"session:a"}, .data = data);
    publish_n(hub, 3, .topics = {"session:a"});
    memory_fail_above(4000);
    fanout_drain(&fanout);
    memory_fail_above(0);
    memory_free(data);
    settle(&fanout, other);
    assert_got(r, "1 2 3");
    assert_string_equal(numbers(other), "1 2 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_solo_readers_share_a_run),
        TEST(test_large_runs),
        TEST(test_a_group_per_encoding),
        TEST(test_filters),
        TEST(test_filter_changes_in_mid_turn),
        TEST(test_several_topics_in_node_order),
        TEST(test_ephemeral_events),
        TEST(test_join_in_mid_turn_gets_nothing_old),
        TEST(test_leave_in_mid_turn),
        TEST(test_second_topic_in_mid_turn),
        TEST(test_many_topics_come_and_go),
        TEST(test_resume_meets_the_live_events),
        TEST(test_resume_with_nothing_missed),
        TEST(test_failed_resume_is_live_at_once),
        TEST(test_resumed_events_are_filtered),
        TEST(test_resume_of_several_topics_is_merged),
        TEST(test_second_topic_resumes_behind_the_first),
        TEST(test_event_from_before_a_join_comes_through_the_other_topic),
        TEST(test_join_now_while_behind),
        TEST(test_leave_while_behind),
        TEST(test_sync_hands_over_what_was_published),
        TEST(test_sync_with_a_snapshot),
        TEST(test_who_goes_on_for_another_gets_nothing_again),
        TEST(test_each_topic_has_its_own_position),
        TEST(test_failing_allocations),
        TEST(test_failing_join_changes_nothing),
        TEST(test_frame_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
