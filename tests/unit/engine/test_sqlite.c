/* Engine `sqlite`: what was acknowledged is there again after a restart, whatever ended the one
 * before, and what could not be written was never there. */
#include "store_fixture.h"

#include <zlib.h>

/* ---- Restarts ---- */

static void test_a_restart_goes_on_where_it_was(void **state)
{
    (void)state;
    open_hub();
    uint64_t node = hub_epoch(hub);
    struct outcome first = store(.topics = {"session:a"}, .id = "one", .data = "{\"n\":1}");
    struct outcome both = store(.topics = {"session:a", "user:b"}, .id = "two");
    assert_int_equal(first.error, 0);
    assert_int_equal(both.offset, 2);
    reopen();
    assert_true(hub_epoch(hub) == node);
    assert_true(info_of("session:a").epoch == first.epoch);
    assert_log("session:a", 0, 1, 2);
    assert_log("user:b", 0, 1, 1);
    struct outcome again = store(.topics = {"session:a"}, .id = "one");
    assert_true(again.duplicate);
    assert_int_equal(again.offset, 1);
    struct outcome third = store(.topics = {"session:a"}, .id = "three");
    assert_int_equal(third.offset, 3);
    assert_true(third.seq > both.seq);
}

static void test_an_event_of_several_topics_is_one(void **state)
{
    (void)state;
    open_hub();
    store(.topics = {"session:a", "user:b", "global"});
    reopen();
    assert_int_equal(stats_of(hub).events_kept, 1);
    struct event *events[2];
    struct topic_page page;
    assert_int_equal(hub_topic_page(hub, SLICE("user:b"), 0, 2, SIZE_MAX, events, &page), 0);
    assert_int_equal(page.count, 1);
    assert_int_equal(events[0]->place_count, 3);
    assert_true(slice_is(topic_name_slice(events[0]->places[0].topic), "session:a"));
    event_unref(events[0]);
}

static void test_what_is_only_in_memory_is_lost_and_said_to_be(void **state)
{
    (void)state;
    open_hub();
    struct outcome before = store(.topics = {"channel:x"});
    store(.topics = {"session:a", "channel:x"}, .id = "m");
    assert_int_equal(info_of("channel:x").offset, 2);
    reopen();
    struct outcome again = store(.topics = {"session:a", "channel:x"}, .id = "m");
    assert_int_equal(again.error, 0);
    assert_true(again.duplicate);
    struct outcome after = store(.topics = {"channel:x"});
    assert_int_equal(after.offset, 1);
    assert_true(after.epoch != before.epoch);
    const struct start_point start = {
        .kind = START_CURSOR, .epoch = hub_epoch(hub), .offset = before.seq};
    struct join_result r;
    assert_int_equal(hub_join(hub, 0, 0, SLICE("channel:x"), &start, &r), 0);
    assert_int_equal(r.reason, RESUME_EPOCH_CHANGED);
    hub_leave(hub, 0, 0, r.topic, true);
    inbox_release(&r.inbox);
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:a"), &start, &r), 0);
    assert_int_equal(r.reason, RESUME_OK);
    hub_leave(hub, 0, 0, r.topic, true);
    inbox_release(&r.inbox);
}

static void test_an_empty_topic_keeps_its_epoch(void **state)
{
    (void)state;
    const struct start_point now = {.kind = START_NOW};
    struct join_result before, after;
    open_hub();
    store(.topics = {"channel:x"});
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:new"), &now, &before), 0);
    hub_leave(hub, 0, 0, before.topic, true);
    inbox_release(&before.inbox);
    reopen();
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:new"), &now, &after), 0);
    assert_true(after.epoch == before.epoch);
    hub_leave(hub, 0, 0, after.topic, true);
    inbox_release(&after.inbox);
}

static void test_cursors_are_never_ahead_of_a_restart(void **state)
{
    (void)state;
    open_hub();
    store(.topics = {"session:a"});
    for (int i = 0; i < 1000; i++)
        store(.topics = {"channel:x"});
    uint64_t seq = stats_of(hub).seq;
    reopen();
    assert_true(stats_of(hub).seq >= seq);
}

/* ---- Logs that memory does not hold ---- */

static void test_history_is_deeper_than_memory(void **state)
{
    (void)state;
    config.memory_limit = 20000;
    open_hub();
    store_many("session:a", 1000);
    store_many("session:b", 1000);
    assert_true(stats_of(hub).events_kept < 200);
    assert_log("session:a", 0, 1, 1000);
    assert_log("session:b", 500, 501, 1000);
    reopen();
    assert_log("session:a", 0, 1, 1000);
    struct outcome next = store(.topics = {"session:a"});
    assert_int_equal(next.offset, 1001);
    assert_log("session:a", 998, 999, 1001);
}

