/* Readers that fall behind: catching up, gaps, policies, replays. */
#include "fanout_setup.h"

/* ---- Slow readers ---- */

static void test_lag_catch_up_live(void **state)
{
    (void)state;
    char expected[4096] = "";
    join(r, "session:a");
    r->queue_limit = 300;
    r->stuck = r->begun = true;
    for (unsigned i = 1; i <= 60; i++) {
        publish_n(hub, i, .topics = {"session:a"});
        turn(&fanout);
        snprintf(expected + strlen(expected), 8, "%s%u", i > 1 ? " " : "", i);
    }
    assert_int_equal(r->lags, 1);
    assert_int_equal(r->queue_count, 1); /* all that waited was dropped: history is the queue */
    r->stuck = false;
    reader_take_all(r);
    assert_got(r, expected);
    assert_null(r->s.catch_up);
    assert_int_equal(r->gap_count, 0);
    assert_int_equal(r->caught_up, 0); /* nothing that it asked for */
    publish_n(hub, 61, .topics = {"session:a"});
    turn(&fanout);
    strcat(expected, " 61");
    assert_got(r, expected);
}

static void test_lag_with_several_topics(void **state)
{
    (void)state;
    join(r, "session:a");
    join(r, "session:b");
    join(other, "session:a");
    r->queue_limit = 150;
    r->stuck = true;
    r->begun = true; /* part of the first piece is on its way: it is finished */
    for (unsigned i = 1; i <= 9; i++)
        publish_n(hub, i, .topics = {i % 2 ? "session:a" : "session:b"});
    turn(&fanout);
    assert_int_equal(r->lags, 1);
    assert_int_equal(r->queue_count, 1);
    r->stuck = false;
    reader_take_all(r);
    assert_got(r, "1 2 3 4 5 6 7 8 9");
    assert_got(other, "1 3 5 7 9");
}

/* An ephemeral event that is the first to be dropped stands behind the event whose number it
 * carries: that one was sent. */
static void test_lag_at_an_ephemeral_event(void **state)
{
    (void)state;
    for (unsigned several = 0; several < 2; several++) {
        struct hub_config config = roomy(1);
        reopen(&config);
        join(r, "session:a");
        if (several)
            join(r, "session:b");
        r->queue_limit = 1;
        r->stuck = r->begun = true;
        publish_n(hub, 1, .topics = {"session:a"});
        turn(&fanout);
        publish_n(hub, 2, .topics = {"session:a"}, .ephemeral = true);
        turn(&fanout);
        publish_n(hub, 3, .topics = {"session:a"});
        r->stuck = false;
        reader_take_all(r);
        assert_got(r, "1 3");
    }
}

static void assert_gap(const struct reader *reader, unsigned i, uint64_t from, uint64_t to,
                       const char *reason)
{
    assert_true(reader->gap_count > i);
    assert_int_equal(reader->gaps[i].from, from);
    assert_int_equal(reader->gaps[i].to, to);
    assert_string_equal(reader->gaps[i].reason, reason);
}

static void test_gap_after_trimming(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 5;
    reopen(&config);
    join(r, "session:a");
    r->queue_limit = 1;
    for (unsigned i = 1; i <= 20; i++) {
        if (i == 3)
            r->stuck = r->begun = true;
        publish_n(hub, i, .topics = {"session:a"});
        turn(&fanout);
        reader_take_all(r);
    }
    r->stuck = false; /* 3 is on its way; 4 to 15 are gone */
    reader_take_all(r);
    assert_got(r, "1 2 3 16 17 18 19 20");
    assert_int_equal(r->gap_count, 1);
    assert_gap(r, 0, 4, 15, "trimmed");
}

/* History may be trimmed before the worker even looks at what was published. */
static void test_gap_when_the_worker_comes_late(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 5;
    reopen(&config);
    join(r, "session:a");
    r->queue_limit = 1;
    r->stuck = r->begun = true;
    publish_n(hub, 1, .topics = {"session:a"});
    turn(&fanout);
    for (unsigned i = 2; i <= 20; i++)
        publish_n(hub, i, .topics = {"session:a"});
    turn(&fanout);
    r->stuck = false;
    reader_take_all(r);
    assert_got(r, "1 16 17 18 19 20");
    assert_int_equal(r->gap_count, 1);
    assert_gap(r, 0, 2, 15, "trimmed");
}

