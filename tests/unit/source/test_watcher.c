/* What a watcher reports of checkpoints, context files and artifacts. */
#include "source/watch_fixture.h"

#include "base/buf.h"

#define CHECKPOINTS ".buildrunner/checkpoints/"
#define CONTEXT     ".buildrunner/context/"
#define ARTIFACTS   ".buildrunner/artifacts/"

static const char one[] =
    "{\"id\":\"one\",\"phase\":\"build_1\",\"tasks_completed\":[\"t\"],\"files_created\":[\"f\"],"
    "\"metadata\":{\"by\": \"cli\"},\"components\":[{\"id\":\"auth\",\"status\":\"in_progress\","
    "\"progress\":45.5},{\"id\":\"db\",\"status\":\"completed\"}],"
    "\"features\":[{\"id\":\"login\",\"progress\":10}]}";

#define ONE_UPDATE                                                                            \
    "checkpoint_update {\"checkpoint_id\":\"one\",\"phase\":\"build_1\",\"tasks_completed\":" \
    "[\"t\"],\"files_created\":[\"f\"],\"metadata\":{\"by\":\"cli\"}}"
#define ONE_AUTH                                                                                \
    "component_update {\"component_id\":\"auth\",\"status\":\"in_progress\",\"progress\":45.5," \
    "\"metadata\":{}}"
#define ONE_DB                                                                             \
    "component_update {\"component_id\":\"db\",\"status\":\"completed\",\"progress\":100," \
    "\"metadata\":{}}"
#define ONE_LOGIN                                                                      \
    "feature_update {\"feature_id\":\"login\",\"status\":\"pending\",\"progress\":10," \
    "\"metadata\":{}}"
#define ONE_PROGRESS "build_progress {\"total\":2,\"completed\":1,\"percent\":50}"

#define PLAIN_UPDATE(id)                                                                     \
    "checkpoint_update {\"checkpoint_id\":\"" id "\",\"phase\":\"\",\"tasks_completed\":[]," \
    "\"files_created\":[],\"metadata\":{}}"

static struct project *begin(void)
{
    struct project *p = project_new();
    make_dirs(p);
    start(p);
    return p;
}

static void test_new_checkpoint(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS "one.json", one);
    expect(p, ONE_UPDATE, ONE_AUTH, ONE_DB, ONE_LOGIN, ONE_PROGRESS, NULL);
    finish(p);
}

static void test_only_what_differs(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS "one.json", one);
    wait_event(p, "build_progress", "");
    flush(p);
    forget_events(p);
    write_text(
        p, CHECKPOINTS "two.json",
        "{\"id\":\"two\",\"components\":{\"auth\":{\"status\":\"completed\"},"
        "\"db\":{\"status\":\"completed\"}},\"features\":[{\"id\":\"login\",\"progress\":10},"
        "{\"id\":\"new\"}]}");
    expect(p, PLAIN_UPDATE("two"),
           "component_update {\"component_id\":\"auth\",\"status\":\"completed\",\"progress\":100,"
           "\"metadata\":{}}",
           "feature_update {\"feature_id\":\"new\",\"status\":\"pending\",\"progress\":0,"
           "\"metadata\":{}}",
           "build_progress {\"total\":2,\"completed\":2,\"percent\":100}", NULL);
    finish(p);
}

static void test_changed_checkpoint(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS "a.json", "{\"id\":\"a\",\"components\":[{\"id\":\"x\"}]}");
    wait_event(p, "build_progress", "");
    flush(p);
    forget_events(p);
    write_text(p, CHECKPOINTS "a.json",
               "{\"id\":\"a\",\"components\":[{\"id\":\"x\",\"progress\":5}]}");
    expect(p, PLAIN_UPDATE("a"),
           "component_update {\"component_id\":\"x\",\"status\":\"pending\",\"progress\":5,"
           "\"metadata\":{}}",
           "build_progress {\"total\":1,\"completed\":0,\"percent\":0}", NULL);
    /* Touched, and written again with the same content: that is no change. */
    set_time(p, CHECKPOINTS "a.json", time(NULL));
    write_text(p, CHECKPOINTS "a.json",
               "{\"id\":\"a\",\"components\":[{\"id\":\"x\",\"progress\":5}]}");
    expect(p, NULL);
    /* Without components now: there is nothing to count any more, which is told once. */
    write_text(p, CHECKPOINTS "a.json", "{\"id\":\"a\"}");
    expect(p, PLAIN_UPDATE("a"), "build_progress {\"total\":0,\"completed\":0,\"percent\":0}",
           NULL);
    write_text(p, CHECKPOINTS "b.json", "{\"id\":\"b\"}");
    expect(p, PLAIN_UPDATE("b"), NULL);
    finish(p);
}

