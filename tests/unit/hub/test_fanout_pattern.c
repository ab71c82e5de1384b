/* Following topics by a pattern: who gets what, once, also behind and on coming back. */
#include "fanout_setup.h"

#include <limits.h>

static struct pattern_result follow_at(struct reader *reader, const char *prefix,
                                       struct start_point start)
{
    struct pattern_result result;
    assert_int_equal(
        subscriber_join_pattern(&reader->s, slice_from(prefix), &wire, &start, &result), 0);
    return result;
}

static struct pattern_result follow(struct reader *reader, const char *prefix)
{
    return follow_at(reader, prefix, (struct start_point){START_NOW, 0, 0});
}

static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *prefixes;
    } cases[] = {
        {"channel:a", "channel:"},
        {"channel:a/b", "channel: channel:a/"},
        {"channel:a/b/c", "channel: channel:a/ channel:a/b/"},
        {"channel:a:b/c", "channel: channel:a:b/"},
        {"channel:a/", "channel:"},
        {"channel://a", "channel: channel:/ channel://"},
        {"global", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        struct slice prefix;
        for (size_t at = 0; topic_prefix_next(slice_from(cases[i].name), &at, &prefix);) {
            if (out.len)
                buf_append_char(&out, ' ');
            buf_append_slice(&out, prefix);
        }
        assert_string_equal(buf_text(&out), cases[i].prefixes);
        buf_fini(&out);
    }
}

static void test_matches_at_any_depth_and_later(void **state)
{
    (void)state;
    publish_n(hub, 1, .topics = {"channel:files/a"});
    follow(r, "channel:files/");
    publish_n(hub, 2, .topics = {"channel:files/a"});
    publish_n(hub, 3, .topics = {"channel:files/b/c"}); /* a topic that was not there */
    publish_n(hub, 4, .topics = {"channel:files"});
    publish_n(hub, 5, .topics = {"channel:filesystem/a"});
    publish_n(hub, 6, .topics = {"session:files/a"});
    publish_n(hub, 7, .topics = {"channel:files/a"});
    assert_got(r, "2 3 7");
    assert_int_equal(subscriber_leave_pattern(&r->s, SLICE("channel:files/")), 0);
    assert_int_equal(subscriber_leave_pattern(&r->s, SLICE("channel:files/")), FAN_E_NOT_FOUND);
    publish_n(hub, 8, .topics = {"channel:files/a"});
    assert_got(r, "2 3 7");
}

static void test_once_however_it_follows(void **state)
{
    (void)state;
    follow(r, "channel:a/");
    follow(r, "channel:a/b/");
    join(r, "channel:a/b/c");
    publish_n(hub, 1, .topics = {"channel:a/b/c"});
    publish_n(hub, 2, .topics = {"channel:a/b/d", "channel:a/b/c"});
    publish_n(hub, 3, .topics = {"channel:a/x"});
    assert_got(r, "1 2 3");
    assert_int_equal(atomic_load(&fanout.stats.encoded[0]), 4); /* once per topic */
    assert_int_equal(subscriber_followed(&r->s), 3);
    subscriber_leave_pattern(&r->s, SLICE("channel:a/b/"));
    subscriber_leave(&r->s, SLICE("channel:a/b/c"));
    publish_n(hub, 4, .topics = {"channel:a/b/c"});
    assert_got(r, "1 2 3 4");
}

static void test_frames_are_shared_with_exact_followers(void **state)
{
    (void)state;
    follow(r, "channel:a/");
    join(other, "channel:a/b");
    for (unsigned n = 1; n <= 5; n++)
        publish_n(hub, n, .topics = {"channel:a/b"});
    assert_got(r, "1 2 3 4 5");
    assert_got(other, "1 2 3 4 5");
    assert_int_equal(atomic_load(&fanout.stats.encoded[0]), 5);
}

static void test_no_topic_is_held(void **state)
{
    (void)state;
    follow(r, "channel:a/");
    for (unsigned n = 1; n <= 5; n++)
        publish_n(hub, n, .topics = {"channel:a/b"});
    assert_got(r, "1 2 3 4 5");
    assert_true(list_empty(&fanout.groups));
    pass_time(600001);
    hub_tick(hub);
    struct hub_stats stats;
    hub_stats(hub, &stats);
    assert_int_equal(stats.topics, 0);
    publish_n(hub, 6, .topics = {"channel:a/b"}); /* a topic of that name again */
    assert_got(r, "1 2 3 4 5 6");
}

/* ---- Behind ---- */

static void stick(struct reader *reader)
{
    reader->stuck = true;
    reader->queue_limit = 100;
}

