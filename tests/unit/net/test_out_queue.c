/* The output queue: order, counting, dropping, compacting. */
#include "../test.h"

#include <stdio.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "net/out_queue.h"

static struct out_queue_pool pool;
static struct out_queue *q;

static int open_queue(void **state)
{
    (void)state;
    q = out_queue_new(&pool);
    return 0;
}

static int close_queue(void **state)
{
    (void)state;
    memory_fail_nth(0);
    out_queue_free(&pool, q);
    out_queue_pool_fini(&pool);
    return 0;
}

static int push_bytes(enum out_class kind, struct bytes *bytes, uint32_t offset, uint32_t length,
                      uint64_t first_seq)
{
    const struct out_segment s = {bytes, offset, length, first_seq, (uint8_t)kind, true};
    return out_queue_push(q, &s);
}

static void push(enum out_class kind, const char *text, uint64_t first_seq)
{
    struct bytes *bytes = bytes_try_copy(slice_from(text));
    assert_int_equal(push_bytes(kind, bytes, 0, bytes->len, first_seq), 0);
    bytes_unref(bytes);
}

/* All that waits. */
static const char *content(void)
{
    static char text[8192];
    size_t at = 0;
    uint64_t events = 0, control = 0;
    for (uint32_t i = 0; i < q->count; i++) {
        const struct out_segment *s = out_queue_at(q, i);
        memcpy(text + at, s->bytes->data + s->offset, s->length);
        at += s->length;
        *(s->kind == OUT_CONTROL ? &control : &events) += s->counted ? s->length : 0;
    }
    text[at] = '\0';
    assert_int_equal(q->bytes, at);
    assert_int_equal(q->event_bytes, events);
    assert_int_equal(q->control_bytes, control);
    return text;
}

static void test_order_over_growth(void **state)
{
    (void)state;
    char expected[512] = "", letters[4];
    for (unsigned i = 0; i < 50; i++) {
        snprintf(letters, sizeof letters, "%02u ", i);
        push(i % 3 ? OUT_EVENTS : OUT_CONTROL, letters, i);
        strcat(expected, letters);
        /* The ring wraps before it grows. */
        if (i == 2) {
            out_queue_advance(q, 6);
            memmove(expected, expected + 6, strlen(expected) - 5);
        }
    }
    assert_string_equal(content(), expected);
    assert_int_equal(q->count, 48);
}

static void test_advance(void **state)
{
    (void)state;
    push(OUT_CONTROL, "abc", 0);
    push(OUT_EVENTS, "def", 1);
    out_queue_advance(q, 2);
    assert_true(q->begun);
    assert_string_equal(content(), "cdef");
    out_queue_advance(q, 1);
    assert_false(q->begun);
    out_queue_advance(q, 2);
    assert_true(q->begun);
    assert_string_equal(content(), "f");
    out_queue_advance(q, 1);
    assert_int_equal(q->count, 0);
    assert_false(q->begun);
    assert_int_equal(q->bytes, 0);
}

/* Frames of one run that come after each other are one segment. */
static void test_neighbours_are_merged(void **state)
{
    (void)state;
    struct bytes *run = bytes_try_copy(SLICE("abcdef"));
    push_bytes(OUT_EVENTS, run, 0, 2, 5);
    push_bytes(OUT_EVENTS, run, 2, 2, 6);
    assert_int_equal(q->count, 1);
    push_bytes(OUT_EVENTS, run, 5, 1, 8);
    push_bytes(OUT_CONTROL, run, 5, 1, 0);
    assert_int_equal(q->count, 3);
    assert_string_equal(content(), "abcdff");
    uint64_t first = 100;
    assert_int_equal(out_queue_drop_events(q, &first), 5);
    assert_int_equal(first, 5);
    assert_string_equal(content(), "f");
    bytes_unref(run);
}

static void test_dropping_keeps_what_has_begun_and_control(void **state)
{
    (void)state;
    uint64_t first = 77;
    assert_int_equal(out_queue_drop_events(q, &first), 0);
    assert_int_equal(first, 77);
    push(OUT_EVENTS, "abc", 1);
    push(OUT_CONTROL, "C", 0);
    push(OUT_EVENTS, "def", 2);
    push(OUT_HISTORY, "old", 0);
    push(OUT_EVENTS, "ghi", 3);
    push(OUT_CONTROL, "D", 0);
    out_queue_advance(q, 1);
    assert_int_equal(out_queue_drop_events(q, &first), 6);
    assert_int_equal(first, 2);
    assert_string_equal(content(), "bcColdD");
    assert_int_equal(out_queue_drop_events(q, &first), 0);
    out_queue_advance(q, 2);
    push(OUT_EVENTS, "x", 9);
    assert_int_equal(out_queue_drop_events(q, &first), 1);
    assert_int_equal(first, 9);
    assert_string_equal(content(), "ColdD");
}

/* TLS counts its records: whatever is sealed first must be sent first, and before what is not. */
static void test_sealed_records_stay_in_front_in_their_order(void **state)
{
    (void)state;
    uint64_t first = 0;
    push(OUT_EVENTS, "abc", 1);
    push(OUT_EVENTS, "def", 2);
    assert_int_equal(out_queue_push_sealed(q, SLICE("[1]")), 0);
    assert_int_equal(out_queue_push_sealed(q, SLICE("[2]")), 0);
    assert_string_equal(content(), "[1][2]abcdef");
    out_queue_advance(q, 2);
    assert_int_equal(out_queue_push_sealed(q, SLICE("[3]")), 0);
    assert_string_equal(content(), "][2][3]abcdef");
    assert_int_equal(out_queue_drop_events(q, &first), 6);
    assert_string_equal(content(), "][2][3]");
    out_queue_advance(q, 7);
    assert_int_equal(out_queue_push_sealed(q, SLICE("[4]")), 0);
    assert_string_equal(content(), "[4]");
}