static void test_newest_at_start(void **state)
{
    (void)state;
    struct project *p = project_new();
    make_dirs(p);
    write_text(p, CHECKPOINTS "old.json", "{\"id\":\"old\"}");
    write_text(p, CHECKPOINTS "zzz.json", "{\"id\":\"zzz\"}");
    write_text(p, CHECKPOINTS "one.json", one);
    write_text(p, CONTEXT "notes.md", "there already");
    write_text(p, ARTIFACTS "app.bin", "there already");
    set_time(p, CHECKPOINTS "old.json", 1000000);
    set_time(p, CHECKPOINTS "zzz.json", 1000001);
    start(p);
    wait_event(p, "build_progress", "");
    expect(p, ONE_UPDATE, ONE_AUTH, ONE_DB, ONE_LOGIN, ONE_PROGRESS, NULL);
    assert_int_equal(p->asked, 1);
    finish(p);
}

static void test_newest_at_start_is_known(void **state)
{
    (void)state;
    struct project *p = project_new();
    make_dirs(p);
    write_text(p, CHECKPOINTS "one.json", one);
    p->known = "one";
    start(p);
    expect(p, NULL);
    assert_int_equal(p->asked, 1);
    /* It is what the next one is compared with. */
    write_text(p, CHECKPOINTS "two.json",
               "{\"id\":\"two\",\"components\":{\"auth\":{\"status\":\"in_progress\","
               "\"progress\":45.5},\"db\":{\"status\":\"failed\"}}}");
    expect(p, PLAIN_UPDATE("two"),
           "component_update {\"component_id\":\"db\",\"status\":\"failed\",\"progress\":0,"
           "\"metadata\":{}}",
           "build_progress {\"total\":2,\"completed\":0,\"percent\":0}", NULL);
    finish(p);
}

static void test_atomic_rename_and_temporary_files(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS ".one.json.Xa3dF9", "{\"id\"");
    write_text(p, CHECKPOINTS "one.json.tmp", "{");
    write_text(p, CHECKPOINTS ".one.json.swp", "b0VIM");
    write_text(p, CONTEXT "4913", "");
    write_text(p, CONTEXT "notes.md~", "old");
    write_text(p, CONTEXT "#notes.md#", "old");
    write_text(p, ARTIFACTS ".app.bin.x1Y2z3", "rsync");
    append_text(p, CHECKPOINTS ".one.json.Xa3dF9", ":\"one\"}");
    move(p, CHECKPOINTS ".one.json.Xa3dF9", CHECKPOINTS "one.json");
    expect(p, PLAIN_UPDATE("one"), NULL);
    write_text(p, CHECKPOINTS "one.json.tmp", one);
    move(p, CHECKPOINTS "one.json.tmp", CHECKPOINTS "one.json");
    expect(p, ONE_UPDATE, ONE_AUTH, ONE_DB, ONE_LOGIN, ONE_PROGRESS, NULL);
    finish(p);
}

/* An editor moves the old file away, writes a new one and removes the old one. */
static void test_editor_backup(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CONTEXT "notes.md", "first");
    expect(p,
           "file_change {\"file_path\":\".buildrunner/context/notes.md\",\"change_type\":"
           "\"created\",\"content\":\"first\"}",
           NULL);
    move(p, CONTEXT "notes.md", CONTEXT "notes.md~");
    write_text(p, CONTEXT "notes.md", "second");
    unlink(at(p, CONTEXT "notes.md~"));
    expect(p,
           "file_change {\"file_path\":\".buildrunner/context/notes.md\",\"change_type\":"
           "\"modified\",\"content\":\"second\"}",
           NULL);
    finish(p);
}

