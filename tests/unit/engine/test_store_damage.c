/* Pages of the database that went bad: what stood on them is never served, it is said, and all else
 * is there. */
#include "store_fixture.h"

#include <fcntl.h>

#include "engine/store_offline.h"

#define PAGE 4096

/* Overwrites the page that the query names. */
static void damage_page(const char *sql)
{
    char garbage[PAGE];
    memset(garbage, 0x5a, sizeof garbage);
    int64_t page = query(sql);
    assert_true(page > 1);
    int fd = open(path_of(STORE_FILE), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, garbage, PAGE, (page - 1) * PAGE), PAGE);
    close(fd);
}

#define LEAF_IN_THE_MIDDLE                                                 \
    "SELECT pageno FROM dbstat WHERE name = 'runs' AND pagetype = 'leaf' " \
    "ORDER BY path LIMIT 1 OFFSET (SELECT count(*) / 2 FROM dbstat "       \
    "WHERE name = 'runs' AND pagetype = 'leaf')"

/* 4,000 events of session:a in commits of 100, and 100 of others before and behind; nothing of it
 * in memory but the last. */
static void fill(void)
{
    config.memory_limit = 10000;
    open_hub();
    store_many("session:before", 100);
    store_many("session:a", 4000);
    store_many("session:behind", 100);
    close_hub();
}

/* ---- Without the engine ---- */

struct findings {
    unsigned problems, unreadable;
    char first[512];
};

static void note_problem(void *arg, const char *sentence)
{
    struct findings *f = arg;
    if (f->problems++ == 0)
        snprintf(f->first, sizeof f->first, "%s", sentence);
    f->unreadable += strstr(sentence, "cannot be read") != NULL;
}

static struct findings check(void)
{
    struct findings f = {0};
    struct store_offline store;
    struct buf why = {0};
    assert_int_equal(store_offline_open(&store, directory, &why), 0);
    uint64_t count = store_offline_check(&store, 1000, note_problem, &f);
    assert_int_equal(count, f.problems);
    store_offline_close(&store);
    buf_fini(&why);
    return f;
}

struct exported {
    uint64_t events, damaged, of_a, last_seq;
    char damaged_topic[64];
};

static bool wants_all(void *arg, struct slice topic)
{
    (void)arg;
    (void)topic;
    return true;
}

static int take_event(void *arg, const struct stored_event *event)
{
    struct exported *x = arg;
    assert_true(event->record->seq > x->last_seq);
    x->last_seq = event->record->seq;
    x->events++;
    x->of_a += slice_is(event->topic, "session:a");
    return 0;
}

static void take_damage(void *arg, struct slice topic, uint64_t first_offset, uint64_t count)
{
    struct exported *x = arg;
    assert_true(first_offset > 0 && count > 0);
    x->damaged += count;
    snprintf(x->damaged_topic, sizeof x->damaged_topic, "%.*s", SLICE_ARG(topic));
}

static struct exported export_all(void)
{
    static const struct export_ops ops = {wants_all, take_event, take_damage};
    struct exported x = {0};
    struct store_offline store;
    struct buf why = {0};
    assert_int_equal(store_offline_open(&store, directory, &why), 0);
    if (store_offline_export(&store, &ops, &x, &why) != 0)
        fail_msg("%s", buf_text(&why));
    store_offline_close(&store);
    buf_fini(&why);
    return x;
}

/* ---- Reading ---- */

/* What can be read of session:a; each event stands where it belongs. */
static unsigned read_log(void)
{
    struct event *events[100];
    struct topic_page page;
    unsigned count = 0;
    uint64_t since = 0;
    for (;;) {
        assert_int_equal(
            hub_topic_page(hub, SLICE("session:a"), since, 100, SIZE_MAX, events, &page), 0);
        if (page.count == 0)
            return count;
        for (unsigned i = 0; i < page.count; i++) {
            assert_true(events[i]->places[0].offset > since);
            since = events[i]->places[0].offset;
            event_unref(events[i]);
        }
        count += page.count;
    }
}

/* The same as somebody who follows the topic reads it: gaps are told. Returns how many events came,
 * and *missing. */
static unsigned follow_log(uint64_t *missing)
{
    const struct start_point start = {.kind = START_NOW};
    struct join_result r;
    assert_int_equal(hub_join(hub, 0, 0, SLICE("session:a"), &start, &r), 0);
    inbox_release(&r.inbox);
    struct history_source source = {r.topic, 1};
    struct history_read read = {
        .sources = &source, .source_count = 1, .until = UINT64_MAX, .max_bytes = 1 << 16};
    unsigned count = 0;
    *missing = 0;
    do {
        hub_read(hub, 0, &read);
        assert_false(read.failed);
        if (read.gap) {
            *missing += read.gap_to + 1 - source.next_offset;
            source.next_offset = read.gap_to + 1;
        }
        for (unsigned i = 0; i < read.count; i++) {
            assert_int_equal(read.events[i]->places[0].offset, source.next_offset++);
            event_unref(read.events[i]);
            count++;
        }
    } while (read.gap || !read.at_end);
    inbox_release(&read.inbox);
    hub_leave(hub, 0, 0, r.topic, true);
    return count;
}

