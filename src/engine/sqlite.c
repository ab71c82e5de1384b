/*
 * Engine `sqlite`: the queue and the thread that writes.
 *
 * Publishers put their batches into a queue. The store's thread takes all that waits, up to a bound
 * that keeps a commit short, places it, writes it, delivers it and answers; what comes meanwhile is
 * the next commit. So a single publisher waits for the disk once for each event, and many share it.
 */
#include "engine/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "engine/store.h"
#include "fanfare/error.h"

#define LOCK_FILE "fanfare.lock"

/* A commit takes so much at most, but one batch at least. */
#define COMMIT_EVENTS 4096
#define COMMIT_BYTES  (4u << 20)

/* Publishers are refused when so much waits for the disk. */
#define QUEUE_BYTES (UINT64_C(64) << 20)

/* Events that readers below memory share. */
#define CACHE_BYTES (16u << 20)

/* ---- The queue ---- */

static uint64_t bytes_of(const struct publish_batch *batch)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < batch->count; i++)
        bytes += batch->items[i]->event->size;
    return bytes;
}

/* False: there is no room, or the end is near. */
static bool enqueue(struct store *s, struct publish_batch *batch)
{
    uint64_t bytes = bytes_of(batch);
    pthread_mutex_lock(&s->lock);
    bool fits = !s->stop && (s->queued_bytes == 0 || s->queued_bytes + bytes <= QUEUE_BYTES);
    if (fits) {
        batch->next = NULL;
        s->queued_bytes += bytes;
        *s->queue_end = batch;
        s->queue_end = &batch->next;
        pthread_cond_signal(&s->wanted);
    }
    pthread_mutex_unlock(&s->lock);
    return fits;
}

static void publish(struct engine *engine, struct publish_batch *batch)
{
    struct store *s = (struct store *)engine;
    bool accepted = hub_accept_now(engine->hub, batch);
    if (!accepted && !enqueue(s, batch)) {
        hub_refuse(engine->hub, batch, FAN_E_BUSY);
        accepted = true;
    }
    if (accepted)
        batch->done(batch);
}

/* Waits for something to write, or for the time for upkeep. */
static void wait(struct store *s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += UPKEEP_MS / 1000;
    int code = 0;
    while (!s->queue && !s->notes && !s->stop && code == 0)
        code = pthread_cond_timedwait(&s->wanted, &s->lock, &until);
}

/* The batches of the next commit, and its notes; NULL: no events wait. *stop: nothing will. */
static struct publish_batch *take(struct store *s, bool *stop)
{
    pthread_mutex_lock(&s->lock);
    wait(s);
    *stop = s->stop && !s->queue && !s->notes;
    store_take_notes(s);
    struct publish_batch *first = s->queue, **end = &s->queue;
    uint64_t events = 0, bytes = 0;
    while (*end && (end == &s->queue || (events < COMMIT_EVENTS && bytes < COMMIT_BYTES))) {
        events += (*end)->count;
        bytes += bytes_of(*end);
        end = &(*end)->next;
    }
    if (first) {
        struct publish_batch *rest = *end;
        *end = NULL;
        s->queue = rest;
        s->queue_end = rest ? s->queue_end : &s->queue;
        s->queued_bytes -= bytes;
    }
    pthread_mutex_unlock(&s->lock);
    return first;
}

/* ---- The store's thread ---- */

static void answer(struct publish_batch *batches)
{
    while (batches) {
        struct publish_batch *batch = batches;
        batches = batch->next;
        batch->done(batch);
    }
}

static void commit(struct store *s, struct publish_batch *batches)
{
    struct hub *h = s->engine.hub;
    uint64_t last_seq = hub_place(h, batches);
    int code = store_write(s, batches, last_seq);
    store_note_result(s, code);
    if (code != SQLITE_OK)
        hub_unplace(h, batches, FAN_E_IO, store_error_text(code));
    hub_deliver(h, batches);
    answer(batches);
}

static void *run(void *arg)
{
    struct store *s = arg;
    struct publish_batch *batches;
    for (bool end = false; !end;) {
        batches = take(s, &end);
        if (batches || s->writing)
            commit(s, batches);
        if (s->failure == SQLITE_OK)
            store_note_result(s, store_upkeep(s));
        store_recover(s);
        store_checkpoint(s);
    }
    store_write_end(s);
    return NULL;
}

