/* What a disk can do to a watcher: directories that come and go, links, floods, limits. */
#include "source/watch_fixture.h"

#include <sys/wait.h>

#include "source/watch_tree.h"

#define CHECKPOINTS ".buildrunner/checkpoints/"
#define CONTEXT     ".buildrunner/context/"
#define ARTIFACTS   ".buildrunner/artifacts/"

#define PLAIN_UPDATE(id)                                                                     \
    "checkpoint_update {\"checkpoint_id\":\"" id "\",\"phase\":\"\",\"tasks_completed\":[]," \
    "\"files_created\":[],\"metadata\":{}}"
#define CHANGE(path, change) \
    "file_change {\"file_path\":\".buildrunner/" path "\",\"change_type\":\"" change "\"}"

static struct project *begin(void)
{
    struct project *p = project_new();
    make_dirs(p);
    start(p);
    return p;
}

static void block(struct project *p, bool blocked)
{
    pthread_mutex_lock(&p->lock);
    p->blocked = blocked;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void test_missing_directories_are_waited_for(void **state)
{
    (void)state;
    struct project *p = project_new();
    start(p);
    make_dirs(p);
    write_text(p, CHECKPOINTS "a.json", "{}");
    wait_event(p, "checkpoint_update", "\"a\"");
    write_text(p, ARTIFACTS "x", "");
    wait_event(p, "file_change", "artifacts/x");
    finish(p);
}

static void test_directory_removed_and_made_again(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS "a.json", "{}");
    expect(p, PLAIN_UPDATE("a"), NULL);
    for (int i = 0; i < 5; i++) {
        remove_tree(at(p, ".buildrunner/checkpoints"));
        expect(p, CHANGE("checkpoints/a.json", "deleted"), NULL);
        make_dir(p, ".buildrunner/checkpoints");
        write_text(p, CHECKPOINTS "a.json", "{}");
        wait_event(p, "checkpoint_update", "\"a\"");
        expect(p, PLAIN_UPDATE("a"), NULL);
        /* At once and with the same content: nothing has changed. */
        remove_tree(at(p, ".buildrunner/checkpoints"));
        make_dir(p, ".buildrunner/checkpoints");
        write_text(p, CHECKPOINTS "a.json", "{}");
        expect(p, NULL);
    }
    finish(p);
}

static void test_everything_removed_and_made_again(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS "a.json", "{}");
    wait_event(p, "checkpoint_update", "\"a\"");
    remove_tree(at(p, ".buildrunner"));
    wait_event(p, "file_change", "\"deleted\"");
    make_dirs(p);
    write_text(p, CHECKPOINTS "b.json", "{}");
    wait_event(p, "checkpoint_update", "\"b\"");
    /* The project itself. */
    remove_tree(p->path);
    wait_event(p, "file_change", "b.json\",\"change_type\":\"deleted\"");
    assert_int_equal(mkdir(p->path, 0755), 0);
    make_dirs(p);
    write_text(p, CHECKPOINTS "c.json", "{}");
    wait_event(p, "checkpoint_update", "\"c\"");
    finish(p);
}

static void test_project_renamed_and_replaced(void **state)
{
    (void)state;
    struct project *p = begin(), *other = project_new();
    write_text(p, CHECKPOINTS "a.json", "{}");
    wait_event(p, "checkpoint_update", "\"a\"");
    make_dirs(other);
    write_text(other, CHECKPOINTS "b.json", "{}");
    assert_int_equal(rename(p->path, at(other, "away")), 0);
    wait_event(p, "file_change", "a.json\",\"change_type\":\"deleted\"");
    assert_int_equal(rename(at(other, "."), p->path), -1); /* "." cannot be renamed */
    assert_int_equal(rename(other->path, p->path), 0);
    wait_event(p, "checkpoint_update", "\"b\"");
    finish(other);
    finish(p);
}