/* Follows both topics from the position and counts what comes, each once and in order. */
static unsigned read_merged(struct topic *a, struct topic *b, uint64_t position)
{
    struct history_source sources[] = {{a, hub_next_offset(hub, a, position)},
                                       {b, hub_next_offset(hub, b, position)}};
    struct history_read read = {.sources = sources,
                                .source_count = 2,
                                .position = position,
                                .until = UINT64_MAX,
                                .max_bytes = 1 << 16};
    unsigned count = 0;
    uint64_t last = position;
    do {
        hub_read(hub, 0, &read);
        assert_false(read.gap || read.failed);
        for (unsigned i = 0; i < read.count; i++) {
            const struct event *e = read.events[i];
            assert_true(e->seq > last);
            last = e->seq;
            for (unsigned p = 0; p < e->place_count; p++)
                for (unsigned s = 0; s < 2; s++)
                    if (e->places[p].topic == sources[s].topic)
                        assert_int_equal(e->places[p].offset, sources[s].next_offset++);
            event_unref(read.events[i]);
            count++;
        }
    } while (!read.at_end);
    inbox_release(&read.inbox);
    return count;
}

static void test_topics_are_merged_across_disk_and_memory(void **state)
{
    (void)state;
    config.memory_limit = 30000;
    open_hub();
    uint64_t middle = 0;
    for (int i = 0; i < 300; i++) {
        store(.topics = {"session:a"});
        store(.topics = {"session:b"});
        struct outcome both = store(.topics = {"session:a", "session:b"});
        middle = i == 99 ? both.seq : middle;
    }
    const struct start_point now = {.kind = START_NOW};
    struct join_result a, b;
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:a"), &now, &a), 0);
    inbox_release(&a.inbox);
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:b"), &now, &b), 0);
    inbox_release(&b.inbox);
    assert_int_equal(read_merged(a.topic, b.topic, 0), 900);
    assert_int_equal(read_merged(a.topic, b.topic, middle), 600);
    hub_leave(hub, 0, 0, a.topic, true);
    hub_leave(hub, 0, 0, b.topic, true);
}

/* The order of all of them is found without looking at each topic for each event. */
static void test_many_topics_are_merged_in_fewer_reads_than_events(void **state)
{
    (void)state;
    enum { TOPICS = 300, EACH = 4 };
    static struct history_source sources[TOPICS];
    const struct start_point now = {.kind = START_NOW};
    unsigned count = 0, reads = 0;
    config.memory_limit = 10000;
    open_hub();
    for (int i = 0; i < TOPICS * EACH; i++) {
        char name[32];
        snprintf(name, sizeof name, "session:s%d", i % TOPICS);
        store(.topics = {name});
    }
    for (int i = 0; i < TOPICS; i++) {
        char name[32];
        struct join_result r;
        snprintf(name, sizeof name, "session:s%d", i);
        assert_int_equal(hub_join(hub, 0, 0, slice_from(name), &now, &r), 0);
        inbox_release(&r.inbox);
        sources[i] = (struct history_source){r.topic, 1};
    }
    static struct history_read read;
    read = (struct history_read){
        .sources = sources, .source_count = TOPICS, .until = UINT64_MAX, .max_bytes = 1 << 16};
    do {
        uint64_t last = read.position;
        hub_read(hub, 0, &read);
        assert_false(read.gap || read.failed);
        for (unsigned i = 0; i < read.count; i++) {
            assert_true(read.events[i]->seq > last);
            last = read.events[i]->seq;
            for (int s = 0; s < TOPICS; s++)
                sources[s].next_offset += read.events[i]->places[0].topic == sources[s].topic;
            event_unref(read.events[i]);
        }
        count += read.count;
        reads++;
    } while (!read.at_end);
    inbox_release(&read.inbox);
    for (int i = 0; i < TOPICS; i++)
        hub_leave(hub, 0, 0, sources[i].topic, true);
    assert_int_equal(count, TOPICS * EACH);
    assert_true(reads < 2 * TOPICS); /* one at least for each topic that goes over to memory */
}

