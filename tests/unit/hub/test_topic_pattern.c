/* Patterns of topics. */
#include "../test.h"

#include "hub/topic_pattern.h"

static void test_match(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *topic;
        bool match;
    } cases[] = {
        {"session:a", "session:a", true},
        {"session:a", "session:ab", false},
        {"session:a", "session:A", false},
        {"session:*", "session:", true},
        {"session:*", "session:a/b:c", true},
        {"session:*", "sessions:a", false},
        {"session:*", "project:session:a", false},
        {"*", "global", true},
        {"*", "", true},
        {"**", "x", true},
        {"*:a", "session:a", true},
        {"*a*b*", "xxaxxbxx", true},
        {"*a*b*", "xxbxxaxx", false},
        {"project:550e*", "project:550e8400", true},
        {"project:550e*", "project:550", false},
        {"a*a", "a", false},
        {"a*a", "aa", true},
        {"", "", true},
        {"", "x", false},
        /* Many stars against a text that never fits end soon. */
        {"*a*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (topic_pattern_match(slice_from(cases[i].pattern), slice_from(cases[i].topic)) !=
            cases[i].match)
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].topic);
}

static void test_valid(void **state)
{
    (void)state;
    char longest[391];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_true(topic_pattern_valid(SLICE("session:*")));
    assert_true(topic_pattern_valid(SLICE("user:Ada%20L.@/-_")));
    assert_true(topic_pattern_valid(slice_of(longest, 389)));
    assert_false(topic_pattern_valid(slice_of(longest, 390)));
    assert_false(topic_pattern_valid(SLICE("")));
    assert_false(topic_pattern_valid(SLICE("session:a b")));
    assert_false(topic_pattern_valid(SLICE("session:\0")));
    assert_false(topic_pattern_valid(SLICE("session:\xc3\xa4")));
    assert_false(topic_pattern_valid(SLICE("session:\"")));
}

static void test_find(void **state)
{
    (void)state;
    char texts[3][10] = {"session:*", "global", "*"};
    char *patterns[] = {texts[0], texts[1], texts[2]};
    assert_ptr_equal(topic_pattern_find(patterns, 3, SLICE("global")), patterns[1]);
    assert_ptr_equal(topic_pattern_find(patterns, 3, SLICE("agent:x")), patterns[2]);
    assert_null(topic_pattern_find(patterns, 2, SLICE("agent:x")));
    assert_null(topic_pattern_find(NULL, 0, SLICE("agent:x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