static void test_links(void **state)
{
    (void)state;
    struct project *p = project_new(), *outside = project_new();
    make_dirs(p);
    make_dir(p, "dist");
    write_text(p, "dist/app", "1");
    write_text(p, "NOTES.md", "inside");
    write_text(outside, "secret.md", "secret");
    write_text(outside, "secret.json", "{}");
    start(p);
    /* Out of the project, directly, by a directory, by way of ".." and "/", to nowhere, in a
     * circle, to a directory above. */
    assert_int_equal(symlink(at(outside, "secret.md"), at(p, CONTEXT "secret.md")), 0);
    assert_int_equal(symlink(at(outside, "secret.json"), at(p, CHECKPOINTS "secret.json")), 0);
    assert_int_equal(symlink(outside->path, at(p, ARTIFACTS "outside")), 0);
    assert_int_equal(symlink("/", at(p, ARTIFACTS "system")), 0);
    assert_int_equal(symlink("nowhere", at(p, CONTEXT "nowhere.md")), 0);
    assert_int_equal(symlink("circle.md", at(p, CONTEXT "circle.md")), 0);
    assert_int_equal(symlink(".", at(p, ARTIFACTS "loop")), 0);
    assert_int_equal(symlink("../..", at(p, ARTIFACTS "top")), 0);
    expect(p, NULL);
    write_text(outside, "new", "");
    expect(p, NULL);
    /* To what is watched anyway. */
    write_text(p, CHECKPOINTS "a.json", "{}");
    assert_int_equal(symlink("a.json", at(p, CHECKPOINTS "latest.json")), 0);
    expect(p, PLAIN_UPDATE("a"), NULL);
    /* To another place in the project. */
    assert_int_equal(symlink("../../dist", at(p, ARTIFACTS "dist")), 0);
    wait_event(p, "file_change", "artifacts/dist/app"); /* found once the link has settled */
    assert_int_equal(symlink("../../dist", at(p, ARTIFACTS "again")), 0);
    expect(p, CHANGE("artifacts/dist/app", "created"), NULL);
    append_text(p, "dist/app", "2");
    expect(p, CHANGE("artifacts/dist/app", "modified"), NULL);
    assert_int_equal(symlink("../../NOTES.md", at(p, CONTEXT "notes.md")), 0);
    wait_event(p, "file_change", "notes.md\",\"change_type\":\"created\",\"content\":\"inside\"");
    write_text(p, "NOTES.md", "changed");
    wait_event(p, "file_change", "notes.md\",\"change_type\":\"modified\",\"content\":\"changed\"");
    flush(p);
    forget_events(p);
    unlink(at(p, ARTIFACTS "dist"));
    unlink(at(p, ARTIFACTS "again"));
    wait_event(p, "file_change", "\"deleted\"");
    expect(p, CHANGE("artifacts/dist/app", "deleted"), NULL);
    finish(outside);
    finish(p);
}

static void test_linked_directory(void **state)
{
    (void)state;
    struct project *p = project_new(), *outside = project_new();
    make_dir(p, "state");
    make_dir(p, "state/checkpoints");
    make_dir(outside, "checkpoints");
    start(p);
    assert_int_equal(symlink("state", at(p, ".buildrunner")), 0);
    write_text(p, "state/checkpoints/a.json", "{}");
    wait_event(p, "checkpoint_update", "\"a\"");
    unlink(at(p, ".buildrunner"));
    wait_event(p, "file_change", "a.json\",\"change_type\":\"deleted\"");
    forget_events(p);
    assert_int_equal(symlink(outside->path, at(p, ".buildrunner")), 0);
    write_text(outside, "checkpoints/b.json", "{}");
    write_text(p, "state/checkpoints/c.json", "{}");
    unlink(at(p, ".buildrunner"));
    assert_int_equal(symlink("state", at(p, ".buildrunner")), 0);
    wait_event(p, "checkpoint_update", "\"c\"");
    assert_int_equal(count_type(p, "checkpoint_update", "\"b\""), 0);
    finish(outside);
    finish(p);
}

static void test_special_files(void **state)
{
    (void)state;
    struct project *p = begin();
    assert_int_equal(mkfifo(at(p, CHECKPOINTS "pipe.json"), 0600), 0);
    assert_int_equal(mkfifo(at(p, CONTEXT "pipe.md"), 0600), 0);
    make_dir(p, CHECKPOINTS "directory.json");
    make_dir(p, CONTEXT "directory.md");
    expect(p, NULL);
    write_text(p, ARTIFACTS "name\xff\n", "");
    wait_event(p, "file_change", "artifacts/name\xef\xbf\xbd\\n\"");
    finish(p);
}

/* Runs as an ordinary user, for whom there are unreadable files. */
static void unreadable(void **state)
{
    (void)state;
    struct project *p = begin();
    write_text(p, CHECKPOINTS "a.json.tmp", "{}");
    chmod(at(p, CHECKPOINTS "a.json.tmp"), 0);
    move(p, CHECKPOINTS "a.json.tmp", CHECKPOINTS "a.json");
    wait_event(p, "error",
               "{\"error_message\":\".buildrunner/checkpoints/a.json:1:1: cannot be read: "
               "Permission denied\",\"error_type\":\"file_unreadable\"}");
    chmod(at(p, CHECKPOINTS "a.json"), 0600);
    wait_event(p, "checkpoint_update", "\"a\"");
    assert_int_equal(mkdir(at(p, ARTIFACTS "closed"), 0), 0);
    wait_event(p, "error", ".buildrunner/artifacts/closed: Permission denied");
    chmod(at(p, ARTIFACTS "closed"), 0700);
    write_text(p, ARTIFACTS "closed/x", "");
    wait_event(p, "file_change", "closed/x");
    write_text(p, CHECKPOINTS "b.json", "{}");
    wait_event(p, "checkpoint_update", "\"b\"");
    assert_int_equal(count_type(p, "error", ""), 2);
    finish(p);
}

