/* Reading one event from JSON: what is accepted, and what each refusal says. */
#include "../test.h"

#include <stdio.h>

#include "api/publish_event.h"
#include "base/clock.h"
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/catalogue.h"

#define DATA_MAX 1000

static void assert_slice(struct slice slice, const char *expected)
{
    assert_int_equal(slice.len, strlen(expected));
    assert_memory_equal(slice.ptr, expected, slice.len);
}

/* Parses an event that must be accepted. The caller frees its event and the names. */
static struct parsed_event accept(const char *text, struct buf *names)
{
    struct parsed_event parsed;
    struct publish_failure failure;
    if (publish_event_parse(slice_from(text), DATA_MAX, names, &parsed, &failure) != 0)
        fail_msg("%s: %s", text, failure.message);
    assert_non_null(parsed.event);
    return parsed;
}

static void assert_refused(struct slice text, int status, const char *code, const char *field,
                           const char *message)
{
    struct buf names = {0};
    struct parsed_event parsed;
    struct publish_failure failure;
    BUF_LITERAL(&names, "before");
    assert_int_equal(publish_event_parse(text, DATA_MAX, &names, &parsed, &failure), FAN_E_INVALID);
    assert_int_equal(failure.status, status);
    assert_string_equal(failure.code, code);
    assert_string_equal(failure.field, field);
    assert_string_equal(failure.message, message);
    assert_null(parsed.event);
    assert_slice(buf_slice(&names), "before");
    buf_fini(&names);
}

static void assert_invalid(const char *text, const char *field, const char *message)
{
    assert_refused(slice_from(text), 422, "invalid_event", field, message);
}

/* ---- Refusals ---- */

static void test_malformed_json(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "invalid JSON at byte 0: expected a value"},
        {"{\"topic\":\"global\"", "invalid JSON at byte 17: expected ',' or '}'"},
        {"{\"topic\" \"global\"}", "invalid JSON at byte 9: expected ':' after the member's name"},
        {"{\"topic\":\"global\"} x",
         "invalid JSON at byte 19: expected nothing more after the value"},
        {"{\"topic\":tru}", "invalid JSON at byte 12: expected 'true'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(slice_from(cases[i][0]), 400, "invalid_json", "", cases[i][1]);
}

static void test_other_json(void **state)
{
    (void)state;
    static const char *const values[] = {"[]", "1", "null", "\"topic\"",
                                         "[{\"topic\":\"global\"}]"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_invalid(values[i], "", "an event must be a JSON object");
}

static void test_refused_topics(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"{}", "topic", "topic is missing: expected a string such as \"session:build_123\""},
        {"{\"topic\":7}", "topic",
         "topic must be a string such as \"session:build_123\", got a number"},
        {"{\"topic\":null}", "topic",
         "topic must be a string such as \"session:build_123\", got null"},
        {"{\"topic\":\"session:\"}", "topic",
         "topic \"session:\": the id after 'session:' must be 1 to 128 characters of A-Z a-z 0-9 . "
         "_ : @ / -"},
        {"{\"topic\":\"global:x\"}", "topic", "topic \"global:x\": 'global' takes no id"},
        {"{\"topic\":\"\"}", "topic",
         "topic \"\": a topic is session:<id>, project:<id>, agent:<id>, user:<id>, "
         "channel:<name> or global"},
        {"{\"topic\":\"global\",\"topics\":[\"global\"]}", "topics",
         "topic and topics exclude each other"},
        {"{\"topics\":\"global\"}", "topics", "topics must be a list of strings, got a string"},
        {"{\"topics\":[]}", "topics", "topics must name at least one topic"},
        {"{\"topics\":[\"global\",{}]}", "topics",
         "topics must be a list of strings, got an object in it"},
        {"{\"topics\":[\"global\",\"globe:1\"]}", "topics",
         "topics \"globe:1\": a topic is session:<id>, project:<id>, agent:<id>, user:<id>, "
         "channel:<name> or global"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_invalid(cases[i][0], cases[i][1], cases[i][2]);
}

/* A NUL separates the names in the buffer, so one in a name would make two of it. */
static void test_refused_escapes_in_topics(void **state)
{
    (void)state;
    struct buf names = {0};
    struct parsed_event parsed;
    struct publish_failure failure;
    static const char *const texts[] = {
        "{\"topic\":\"session:a\\u0000b\",\"type\":\"x\"}",
        "{\"topic\":\"session:a\\nb\",\"type\":\"x\"}",
        "{\"topics\":[\"session:a\\ud800\"],\"type\":\"x\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(
            publish_event_parse(slice_from(texts[i]), DATA_MAX, &names, &parsed, &failure),
            FAN_E_INVALID);
        assert_int_equal(failure.status, 422);
        assert_int_equal(names.len, 0);
    }
    buf_fini(&names);
}

