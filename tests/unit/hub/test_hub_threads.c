/*
 * Real threads: publishers that do nothing else, and workers with a fan-out each, over one hub.
 * Every reader gets each event of its topics once and in order, whatever the threads do. Meant for
 * ThreadSanitizer as well.
 */
#include "fanout_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#define PUBLISHERS 4
#define WORKERS    4
#define EVENTS     100000
#define BATCH      20
#define TOPICS     3

static const char *const topic_names[TOPICS] = {"session:a", "project:b", "global"};

static struct hub *hub;
static atomic_uint published;
static atomic_bool stop;

/* ---- Publishers ---- */

/* In turn to each of the topics, every eighth to all of them. */
static void choose_topics(unsigned n, struct draft *d)
{
    d->topics[0] = topic_names[n % TOPICS];
    if (n % 8 == 0)
        for (unsigned i = 0; i < TOPICS; i++)
            d->topics[i] = topic_names[(n + i) % TOPICS];
}

static void publish_batch_of(unsigned first)
{
    struct publish_item items[BATCH], *pointers[BATCH];
    struct slice names[BATCH][TOPICS];
    for (unsigned i = 0; i < BATCH; i++) {
        struct draft d = {.data = "{\"n\":0}"};
        unsigned places = 0;
        choose_topics(first + i, &d);
        for (; d.topics[places]; places++)
            names[i][places] = slice_from(d.topics[places]);
        items[i] = (struct publish_item){.event = make_event(&d, places), .topics = names[i]};
        pointers[i] = &items[i];
    }
    struct publish_batch batch = {.items = pointers, .count = BATCH, .done = ignore_done};
    hub_accept(hub, &batch);
    for (unsigned i = 0; i < BATCH; i++) {
        assert_int_equal(items[i].error, 0);
        event_unref(items[i].event);
    }
}

static void *run_publisher(void *arg)
{
    unsigned first = *(unsigned *)arg;
    for (unsigned n = 0; n < EVENTS / PUBLISHERS; n += BATCH) {
        publish_batch_of(first + n);
        atomic_fetch_add(&published, BATCH);
        if (n % (BATCH * 16) == 0)
            sched_yield();
    }
    return NULL;
}

/* ---- Workers ---- */

struct checked_reader {
    struct reader *r;
    unsigned topics; /* how many it follows */
    uint64_t last_seq;
    uint64_t offsets[TOPICS]; /* the newest of each */
    uint64_t count;
};

enum { ONE_TOPIC, ALL_TOPICS, SLOW, LATE, READERS };

struct worker_thread {
    unsigned index;
    struct fanout fanout;
    struct fake_sink sink;
    struct checked_reader readers[READERS];
    sem_t wake;
    const struct topic *topics[TOPICS];
};

static void wake_worker(void *arg)
{
    sem_post(&((struct worker_thread *)arg)->wake);
}

static void follow(struct worker_thread *w, unsigned reader, unsigned topics, bool beginning)
{
    struct checked_reader *c = &w->readers[reader];
    if (!c->r)
        c->r = reader_new(&w->fanout, reader == SLOW ? 500 : 64u << 20);
    c->topics = topics;
    for (unsigned i = 0; i < topics; i++) {
        const struct start_point start = {beginning ? START_BEGINNING : START_NOW, 0, 0};
        struct join_result r = join_at(c->r, topic_names[i], start);
        w->topics[i] = r.topic;
    }
}

static void check_frame(struct worker_thread *w, struct checked_reader *c,
                        const struct wire_frame *frame)
{
    assert_true(frame->seq > c->last_seq);
    c->last_seq = frame->seq;
    c->count++;
    for (unsigned i = 0; i < c->topics; i++)
        if (w->topics[i] == frame->topic) {
            /* With all topics, some are shown under another one. */
            if (c->topics == 1)
                assert_int_equal(frame->offset, c->offsets[i] + 1);
            assert_true(frame->offset > c->offsets[i]);
            c->offsets[i] = frame->offset;
        }
}

static void take_and_check(struct worker_thread *w)
{
    for (unsigned i = 0; i < READERS; i++) {
        struct checked_reader *c = &w->readers[i];
        if (!c->r)
            continue;
        reader_take(c->r, i == SLOW ? 1 : READER_QUEUE_MAX);
        for (unsigned k = 0; k < c->r->got_count; k++)
            check_frame(w, c, &c->r->got[k].frame);
        c->r->got_count = 0;
    }
}

/* Until nothing can come any more. */
static void work(struct worker_thread *w)
{
    bool more = true, last = false;
    for (unsigned turns = 0; more || !last; turns++) {
        last = atomic_load(&stop); /* what is drained from here on is all there is */
        bool had = fanout_drain(&w->fanout);
        fanout_deliver(&w->fanout);
        more = fanout_read_history(&w->fanout) || had;
        take_and_check(w);
        for (unsigned i = 0; i < READERS; i++)
            more = more || (w->readers[i].r && w->readers[i].r->queue_count);
        if (turns == 50)
            follow(w, LATE, TOPICS, true);
        if (!more && !last)
            sem_wait(&w->wake);
    }
}

static void *run_worker(void *arg)
{
    struct worker_thread *w = arg;
    work(w);
    for (unsigned i = 0; i < READERS; i++)
        if (w->readers[i].r)
            reader_free(w->readers[i].r);
    fanout_fini(&w->fanout);
    return NULL;
}

static void start_worker(struct worker_thread *w, unsigned index)
{
    memset(w, 0, sizeof *w);
    w->index = index;
    sem_init(&w->wake, 0, 0);
    fanout_init(&w->fanout, hub, index, &fake_sink, &w->sink);
    hub_set_wake(hub, index, wake_worker, w);
    follow(w, ALL_TOPICS, TOPICS, false);
    follow(w, ONE_TOPIC, 1, false);
    follow(w, SLOW, TOPICS, false);
}

static void test_publishers_and_workers(void **state)
{
    (void)state;
    static struct worker_thread workers[WORKERS];
    pthread_t worker_threads[WORKERS], publisher_threads[PUBLISHERS];
    unsigned first[PUBLISHERS];
    struct hub_config config = roomy(WORKERS);
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        config.kinds[kind].count = EVENTS;
    hub = hub_new(&config);
    for (unsigned i = 0; i < WORKERS; i++)
        start_worker(&workers[i], i);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&worker_threads[i], NULL, run_worker, &workers[i]), 0);
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        first[i] = i * (EVENTS / PUBLISHERS);
        assert_int_equal(pthread_create(&publisher_threads[i], NULL, run_publisher, &first[i]), 0);
    }
    for (unsigned i = 0; i < PUBLISHERS; i++)
        pthread_join(publisher_threads[i], NULL);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < WORKERS; i++)
        wake_worker(&workers[i]);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(worker_threads[i], NULL);
    assert_int_equal(atomic_load(&published), EVENTS);
    assert_int_equal(stats_of(hub).seq, EVENTS);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(workers[i].readers[ALL_TOPICS].count, EVENTS);
        assert_int_equal(workers[i].readers[SLOW].count, EVENTS);
        assert_true(workers[i].readers[ONE_TOPIC].count > EVENTS / TOPICS);
        if (workers[i].readers[LATE].count)
            assert_int_equal(workers[i].readers[LATE].count, EVENTS);
    }
    hub_free(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_publishers_and_workers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
