/* Start positions in URLs and messages. */
#include "../test.h"

#include <stdio.h>

#include "codec/cursor.h"
#include "dialect/resume.h"
#include "fanfare/error.h"

#define EPOCH 0x0123456789abcdefu

static char epoch_text[EPOCH_TEXT_SIZE], cursor_text[CURSOR_TEXT_SIZE];

static int format_texts(void **state)
{
    (void)state;
    epoch_format(EPOCH, epoch_text);
    cursor_format((struct cursor){EPOCH, 42}, cursor_text);
    return 0;
}

static int query(struct start_point *start, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int query(struct start_point *start, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memset(start, 0xff, sizeof *start);
    return resume_from_query(slice_from(text), start);
}

static void assert_start(const struct start_point *start, int kind, uint64_t offset, uint64_t epoch)
{
    assert_int_equal(start->kind, kind);
    assert_int_equal(start->offset, offset);
    assert_int_equal(start->epoch, epoch);
}

static void test_queries(void **state)
{
    (void)state;
    struct start_point start;
    assert_int_equal(query(&start, "%s", ""), 0);
    assert_start(&start, START_NOW, 0, 0);
    assert_int_equal(query(&start, "state=1&token=x"), 0);
    assert_start(&start, START_NOW, 0, 0);
    assert_int_equal(query(&start, "cursor=%s", cursor_text), 0);
    assert_start(&start, START_CURSOR, 42, EPOCH);
    assert_int_equal(query(&start, "epoch=%s&since=12", epoch_text), 0);
    assert_start(&start, START_OFFSET, 12, EPOCH);
    assert_int_equal(query(&start, "since=0&epoch=%s", epoch_text), 0);
    assert_start(&start, START_OFFSET, 0, EPOCH);
    /* A cursor is exact; it counts. */
    assert_int_equal(query(&start, "epoch=%s&since=12&cursor=%s", epoch_text, cursor_text), 0);
    assert_start(&start, START_CURSOR, 42, EPOCH);
    /* An epoch that is not one of ours is another one. */
    assert_int_equal(query(&start, "epoch=old&since=1"), 0);
    assert_start(&start, START_OFFSET, 1, 0);
}

static void test_bad_queries(void **state)
{
    (void)state;
    struct start_point start;
    assert_int_equal(query(&start, "cursor="), FAN_E_INVALID);
    assert_int_equal(query(&start, "cursor=%%zz"), FAN_E_INVALID);
    assert_int_equal(query(&start, "cursor=%s0", cursor_text), FAN_E_INVALID);
    assert_int_equal(query(&start, "since=12"), FAN_E_INVALID);
    assert_int_equal(query(&start, "since=-1&epoch=%s", epoch_text), FAN_E_INVALID);
    assert_int_equal(query(&start, "since=1e3&epoch=%s", epoch_text), FAN_E_INVALID);
    assert_int_equal(query(&start, "since=&epoch=%s", epoch_text), FAN_E_INVALID);
    assert_int_equal(query(&start, "since=1%%4&epoch=%s", epoch_text), FAN_E_INVALID);
    assert_int_equal(query(&start, "since=12345678901234567890&epoch=%s", epoch_text),
                     FAN_E_INVALID);
}

static int message(struct start_point *start, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int message(struct start_point *start, const char *format, ...)
{
    char text[300];
    struct json_value value;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_int_equal(json_parse(slice_from(text), &value, NULL), 0);
    return resume_from_message(value, start);
}

static void test_messages(void **state)
{
    (void)state;
    struct start_point start;
    assert_int_equal(message(&start, "{\"epoch\":\"%s\",\"offset\":12}", epoch_text), 0);
    assert_start(&start, START_OFFSET, 12, EPOCH);
    assert_int_equal(message(&start, "{\"cursor\":\"%s\"}", cursor_text), 0);
    assert_start(&start, START_CURSOR, 42, EPOCH);
    assert_int_equal(message(&start, "{\"epoch\":\"\",\"offset\":0}"), 0);
    assert_start(&start, START_OFFSET, 0, 0);
}

static void test_bad_messages(void **state)
{
    (void)state;
    struct start_point start;
    assert_int_equal(message(&start, "{}"), FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"offset\":1}"), FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"epoch\":\"%s\"}", epoch_text), FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"epoch\":1,\"offset\":1}"), FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"epoch\":\"%s\",\"offset\":-1}", epoch_text),
                     FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"epoch\":\"%s\",\"offset\":1.5}", epoch_text),
                     FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"epoch\":\"%s\",\"offset\":\"1\"}", epoch_text),
                     FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"epoch\":\"%s\",\"offset\":1e30}", epoch_text),
                     FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"cursor\":1}"), FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"cursor\":\"%s\\u0030\"}", cursor_text), FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"cursor\":\"\"}"), FAN_E_INVALID);
    assert_int_equal(message(&start, "{\"cursor\":null,\"epoch\":\"%s\",\"offset\":1}", epoch_text),
                     FAN_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_bad_queries),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_bad_messages),
    };
    return cmocka_run_group_tests(tests, format_texts, NULL);
}