static void test_long_topic_is_cut_in_the_message(void **state)
{
    (void)state;
    struct buf text = {0};
    BUF_LITERAL(&text, "{\"topic\":\"");
    for (int i = 0; i < 5000; i++)
        buf_append_char(&text, 'x');
    BUF_LITERAL(&text, "\"}");
    assert_refused(buf_slice(&text), 422, "invalid_event", "topic",
                   "topic \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\": a "
                   "topic is session:<id>, project:<id>, agent:<id>, user:<id>, channel:<name> or "
                   "global");
    buf_fini(&text);
}

static void append_topics(struct buf *text, unsigned count)
{
    BUF_LITERAL(text, "{\"type\":\"x\",\"topics\":[");
    for (unsigned i = 0; i < count; i++)
        buf_printf(text, "%s\"session:%u\"", i ? "," : "", i);
    BUF_LITERAL(text, "]}");
}

static void test_most_topics(void **state)
{
    (void)state;
    struct buf text = {0}, names = {0};
    append_topics(&text, HUB_MAX_EVENT_TOPICS);
    struct parsed_event parsed = accept(buf_text(&text), &names);
    assert_int_equal(parsed.event->place_count, HUB_MAX_EVENT_TOPICS);
    event_unref(parsed.event);
    buf_clear(&text);
    append_topics(&text, HUB_MAX_EVENT_TOPICS + 1);
    assert_invalid(buf_text(&text), "topics", "topics may have at most 64 entries");
    buf_fini(&text);
    buf_fini(&names);
}

static void test_refused_types(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"topic\":\"session:a\"}", "type is missing; only channel: topics can do without"},
        {"{\"topics\":[\"channel:a\",\"session:a\"]}",
         "type is missing; only channel: topics can do without"},
        {"{\"topic\":\"session:a\",\"type\":false}", "type must be a string, got false"},
        {"{\"topic\":\"session:a\",\"type\":\"ping\"}",
         "type 'ping' is the name of a control message and cannot be published"},
        {"{\"topic\":\"session:a\",\"type\":\"A\"}",
         "type must be a lower-case letter and up to 63 of a-z 0-9 _ . -, got 'A'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_invalid(cases[i][0], "type", cases[i][1]);
}

#define CUSTOM "{\"topic\":\"session:a\",\"type\":\"made_up\","