static void test_inbox_overflow(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 5;
    reopen(&config);
    join(r, "session:a");
    join(other, "session:a");
    publish_n(hub, 1, .topics = {"session:a"});
    fanout_drain(&fanout);
    for (unsigned i = 2; i <= INBOX_MAX_EVENTS + 10; i++)
        publish_n(hub, i, .topics = {"session:a"});
    settle(&fanout, other);
    assert_got(r, "1 65542 65543 65544 65545 65546");
    assert_string_equal(numbers(other), numbers(r));
    assert_int_equal(r->gap_count, 1);
    assert_int_equal(r->gaps[0].to, 65541);
    assert_true(r->gaps[0].from <= 2); /* so far back it is a lower bound */
    publish_n(hub, 7, .topics = {"session:a"});
    assert_got(r, "1 65542 65543 65544 65545 65546 7");
}

/* What was trimmed of a topic matters only as far as the reader has not got it. */
static void test_no_gap_for_what_was_got(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 2;
    reopen(&config);
    publish_n(hub, 1, .topics = {"project:b"});
    join(r, "session:a");
    for (unsigned i = 2; i <= 4; i++)
        publish_n(hub, i, .topics = {"session:a"});
    settle(&fanout, r);
    join_at(r, "project:b", cursor(0));
    for (unsigned i = 5; i <= 6; i++)
        publish_n(hub, i, .topics = {"session:a"}); /* trims 2 to 4, which it has */
    assert_got(r, "2 3 4 1 5 6");
    assert_int_equal(r->gap_count, 0);
}

/* Topics lose their events in any order of the node's sequence; each loss is told. */
static void test_gaps_in_several_topics(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 2;
    config.kinds[TOPIC_PROJECT].count = 2;
    reopen(&config);
    join(r, "project:b");
    join(r, "session:a");
    r->queue_limit = 1;
    r->stuck = r->begun = true;
    publish_n(hub, 1, .topics = {"session:a"});
    turn(&fanout);
    publish_n(hub, 2, .topics = {"project:b"});
    publish_n(hub, 3, .topics = {"project:b"});
    for (unsigned i = 4; i <= 7; i++)
        publish_n(hub, i, .topics = {"session:a"}); /* 6 and 7 are left */
    turn(&fanout);
    r->stuck = false;
    reader_take_all(r);
    fanout_read_history(&fanout); /* tells of session:a */
    assert_int_equal(r->gap_count, 1);
    assert_gap(r, 0, 2, 3, "trimmed");
    publish_n(hub, 8, .topics = {"project:b"}); /* 2 is lost, which came before 4 */
    assert_got(r, "1 3 6 7 8");
    assert_int_equal(r->gap_count, 2);
    assert_gap(r, 1, 1, 1, "trimmed");
}

static void test_policy_latest(void **state)
{
    (void)state;
    static const char *const keys[] = {"x", "y", "z"};
    join(r, "channel:search");
    r->queue_limit = 1;
    r->stuck = r->begun = true;
    for (unsigned i = 1; i <= 10; i++) {
        publish_n(hub, i, .topics = {"channel:search"}, .key = keys[i % 3]);
        turn(&fanout);
    }
    publish_n(hub, 11, .topics = {"channel:search"});
    turn(&fanout);
    r->stuck = false;
    reader_take_all(r);
    assert_got(r, "1 8 9 10 11");
    assert_int_equal(r->gap_count, 1);
    assert_gap(r, 0, 2, 7, "superseded");
    assert_int_equal(atomic_load(&fanout.stats.dropped_superseded), 6);
    publish_n(hub, 12, .topics = {"channel:search"}, .key = "x");
    assert_got(r, "1 8 9 10 11 12");
}

static void test_policy_latest_loses_history(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_CHANNEL].count = 3;
    reopen(&config);
    join(r, "channel:search");
    r->queue_limit = 1;
    r->stuck = r->begun = true;
    for (unsigned i = 1; i <= 10; i++) {
        publish_n(hub, i, .topics = {"channel:search"}, .key = i == 9 ? "a" : "b");
        turn(&fanout);
    }
    r->stuck = false;
    reader_take_all(r);
    assert_got(r, "1 9 10");
    assert_int_equal(r->gap_count, 2);
    assert_gap(r, 0, 2, 7, "trimmed");
    assert_gap(r, 1, 8, 8, "superseded");
}

