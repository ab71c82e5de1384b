/* The folded session state: each section, its bounds, snapshots, and no memory. */
#include "session_fixture.h"

#include "base/memory.h"
#include "codec/json_writer.h"
#include "codec/utf8.h"
#include "fanfare/error.h"
#include "hub/session_state.h"

static void test_empty(void **unused)
{
    (void)unused;
    static const char expected[] =
        "{\"session_id\":\"abc\",\"phase\":null,\"status\":\"pending\",\"components\":{},"
        "\"features\":{},\"build_progress\":{\"total\":0,\"completed\":0,\"percent\":0},"
        "\"component_stats\":{\"total\":0,\"completed\":0,\"in_progress\":0,\"pending\":0,"
        "\"failed\":0,\"completion_percentage\":0},"
        "\"feature_stats\":{\"total\":0,\"completed\":0,\"in_progress\":0,\"pending\":0,"
        "\"failed\":0,\"completion_percentage\":0},"
        "\"overall_progress\":{\"tasks_completed\":0,\"files_created\":0,"
        "\"completion_percentage\":0,\"status\":\"pending\"},\"last_checkpoint\":null,"
        "\"terminal_tail\":\"\",\"errors\":[],\"unresolved_error\":false,\"run\":null,"
        "\"executions\":{},\"chat\":[],\"files\":{},\"updates\":[],\"connections\":2,"
        "\"started\":null,\"updated\":null}";
    struct session_state *state = session_state_try_new();
    struct buf out = {0};
    shown_json(state, &out);
    assert_string_equal(buf_text(&out), expected);
    shown_json(NULL, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
    session_state_free(state);
    session_state_free(NULL);
}

static void test_components(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    fold(s, "component_update",
         "{\"component_id\":\"auth\",\"status\":\"in_progress\","
         "\"progress\":45.5,\"metadata\":{\"a\":1}}");
    fold(s, "component_update", "{\"component_id\":\"d\\u0062\",\"status\":\"completed\"}");
    fold(s, "component_update", "{\"component_id\":\"ui\",\"status\":\"blocked\"}");
    assert_shown(s, "components.auth",
                 "{\"status\":\"in_progress\",\"progress\":45.5,\"metadata\":{\"a\":1},"
                 "\"updated\":\"2026-01-01T12:00:00.000Z\"}");
    assert_shown(s, "components.db.progress", "100");
    assert_shown(s, "components.db.metadata", "null");
    assert_shown(s, "components.ui.status", "\"blocked\"");
    assert_shown(s, "component_stats",
                 "{\"total\":3,\"completed\":1,\"in_progress\":1,"
                 "\"pending\":0,\"failed\":0,\"completion_percentage\":48.5}");
    assert_shown(s, "overall_progress.completion_percentage", "48.5");
    assert_shown(s, "status", "\"in_progress\"");
    /* Without a progress it stays; a status of failed fails the whole. */
    fold(s, "component_update", "{\"component_id\":\"auth\",\"status\":\"failed\"}");
    assert_shown(s, "components.auth.progress", "45.5");
    assert_shown(s, "components.auth.metadata", "{\"a\":1}");
    assert_shown(s, "status", "\"failed\"");
    fold(s, "component_update", "{\"component_id\":\"auth\",\"status\":\"completed\"}");
    fold(s, "component_update", "{\"component_id\":\"ui\",\"status\":\"completed\"}");
    assert_shown(s, "overall_progress.status", "\"completed\"");
    assert_shown(s, "component_stats.completion_percentage", "100");
    session_state_free(s);
}

static void test_features_lead_without_components(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    fold(s, "feature_update",
         "{\"feature_id\":\"login\",\"status\":\"in_progress\",\"progress\":10}");
    assert_shown(s, "overall_progress.completion_percentage", "10");
    fold(s, "component_update",
         "{\"component_id\":\"a\",\"status\":\"in_progress\",\"progress\":50}");
    assert_shown(s, "overall_progress.completion_percentage", "50");
    assert_shown(s, "feature_stats.completion_percentage", "10");
    session_state_free(s);
}

static void test_checkpoint(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    assert_false(session_state_has_checkpoint(s, SLICE("c1")));
    fold(s, "checkpoint_update",
         "{\"checkpoint_id\":\"c1\",\"phase\":\"build_3a\",\"tasks_completed\":[\"t1\",\"t2\"],"
         "\"files_created\":[\"f\"],\"metadata\":{\"name\":\"n\"}}");
    assert_true(session_state_has_checkpoint(s, SLICE("c1")));
    assert_false(session_state_has_checkpoint(s, SLICE("c2")));
    assert_shown(s, "phase", "\"build_3a\"");
    assert_shown(s, "status", "\"in_progress\"");
    assert_shown(s, "overall_progress.tasks_completed", "2");
    assert_shown(s, "overall_progress.files_created", "1");
    assert_shown(s, "last_checkpoint",
                 "{\"checkpoint_id\":\"c1\",\"phase\":\"build_3a\","
                 "\"tasks_completed\":[\"t1\",\"t2\"],\"files_created\":[\"f\"],"
                 "\"metadata\":{\"name\":\"n\"},\"timestamp\":\"2026-01-01T12:00:00.000Z\"}");
    fold(s, "checkpoint_update", "{\"checkpoint_id\":\"c2\",\"phase\":\"done\"}");
    assert_shown(s, "last_checkpoint.tasks_completed", "[]");
    assert_shown(s, "overall_progress.tasks_completed", "0");
    assert_shown(s, "status", "\"pending\"");
    session_state_free(s);
}

static void test_errors(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    for (int i = 0; i < 25; i++) {
        char data[100];
        snprintf(data, sizeof data, "{\"error_message\":\"e%d\",\"error_type\":\"t\"}", i);
        fold(s, "error", data);
    }
    struct buf out = {0};
    struct json_value value = shown_json(s, &out), errors, element;
    assert_true(json_find(value, SLICE("errors"), &errors));
    struct json_iter it = json_elements(errors);
    int count = 0;
    while (json_next_element(&it, &element)) {
        char expected[16];
        struct json_value message;
        snprintf(expected, sizeof expected, "e%d", 5 + count++);
        assert_true(json_find(element, SLICE("error_message"), &message));
        assert_true(json_string_is(message, expected));
    }
    assert_int_equal(count, 20);
    buf_fini(&out);
    assert_shown(s, "status", "\"failed\"");
    fold(s, "checkpoint_update", "{\"checkpoint_id\":\"c\"}");
    assert_shown(s, "status", "\"pending\"");
    session_state_free(s);
}

static void test_runs(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    fold(s, "run_started", "{\"command\":\"make\"}");
    assert_shown(s, "status", "\"in_progress\"");
    assert_shown(s, "run", "\"running\"");
    fold(s, "build_progress", "{\"total\":4,\"completed\":1,\"percent\":25}");
    assert_shown(s, "build_progress", "{\"total\":4,\"completed\":1,\"percent\":25}");
    assert_shown(s, "overall_progress.completion_percentage", "25");
    fold(s, "run_finished", "{\"exit_code\":2,\"signal\":null}");
    assert_shown(s, "status", "\"failed\"");
    assert_shown(s, "run", "\"failed\"");
    fold(s, "run_started", "{}");
    fold(s, "run_finished", "{\"exit_code\":null,\"signal\":\"SIGKILL\"}");
    assert_shown(s, "status", "\"failed\"");
    fold(s, "run_started", "{}");
    fold(s, "run_finished", "{\"exit_code\":0,\"signal\":null,\"duration\":1.5}");
    assert_shown(s, "status", "\"completed\"");
    assert_shown(s, "run", "\"succeeded\"");
    fold(s, "deploy.done", "{}");
    assert_shown(s, "updated", "\"2026-01-01T12:00:00.000Z\"");
    session_state_free(s);
}

/* The tail as text. */
static void shown_tail(const struct session_state *state, struct buf *text)
{
    struct buf out = {0};
    struct json_value value = shown_json(state, &out), tail;
    assert_true(json_find(value, SLICE("terminal_tail"), &tail));
    buf_clear(text);
    json_string_append(text, tail);
    buf_fini(&out);
}

static void test_terminal_tail(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    struct buf all = {0}, tail = {0}, data = {0};
    unsigned random = 1;
    for (int i = 0; i < 3000; i++) {
        struct buf piece = {0};
        random = random * 1103515245u + 12345u;
        for (unsigned n = random >> 16 & 127; n; n--)
            buf_append_text(&piece, n % 3 == 0 ? "ä" : n % 7 == 0 ? "€\n" : "x");
        buf_append_slice(&all, buf_slice(&piece));
        buf_clear(&data);
        BUF_LITERAL(&data, "{\"output\":");
        json_append_string(&data, buf_slice(&piece));
        BUF_LITERAL(&data, "}");
        fold(s, "terminal_output", buf_text(&data));
        buf_fini(&piece);
    }
    shown_tail(s, &tail);
    assert_in_range(tail.len, 65536 - 3, 65536);
    assert_true(utf8_valid(buf_slice(&tail)));
    assert_memory_equal(tail.data, all.data + all.len - tail.len, tail.len);
    assert_in_range(session_state_bytes(s), 65536, 100000);
    /* One larger than all that is kept. */
    buf_clear(&data);
    BUF_LITERAL(&data, "{\"output\":\"");
    for (int i = 0; i < 40000; i++)
        buf_append_text(&data, "é");
    BUF_LITERAL(&data, "!\"}");
    fold(s, "terminal_output", buf_text(&data));
    shown_tail(s, &tail);
    assert_in_range(tail.len, 65535, 65536);
    assert_true(utf8_valid(buf_slice(&tail)));
    buf_fini(&all);
    buf_fini(&tail);
    buf_fini(&data);
    session_state_free(s);
}

static void test_items_are_bounded(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    char data[128];
    for (int i = 0; i < 10005; i++) {
        if (i == 10000) /* 0 is no longer the oldest */
            fold(s, "component_update", "{\"component_id\":\"c0\",\"status\":\"failed\"}");
        snprintf(data, sizeof data,
                 "{\"component_id\":\"c%d\",\"status\":\"pending\",\"progress\":50}", i);
        fold(s, "component_update", data);
    }
    assert_shown(s, "component_stats",
                 "{\"total\":10000,\"completed\":0,\"in_progress\":0,\"pending\":9999,"
                 "\"failed\":1,\"completion_percentage\":50}");
    struct buf out = {0};
    struct json_value components;
    assert_true(json_find(shown_json(s, &out), SLICE("components"), &components));
    assert_true(json_find(components, SLICE("c0"), &components));
    assert_in_range(session_state_bytes(s), 1000000, 4000000);
    buf_fini(&out);
    assert_false(session_state_incomplete(s));
    session_state_free(s);
}

static void fold_metadata(struct session_state *s, int id, size_t len)
{
    struct buf data = {0};
    buf_printf(&data, "{\"component_id\":\"c%d\",\"status\":\"pending\",\"metadata\":{\"a\":\"",
               id);
    for (size_t i = 0; i < len - 8; i++)
        buf_append_char(&data, 'm');
    BUF_LITERAL(&data, "\"}}");
    fold(s, "component_update", buf_text(&data));
    buf_fini(&data);
}

static void test_metadata_is_bounded(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    fold_metadata(s, 0, 16385);
    assert_shown(s, "components.c0.metadata", "null");
    for (int i = 0; i < 300; i++)
        fold_metadata(s, i, 16384);
    assert_shown(s, "components.c299.metadata", "null");
    assert_in_range(session_state_bytes(s), 4 << 20, (4 << 20) + 200000);
    fold_metadata(s, 0, 9);
    fold_metadata(s, 299, 9);
    assert_shown(s, "components.c299.metadata", "{\"a\":\"m\"}");
    session_state_free(s);
}

static void test_texts_are_bounded(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    struct buf data = {0};
    BUF_LITERAL(&data, "{\"error_type\":\"");
    for (int i = 0; i < 200; i++)
        buf_append_text(&data, "é\\n"); /* three bytes each */
    BUF_LITERAL(&data, "\",\"error_message\":\"m\"}");
    fold(s, "error", buf_text(&data));
    struct buf out = {0}, text = {0};
    struct json_value errors, error, kind;
    assert_true(json_find(shown_json(s, &out), SLICE("errors"), &errors));
    struct json_iter it = json_elements(errors);
    assert_true(json_next_element(&it, &error));
    assert_true(json_find(error, SLICE("error_type"), &kind));
    json_string_append(&text, kind);
    assert_int_equal(text.len, 255 + 3);
    assert_string_equal(buf_text(&text) + 252, "é\n…");
    buf_fini(&text);
    buf_fini(&out);
    buf_fini(&data);
    session_state_free(s);
}

static void fold_everything(struct session_state *s)
{
    fold(s, "component_update",
         "{\"component_id\":\"a\",\"status\":\"in_progress\","
         "\"progress\":33.3,\"metadata\":{\"k\":[1,2]}}");
    fold(s, "component_update", "{\"component_id\":\"\\\"\\n\",\"status\":\"odd\"}");
    fold(s, "feature_update", "{\"feature_id\":\"f\",\"status\":\"completed\"}");
    fold(s, "checkpoint_update",
         "{\"checkpoint_id\":\"c\",\"phase\":\"build_1\","
         "\"tasks_completed\":[\"t\"]}");
    fold(s, "build_progress", "{\"total\":4,\"completed\":1,\"percent\":25}");
    fold(s, "terminal_output", "{\"output\":\"line\\u0000\\n\"}");
    fold(s, "error", "{\"error_message\":\"boom\",\"traceback\":\"at\\nline\"}");
    fold(s, "run_started", "{}");
    fold(s, "run_finished", "{\"exit_code\":1}");
}

/* Lists and pages must not tell two stories: what the summary says is in the state, word for word.
 */
static void test_summary_agrees_with_the_state(void **unused)
{
    (void)unused;
    static const char *const names[] = {"phase",
                                        "status",
                                        "build_progress",
                                        "component_stats",
                                        "feature_stats",
                                        "overall_progress",
                                        "run",
                                        "started",
                                        "updated"};
    struct session_state *s = session_state_try_new();
    fold_everything(s);
    for (unsigned round = 0; round < 2; round++) {
        struct buf out = {0}, summary = {0};
        struct json_value whole, said, shown;
        session_state_append_json(round ? s : NULL, SLICE("abc"), 2, &out);
        json_begin(&summary, NULL, '{');
        session_state_append_summary(round ? s : NULL, &summary);
        json_end(&summary, '}');
        assert_int_equal(json_parse(buf_slice(&out), &whole, NULL), 0);
        assert_int_equal(json_parse(buf_slice(&summary), &said, NULL), 0);
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
            assert_true(json_find(whole, slice_from(names[i]), &shown));
            struct slice expected = shown.text;
            assert_true(json_find(said, slice_from(names[i]), &shown));
            assert_true(slice_equal(shown.text, expected));
        }
        buf_fini(&out);
        buf_fini(&summary);
    }
    session_state_free(s);
}

