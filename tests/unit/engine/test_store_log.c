/* The write-ahead log's size: whoever reads, it does not grow without end, and becomes short again.
 */
#include "store_fixture.h"

#include <stdatomic.h>

#define MEBI ((int64_t)1024 * 1024)

/* What the engine lets it grow to, and what may be written until it notices. */
#define SHORT (64 * MEBI)
#define LONG  (256 * MEBI)
#define SLACK (48 * MEBI)

static int64_t log_bytes(void)
{
    struct stat info;
    return stat(path_of(STORE_FILE "-wal"), &info) == 0 ? (int64_t)info.st_size : 0;
}

/* A commit of some 4 MiB. */
static void write_much(void)
{
    static char data[40000];
    struct publish_item items[100];
    struct publish_item *pointers[100];
    struct slice name = SLICE("session:a");
    if (!data[0])
        snprintf(data, sizeof data, "{\"pad\":\"%0*d\"}", (int)sizeof data - 16, 0);
    const struct draft draft = {.topics = {"session:a"}, .data = data};
    for (unsigned i = 0; i < 100; i++) {
        items[i] = (struct publish_item){.event = make_event(&draft, 1), .topics = &name};
        pointers[i] = &items[i];
    }
    struct publish_batch batch = {.items = pointers, .count = 100};
    publish_and_wait(&batch);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(items[i].error, 0);
        event_unref(items[i].event);
    }
}

static void open_small(void)
{
    config.memory_limit = 1 << 20;
    config.kinds[TOPIC_SESSION].count = 200;
    open_hub();
}

/* ---- Readers ---- */

static sqlite3 *open_reader(void)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path_of(STORE_FILE), &db), SQLITE_OK);
    return db;
}

static void begin_reading(sqlite3 *db)
{
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM topics", NULL, NULL, NULL),
                     SQLITE_OK);
}

static void end_reading(sqlite3 *db)
{
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
}

/* Readers that take turns: each begins before another one ends. */
#define READERS 3

static atomic_bool enough, over;
static pthread_barrier_t turn;

static void *take_turns(void *arg)
{
    unsigned own = *(const unsigned *)arg;
    sqlite3 *db = open_reader();
    bool reading = false;
    for (unsigned n = 0;; n++) {
        bool begins = n % READERS == own;
        if (begins && reading)
            end_reading(db);
        if (begins)
            begin_reading(db);
        reading = reading || begins;
        usleep(2000);
        /* One decides for all, so that they leave in the same round. */
        if (own == 0)
            atomic_store(&over, atomic_load(&enough));
        pthread_barrier_wait(&turn);
        bool last = atomic_load(&over);
        pthread_barrier_wait(&turn);
        if (last)
            break;
    }
    sqlite3_close(db);
    return NULL;
}

static void test_there_is_always_somebody_who_reads(void **state)
{
    (void)state;
    pthread_t threads[READERS];
    unsigned numbers[READERS];
    int64_t written = 0, most = 0;
    open_small();
    write_much();
    pthread_barrier_init(&turn, NULL, READERS);
    for (unsigned i = 0; i < READERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &numbers[i]), 0);
    }
    for (; written < LONG + 3 * SLACK; written += 4 * MEBI) {
        write_much();
        int64_t bytes = log_bytes();
        most = bytes > most ? bytes : most;
    }
    atomic_store(&enough, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&turn);
    print_message("the log was %lld MiB long at most\n", (long long)(most / MEBI));
    assert_true(most < LONG + SLACK);
}

static void test_it_becomes_short_again_when_a_long_reader_is_done(void **state)
{
    (void)state;
    open_small();
    write_much();
    sqlite3 *db = open_reader();
    begin_reading(db);
    for (int64_t written = 0; written < SHORT + SLACK; written += 4 * MEBI)
        write_much();
    assert_true(log_bytes() > SHORT);
    end_reading(db);
    sqlite3_close(db);
    uint64_t end = clock_ms() + 60000;
    struct engine_status status;
    do {
        write_much();
        hub_engine_status(hub, &status);
    } while ((log_bytes() > SHORT || status.log_bytes > (uint64_t)SHORT) && clock_ms() < end);
    assert_true(log_bytes() <= SHORT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_there_is_always_somebody_who_reads),
        TEST(test_it_becomes_short_again_when_a_long_reader_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
