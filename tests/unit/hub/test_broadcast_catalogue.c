/* Typed broadcast functions against the event catalogue: there is one for each row, with its
 * fields, and what each writes. */
#include "../test.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "fanfare/broadcast.h"
#include "fanfare/error.h"
#include "hub/catalogue.h"

static char topic[512], type[64];
static struct buf data;
static unsigned count;

static int record(void *context, const char *to, const char *name, const char *text, size_t size)
{
    (void)context;
    count++;
    snprintf(topic, sizeof topic, "%s", to ? to : "(none)");
    snprintf(type, sizeof type, "%s", name);
    buf_clear(&data);
    buf_append(&data, text, size);
    return 0;
}

static const struct fan_publisher publisher = {record, NULL};
static const char *const s = "abc";

static void assert_published(int result, const char *expected_type, const char *expected)
{
    if (result != 0)
        fail_msg("%s: %s", expected_type, fan_broadcast_problem());
    assert_string_equal(topic, "session:abc");
    assert_string_equal(type, expected_type);
    assert_string_equal(buf_text(&data), expected);
}

static void test_sessions(void **state)
{
    (void)state;
    assert_published(fan_broadcast_execution_start(&publisher, s, "e", "c", "int x;"),
                     "execution_start",
                     "{\"execution_id\":\"e\",\"language\":\"c\",\"code_preview\":\"int x;\"}");
    assert_published(fan_broadcast_execution_output(&publisher, s, "e", "a\xff", 2, "stderr"),
                     "execution_output",
                     "{\"execution_id\":\"e\",\"output\":\"a\xef\xbf\xbd\",\"stream\":\"stderr\"}");
    assert_published(fan_broadcast_execution_complete(&publisher, s, "e", "{\"exit_code\":0}"),
                     "execution_complete", "{\"execution_id\":\"e\",\"result\":{\"exit_code\":0}}");
    assert_published(fan_broadcast_execution_error(&publisher, s, "e", "late", "timeout", NULL),
                     "execution_error",
                     "{\"execution_id\":\"e\",\"error\":\"late\",\"error_type\":\"timeout\"}");
    assert_published(fan_broadcast_ai_typing(&publisher, s, 1), "ai_typing",
                     "{\"is_typing\":true}");
    assert_published(fan_broadcast_ai_response(&publisher, s, "m", "hi", "ghost", NULL),
                     "ai_response",
                     "{\"message\":{\"id\":\"m\",\"content\":\"hi\",\"sender\":\"ghost\"}}");
    assert_published(fan_broadcast_ai_chunk(&publisher, s, "m", "h", 0, -1), "ai_chunk",
                     "{\"id\":\"m\",\"chunk\":\"h\",\"index\":0}");
    assert_published(fan_broadcast_ai_error(&publisher, s, "no", NULL), "ai_error",
                     "{\"error\":\"no\"}");
    assert_published(fan_broadcast_hook_triggered(&publisher, s, "on_run", NULL), "hook_triggered",
                     "{\"hook_type\":\"on_run\"}");
    assert_published(fan_broadcast_session_update(&publisher, s, " {\"a\" : [1], \"type\":2} "),
                     "session_update", "{\"a\":[1],\"type\":2}");
    assert_published(fan_broadcast_file_saved(&publisher, s, "f", "a.py", NULL, "x"), "file_saved",
                     "{\"file_id\":\"f\",\"file_name\":\"a.py\",\"content\":\"x\"}");
    assert_published(fan_broadcast_run_started(&publisher, s, "make", "/", 7, 1, 80, -1),
                     "run_started",
                     "{\"command\":\"make\",\"cwd\":\"/\",\"pid\":7,\"pty\":true,\"cols\":80}");
    assert_published(
        fan_broadcast_run_finished(&publisher, s, -1, "SIGTERM", 1.5, -1, "make", NULL),
        "run_finished",
        "{\"exit_code\":null,\"signal\":\"SIGTERM\",\"duration\":1.5,\"command\":\"make\"}");
}

