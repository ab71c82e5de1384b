/* The sections of web IDE sessions in the folded state: executions, conversation, files, updates.
 */
#include "session_fixture.h"

static void test_executions(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    fold(s, "execution_start",
         "{\"execution_id\":\"e1\",\"language\":\"c\",\"code_preview\":\"int\"}");
    fold(s, "execution_output", "{\"execution_id\":\"e1\",\"output\":\"a\",\"stream\":\"stdout\"}");
    fold(s, "execution_output", "{\"execution_id\":\"e1\",\"output\":\"b\",\"stream\":\"stderr\"}");
    fold(s, "execution_output", "{\"execution_id\":\"e1\",\"output\":\"c\"}");
    assert_shown(s, "executions.e1",
                 "{\"status\":\"running\",\"language\":\"c\",\"code_preview\":\"int\","
                 "\"stdout\":\"ac\",\"stderr\":\"b\",\"started\":\"2026-01-01T12:00:00.000Z\","
                 "\"updated\":\"2026-01-01T12:00:00.000Z\"}");
    fold(s, "execution_complete",
         "{\"execution_id\":\"e1\",\"result\":{\"exit_code\":0,\"stdout\":\"ac\"}}");
    assert_shown(s, "executions.e1",
                 "{\"status\":\"completed\",\"language\":\"c\",\"code_preview\":\"int\","
                 "\"result\":{\"exit_code\":0,\"stdout\":\"ac\"},"
                 "\"started\":\"2026-01-01T12:00:00.000Z\","
                 "\"updated\":\"2026-01-01T12:00:00.000Z\"}");
    fold(s, "execution_error",
         "{\"execution_id\":\"e2\",\"error\":\"late\",\"error_type\":\"timeout\"}");
    assert_shown(s, "executions.e2.status", "\"failed\"");
    assert_shown(s, "executions.e2.error", "\"late\"");
    session_state_free(s);
}

/* A result that is too large is kept without its output, whose end stays. */
static void test_large_result(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    struct buf data = {0};
    fold(s, "execution_output", "{\"execution_id\":\"e\",\"output\":\"the end\"}");
    BUF_LITERAL(&data, "{\"execution_id\":\"e\",\"result\":{\"stdout\":\"");
    for (unsigned i = 0; i < 70000; i++)
        buf_append_char(&data, 'x');
    BUF_LITERAL(&data, "\",\"exit_code\":3,\"truncated\":false}}");
    fold(s, "execution_complete", buf_text(&data));
    assert_shown(s, "executions.e.result", "{\"exit_code\":3,\"truncated\":true}");
    assert_shown(s, "executions.e.stdout", "\"the end\"");
    buf_fini(&data);
    session_state_free(s);
}

static unsigned count_members(const struct session_state *s, const char *name)
{
    struct buf out = {0};
    struct json_value value = shown_json(s, &out);
    struct json_member member;
    unsigned n = 0;
    assert_true(json_find(value, slice_from(name), &value));
    if (value.kind == JSON_ARRAY) {
        n = json_count(value.text);
    } else {
        struct json_iter it = json_members(value);
        while (json_next_member(&it, &member))
            n++;
    }
    buf_fini(&out);
    return n;
}

/* The newest are kept; of executions those that run rather than those that have ended. */
static void test_bounds_of_ide_sections(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    char data[256];
    fold(s, "execution_start", "{\"execution_id\":\"runs\",\"language\":\"c\"}");
    for (unsigned i = 0; i < 100; i++) {
        snprintf(data, sizeof data, "{\"execution_id\":\"e%u\",\"result\":{}}", i);
        fold(s, "execution_complete", data);
        snprintf(data, sizeof data, "{\"message\":{\"id\":\"m%u\",\"content\":\"x\"}}", i);
        fold(s, "ai_response", data);
        snprintf(data, sizeof data, "{\"file_id\":\"f%u\",\"file_name\":\"a\"}", i);
        fold(s, "file_saved", data);
        snprintf(data, sizeof data, "{\"n\":%u}", i);
        fold(s, "session_update", data);
    }
    assert_int_equal(count_members(s, "executions"), 20);
    assert_shown(s, "executions.runs.status", "\"running\"");
    assert_shown(s, "executions.e99.status", "\"completed\"");
    assert_int_equal(count_members(s, "chat"), 40);
    assert_int_equal(count_members(s, "files"), 64);
    assert_shown(s, "files.f99.file_name", "\"a\"");
    assert_int_equal(count_members(s, "updates"), 20);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(data, sizeof data, "{\"execution_id\":\"r%u\",\"language\":\"c\"}", i);
        fold(s, "execution_start", data);
    }
    assert_int_equal(count_members(s, "executions"), 20);
    session_state_free(s);
}

static void fold_file(struct session_state *s, const char *id, size_t size)
{
    struct buf data = {0};
    buf_printf(&data, "{\"file_id\":\"%s\",\"file_name\":\"a\",\"language\":\"c\",\"content\":\"",
               id);
    for (size_t i = 0; i < size; i++)
        buf_append_char(&data, 'x');
    BUF_LITERAL(&data, "\"}");
    fold(s, "file_saved", buf_text(&data));
    buf_fini(&data);
}