static void test_several_writes_give_one_event(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CONTEXT "notes.md", "");
    for (int i = 0; i < 50; i++)
        append_text(p, CONTEXT "notes.md", "x");
    write_text(p, CONTEXT "notes.md", "the end\n");
    expect(p,
           "file_change {\"file_path\":\".buildrunner/context/notes.md\",\"change_type\":"
           "\"created\",\"content\":\"the end\\n\"}",
           NULL);
    finish(p);
}

/* A checkpoint that is written over and over for longer than the settling time, never whole in
 * between, is one event. */
static void test_checkpoint_in_pieces(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS "one.json", "");
    for (size_t i = 0; i < sizeof one - 1; i += 40) {
        size_t n = sizeof one - 1 - i < 40 ? sizeof one - 1 - i : 40;
        write_bytes(p, CHECKPOINTS "one.json", one + i, n, O_APPEND);
        flush(p); /* the piece has settled and has been looked at */
    }
    expect(p, ONE_UPDATE, ONE_AUTH, ONE_DB, ONE_LOGIN, ONE_PROGRESS, NULL);
    finish(p);
}

static void test_truncated_checkpoint(void **state)
{
    (void)state;
    struct project *p = begin();
    uint64_t begun = clock_ms();
    write_bytes(p, CHECKPOINTS "one.json", one, 60, O_TRUNC);
    uint64_t reported = wait_event(p, "error", "\"error_type\":\"checkpoint_parse\"");
    assert_true(reported - begun >= 2000);
    assert_int_equal(count_type(p, "error", ".buildrunner/checkpoints/one.json:1:61: "), 1);
    forget_events(p);
    /* It goes on, and says no more of the bad one. */
    write_text(p, CHECKPOINTS "two.json", "{\"id\":\"two\"}");
    expect(p, PLAIN_UPDATE("two"), NULL);
    set_time(p, CHECKPOINTS "one.json", time(NULL));
    expect(p, NULL);
    write_text(p, CHECKPOINTS "one.json", one);
    expect(p, ONE_UPDATE, ONE_AUTH, ONE_DB, ONE_LOGIN, ONE_PROGRESS, NULL);
    finish(p);
}

static void test_wrong_checkpoint(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS "one.json", "{\"id\":\n 5}");
    expect(p,
           "error {\"error_message\":\".buildrunner/checkpoints/one.json:2:2: id: expected a "
           "string, found a number\",\"error_type\":\"checkpoint_parse\"}",
           NULL);
    write_text(p, CHECKPOINTS "one.json", "{\"id\":\"now right\"}");
    expect(p, PLAIN_UPDATE("now right"), NULL);
    /* A checkpoint that was good and has become bad, and good again as it was. */
    write_text(p, CHECKPOINTS "one.json", "[]");
    expect(p,
           "error {\"error_message\":\".buildrunner/checkpoints/one.json:1:1: expected an object, "
           "found an array\",\"error_type\":\"checkpoint_parse\"}",
           NULL);
    write_text(p, CHECKPOINTS "one.json", "{\"id\":\"now right\"}");
    expect(p, NULL);
    finish(p);
}

