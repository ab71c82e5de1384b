/* The fan-out of one worker: who gets what, in which order, and what happens to slow readers. */
#include "fanout_fixture.h"

static struct hub *hub;
static struct fanout fanout;
static struct fake_sink sink;
static struct reader *r, *other;

static void open_with(const struct hub_config *config)
{
    hub = hub_new(config);
    fanout_init(&fanout, hub, 0, &fake_sink, &sink);
    r = reader_new(&fanout, 1u << 20);
    other = reader_new(&fanout, 1u << 20);
}

static int open_fanout(void **state)
{
    (void)state;
    struct hub_config config = roomy(2);
    open_with(&config);
    return 0;
}

static int close_fanout(void **state)
{
    (void)state;
    memory_fail_nth(0);
    reader_free(r);
    reader_free(other);
    fanout_fini(&fanout);
    hub_free(hub);
    return 0;
}

static void reopen(const struct hub_config *config)
{
    close_fanout(NULL);
    open_with(config);
}

static void assert_got(struct reader *reader, const char *expected)
{
    settle(&fanout, reader);
    assert_string_equal(numbers(reader), expected);
}

static struct start_point cursor(uint64_t seq)
{
    return (struct start_point){START_CURSOR, seq, hub_epoch(hub)};
}

static struct start_point beginning(void)
{
    return (struct start_point){START_BEGINNING, 0, 0};
}

/* Takes only these custom types. */
static struct event_filter *only(const char *type)
{
    struct event_filter *f = memory_zero(sizeof *f);
    f->custom = memory_zero(sizeof *f->custom);
    f->custom[0] = memory_copy_string(slice_from(type));
    f->custom_count = 1;
    return f;
}

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
    assert_int_equal(atomic_load(&fanout.stats.encoded), 20);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fanout, close_fanout)

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
        TEST(test_policy_disconnect),
        TEST(test_slow_catch_up_is_bounded),
        TEST(test_step_of_many_topics_is_bounded),
        TEST(test_replay),
        TEST(test_replay_while_another_one_runs),
        TEST(test_replay_while_catching_up),
        TEST(test_replay_meets_trimmed_history),
        TEST(test_sync_hands_over_what_was_published),
        TEST(test_sync_with_a_snapshot),
        TEST(test_failing_allocations),
        TEST(test_failing_join_changes_nothing),
        TEST(test_frame_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
