/* When the disk does not do what it should: what is said of it, and how the store comes back. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/store.h"

static void set_failure(struct store *s, int code)
{
    pthread_mutex_lock(&s->lock);
    s->failure = code;
    pthread_mutex_unlock(&s->lock);
}

void store_note_result(struct store *s, int code)
{
    int before = s->failure; /* only this thread sets it */
    if (code != SQLITE_OK)
        atomic_fetch_add(&s->stats.failures, 1);
    if ((code & 0xff) == (before & 0xff))
        return;
    set_failure(s, code);
    if (code == SQLITE_OK)
        log_info("store", "events of durable topics are written again");
    else
        log_error("store", "events of durable topics cannot be written and are refused",
                  LOG_TEXT("reason", store_error_text(code)),
                  LOG_TEXT("sqlite", sqlite3_errstr(code)), LOG_U64("code", code));
}

/* A connection that met with these may have a wrong idea of the files. */
static bool needs_reopening(int code)
{
    int kind = code & 0xff;
    return kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_CORRUPT ||
           kind == SQLITE_NOTADB || kind == SQLITE_READONLY;
}

static int reopen(struct store *s)
{
    struct buf why = {0};
    store_db_close(&s->db);
    int error = store_db_open(&s->db, s->path, false, s->options.synchronous, &why);
    if (!error)
        store_watch_log(s);
    buf_fini(&why);
    return error ? s->failure : SQLITE_OK;
}

/* Writes something that changes nothing, and the notes that wait. */
static int probe(struct store *s)
{
    int code = store_begin(s);
    if (code == SQLITE_OK)
        code = store_put_meta(&s->db, "clean", 0);
    if (code == SQLITE_OK)
        code = store_write_notes(s);
    code = store_end(s, code);
    store_finish_notes(s, code);
    return code;
}

void store_recover(struct store *s)
{
    uint64_t now = clock_ms();
    if (s->failure == SQLITE_OK || now - s->probed_ms < UPKEEP_MS)
        return;
    s->probed_ms = now;
    int code = !s->db.db || needs_reopening(s->failure) ? reopen(s) : SQLITE_OK;
    if (code == SQLITE_OK)
        code = probe(s);
    store_note_result(s, code);
}

void store_status(struct engine *engine, struct engine_status *out)
{
    struct store *s = (struct store *)engine;
    pthread_mutex_lock(&s->lock);
    int failure = s->failure;
    out->queued_bytes = s->queued_bytes;
    pthread_mutex_unlock(&s->lock);
    if (failure != SQLITE_OK)
        snprintf(out->reason, sizeof out->reason, "%s", store_error_text(failure));
    out->commits = atomic_load(&s->stats.commits);
    out->events = atomic_load(&s->stats.events);
    out->runs = atomic_load(&s->stats.runs);
    out->commit_us = atomic_load(&s->stats.commit_us);
    out->failures = atomic_load(&s->stats.failures);
    out->reads = atomic_load(&s->stats.reads);
    out->damaged = atomic_load(&s->stats.damaged);
    out->log_bytes = (uint64_t)atomic_load(&s->stats.log_pages) * STORE_PAGE_BYTES;
}
