/* A database without its engine: opening, topics, and what is wrong; see store_offline.h. */
#include "engine/store_offline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/store_schema.h"
#include "engine/store_walk.h"
#include "fanfare/error.h"

int store_offline_open(struct store_offline *o, const char *directory, struct buf *why)
{
    *o = (struct store_offline){0};
    buf_printf(&o->path, "%s/" STORE_FILE, directory);
    if (access(buf_text(&o->path), F_OK) != 0) {
        buf_printf(why, "%s: %s", buf_text(&o->path), strerror(errno));
        return errno == ENOENT ? FAN_E_NOT_FOUND : FAN_E_IO;
    }
    int error = store_db_open(&o->db, buf_text(&o->path), true, STORE_SYNC_FULL, why);
    if (!error && store_schema_check(o->db.db, why) != 0)
        error = FAN_E_UNSUPPORTED;
    return error;
}

void store_offline_close(struct store_offline *o)
{
    if (o->db.db)
        store_db_close(&o->db);
    buf_fini(&o->path);
}

static int fail(struct store_offline *o, struct buf *why)
{
    int code = sqlite3_extended_errcode(o->db.db);
    buf_printf(why, "%s: %s (%s)", buf_text(&o->path), store_error_text(code),
               sqlite3_errmsg(o->db.db));
    return FAN_E_IO;
}

/* ---- Topics ---- */

/* A topic's runs lie side by side; see store_run_id. */
#define RUNS_OF_TOPIC "runs.id BETWEEN topics.id << 36 AND (topics.id + 1 << 36) - 1"
_Static_assert(STORE_OFFSET_BITS == 36, "the queries here know how runs are numbered");

static const char topics_query[] =
    "SELECT topics.id, name, epoch, offset, count(runs.id), coalesce(sum(runs.count), 0),"
    " coalesce(sum(runs.bytes), 0), coalesce(min(accepted_ms), 0), coalesce(max(accepted_ms), 0),"
    " min(runs.id), coalesce(max(runs.id + runs.count - 1), 0)"
    " FROM topics LEFT JOIN runs ON " RUNS_OF_TOPIC " GROUP BY topics.id ORDER BY name";

static void read_log(sqlite3_stmt *q, struct stored_log *log)
{
    *log = (struct stored_log){
        .id = store_column(q, 0),
        .name = store_column_text(q, 1),
        .epoch = store_column(q, 2),
        .offset = store_column(q, 3),
        .runs = store_column(q, 4),
        .events = store_column(q, 5),
        .bytes = store_column(q, 6),
        .oldest_ms = sqlite3_column_int64(q, 7),
        .newest_ms = sqlite3_column_int64(q, 8),
    };
    uint64_t last = store_run_offset(sqlite3_column_int64(q, 10));
    if (last > log->offset) /* the row is written less often than runs are */
        log->offset = last;
    log->first_offset = log->runs ? store_run_offset(sqlite3_column_int64(q, 9)) : log->offset + 1;
}

int store_offline_topics(struct store_offline *o,
                         void (*use)(void *arg, const struct stored_log *log), void *arg,
                         struct buf *why)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(o->db.db, topics_query, -1, &q, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        struct stored_log log;
        code = sqlite3_step(q);
        if (code != SQLITE_ROW)
            break;
        read_log(q, &log);
        use(arg, &log);
    }
    int error = code == SQLITE_DONE ? 0 : fail(o, why);
    sqlite3_finalize(q);
    return error;
}

/* ---- Checking ---- */

struct check {
    sqlite3 *db;
    void (*found)(void *arg, const char *sentence);
    void *arg;
    uint64_t most, count;
    uint64_t topic, next; /* the topic under way, and the offset that should come next; 0: any */
    struct buf name;
};

__attribute__((format(printf, 2, 3))) static void wrong(struct check *c, const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (c->count++ < c->most)
        c->found(c->arg, sentence);
}

static void check_pages(struct check *c)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(c->db, "PRAGMA integrity_check", -1, &q, NULL);
    while (code == SQLITE_OK && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct slice text = store_column_text(q, 0);
        if (!slice_is(text, "ok"))
            wrong(c, "SQLite: %.*s", SLICE_ARG(text));
        code = SQLITE_OK;
    }
    if (code != SQLITE_DONE)
        wrong(c, "SQLite: %s", sqlite3_errmsg(c->db));
    sqlite3_finalize(q);
}

/* What the blob of a run says is wrong with it; NULL: nothing. */
static const char *judge_run(struct slice blob, const struct walked_run *run)
{
    struct run_reader reader;
    struct run_record record = {0};
    uint64_t seen = 0;
    int more;
    int error = run_open(&reader, blob, run->id, run->first_seq);
    if (error == FAN_E_UNSUPPORTED)
        return "is of a version that this program does not know";
    if (error)
        return "is damaged: its checksum is wrong";
    while ((more = run_next(&reader, &record)) > 0)
        if (seen++ == 0 && record.seq != run->first_seq)
            return "begins at another place of the order than its row says";
    if (more < 0)
        return "is damaged: an event cannot be read";
    if (seen != run->count)
        return "has another number of events than its row says";
    return record.seq == run->last_seq ? NULL
                                       : "ends at another place of the order than its row says";
}