/* The timestamp, which is the current time, is cut off. */
static void assert_on_channel(int result, const char *channel, const char *expected)
{
    static const char time[] = ",\"timestamp\":\"2026-01-01T12:00:00.123Z\"}";
    char wanted[64];
    if (result != 0)
        fail_msg("%s: %s", channel, fan_broadcast_problem());
    snprintf(wanted, sizeof wanted, "channel:%s", channel);
    assert_string_equal(topic, wanted);
    assert_string_equal(type, "event");
    assert_true(data.len > strlen(time));
    data.len -= strlen(time);
    assert_string_equal(buf_text(&data), expected);
}

static void test_channels(void **state)
{
    (void)state;
    assert_on_channel(fan_broadcast_channel_files(&publisher, "a.c", "unlink", "b.c"), "files",
                      "{\"file\":\"a.c\",\"event\":\"unlink\",\"movedTo\":\"b.c\"");
    assert_on_channel(
        fan_broadcast_channel_diagnostics(
            &publisher, "[{\"file\":\"a\",\"message\":\"m\",\"severity\":\"hint\"}]", -1),
        "diagnostics",
        "{\"diagnostics\":[{\"file\":\"a\",\"message\":\"m\",\"severity\":\"hint\"}]");
    assert_on_channel(fan_broadcast_channel_ai_response(&publisher, "m", "x", 3, 1), "ai-response",
                      "{\"id\":\"m\",\"chunk\":\"x\",\"index\":3,\"finished\":true");
    assert_on_channel(fan_broadcast_channel_search(&publisher, "q", 4, -1, "[]"), "search",
                      "{\"query\":\"q\",\"completed\":4,\"results\":[]");
    assert_on_channel(fan_broadcast_channel_validation(&publisher, "lint", 1, NULL), "validation",
                      "{\"validation\":{\"type\":\"lint\",\"passed\":true}");
    assert_on_channel(fan_broadcast_channel_git(&publisher, "push", "2 commits", NULL), "git",
                      "{\"type\":\"push\",\"message\":\"2 commits\"");
}

#define ID "550e8400-e29b-41d4-a716-446655440000"

static void assert_routed(int result, const char *expected_type, const char *expected)
{
    if (result != 0)
        fail_msg("%s: %s", expected_type, fan_broadcast_problem());
    assert_string_equal(topic, "(none)");
    assert_string_equal(type, expected_type);
    assert_string_equal(buf_text(&data), expected);
}

static void test_rooms(void **state)
{
    (void)state;
    assert_routed(fan_broadcast_project_updated(&publisher, ID, "P", NULL, "active", "ada",
                                                "{\"status\":\"active\"}"),
                  "project.updated",
                  "{\"project_id\":\"" ID "\",\"project_name\":\"P\",\"status\":\"active\","
                  "\"updated_by\":\"ada\",\"changes\":{\"status\":\"active\"}}");
    assert_routed(fan_broadcast_project_deleted(&publisher, ID, "ada"), "project.deleted",
                  "{\"project_id\":\"" ID "\",\"deleted_by\":\"ada\"}");
    static const char agent[] = "{\"agent_id\":\"" ID "\",\"agent_name\":\"GPT-4\","
                                "\"status\":\"online\",\"availability\":85,\"metadata\":{}}";
    assert_routed(fan_broadcast_agent_status_changed(&publisher, ID, "GPT-4", "online", 85, NULL),
                  "agent.status_changed", agent);
    assert_routed(fan_broadcast_agent_connected(&publisher, ID, "GPT-4", "online", 85, NULL),
                  "agent.connected", agent);
    assert_routed(fan_broadcast_agent_disconnected(&publisher, ID, NULL, NULL, -1, NULL),
                  "agent.disconnected", "{\"agent_id\":\"" ID "\",\"metadata\":{}}");
    const struct fan_workflow w = {.workflow_id = ID,
                                   .status = "running",
                                   .progress = 50,
                                   .current_step = "Step 2",
                                   .total_steps = 5,
                                   .estimated_time_remaining = 1.5,
                                   .logs = "[\"a\"]"};
    static const char workflow[] = "{\"workflow_id\":\"" ID "\",\"status\":\"running\","
                                   "\"progress\":50,\"current_step\":\"Step 2\","
                                   "\"total_steps\":5,\"estimated_time_remaining\":1.5,"
                                   "\"logs\":[\"a\"]}";
    assert_routed(fan_broadcast_workflow_started(&publisher, &w), "workflow.started", workflow);
    assert_routed(fan_broadcast_workflow_progress(&publisher, &w), "workflow.progress", workflow);
    assert_routed(fan_broadcast_workflow_completed(&publisher, &w), "workflow.completed", workflow);
    assert_routed(fan_broadcast_workflow_failed(&publisher, &w), "workflow.failed", workflow);
}

