/* limits.publish: a burst of one second, then as fast as the limit says. */
#include "../test.h"

#include "api/api.h"
#include "base/clock.h"

static struct api api;
static struct identity publisher, other;

static void limit(uint64_t rate)
{
    atomic_store(&api.publish_limit, rate);
    atomic_store(&publisher.publish_ready_ns, 0);
}

static void test_no_limit(void **state)
{
    (void)state;
    limit(0);
    assert_int_equal(api_publish_quota(&api, &publisher, UINT32_MAX), 0);
}

static void test_rates(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 100, 300000, 3000000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        limit(rates[i]);
        assert_int_equal(api_publish_quota(&api, &publisher, rates[i]), 0);
        assert_in_range(api_publish_quota(&api, &publisher, 2 * rates[i]), 1900, 2001);
        assert_in_range(api_publish_quota(&api, &publisher, 0), 1800, 2001); /* only looks */
    }
}

static void test_each_has_its_own(void **state)
{
    (void)state;
    limit(100);
    assert_true(api_publish_quota(&api, &publisher, 1000) > 0);
    assert_int_equal(api_publish_quota(&api, &other, 100), 0);
}

/* Event by event it is the same: what one costs is not rounded away. */
static void test_single_events(void **state)
{
    (void)state;
    limit(700000);
    uint64_t start = clock_ns();
    for (unsigned i = 0; i < 2100000; i++)
        api_publish_quota(&api, &publisher, 1);
    uint64_t took_ms = (clock_ns() - start) / 1000000;
    assert_true(took_ms > 1990 || api_publish_quota(&api, &publisher, 1) + took_ms >= 1990);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_each_has_its_own),
        cmocka_unit_test(test_single_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