static uint64_t damaged_parts(void)
{
    struct engine_status status;
    hub_engine_status(hub, &status);
    return status.damaged;
}

/* ---- Tests ---- */

static void assert_a_part_is_missing(void)
{
    uint64_t missing;
    struct findings found = check();
    assert_true(found.problems > 1 && found.unreadable > 0); /* SQLite says so, too */
    struct exported x = export_all();
    assert_true(x.damaged > 0 && x.damaged < 2000);
    assert_int_equal(x.events + x.damaged, 4200);
    assert_string_equal(x.damaged_topic, "session:a");
    open_hub();
    assert_int_equal(read_log(), x.of_a);
    assert_true(damaged_parts() > 0);
    assert_int_equal(follow_log(&missing), x.of_a);
    assert_int_equal(missing, x.damaged);
    /* The rest goes on. */
    assert_int_equal(store(.topics = {"session:a"}).offset, 4001);
    assert_log("session:before", 0, 1, 100);
    assert_log("session:behind", 0, 1, 100);
}

static void test_a_page_of_the_tree(void **state)
{
    (void)state;
    fill();
    damage_page(LEAF_IN_THE_MIDDLE);
    assert_a_part_is_missing();
}

/* Events that do not fit into a page of the tree go on in others. */
static void test_a_page_of_a_runs_events(void **state)
{
    (void)state;
    char data[9000];
    uint64_t missing;
    snprintf(data, sizeof data, "{\"pad\":\"%0*d\"}", (int)sizeof data - 16, 0);
    config.memory_limit = 10000;
    open_hub();
    for (int i = 0; i < 30; i++)
        store(.topics = {"session:a"}, .data = data);
    close_hub();
    damage_page("SELECT pageno FROM dbstat WHERE name = 'runs' AND pagetype = 'overflow' "
                "ORDER BY path LIMIT 1 OFFSET 15");
    struct findings found = check();
    assert_true(found.problems > 0);
    struct exported x = export_all();
    assert_int_equal(x.events, 29);
    assert_int_equal(x.damaged, 1);
    open_hub();
    assert_int_equal(read_log(), 29);
    assert_int_equal(follow_log(&missing), 29);
    assert_int_equal(missing, 1);
    assert_int_equal(store(.topics = {"session:a"}).offset, 31);
}

static void test_the_names_of_topics(void **state)
{
    (void)state;
    struct buf why = {0};
    fill();
    damage_page("SELECT pageno FROM dbstat WHERE name = 'topics' ORDER BY path LIMIT 1");
    assert_int_equal(try_open(&why), FAN_E_IO);
    assert_non_null(strstr(buf_text(&why), "the database is damaged"));
    assert_non_null(strstr(buf_text(&why), "fanfare store export"));
    close_hub();
    assert_true(check().problems > 0);
    struct exported x = export_all();
    assert_int_equal(x.events, 0);
    assert_int_equal(x.damaged, 4200);
    assert_string_equal(x.damaged_topic, "topic number 3");
    buf_fini(&why);
}

static void test_the_whole_tree(void **state)
{
    (void)state;
    fill();
    damage_page("SELECT pageno FROM dbstat WHERE name = 'runs' AND path = '/'");
    struct exported x = export_all();
    assert_int_equal(x.events, 0);
    assert_true(x.damaged > 0);
    assert_true(check().unreadable > 0);
}

/* As when the disk wrote a page to the wrong place: each is whole by itself. */
static void test_a_run_in_the_row_of_another(void **state)
{
    (void)state;
    fill();
    query(
        "UPDATE runs SET data = (SELECT data FROM runs b WHERE b.id = 2 << 36 | 101), first_seq = "
        "(SELECT first_seq FROM runs b WHERE b.id = 2 << 36 | 101), last_seq = "
        "(SELECT last_seq FROM runs b WHERE b.id = 2 << 36 | 101) WHERE id = 2 << 36 | 201 "
        "RETURNING 1");
    assert_true(check().problems > 0);
    open_hub();
    assert_int_equal(read_log(), 3900);
    assert_true(damaged_parts() > 0);
}

static void store_component(void)
{
    store(.topics = {"session:a"}, .type = "component_update",
          .data = "{\"component_id\":\"auth\",\"status\":\"completed\",\"progress\":100}");
}

static void test_a_sessions_state(void **state)
{
    (void)state;
    open_hub();
    store_component();
    close_hub();
    assert_int_equal(query("UPDATE topics SET state = CAST(substr(state, 1, length(state) - 1) AS "
                           "BLOB) RETURNING length(state) > 5"),
                     1);
    struct findings found = check();
    assert_int_equal(found.problems, 1);
    assert_string_equal(found.first,
                        "session:a: its folded state is damaged: its checksum is wrong");
    open_hub();
    assert_state("session:a", "\"auth\""); /* made again of what the log has */
    assert_int_equal(damaged_parts(), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_page_of_the_tree),          TEST(test_a_page_of_a_runs_events),
        TEST(test_the_names_of_topics),         TEST(test_the_whole_tree),
        TEST(test_a_run_in_the_row_of_another), TEST(test_a_sessions_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
