/* Start positions from URLs, messages and cursors. */
#include "../test.h"

#include "codec/cursor.h"
#include "dialect/resume.h"
#include "fanfare/error.h"

#define EPOCH      UINT64_C(0x0102030405060708)
#define CURSOR     "AQIDBAUGBwgAAAAAAAAAKg" /* EPOCH, 42 */
#define EPOCH_TEXT "AQIDBAUGBwg"

static void assert_start(const struct start_point *start, int kind, uint64_t offset, uint64_t epoch)
{
    assert_int_equal(start->kind, kind);
    assert_int_equal(start->offset, offset);
    assert_int_equal(start->epoch, epoch);
}

static void test_texts_of_this_test(void **state)
{
    (void)state;
    char cursor[CURSOR_TEXT_SIZE], epoch[EPOCH_TEXT_SIZE];
    cursor_format((struct cursor){EPOCH, 42}, cursor);
    epoch_format(EPOCH, epoch);
    assert_string_equal(cursor, CURSOR);
    assert_string_equal(epoch, EPOCH_TEXT);
}

static void test_cursor(void **state)
{
    (void)state;
    struct start_point start = {0};
    assert_int_equal(resume_from_cursor(SLICE(CURSOR), &start), 0);
    assert_start(&start, START_CURSOR, 42, EPOCH);
    static const char *const bad[] = {"",
                                      "0",
                                      CURSOR "A",
                                      "AQIDBAUGBwgAAAAAAAAAK",
                                      "AQIDBAUGBwgAAAAAAAAAK+",
                                      "AQIDBAUGBwgAAAAAAAAAKh"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(resume_from_cursor(slice_from(bad[i]), &start), FAN_E_INVALID);
    assert_start(&start, START_CURSOR, 42, EPOCH); /* a failure changes nothing */
}

/* ---- URLs ---- */

static void test_query(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int kind;
        uint64_t offset, epoch;
    } cases[] = {
        {"", START_NOW, 0, 0},
        {"topic=session:a&types=files", START_NOW, 0, 0},
        {"epoch=" EPOCH_TEXT, START_NOW, 0, 0}, /* an epoch alone is no position */
        {"cursor=" CURSOR, START_CURSOR, 42, EPOCH},
        {"a=b&cursor=%41QIDBAUGBwgAAAAAAAAAKg&c", START_CURSOR, 42, EPOCH},
        {"cursor=" CURSOR "&epoch=x&since=y", START_CURSOR, 42, EPOCH},
        {"since=0&epoch=" EPOCH_TEXT, START_OFFSET, 0, EPOCH},
        {"epoch=" EPOCH_TEXT "&since=999999999999999", START_OFFSET, 999999999999999, EPOCH},
        {"epoch=" EPOCH_TEXT "&since=007", START_OFFSET, 7, EPOCH},
        {"epoch=%41QIDBAUGBwg&since=%37", START_OFFSET, 7, EPOCH},
        {"epoch=gone&since=7", START_OFFSET, 7, 0}, /* simply another one */
        {"epoch=&since=7", START_OFFSET, 7, 0},
        {"since=0", START_BEGINNING, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct start_point start = {START_BEGINNING, 1, 1};
        if (resume_from_query(slice_from(cases[i].query), &start) != 0)
            fail_msg("%s: refused", cases[i].query);
        assert_start(&start, cases[i].kind, cases[i].offset, cases[i].epoch);
    }
}

static void test_refused_query(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "cursor=",
        "cursor=abc",
        "cursor=%zz",
        "cursor=" CURSOR "%20",
        "cursor=x&epoch=" EPOCH_TEXT "&since=7",
        "since=7",
        "since=&epoch=" EPOCH_TEXT,
        "since=-1&epoch=" EPOCH_TEXT,
        "since=1.0&epoch=" EPOCH_TEXT,
        "since=+1&epoch=" EPOCH_TEXT,
        "since=0x1&epoch=" EPOCH_TEXT,
        "since=1000000000000000&epoch=" EPOCH_TEXT,
        "since=%2&epoch=" EPOCH_TEXT,
        "since=7&epoch=%2",
        "since=0&epoch=%2",
    };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct start_point start = {START_BEGINNING, 1, 1};
        if (resume_from_query(slice_from(queries[i]), &start) != FAN_E_INVALID)
            fail_msg("%s: accepted", queries[i]);
        assert_start(&start, START_NOW, 0, 0);
    }
}

/* ---- Messages ---- */

static int from_message(const char *text, struct start_point *start)
{
    struct json_value message;
    assert_int_equal(json_parse(slice_from(text), &message, NULL), 0);
    *start = (struct start_point){0};
    return resume_from_message(message, "offset", start);
}

static void test_message(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int kind;
        uint64_t offset, epoch;
    } cases[] = {
        {"{\"cursor\":\"" CURSOR "\"}", START_CURSOR, 42, EPOCH},
        {"{\"cursor\":\"" CURSOR "\",\"epoch\":1}", START_CURSOR, 42, EPOCH},
        {"{\"epoch\":\"" EPOCH_TEXT "\",\"offset\":0}", START_OFFSET, 0, EPOCH},
        {"{\"offset\":1e3,\"epoch\":\"" EPOCH_TEXT "\"}", START_OFFSET, 1000, EPOCH},
        {"{\"offset\":9223372036854775807,\"epoch\":\"" EPOCH_TEXT "\"}", START_OFFSET, INT64_MAX,
         EPOCH},
        {"{\"offset\":3,\"epoch\":\"\"}", START_OFFSET, 3, 0},
        {"{\"offset\":3,\"epoch\":\"of another server\"}", START_OFFSET, 3, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct start_point start;
        if (from_message(cases[i].text, &start) != 0)
            fail_msg("%s: refused", cases[i].text);
        assert_start(&start, cases[i].kind, cases[i].offset, cases[i].epoch);
    }
}

static void test_refused_message(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"cursor\":null}",
        "{\"cursor\":42}",
        "{\"cursor\":\"\"}",
        "{\"cursor\":\"abc\",\"epoch\":\"" EPOCH_TEXT "\",\"offset\":1}",
        "{\"epoch\":\"" EPOCH_TEXT "\"}",
        "{\"offset\":1}",
        "{\"epoch\":null,\"offset\":1}",
        "{\"epoch\":7,\"offset\":1}",
        "{\"epoch\":\"" EPOCH_TEXT "\",\"offset\":\"1\"}",
        "{\"epoch\":\"" EPOCH_TEXT "\",\"offset\":-1}",
        "{\"epoch\":\"" EPOCH_TEXT "\",\"offset\":1.5}",
        "{\"epoch\":\"" EPOCH_TEXT "\",\"offset\":9223372036854775808}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct start_point start;
        if (from_message(texts[i], &start) != FAN_E_INVALID)
            fail_msg("%s: accepted", texts[i]);
        assert_start(&start, START_NOW, 0, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_of_this_test),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_refused_query),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_refused_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
