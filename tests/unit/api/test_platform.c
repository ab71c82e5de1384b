/* The platform's database and its thread: what is kept, what is bounded, and what is said when the
 * file cannot be used. */
#include "../test.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/project_store.h"
#include "api/report_store.h"
#include "fanfare/error.h"

#define ID "550e8400-e29b-41d4-a716-446655440000"

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/fanfare-platform-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static void open_memory(struct platform_db *db)
{
    *db = (struct platform_db){0};
    assert_int_equal(platform_db_open(db, NULL), 0);
}

static void set(struct buf *to, const char *text)
{
    buf_clear(to);
    buf_append_text(to, text);
}

static void make_project(struct platform_db *db, const char *id, const char *url)
{
    struct project p = {.created_ms = 1, .updated_ms = 1};
    snprintf(p.id, sizeof p.id, "%s", id);
    set(&p.name, "P");
    set(&p.status, "active");
    set(&p.updated_by, "ada");
    set(&p.repository_url, url);
    assert_int_equal(project_insert(db, &p), 0);
    assert_int_equal(p.version, 1);
    project_fini(&p);
}

/* ---- Projects ---- */

static void test_projects(void **state)
{
    (void)state;
    struct platform_db db;
    struct project p;
    open_memory(&db);
    assert_int_equal(project_find(&db, ID, &p), FAN_E_NOT_FOUND);
    make_project(&db, ID, "");
    assert_int_equal(project_find(&db, ID, &p), 0);
    assert_string_equal(p.id, ID);
    assert_string_equal(buf_text(&p.name), "P");
    assert_int_equal(p.repository_url.len, 0);
    assert_int_equal(project_insert(&db, &p), FAN_E_EXISTS);
    set(&p.name, "Q");
    p.updated_ms = 5;
    p.version = 1;
    assert_int_equal(project_update(&db, &p), 0);
    project_fini(&p);
    assert_int_equal(project_find(&db, ID, &p), 0);
    assert_string_equal(buf_text(&p.name), "Q");
    assert_int_equal(p.version, 2);
    assert_int_equal(p.created_ms, 1);
    assert_int_equal(p.updated_ms, 5);
    project_fini(&p);
    assert_int_equal(project_delete(&db, ID), 0);
    assert_int_equal(project_find(&db, ID, &p), FAN_E_NOT_FOUND);
    platform_db_close(&db);
}

