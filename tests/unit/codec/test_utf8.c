/* UTF-8 validation, whole and in pieces, and repair. */
#include "../test.h"

#include "codec/utf8.h"

#define TEXT(literal)                   \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }

static const struct slice valid[] = {
    TEXT(""),
    TEXT("\0"),
    TEXT("plain ASCII, longer than a word"),
    TEXT("\xC2\x80\xDF\xBF"),
    TEXT("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"),
    TEXT("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"),
    TEXT("Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xC3\xA4\xC3\xBC\xC3\xA0\xC3\xA1-UTF-8!!"),
    TEXT("\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5"),
};

/* Each is invalid already behind `at` bytes. */
static const struct {
    struct slice text;
    size_t at;
} invalid[] = {
    {TEXT("\x80"), 1},
    {TEXT("\xBF"), 1},
    {TEXT("a\xC0\x80"), 2},
    {TEXT("\xC1\xBF"), 1},
    {TEXT("\xC2 "), 2},
    {TEXT("\xC2\xC2"), 2},
    {TEXT("\xE0\x9F\xBF"), 2},
    {TEXT("\xE1\x80 "), 3},
    {TEXT("\xED\xA0\x80"), 2},
    {TEXT("\xED\xBF\xBF"), 2},
    {TEXT("\xF0\x8F\xBF\xBF"), 2},
    {TEXT("\xF1\x80\x80\xFF"), 4},
    {TEXT("\xF4\x90\x80\x80"), 2},
    {TEXT("\xF5\x80\x80\x80"), 1},
    {TEXT("\xF8\x88\x80\x80\x80"), 1},
    {TEXT("\xFE"), 1},
    {TEXT("\xFF"), 1},
    {TEXT("12345678\xCE\xBA\xF4\x90"), 12},
};

static void test_whole_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        assert_true(utf8_valid(valid[i]));
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        assert_false(utf8_valid(invalid[i].text));
    assert_true(utf8_valid(slice_of(NULL, 0)));
}

static void test_truncated_texts_are_incomplete(void **state)
{
    (void)state;
    const struct slice cut[] = {TEXT("\xC2"), TEXT("a\xE0"),    TEXT("\xE0\xA0"),
                                TEXT("\xF4"), TEXT("\xF4\x8F"), TEXT("\xF4\x8F\xBF")};
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        struct utf8_state s = {0};
        assert_true(utf8_feed(&s, cut[i]));
        assert_false(utf8_complete(&s));
        assert_false(utf8_valid(cut[i]));
    }
}

static void test_every_split_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        for (size_t at = 0; at <= valid[i].len; at++) {
            struct utf8_state s = {0};
            assert_true(utf8_feed(&s, slice_of(valid[i].ptr, at)));
            assert_true(utf8_feed(&s, slice_skip(valid[i], at)));
            assert_true(utf8_complete(&s));
        }
    }
}

static void test_errors_are_found_at_the_first_impossible_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        struct utf8_state s = {0};
        for (size_t n = 1; n <= invalid[i].at; n++)
            assert_int_equal(utf8_feed(&s, slice_of(invalid[i].text.ptr + n - 1, 1)),
                             n < invalid[i].at);
    }
}

static void test_every_code_point(void **state)
{
    (void)state;
    struct buf out = {0};
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        buf_clear(&out);
        utf8_append(&out, c);
        assert_int_equal(out.len, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        assert_true(utf8_valid(buf_slice(&out)));
        assert_int_equal(utf8_first_size(buf_slice(&out)), out.len);
    }
    buf_fini(&out);
}

static void test_first_size(void **state)
{
    (void)state;
    assert_int_equal(utf8_first_size(SLICE("a\xFF")), 1);
    assert_int_equal(utf8_first_size(SLICE("\xE2\x82\xAC\xFF")), 3);
    assert_int_equal(utf8_first_size(SLICE("\xE2\x82")), -1);
    assert_int_equal(utf8_first_size(SLICE("\xE2\x28\xA1")), 0);
    assert_int_equal(utf8_first_size(SLICE("\x80")), 0);
}

static void test_incomplete_tail(void **state)
{
    (void)state;
    assert_int_equal(utf8_incomplete_tail(SLICE("")), 0);
    assert_int_equal(utf8_incomplete_tail(SLICE("abc")), 0);
    assert_int_equal(utf8_incomplete_tail(SLICE("\xE2\x82\xAC")), 0);
    assert_int_equal(utf8_incomplete_tail(SLICE("x\xE2\x82")), 2);
    assert_int_equal(utf8_incomplete_tail(SLICE("x\xE2")), 1);
    assert_int_equal(utf8_incomplete_tail(SLICE("\xF0\x9D\x84")), 3);
    assert_int_equal(utf8_incomplete_tail(SLICE("\xF0\x9D\x84\x9E")), 0);
    /* What can never become a code point is not kept. */
    assert_int_equal(utf8_incomplete_tail(SLICE("\xE0\x80")), 0);
    assert_int_equal(utf8_incomplete_tail(SLICE("\x80\x80\x80\x80")), 0);
    assert_int_equal(utf8_incomplete_tail(SLICE("\xFF")), 0);
}

static void check_repaired(struct slice text, struct slice expected)
{
    struct buf out = {0};
    utf8_append_repaired(&out, text);
    assert_true(slice_equal(buf_slice(&out), expected));
    buf_fini(&out);
}

#define BAD "\xEF\xBF\xBD"

/* The examples of the Unicode Standard, 3.9 ("U+FFFD Substitution of Maximal Subparts"). */
static void test_repair_replaces_maximal_subparts(void **state)
{
    (void)state;
    check_repaired(SLICE("plain"), SLICE("plain"));
    check_repaired(SLICE("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
                   SLICE(BAD BAD BAD BAD BAD BAD BAD BAD "A"));
    check_repaired(SLICE("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
                   SLICE(BAD BAD BAD BAD BAD BAD BAD BAD "A"));
    check_repaired(SLICE("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
                   SLICE(BAD BAD BAD BAD BAD "A" BAD BAD "B"));
    check_repaired(SLICE("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), SLICE(BAD BAD BAD BAD "A"));
    check_repaired(SLICE("a\xF0\x9D\x84"), SLICE("a" BAD));
}

static void test_valid_prefix(void **state)
{
    (void)state;
    size_t bad;
    assert_int_equal(utf8_valid_prefix(SLICE("abc"), &bad), 3);
    assert_int_equal(bad, 0);
    assert_int_equal(utf8_valid_prefix(SLICE("\xC3\xA9\xE2\x82x"), &bad), 2);
    assert_int_equal(bad, 2);
    assert_int_equal(utf8_valid_prefix(SLICE("\xFFz"), &bad), 0);
    assert_int_equal(bad, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_texts),
        cmocka_unit_test(test_truncated_texts_are_incomplete),
        cmocka_unit_test(test_every_split_gives_the_same),
        cmocka_unit_test(test_errors_are_found_at_the_first_impossible_byte),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_first_size),
        cmocka_unit_test(test_incomplete_tail),
        cmocka_unit_test(test_repair_replaces_maximal_subparts),
        cmocka_unit_test(test_valid_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
