/* Buffers, maps, slabs, lists, the clock and the timer wheel. */
#include "../test.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "fanfare/error.h"

static void test_buf_grows_and_takes(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    buf_append_u64(&b, UINT64_MAX);
    assert_true(slice_starts(buf_slice(&b), "0,1,2,3,"));
    char *text = buf_take(&b);
    assert_string_equal(text + strlen(text) - 24, "999,18446744073709551615");
    assert_int_equal(b.len, 0);
    memory_free(text);
}

static void test_buf_failure_is_sticky(void **state)
{
    (void)state;
    struct buf b = {.limit = 10};
    buf_append_text(&b, "123456789");
    buf_append_text(&b, "ab");
    assert_true(b.failed);
    buf_append_text(&b, "c");
    assert_int_equal(b.len, 9);
    assert_null(buf_take(&b));
    b = (struct buf){0};
    memory_fail_nth(1);
    buf_append_text(&b, "x");
    assert_true(b.failed);
    buf_fini(&b);
}

static void test_buf_consume(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_append_text(&b, "hello world");
    buf_consume(&b, 6);
    assert_string_equal(buf_text(&b), "world");
    buf_consume(&b, 99);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

struct item {
    char name[24];
};

static struct slice item_key(const void *object)
{
    return slice_from(((const struct item *)object)->name);
}

static void test_map_put_get_remove(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct item *items = memory_zero(COUNT * sizeof *items);
    struct map m;
    map_init(&m, item_key);
    assert_null(map_get(&m, SLICE("x")));
    for (int i = 0; i < COUNT; i++) {
        snprintf(items[i].name, sizeof items[i].name, "item-%d", i);
        map_put(&m, &items[i]);
    }
    for (int i = 0; i < COUNT; i += 2)
        assert_ptr_equal(map_remove(&m, item_key(&items[i])), &items[i]);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(map_get(&m, item_key(&items[i])), i % 2 ? &items[i] : NULL);
    assert_int_equal(m.count, COUNT / 2);
    size_t seen = 0;
    MAP_EACH (i, &m)
        seen++;
    assert_int_equal(seen, COUNT / 2);
    map_fini(&m);
    memory_free(items);
}

static void test_slab_reuses(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 100);
    char *first = slab_try_take(&s);
    first[0] = 'x';
    slab_give(&s, first);
    char *again = slab_try_take(&s);
    assert_ptr_equal(first, again);
    assert_int_equal(again[0], 0);
    for (int i = 0; i < 2000; i++)
        assert_non_null(slab_try_take(&s));
    assert_int_equal(s.count, 2001);
    slab_fini(&s);
}

static void test_clock_round_trip(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_SIZE];
    int64_t ms;
    clock_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format(1769860800123, text);
    assert_string_equal(text, "2026-01-31T12:00:00.123Z");
    for (int64_t t = -62167219200000; t < 253402300799999; t += 86399999 * 3701LL) {
        clock_format(t, text);
        assert_int_equal(clock_parse(slice_from(text), &ms), 0);
        assert_int_equal(ms, t);
    }
    assert_int_equal(clock_parse(SLICE("2025-11-17T21:30:05.705279+02:00"), &ms), 0);
    clock_format(ms, text);
    assert_string_equal(text, "2025-11-17T19:30:05.705Z");
    assert_int_equal(clock_parse(SLICE("2025-02-29T00:00:00Z"), &ms), FAN_E_PARSE);
    assert_int_equal(clock_parse(SLICE("2025-02-28"), &ms), FAN_E_PARSE);
    assert_int_equal(clock_parse(SLICE("2025-02-28T00:00:00."), &ms), FAN_E_PARSE);
}

struct fired {
    struct wheel *wheel;
    struct wheel_timer *order[8];
    int count;
};

static void record(struct wheel_timer *t, void *arg)
{
    struct fired *f = arg;
    f->order[f->count++] = t;
}

static void test_wheel_fires_in_time(void **state)
{
    (void)state;
    static struct wheel w;
    struct wheel_timer a = {{0}, 0}, b = {{0}, 0}, c = {{0}, 0};
    struct fired f = {&w, {0}, 0};
    wheel_init(&w, 10, 1000);
    wheel_set(&w, &a, 50);
    wheel_set(&w, &b, 30000); /* several turns */
    wheel_set(&w, &c, 20);
    wheel_cancel(&w, &c);
    wheel_advance(&w, 1049, record, &f);
    assert_int_equal(f.count, 0);
    wheel_advance(&w, 1061, record, &f);
    assert_int_equal(f.count, 1);
    assert_ptr_equal(f.order[0], &a);
    wheel_advance(&w, 30999, record, &f);
    assert_int_equal(f.count, 1);
    wheel_advance(&w, 31020, record, &f);
    assert_int_equal(f.count, 2);
    assert_int_equal(w.used, 0);
}

static void test_random_text(void **state)
{
    (void)state;
    char a[33], b[33];
    random_text(a, 32);
    random_text(b, 32);
    assert_int_equal(strlen(a), 32);
    assert_string_not_equal(a, b);
}

static void test_bytes_counts(void **state)
{
    (void)state;
    struct bytes *b = bytes_try_copy(SLICE("abc"));
    bytes_ref(b);
    bytes_unref(b);
    assert_int_equal(b->refs, 1);
    bytes_unref(b);
    memory_fail_nth(1);
    assert_null(bytes_try_new(10));
}

static void test_slices(void **state)
{
    (void)state;
    struct slice rest = SLICE("a,b,,c"), head;
    int n = 0;
    while (slice_split(&rest, ',', &head))
        n++;
    assert_int_equal(n, 4);
    assert_true(slice_is(slice_trim(SLICE(" \tx ")), "x"));
    assert_true(slice_is_nocase(SLICE("UpGrade"), "upgrade"));
    assert_string_equal(fan_error_name(FAN_E_TOO_LARGE), "TOO_LARGE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_grows_and_takes), cmocka_unit_test(test_buf_failure_is_sticky),
        cmocka_unit_test(test_buf_consume),         cmocka_unit_test(test_map_put_get_remove),
        cmocka_unit_test(test_slab_reuses),         cmocka_unit_test(test_clock_round_trip),
        cmocka_unit_test(test_wheel_fires_in_time), cmocka_unit_test(test_random_text),
        cmocka_unit_test(test_bytes_counts),        cmocka_unit_test(test_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