/* The walk has come to another topic. */
static void begin_topic(struct check *c, uint64_t topic)
{
    uint64_t epoch, offset;
    c->topic = topic;
    c->next = 0;
    buf_clear(&c->name);
    int code = store_walk_topic(c->db, topic, &c->name, &epoch, &offset);
    if (code == SQLITE_ROW)
        return;
    store_append_number(&c->name, topic);
    if (code == SQLITE_DONE)
        wrong(c, "%s has events and no name", buf_text(&c->name));
    else
        wrong(c, "%s has events, and its name cannot be read", buf_text(&c->name));
}

/* What is wrong with the run's events; NULL: nothing. */
static const char *judge_events(struct check *c, const struct walked_run *run)
{
    sqlite3_stmt *q = NULL;
    const char *problem = NULL;
    int code = sqlite3_prepare_v2(c->db, "SELECT data FROM runs WHERE id = ?", -1, &q, NULL);
    sqlite3_bind_int64(q, 1, run->id);
    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    if (code == SQLITE_ROW)
        problem =
            judge_run(slice_of(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0)), run);
    else if (code != SQLITE_DONE) /* it was trimmed just now */
        problem = "cannot be read: pages of it are damaged";
    sqlite3_finalize(q);
    return problem;
}

static int check_run(void *arg, const struct walked_run *run)
{
    struct check *c = arg;
    uint64_t first = store_run_offset(run->id);
    if (store_run_topic(run->id) != c->topic)
        begin_topic(c, store_run_topic(run->id));
    if (c->next && first != c->next)
        wrong(c, "%s: #%llu to #%llu are missing", buf_text(&c->name), (unsigned long long)c->next,
              (unsigned long long)first - 1);
    const char *problem = judge_events(c, run);
    if (problem)
        wrong(c, "%s: the run of #%llu to #%llu %s", buf_text(&c->name), (unsigned long long)first,
              (unsigned long long)(first + run->count - 1), problem);
    c->next = first + run->count;
    return 0;
}

static void report_lost(void *arg, struct slice name, bool known, uint64_t first, uint64_t last)
{
    struct check *c = arg;
    (void)known;
    wrong(c, "%.*s: #%llu to #%llu cannot be read: pages on which they stand are damaged",
          SLICE_ARG(name), (unsigned long long)first, (unsigned long long)last);
}

static void note_lost(void *arg, int64_t from, int64_t to)
{
    struct check *c = arg;
    store_walk_lost(c->db, from, to, report_lost, c);
    c->next = 0; /* it was said */
}

static void check_runs(struct check *c)
{
    static const struct walk_ops ops = {check_run, note_lost};
    struct buf why = {0};
    if (store_walk(c->db, &ops, c, &why) != 0)
        wrong(c, "the events cannot be read: %s", buf_text(&why));
    buf_fini(&why);
}

static void check_state(struct check *c, sqlite3_stmt *q)
{
    const struct checked_key key = {sqlite3_column_int64(q, 0), store_column(q, 2)};
    struct slice name = store_column_text(q, 1), content;
    struct slice blob = slice_of(sqlite3_column_blob(q, 3), (size_t)sqlite3_column_bytes(q, 3));
    int error = checked_blob_open(blob, key, &content);
    if (error)
        wrong(c, "%.*s: its folded state %s", SLICE_ARG(name),
              error == FAN_E_UNSUPPORTED ? "is of a version that this program does not know"
                                         : "is damaged: its checksum is wrong");
}

static void check_states(struct check *c)
{
    static const char query[] =
        "SELECT id, name, state_offset, state FROM topics WHERE state IS NOT NULL";
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(c->db, query, -1, &q, NULL);
    while (code == SQLITE_OK && (code = sqlite3_step(q)) == SQLITE_ROW) {
        check_state(c, q);
        code = SQLITE_OK;
    }
    if (code != SQLITE_DONE)
        wrong(c, "the states of sessions cannot all be read: %s", sqlite3_errmsg(c->db));
    sqlite3_finalize(q);
}

/* Whether a topic's row and its runs tell the same story. */
static void check_log(void *arg, const struct stored_log *log)
{
    struct check *c = arg;
    if (log->runs && log->first_offset + log->events < log->offset + 1)
        wrong(c, "%.*s: holds %llu events from #%llu on; its newest is #%llu", SLICE_ARG(log->name),
              (unsigned long long)log->events, (unsigned long long)log->first_offset,
              (unsigned long long)log->offset);
}

uint64_t store_offline_check(struct store_offline *o, uint64_t most,
                             void (*found)(void *arg, const char *sentence), void *arg)
{
    struct check c = {.db = o->db.db, .found = found, .arg = arg, .most = most};
    struct buf why = {0};
    check_pages(&c);
    check_runs(&c);
    check_states(&c);
    if (store_offline_topics(o, check_log, &c, &why) != 0)
        wrong(&c, "%s", buf_text(&why));
    buf_fini(&c.name);
    buf_fini(&why);
    return c.count;
}
