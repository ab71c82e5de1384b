/* Checkpoint files: what is read from them, what is worked out, and every refusal. */
#include "../test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "codec/json.h"
#include "fanfare/checkpoint.h"

static const char real_one[] =
    "{\"id\":\"checkpoint_20251117_213005_705272\",\"timestamp\":\"2025-11-17T21:30:05.705279\","
    "\"phase\":\"build_3a_batch_2_complete\",\"tasks_completed\":[],\"files_created\":[],"
    "\"status\":\"created\",\"metadata\":{\"name\":\"build_3a_batch_2_complete\",\"description\":"
    "\"Completed adaptive Batch 2 with CLI layer and validation system\",\"created_by\":\"cli\","
    "\"timestamp\":\"2025-11-17T21:30:05.705266\"}}";

static struct fan_checkpoint *parse(const char *text)
{
    struct fan_checkpoint *checkpoint;
    struct fan_checkpoint_error error;
    int result = fan_checkpoint_parse(text, strlen(text), "dir/c.json", &checkpoint, &error);
    if (result)
        fail_msg("%s", error.message);
    return checkpoint;
}

/* Parsing fails with this code, exactly this message and nothing returned. */
static void refuse(const char *text, int code, const char *message)
{
    struct fan_checkpoint *checkpoint = (void *)1;
    struct fan_checkpoint_error error;
    int result = fan_checkpoint_parse(text, strlen(text), "dir/c.json", &checkpoint, &error);
    assert_string_equal(error.message, message);
    assert_int_equal(result, code);
    assert_null(checkpoint);
    assert_int_equal(fan_checkpoint_parse(text, strlen(text), "dir/c.json", &checkpoint, NULL),
                     code);
}

/* A syntax error: the message's words are the scanner's, its position is checked here. */
static void refuse_syntax(const char *text, size_t len, int code, unsigned line, unsigned column)
{
    struct fan_checkpoint *checkpoint = (void *)1;
    struct fan_checkpoint_error error;
    char place[64];
    assert_int_equal(fan_checkpoint_parse(text, len, "c.json", &checkpoint, &error), code);
    assert_null(checkpoint);
    assert_int_equal(error.line, line);
    assert_int_equal(error.column, column);
    snprintf(place, sizeof place, "c.json:%u:%u: ", line, column);
    assert_memory_equal(error.message, place, strlen(place));
    assert_true(strlen(error.message) > strlen(place));
}

static void test_real_checkpoint(void **state)
{
    (void)state;
    struct fan_checkpoint *c = parse(real_one);
    assert_string_equal(fan_checkpoint_id(c), "checkpoint_20251117_213005_705272");
    assert_string_equal(fan_checkpoint_timestamp(c), "2025-11-17T21:30:05.705279");
    assert_string_equal(fan_checkpoint_phase(c), "build_3a_batch_2_complete");
    assert_string_equal(fan_checkpoint_written_status(c), "created");
    assert_string_equal(fan_checkpoint_status(c), "in_progress");
    assert_null(fan_checkpoint_error_text(c));
    assert_int_equal(fan_checkpoint_task_count(c), 0);
    assert_null(fan_checkpoint_task(c, 0));
    assert_null(fan_checkpoint_file(c, 0));
    assert_null(fan_checkpoint_component(c, 0));
    assert_null(fan_checkpoint_feature(c, 0));
    assert_true(fan_checkpoint_completion_percentage(c) == 0);
    assert_non_null(strstr(fan_checkpoint_metadata(c), "\"created_by\":\"cli\""));
    char *summary = fan_checkpoint_summary(c);
    assert_string_equal(
        summary, "{\"id\":\"checkpoint_20251117_213005_705272\",\"timestamp\":\"2025-11-17T21:30:"
                 "05.705279\","
                 "\"phase\":\"build_3a_batch_2_complete\",\"status\":\"in_progress\","
                 "\"component_stats\":{\"total\":0,\"completed\":0,\"in_progress\":0,\"pending\":0,"
                 "\"failed\":0,\"completion_percentage\":0},"
                 "\"feature_stats\":{\"total\":0,\"completed\":0,\"in_progress\":0,\"pending\":0,"
                 "\"failed\":0,\"completion_percentage\":0},"
                 "\"overall_progress\":{\"tasks_completed\":0,\"files_created\":0,"
                 "\"completion_percentage\":0,\"status\":\"in_progress\"}}");
    fan_free(summary);
    fan_checkpoint_free(c);
}

