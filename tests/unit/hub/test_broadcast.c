/* Typed broadcast functions: what they publish, what they refuse, output in pieces. */
#include "../test.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "fanfare/broadcast.h"
#include "fanfare/error.h"

struct published {
    unsigned count;
    char topic[512], type[64];
    struct buf data;
    int answer;
};

static int record(void *context, const char *topic, const char *type, const char *data, size_t size)
{
    struct published *p = context;
    p->count++;
    snprintf(p->topic, sizeof p->topic, "%s", topic);
    snprintf(p->type, sizeof p->type, "%s", type);
    buf_clear(&p->data);
    buf_append(&p->data, data, size);
    assert_int_equal(json_parse(slice_of(data, size), &(struct json_value){0}, NULL), 0);
    return p->answer;
}

static struct published published;
static const struct fan_publisher publisher = {record, &published};

static int reset(void **state)
{
    (void)state;
    buf_fini(&published.data);
    published = (struct published){0};
    return 0;
}

static void assert_published(int result, const char *type, const char *data)
{
    assert_int_equal(result, 0);
    assert_string_equal(published.topic, "session:build_123");
    assert_string_equal(published.type, type);
    assert_string_equal(buf_text(&published.data), data);
}

static void assert_refused(int result, const char *problem)
{
    assert_int_equal(result, FAN_E_INVALID);
    assert_string_equal(fan_broadcast_problem(), problem);
    assert_int_equal(published.count, 0);
}

static void test_each_event(void **state)
{
    (void)state;
    const char *s = "build_123";
    assert_published(
        fan_broadcast_component_update(&publisher, s, "auth", "in_progress", 45.5, NULL),
        "component_update",
        "{\"component_id\":\"auth\",\"status\":\"in_progress\",\"progress\":45.5,"
        "\"metadata\":{}}");
    assert_published(fan_broadcast_feature_update(&publisher, s, "login", "odd", 0, "{\"a\": 1}"),
                     "feature_update",
                     "{\"feature_id\":\"login\",\"status\":\"odd\",\"progress\":0,"
                     "\"metadata\":{\"a\": 1}}");
    assert_published(fan_broadcast_terminal_output(&publisher, s, "a\xff\0b\n", 5, "stdout", NULL),
                     "terminal_output",
                     "{\"output\":\"a\xef\xbf\xbd\\u0000b\\n\",\"output_type\":\"stdout\"}");
    const char *const tasks[] = {"t1", "t2"};
    assert_published(
        fan_broadcast_checkpoint_update(&publisher, s, "c", "build_1", tasks, 2, NULL, 0, NULL),
        "checkpoint_update",
        "{\"checkpoint_id\":\"c\",\"phase\":\"build_1\","
        "\"tasks_completed\":[\"t1\",\"t2\"],\"files_created\":[],\"metadata\":{}}");
    assert_published(fan_broadcast_build_progress(&publisher, s, 8, 1, -1), "build_progress",
                     "{\"total\":8,\"completed\":1,\"percent\":12.5}");
    assert_published(fan_broadcast_build_progress(&publisher, s, 8, 1, 13), "build_progress",
                     "{\"total\":8,\"completed\":1,\"percent\":13}");
    assert_published(fan_broadcast_file_change(&publisher, s, "a.md", "deleted", NULL, 0),
                     "file_change", "{\"file_path\":\"a.md\",\"change_type\":\"deleted\"}");
    assert_published(fan_broadcast_error(&publisher, s, "boom", NULL, "at main"), "error",
                     "{\"error_message\":\"boom\",\"traceback\":\"at main\"}");
    assert_int_equal(published.count, 8);
}

static void test_long_content(void **state)
{
    (void)state;
    char *content = memory_zero(70000);
    memset(content, 'a', 70000);
    assert_published(
        fan_broadcast_file_change(&publisher, "build_123", "a", "created", content, 70000),
        "file_change", "{\"file_path\":\"a\",\"change_type\":\"created\",\"truncated\":true}");
    memory_free(content);
}