static void test_slow_reader_misses_nothing(void **state)
{
    (void)state;
    follow(r, "channel:a/");
    stick(r);
    for (unsigned n = 1; n <= 20; n++) {
        publish_n(hub, n,
                  .topics = {n % 2   ? "channel:a/x"
                             : n % 3 ? "channel:a/y"
                                     : "channel:a/z"});
        turn(&fanout);
    }
    assert_non_null(r->s.catch_up);
    publish_n(hub, 21, .topics = {"channel:a/new"});
    turn(&fanout);
    r->stuck = false;
    assert_got(r, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21");
    assert_null(r->s.catch_up);
    assert_int_equal(r->s.count, 0); /* what it borrowed is given back */
    assert_int_equal(subscriber_followed(&r->s), 1);
    publish_n(hub, 22, .topics = {"channel:a/new"});
    assert_got(r, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22");
}

static void test_leaving_while_reading(void **state)
{
    (void)state;
    follow(r, "channel:a/");
    follow(r, "channel:b/");
    stick(r);
    for (unsigned n = 1; n <= 20; n++) {
        publish_n(hub, n, .topics = {n % 2 ? "channel:a/x" : "channel:b/x"});
        turn(&fanout);
    }
    assert_non_null(r->s.catch_up);
    unsigned even = 0, last_odd = 0;
    subscriber_leave_pattern(&r->s, SLICE("channel:a/"));
    publish_n(hub, 21, .topics = {"channel:a/x"});
    publish_n(hub, 22, .topics = {"channel:b/x"});
    r->stuck = false;
    settle(&fanout, r);
    for (unsigned i = 0; i < r->got_count; i++) {
        even += r->got[i].frame.number % 2 == 0;
        last_odd = r->got[i].frame.number % 2 ? r->got[i].frame.number : last_odd;
    }
    assert_int_equal(even, 11);
    assert_true(last_odd < 20); /* only what was on its way */
    assert_int_equal(subscriber_leave_pattern(&r->s, SLICE("channel:b/")), 0);
    assert_null(r->s.catch_up);
}

static void test_inbox_overflow(void **state)
{
    (void)state;
    follow(r, "channel:a/");
    for (unsigned n = 1; n <= INBOX_MAX_EVENTS + 10; n++)
        publish_n(hub, n, .topics = {n % 2 ? "channel:a/x" : "channel:a/y"});
    settle(&fanout, r);
    assert_int_equal(r->got_count, INBOX_MAX_EVENTS + 10);
    for (unsigned n = 0; n < r->got_count; n++)
        assert_int_equal(r->got[n].frame.number, n + 1);
}

/* ---- Resuming ---- */

static void test_resume(void **state)
{
    (void)state;
    publish_n(hub, 1, .topics = {"channel:a/x"});
    publish_n(hub, 2, .topics = {"channel:a/y"});
    publish_n(hub, 3, .topics = {"channel:b"});
    publish_n(hub, 4, .topics = {"channel:a/z"});
    struct pattern_result result = follow_at(r, "channel:a/", cursor(1));
    assert_int_equal(result.reason, RESUME_OK);
    publish_n(hub, 5, .topics = {"channel:a/x"});
    assert_got(r, "2 4 5");
    follow_at(other, "channel:a/", beginning());
    assert_got(other, "1 2 4 5");
}

static void test_resume_that_cannot_be(void **state)
{
    (void)state;
    publish_n(hub, 1, .topics = {"channel:a/x"});
    struct start_point foreign = {START_CURSOR, 1, 77};
    assert_int_equal(follow_at(r, "channel:a/", foreign).reason, RESUME_EPOCH_CHANGED);
    assert_int_equal(follow_at(r, "channel:b/", cursor(9)).reason, RESUME_INVALID);
    pass_time(600001);
    hub_tick(hub); /* the log of channel:a/x is lost */
    assert_int_equal(follow_at(other, "channel:a/", cursor(0)).reason, RESUME_EPOCH_CHANGED);
    assert_int_equal(follow_at(other, "channel:b/", cursor(1)).reason, RESUME_OK);
    publish_n(hub, 2, .topics = {"channel:a/x"});
    assert_got(r, "2");
}

static void test_resume_of_what_was_trimmed(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    config.kinds[TOPIC_CHANNEL].count = 2;
    reopen(&config);
    for (unsigned n = 1; n <= 5; n++)
        publish_n(hub, n, .topics = {"channel:a/x"});
    follow_at(r, "channel:a/", cursor(1));
    assert_got(r, "4 5");
    assert_int_equal(r->gap_count, 1);
    assert_int_equal(r->gaps[0].from, 2);
    assert_int_equal(r->gaps[0].to, 3);
    assert_string_equal(r->gaps[0].reason, "trimmed");
}

/* What it has in one way it does not get again in the other. */
static void test_resuming_what_it_hears_already(void **state)
{
    (void)state;
    publish_n(hub, 1, .topics = {"channel:a/x"});
    publish_n(hub, 2, .topics = {"channel:a/x"});
    follow(r, "channel:a/");
    publish_n(hub, 3, .topics = {"channel:a/x"});
    assert_got(r, "3");
    join_at(r, "channel:a/x", cursor(1));
    publish_n(hub, 4, .topics = {"channel:a/x"});
    assert_got(r, "3 2 4");

    join(other, "channel:a/x");
    publish_n(hub, 5, .topics = {"channel:a/x"});
    assert_got(other, "5");
    follow_at(other, "channel:a/", cursor(2));
    publish_n(hub, 6, .topics = {"channel:a/x"});
    assert_got(other, "5 3 4 6");
}

/* Each allocation fails once: who cannot be served is closed or refused, nobody else suffers, and
 * nothing leaks. */
static void test_no_memory(void **state)
{
    for (unsigned nth = 1; nth <= 60; nth++) {
        struct pattern_result result;
        publish_n(hub, 1, .topics = {"channel:a/x"});
        publish_n(hub, 2, .topics = {"channel:a/y"});
        join(other, "channel:a/x");
        const struct start_point start = cursor(0);
        memory_fail_nth(nth);
        int error = subscriber_join_pattern(&r->s, SLICE("channel:a/"), &wire, &start, &result);
        memory_fail_nth(0);
        if (error)
            assert_int_equal(error, FAN_E_NO_MEMORY);
        publish_n(hub, 3, .topics = {"channel:a/x"});
        publish_n(hub, 4, .topics = {"channel:a/z"});
        if (error || r->closed)
            settle(&fanout, r);
        else
            assert_got(r, "1 2 3 4");
        assert_got(other, "3");
        close_fanout(state);
        open_fanout(state);
    }
}

/* Falling behind without memory closes the reader, who is told where to resume. */
static void test_no_memory_to_fall_behind(void **state)
{
    for (unsigned nth = 1; nth <= 40; nth++) {
        follow(r, "channel:a/");
        stick(r);
        for (unsigned n = 1; n <= 12; n++)
            publish_n(hub, n, .topics = {n % 2 ? "channel:a/x" : "channel:a/y"});
        memory_fail_nth(nth);
        for (unsigned i = 0; i < 6; i++)
            turn(&fanout);
        memory_fail_nth(0);
        r->stuck = false;
        settle(&fanout, r);
        if (!r->closed)
            assert_string_equal(numbers(r), "1 2 3 4 5 6 7 8 9 10 11 12");
        close_fanout(state);
        open_fanout(state);
    }
}

/* ---- Anything in any order ---- */

#define TOPICS 7
static const char *const topics[TOPICS] = {"channel:a",     "channel:a/x",   "channel:a/y",
                                           "channel:a/x/1", "channel:a/x/2", "channel:b/x",
                                           "channel:b/y"};
#define PATTERNS 4
static const char *const prefixes[PATTERNS] = {"channel:a/", "channel:a/x/", "channel:b/",
                                               "channel:"};

#define NEVER UINT_MAX

/* Events behind these numbers are followed. */
struct expectation {
    unsigned topic_from[TOPICS], pattern_from[PATTERNS];
    unsigned char *wanted; /* by number of event: 0 no, 1 yes, 2 perhaps */
    unsigned char *most;   /* how often it may come: again when it was left and resumed */
};

static unsigned random_below(unsigned n)
{
    unsigned x;
    fake_random(&x, sizeof x);
    return x % n;
}

static bool matches(unsigned topic, unsigned pattern)
{
    return slice_begins(slice_from(topics[topic]), slice_from(prefixes[pattern]));
}

static bool covers(const struct expectation *e, unsigned topic, unsigned n)
{
    bool any = n > e->topic_from[topic];
    for (unsigned p = 0; p < PATTERNS; p++)
        any |= n > e->pattern_from[p] && matches(topic, p);
    return any;
}

static void follow_or_leave(struct reader *reader, bool by_pattern, const char *name, bool leave,
                            struct start_point start)
{
    if (leave && by_pattern)
        subscriber_leave_pattern(&reader->s, slice_from(name));
    else if (leave)
        subscriber_leave(&reader->s, slice_from(name));
    else if (by_pattern)
        follow_at(reader, name, start);
    else
        join_at(reader, name, start);
}

static void change(struct reader *reader, struct expectation *e, const unsigned char *topic_of,
                   unsigned published)
{
    unsigned p = random_below(PATTERNS), t = random_below(TOPICS);
    bool by_pattern = random_below(2);
    unsigned *from = by_pattern ? &e->pattern_from[p] : &e->topic_from[t];
    bool leave = *from != NEVER, resumes = random_below(2);
    unsigned since = resumes ? random_below(published + 1) : published;
    bool *before = memory_zero((published + 1) * sizeof *before);
    for (unsigned n = 1; n <= published; n++)
        before[n] = covers(e, topic_of[n], n);
    follow_or_leave(reader, by_pattern, by_pattern ? prefixes[p] : topics[t], leave,
                    resumes ? cursor(since) : (struct start_point){0});
    *from = leave ? NEVER : since;
    for (unsigned n = 1; n <= published; n++) {
        bool after = covers(e, topic_of[n], n);
        if (before[n] && !after && e->wanted[n] == 1)
            e->wanted[n] = 2; /* unless it has it already */
        if (!before[n] && after) {
            e->wanted[n] = 1;
            e->most[n]++;
        }
    }
    memory_free(before);
}

/* Whether the event is in a gap of which the reader was told. */
static bool is_told(const struct reader *reader, const unsigned char *topic_of, unsigned n)
{
    uint64_t offset = 0;
    for (unsigned i = 1; i <= n; i++)
        offset += topic_of[i] == topic_of[n];
    for (unsigned i = 0; i < reader->gap_count; i++) {
        const struct reported_gap *gap = &reader->gaps[i];
        if (slice_is(topic_name_slice(gap->topic), topics[topic_of[n]]) && gap->from <= offset &&
            offset <= gap->to)
            return true;
    }
    return false;
}

static void check(const struct reader *reader, const struct expectation *e,
                  const unsigned char *topic_of, unsigned published)
{
    unsigned char *seen = memory_zero(published + 1);
    for (unsigned i = 0; i < reader->got_count; i++) {
        unsigned n = reader->got[i].frame.number;
        if (++seen[n] > e->most[n])
            fail_msg("event %u came %u times", n, seen[n]);
    }
    for (unsigned n = 1; n <= published; n++)
        if (e->wanted[n] == 1 && !seen[n] && !is_told(reader, topic_of, n))
            fail_msg("event %u is missing", n);
    memory_free(seen);
}

static void run(unsigned seed)
{
    enum { STEPS = 300 };
    struct expectation e = {.wanted = memory_zero(STEPS + 1), .most = memory_zero(STEPS + 1)};
    unsigned char topic_of[STEPS + 1];
    unsigned published = 0;
    memset(e.topic_from, 0xff, sizeof e.topic_from);
    memset(e.pattern_from, 0xff, sizeof e.pattern_from);
    random_state = seed;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned action = random_below(10);
        if (action < 6) {
            unsigned t = random_below(TOPICS);
            topic_of[++published] = (unsigned char)t;
            e.wanted[published] = e.most[published] = covers(&e, t, published);
            publish_n(hub, published, .topics = {topics[t]});
        } else if (action == 6) {
            change(r, &e, topic_of, published);
        } else if (action == 7) {
            r->stuck = random_below(2);
            r->queue_limit = r->stuck ? 200 : 1u << 20;
        } else {
            turn(&fanout);
            reader_take(r, 1 + random_below(3));
        }
    }
    r->stuck = false;
    settle(&fanout, r);
    check(r, &e, topic_of, published);
    memory_free(e.wanted);
    memory_free(e.most);
}

static void test_anything_in_any_order(void **state)
{
    for (unsigned seed = 1; seed <= 400; seed++) {
        run(seed);
        close_fanout(state);
        open_fanout(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefixes),
        TEST(test_matches_at_any_depth_and_later),
        TEST(test_once_however_it_follows),
        TEST(test_frames_are_shared_with_exact_followers),
        TEST(test_no_topic_is_held),
        TEST(test_slow_reader_misses_nothing),
        TEST(test_leaving_while_reading),
        TEST(test_inbox_overflow),
        TEST(test_resume),
        TEST(test_resume_that_cannot_be),
        TEST(test_resume_of_what_was_trimmed),
        TEST(test_resuming_what_it_hears_already),
        TEST(test_no_memory),
        TEST(test_no_memory_to_fall_behind),
        TEST(test_anything_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