static void test_document_keeps_what_was_written(void **state)
{
    (void)state;
    struct fan_checkpoint *c =
        parse("{ \"id\" : \"a\", \"extra\" : [ 1, {} ], \"overall_progress\" : 12,\n"
              "  \"component_stats\": 1, \"status\": \"created\" }");
    char *json = fan_checkpoint_json(c);
    assert_string_equal(json, "{\"id\":\"a\",\"extra\":[1,{}],\"status\":\"created\","
                              "\"component_stats\":{\"total\":0,\"completed\":0,\"in_progress\":0,"
                              "\"pending\":0,\"failed\":0,\"completion_percentage\":0},"
                              "\"feature_stats\":{\"total\":0,\"completed\":0,\"in_progress\":0,"
                              "\"pending\":0,\"failed\":0,\"completion_percentage\":0},"
                              "\"overall_progress\":{\"tasks_completed\":0,\"files_created\":0,"
                              "\"completion_percentage\":0,\"status\":\"pending\"}}");
    fan_free(json);
    fan_checkpoint_free(c);
}

static void test_lists_and_escapes(void **state)
{
    (void)state;
    struct fan_checkpoint *c =
        parse("{\"id\":\"\\u00e9\\n\\\"\",\"tasks_completed\":[\"a\",\"b\\tc\"],"
              "\"files_created\":[\"src/\\u20ac.c\"],\"metadata\":{ \"a\" : [ 1 ] }}");
    assert_string_equal(fan_checkpoint_id(c), "\xc3\xa9\n\"");
    assert_int_equal(fan_checkpoint_task_count(c), 2);
    assert_string_equal(fan_checkpoint_task(c, 0), "a");
    assert_string_equal(fan_checkpoint_task(c, 1), "b\tc");
    assert_null(fan_checkpoint_task(c, 2));
    assert_int_equal(fan_checkpoint_file_count(c), 1);
    assert_string_equal(fan_checkpoint_file(c, 0), "src/\xe2\x82\xac.c");
    assert_string_equal(fan_checkpoint_metadata(c), "{\"a\":[1]}");
    assert_int_equal(fan_checkpoint_overall_progress(c).tasks_completed, 2);
    assert_int_equal(fan_checkpoint_overall_progress(c).files_created, 1);
    fan_checkpoint_free(c);
}

static void test_left_out_members(void **state)
{
    (void)state;
    struct fan_checkpoint *c = parse("{\"phase\":null,\"components\":null}");
    assert_string_equal(fan_checkpoint_id(c), "c");
    assert_string_equal(fan_checkpoint_phase(c), "");
    assert_string_equal(fan_checkpoint_metadata(c), "{}");
    assert_string_equal(fan_checkpoint_status(c), "pending");
    fan_checkpoint_free(c);
}

static void test_component_list_and_keyed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"id\":\"x\",\"components\":[{\"id\":\"auth\",\"status\":\"in_progress\","
        "\"progress\":45.5,\"metadata\":{\"k\": 1}},{\"component_id\":\"db\",\"status\":"
        "\"completed\"},{\"name\":\"ui\"}]}",
        "{\"id\":\"x\",\"components\":{\"auth\":{\"status\":\"in_progress\",\"progress\":45.5,"
        "\"metadata\":{\"k\":1}},\"db\":{\"status\":\"completed\"},\"ui\":{\"name\":\"other\"}}}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct fan_checkpoint *c = parse(texts[i]);
        char *updates = fan_checkpoint_component_updates(c);
        assert_string_equal(
            updates, "[{\"component_id\":\"auth\",\"status\":\"in_progress\",\"progress\":45.5,"
                     "\"metadata\":{\"k\":1}},{\"component_id\":\"db\",\"status\":\"completed\","
                     "\"progress\":100,\"metadata\":{}},{\"component_id\":\"ui\",\"status\":"
                     "\"pending\",\"progress\":0,\"metadata\":{}}]");
        fan_free(updates);
        assert_true(fan_checkpoint_completion_percentage(c) == 48.5);
        assert_true(fan_checkpoint_component(c, 0)->weight == 1);
        fan_checkpoint_free(c);
    }
}

