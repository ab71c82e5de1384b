/* Going over the runs of a database that may be damaged; see store_walk.h. */
#include "engine/store_walk.h"

#include "engine/run_codec.h"
#include "engine/store_db.h"
#include "engine/store_schema.h"
#include "fanfare/error.h"

#define FIRST_ID store_run_id(1, 0)
#define LAST_ID  store_run_id(STORE_TOPIC_MAX, 0) /* there are fewer topics */

bool store_is_damage(int code)
{
    int kind = code & 0xff;
    return kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_IOERR;
}

/* Prepares a statement and binds one number, or two. */
static int ask(sqlite3 *db, const char *sql, int64_t a, int64_t b, sqlite3_stmt **q)
{
    int code = sqlite3_prepare_v2(db, sql, -1, q, NULL);
    if (code != SQLITE_OK)
        return code;
    sqlite3_bind_int64(*q, 1, a);
    if (sqlite3_bind_parameter_count(*q) > 1)
        sqlite3_bind_int64(*q, 2, b);
    return SQLITE_OK;
}

/* ---- Around damaged pages ---- */

/* Whether a search for the first run in [id, last] comes to an answer; *found: that run's id, or
 * last + 1. */
static bool is_readable(sqlite3 *db, int64_t id, int64_t last, int64_t *found)
{
    sqlite3_stmt *q = NULL;
    int code = ask(db, "SELECT id, count FROM runs WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1",
                   id, last, &q);
    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    *found = code == SQLITE_ROW ? sqlite3_column_int64(q, 0) : last + 1;
    sqlite3_finalize(q);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

/* Steps that double until a search succeeds, and then halving: what is between are the pages that
 * are damaged, and nothing else. */
int64_t store_next_readable(sqlite3 *db, int64_t from, int64_t last)
{
    int64_t bad = from, good = last + 1, run = good, found;
    for (int64_t step = 1; step <= last - bad; step *= 2) {
        if (is_readable(db, bad + step, last, &run)) {
            good = bad + step;
            break;
        }
        bad += step;
    }
    while (good - bad > 1) {
        int64_t middle = bad + (good - bad) / 2;
        if (is_readable(db, middle, last, &found)) {
            good = middle;
            run = found;
        } else {
            bad = middle;
        }
    }
    return run;
}

/* ---- The walk ---- */

/* Runs from *next on, which is moved behind those that were found, up to a damaged page. Returns
 * SQLite's code; *result: what ops->run returned. */
static int walk_on(sqlite3 *db, int64_t *next, const struct walk_ops *ops, void *arg, int *result)
{
    sqlite3_stmt *q = NULL;
    int code = ask(db,
                   "SELECT id, count, first_seq, last_seq FROM runs WHERE id BETWEEN ? AND ?"
                   " ORDER BY id",
                   *next, LAST_ID, &q);
    while (code == SQLITE_OK && (code = sqlite3_step(q)) == SQLITE_ROW) {
        const struct walked_run run = {
            .id = sqlite3_column_int64(q, 0),
            .count = store_column(q, 1),
            .first_seq = store_column(q, 2),
            .last_seq = store_column(q, 3),
        };
        *next = run.id + (int64_t)(run.count > 0 && run.count <= RUN_MAX_EVENTS ? run.count : 1);
        *result = ops->run(arg, &run);
        code = *result ? SQLITE_DONE : SQLITE_OK;
    }
    sqlite3_finalize(q);
    return code;
}

int store_walk(sqlite3 *db, const struct walk_ops *ops, void *arg, struct buf *why)
{
    int result = 0, code = SQLITE_OK;
    int64_t next = FIRST_ID;
    while (next <= LAST_ID && (code = walk_on(db, &next, ops, arg, &result)) != SQLITE_DONE) {
        if (!store_is_damage(code)) {
            buf_printf(why, "%s (%s)", store_error_text(code), sqlite3_errmsg(db));
            return FAN_E_IO;
        }
        int64_t from = next;
        next = store_next_readable(db, from, LAST_ID);
        ops->lost(arg, from, next - 1);
    }
    return result;
}

/* ---- Topics ---- */

int store_walk_topic(sqlite3 *db, uint64_t id, struct buf *name, uint64_t *epoch, uint64_t *offset)
{
    sqlite3_stmt *q = NULL;
    int code = ask(db, "SELECT name, epoch, offset FROM topics WHERE id = ?", (int64_t)id, 0, &q);
    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    if (code == SQLITE_ROW) {
        buf_append_slice(name, store_column_text(q, 0));
        *epoch = store_column(q, 1);
        *offset = store_column(q, 2);
    }
    sqlite3_finalize(q);
    return code;
}

void store_append_number(struct buf *out, uint64_t topic)
{
    buf_printf(out, "topic number %llu", (unsigned long long)topic);
}

/* The next topic from `id` on; 0: there is none, or it is lost as well. */
static uint64_t next_topic(sqlite3 *db, uint64_t id)
{
    sqlite3_stmt *q = NULL;
    int code =
        ask(db, "SELECT id FROM topics WHERE id >= ? ORDER BY id LIMIT 1", (int64_t)id, 0, &q);
    uint64_t found = 0;
    if (code == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        found = store_column(q, 0);
    sqlite3_finalize(q);
    return found;
}

void store_walk_lost(sqlite3 *db, int64_t from, int64_t to, store_lost_use *use, void *arg)
{
    uint64_t topic = store_run_topic(from), end = store_run_topic(to);
    uint64_t first = store_run_offset(from);
    bool any = false;
    for (; topic && topic <= end; topic = next_topic(db, topic + 1), first = 1) {
        struct buf name = {0};
        uint64_t epoch, offset = STORE_OFFSET_MAX;
        int code = store_walk_topic(db, topic, &name, &epoch, &offset);
        bool known = code == SQLITE_ROW;
        if (!known)
            store_append_number(&name, topic);
        uint64_t last = topic == end ? store_run_offset(to) : offset;
        first = first ? first : 1;
        /* A topic's row is written less often than its runs are, so the last ones may be unknown.
         * But something is lost. */
        if (topic == end && !any && last < first)
            last = first;
        if (code != SQLITE_DONE && first <= last) {
            use(arg, buf_slice(&name), known, first, last);
            any = true;
        }
        buf_fini(&name);
    }
}