static void test_unreadable_files(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(unreadable)};
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        _exit(cmocka_run_group_tests(tests, NULL, NULL));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void write_checkpoint(struct project *p, int i)
{
    char name[64], text[160];
    snprintf(name, sizeof name, CHECKPOINTS "c%05d.json", i);
    snprintf(text, sizeof text,
             "{\"id\":\"c%05d\",\"components\":[{\"id\":\"x\",\"progress\":%d.%02d}]}", i, i / 100,
             i % 100);
    write_text(p, name, text);
}

/* The ids of the checkpoint updates, which must be c00000, c00001, … in this order. */
static void check_checkpoints(struct project *p, unsigned count)
{
    unsigned seen = 0;
    const char *last = "";
    for (size_t i = 0; i < p->count; i++) {
        char id[64];
        if (strcmp(p->events[i].type, "component_update") == 0)
            last = p->events[i].data;
        if (strcmp(p->events[i].type, "checkpoint_update") != 0)
            continue;
        snprintf(id, sizeof id, "{\"checkpoint_id\":\"c%05u\"", seen++);
        if (strncmp(p->events[i].data, id, strlen(id)) != 0)
            fail_msg("expected %s, found %s", id, p->events[i].data);
    }
    assert_int_equal(seen, count);
    char progress[32];
    snprintf(progress, sizeof progress, "\"progress\":%g,", (count - 1) / 100.0);
    assert_non_null(strstr(last, progress));
}

static void test_burst_of_checkpoints(void **state)
{
    (void)state;
    struct project *p = begin();
    for (int i = 0; i < 2000; i++)
        write_checkpoint(p, i);
    wait_event(p, "checkpoint_update", "\"c01999\"");
    flush(p);
    check_checkpoints(p, 2000);
    finish(p);
}

static void burst_while_blocked(struct project *p)
{
    write_text(p, ARTIFACTS "first", "");
    block(p, true);
    wait_count(p, 1);
    for (int i = 0; i < 2000; i++)
        write_checkpoint(p, i);
    block(p, false);
    wait_event(p, "checkpoint_update", "\"c01999\"");
    flush(p);
    check_checkpoints(p, 2000);
    finish(p);
}

/* All of them are found at once, and have to be put in order. */
static void test_burst_in_one_batch(void **state)
{
    (void)state;
    burst_while_blocked(begin());
}

static long queue_limit(void)
{
    long limit = 0;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    if (file && fscanf(file, "%ld", &limit) != 1)
        limit = 0;
    if (file)
        fclose(file);
    return limit;
}

/* 10,000 files and more events than the kernel's queue holds, while the watcher is not reading. */
static void test_overflow(void **state)
{
    (void)state;
    struct project *p = begin();
    char name[64], text[128];
    if (queue_limit() > 25000)
        print_message("the kernel's queue holds %ld events: it will not overflow\n", queue_limit());
    write_text(p, CONTEXT "gone.md", "");
    write_text(p, ARTIFACTS "first", "");
    wait_count(p, 2);
    block(p, true);
    write_text(p, ARTIFACTS "second", "");
    wait_count(p, 3);
    for (int i = 0; i < 10000; i++) {
        if (i % 1000 == 0) {
            snprintf(name, sizeof name, ARTIFACTS "d%d", i / 1000);
            make_dir(p, name);
        }
        snprintf(name, sizeof name, ARTIFACTS "d%d/f%d", i / 1000, i);
        write_text(p, name, "x");
    }
    unlink(at(p, CONTEXT "gone.md"));
    write_checkpoint(p, 0);
    block(p, false);
    wait_event(p, "checkpoint_update", "\"c00000\"");
    flush(p);
    for (int i = 0; i < 10000; i += 97) {
        snprintf(text, sizeof text, "artifacts/d%d/f%d\",\"change_type\":\"created\"", i / 1000, i);
        assert_int_equal(count_type(p, "file_change", text), 1);
    }
    assert_int_equal(count_type(p, "file_change", "\"created\""), 10003);
    assert_int_equal(count_type(p, "file_change", "gone.md\",\"change_type\":\"deleted\""), 1);
    finish(p);
}