static void test_refusals(void **state)
{
    (void)state;
    const char *s = "build_123";
    assert_refused(fan_broadcast_component_update(&publisher, s, "", "pending", 0, NULL),
                   "component_id must be a string that is not empty, got \"\"");
    assert_refused(fan_broadcast_component_update(&publisher, s, "a", NULL, 0, NULL),
                   "status is missing: it must be a string");
    assert_refused(fan_broadcast_component_update(&publisher, s, "a", "pending", 140, NULL),
                   "progress must be a number from 0 to 100");
    assert_refused(fan_broadcast_component_update(&publisher, s, "a", "pending", NAN, NULL),
                   "progress must be a number from 0 to 100");
    assert_refused(fan_broadcast_component_update(&publisher, s, "a", "pending", 0, "[1]"),
                   "metadata must be an object, got [1]");
    assert_refused(fan_broadcast_build_progress(&publisher, s, 1, 2, -1),
                   "completed must be a number from 0 to total (1), got 2");
    assert_refused(fan_broadcast_error(&publisher, "a b", "m", NULL, NULL),
                   "session_id: the id after 'session:' must be 1 to 128 characters of "
                   "A-Z a-z 0-9 . _ : @ / -");
    assert_refused(fan_broadcast_error(&publisher, NULL, "m", NULL, NULL), "session_id is missing");
    /* Metadata cannot break out of its place. */
    assert_int_equal(
        fan_broadcast_component_update(&publisher, s, "a", "pending", 0, "{}},\"status\":{"),
        FAN_E_INVALID);
    assert_true(slice_starts(slice_from(fan_broadcast_problem()), "metadata must be JSON: "));
    assert_int_equal(published.count, 0);
}

static void test_publisher_fails(void **state)
{
    (void)state;
    published.answer = FAN_E_UNAVAILABLE;
    assert_int_equal(fan_broadcast_error(&publisher, "s", "m", NULL, NULL), FAN_E_UNAVAILABLE);
    for (unsigned nth = 1; nth < 3; nth++) {
        memory_fail_nth(nth);
        int result = fan_broadcast_build_progress(&publisher, "s", 1, 1, -1);
        memory_fail_nth(0);
        assert_int_equal(result, FAN_E_NO_MEMORY);
    }
}

/* Whatever the pieces, the text is that of the whole. */
static void test_stream_in_pieces(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\x89\xff\xe2\x82z\xf0\x9f";
    struct buf expected = {0};
    utf8_append_repaired(&expected, slice_of(text, sizeof text - 1));
    for (size_t step = 1; step < sizeof text; step++) {
        struct fan_terminal_stream stream = {{0}, 0};
        struct buf all = {0};
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            size_t size = sizeof text - 1 - at < step ? sizeof text - 1 - at : step;
            published.count = 0;
            assert_int_equal(fan_terminal_stream_write(&stream, &publisher, "s", text + at, size,
                                                       "stdout", NULL),
                             0);
            struct json_value data, output;
            json_parse(buf_slice(&published.data), &data, NULL);
            if (published.count && json_find(data, SLICE("output"), &output))
                json_string_append(&all, output);
        }
        published.count = 0;
        fan_terminal_stream_finish(&stream, &publisher, "s", "stdout", NULL);
        assert_int_equal(published.count, 1);
        assert_string_equal(buf_text(&published.data),
                            "{\"output\":\"\xef\xbf\xbd\",\"output_type\":\"stdout\"}");
        BUF_LITERAL(&all, "\xef\xbf\xbd");
        assert_string_equal(buf_text(&all), buf_text(&expected));
        assert_int_equal(fan_terminal_stream_finish(&stream, &publisher, "s", "stdout", NULL), 0);
        assert_int_equal(published.count, 1);
        buf_fini(&all);
    }
    buf_fini(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_event, reset),
        cmocka_unit_test_teardown(test_long_content, reset),
        cmocka_unit_test_teardown(test_refusals, reset),
        cmocka_unit_test_teardown(test_publisher_fails, reset),
        cmocka_unit_test_teardown(test_stream_in_pieces, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
