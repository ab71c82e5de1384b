/*
 * Keeping the write-ahead log short without making a commit wait for it.
 *
 * What is in the log is copied to the database by a thread of its own, while commits go on. But
 * they append meanwhile, and a log starts from its beginning again only when all of it was copied:
 * so once a pass has left little, the store's thread copies the rest itself, between two commits.
 *
 * Nor does it start again while somebody reads what was in it. The server's readers are done in
 * well under a millisecond, but when there is always one of them, no moment without would ever
 * come by itself: so once the log is too long the store's thread waits for those who are reading
 * just then, and who comes later reads the database. Another program may read for as long as it
 * likes. Commits wait for that one, too, for a moment, and longer once the log is far too long;
 * but seldom, and when that is in vain the log grows until it is done.
 */
#include <limits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/store.h"
#include "fanfare/error.h"

/* Pages of 4 KiB. The log is copied when it has so many; */
#define COPY_PAGES 2048
/* by the store's thread if so many at most are left, */
#define LITTLE_PAGES 256
/* or when it has grown to this, whatever is left: 64 MiB. */
#define MOST_PAGES 16384
/* From here on somebody should know what it is that keeps it, and commits wait longer for that:
 * 256 MiB. Each time that it was in vain, next when the log is twice as long. */
#define WARN_PAGES (4 * MOST_PAGES)
/* How long the store's thread waits for readers, and when it may try again: also after it copied
 * all, since readers may keep the log from beginning anew. */
#define READERS_MS      20
#define LONG_READERS_MS 500
#define RETRY_MS        200

struct store_checkpointer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct store_db db;
    bool running, stop, copying;
    int log_pages, left_pages; /* after the last pass */
    bool gaining;              /* the last pass left less than the one before */
    /* The store's thread's: when it may wait for readers again, and whether it was said that the
     * log grows. */
    uint64_t retry_ms;
    int wait_long_at; /* pages */
    bool warned;
};

/* A pass over the log; *left: pages that it did not copy. */
static int copy(sqlite3 *db, int mode, int *log, int *left)
{
    int copied = 0;
    *log = 0;
    int code = sqlite3_wal_checkpoint_v2(db, NULL, mode, log, &copied);
    *left = *log > copied ? *log - copied : 0;
    return code;
}

static void *run(void *arg)
{
    struct store_checkpointer *c = arg;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!c->copying && !c->stop)
            pthread_cond_wait(&c->wanted, &c->lock);
        if (c->stop)
            break;
        pthread_mutex_unlock(&c->lock);
        int log, left, code = copy(c->db.db, SQLITE_CHECKPOINT_PASSIVE, &log, &left);
        if (code != SQLITE_OK && code != SQLITE_BUSY)
            log_debug("store", "the write-ahead log cannot be copied now",
                      LOG_TEXT("reason", store_error_text(code)));
        pthread_mutex_lock(&c->lock);
        c->gaining = left < c->left_pages;
        c->log_pages = log;
        c->left_pages = left;
        c->copying = false;
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void set_log_pages(struct store *s, int pages)
{
    s->log_pages = pages;
    atomic_store(&s->stats.log_pages, (unsigned)pages);
}

/* What is known of the last pass says nothing about a log that has begun anew. */
static void forget_pass(struct store_checkpointer *c)
{
    pthread_mutex_lock(&c->lock);
    c->log_pages = 0;
    pthread_mutex_unlock(&c->lock);
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct store *s = arg;
    (void)db;
    (void)name;
    if (pages < s->log_pages)
        forget_pass(s->checkpointer);
    set_log_pages(s, pages);
    return SQLITE_OK;
}

void store_watch_log(struct store *s)
{
    sqlite3_wal_hook(s->db.db, on_commit, s);
}

int store_checkpoint_start(struct store *s, struct buf *why)
{
    struct store_checkpointer *c = s->checkpointer = memory_zero(sizeof *c);
    c->wait_long_at = WARN_PAGES;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wanted, NULL);
    store_watch_log(s);
    int error = store_db_open(&c->db, s->path, false, s->options.synchronous, why);
    if (error)
        return error;
    sqlite3_wal_autocheckpoint(c->db.db, 0);
    c->running = pthread_create(&c->thread, NULL, run, c) == 0;
    if (!c->running)
        buf_append_text(why, "the system has no thread for the store");
    return c->running ? 0 : FAN_E_LIMIT;
}

/* Whether the store's thread should: little is left; or the log is too long, and the thread that
 * copies has come near its end or does not come nearer. Else that one is given its work. */
static bool must_copy_rest(struct store *s)
{
    struct store_checkpointer *c = s->checkpointer;
    pthread_mutex_lock(&c->lock);
    int left = s->log_pages - (c->log_pages - c->left_pages);
    bool known = c->log_pages >= COPY_PAGES / 2, late = known && s->log_pages > MOST_PAGES;
    bool rest = !c->copying &&
                ((known && left <= LITTLE_PAGES) || (late && (left <= MOST_PAGES || !c->gaining)));
    if (!c->copying && !rest) {
        c->copying = true;
        pthread_cond_signal(&c->wanted);
    }
    if (rest)
        c->log_pages = 0; /* the next pass is the thread's again */
    pthread_mutex_unlock(&c->lock);
    return rest;
}

/* Copies the rest, and has the next commit begin at the log's beginning. False: readers are in the
 * way. */
static bool copy_rest(struct store *s)
{
    struct store_checkpointer *c = s->checkpointer;
    bool force = s->log_pages > MOST_PAGES, wait_long = s->log_pages > c->wait_long_at;
    int log, left, mode = force ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    sqlite3_busy_timeout(s->db.db, wait_long ? LONG_READERS_MS : READERS_MS);
    int code = copy(s->db.db, mode, &log, &left);
    sqlite3_busy_timeout(s->db.db, STORE_BUSY_MS);
    bool copied = code == SQLITE_OK && left == 0;
    if (copied)
        c->wait_long_at = WARN_PAGES;
    else if (wait_long)
        c->wait_long_at = s->log_pages < INT_MAX / 2 ? s->log_pages * 2 : INT_MAX;
    return copied;
}

static void warn_of_growth(struct store *s)
{
    struct store_checkpointer *c = s->checkpointer;
    if (!c->warned && s->log_pages > WARN_PAGES)
        log_warn("store",
                 "the write-ahead log grows, since another program has been reading the database "
                 "for long; it becomes short again when that ends",
                 LOG_U64("bytes", (uint64_t)s->log_pages * STORE_PAGE_BYTES));
    c->warned = s->log_pages > WARN_PAGES;
}

void store_checkpoint(struct store *s)
{
    struct store_checkpointer *c = s->checkpointer;
    if (s->log_pages < COPY_PAGES || !s->db.db)
        return;
    warn_of_growth(s);
    uint64_t now = clock_ms();
    if (now < c->retry_ms || !must_copy_rest(s))
        return;
    if (copy_rest(s))
        set_log_pages(s, 0);
    c->retry_ms = now + RETRY_MS;
}

void store_checkpoint_free(struct store *s)
{
    struct store_checkpointer *c = s->checkpointer;
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wanted);
    pthread_mutex_unlock(&c->lock);
    if (c->running)
        pthread_join(c->thread, NULL);
    store_db_close(&c->db);
    pthread_cond_destroy(&c->wanted);
    pthread_mutex_destroy(&c->lock);
    memory_free(c);
    s->checkpointer = NULL;
}