static void test_file_contents(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    char id[16];
    fold_file(s, "small", 3);
    assert_shown(s, "files.small.content", "\"xxx\"");
    fold_file(s, "large", SESSION_FILE_MAX);
    assert_shown(s, "files.large.truncated", "true");
    fold_file(s, "large", 2);
    assert_shown(s, "files.large.content", "\"xx\"");
    for (unsigned i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "f%u", i);
        fold_file(s, id, SESSION_FILE_MAX - 2);
    }
    assert_shown(s, "files.small.truncated", "true"); /* 4 MiB in all */
    assert_shown(s, "files.f3.truncated", "true");
    assert_shown(s, "files.f4.language", "\"c\"");
    assert_true(session_state_bytes(s) < (4u << 20) + 100000);
    session_state_free(s);
}

static void test_chat(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    fold(s, "ai_chunk", "{\"id\":\"a\",\"chunk\":\"x\"}");
    fold(s, "ai_chunk", "{\"id\":\"b\",\"chunk\":\"y\"}");
    fold(s, "ai_chunk", "{\"id\":\"b\",\"chunk\":\"z\"}");
    assert_shown(s, "chat",
                 "[{\"id\":\"b\",\"content\":\"yz\",\"sender\":\"ghost\",\"finished\":false}]");
    fold(s, "ai_response", "{\"message\":{\"id\":\"other\",\"content\":\"o\",\"sender\":\"me\"}}");
    assert_int_equal(count_members(s, "chat"), 2);
    fold(s, "ai_response", "{\"message\":{\"id\":\"b\",\"content\":\"yz.\",\"timestamp\":\"t\"}}");
    assert_shown(s, "chat",
                 "[{\"id\":\"other\",\"content\":\"o\",\"sender\":\"me\","
                 "\"timestamp\":\"2026-01-01T12:00:00.000Z\"},"
                 "{\"id\":\"b\",\"content\":\"yz.\",\"sender\":null,\"timestamp\":\"t\"}]");
    session_state_free(s);
}

static void test_snapshot_of_ide_sections(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    struct buf snapshot = {0}, before = {0}, after = {0};
    fold(s, "execution_start", "{\"execution_id\":\"e\\u0031\",\"language\":\"c\"}");
    fold(s, "execution_output", "{\"execution_id\":\"e1\",\"output\":\"a\"}");
    fold(s, "execution_error", "{\"execution_id\":\"e2\",\"error\":\"x\",\"result\":{}}");
    fold(s, "ai_response", "{\"message\":{\"id\":\"m\",\"content\":\"c\"}}");
    fold(s, "ai_chunk", "{\"id\":\"n\",\"chunk\":\"x\"}");
    fold_file(s, "f1", 5);
    fold_file(s, "f2", SESSION_FILE_MAX);
    fold(s, "session_update", "{\"a\":1}");
    session_state_append_snapshot(s, &snapshot);
    struct session_state *loaded = session_state_try_load(buf_slice(&snapshot));
    shown_json(s, &before);
    shown_json(loaded, &after);
    assert_string_equal(buf_text(&before), buf_text(&after));
    fold(loaded, "execution_output", "{\"execution_id\":\"e1\",\"output\":\"b\"}");
    assert_shown(loaded, "executions.e1.stdout", "\"ab\"");
    buf_fini(&snapshot);
    buf_fini(&before);
    buf_fini(&after);
    session_state_free(loaded);
    session_state_free(s);
}

/* Each allocation fails once: the state says that it is incomplete, and is whole otherwise. */
static void test_ide_sections_without_memory(void **unused)
{
    (void)unused;
    static const char *const events[][2] = {
        {"execution_start", "{\"execution_id\":\"e\",\"language\":\"c\",\"code_preview\":\"x\"}"},
        {"execution_output", "{\"execution_id\":\"e\",\"output\":\"a\"}"},
        {"execution_error", "{\"execution_id\":\"e\",\"error\":\"x\",\"result\":{}}"},
        {"ai_response", "{\"message\":{\"id\":\"m\",\"content\":\"c\"}}"},
        {"ai_chunk", "{\"id\":\"n\",\"chunk\":\"x\"}"},
        {"file_saved", "{\"file_id\":\"f\",\"file_name\":\"a\",\"content\":\"x\"}"},
        {"session_update", "{\"a\":1}"},
    };
    for (unsigned nth = 1; nth < 40; nth++) {
        struct session_state *s = session_state_try_new();
        struct buf out = {0};
        memory_fail_nth(nth);
        for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
            struct slice data = slice_from(events[i][1]);
            session_state_fold(s, catalogue_find(slice_from(events[i][0])), data, NOON);
        }
        memory_fail_nth(0);
        shown_json(s, &out);
        buf_fini(&out);
        session_state_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_executions),
        cmocka_unit_test(test_large_result),
        cmocka_unit_test(test_bounds_of_ide_sections),
        cmocka_unit_test(test_file_contents),
        cmocka_unit_test(test_chat),
        cmocka_unit_test(test_snapshot_of_ide_sections),
        cmocka_unit_test(test_ide_sections_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
