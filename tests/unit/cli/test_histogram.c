/* Percentiles. */
#include "../test.h"

#include "cli/histogram.h"

static struct histogram h;

static int clear(void **state)
{
    (void)state;
    memset(&h, 0, sizeof h);
    return 0;
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(histogram_at(&h, 0.5), 0);
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 100; i++)
        histogram_add(&h, i);
    assert_int_equal(histogram_at(&h, 0.50), 50);
    assert_int_equal(histogram_at(&h, 0.99), 99);
    assert_int_equal(histogram_at(&h, 1), 100);
    assert_int_equal(histogram_at(&h, 0), 1);
}

/* Of any size, a value is found again to 1.6 %, and never below itself. */
static void test_precision(void **state)
{
    for (uint64_t value = 1; value < (uint64_t)1 << 46; value = value * 17 / 11 + 1) {
        clear(state);
        histogram_add(&h, value);
        histogram_add(&h, UINT64_MAX / 2);
        uint64_t found = histogram_at(&h, 0.5);
        assert_true(found >= value && found - value <= value / 64 + 1);
    }
}

static void test_largest(void **state)
{
    (void)state;
    histogram_add(&h, UINT64_MAX);
    assert_true(histogram_at(&h, 1) <= UINT64_MAX);
    assert_int_equal(h.count, 1);
    clear(state);
    histogram_add(&h, 1000003);
    assert_int_equal(histogram_at(&h, 0.99), 1000003); /* never above the largest */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_empty, clear),
        cmocka_unit_test_setup(test_small_values_are_exact, clear),
        cmocka_unit_test_setup(test_precision, clear),
        cmocka_unit_test_setup(test_largest, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