static void test_refused_members(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {CUSTOM "\"data\":[]}", "data", "data must be an object, got an array"},
        {CUSTOM "\"data\":null}", "data", "data must be an object, got null"},
        {CUSTOM "\"source\":1}", "source", "source must be a string, got a number"},
        {CUSTOM "\"id\":{}}", "id", "id must be a string, got an object"},
        {CUSTOM "\"key\":true}", "key", "key must be a string, got true"},
        {CUSTOM "\"time\":1767268800123}", "time", "time must be a string, got a number"},
        {CUSTOM "\"time\":\"yesterday\"}", "time",
         "time must be RFC 3339, 2026-01-31T12:00:00.123Z for instance, got \"yesterday\""},
        {CUSTOM "\"ephemeral\":1}", "ephemeral", "ephemeral must be true or false, got a number"},
        {"{\"topic\":\"session:a\",\"type\":\"component_update\",\"data\":{\"component_id\":\"a\","
         "\"status\":\"failed\",\"progress\":101}}",
         "progress", "progress must be a number from 0 to 100, got 101"},
        {"{\"topic\":\"session:a\",\"type\":\"error\"}", "error_message",
         "error_message is missing: it must be a string"},
        {"{\"topic\":\"session:a\",\"type\":\"error\",\"data\":{\"error_message\":\"a\","
         "\"offset\":1}}",
         "offset",
         "offset cannot stand in the data of error: the envelope has a field of that name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_invalid(cases[i][0], cases[i][1], cases[i][2]);
}

/* Source, id and key may have 256 bytes, counted with escapes resolved. */
static void test_longest_texts(void **state)
{
    (void)state;
    static const char *const members[] = {"source", "id", "key"};
    char longest[257] = {0}, message[64];
    memset(longest, 'y', 255);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct buf text = {0}, names = {0};
        buf_printf(&text, CUSTOM "\"%s\":\"%s\\u0079\"}", members[i], longest);
        struct parsed_event parsed = accept(buf_text(&text), &names);
        longest[255] = 'y';
        assert_slice(i == 0   ? parsed.event->source
                     : i == 1 ? parsed.event->id
                              : parsed.event->key,
                     longest);
        event_unref(parsed.event);
        buf_clear(&text);
        buf_printf(&text, CUSTOM "\"%s\":\"%sy\"}", members[i], longest);
        longest[255] = '\0';
        snprintf(message, sizeof message, "%s may have at most 256 bytes", members[i]);
        assert_invalid(buf_text(&text), members[i], message);
        buf_fini(&text);
        buf_fini(&names);
    }
}

static void append_data(struct buf *text, size_t size)
{
    BUF_LITERAL(text, CUSTOM "\"data\":{\"a\":\"");
    for (size_t i = strlen("{\"a\":\"\"}"); i < size; i++)
        buf_append_char(text, 'z');
    BUF_LITERAL(text, "\"}}");
}

static void test_largest_data(void **state)
{
    (void)state;
    struct buf text = {0}, names = {0};
    append_data(&text, DATA_MAX);
    struct parsed_event parsed = accept(buf_text(&text), &names);
    assert_int_equal(parsed.event->data.len, DATA_MAX);
    event_unref(parsed.event);
    buf_clear(&text);
    append_data(&text, DATA_MAX + 1);
    assert_refused(buf_slice(&text), 413, "too_large", "data",
                   "data has 1001 bytes; at most 1000 are accepted");
    buf_fini(&text);
    buf_fini(&names);
}

/* ---- What is accepted ---- */

static void test_all_members(void **state)
{
    (void)state;
    struct buf names = {0};
    struct parsed_event parsed =
        accept("{\"topic\":\"session:build_1\",\"type\":\"made_up\",\"data\":{ \"a\": [1] },"
               "\"source\":\"ci\",\"time\":\"2026-01-31T13:00:00.5+01:00\",\"id\":\"i-1\","
               "\"key\":\"k-1\",\"ephemeral\":true,\"unknown\":{\"topic\":1}}",
               &names);
    const struct event *e = parsed.event;
    char time[CLOCK_TEXT_SIZE];
    clock_format(e->time_ms, time);
    assert_string_equal(time, "2026-01-31T12:00:00.500Z");
    assert_slice(e->type, "made_up");
    assert_slice(e->data, "{ \"a\": [1] }");
    assert_slice(e->source, "ci");
    assert_slice(e->id, "i-1");
    assert_slice(e->key, "k-1");
    assert_true(e->ephemeral);
    assert_false(e->nested);
    assert_int_equal(e->type_index, EVENT_TYPE_CUSTOM);
    assert_null(e->type_info);
    assert_int_equal(e->place_count, 1);
    assert_false(parsed.many);
    assert_null(parsed.warning);
    assert_int_equal(parsed.names_at, 0);
    assert_int_equal(names.len, sizeof "session:build_1");
    assert_string_equal(names.data, "session:build_1");
    event_unref(parsed.event);
    buf_fini(&names);
}