static void test_rooms_of_github(void **state)
{
    (void)state;
    const struct fan_pull_request pr = {.pr_id = "42", .project_id = ID, .title = "T"};
    static const char pull[] = "{\"pr_id\":\"42\",\"project_id\":\"" ID "\",\"title\":\"T\"}";
    assert_routed(fan_broadcast_pr_created(&publisher, &pr), "pr.created", pull);
    assert_routed(fan_broadcast_pr_updated(&publisher, &pr), "pr.updated", pull);
    assert_routed(fan_broadcast_pr_closed(&publisher, &pr), "pr.closed", pull);
    const struct fan_issue i = {.issue_id = "7", .assigned_to = "ada"};
    static const char issue[] = "{\"issue_id\":\"7\",\"assigned_to\":\"ada\"}";
    assert_routed(fan_broadcast_issue_created(&publisher, &i), "issue.created", issue);
    assert_routed(fan_broadcast_issue_updated(&publisher, &i), "issue.updated", issue);
    assert_routed(fan_broadcast_issue_closed(&publisher, &i), "issue.closed", issue);
    const struct fan_suggestion s1 = {
        .suggestion_id = ID, .severity = "info", .confidence = 0.92, .project_id = ID};
    assert_routed(fan_broadcast_ai_suggestion(&publisher, &s1), "ai.suggestion",
                  "{\"suggestion_id\":\"" ID "\",\"severity\":\"info\",\"confidence\":0.92,"
                  "\"project_id\":\"" ID "\",\"metadata\":{}}");
    const struct fan_analysis a = {.analysis_id = "a1", .suggestions = "[]", .metadata = "{}"};
    assert_routed(fan_broadcast_ai_analysis_complete(&publisher, &a), "ai.analysis_complete",
                  "{\"analysis_id\":\"a1\",\"suggestions\":[],\"metadata\":{}}");
}

static void assert_refused(int result, const char *problem)
{
    assert_int_equal(result, FAN_E_INVALID);
    assert_string_equal(fan_broadcast_problem(), problem);
}

static void test_refusals(void **state)
{
    (void)state;
    count = 0;
    assert_refused(fan_broadcast_execution_start(&publisher, s, NULL, "c", NULL),
                   "execution_id is missing: it must be a string that is not empty");
    assert_refused(fan_broadcast_execution_complete(&publisher, s, "e", "{\"exit_code\":"),
                   "result must be JSON: expected a value at byte 13");
    assert_refused(fan_broadcast_hook_triggered(&publisher, s, "on_exit", NULL),
                   "hook_type must be one of on_run, on_error, on_save, got \"on_exit\"");
    assert_refused(fan_broadcast_ai_response(&publisher, s, NULL, "x", NULL, NULL),
                   "message.id is missing: it must be a string that is not empty");
    assert_refused(fan_broadcast_session_update(&publisher, s, "[]"), "data must be a JSON object");
    assert_refused(fan_broadcast_session_update(&publisher, s, NULL), "data must be a JSON object");
    assert_refused(fan_broadcast_channel_search(&publisher, "q", -1, 1, "[]"),
                   "completed is missing: it must be a whole number of at least 0");
    assert_refused(fan_broadcast_channel_git(&publisher, "merge", "m", NULL),
                   "type must be one of status, commit, push, pull, branch, got \"merge\"");
    assert_refused(fan_broadcast_project_deleted(&publisher, "7", NULL),
                   "project_id must be a UUID, got \"7\"");
    assert_refused(fan_broadcast_agent_connected(&publisher, ID, NULL, NULL, (double)NAN, NULL),
                   "availability must be a number from 0 to 100");
    assert_refused(fan_broadcast_workflow_failed(
                       &publisher, &(struct fan_workflow){.workflow_id = ID, .status = "done"}),
                   "status must be one of pending, running, completed, failed, cancelled, got "
                   "\"done\"");
    assert_refused(fan_broadcast_ai_suggestion(
                       &publisher, &(struct fan_suggestion){.suggestion_id = ID, .confidence = 2}),
                   "confidence must be a number from 0 to 1, got 2");
    assert_int_equal(count, 0);
}

