/* When the events of a recording are due. */
#include "../test.h"

#include "cli/replay_pace.h"

static void assert_due(struct replay_pace *p, int64_t time_ms, double due_ms)
{
    double due = replay_pace_next(p, time_ms);
    assert_true(due > due_ms - 0.001 && due < due_ms + 0.001);
}

static void test_original_pauses(void **state)
{
    struct replay_pace p = {.speed = 1, .max_idle_ms = -1};
    (void)state;
    assert_due(&p, 5000, 0);
    assert_due(&p, 5000, 0);
    assert_due(&p, 5250, 250);
    assert_due(&p, 65250, 60250);
}

static void test_speed(void **state)
{
    struct replay_pace p = {.speed = 4, .max_idle_ms = -1},
                       slow = {.speed = 0.5, .max_idle_ms = -1};
    (void)state;
    assert_due(&p, 1000, 0);
    assert_due(&p, 2000, 250);
    assert_due(&p, 2002, 250.5);
    assert_due(&slow, 0, 0);
    assert_due(&slow, 100, 200);
}

static void test_no_pause_at_max(void **state)
{
    struct replay_pace p = {.speed = 0, .max_idle_ms = -1};
    (void)state;
    assert_due(&p, 0, 0);
    assert_due(&p, 3600000, 0);
}

/* The limit is of the recording's time: --max-idle 2s --speed 2 pauses for one second. */
static void test_idle_limit(void **state)
{
    struct replay_pace p = {.speed = 2, .max_idle_ms = 2000}, none = {.speed = 1};
    (void)state;
    assert_due(&p, 0, 0);
    assert_due(&p, 1000, 500);
    assert_due(&p, 100000, 1500);
    assert_due(&p, 101000, 2000);
    assert_due(&none, 0, 0);
    assert_due(&none, 5000, 0);
}

/* Publishers may set times: they go back, and the pause that follows counts from the latest. */
static void test_time_goes_back(void **state)
{
    struct replay_pace p = {.speed = 1, .max_idle_ms = -1};
    (void)state;
    assert_due(&p, 10000, 0);
    assert_due(&p, 4000, 0);
    assert_due(&p, 10100, 100);
    assert_due(&p, -5, 100);
}

static void test_speed_texts(void **state)
{
    static const char *const bad[] = {"",    "fast", "-1",  "+2",  " 2", "2 ", "0",       "0.0001",
                                      "1e9", "nan",  "inf", "2xx", "x",  ".",  "1000001", "0x2"};
    double speed;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(replay_speed_parse(bad[i], &speed));
    assert_true(replay_speed_parse("2", &speed) && speed == 2);
    assert_true(replay_speed_parse("2x", &speed) && speed == 2);
    assert_true(replay_speed_parse("0.5", &speed) && speed == 0.5);
    assert_true(replay_speed_parse("max", &speed) && speed == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_original_pauses), cmocka_unit_test(test_speed),
        cmocka_unit_test(test_no_pause_at_max), cmocka_unit_test(test_idle_limit),
        cmocka_unit_test(test_time_goes_back),  cmocka_unit_test(test_speed_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
