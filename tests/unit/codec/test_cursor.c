/* Cursors and epochs as text. */
#include "../test.h"

#include "codec/cursor.h"
#include "fanfare/error.h"

static void test_round_trip(void **state)
{
    (void)state;
    static const struct cursor cases[] = {
        {0, 0}, {1, 2}, {UINT64_MAX, UINT64_MAX}, {0x0123456789ABCDEFu, 0xFEDCBA9876543210u}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[CURSOR_TEXT_SIZE];
        struct cursor c;
        cursor_format(cases[i], text);
        assert_int_equal(strlen(text), CURSOR_TEXT_SIZE - 1);
        assert_int_equal(cursor_parse(slice_from(text), &c), 0);
        assert_true(c.epoch == cases[i].epoch && c.seq == cases[i].seq);
        char epoch_text[EPOCH_TEXT_SIZE];
        uint64_t epoch;
        epoch_format(cases[i].epoch, epoch_text);
        assert_int_equal(strlen(epoch_text), EPOCH_TEXT_SIZE - 1);
        assert_int_equal(epoch_parse(slice_from(epoch_text), &epoch), 0);
        assert_true(epoch == cases[i].epoch);
    }
}

static void test_known_texts(void **state)
{
    (void)state;
    char text[CURSOR_TEXT_SIZE];
    cursor_format((struct cursor){0xFBFFBFFFFFFFFFFFu, 1}, text);
    assert_string_equal(text, "-_-_______8AAAAAAAAAAQ");
    char epoch_text[EPOCH_TEXT_SIZE];
    epoch_format(1, epoch_text);
    assert_string_equal(epoch_text, "AAAAAAAAAAE");
}

static void test_malformed_texts_are_refused(void **state)
{
    (void)state;
    static const char *const cursors[] = {"",
                                          "A",
                                          "AAAAAAAAAAAAAAAAAAAAA",
                                          "AAAAAAAAAAAAAAAAAAAAAAA",
                                          "AAAAAAAAAAAAAAAAAAAAAA==",
                                          "AAAAAAAAAAAAAAAAAAAAAB", /* bits left over */
                                          "AAAAAAAAAAAAAAAAAAAAA+",
                                          "AAAAAAAAAAA/AAAAAAAAAA",
                                          "AAAAAAAAAA AAAAAAAAAAA",
                                          "\xC3\xA9zzzzzzzzzzzzzzzzzzzz"};
    struct cursor c;
    for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++)
        assert_int_equal(cursor_parse(slice_from(cursors[i]), &c), FAN_E_PARSE);
    assert_int_equal(cursor_parse(slice_of("AAAAAAAAAAAAAAAAAAAAA\0", 22), &c), FAN_E_PARSE);
    static const char *const epochs[] = {"", "AAAAAAAAAA", "AAAAAAAAAAAA", "AAAAAAAAAAB",
                                         "AAAAA=AAAAA"};
    uint64_t epoch;
    for (size_t i = 0; i < sizeof epochs / sizeof *epochs; i++)
        assert_int_equal(epoch_parse(slice_from(epochs[i]), &epoch), FAN_E_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_known_texts),
        cmocka_unit_test(test_malformed_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