static void test_context_files(void **state)
{
    (void)state;
    struct project *p = begin();
    char *large = malloc(65537);
    memset(large, 'a', 65537);
    write_bytes(p, CONTEXT "large.md", large, 65537, O_TRUNC);
    expect(p,
           "file_change {\"file_path\":\".buildrunner/context/large.md\",\"change_type\":"
           "\"created\",\"truncated\":true}",
           NULL);
    write_bytes(p, CONTEXT "most.md", large, 65536, O_TRUNC);
    wait_event(p, "file_change", "most.md\",\"change_type\":\"created\",\"content\":\"aaa");
    flush(p);
    forget_events(p);
    free(large);
    write_bytes(p, CONTEXT "binary.md", "a\0b", 3, O_TRUNC);
    expect(p,
           "file_change {\"file_path\":\".buildrunner/context/binary.md\",\"change_type\":"
           "\"created\",\"truncated\":true}",
           NULL);
    write_bytes(p, CONTEXT "latin1.md", "caf\xe9", 4, O_TRUNC);
    expect(p,
           "file_change {\"file_path\":\".buildrunner/context/latin1.md\",\"change_type\":"
           "\"created\",\"truncated\":true}",
           NULL);
    unlink(at(p, CONTEXT "binary.md"));
    expect(p,
           "file_change {\"file_path\":\".buildrunner/context/binary.md\",\"change_type\":"
           "\"deleted\"}",
           NULL);
    write_text(p, CONTEXT "todo.txt", "no context file");
    expect(p,
           "file_change {\"file_path\":\".buildrunner/context/todo.txt\",\"change_type\":"
           "\"created\"}",
           NULL);
    write_text(p, CONTEXT ".hidden.md", "passed over");
    make_dir(p, CONTEXT "more");
    write_text(p, CONTEXT "more/deep.md", "passed over");
    expect(p, NULL);
    finish(p);
}

static void test_renamed_files(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CONTEXT "a.md", "text");
    write_text(p, CHECKPOINTS "one.json", "{\"id\":\"one\"}");
    wait_event(p, "checkpoint_update", "");
    flush(p);
    forget_events(p);
    move(p, CONTEXT "a.md", CONTEXT "b.md");
    expect(p,
           "file_change {\"file_path\":\".buildrunner/context/a.md\",\"change_type\":\"deleted\"}",
           "file_change {\"file_path\":\".buildrunner/context/b.md\",\"change_type\":\"moved\","
           "\"content\":\"text\"}",
           NULL);
    /* A checkpoint under another name is not a new one. */
    move(p, CHECKPOINTS "one.json", CHECKPOINTS "first.json");
    expect(p,
           "file_change {\"file_path\":\".buildrunner/checkpoints/one.json\",\"change_type\":"
           "\"deleted\"}",
           "file_change {\"file_path\":\".buildrunner/checkpoints/first.json\",\"change_type\":"
           "\"moved\"}",
           NULL);
    /* Deleted and another made at once, which gets the same inode: that is no renaming. */
    unlink(at(p, CONTEXT "b.md"));
    write_text(p, CONTEXT "c.md", "text");
    expect(p,
           "file_change {\"file_path\":\".buildrunner/context/b.md\",\"change_type\":\"deleted\"}",
           "file_change {\"file_path\":\".buildrunner/context/c.md\",\"change_type\":\"created\","
           "\"content\":\"text\"}",
           NULL);
    finish(p);
}

static void test_artifacts(void **state)
{
    (void)state;
    struct project *p = begin();
    make_dir(p, ARTIFACTS "a");
    make_dir(p, ARTIFACTS "a/b");
    make_dir(p, ARTIFACTS "a/b/c");
    write_text(p, ARTIFACTS "a/b/c/app", "1");
    expect(p,
           "file_change {\"file_path\":\".buildrunner/artifacts/a/b/c/app\",\"change_type\":"
           "\"created\"}",
           NULL);
    append_text(p, ARTIFACTS "a/b/c/app", "2");
    expect(p,
           "file_change {\"file_path\":\".buildrunner/artifacts/a/b/c/app\",\"change_type\":"
           "\"modified\"}",
           NULL);
    chmod(at(p, ARTIFACTS "a/b/c/app"), 0755);
    expect(p, NULL);
    move(p, ARTIFACTS "a/b", ARTIFACTS "z");
    expect(p,
           "file_change {\"file_path\":\".buildrunner/artifacts/a/b/c/app\",\"change_type\":"
           "\"deleted\"}",
           "file_change {\"file_path\":\".buildrunner/artifacts/z/c/app\",\"change_type\":"
           "\"moved\"}",
           NULL);
    append_text(p, ARTIFACTS "z/c/app", "3");
    expect(p,
           "file_change {\"file_path\":\".buildrunner/artifacts/z/c/app\",\"change_type\":"
           "\"modified\"}",
           NULL);
    remove_tree(at(p, ARTIFACTS "z"));
    expect(p,
           "file_change {\"file_path\":\".buildrunner/artifacts/z/c/app\",\"change_type\":"
           "\"deleted\"}",
           NULL);
    finish(p);
}

