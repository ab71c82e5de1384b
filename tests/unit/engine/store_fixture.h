/* A data directory, a hub with engine `sqlite` on it, and ways to look at both. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "../hub/hub_fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/sqlite.h"
#include "engine/store_schema.h"
#include "hub/placing.h"

/* ---- A directory, and hubs on it ---- */

static char directory[64];
static struct hub *hub;
static struct hub_config config;
static enum store_synchronous synchronous;

static inline int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/fanfare-store-XXXXXX");
    config = roomy(1);
    synchronous = STORE_SYNC_FULL;
    config.monotonic_ms = clock_ms;
    return mkdtemp(directory) ? 0 : -1;
}

static inline const char *path_of(const char *name)
{
    static _Thread_local char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static inline int try_open(struct buf *why)
{
    hub = hub_new(&config);
    struct sqlite_options options = {
        .directory = directory,
        .synchronous = synchronous,
        .memory_limit = config.memory_limit,
        .idempotency_ms = config.idempotency_ms,
    };
    memcpy(options.kinds, config.kinds, sizeof options.kinds);
    return engine_sqlite_start(hub, &options, why);
}

static inline void open_hub(void)
{
    struct buf why = {0};
    if (try_open(&why) != 0)
        fail_msg("%s", buf_text(&why));
    buf_fini(&why);
}

static inline void close_hub(void)
{
    hub_free(hub);
    hub = NULL;
}

static inline int tear_down(void **state)
{
    static const char *const names[] = {STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm",
                                        "fanfare.lock"};
    (void)state;
    close_hub();
    chmod(directory, 0700);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
    return rmdir(directory);
}

static inline void reopen(void)
{
    close_hub();
    open_hub();
}

/* ---- Publishing and waiting for the answer ---- */

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
};

static inline void on_done(struct publish_batch *batch)
{
    struct waiting *w = batch->arg;
    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

static inline void publish_and_wait(struct publish_batch *batch)
{
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    batch->done = on_done;
    batch->arg = &w;
    hub_publish(hub, batch);
    pthread_mutex_lock(&w.lock);
    while (!w.is_done)
        pthread_cond_wait(&w.done, &w.lock);
    pthread_mutex_unlock(&w.lock);
}

static char reason[PUBLISH_REASON_SIZE];

static inline struct outcome store_draft(struct draft d)
{
    struct slice names[HUB_MAX_EVENT_TOPICS];
    unsigned places = 0;
    for (; d.topics[places]; places++)
        names[places] = slice_from(d.topics[places]);
    struct publish_item item = {.event = make_event(&d, places), .topics = names};
    struct publish_item *items[] = {&item};
    struct publish_batch batch = {.items = items, .count = 1};
    publish_and_wait(&batch);
    memcpy(reason, batch.reason, sizeof reason);
    struct outcome out = {.error = item.error,
                          .duplicate = item.duplicate,
                          .offset = item.event->places[0].offset,
                          .epoch = item.event->places[0].epoch,
                          .seq = item.event->seq};
    event_unref(item.event);
    return out;
}

#define store(...) store_draft((struct draft){__VA_ARGS__})

static inline void store_many(const char *topic, unsigned count)
{
    struct publish_item items[100];
    struct publish_item *pointers[100];
    struct slice name = slice_from(topic);
    for (unsigned sent = 0; sent < count;) {
        unsigned n = count - sent < 100 ? count - sent : 100;
        const struct draft draft = {.topics = {topic}};
        for (unsigned i = 0; i < n; i++) {
            items[i] = (struct publish_item){.event = make_event(&draft, 1), .topics = &name};
            pointers[i] = &items[i];
        }
        struct publish_batch batch = {.items = pointers, .count = n};
        publish_and_wait(&batch);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(items[i].error, 0);
            event_unref(items[i].event);
        }
        sent += n;
    }
}

/* ---- Looking ---- */

static inline void remember(void *arg, const struct topic_info *info)
{
    *(struct topic_info *)arg = *info;
}

static inline struct topic_info info_of(const char *topic)
{
    struct topic_info info = {0};
    assert_int_equal(hub_topic_info(hub, slice_from(topic), remember, &info), 0);
    return info;
}

/* Reads the whole log from `since` and checks that it has these offsets. */
static inline void assert_log(const char *topic, uint64_t since, uint64_t first, uint64_t last)
{
    struct event *events[100];
    struct topic_page page;
    uint64_t next = first;
    for (;;) {
        assert_int_equal(
            hub_topic_page(hub, slice_from(topic), since, 100, SIZE_MAX, events, &page), 0);
        for (unsigned i = 0; i < page.count; i++) {
            unsigned p = event_place_in(events[i], slice_from(topic));
            assert_int_equal(events[i]->places[p].offset, next++);
            event_unref(events[i]);
        }
        if (page.count == 0)
            break;
        since = next - 1;
    }
    assert_int_equal(next - 1, last);
}

static inline int64_t query(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open(path_of(STORE_FILE), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    int64_t value = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    sqlite3_close(db);
    return value;
}

static inline void assert_state(const char *topic, const char *part)
{
    struct buf json = {0};
    uint64_t offset;
    assert_int_equal(hub_state_json(hub, slice_from(topic), 0, NULL, &offset, &json), 0);
    if (!strstr(buf_text(&json), part))
        fail_msg("%s is not in %s", part, buf_text(&json));
    buf_fini(&json);
}

#endif
