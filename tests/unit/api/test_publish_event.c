/* One event from JSON text: what is accepted, and what is said about the rest. */
#include "../test.h"

#include <stdio.h>

#include "api/publish_event.h"
#include "base/clock.h"
#include "base/memory.h"
#include "codec/json.h"
#include "fanfare/error.h"

#define MAX_DATA 1000

static struct buf names;
static struct parsed_event parsed;
static struct publish_failure failure;

static int reset(void **state)
{
    (void)state;
    memory_fail_nth(0);
    event_unref(parsed.event);
    parsed.event = NULL;
    buf_fini(&names);
    return 0;
}

static int parse(const char *text)
{
    event_unref(parsed.event);
    parsed.event = NULL;
    return publish_event_parse(slice_from(text), MAX_DATA, &names, &parsed, &failure);
}

static const struct event *accepted(const char *text)
{
    int error = parse(text);
    if (error)
        fail_msg("%s: %s", text, failure.message);
    assert_non_null(parsed.event);
    return parsed.event;
}

static void assert_text(struct slice text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.ptr, expected, text.len);
}

static void test_smallest(void **state)
{
    (void)state;
    int64_t before = clock_wall_ms();
    const struct event *e = accepted("{\"topic\":\"session:a\",\"type\":\"custom\"}");
    assert_text(e->type, "custom");
    assert_text(e->data, "{}");
    assert_int_equal(e->source.len + e->id.len + e->key.len, 0);
    assert_int_equal(e->type_index, EVENT_TYPE_CUSTOM);
    assert_null(e->type_info);
    assert_int_equal(e->place_count, 1);
    assert_false(e->ephemeral);
    assert_false(e->nested);
    assert_true(e->time_ms >= before && e->time_ms <= clock_wall_ms());
    assert_false(parsed.many);
    assert_null(parsed.warning);
    assert_string_equal(buf_text(&names), "session:a");
}

static void test_everything(void **state)
{
    (void)state;
    const struct event *e = accepted(
        " {\"id\":\"i-1\", \"key\":\"k\", \"source\":\"s\\u00e9\", \"ephemeral\":true, "
        "\"time\":\"2026-01-31T12:00:00.123Z\", \"data\": {\"a\": [1, {}]} , "
        "\"type\":\"component_progress\", \"topics\":[\"session:a\",\"user:\\u0062\",\"global\"], "
        "\"unknown\":[\"is\",\"ignored\"]} ");
    assert_text(e->id, "i-1");
    assert_text(e->key, "k");
    assert_text(e->source, "s\xc3\xa9");
    assert_text(e->data, "{\"a\": [1, {}]}");
    assert_true(e->ephemeral);
    assert_int_equal(e->time_ms, 1769860800123);
    assert_int_equal(e->place_count, 3);
    assert_true(parsed.many);
    assert_int_equal(names.len, 24);
    assert_memory_equal(names.data + parsed.names_at, "session:a\0user:b\0global\0", 24);
}

static void test_absent_members_may_be_null(void **state)
{
    (void)state;
    const struct event *e =
        accepted("{\"topic\":\"session:a\",\"type\":\"x\",\"id\":null,\"key\":null,\"source\":null,"
                 "\"time\":null,\"ephemeral\":null}");
    assert_int_equal(e->source.len + e->id.len + e->key.len, 0);
    assert_false(e->ephemeral);
}

static void test_known_types(void **state)
{
    (void)state;
    const struct event *e = accepted("{\"topic\":\"session:a\",\"type\":\"component_update\","
                                     "\"data\":{\"component_id\":\"auth\",\"status\":\"odd\","
                                     "\"progress\":1}}");
    assert_non_null(e->type_info);
    assert_text(e->key, "auth");
    assert_string_equal(parsed.warning, "status");
    /* A key of the publisher's own counts more, an empty one is none. */
    e = accepted("{\"topic\":\"session:a\",\"type\":\"component_update\",\"key\":\"mine\","
                 "\"data\":{\"component_id\":\"auth\",\"status\":\"failed\",\"progress\":1}}");
    assert_text(e->key, "mine");
    assert_null(parsed.warning);
    e = accepted("{\"topic\":\"session:a\",\"type\":\"component_update\",\"key\":\"\","
                 "\"data\":{\"component_id\":\"auth\",\"status\":\"failed\",\"progress\":1}}");
    assert_text(e->key, "auth");
    e = accepted("{\"topic\":\"session:a\",\"type\":\"x\",\"key\":\"\"}");
    assert_int_equal(e->key.len, 0);
    /* What is computed is added. */
    e = accepted("{\"topic\":\"session:a\",\"type\":\"build_progress\","
                 "\"data\":{\"total\":4,\"completed\":1}}");
    assert_text(e->data, "{\"total\":4,\"completed\":1,\"percent\":25}");
    assert_text(e->key, "build_progress");
}