/* A notifier as the kernel is when its limit is reached: after a few directories, no more. */
static int few_left;

static int add_few(struct watch_notifier *notifier, struct watch_dir *dir)
{
    return few_left-- > 0 ? WATCH_NATIVE->add(notifier, dir) : FAN_E_LIMIT;
}

static struct watch_notifier_ops few;

static int create_few(uv_loop_t *loop, struct watch_tree *tree, void (*woken)(void *arg), void *arg,
                      struct watch_notifier **notifier, const char **message)
{
    int error = WATCH_NATIVE->create(loop, tree, woken, arg, notifier, message);
    if (!error)
        (*notifier)->ops = &few;
    return error;
}

static void limited(int left, struct project *p)
{
    few = *WATCH_NATIVE;
    few.create = create_few;
    few.add = add_few;
    few_left = left;
    p->notifier = &few;
    start(p);
}

static void check_limited(struct project *p)
{
    wait_event(p, "error",
               "the limit of inotify watches is reached; raise it with sysctl "
               "fs.inotify.max_user_watches; until the next start, changes are looked "
               "for at intervals\",\"error_type\":\"watch_limit\"}");
    assert_true(fan_watcher_is_polling(p->watcher));
    write_text(p, CHECKPOINTS "a.json", "{}");
    wait_event(p, "checkpoint_update", "\"a\"");
    write_text(p, ARTIFACTS "x", "");
    wait_event(p, "file_change", "artifacts/x");
    assert_int_equal(count_type(p, "error", ""), 1);
    finish(p);
}

static void test_watch_limit_at_start(void **state)
{
    (void)state;
    struct project *p = project_new();
    make_dirs(p);
    limited(3, p);
    check_limited(p);
}

static void test_watch_limit_later(void **state)
{
    (void)state;
    struct project *p = project_new();
    make_dirs(p);
    limited(6, p);
    assert_false(fan_watcher_is_polling(p->watcher));
    write_text(p, ARTIFACTS "before", "");
    wait_event(p, "file_change", "artifacts/before");
    make_dir(p, ARTIFACTS "a");
    make_dir(p, ARTIFACTS "a/b");
    make_dir(p, ARTIFACTS "a/b/c");
    write_text(p, ARTIFACTS "a/b/c/x", "");
    wait_event(p, "file_change", "a/b/c/x");
    check_limited(p);
}

static int no_instance(uv_loop_t *loop, struct watch_tree *tree, void (*woken)(void *arg),
                       void *arg, struct watch_notifier **notifier, const char **message)
{
    (void)loop;
    (void)tree;
    (void)woken;
    (void)arg;
    (void)notifier;
    *message = "no instance";
    return FAN_E_LIMIT;
}

static void test_no_notifier(void **state)
{
    (void)state;
    static const struct watch_notifier_ops none = {.create = no_instance};
    struct project *p = project_new();
    make_dirs(p);
    p->notifier = &none;
    start(p);
    wait_event(p, "error", ": no instance; until the next start");
    write_text(p, CHECKPOINTS "a.json", "{}");
    wait_event(p, "checkpoint_update", "\"a\"");
    finish(p);
}

static struct project *begin_polling(void)
{
    struct project *p = project_new();
    make_dirs(p);
    p->force_polling = true;
    start(p);
    assert_true(fan_watcher_is_polling(p->watcher));
    return p;
}

static void test_polling(void **state)
{
    (void)state;
    struct project *p = begin_polling();
    write_text(p, CONTEXT "a.md", "one");
    wait_event(p, "file_change", "a.md\",\"change_type\":\"created\",\"content\":\"one\"");
    write_text(p, CONTEXT "a.md", "two");
    wait_event(p, "file_change", "a.md\",\"change_type\":\"modified\",\"content\":\"two\"");
    unlink(at(p, CONTEXT "a.md"));
    wait_event(p, "file_change", "a.md\",\"change_type\":\"deleted\"");
    assert_int_equal(p->count, 3);
    make_dir(p, ARTIFACTS "d");
    write_text(p, ARTIFACTS "d/x", "");
    wait_event(p, "file_change", "d/x");
    remove_tree(at(p, ".buildrunner"));
    wait_event(p, "file_change", "d/x\",\"change_type\":\"deleted\"");
    make_dirs(p);
    write_text(p, CHECKPOINTS "a.json", "{");
    wait_event(p, "error", "checkpoint_parse");
    append_text(p, CHECKPOINTS "a.json", "}");
    wait_event(p, "checkpoint_update", "\"a\"");
    finish(p);
}