static void test_projects_are_found_by_repository(void **state)
{
    (void)state;
    struct platform_db db;
    struct buf ids = {0};
    unsigned count;
    open_memory(&db);
    make_project(&db, "00000000-0000-4000-8000-000000000001", "git@github.com:A/B.git");
    make_project(&db, "00000000-0000-4000-8000-000000000002", "no address");
    make_project(&db, "00000000-0000-4000-8000-000000000003", "https://github.com/a/b/");
    assert_int_equal(project_find_repository(&db, SLICE("github.com/a/b"), 9, &ids, &count), 0);
    assert_int_equal(count, 2);
    assert_string_equal(ids.data, "00000000-0000-4000-8000-000000000001");
    assert_string_equal(ids.data + UUID_SIZE, "00000000-0000-4000-8000-000000000003");
    buf_clear(&ids);
    assert_int_equal(project_find_repository(&db, SLICE("github.com/a/b"), 1, &ids, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(project_find_repository(&db, SLICE("no address"), 1, &ids, &count), 0);
    assert_int_equal(count, 0);
    buf_fini(&ids);
    platform_db_close(&db);
}

static bool take_two(void *arg, const struct project *p)
{
    unsigned *seen = arg;
    assert_true(p->number > 1);
    return ++*seen < 2;
}

static void test_a_list_goes_on_behind_a_number(void **state)
{
    (void)state;
    struct platform_db db;
    unsigned seen = 0;
    open_memory(&db);
    for (int i = 0; i < 4; i++) {
        char id[] = ID;
        id[0] = (char)('0' + i);
        make_project(&db, id, "");
    }
    assert_int_equal(project_each(&db, 1, take_two, &seen), 0);
    assert_int_equal(seen, 2);
    platform_db_close(&db);
}

/* ---- Reports and deliveries ---- */

static bool count_one(void *arg, int64_t number, struct slice data, int64_t updated_ms)
{
    (void)number, (void)data, (void)updated_ms;
    ++*(unsigned *)arg;
    return true;
}

static void test_reports_are_bounded(void **state)
{
    (void)state;
    struct platform_db db;
    struct buf data = {0};
    int64_t updated_ms;
    unsigned count = 0;
    char id[24];
    open_memory(&db);
    assert_int_equal(report_put(&db, "agent", "other", SLICE("{}"), 1), 0);
    assert_int_equal(platform_db_begin(&db), 0);
    for (int i = 0; i < REPORTS_MAX + 200; i++) {
        snprintf(id, sizeof id, "%d", i);
        assert_int_equal(report_put(&db, "workflow", id, SLICE("{\"a\":1}"), i), 0);
    }
    assert_int_equal(platform_db_commit(&db), 0);
    assert_int_equal(report_each(&db, "workflow", 0, count_one, &count), 0);
    assert_true(count >= REPORTS_MAX && count < REPORTS_MAX + 64);
    assert_int_equal(report_find(&db, "workflow", "0", &data, &updated_ms), FAN_E_NOT_FOUND);
    assert_int_equal(report_find(&db, "workflow", id, &data, &updated_ms), 0);
    assert_string_equal(buf_text(&data), "{\"a\":1}");
    buf_clear(&data);
    assert_int_equal(report_find(&db, "agent", "other", &data, &updated_ms), 0);
    buf_fini(&data);
    platform_db_close(&db);
}

static void test_deliveries_are_bounded(void **state)
{
    (void)state;
    struct platform_db db;
    char id[24];
    open_memory(&db);
    assert_int_equal(platform_db_begin(&db), 0);
    for (int i = 0; i < DELIVERIES_MAX + 200; i++) {
        snprintf(id, sizeof id, "%d", i);
        assert_int_equal(delivery_note(&db, slice_from(id), i), 0);
    }
    assert_int_equal(delivery_note(&db, slice_from(id), 1), FAN_E_EXISTS);
    assert_int_equal(delivery_note(&db, SLICE("0"), 1), 0);
    assert_int_equal(platform_db_commit(&db), 0);
    platform_db_close(&db);
}

/* ---- The file ---- */

static void test_what_is_committed_stays(void **state)
{
    (void)state;
    struct platform_db db = {0};
    struct project p;
    char path[128];
    snprintf(path, sizeof path, "%s/new/projects.db", directory);
    assert_int_equal(platform_db_open(&db, path), 0);
    assert_int_equal(platform_db_begin(&db), 0);
    make_project(&db, ID, "");
    assert_int_equal(platform_db_commit(&db), 0);
    assert_int_equal(platform_db_begin(&db), 0);
    assert_int_equal(project_delete(&db, ID), 0);
    platform_db_rollback(&db);
    platform_db_close(&db);
    assert_int_equal(platform_db_open(&db, path), 0);
    assert_int_equal(project_find(&db, ID, &p), 0);
    project_fini(&p);
    platform_db_close(&db);
}

static void assert_cannot_open(const char *path, const char *problem)
{
    struct platform_db db = {0};
    assert_true(platform_db_open(&db, path) < 0);
    assert_null(db.handle);
    if (!strstr(platform_db_problem(&db), problem))
        fail_msg("%s", platform_db_problem(&db));
    platform_db_close(&db);
}

static void test_files_that_cannot_be_used(void **state)
{
    (void)state;
    struct platform_db db = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/projects.db", directory);
    FILE *file = fopen(path, "wb");
    fputs("this is no database, but a text of some length\n", file);
    fclose(file);
    assert_cannot_open(path, "not a database");
    unlink(path);
    assert_int_equal(platform_db_open(&db, path), 0);
    assert_int_equal(sqlite3_exec(db.handle, "PRAGMA user_version = 2", NULL, NULL, NULL), 0);
    platform_db_close(&db);
    assert_cannot_open(path, "newer version of this program (2; this one knows 1)");
    assert_cannot_open("/proc/no/projects.db", "/proc/no");
}

/* ---- The thread ---- */

struct test_job {
    struct platform_job job;
    sem_t *done, *gate;
    const char *problem;
    bool had_db;
};

static void run_job(struct platform_job *job, struct platform_db *db, const char *problem)
{
    struct test_job *t = (struct test_job *)job;
    t->had_db = db != NULL;
    t->problem = problem ? "told" : NULL;
    if (t->gate)
        sem_wait(t->gate);
    sem_post(t->done);
}

static void test_jobs_run_in_a_bounded_queue(void **state)
{
    (void)state;
    static struct test_job jobs[PLATFORM_QUEUE_MAX + 2];
    sem_t done, gate;
    sem_init(&done, 0, 0);
    sem_init(&gate, 0, 0);
    struct platform *p = platform_new(NULL);
    unsigned taken = 0;
    for (unsigned i = 0; i < PLATFORM_QUEUE_MAX + 2; i++) {
        jobs[i] = (struct test_job){.job.run = run_job, .done = &done, .gate = &gate};
        int error = platform_submit(p, &jobs[i].job);
        if (error)
            assert_int_equal(error, FAN_E_LIMIT);
        taken += !error;
    }
    assert_true(taken >= PLATFORM_QUEUE_MAX && taken <= PLATFORM_QUEUE_MAX + 1);
    for (unsigned i = 0; i < taken; i++)
        sem_post(&gate);
    platform_stop(p); /* which runs all that was handed over */
    for (unsigned i = 0; i < taken; i++)
        assert_int_equal(sem_trywait(&done), 0);
    assert_true(jobs[0].had_db);
    assert_int_equal(platform_submit(p, &jobs[0].job), FAN_E_CLOSED);
    platform_free(p);
    sem_destroy(&done);
    sem_destroy(&gate);
}

static void test_jobs_hear_that_there_is_no_database(void **state)
{
    (void)state;
    sem_t done;
    sem_init(&done, 0, 0);
    struct platform *p = platform_new("/proc/no/projects.db");
    struct test_job job = {.job.run = run_job, .done = &done};
    assert_int_equal(platform_submit(p, &job.job), 0);
    sem_wait(&done);
    assert_false(job.had_db);
    assert_non_null(job.problem);
    platform_stop(p);
    platform_free(p);
    platform_free(NULL);
    sem_destroy(&done);
}

static void test_ids(void **state)
{
    (void)state;
    char id[UUID_SIZE], other[UUID_SIZE];
    assert_true(platform_parse_id(SLICE("550E8400-E29B-41D4-A716-446655440000"), id));
    assert_string_equal(id, ID);
    assert_false(platform_parse_id(SLICE("550e8400e29b41d4a716446655440000"), id));
    assert_false(platform_parse_id(SLICE("550e8400-e29b-41d4-a716-44665544000g"), id));
    assert_false(platform_parse_id(SLICE(""), id));
    platform_make_id(id);
    platform_make_id(other);
    assert_true(platform_parse_id(slice_from(id), id));
    assert_int_equal(id[14], '4');
    assert_true(strchr("89ab", id[19]) != NULL);
    assert_string_not_equal(id, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_projects),
        cmocka_unit_test(test_projects_are_found_by_repository),
        cmocka_unit_test(test_a_list_goes_on_behind_a_number),
        cmocka_unit_test(test_reports_are_bounded),
        cmocka_unit_test(test_deliveries_are_bounded),
        cmocka_unit_test(test_what_is_committed_stays),
        cmocka_unit_test(test_files_that_cannot_be_used),
        cmocka_unit_test(test_jobs_run_in_a_bounded_queue),
        cmocka_unit_test(test_jobs_hear_that_there_is_no_database),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