void store_report_damage(struct store *s, const struct topic *topic, uint64_t first_offset,
                         uint64_t count)
{
    atomic_fetch_add(&s->stats.damaged, 1);
    log_error("store", "events on the disk are damaged and are not served",
              LOG_SLICE("topic", topic_name_slice(topic)), LOG_U64("from", first_offset),
              LOG_U64("to", first_offset + count - 1));
}

void store_report_damaged_state(struct store *s, const struct topic *topic)
{
    atomic_fetch_add(&s->stats.damaged, 1);
    log_error("store",
              "a session's stored state is damaged: it is made again of the events that are kept",
              LOG_SLICE("topic", topic_name_slice(topic)));
}

/* ---- Starting and stopping ---- */

static int make_directory(const char *path, struct buf *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    buf_printf(why, "the data directory %s cannot be made: %s", path, strerror(errno));
    return FAN_E_IO;
}

static int lock_directory(struct store *s, struct buf *why)
{
    struct buf path = {0};
    buf_printf(&path, "%s/" LOCK_FILE, s->options.directory);
    int error = 0;
    s->lock_fd = open(buf_text(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        buf_printf(why, "%s cannot be opened: %s", buf_text(&path), strerror(errno));
        error = FAN_E_IO;
    } else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        buf_printf(why,
                   "another server uses the data directory %s; stop it, or give this one a "
                   "directory of its own with --data DIR",
                   s->options.directory);
        error = FAN_E_EXISTS;
    }
    buf_fini(&path);
    return error;
}

static int open_store(struct store *s, struct buf *why)
{
    int error = make_directory(s->options.directory, why);
    if (!error)
        error = lock_directory(s, why);
    if (!error)
        error = store_db_open(&s->db, s->path, false, s->options.synchronous, why);
    if (!error)
        error = store_load(s, why);
    if (!error)
        error = store_checkpoint_start(s, why);
    return error;
}

static int start_thread(struct store *s, struct buf *why)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->running = pthread_create(&s->thread, NULL, run, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!s->running)
        buf_append_text(why, "the system has no thread for the store");
    return s->running ? 0 : FAN_E_LIMIT;
}

static void stop(struct engine *engine)
{
    struct store *s = (struct store *)engine;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wanted);
    pthread_mutex_unlock(&s->lock);
    if (s->running)
        pthread_join(s->thread, NULL);
    s->running = false;
}

static void store_free(struct engine *engine)
{
    struct store *s = (struct store *)engine;
    stop(engine);
    store_checkpoint_free(s);
    store_db_close(&s->db);
    store_readers_free(s->readers);
    store_cache_free(s->cache);
    for (uint64_t id = 0; id < s->topic_cap; id++)
        if (s->topics[id]) {
            topic_unref(s->topics[id]->topic);
            memory_free(s->topics[id]);
        }
    memory_free(s->topics);
    memory_free(s->entries);
    memory_free(s->dirty);
    memory_free(s->wanted_snapshots);
    memory_free(s->path);
    buf_fini(&s->blob);
    store_notes_fini(s);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_cond_destroy(&s->wanted);
    pthread_mutex_destroy(&s->lock);
    memory_free(s);
}

static const struct engine_ops sqlite_ops = {
    .name = "sqlite",
    .durable = true,
    .publish = publish,
    .read = store_read,
    .find = store_find,
    .status = store_status,
    .load_state = store_load_state,
    .keep = store_keep,
    .each_note = store_each_note,
    .stop = stop,
    .free = store_free,
};

int engine_sqlite_start(struct hub *hub, const struct sqlite_options *options, struct buf *why)
{
    struct store *s = memory_zero(sizeof *s);
    struct buf path = {0};
    pthread_condattr_t monotonic;
    s->engine.ops = &sqlite_ops;
    s->options = *options;
    s->lock_fd = -1;
    s->queue_end = &s->queue;
    store_notes_init(s);
    s->readers = store_readers_new();
    s->cache = store_cache_new(CACHE_BYTES);
    buf_printf(&path, "%s/" STORE_FILE, options->directory);
    s->path = memory_copy_string(buf_slice(&path));
    buf_fini(&path);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wanted, &monotonic);
    pthread_condattr_destroy(&monotonic);
    hub_set_engine(hub, &s->engine);
    int error = open_store(s, why);
    if (!error)
        error = start_thread(s, why);
    return error;
}