/* A file is there and gone again within the settling time: nobody needs to know. */
static void test_short_lived_file(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, ARTIFACTS "lock", "");
    unlink(at(p, ARTIFACTS "lock"));
    expect(p, NULL);
    finish(p);
}

static void test_late_checkpoint_keeps_the_state(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS "new.json",
               "{\"id\":\"new\",\"components\":[{\"id\":\"x\",\"status\":\"completed\"}]}");
    wait_event(p, "build_progress", "");
    flush(p);
    forget_events(p);
    write_text(p, CHECKPOINTS "old.json.tmp", "{\"id\":\"old\",\"components\":[{\"id\":\"x\"}]}");
    set_time(p, CHECKPOINTS "old.json.tmp", 1000000);
    move(p, CHECKPOINTS "old.json.tmp", CHECKPOINTS "old.json");
    expect(p, PLAIN_UPDATE("old"), NULL);
    finish(p);
}

static void test_checkpoint_from_the_future(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS "a.json.tmp", "{\"id\":\"a\",\"components\":[{\"id\":\"x\"}]}");
    set_time(p, CHECKPOINTS "a.json.tmp", time(NULL) + 86400);
    move(p, CHECKPOINTS "a.json.tmp", CHECKPOINTS "a.json");
    wait_event(p, "build_progress", "");
    write_text(p, CHECKPOINTS "b.json",
               "{\"id\":\"b\",\"components\":[{\"id\":\"x\",\"status\":\"completed\"}]}");
    wait_event(p, "component_update", "\"status\":\"completed\"");
    finish(p);
}

static void test_stop(void **state)
{
    (void)state;
    struct project *p = project_new();
    make_dirs(p);
    write_text(p, CHECKPOINTS "one.json", one);
    p->blocked = true; /* so that p->watcher is set before the callback uses it */
    p->stop_at_event = true;
    start(p);
    wait_count(p, 1);
    pthread_mutex_lock(&p->lock);
    p->blocked = false;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    fan_watcher_stop(p->watcher);
    fan_watcher_free(p->watcher);
    p->watcher = NULL;
    assert_int_equal(p->count, 1); /* the event that was being reported was the last one */
    finish(p);
}

/* From the last write to the event; the best of some tries, as others use this machine, too. */
static void test_latency(void **state)
{
    (void)state;
    struct project *p = begin();
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 10; i++) {
        char name[64];
        snprintf(name, sizeof name, CHECKPOINTS "c%d.json", i);
        write_text(p, name, "{}");
        uint64_t written = clock_ms();
        snprintf(name, sizeof name, "\"c%d\"", i);
        uint64_t took = wait_event(p, "checkpoint_update", name) - written;
        best = took < best ? took : best;
    }
    assert_in_range(best, 40, 100);
    finish(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_checkpoint),
        cmocka_unit_test(test_only_what_differs),
        cmocka_unit_test(test_changed_checkpoint),
        cmocka_unit_test(test_newest_at_start),
        cmocka_unit_test(test_newest_at_start_is_known),
        cmocka_unit_test(test_atomic_rename_and_temporary_files),
        cmocka_unit_test(test_editor_backup),
        cmocka_unit_test(test_several_writes_give_one_event),
        cmocka_unit_test(test_checkpoint_in_pieces),
        cmocka_unit_test(test_truncated_checkpoint),
        cmocka_unit_test(test_wrong_checkpoint),
        cmocka_unit_test(test_context_files),
        cmocka_unit_test(test_renamed_files),
        cmocka_unit_test(test_artifacts),
        cmocka_unit_test(test_short_lived_file),
        cmocka_unit_test(test_late_checkpoint_keeps_the_state),
        cmocka_unit_test(test_checkpoint_from_the_future),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_latency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