static void test_polling_burst(void **state)
{
    (void)state;
    burst_while_blocked(begin_polling());
}

static void refuse(const char *path, const char *directory, int code, const char *message)
{
    struct fan_watcher *watcher = (void *)1;
    struct fan_watcher_error error;
    struct fan_watcher_files *list = (void *)1;
    struct fan_watcher_options options = {.path = path, .directory = directory, .event = on_event};
    assert_int_equal(fan_watcher_new(&options, &watcher, &error), code);
    assert_null(watcher);
    assert_string_equal(error.message, message);
    assert_int_equal(fan_watcher_new(&options, &watcher, NULL), code);
    memset(&error, 0, sizeof error);
    assert_int_equal(fan_watcher_list_checkpoints(path, directory, &list, &error), code);
    assert_null(list);
    assert_string_equal(error.message, message);
}

static void test_refused_at_start(void **state)
{
    (void)state;
    refuse("/nonexistent/project", NULL, FAN_E_NOT_FOUND,
           "/nonexistent/project: No such file or directory");
    refuse("/etc/passwd", NULL, FAN_E_INVALID, "/etc/passwd: Not a directory");
    refuse("/tmp", "a/b", FAN_E_INVALID,
           "a/b: expected the name of a directory in the project, without any slash");
    refuse("/tmp", "..", FAN_E_INVALID,
           "..: expected the name of a directory in the project, without any slash");
    refuse("/tmp", "", FAN_E_INVALID,
           ": expected the name of a directory in the project, without any slash");
}

static void test_lists(void **state)
{
    (void)state;
    struct project *p = project_new();
    struct fan_watcher_files *list;
    char *latest;
    assert_int_equal(fan_watcher_list_checkpoints(p->path, NULL, &list, NULL), 0);
    assert_int_equal(list->count, 0);
    fan_free(list);
    assert_int_equal(fan_watcher_latest_checkpoint(p->path, NULL, &latest, NULL), 0);
    assert_null(latest);
    make_dirs(p);
    write_text(p, CHECKPOINTS "b.json", "{}");
    write_text(p, CHECKPOINTS "a.json", "{ }");
    write_text(p, CHECKPOINTS "c.json", "{}");
    write_text(p, CHECKPOINTS "notes.txt", "");
    write_text(p, CONTEXT "n.md", "");
    set_time(p, CHECKPOINTS "a.json", 2000000);
    set_time(p, CHECKPOINTS "b.json", 1000000);
    set_time(p, CHECKPOINTS "c.json", 1000000);
    assert_int_equal(symlink("a.json", at(p, CHECKPOINTS "latest.json")), 0);
    assert_int_equal(symlink("/etc/passwd", at(p, CHECKPOINTS "passwd.json")), 0);
    assert_int_equal(fan_watcher_list_checkpoints(p->path, NULL, &list, NULL), 0);
    assert_int_equal(list->count, 3);
    assert_string_equal(list->files[0].path, at(p, CHECKPOINTS "a.json"));
    assert_int_equal(list->files[0].modified_ms, 2000000000);
    assert_int_equal(list->files[0].size, 3);
    assert_string_equal(list->files[1].path, at(p, CHECKPOINTS "c.json"));
    assert_string_equal(list->files[2].path, at(p, CHECKPOINTS "b.json"));
    fan_free(list);
    assert_int_equal(fan_watcher_latest_checkpoint(p->path, NULL, &latest, NULL), 0);
    assert_string_equal(latest, at(p, CHECKPOINTS "a.json"));
    fan_free(latest);
    assert_int_equal(fan_watcher_list_contexts(p->path, ".buildrunner", &list, NULL), 0);
    assert_int_equal(list->count, 1);
    assert_string_equal(list->files[0].path, at(p, CONTEXT "n.md"));
    fan_free(list);
    finish(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_directories_are_waited_for),
        cmocka_unit_test(test_directory_removed_and_made_again),
        cmocka_unit_test(test_everything_removed_and_made_again),
        cmocka_unit_test(test_project_renamed_and_replaced),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_linked_directory),
        cmocka_unit_test(test_special_files),
        cmocka_unit_test(test_unreadable_files),
        cmocka_unit_test(test_burst_of_checkpoints),
        cmocka_unit_test(test_burst_in_one_batch),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_watch_limit_at_start),
        cmocka_unit_test(test_watch_limit_later),
        cmocka_unit_test(test_no_notifier),
        cmocka_unit_test(test_polling),
        cmocka_unit_test(test_polling_burst),
        cmocka_unit_test(test_refused_at_start),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