static void test_what_is_left_of_a_taken_segment_is_not_dropped(void **state)
{
    (void)state;
    uint64_t first = 0;
    push(OUT_EVENTS, "abc", 1);
    push(OUT_EVENTS, "def", 2);
    out_queue_take(q, 2);
    assert_int_equal(out_queue_push_sealed(q, SLICE("[ab]")), 0);
    assert_int_equal(out_queue_drop_events(q, &first), 3);
    assert_int_equal(first, 2);
    assert_string_equal(content(), "[ab]c");
    push(OUT_EVENTS, "ghi", 3);
    out_queue_advance(q, 4);
    out_queue_take(q, 1);
    assert_int_equal(out_queue_drop_events(q, &first), 3);
    assert_int_equal(q->count, 0);
}

static void test_first_dropped_is_the_smallest(void **state)
{
    (void)state;
    uint64_t first = 12;
    push(OUT_EVENTS, "b", 9);
    push(OUT_EVENTS, "a", 4);
    push(OUT_EVENTS, "c", 10);
    assert_int_equal(out_queue_drop_events(q, &first), 3);
    assert_int_equal(first, 4);
    assert_int_equal(q->count, 0);
}

static void test_push_front(void **state)
{
    (void)state;
    struct bytes *rest = bytes_try_copy(SLICE("rest of it"));
    const struct out_segment s = {rest, 5, 5, 0, OUT_EVENTS, true};
    for (unsigned i = 0; i < 5; i++)
        push(OUT_CONTROL, "c", 0);
    assert_int_equal(out_queue_push_front(q, &s), 0);
    q->begun = true;
    assert_string_equal(content(), "of itccccc");
    uint64_t first = 0;
    assert_int_equal(out_queue_drop_events(q, &first), 0);
    bytes_unref(rest);
}

/* A small piece of a large run does not keep the run alive. */
static void test_compact(void **state)
{
    (void)state;
    struct bytes *run = bytes_try_new(10000);
    memset(run->data, 'r', 10000);
    run->len = 10000;
    push_bytes(OUT_EVENTS, run, 100, 10, 1);
    push_bytes(OUT_EVENTS, run, 5000, 5000, 2);
    assert_int_equal(run->refs, 3);
    assert_true(out_queue_compact(q));
    assert_int_equal(run->refs, 2);
    assert_int_equal(q->bytes, 5010);
    bytes_unref(run);
    assert_int_equal(strlen(content()) > 0, 1);
}

static void test_without_memory(void **state)
{
    (void)state;
    struct bytes *small = bytes_try_copy(SLICE("x")), *large = bytes_try_new(1000);
    large->len = 1000;
    for (unsigned i = 0; i < OUT_INLINE; i++)
        push(OUT_EVENTS, "y", i);
    memory_fail_nth(1);
    assert_int_equal(push_bytes(OUT_EVENTS, small, 0, 1, 9), FAN_E_NO_MEMORY);
    assert_int_equal(small->refs, 1);
    assert_string_equal(content(), "yyyy");
    out_queue_advance(q, 1);
    push_bytes(OUT_EVENTS, large, 0, 1, 9);
    memory_fail_nth(1);
    assert_false(out_queue_compact(q));
    assert_int_equal(q->bytes, 4);
    memory_fail_nth(1);
    assert_null(out_queue_new(&pool));
    bytes_unref(small);
    bytes_unref(large);
}

/* A queue that was used before is as empty as a new one. */
static void test_spare_queues(void **state)
{
    (void)state;
    struct out_queue *before = q;
    push(OUT_CONTROL, "x", 0);
    for (unsigned i = 0; i < OUT_INLINE; i++)
        push(OUT_EVENTS, "y", i);
    out_queue_advance(q, 2);
    out_queue_free(&pool, q);
    memory_fail_nth(1); /* none is allocated */
    q = out_queue_new(&pool);
    memory_fail_nth(0);
    assert_ptr_equal(q, before);
    assert_string_equal(content(), "");
    push(OUT_EVENTS, "z", 1);
    assert_string_equal(content(), "z");
}

static void test_spare_queues_are_few(void **state)
{
    (void)state;
    static struct out_queue *many[OUT_SPARE_MAX + 10];
    for (unsigned i = 0; i < OUT_SPARE_MAX + 10; i++)
        many[i] = out_queue_new(&pool);
    for (unsigned i = 0; i < OUT_SPARE_MAX + 10; i++)
        out_queue_free(&pool, many[i]);
    assert_int_equal(pool.count, OUT_SPARE_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_queue, close_queue)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order_over_growth),
        TEST(test_advance),
        TEST(test_neighbours_are_merged),
        TEST(test_dropping_keeps_what_has_begun_and_control),
        TEST(test_sealed_records_stay_in_front_in_their_order),
        TEST(test_what_is_left_of_a_taken_segment_is_not_dropped),
        TEST(test_first_dropped_is_the_smallest),
        TEST(test_push_front),
        TEST(test_compact),
        TEST(test_without_memory),
        TEST(test_spare_queues),
        TEST(test_spare_queues_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
