/* The event catalogue: finding types, reserved names, and every check at publishing. */
#include "../test.h"

#include <stdio.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/event_draft.h"
#include "hub/event_validate.h"

static int validate(const char *type, const char *data, struct buf *out, struct event_check *check)
{
    struct json_value value;
    assert_int_equal(json_parse(slice_from(data), &value, NULL), 0);
    assert_int_equal(value.kind, JSON_OBJECT);
    return event_validate(catalogue_find(slice_from(type)), value.text, out, check);
}

/* Passes unchanged. */
static void assert_passes(const char *type, const char *data)
{
    struct buf out = {0};
    struct event_check check;
    if (validate(type, data, &out, &check) != 0)
        fail_msg("%s %s: %s", type, data, check.message);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

static void assert_refused(const char *type, const char *data, const char *field,
                           const char *message)
{
    struct buf out = {0};
    struct event_check check;
    assert_int_equal(validate(type, data, &out, &check), FAN_E_INVALID);
    assert_string_equal(check.field, field);
    assert_string_equal(check.message, message);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

static void assert_becomes(const char *type, const char *data, const char *expected)
{
    struct buf out = {0};
    struct event_check check;
    assert_int_equal(validate(type, data, &out, &check), 0);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void test_table_is_sound(void **state)
{
    (void)state;
    assert_in_range(catalogue_count(), 1, 63);
    for (unsigned i = 0; i < catalogue_count(); i++) {
        const struct event_type *type = catalogue_at(i);
        assert_true(catalogue_name_valid(type->name));
        assert_ptr_equal(catalogue_find(type->name), type);
        assert_int_equal(catalogue_index(type), i);
        assert_false(catalogue_reserved(type->name));
        assert_in_range(type->field_count, 0, EVENT_FIELDS_MAX);
        assert_non_null(type->meaning);
        struct buf out = {0};
        struct event_check check;
        assert_int_equal(validate(type->name.ptr, type->example, &out, &check), 0);
        assert_null(check.warning);
        buf_fini(&out);
    }
    assert_null(catalogue_find(SLICE("deploy.finished")));
    assert_int_equal(catalogue_index(NULL), -1);
}

static void test_filter_names(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"components", "component_update"},
        {"features", "feature_update"},
        {"terminal", "terminal_output"},
        {"checkpoints", "checkpoint_update"},
        {"tasks", "checkpoint_update"},
        {"progress", "build_progress"},
        {"files", "file_change"},
        {"errors", "error"},
        {"error", "error"},
        {"file_change", "file_change"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_ptr_equal(catalogue_find_filter(slice_from(names[i][0])),
                         catalogue_find(slice_from(names[i][1])));
    assert_null(catalogue_find_filter(SLICE("deploy.finished")));
}

static int resolve(const char *name, unsigned kinds, char message[320])
{
    const struct event_type *type;
    struct event_check check;
    int result = event_type_resolve(slice_from(name), kinds, &type, &check);
    snprintf(message, 320, "%s", check.message);
    if (result == 0)
        assert_ptr_equal(type, catalogue_find(slice_from(name)));
    else
        assert_string_equal(check.field, "type");
    return result;
}

static void test_type_names(void **state)
{
    (void)state;
    unsigned session = TOPIC_BIT(TOPIC_SESSION), channel = TOPIC_BIT(TOPIC_CHANNEL);
    char why[320];
    static const char *const good[] = {
        "error",   "component_update", "a", "deploy.finished-2", "session_update", "open",
        "message", "project.updated"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(resolve(good[i], session, why), 0);
    static const char *const reserved[] = {"connection",
                                           "connect",
                                           "disconnect",
                                           "ping",
                                           "pong",
                                           "subscribe",
                                           "subscribed",
                                           "unsubscribe",
                                           "unsubscribed",
                                           "resume",
                                           "resumed",
                                           "resume_failed",
                                           "gap",
                                           "build_status",
                                           "session_state",
                                           "get_status",
                                           "get_state",
                                           "token_expired",
                                           "request_status",
                                           "token_refreshed",
                                           "refresh_token",
                                           "connect_error",
                                           "response",
                                           "request",
                                           "event",
                                           "disconnecting",
                                           "connection_established"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        assert_int_equal(resolve(reserved[i], session, why), FAN_E_INVALID);
        assert_non_null(strstr(why, "cannot be published"));
    }
    static const char *const bad[] = {
        "A",        "newListener",
        "1a",       "_a",
        "a b",      "a/b",
        "\xc3\xa9", "a2345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(resolve(bad[i], session, why), FAN_E_INVALID);
        assert_non_null(strstr(why, "type must be a lower-case letter"));
    }
    assert_int_equal(resolve("", session, why), FAN_E_INVALID);
    assert_string_equal(why, "type is missing; only channel: topics can do without");
    assert_int_equal(resolve("", channel, why), 0);
    assert_int_equal(resolve("event", channel, why), 0);
    assert_int_equal(resolve("event", channel | session, why), FAN_E_INVALID);
}

static void test_component_update(void **state)
{
    (void)state;
    const char *t = "component_update";
    assert_passes(t, "{\"component_id\":\"a\",\"status\":\"pending\"}");
    assert_passes(t, "{\"component_id\":\"a\",\"status\":\"failed\",\"progress\":0,\"metadata\":"
                     "null,\"extra\":[1]}");
    assert_passes(t, "{\"component_id\":\"a\",\"status\":\"completed\",\"progress\":1e2}");
    assert_refused(t, "{\"status\":\"pending\"}", "component_id",
                   "component_id is missing: it must be a string that is not empty");
    assert_refused(t, "{\"component_id\":\"\",\"status\":\"pending\"}", "component_id",
                   "component_id must be a string that is not empty, got \"\"");
    assert_refused(t, "{\"component_id\":\"a\"}", "status",
                   "status is missing: it must be a string");
    assert_refused(t, "{\"component_id\":\"a\",\"status\":7}", "status",
                   "status must be a string, got 7");
    assert_refused(t, "{\"component_id\":\"a\",\"status\":\"failed\",\"progress\":\"x\"}",
                   "progress", "progress must be a number from 0 to 100, got \"x\"");
    assert_refused(t, "{\"component_id\":\"a\",\"status\":\"failed\",\"progress\":100.5}",
                   "progress", "progress must be a number from 0 to 100, got 100.5");
    assert_refused(t, "{\"component_id\":\"a\",\"status\":\"failed\",\"progress\":-0.1}",
                   "progress", "progress must be a number from 0 to 100, got -0.1");
    assert_refused(t, "{\"component_id\":\"a\",\"status\":\"failed\",\"metadata\":[]}", "metadata",
                   "metadata must be an object, got []");
    assert_refused(t, "{\"component_id\":null,\"status\":\"failed\"}", "component_id",
                   "component_id must be a string that is not empty, got null");
    assert_refused(t, "{\"pro\\u0067ress\":101,\"component_id\":\"a\",\"status\":\"failed\"}",
                   "progress", "progress must be a number from 0 to 100, got 101");
}

static void test_unknown_status_is_counted(void **state)
{
    (void)state;
    struct buf out = {0};
    struct event_check check;
    assert_int_equal(
        validate("feature_update", "{\"feature_id\":\"f\",\"status\":\"blocked\"}", &out, &check),
        0);
    assert_string_equal(check.warning, "status");
    assert_int_equal(validate("feature_update",
                              "{\"feature_id\":\"f\",\"status\":\"\\u0070ending\"}", &out, &check),
                     0);
    assert_null(check.warning);
    buf_fini(&out);
}

static void test_lists_and_texts(void **state)
{
    (void)state;
    assert_passes("checkpoint_update", "{\"checkpoint_id\":\"c\"}");
    assert_refused("checkpoint_update", "{\"checkpoint_id\":\"c\",\"tasks_completed\":[\"a\",1]}",
                   "tasks_completed", "tasks_completed must be a list of strings, got [\"a\",1]");
    assert_refused("checkpoint_update", "{\"checkpoint_id\":\"c\",\"files_created\":{}}",
                   "files_created", "files_created must be a list of strings, got {}");
    assert_passes("terminal_output", "{\"output\":\"\",\"output_type\":\"stderr\"}");
    assert_refused("terminal_output", "{\"output\":\"a\",\"output_type\":\"log\"}", "output_type",
                   "output_type must be one of stdout, stderr, got \"log\"");
    assert_refused("file_change", "{\"file_path\":\"a\",\"change_type\":\"eaten\"}", "change_type",
                   "change_type must be one of created, modified, deleted, moved, got \"eaten\"");
    assert_refused("terminal_output", "{\"output\":[\"a\"]}", "output",
                   "output must be a string, got [\"a\"]");
    assert_passes("error", "{\"error_message\":\"m\",\"error_type\":null}");
    assert_refused("run_finished", "{\"exit_code\":0.5}", "exit_code",
                   "exit_code must be a whole number, got 0.5");
}

static void test_long_values_are_shown_in_part(void **state)
{
    (void)state;
    assert_refused("terminal_output", "{\"output\":[\"ääääääääääääääääääääääääääää\"]}", "output",
                   "output must be a string, got [\"äääääääääääääääääää…");
}

static void test_build_progress(void **state)
{
    (void)state;
    const char *t = "build_progress";
    assert_passes(t, "{\"total\":10,\"completed\":7,\"percent\":70}");
    assert_becomes(t, "{\"total\":3,\"completed\":1}",
                   "{\"total\":3,\"completed\":1,\"percent\":33.3}");
    assert_becomes(t, "{ \"percent\" : null, \"total\" : 10 , \"completed\" : 10, \"x\" : [ 1 ] }",
                   "{\"total\":10,\"completed\":10,\"x\":[ 1 ],\"percent\":100}");
    assert_becomes(t, "{\"total\":0,\"completed\":0}",
                   "{\"total\":0,\"completed\":0,\"percent\":0}");
    assert_refused(t, "{\"total\":3,\"completed\":4}", "completed",
                   "completed must be a number from 0 to total (3), got 4");
    assert_refused(t, "{\"total\":-1,\"completed\":0}", "total",
                   "total must be a number of at least 0, got -1");
    assert_refused(t, "{\"total\":1e999,\"completed\":0}", "total",
                   "total must be a number of at least 0, got 1e999");
    assert_refused(t, "{\"total\":1,\"completed\":1,\"percent\":101}", "percent",
                   "percent must be a number from 0 to 100, got 101");
}

static void assert_content(size_t len, const char *unit, bool kept)
{
    struct buf data = {0}, out = {0};
    BUF_LITERAL(&data, "{\"content\":\"");
    for (size_t i = 0; i < len; i++)
        buf_append_text(&data, unit);
    BUF_LITERAL(&data, "\",\"file_path\":\"a.md\",\"change_type\":\"modified\","
                       "\"truncated\":false}");
    struct event_check check;
    assert_int_equal(validate("file_change", buf_text(&data), &out, &check), 0);
    assert_string_equal(buf_text(&out), kept ? ""
                                             : "{\"file_path\":\"a.md\","
                                               "\"change_type\":\"modified\",\"truncated\":true}");
    buf_fini(&data);
    buf_fini(&out);
}

static void test_long_content_is_left_out(void **state)
{
    (void)state;
    assert_content(65536, "a", true);
    assert_content(65537, "a", false);
    assert_content(65536, "\\n", true);
    assert_content(65537, "\\n", false);
    assert_content(32768, "\\u00e9", true);
    assert_content(32769, "\\u00e9", false);
}

static void test_envelope_names(void **state)
{
    (void)state;
    assert_refused("terminal_output", "{\"output\":\"x\",\"offset\":1}", "offset",
                   "offset cannot stand in the data of terminal_output: the envelope has a field "
                   "of that name");
    assert_refused("error", "{\"error_message\":\"m\",\"\\u0074ype\":1}", "type",
                   "type cannot stand in the data of error: the envelope has a field of that name");
    assert_passes("deploy.done", "{\"type\":1,\"session_id\":2}");
    assert_true(event_needs_nesting(NULL, SLICE("{\"a\":1,\"timestamp\":2}")));
    assert_true(event_needs_nesting(NULL, SLICE("{\"session\\u005fid\":2}")));
    assert_false(event_needs_nesting(NULL, SLICE("{\"a\":{\"type\":1},\"types\":2}")));
    assert_false(event_needs_nesting(NULL, SLICE("{}")));
}

static void test_keys(void **state)
{
    (void)state;
    struct buf out = {0};
    struct event_check check;
    validate("component_update", "{\"component_id\":\"auth\",\"status\":\"failed\"}", &out, &check);
    assert_true(slice_is(check.key, "auth"));
    validate("build_progress", "{\"total\":1,\"completed\":1,\"percent\":100}", &out, &check);
    assert_non_null(check.key.ptr);
    assert_int_equal(check.key.len, 0);
    validate("terminal_output", "{\"output\":\"x\"}", &out, &check);
    assert_null(check.key.ptr);
    buf_fini(&out);
}

static void test_without_memory(void **state)
{
    (void)state;
    struct buf out = {0};
    struct event_check check;
    memory_fail_nth(1);
    assert_int_equal(validate("build_progress", "{\"total\":1,\"completed\":1}", &out, &check),
                     FAN_E_NO_MEMORY);
    memory_fail_nth(0);
    buf_fini(&out);
}

/* ---- Objects in data, channels ---- */

static void test_objects_within(void **state)
{
    (void)state;
    assert_passes("execution_complete",
                  "{\"execution_id\":\"e\",\"result\":{\"exit_code\":null,\"more\":{}}}");
    assert_refused("execution_complete", "{\"execution_id\":\"e\",\"result\":{\"timed_out\":1}}",
                   "result", "result.timed_out must be true or false, got 1");
    assert_refused("ai_response", "{\"message\":{\"id\":\"m\",\"content\":null}}", "message",
                   "message.content is missing: it must be a string");
    assert_refused("ai_response", "{\"message\":[]}", "message",
                   "message must be an object, got []");
}

/* Their flat form nests data that has an envelope's names. */
static void test_names_of_the_envelope(void **state)
{
    (void)state;
    const struct event_type *type = catalogue_find(SLICE("session_update"));
    assert_passes("session_update", "{\"type\":\"x\",\"offset\":1}");
    assert_true(event_needs_nesting(type, SLICE("{\"type\":\"x\"}")));
    assert_false(event_needs_nesting(type, SLICE("{\"a\":\"x\"}")));
    assert_false(
        event_needs_nesting(catalogue_find(SLICE("build_progress")), SLICE("{\"type\":\"x\"}")));
}

static uint32_t channel_bit(const char *topic)
{
    struct topic_name name;
    assert_int_equal(topic_name_parse(slice_from(topic), &name, NULL), 0);
    return event_channel_bit(name);
}

static void test_channels(void **state)
{
    (void)state;
    uint32_t all = 0;
    assert_int_equal(channel_bit("session:files"), 0);
    assert_int_equal(channel_bit("channel:files/a"), 0);
    for (unsigned i = 0; i < catalogue_channel_count(); i++) {
        const struct event_type *row = catalogue_channel_at(i);
        struct buf out = {0};
        struct event_check check = {.time_ms = 1767268800123};
        assert_ptr_equal(catalogue_channel(row->name), row);
        all |= 1u << i;
        assert_int_equal(event_validate_channels(1u << i, slice_from(row->example), &out, &check),
                         0);
        assert_int_equal(out.len, 0); /* it has its timestamp */
    }
    assert_null(catalogue_channel(SLICE("other")));
    struct buf out = {0};
    struct event_check check = {.time_ms = 1767268800123};
    struct slice data = SLICE("{\"query\":\"q\",\"completed\":1,\"results\":[]}");
    assert_int_equal(event_validate_channels(channel_bit("channel:search"), data, &out, &check), 0);
    assert_string_equal(buf_text(&out), "{\"query\":\"q\",\"completed\":1,\"results\":[],"
                                        "\"timestamp\":\"2026-01-01T12:00:00.123Z\"}");
    assert_true(slice_is(check.key, "q"));
    buf_fini(&out);
    assert_int_equal(event_validate_channels(0, SLICE("{}"), &out, &check), 0);
    assert_null(check.key.ptr);
    assert_int_equal(event_validate_channels(all, data, &out, &check), FAN_E_INVALID);
    assert_string_equal(check.field, "file");
    buf_fini(&out);
}

/* ---- Drafts ---- */

static void assert_draft(const char *topic, const char *type, const char *data, int expected,
                         const char *message)
{
    const struct event_draft draft = {.topic = slice_from(topic),
                                      .type = slice_from(type),
                                      .data = slice_from(data),
                                      .source = SLICE("me"),
                                      .time_ms = 1767268800123};
    struct event *event;
    struct event_check check;
    assert_int_equal(event_draft_make(&draft, 100, &event, &check), expected);
    if (expected) {
        assert_null(event);
        assert_string_equal(check.message, message);
        return;
    }
    assert_true(slice_is(event->source, "me"));
    assert_true(slice_is(event->data, message));
    event_unref(event);
}

static void test_drafts(void **state)
{
    (void)state;
    assert_draft("session:a", "tick", " {\"a\":1} ", 0, "{\"a\":1}");
    assert_draft("session:a", "build_progress", "{\"total\":2,\"completed\":1}", 0,
                 "{\"total\":2,\"completed\":1,\"percent\":50}");
    assert_draft("channel:files", "", "{\"file\":\"a\",\"event\":\"add\"}", 0,
                 "{\"file\":\"a\",\"event\":\"add\",\"timestamp\":\"2026-01-01T12:00:00.123Z\"}");
    assert_draft("session:a b", "tick", "{}", FAN_E_INVALID,
                 "topic \"session:a b\": the id after 'session:' must be 1 to 128 characters of "
                 "A-Z a-z 0-9 . _ : @ / -");
    assert_draft("session:a", "connect", "{}", FAN_E_INVALID,
                 "type 'connect' is the name of a control message and cannot be published");
    assert_draft("session:a", "tick", "{", FAN_E_PARSE,
                 "data: invalid JSON at byte 1: expected a member's name in quotes or '}'");
    assert_draft("session:a", "tick", "[]", FAN_E_INVALID, "data must be an object, got an array");
    assert_draft("session:a", "hook_triggered", "{}", FAN_E_INVALID,
                 "hook_type is missing: it must be one of on_run, on_error, on_save");
    char large[120] = "{\"a\":\"";
    memset(large + 6, 'x', 100);
    memcpy(large + 106, "\"}", 3);
    assert_draft("session:a", "tick", large, FAN_E_TOO_LARGE,
                 "data has 108 bytes; at most 100 are accepted (limits.message_size)");
}

static void test_drafts_without_a_topic(void **state)
{
    (void)state;
    struct buf names = {0};
    struct event_draft draft = {.type = SLICE("project.deleted"), .names = &names};
    struct event *event;
    struct event_check check;
    draft.data = SLICE("{\"project_id\":\"550E8400-e29b-41d4-a716-446655440000\","
                       "\"deleted_by\":\"a b\"}");
    assert_int_equal(event_draft_make(&draft, 1000, &event, &check), 0);
    assert_int_equal(event->place_count, 2);
    assert_memory_equal(names.data, "project:550e8400-e29b-41d4-a716-446655440000\0user:a%20b",
                        names.len);
    event_unref(event);
    buf_clear(&names);
    draft.type = SLICE("tick");
    assert_int_equal(event_draft_make(&draft, 1000, &event, &check), FAN_E_INVALID);
    assert_string_equal(check.message, "topic is missing: events of type tick are published to a "
                                       "topic, session:build_123 for instance");
    draft.topic = SLICE("project:a");
    assert_int_equal(event_draft_make(&draft, 1000, &event, &check), 0);
    assert_int_equal(event->place_count, 1);
    assert_string_equal(buf_text(&names), "project:a");
    event_unref(event);
    buf_fini(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_within),
        cmocka_unit_test(test_names_of_the_envelope),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_drafts),
        cmocka_unit_test(test_drafts_without_a_topic),
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_filter_names),
        cmocka_unit_test(test_type_names),
        cmocka_unit_test(test_component_update),
        cmocka_unit_test(test_unknown_status_is_counted),
        cmocka_unit_test(test_lists_and_texts),
        cmocka_unit_test(test_long_values_are_shown_in_part),
        cmocka_unit_test(test_build_progress),
        cmocka_unit_test(test_long_content_is_left_out),
        cmocka_unit_test(test_envelope_names),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