static void test_policy_latest_beside_others(void **state)
{
    (void)state;
    join(r, "session:a");
    join(r, "channel:search");
    r->queue_limit = 1;
    r->stuck = r->begun = true;
    publish_n(hub, 1, .topics = {"session:a"});
    turn(&fanout);
    publish_n(hub, 2, .topics = {"session:a"});
    publish_n(hub, 3, .topics = {"channel:search"}, .key = "k");
    publish_n(hub, 4, .topics = {"channel:search", "session:a"}, .key = "k");
    publish_n(hub, 5, .topics = {"channel:search"}, .key = "k");
    publish_n(hub, 6, .topics = {"session:a"});
    turn(&fanout);
    r->stuck = false;
    reader_take_all(r);
    assert_got(r, "1 3 2 4 5 6");
    assert_int_equal(r->gap_count, 0);
}

/* What is sent ahead of others must not be taken for a place behind them. */
static void test_position_of_what_is_sent_ahead(void **state)
{
    (void)state;
    fanout.encode_context = &fanout;
    join(r, "session:a");
    join(r, "channel:search");
    r->queue_limit = 1;
    r->stuck = r->begun = true;
    publish_n(hub, 1, .topics = {"session:a"});
    turn(&fanout);
    publish_n(hub, 2, .topics = {"session:a"});
    publish_n(hub, 3, .topics = {"channel:search"}, .key = "k");
    publish_n(hub, 4, .topics = {"session:a"});
    turn(&fanout);
    r->stuck = false;
    reader_take_all(r);
    assert_got(r, "1 3 2 4");
    const uint64_t positions[] = {1, 1, 2, 4};
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(r->got[i].frame.position, positions[i]);
}

static void test_policy_disconnect(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].slow = SLOW_DISCONNECT;
    reopen(&config);
    join(r, "session:a");
    join(other, "session:a");
    r->queue_limit = 1;
    r->stuck = r->begun = true;
    for (unsigned i = 1; i <= 4; i++) {
        publish_n(hub, i, .topics = {"session:a"});
        turn(&fanout);
    }
    assert_true(r->closed);
    assert_int_equal(r->closed_at, 1); /* where it may resume */
    assert_int_equal(atomic_load(&fanout.stats.overflow_closed), 1);
    assert_got(other, "1 2 3 4");
}

/* A reader that is behind is not given more than it takes, and holds nobody up. */
static void test_slow_catch_up_is_bounded(void **state)
{
    (void)state;
    char data[1024];
    memset(data, ' ', sizeof data);
    memcpy(data, "{\"n\":1}", 7);
    data[sizeof data - 1] = '\0';
    for (unsigned i = 0; i < 2000; i++)
        publish(hub, .topics = {"session:a"}, .data = data);
    join_at(r, "session:a", beginning());
    r->stuck = true;
    for (unsigned i = 0; i < 10; i++)
        turn(&fanout);
    assert_int_equal(r->queue_count, 1);
    assert_true(r->queue_bytes < 256 * 1024);
    assert_true(list_empty(&fanout.reading));
    r->stuck = false;
    settle(&fanout, r);
    reader_take_all(r);
    settle(&fanout, r);
    assert_int_equal(r->got_count, 2000);
}

/* The bytes of one step are bounded over all topics together. */
static void test_step_of_many_topics_is_bounded(void **state)
{
    (void)state;
    char name[32];
    char *data = memory_zero(100001);
    memset(data, ' ', 100000);
    memcpy(data, "{\"n\":1}", 7);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "session:%u", i);
        publish(hub, .topics = {name}, .data = data);
        publish(hub, .topics = {name}, .data = data);
    }
    memory_free(data);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "session:%u", i);
        join_at(r, name, cursor(0));
    }
    turn(&fanout);
    assert_int_equal(r->queue_count, 1);
    assert_true(r->queue_bytes < 400000);
    reader_take_all(r);
    settle(&fanout, r);
    assert_int_equal(r->got_count, 80);
}

/* ---- Holding ---- */

static void test_hold(void **state)
{
    (void)state;
    join(r, "session:a");
    publish_n(hub, 1, .topics = {"session:a"});
    assert_int_equal(subscriber_hold(&r->s), 0);
    assert_int_equal(subscriber_hold(&r->s), 0);
    publish_n(hub, 2, .topics = {"session:a", "session:b"});
    join(r, "session:b");
    publish_n(hub, 3, .topics = {"session:b"});
    subscriber_release(&r->s);
    settle(&fanout, r);
    assert_got(r, "");
    subscriber_release(&r->s);
    assert_got(r, "1 2 3");
    publish_n(hub, 4, .topics = {"session:a"});
    assert_got(r, "1 2 3 4");
    subscriber_release(&r->s); /* it is not held */
    assert_int_equal(r->caught_up, 0);
    assert_int_equal(r->gap_count, 0);
}

