/*
 * Keeping the write-ahead log short without making a commit wait for it.
 *
 * What is in the log is copied to the database by a thread of its own, while commits go on. But
 * they append meanwhile, and a log starts from its beginning again only when all of it was copied:
 * so once a pass has left little, the store's thread copies the rest itself, between two commits.
 */
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

struct store_checkpointer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct store_db db;
    bool running, stop, copying;
    int log_pages, left_pages; /* after the last pass */
};

/* A pass over the log; *left: pages that it did not copy. */
static int copy(sqlite3 *db, int *log, int *left)
{
    int copied = 0;
    *log = 0;
    int code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, log, &copied);
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
        int log, left, code = copy(c->db.db, &log, &left);
        if (code != SQLITE_OK && code != SQLITE_BUSY)
            log_debug("store", "the write-ahead log cannot be copied now",
                      LOG_TEXT("reason", store_error_text(code)));
        pthread_mutex_lock(&c->lock);
        c->log_pages = log;
        c->left_pages = left;
        c->copying = false;
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct store *s = arg;
    (void)db;
    (void)name;
    s->log_pages = pages;
    return SQLITE_OK;
}

void store_watch_log(struct store *s)
{
    sqlite3_wal_hook(s->db.db, on_commit, s);
}

int store_checkpoint_start(struct store *s, struct buf *why)
{
    struct store_checkpointer *c = s->checkpointer = memory_zero(sizeof *c);
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

void store_checkpoint(struct store *s)
{
    struct store_checkpointer *c = s->checkpointer;
    if (s->log_pages < COPY_PAGES || !s->db.db)
        return;
    pthread_mutex_lock(&c->lock);
    bool copying = c->copying;
    bool rest = !copying && c->log_pages >= COPY_PAGES / 2 &&
                s->log_pages - (c->log_pages - c->left_pages) <= LITTLE_PAGES;
    if (!copying && !rest) {
        c->copying = true;
        pthread_cond_signal(&c->wanted);
    }
    if (!copying)
        c->log_pages = 0;
    pthread_mutex_unlock(&c->lock);
    int log, left;
    if ((rest || s->log_pages > MOST_PAGES) && copy(s->db.db, &log, &left) == SQLITE_OK &&
        left == 0)
        s->log_pages = 0;
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