/* ---- The header ---- */

static struct buf header;

static int read_header(void **state)
{
    (void)state;
    char piece[4096];
    FILE *file = fopen(TEST_SOURCE "/include/fanfare/broadcast.h", "rb");
    if (!file)
        return -1;
    for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;)
        buf_append(&header, piece, n);
    fclose(file);
    buf_text(&header);
    return 0;
}

static int release(void **state)
{
    (void)state;
    buf_fini(&header);
    buf_fini(&data);
    return 0;
}

/* Whether the word stands in the parameters; `movedTo` is written moved_to. */
static bool has_parameter(struct slice parameters, const char *name)
{
    struct buf word = {0};
    bool found = false;
    for (const char *c = name; *c; c++) {
        if (isupper((unsigned char)*c))
            buf_append_char(&word, '_');
        buf_append_char(&word, (char)tolower((unsigned char)*c));
    }
    for (size_t i = 0; i + word.len <= parameters.len && !found; i++)
        found = memcmp(parameters.ptr + i, word.data, word.len) == 0 &&
                !isalnum((unsigned char)parameters.ptr[i + word.len]) &&
                parameters.ptr[i + word.len] != '_' && i > 0 &&
                (parameters.ptr[i - 1] == '*' || parameters.ptr[i - 1] == ' ');
    buf_fini(&word);
    return found;
}

/* What is put in by itself. */
static bool is_made(struct slice name)
{
    return slice_is(name, "timestamp") || slice_is(name, "truncated") || slice_is(name, "left_out");
}

static void check_fields(const char *function, struct slice parameters,
                         const struct event_field *fields, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (is_made(fields[i].name) && n > 1 && !has_parameter(parameters, fields[i].name.ptr))
            continue;
        if (has_parameter(parameters, fields[i].name.ptr))
            continue;
        if (fields[i].member_count)
            check_fields(function, parameters, fields[i].members, fields[i].member_count);
        else
            fail_msg("include/fanfare/broadcast.h is stale: %s lacks %s", function,
                     fields[i].name.ptr);
    }
}

/* Where a function takes a struct of ours, its members are the parameters. */
static struct slice fields_of_struct(struct slice parameters)
{
    static const char mark[] = "const struct fan_";
    struct buf start = {0};
    struct slice found = parameters;
    for (size_t i = 0; i + strlen(mark) < parameters.len; i++) {
        const char *at = parameters.ptr + i;
        if (memcmp(at, mark, strlen(mark)) != 0 ||
            memcmp(at, "const struct fan_publisher", 26) == 0)
            continue;
        buf_clear(&start);
        at += strlen("const ");
        buf_append(&start, at, strlen("struct ") + strcspn(at + strlen("struct "), " "));
        buf_append_text(&start, " {");
        const char *body = strstr(header.data, buf_text(&start));
        if (!body)
            fail_msg("include/fanfare/broadcast.h has no %s", buf_text(&start));
        found = slice_of(body, (size_t)(strstr(body, "};") - body));
    }
    buf_fini(&start);
    return found;
}

static void check_row(const char *prefix, const struct event_type *row)
{
    char function[128];
    int n = snprintf(function, sizeof function, "int fan_broadcast_%s%s(", prefix, row->name.ptr);
    for (int i = 0; i < n; i++)
        if (function[i] == '-' || function[i] == '.')
            function[i] = '_';
    const char *at = strstr(header.data, function);
    if (!at)
        fail_msg("include/fanfare/broadcast.h is stale: there is no %s)", function);
    struct slice parameters = fields_of_struct(slice_of(at, (size_t)(strstr(at, ");") - at) + 1));
    check_fields(function, parameters, row->fields, row->field_count);
}

static void test_header_is_fresh(void **state)
{
    (void)state;
    for (unsigned i = 0; i < catalogue_count(); i++)
        check_row("", catalogue_at(i));
    for (unsigned i = 0; i < catalogue_channel_count(); i++)
        check_row("channel_", catalogue_channel_at(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions), cmocka_unit_test(test_channels),
        cmocka_unit_test(test_rooms),    cmocka_unit_test(test_rooms_of_github),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_header_is_fresh),
    };
    return cmocka_run_group_tests(tests, read_header, release);
}