/* What comes out of a division is not always what was meant. */
static void test_rounded_progress(void **state)
{
    (void)state;
    struct fan_checkpoint *c =
        parse("{\"id\":\"x\",\"components\":[{\"id\":\"a\",\"progress\":100.00000000000001},"
              "{\"id\":\"b\",\"progress\":-1e-15}]}");
    assert_true(fan_checkpoint_component(c, 0)->progress == 100);
    assert_true(fan_checkpoint_component(c, 1)->progress == 0);
    fan_checkpoint_free(c);
}

static void test_features(void **state)
{
    (void)state;
    struct fan_checkpoint *c =
        parse("{\"id\":\"x\",\"features\":[{\"feature_id\":\"f1\",\"status\":\"completed\"},"
              "{\"id\":\"f2\",\"progress\":50}]}");
    char *updates = fan_checkpoint_feature_updates(c);
    assert_string_equal(
        updates, "[{\"feature_id\":\"f1\",\"status\":\"completed\",\"progress\":100,\"metadata\":"
                 "{}},{\"feature_id\":\"f2\",\"status\":\"pending\",\"progress\":50,"
                 "\"metadata\":{}}]");
    fan_free(updates);
    assert_true(fan_checkpoint_completion_percentage(c) == 75);
    assert_string_equal(fan_checkpoint_feature(c, 1)->id, "f2");
    assert_int_equal(fan_checkpoint_feature_stats(c).completed, 1);
    assert_int_equal(fan_checkpoint_feature_count(c), 2);
    fan_checkpoint_free(c);
}

static void test_status_rules(void **state)
{
    (void)state;
    static const struct {
        const char *members, *status;
    } cases[] = {
        {"\"error\":\"boom\"", "failed"},
        {"\"error\":{\"message\":\"boom\"}", "failed"},
        {"\"error\":null", "pending"},
        {"\"error\":\"\"", "pending"},
        {"\"error\":false", "pending"},
        {"\"error\":\"boom\",\"components\":[{\"id\":\"a\",\"status\":\"completed\"}]", "failed"},
        {"\"components\":[{\"id\":\"a\",\"status\":\"completed\"},{\"id\":\"b\",\"status\":"
         "\"failed\"}]",
         "failed"},
        {"\"components\":[{\"id\":\"a\",\"status\":\"completed\"}]", "completed"},
        {"\"components\":[{\"id\":\"a\",\"status\":\"completed\",\"progress\":10}]", "completed"},
        {"\"components\":[{\"id\":\"a\",\"status\":\"checking\",\"progress\":100}]", "completed"},
        {"\"components\":[{\"id\":\"a\",\"progress\":99.96}]", "pending"},
        {"\"features\":[{\"id\":\"a\",\"status\":\"completed\"}]", "completed"},
        {"\"features\":[{\"id\":\"a\",\"status\":\"in_progress\"}]", "in_progress"},
        {"\"components\":[{\"id\":\"a\",\"status\":\"in_progress\"}]", "in_progress"},
        {"\"phase\":\"build_1\",\"components\":[{\"id\":\"a\"}]", "in_progress"},
        {"\"phase\":\"build\"", "pending"},
        {"\"phase\":\"plan\",\"status\":\"completed\"", "pending"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"id\":\"x\",%s}", cases[i].members);
        struct fan_checkpoint *c = parse(text);
        assert_string_equal(fan_checkpoint_status(c), cases[i].status);
        assert_string_equal(fan_checkpoint_overall_progress(c).status, cases[i].status);
        fan_checkpoint_free(c);
    }
}