static void test_resuming_below_memory(void **state)
{
    (void)state;
    config.memory_limit = 20000;
    open_hub();
    store_many("session:a", 500);
    struct start_point start = {.kind = START_OFFSET, .offset = 100};
    start.epoch = info_of("session:a").epoch;
    struct join_result r;
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:a"), &start, &r), 0);
    assert_int_equal(r.reason, RESUME_OK);
    assert_int_equal(hub_next_offset(hub, r.topic, r.position), 101);
    hub_leave(hub, 0, 0, r.topic, true);
    inbox_release(&r.inbox);
}

static void test_count_is_exact_on_disk(void **state)
{
    (void)state;
    config.memory_limit = 10000;
    config.kinds[TOPIC_SESSION].count = 150;
    open_hub();
    store_many("session:a", 1000);
    assert_int_equal(info_of("session:a").first_offset, 851);
    assert_log("session:a", 0, 851, 1000);
    assert_true(query("SELECT sum(count) FROM runs") < 400);
    struct start_point start = {.kind = START_OFFSET, .offset = 100};
    start.epoch = info_of("session:a").epoch;
    struct join_result r;
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:a"), &start, &r), 0);
    assert_int_equal(r.reason, RESUME_TRIMMED);
    assert_int_equal(r.missed_from, 101);
    assert_int_equal(r.missed_to, 850);
    hub_leave(hub, 0, 0, r.topic, true);
    inbox_release(&r.inbox);
}

/* ---- Folded state ---- */

static void test_state_is_there_again(void **state)
{
    (void)state;
    open_hub();
    store(.topics = {"session:a"}, .type = "component_update",
          .data = "{\"component_id\":\"auth\",\"status\":\"completed\",\"progress\":100}");
    store_many("session:a", 300);
    assert_state("session:a", "\"auth\"");
    reopen();
    assert_state("session:a", "\"auth\"");
    assert_true(query("SELECT state_offset FROM topics") == 301);
}

static void test_state_outlives_what_it_was_made_of(void **state)
{
    (void)state;
    config.memory_limit = 10000;
    config.kinds[TOPIC_SESSION].count = 100;
    open_hub();
    store(.topics = {"session:a"}, .type = "component_update",
          .data = "{\"component_id\":\"auth\",\"status\":\"completed\",\"progress\":100}");
    store_many("session:a", 1000);
    /* As after a crash: the snapshot is what trimming wrote. */
    assert_true(query("SELECT state_offset FROM topics") > 0);
    reopen();
    assert_state("session:a", "\"auth\"");
}

/* ---- Faults ---- */

static void test_two_servers_on_one_directory(void **state)
{
    (void)state;
    struct buf why = {0};
    open_hub();
    struct hub *first = hub;
    assert_int_equal(try_open(&why), FAN_E_EXISTS);
    assert_non_null(strstr(buf_text(&why), "another server uses the data directory"));
    hub_free(hub);
    hub = first;
    buf_fini(&why);
}

static void test_a_file_that_is_no_store(void **state)
{
    (void)state;
    struct buf why = {0};
    FILE *file = fopen(path_of(STORE_FILE), "w");
    fputs("this is not a database, and long enough to look like something that could be one....",
          file);
    fclose(file);
    assert_int_equal(try_open(&why), FAN_E_IO);
    assert_non_null(strstr(buf_text(&why), "the database is damaged"));
    buf_fini(&why);
}

static void test_a_newer_store_is_left_alone(void **state)
{
    (void)state;
    struct buf why = {0};
    open_hub();
    close_hub();
    query("PRAGMA user_version = 999");
    assert_int_equal(try_open(&why), FAN_E_UNSUPPORTED);
    assert_non_null(strstr(buf_text(&why), "newer Fanfare"));
    buf_fini(&why);
}

/* checksum(data): of what a run's blob had in it when that was all that was in its checksum. */
static void plain_blob(sqlite3_context *context, int count, sqlite3_value **values)
{
    unsigned char blob[4096];
    size_t size = (size_t)sqlite3_value_bytes(values[0]);
    (void)count;
    assert_true(size > 5 && size <= sizeof blob);
    memcpy(blob, sqlite3_value_blob(values[0]), size);
    uLong crc = crc32_z(0, blob + 5, size - 5);
    blob[0] = 1;
    for (int i = 0; i < 4; i++)
        blob[1 + i] = (unsigned char)(crc >> (24 - 8 * i));
    sqlite3_result_blob(context, blob, (int)size, SQLITE_TRANSIENT);
}