static void test_hold_while_catching_up(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 3; i++)
        publish_n(hub, i, .topics = {"session:a"});
    join_at(r, "session:a", (struct start_point){START_BEGINNING, 0, 0});
    assert_int_equal(subscriber_hold(&r->s), 0);
    settle(&fanout, r);
    assert_int_equal(r->got_count, 0);
    subscriber_release(&r->s);
    assert_got(r, "1 2 3");
    assert_int_equal(r->caught_up, 1);
}

/* ---- Replays ---- */

static void test_replay(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 5; i++)
        publish_n(hub, i, .topics = {"session:a"});
    join(r, "session:a");
    publish_n(hub, 6, .topics = {"session:a"});
    fanout_drain(&fanout);
    assert_int_equal(subscriber_replay(&r->s, 2, 5), 0);
    publish_n(hub, 7, .topics = {"session:a"});
    assert_got(r, "6 3 4 5 7");
    assert_int_equal(r->caught_up, 1);
    assert_int_equal(r->missed, 3);
    assert_int_equal(r->gap_count, 0);
}

static void test_replay_while_another_one_runs(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 900; i++)
        publish_n(hub, i, .topics = {"session:a"});
    join(r, "session:a");
    publish_n(hub, 901, .topics = {"session:a"});
    settle(&fanout, r);
    assert_int_equal(subscriber_replay(&r->s, 400, 900), 0);
    turn(&fanout); /* a first piece */
    assert_int_equal(subscriber_replay(&r->s, 300, 400), 0);
    assert_int_equal(subscriber_replay(&r->s, 0, 300), 0);
    publish_n(hub, 902, .topics = {"session:a"});
    settle(&fanout, r);
    assert_int_equal(r->got_count, 902);
    assert_int_equal(r->got[1].frame.number, 401);
    assert_int_equal(r->got[501].frame.number, 1);
    assert_int_equal(r->got[901].frame.number, 902);
    assert_int_equal(r->caught_up, 2);
    assert_int_equal(r->missed, 400);
}

static void test_replay_while_catching_up(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 900; i++)
        publish_n(hub, i, .topics = {"session:a"});
    join_at(r, "session:a", cursor(300));
    turn(&fanout);
    assert_int_equal(subscriber_replay(&r->s, 0, 300), 0);
    publish_n(hub, 901, .topics = {"session:a"});
    settle(&fanout, r);
    assert_int_equal(r->got_count, 901);
    assert_int_equal(r->caught_up, 2); /* of the replay, and of the resume before it */
    assert_int_equal(r->missed, 601);
}

static void test_replay_meets_trimmed_history(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_SESSION].count = 5;
    reopen(&config);
    for (unsigned i = 1; i <= 5; i++)
        publish_n(hub, i, .topics = {"session:a"});
    join(r, "session:a");
    for (unsigned i = 6; i <= 9; i++)
        publish_n(hub, i, .topics = {"session:a"}); /* 5 to 9 are kept */
    settle(&fanout, r);
    assert_int_equal(subscriber_replay(&r->s, 2, 5), 0);
    assert_got(r, "6 7 8 9 5");
    assert_int_equal(r->gap_count, 1);
    assert_gap(r, 0, 3, 4, "trimmed");
    /* What lies behind the replay was got live: it is no gap. */
    assert_int_equal(subscriber_replay(&r->s, 0, 2), 0);
    for (unsigned i = 10; i <= 13; i++)
        publish_n(hub, i, .topics = {"session:a"});
    assert_got(r, "6 7 8 9 5 10 11 12 13");
    assert_int_equal(r->gap_count, 2);
    assert_gap(r, 1, 1, 2, "trimmed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lag_catch_up_live),
        TEST(test_lag_with_several_topics),
        TEST(test_lag_at_an_ephemeral_event),
        TEST(test_gap_after_trimming),
        TEST(test_gap_when_the_worker_comes_late),
        TEST(test_inbox_overflow),
        TEST(test_no_gap_for_what_was_got),
        TEST(test_gaps_in_several_topics),
        TEST(test_policy_latest),
        TEST(test_policy_latest_loses_history),
        TEST(test_policy_latest_beside_others),
        TEST(test_position_of_what_is_sent_ahead),
        TEST(test_policy_disconnect),
        TEST(test_slow_catch_up_is_bounded),
        TEST(test_step_of_many_topics_is_bounded),
        TEST(test_hold),
        TEST(test_hold_while_catching_up),
        TEST(test_replay),
        TEST(test_replay_while_another_one_runs),
        TEST(test_replay_while_catching_up),
        TEST(test_replay_meets_trimmed_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