static void test_data_that_uses_names_of_the_envelope(void **state)
{
    (void)state;
    assert_true(
        accepted("{\"topic\":\"session:a\",\"type\":\"x\",\"data\":{\"off\\u0073et\":1}}")->nested);
    assert_false(
        accepted("{\"topic\":\"session:a\",\"type\":\"x\",\"data\":{\"a\":{\"type\":1}}}")->nested);
}

static void test_channels_need_no_type(void **state)
{
    (void)state;
    assert_text(accepted("{\"topic\":\"channel:files\",\"data\":{}}")->type, "event");
}

static const struct {
    const char *text, *field;
    int status;
} refused[] = {
    {"", "", 400},
    {"{", "", 400},
    {"{\"topic\":\"session:a\",\"type\":\"x\"} x", "", 400},
    {"{\"topic\":\"session:a\",\"type\":\"x\",}", "", 400},
    {"{\"topic\":\"session:\xff\",\"type\":\"x\"}", "", 400},
    {"[]", "", 422},
    {"7", "", 422},
    {"null", "", 422},
    {"{}", "topic", 422},
    {"{\"type\":\"x\"}", "topic", 422},
    {"{\"topic\":7,\"type\":\"x\"}", "topic", 422},
    {"{\"topic\":null,\"type\":\"x\"}", "topic", 422},
    {"{\"topic\":\"\",\"type\":\"x\"}", "topic", 422},
    {"{\"topic\":\"session:\",\"type\":\"x\"}", "topic", 422},
    {"{\"topic\":\"session:a b\",\"type\":\"x\"}", "topic", 422},
    {"{\"topic\":\"session:a\\u0000\",\"type\":\"x\"}", "topic", 422},
    {"{\"topic\":\"nothing:a\",\"type\":\"x\"}", "topic", 422},
    {"{\"topic\":\"global\",\"topics\":[\"global\"],\"type\":\"x\"}", "topics", 422},
    {"{\"topics\":\"global\",\"type\":\"x\"}", "topics", 422},
    {"{\"topics\":[],\"type\":\"x\"}", "topics", 422},
    {"{\"topics\":[1],\"type\":\"x\"}", "topics", 422},
    {"{\"topics\":[\"global\",\"x\"],\"type\":\"x\"}", "topics", 422},
    {"{\"topic\":\"session:a\"}", "type", 422},
    {"{\"topic\":\"session:a\",\"type\":\"\"}", "type", 422},
    {"{\"topic\":\"session:a\",\"type\":7}", "type", 422},
    {"{\"topic\":\"session:a\",\"type\":null}", "type", 422},
    {"{\"topic\":\"session:a\",\"type\":\"Not Good\"}", "type", 422},
    {"{\"topic\":\"session:a\",\"type\":\"connection\"}", "type", 422},
    {"{\"topic\":\"session:a\",\"type\":\"gap\"}", "type", 422},
    {"{\"topic\":\"session:a\",\"type\":\"x\",\"data\":[]}", "data", 422},
    {"{\"topic\":\"session:a\",\"type\":\"x\",\"data\":null}", "data", 422},
    {"{\"topic\":\"session:a\",\"type\":\"x\",\"data\":\"{}\"}", "data", 422},
    {"{\"topic\":\"session:a\",\"type\":\"component_update\"}", "component_id", 422},
    {"{\"topic\":\"session:a\",\"type\":\"component_update\",\"data\":{\"component_id\":\"a\","
     "\"status\":\"failed\",\"progress\":101}}",
     "progress", 422},
    {"{\"topic\":\"session:a\",\"type\":\"x\",\"id\":7}", "id", 422},
    {"{\"topic\":\"session:a\",\"type\":\"x\",\"key\":{}}", "key", 422},
    {"{\"topic\":\"session:a\",\"type\":\"x\",\"source\":false}", "source", 422},
    {"{\"topic\":\"session:a\",\"type\":\"x\",\"time\":1769860800}", "time", 422},
    {"{\"topic\":\"session:a\",\"type\":\"x\",\"time\":\"yesterday\"}", "time", 422},
    {"{\"topic\":\"session:a\",\"type\":\"x\",\"ephemeral\":1}", "ephemeral", 422},
    {"{\"topic\":\"session:a\",\"type\":\"x\",\"ephemeral\":\"true\"}", "ephemeral", 422},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        BUF_LITERAL(&names, "before");
        if (parse(refused[i].text) == 0)
            fail_msg("%s was accepted", refused[i].text);
        assert_null(parsed.event);
        assert_int_equal(failure.status, refused[i].status);
        assert_string_equal(failure.field, refused[i].field);
        assert_true(strlen(failure.message) > 10);
        assert_int_equal(names.len, 6); /* what was appended is gone */
        buf_clear(&names);
    }
}