/* The database as its first version was. */
static void make_first_version(void)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path_of(STORE_FILE), &db), SQLITE_OK);
    sqlite3_create_function(db, "plain", 1, SQLITE_UTF8, NULL, plain_blob, NULL, NULL);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE runs SET data = plain(data); DROP TABLE notes;"
                                  "UPDATE topics SET state = 'as it was', state_offset = 1;"
                                  "PRAGMA user_version = 1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
}

static void test_an_older_store_is_brought_up_to_date(void **state)
{
    (void)state;
    open_hub();
    uint64_t node = hub_epoch(hub);
    store(.topics = {"session:a"}, .type = "component_update",
          .data = "{\"component_id\":\"auth\",\"status\":\"completed\",\"progress\":100}");
    store(.topics = {"session:a", "user:b"}, .id = "two");
    close_hub();
    make_first_version();
    open_hub();
    assert_true(hub_epoch(hub) == node);
    assert_log("session:a", 0, 1, 2);
    assert_log("user:b", 0, 1, 1);
    assert_state("session:a", "\"auth\"");
    assert_true(store(.topics = {"session:a", "user:b"}, .id = "two").duplicate);
    assert_int_equal(store(.topics = {"session:a"}).offset, 3);
    struct engine_status status;
    hub_engine_status(hub, &status);
    assert_int_equal(status.damaged, 0);
    assert_int_equal(query("PRAGMA user_version"), (int)store_schema_version());
}

/* Damages the blob of the run with this offset. */
static void damage(int offset)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "UPDATE runs SET data = CAST(replace(hex(data), '7B', '7C') AS BLOB) "
             "WHERE (id & %lld) <= %d AND (id & %lld) + count > %d RETURNING 1",
             (long long)STORE_OFFSET_MAX, offset, (long long)STORE_OFFSET_MAX, offset);
    assert_int_equal(query(sql), 1);
}

static void test_damaged_events_are_not_served(void **state)
{
    (void)state;
    config.memory_limit = 10000;
    open_hub();
    store_many("session:a", 300);
    damage(150);
    struct event *events[400];
    struct topic_page page;
    assert_int_equal(hub_topic_page(hub, SLICE("session:a"), 0, 400, SIZE_MAX, events, &page), 0);
    assert_int_equal(page.count, 200);
    assert_int_equal(events[99]->places[0].offset, 100);
    assert_int_equal(events[100]->places[0].offset, 201);
    for (unsigned i = 0; i < page.count; i++)
        event_unref(events[i]);
    struct engine_status status;
    hub_engine_status(hub, &status);
    assert_true(status.damaged > 0);
    assert_int_equal(store(.topics = {"session:a"}).offset, 301);
}

static void test_what_cannot_be_written_was_never_there(void **state)
{
    (void)state;
    open_hub();
    store(.topics = {"session:a"});
    /* Nobody else can write while this transaction is open. */
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path_of(STORE_FILE), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct outcome refused = store(.topics = {"session:a"}, .id = "x");
    assert_int_equal(refused.error, FAN_E_IO);
    assert_string_equal(reason, "another program holds the database locked");
    struct engine_status status;
    hub_engine_status(hub, &status);
    assert_string_equal(status.reason, reason);
    assert_int_equal(store(.topics = {"channel:x"}).offset, 1);
    assert_int_equal(info_of("session:a").offset, 1);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct outcome stored = store(.topics = {"session:a"}, .id = "x");
    assert_int_equal(stored.error, 0);
    assert_false(stored.duplicate);
    assert_int_equal(stored.offset, 2);
    hub_engine_status(hub, &status);
    assert_string_equal(status.reason, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_restart_goes_on_where_it_was),
        TEST(test_an_event_of_several_topics_is_one),
        TEST(test_what_is_only_in_memory_is_lost_and_said_to_be),
        TEST(test_an_empty_topic_keeps_its_epoch),
        TEST(test_cursors_are_never_ahead_of_a_restart),
        TEST(test_history_is_deeper_than_memory),
        TEST(test_topics_are_merged_across_disk_and_memory),
        TEST(test_many_topics_are_merged_in_fewer_reads_than_events),
        TEST(test_resuming_below_memory),
        TEST(test_count_is_exact_on_disk),
        TEST(test_state_is_there_again),
        TEST(test_state_outlives_what_it_was_made_of),
        TEST(test_two_servers_on_one_directory),
        TEST(test_a_file_that_is_no_store),
        TEST(test_a_newer_store_is_left_alone),
        TEST(test_an_older_store_is_brought_up_to_date),
        TEST(test_damaged_events_are_not_served),
        TEST(test_what_cannot_be_written_was_never_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