static void test_defaults(void **state)
{
    (void)state;
    struct buf names = {0};
    int64_t before = clock_wall_ms();
    struct parsed_event parsed =
        accept("{\"topic\":\"channel:chat\",\"source\":null,\"time\":null,\"id\":null,"
               "\"key\":null,\"ephemeral\":null}",
               &names);
    const struct event *e = parsed.event;
    assert_slice(e->type, "event");
    assert_slice(e->data, "{}");
    assert_in_range(e->time_ms, before, clock_wall_ms());
    assert_int_equal(e->source.len + e->id.len + e->key.len, 0);
    assert_false(e->ephemeral);
    event_unref(parsed.event);
    buf_fini(&names);
}

/* The names lie behind those of earlier events, each with its NUL. */
static void test_many_topics(void **state)
{
    (void)state;
    static const char expected[] = "channel:x\0session:a\0user:Ada%20L\0global";
    struct buf names = {0};
    event_unref(accept("{\"topic\":\"channel:x\"}", &names).event);
    struct parsed_event parsed =
        accept("{\"type\":\"x\",\"topics\":[\"session:a\",\"user:Ada%20L\",\"global\"]}", &names);
    assert_true(parsed.many);
    assert_int_equal(parsed.names_at, sizeof "channel:x");
    assert_int_equal(parsed.event->place_count, 3);
    assert_int_equal(names.len, sizeof expected);
    assert_memory_equal(names.data, expected, sizeof expected);
    event_unref(parsed.event);
    parsed = accept("{\"type\":\"x\",\"topics\":[\"global\"]}", &names);
    assert_true(parsed.many); /* also with one */
    event_unref(parsed.event);
    buf_fini(&names);
}

static void test_escapes(void **state)
{
    (void)state;
    struct buf names = {0};
    struct parsed_event parsed =
        accept("{\"topics\":[\"session\\u003aa\",\"project:\\u0062\\/c\"],\"typ\\u0065\":"
               "\"m\\u0061de\",\"data\":{\"n\\u0061me\":\"\\n\"},\"source\":\"\\u00e9\\t\","
               "\"id\":\"\\\"\",\"key\":\"\\ud83d\\ude00\"}",
               &names);
    assert_memory_equal(names.data, "session:a\0project:b/c", sizeof "session:a\0project:b/c");
    assert_slice(parsed.event->type, "made");
    assert_slice(parsed.event->data, "{\"n\\u0061me\":\"\\n\"}"); /* passes as it came */
    assert_slice(parsed.event->source, "\xc3\xa9\t");
    assert_slice(parsed.event->id, "\"");
    assert_slice(parsed.event->key, "\xf0\x9f\x98\x80");
    event_unref(parsed.event);
    buf_fini(&names);
}

static void test_last_member_counts(void **state)
{
    (void)state;
    struct buf names = {0};
    struct parsed_event parsed =
        accept("{\"topic\":7,\"type\":\"a\",\"topic\":\"session:b\",\"type\":\"c\"}", &names);
    assert_slice(parsed.event->type, "c");
    assert_string_equal(names.data, "session:b");
    event_unref(parsed.event);
    buf_fini(&names);
}

#define COMPONENT "{\"topic\":\"session:a\",\"type\":\"component_update\",\"data\":"

static void test_keys(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {COMPONENT "{\"component_id\":\"auth\",\"status\":\"failed\"}}", "auth"},
        {COMPONENT "{\"component_id\":\"auth\",\"status\":\"failed\"},\"key\":\"mine\"}", "mine"},
        {COMPONENT "{\"component_id\":\"auth\",\"status\":\"failed\"},\"key\":null}", "auth"},
        {COMPONENT "{\"component_id\":\"auth\",\"status\":\"failed\"},\"key\":\"\"}", "auth"},
        {"{\"topic\":\"session:a\",\"type\":\"build_progress\",\"data\":{\"total\":1,"
         "\"completed\":1}}",
         "build_progress"},
        {"{\"topic\":\"session:a\",\"type\":\"error\",\"data\":{\"error_message\":\"\"}}", ""},
        {CUSTOM "\"key\":\"\"}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf names = {0};
        struct event *e = accept(cases[i][0], &names).event;
        assert_slice(e->key, cases[i][1]);
        event_unref(e);
        buf_fini(&names);
    }
}