static void test_messages(void **state)
{
    (void)state;
    parse("{\"topic\":\"session:a\",\"type\":\"x\",\"id\":7}");
    assert_string_equal(failure.message, "id must be a string, got a number");
    assert_string_equal(failure.code, "invalid_event");
    parse("{\"topic\":\"session:a\"; }");
    assert_string_equal(failure.code, "invalid_json");
    assert_non_null(strstr(failure.message, "at byte 20"));
    parse("{\"type\":\"x\"}");
    assert_non_null(strstr(failure.message, "topic is missing"));
}

static void test_limits(void **state)
{
    (void)state;
    struct buf text = {0};
    BUF_LITERAL(&text, "{\"topic\":\"session:a\",\"type\":\"x\",\"data\":{\"a\":\"");
    for (unsigned i = 0; i < MAX_DATA - 8; i++)
        buf_append_char(&text, 'x');
    BUF_LITERAL(&text, "\"}}");
    assert_int_equal(accepted(buf_text(&text))->data.len, MAX_DATA);
    text.len -= 3;
    BUF_LITERAL(&text, "x\"}}");
    assert_int_not_equal(parse(buf_text(&text)), 0);
    assert_int_equal(failure.status, 413);
    assert_string_equal(failure.code, "too_large");
    buf_clear(&text);
    BUF_LITERAL(&text, "{\"topic\":\"session:a\",\"type\":\"x\",\"id\":\"");
    for (unsigned i = 0; i < 256; i++)
        buf_append_char(&text, 'i');
    BUF_LITERAL(&text, "\"}");
    assert_int_equal(accepted(buf_text(&text))->id.len, 256);
    text.len -= 2;
    BUF_LITERAL(&text, "i\"}");
    assert_int_not_equal(parse(buf_text(&text)), 0);
    assert_string_equal(failure.field, "id");
    buf_clear(&text);
    BUF_LITERAL(&text, "{\"type\":\"x\",\"topics\":[\"session:0\"");
    for (unsigned i = 1; i < HUB_MAX_EVENT_TOPICS; i++)
        buf_printf(&text, ",\"session:%u\"", i);
    BUF_LITERAL(&text, "]}");
    assert_int_equal(accepted(buf_text(&text))->place_count, HUB_MAX_EVENT_TOPICS);
    text.len -= 2;
    BUF_LITERAL(&text, ",\"global\"]}");
    assert_int_not_equal(parse(buf_text(&text)), 0);
    assert_string_equal(failure.field, "topics");
    buf_fini(&text);
}

static void test_failure_as_json(void **state)
{
    (void)state;
    struct buf out = {0};
    struct json_value object, value, member;
    /* The message quotes 60 bytes of the name, which end within a character. */
    parse("{\"topic\":"
          "\"\xc3\xa9xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xa9\\\"\","
          "\"type\":\"x\"}");
    publish_failure_append(&out, &failure);
    BUF_LITERAL(&out, ",\"line\":3}");
    assert_int_equal(json_parse(buf_slice(&out), &object, NULL), 0);
    assert_true(json_find(object, SLICE("error"), &value));
    assert_true(json_find(value, SLICE("code"), &member));
    assert_true(json_string_is(member, "invalid_event"));
    assert_true(json_find(value, SLICE("field"), &member));
    assert_true(json_string_is(member, "topic"));
    buf_fini(&out);
}

static void test_refused_by_the_hub(void **state)
{
    (void)state;
    publish_event_refused(FAN_E_EXISTS, &failure);
    assert_int_equal(failure.status, 422);
    assert_string_equal(failure.field, "id");
    publish_event_refused(FAN_E_INVALID, &failure);
    assert_int_equal(failure.status, 422);
    publish_event_refused(FAN_E_LIMIT, &failure);
    assert_int_equal(failure.status, 503);
    publish_event_refused(FAN_E_NO_MEMORY, &failure);
    assert_int_equal(failure.status, 503);
}

static void test_without_memory(void **state)
{
    (void)state;
    int error = -1;
    for (unsigned nth = 1; error; nth++) {
        buf_fini(&names);
        memory_fail_nth(nth);
        error = parse("{\"topics\":[\"session:a\",\"user:\\u0062\"],\"type\":\"build_progress\","
                      "\"source\":\"\\n\",\"data\":{\"total\":4,\"completed\":1}}");
        memory_fail_nth(0);
        if (error) {
            assert_int_equal(error, FAN_E_NO_MEMORY);
            assert_int_equal(failure.status, 503);
            assert_int_equal(names.len, 0);
        }
        assert_true(nth < 20);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_smallest),
        TEST(test_everything),
        TEST(test_absent_members_may_be_null),
        TEST(test_known_types),
        TEST(test_data_that_uses_names_of_the_envelope),
        TEST(test_channels_need_no_type),
        TEST(test_refusals),
        TEST(test_messages),
        TEST(test_limits),
        TEST(test_failure_as_json),
        TEST(test_refused_by_the_hub),
        TEST(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
