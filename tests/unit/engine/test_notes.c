/* Notes of the engine `sqlite`: there after a restart, in the order of coming, and patient. */
#include "../hub/hub_fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/memory.h"
#include "engine/sqlite.h"

static char directory[64];
static struct hub *hub;

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void open_hub(void)
{
    struct hub_config config = roomy(1);
    struct buf why = {0};
    config.monotonic_ms = clock_ms;
    hub = hub_new(&config);
    struct sqlite_options options = {.directory = directory, .memory_limit = config.memory_limit};
    memcpy(options.kinds, config.kinds, sizeof options.kinds);
    if (engine_sqlite_start(hub, &options, &why) != 0)
        fail_msg("%s", buf_text(&why));
    buf_fini(&why);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/fanfare-notes-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    open_hub();
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm",
                                        "fanfare.lock"};
    (void)state;
    hub_free(hub);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
    return rmdir(directory);
}

/* ---- Keeping, and waiting for it ---- */

struct waiting {
    struct note note;
    pthread_mutex_t lock;
    pthread_cond_t done;
    unsigned times;
};

static void on_done(struct note *note)
{
    struct waiting *w = CONTAINER(note, struct waiting, note);
    pthread_mutex_lock(&w->lock);
    w->times++;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

static void keep(const char *name, const char *value)
{
    struct waiting w = {
        .note = {.name = slice_from(name), .value = slice_from(value), .done = on_done},
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .done = PTHREAD_COND_INITIALIZER};
    hub_keep(hub, &w.note);
    pthread_mutex_lock(&w.lock);
    while (!w.times)
        pthread_cond_wait(&w.done, &w.lock);
    pthread_mutex_unlock(&w.lock);
    assert_int_equal(w.times, 1);
}

static void append(void *arg, struct slice name, struct slice value)
{
    buf_printf(arg, "%.*s=%.*s ", SLICE_ARG(name), SLICE_ARG(value));
}

static void assert_notes(const char *prefix, const char *expected)
{
    struct buf notes = {0};
    assert_int_equal(hub_each_note(hub, slice_from(prefix), append, &notes), 0);
    assert_string_equal(buf_text(&notes), expected);
    buf_fini(&notes);
}

static void test_after_a_restart(void **state)
{
    (void)state;
    assert_true(hub_keeps_notes(hub));
    assert_notes("a/", "");
    keep("a/1", "one");
    keep("a/2", "two");
    keep("a/\xc3\xa4", "umlaut");
    keep("a", "no");
    keep("b/1", "other");
    keep("a/2", "new");
    keep("a/3", "three");
    keep("a/3", "");
    keep("a/4", "");
    hub_free(hub);
    open_hub();
    assert_notes("a/", "a/1=one a/2=new a/\xc3\xa4=umlaut ");
    assert_notes("b", "b/1=other ");
}

static void execute(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path_of(STORE_FILE), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* The newest value of each is written once that is possible again; nobody waits for it. */
static void test_while_nothing_can_be_written(void **state)
{
    (void)state;
    keep("a/1", "one");
    keep("a/2", "two");
    execute("CREATE TRIGGER no1 BEFORE INSERT ON notes BEGIN SELECT RAISE(ABORT, 'no'); END;"
            "CREATE TRIGGER no2 BEFORE DELETE ON notes BEGIN SELECT RAISE(ABORT, 'no'); END");
    keep("a/1", "lost");
    keep("a/1", "newer");
    keep("a/2", "");
    keep("a/3", "three");
    assert_notes("a/", "a/1=one a/2=two ");
    execute("DROP TRIGGER no1; DROP TRIGGER no2");
    keep("b", "behind them");
    assert_notes("", "a/1=newer a/3=three b=behind them ");
    hub_free(hub);
    open_hub();
    assert_notes("a/", "a/1=newer a/3=three ");
}

static void test_engine_memory_keeps_none(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    hub_free(hub);
    hub = hub_new(&config);
    hub_set_engine(hub, engine_memory_new());
    assert_false(hub_keeps_notes(hub));
    keep("a", "one");
    assert_notes("", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_after_a_restart),
        TEST(test_while_nothing_can_be_written),
        TEST(test_engine_memory_keeps_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