static void test_data_of_the_catalogue(void **state)
{
    (void)state;
    struct buf names = {0};
    struct parsed_event parsed =
        accept("{\"topic\":\"session:a\",\"type\":\"build_progress\",\"data\":{\"total\":8,"
               "\"completed\":1}}",
               &names);
    assert_slice(parsed.event->data, "{\"total\":8,\"completed\":1,\"percent\":12.5}");
    assert_ptr_equal(parsed.event->type_info, catalogue_find(SLICE("build_progress")));
    assert_int_equal(parsed.event->type_index, catalogue_index(parsed.event->type_info));
    event_unref(parsed.event);
    buf_fini(&names);
}

static void test_warning(void **state)
{
    (void)state;
    struct buf names = {0};
    struct parsed_event parsed =
        accept(COMPONENT "{\"component_id\":\"auth\",\"status\":\"skipped\"}}", &names);
    assert_string_equal(parsed.warning, "status");
    event_unref(parsed.event);
    buf_fini(&names);
}

/* Custom data may use the envelope's names: then it is nested. */
static void test_nesting(void **state)
{
    (void)state;
    static const char *const nested[] = {"type", "session_id", "timestamp", "offset",
                                         "off\\u0073et"};
    struct buf names = {0}, text = {0};
    for (size_t i = 0; i < sizeof nested / sizeof *nested; i++) {
        buf_clear(&text);
        buf_printf(&text, CUSTOM "\"data\":{\"%s\":1}}", nested[i]);
        struct event *e = accept(buf_text(&text), &names).event;
        assert_true(e->nested);
        event_unref(e);
    }
    struct event *e = accept(CUSTOM "\"data\":{\"a\":{\"type\":1}}}", &names).event;
    assert_false(e->nested);
    event_unref(e);
    buf_fini(&text);
    buf_fini(&names);
}

/* ---- Out of memory ---- */

/* Walks the failure of every allocation until none is left; *names must stay usable. */
static void test_out_of_memory(void **state)
{
    (void)state;
    static const char text[] =
        "{\"topics\":[\"session:a\",\"session\\u003ab\"],\"type\":\"build_progress\","
        "\"data\":{\"total\":8,\"completed\":1}}";
    int error = FAN_E_NO_MEMORY;
    unsigned nth = 1;
    for (; error; nth++) {
        struct buf names = {0};
        struct parsed_event parsed;
        struct publish_failure failure;
        memory_fail_nth(nth);
        error = publish_event_parse(slice_from(text), DATA_MAX, &names, &parsed, &failure);
        memory_fail_nth(0);
        if (error) {
            assert_int_equal(error, FAN_E_NO_MEMORY);
            assert_int_equal(failure.status, 503);
            assert_string_equal(failure.code, "out_of_memory");
            assert_string_equal(failure.field, "");
            assert_string_equal(failure.message, "not enough memory for this event");
            assert_null(parsed.event);
            assert_int_equal(names.len, 0);
            event_unref(accept(text, &names).event); /* the next one is not the worse for it */
        } else {
            event_unref(parsed.event);
        }
        buf_fini(&names);
    }
    assert_int_equal(nth, 6); /* escapes, names, new data, the event; then none failed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_json),
        cmocka_unit_test(test_other_json),
        cmocka_unit_test(test_refused_topics),
        cmocka_unit_test(test_refused_escapes_in_topics),
        cmocka_unit_test(test_long_topic_is_cut_in_the_message),
        cmocka_unit_test(test_most_topics),
        cmocka_unit_test(test_refused_types),
        cmocka_unit_test(test_refused_members),
        cmocka_unit_test(test_longest_texts),
        cmocka_unit_test(test_largest_data),
        cmocka_unit_test(test_all_members),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_many_topics),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_last_member_counts),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_data_of_the_catalogue),
        cmocka_unit_test(test_warning),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