static void test_snapshot(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    fold_everything(s);
    struct buf snapshot = {0}, before = {0}, after = {0};
    session_state_append_snapshot(s, &snapshot);
    struct session_state *loaded = session_state_try_load(buf_slice(&snapshot));
    assert_non_null(loaded);
    shown_json(s, &before);
    shown_json(loaded, &after);
    assert_string_equal(buf_text(&after), buf_text(&before));
    assert_true(session_state_has_checkpoint(loaded, SLICE("c")));
    assert_null(session_state_try_load(SLICE("[]")));
    assert_null(session_state_try_load(SLICE("{\"components\":")));
    session_state_free(loaded);
    loaded = session_state_try_load(
        SLICE("{\"components\":{\"a\":1,\"b\":{}},\"errors\":7,\"fold\":{\"run\":9}}"));
    shown_json(loaded, &after);
    session_state_free(loaded);
    session_state_free(s);
    buf_fini(&snapshot);
    buf_fini(&before);
    buf_fini(&after);
}

/* Wrong kinds, which validation would have refused, are passed over. */
static void test_wrong_kinds(void **unused)
{
    (void)unused;
    struct session_state *s = session_state_try_new();
    fold(s, "component_update", "{\"component_id\":7,\"status\":1}");
    fold(s, "component_update", "{\"component_id\":\"a\",\"status\":1,\"progress\":\"x\"}");
    fold(s, "component_update", "{\"component_id\":\"b\",\"status\":\"failed\",\"progress\":1e9}");
    fold(s, "terminal_output", "{\"output\":{}}");
    fold(s, "checkpoint_update", "{\"checkpoint_id\":[],\"phase\":1}");
    fold(s, "checkpoint_update", "{\"checkpoint_id\":\"c\",\"phase\":1,\"files_created\":1}");
    fold(s, "error", "{\"error_message\":[]}");
    fold(s, "build_progress", "{\"total\":\"x\"}");
    assert_shown(s, "components.b.progress", "100");
    assert_shown(s, "errors",
                 "[{\"error_message\":null,\"error_type\":null,\"traceback\":null,"
                 "\"timestamp\":\"2026-01-01T12:00:00.000Z\"}]");
    session_state_free(s);
}

static void test_without_memory(void **unused)
{
    (void)unused;
    struct buf out = {0};
    unsigned incomplete = 0;
    for (unsigned nth = 1; nth < 60; nth++) {
        memory_fail_nth(nth);
        struct session_state *s = session_state_try_new();
        if (s)
            fold_everything(s);
        memory_fail_nth(0);
        if (!s)
            continue;
        shown_json(s, &out);
        incomplete += session_state_incomplete(s);
        assert_int_equal(!!strstr(buf_text(&out), "\"incomplete\":true"),
                         session_state_incomplete(s));
        session_state_free(s);
    }
    assert_in_range(incomplete, 10, 58);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_components),
        cmocka_unit_test(test_features_lead_without_components),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_terminal_tail),
        cmocka_unit_test(test_items_are_bounded),
        cmocka_unit_test(test_metadata_is_bounded),
        cmocka_unit_test(test_texts_are_bounded),
        cmocka_unit_test(test_summary_agrees_with_the_state),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_wrong_kinds),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