static void test_error_text(void **state)
{
    (void)state;
    struct fan_checkpoint *c = parse("{\"id\":\"x\",\"error\":{\"message\":\"boom\",\"code\":1}}");
    assert_string_equal(fan_checkpoint_error_text(c), "boom");
    fan_checkpoint_free(c);
    c = parse("{\"id\":\"x\",\"error\":{ \"code\" : 1 }}");
    assert_string_equal(fan_checkpoint_error_text(c), "{\"code\":1}");
    char *summary = fan_checkpoint_summary(c);
    assert_non_null(strstr(summary, "\"error\":\"{\\\"code\\\":1}\""));
    fan_free(summary);
    fan_checkpoint_free(c);
}

static void test_weights(void **state)
{
    (void)state;
    struct fan_checkpoint *c =
        parse("{\"id\":\"x\",\"components\":[{\"id\":\"a\",\"progress\":100,\"weight\":3},"
              "{\"id\":\"b\",\"progress\":0}]}");
    assert_true(fan_checkpoint_completion_percentage(c) == 75);
    fan_checkpoint_free(c);
    c = parse("{\"id\":\"x\",\"components\":[{\"id\":\"a\",\"progress\":100,\"weight\":0},"
              "{\"id\":\"b\",\"progress\":0,\"weight\":0},{\"id\":\"c\",\"weight\":0}]}");
    assert_true(fan_checkpoint_completion_percentage(c) == 33.3);
    fan_checkpoint_free(c);
    c = parse("{\"id\":\"x\",\"components\":[{\"id\":\"a\",\"progress\":100,\"weight\":0.1},"
              "{\"id\":\"b\",\"progress\":100,\"weight\":0.7}]}");
    assert_string_equal(fan_checkpoint_status(c), "completed");
    fan_checkpoint_free(c);
}

static void check_many(size_t count)
{
    struct buf text = {0};
    BUF_LITERAL(&text, "{\"id\":\"many\",\"components\":[");
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s\n{\"id\":\"c%zu\",\"status\":\"%s\"}", i ? "," : "", i,
                   i % 2 ? "completed" : "pending");
    BUF_LITERAL(&text, "]}");
    struct fan_checkpoint *c = parse(buf_text(&text));
    struct fan_checkpoint_stats stats = fan_checkpoint_component_stats(c);
    assert_int_equal(fan_checkpoint_component_count(c), count);
    assert_int_equal(stats.total, count);
    assert_int_equal(stats.completed, count / 2);
    assert_int_equal(stats.pending, count - count / 2);
    assert_true(stats.completion_percentage == (count > 1 ? 50 : 0));
    char *updates = fan_checkpoint_component_updates(c);
    struct json_value value;
    assert_int_equal(json_parse(slice_from(updates), &value, NULL), 0);
    fan_free(updates);
    fan_checkpoint_free(c);
    buf_fini(&text);
}

static void test_component_counts(void **state)
{
    (void)state;
    check_many(0);
    check_many(1);
    check_many(50);
    check_many(5000);
}

static void test_wrong_types(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[]", "dir/c.json:1:1: expected an object, found an array"},
        {" \n 7", "dir/c.json:2:2: expected an object, found a number"},
        {"{\"id\":7}", "dir/c.json:1:7: id: expected a string, found a number"},
        {"{\"id\":\"\"}", "dir/c.json:1:7: id: expected a string that is not empty"},
        {"{\"id\":\"a\\u0000b\"}", "dir/c.json:1:7: id: a string may not contain \\u0000"},
        {"{\"id\":\"a\",\n\"id\":\"b\"}", "dir/c.json:2:1: id: this member stands here twice"},
        {"{\"id\":\"a\",\"phase\":[]}",
         "dir/c.json:1:19: phase: expected a string, found an array"},
        {"{\"id\":\"a\",\"timestamp\":5}",
         "dir/c.json:1:23: timestamp: expected a string, found a number"},
        {"{\"id\":\"a\",\"tasks_completed\":\"t\"}",
         "dir/c.json:1:29: tasks_completed: expected a list of strings, found a string"},
        {"{\"id\":\"a\",\"tasks_completed\":[\"t\",\n {}]}",
         "dir/c.json:2:2: tasks_completed[1]: expected a string, found an object"},
        {"{\"id\":\"a\",\"files_created\":[null]}",
         "dir/c.json:1:28: files_created[0]: expected a string, found null"},
        {"{\"id\":\"a\",\"metadata\":[]}",
         "dir/c.json:1:22: metadata: expected an object, found an array"},
        {"{\"id\":\"a\",\"error\":12}",
         "dir/c.json:1:19: error: expected a string or an object, found a number"},
        {"{\"id\":\"a\",\"overall_progress\":\"x\"}",
         "dir/c.json:1:30: overall_progress: expected an object or a number, found a string"},
        {"{\"id\":\"a\",\"components\":\"x\"}",
         "dir/c.json:1:24: components: expected a list of objects, or an object keyed by id, found "
         "a string"},
        {"{\"id\":\"a\",\"components\":[\"x\"]}",
         "dir/c.json:1:25: components[0]: expected an object, found a string"},
        {"{\"id\":\"a\",\"components\":{\"x\":\"completed\"}}",
         "dir/c.json:1:29: components.x: expected an object, found a string"},
        {"{\"id\":\"a\",\"components\":{\"\":{}}}",
         "dir/c.json:1:25: components: expected a string that is not empty"},
        {"{\"id\":\"a\",\"components\":[{}]}",
         "dir/c.json:1:25: components[0]: expected a member id, component_id or name"},
        {"{\"id\":\"a\",\"features\":[{\"component_id\":\"x\"}]}",
         "dir/c.json:1:23: features[0]: expected a member id, feature_id or name"},
        {"{\"id\":\"a\",\"components\":[{\"id\":\"x\"},\n{\"id\":\"x\"}]}",
         "dir/c.json:2:1: components[1]: the component \"x\" stands here twice"},
        {"{\"id\":\"a\",\"components\":[{\"id\":\"x\",\"status\":1}]}",
         "dir/c.json:1:44: components[0].status: expected a string, found a number"},
        {"{\"id\":\"a\",\"components\":[{\"id\":\"x\",\"progress\":\"5\"}]}",
         "dir/c.json:1:46: components[0].progress: expected a number from 0 to 100, found a "
         "string"},
        {"{\"id\":\"a\",\"components\":[{\"id\":\"x\",\"progress\":100.5}]}",
         "dir/c.json:1:46: components[0].progress: expected a number from 0 to 100, found 100.5"},
        {"{\"id\":\"a\",\"components\":{\"x\":{\"progress\":-1}}}",
         "dir/c.json:1:41: components.x.progress: expected a number from 0 to 100, found -1"},
        {"{\"id\":\"a\",\"components\":[{\"id\":\"x\",\"weight\":-1}]}",
         "dir/c.json:1:44: components[0].weight: expected a number from 0 to 1000000000, found "
         "-1"},
        {"{\"id\":\"a\",\"components\":[{\"id\":\"x\",\"metadata\":1}]}",
         "dir/c.json:1:46: components[0].metadata: expected an object, found a number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].text, FAN_E_INVALID, cases[i].message);
}

static void test_syntax_errors(void **state)
{
    (void)state;
    refuse("", FAN_E_TRUNCATED, "dir/c.json:1:1: the file is empty; expected a JSON object");
    refuse(" \n\t", FAN_E_TRUNCATED, "dir/c.json:1:1: the file is empty; expected a JSON object");
    refuse_syntax("{\"id\":\n \"a\",}", 13, FAN_E_PARSE, 2, 6);
    refuse_syntax("not json", 8, FAN_E_PARSE, 1, 2); /* a "null" until its second letter */
    refuse_syntax("{\"id\":\"a\"} x", 12, FAN_E_PARSE, 1, 12);
    refuse_syntax("{\"id\":\"\xff\"}", 9, FAN_E_PARSE, 1, 8);
    refuse_syntax("\0\0\0\0", 4, FAN_E_PARSE, 1, 1);
    for (size_t len = 1; len < sizeof real_one - 1; len++)
        refuse_syntax(real_one, len, FAN_E_TRUNCATED, 1, (unsigned)len + 1);
}

static void test_deep_nesting(void **state)
{
    (void)state;
    size_t len = 10u << 20;
    char *text = malloc(len);
    memset(text, '[', len);
    struct fan_checkpoint *checkpoint;
    struct fan_checkpoint_error error;
    assert_int_equal(fan_checkpoint_parse(text, len, "deep", &checkpoint, &error), FAN_E_PARSE);
    assert_null(checkpoint);
    assert_int_equal(error.line, 1);
    assert_true(error.column >= JSON_MAX_DEPTH);
    free(text);
}

static void test_long_name_is_cut(void **state)
{
    (void)state;
    char name[2000], text[2000];
    memset(name, 'n', sizeof name);
    memcpy(name + sizeof name - 6, ".json", 6);
    int n = snprintf(text, sizeof text, "{\"id\":1,\"%.900s\":2}", name);
    struct fan_checkpoint *checkpoint;
    struct fan_checkpoint_error error;
    assert_int_equal(fan_checkpoint_parse(text, (size_t)n, name, &checkpoint, &error),
                     FAN_E_INVALID);
    assert_non_null(strstr(error.message, "n.json:1:7: id: expected a string"));
}

static void refuse_file(const char *path, int code, const char *reason)
{
    struct fan_checkpoint *checkpoint = (void *)1;
    struct fan_checkpoint_error error;
    char message[600];
    assert_int_equal(fan_checkpoint_parse_file(path, &checkpoint, &error), code);
    assert_null(checkpoint);
    snprintf(message, sizeof message, "%s:1:1: %s", path, reason);
    assert_string_equal(error.message, message);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/fanfare-checkpoint-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/c.json", dir);
    refuse_file(dir, FAN_E_IO, "this is a directory; expected a checkpoint file");
    refuse_file(path, FAN_E_NOT_FOUND, "cannot be read: No such file or directory");
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse_file(path, FAN_E_IO, "this is no regular file; expected a checkpoint file");
    unlink(path);
    write_file(path, "");
    refuse_file(path, FAN_E_TRUNCATED, "the file is empty; expected a JSON object");
    assert_int_equal(truncate(path, (off_t)FAN_CHECKPOINT_MAX_SIZE + 1), 0);
    refuse_file(path, FAN_E_TOO_LARGE, "the file is larger than 64 MiB");
    write_file(path, real_one);
    struct fan_checkpoint *checkpoint;
    struct fan_checkpoint_error error;
    assert_int_equal(fan_checkpoint_parse_file(path, &checkpoint, &error), 0);
    assert_string_equal(fan_checkpoint_phase(checkpoint), "build_3a_batch_2_complete");
    fan_checkpoint_free(checkpoint);
    unlink(path);
    rmdir(dir);
}

/* Whichever allocation fails, parsing says so and leaves nothing behind. */
static void test_allocation_failures(void **state)
{
    (void)state;
    static const char text[] =
        "{\"id\":\"\\u0041\",\"tasks_completed\":[\"a\"],\"metadata\":{\"a\":1},"
        "\"components\":[{\"id\":\"x\"}],\"features\":{\"y\":{}}}";
    int result = FAN_E_NO_MEMORY;
    unsigned failures = 0;
    for (unsigned nth = 1; result == FAN_E_NO_MEMORY; nth++, failures++) {
        struct fan_checkpoint *checkpoint;
        struct fan_checkpoint_error error;
        memory_fail_nth(nth);
        result = fan_checkpoint_parse(text, sizeof text - 1, "c.json", &checkpoint, &error);
        memory_fail_nth(0);
        if (result)
            assert_string_equal(error.message, "c.json:1:1: out of memory");
        fan_checkpoint_free(checkpoint);
    }
    assert_int_equal(result, 0);
    assert_true(failures > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_checkpoint),
        cmocka_unit_test(test_document_keeps_what_was_written),
        cmocka_unit_test(test_lists_and_escapes),
        cmocka_unit_test(test_left_out_members),
        cmocka_unit_test(test_component_list_and_keyed),
        cmocka_unit_test(test_rounded_progress),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_status_rules),
        cmocka_unit_test(test_error_text),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_component_counts),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_syntax_errors),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_long_name_is_cut),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
