/*
 * Reading below memory, on the threads of those who ask.
 *
 * A reader never waits for the writer nor the writer for it: that is what the write-ahead log is
 * for. Each read borrows a connection from a pool, which holds as many as ever read at once. What
 * is read comes from the system's page cache, and decoded runs are kept for a while.
 */
#include "base/memory.h"
#include "engine/store.h"
#include "engine/store_schema.h"
#include "engine/store_walk.h"
#include "fanfare/error.h"

struct reader {
    struct reader *next;
    struct store_db db;
};

struct store_readers {
    pthread_mutex_t lock;
    struct reader *idle;
};

struct store_readers *store_readers_new(void)
{
    struct store_readers *readers = memory_zero(sizeof *readers);
    pthread_mutex_init(&readers->lock, NULL);
    return readers;
}

static void reader_free(struct reader *r)
{
    store_db_close(&r->db);
    memory_free(r);
}

void store_readers_free(struct store_readers *readers)
{
    if (!readers)
        return;
    while (readers->idle) {
        struct reader *r = readers->idle;
        readers->idle = r->next;
        reader_free(r);
    }
    pthread_mutex_destroy(&readers->lock);
    memory_free(readers);
}

static struct reader *borrow(struct store *s)
{
    pthread_mutex_lock(&s->readers->lock);
    struct reader *r = s->readers->idle;
    if (r)
        s->readers->idle = r->next;
    pthread_mutex_unlock(&s->readers->lock);
    if (r)
        return r;
    struct buf why = {0};
    r = memory_zero(sizeof *r);
    if (store_db_open(&r->db, s->path, true, s->options.synchronous, &why) != 0) {
        memory_free(r);
        r = NULL;
    }
    buf_fini(&why);
    return r;
}

/* One that failed is not used again. */
static void give_back(struct store *s, struct reader *r, int error)
{
    if (error == FAN_E_IO) {
        reader_free(r);
        return;
    }
    pthread_mutex_lock(&s->readers->lock);
    r->next = s->readers->idle;
    s->readers->idle = r;
    pthread_mutex_unlock(&s->readers->lock);
}

/* ---- Runs ---- */

/* What a run's row says beside its blob. */
struct run_row {
    int64_t id;
    uint64_t first_offset, count, first_seq, last_seq;
};

/* What became of looking for a run. FAN_E_PARSE: the database is damaged there. */
static int outcome(int code)
{
    switch (code & 0xff) {
    case SQLITE_ROW:
        return 0;
    case SQLITE_DONE:
        return FAN_E_NOT_FOUND;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FAN_E_PARSE;
    case SQLITE_NOMEM:
        return FAN_E_NO_MEMORY;
    default:
        return FAN_E_IO;
    }
}

static int query_run(struct reader *r, enum store_statement which, int64_t from, int64_t to,
                     struct run_row *row)
{
    sqlite3_stmt *q = store_db_get(&r->db, which);
    *row = (struct run_row){0};
    if (!q)
        return sqlite3_errcode(r->db.db) == SQLITE_CORRUPT ? FAN_E_PARSE : FAN_E_IO;
    sqlite3_bind_int64(q, 1, from);
    sqlite3_bind_int64(q, 2, to);
    int error = outcome(sqlite3_step(q));
    if (!error)
        *row = (struct run_row){
            .id = sqlite3_column_int64(q, 0),
            .first_offset = store_run_offset(sqlite3_column_int64(q, 0)),
            .count = store_column(q, 1),
            .first_seq = store_column(q, 2),
            .last_seq = store_column(q, 3),
        };
    sqlite3_reset(q);
    if (!error && (row->count == 0 || row->count > RUN_MAX_EVENTS))
        error = FAN_E_PARSE;
    return error;
}

/* The run that has the event of the topic with this offset, or the last one before it. */
static int find_run(struct reader *r, uint64_t topic, uint64_t offset, struct run_row *row)
{
    return query_run(r, STORE_RUNS_DOWN, store_run_id(topic, 0), store_run_id(topic, offset), row);
}

static int decode(struct store *s, const struct run_row *row, struct topic *topic,
                  struct slice blob, struct cached_run *run)
{
    struct run_reader reader;
    struct run_record record = {0};
    int more = 0, error = run_open(&reader, blob, row->id, row->first_seq);
    while (!error && (more = run_next(&reader, &record)) > 0) {
        if (run->count == row->count)
            return FAN_E_PARSE;
        struct event *e = store_make_event(s, &record, topic, row->first_offset + run->count);
        if (!e)
            return FAN_E_NO_MEMORY;
        run->events[run->count++] = e;
        run->bytes += e->size;
    }
    if (error || more < 0 || run->count != row->count || record.seq != row->last_seq)
        return FAN_E_PARSE;
    return 0;
}

static int load_run(struct store *s, struct reader *r, const struct run_row *row,
                    struct topic *topic, struct cached_run **out)
{
    *out = store_cache_get(s->cache, row->id);
    if (*out)
        return 0;
    struct cached_run *run = memory_try_alloc(sizeof *run + row->count * sizeof(struct event *));
    sqlite3_stmt *q = store_db_get(&r->db, STORE_RUN_DATA);
    if (!run || !q) {
        memory_free(run);
        return run ? FAN_E_IO : FAN_E_NO_MEMORY;
    }
    *run = (struct cached_run){
        .id = row->id, .first_offset = row->first_offset, .last_seq = row->last_seq};
    sqlite3_bind_int64(q, 1, row->id);
    int error = outcome(sqlite3_step(q));
    if (!error)
        error =
            decode(s, row, topic,
                   slice_of(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0)), run);
    sqlite3_reset(q);
    if (error) {
        while (run->count)
            event_unref(run->events[--run->count]);
        memory_free(run);
        return error;
    }
    store_cache_add(s->cache, run);
    *out = run;
    atomic_fetch_add(&s->stats.reads, 1);
    return 0;
}

/* ---- Finding ---- */

/* The offset of the first event of the run behind the position; there is one. */
static uint64_t offset_in(const struct cached_run *run, uint64_t position)
{
    unsigned low = 0, high = run->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (run->events[middle]->seq > position)
            high = middle;
        else
            low = middle + 1;
    }
    return run->first_offset + low;
}

/* Halves [from, end) until the run is found in which the position lies. */
static int find(struct store *s, struct reader *r, struct topic *topic, uint64_t position,
                uint64_t from, uint64_t end, uint64_t *offset)
{
    uint64_t id = atomic_load_explicit(&topic->store_id, memory_order_relaxed);
    struct run_row row, best = {0};
    while (from < end) {
        uint64_t middle = from + (end - from) / 2;
        int error = find_run(r, id, middle, &row);
        if (error && error != FAN_E_NOT_FOUND)
            return error;
        if (error || row.first_offset + row.count <= from) {
            from = middle + 1; /* a hole */
        } else if (row.last_seq > position) {
            best = row;
            end = row.first_offset;
        } else {
            from =
                row.first_offset + row.count > middle ? row.first_offset + row.count : middle + 1;
        }
    }
    *offset = end;
    if (best.id == 0 || best.first_seq > position)
        return 0;
    struct cached_run *run;
    int error = load_run(s, r, &best, topic, &run);
    if (error)
        return error == FAN_E_PARSE ? 0 : error; /* a lower bound; reading reports the damage */
    *offset = offset_in(run, position);
    store_cache_release(s->cache, run);
    return 0;
}

int store_find(struct engine *engine, struct topic *topic, uint64_t position, uint64_t from,
               uint64_t end, uint64_t *offset)
{
    struct store *s = (struct store *)engine;
    struct reader *r = borrow(s);
    if (!r)
        return FAN_E_IO;
    int error = find(s, r, topic, position, from, end, offset);
    if (error == FAN_E_PARSE || error == FAN_E_NOT_FOUND)
        error = FAN_E_IO;
    give_back(s, r, error);
    return error;
}

/* ---- States ---- */

static int get_state(struct reader *r, uint64_t id, struct buf *snapshot, uint64_t *offset)
{
    sqlite3_stmt *q = store_db_get(&r->db, STORE_GET_STATE);
    if (!q)
        return FAN_E_IO;
    sqlite3_bind_int64(q, 1, (sqlite3_int64)id);
    int error = outcome(sqlite3_step(q));
    if (!error && sqlite3_column_type(q, 1) != SQLITE_NULL) {
        const struct checked_key key = {(int64_t)id, store_column(q, 0)};
        struct slice blob = slice_of(sqlite3_column_blob(q, 1), (size_t)sqlite3_column_bytes(q, 1));
        struct slice content;
        error = checked_blob_open(blob, key, &content) == 0 ? 0 : FAN_E_PARSE;
        if (!error) {
            *offset = key.number;
            buf_append_slice(snapshot, content);
        }
    }
    sqlite3_reset(q);
    if (error == FAN_E_NOT_FOUND)
        return 0;
    return snapshot->failed ? FAN_E_NO_MEMORY : error;
}

/* What is damaged is told, and left out: the state is made again of the events that are kept. */
int store_load_state(struct engine *engine, struct topic *topic, struct buf *snapshot,
                     uint64_t *offset)
{
    struct store *s = (struct store *)engine;
    struct reader *r = borrow(s);
    *offset = 0;
    if (!r)
        return FAN_E_IO;
    uint64_t id = atomic_load_explicit(&topic->store_id, memory_order_relaxed);
    int error = get_state(r, id, snapshot, offset);
    if (error == FAN_E_PARSE) {
        store_report_damaged_state(s, topic);
        error = 0;
    }
    give_back(s, r, error);
    return error;
}

/* ---- Reading ---- */

/* Nothing is to be had of [from, to]. When the log's beginning has moved beyond it meanwhile, that
 * is no damage. */
static void note_missing(struct store *s, struct stored_read *read, uint64_t from, uint64_t to)
{
    read->damaged_to = to;
    if (hub_first_offset(s->engine.hub, read->topic) <= from)
        store_report_damage(s, read->topic, from, to - from + 1);
}

/* Where the next run begins behind a hole or damaged pages, but at `end` at most. */
static uint64_t next_run(struct reader *r, uint64_t topic, uint64_t from, uint64_t end)
{
    struct run_row row;
    int64_t first = store_run_id(topic, from), last = store_run_id(topic, end - 1);
    int error = query_run(r, STORE_RUNS_UP, first, last, &row);
    if (error == FAN_E_PARSE)
        return store_run_offset(store_next_readable(r->db.db, first, last));
    return error ? end : row.first_offset;
}

/* Takes what is wanted of the run; false: that was enough. */
static bool take(struct stored_read *read, const struct cached_run *run, size_t *bytes,
                 uint64_t *next)
{
    for (unsigned i = (unsigned)(*next - run->first_offset); i < run->count; i++) {
        struct event *e = run->events[i];
        if (*next >= read->end || read->count == read->max ||
            (read->count && *bytes > read->max_bytes))
            return false;
        ++*next;
        if (e->seq <= read->behind)
            continue;
        read->events[read->count++] = event_ref(e);
        *bytes += e->data.len;
    }
    return true;
}

static int read_runs(struct store *s, struct reader *r, struct stored_read *read)
{
    uint64_t id = atomic_load_explicit(&read->topic->store_id, memory_order_relaxed);
    size_t bytes = 0;
    uint64_t next = read->from;
    for (bool more = true; more && next < read->end && read->count < read->max;) {
        struct run_row row;
        struct cached_run *run;
        int error = find_run(r, id, next, &row);
        bool found = !error && row.first_offset + row.count > next;
        if (found)
            error = load_run(s, r, &row, read->topic, &run);
        if (error == FAN_E_IO || error == FAN_E_NO_MEMORY)
            return read->count ? 0 : error;
        if (!found || error) {
            uint64_t end = found ? row.first_offset + row.count : next_run(r, id, next, read->end);
            if (read->count == 0)
                note_missing(s, read, next, (end < read->end ? end : read->end) - 1);
            return 0;
        }
        more = take(read, run, &bytes, &next);
        store_cache_release(s->cache, run);
    }
    return 0;
}

int store_read(struct engine *engine, struct stored_read *read)
{
    struct store *s = (struct store *)engine;
    struct reader *r = borrow(s);
    read->count = 0;
    read->damaged_to = 0;
    if (!r)
        return FAN_E_IO;
    if (read->behind && read->from < read->end) {
        struct run_row row;
        uint64_t id = atomic_load_explicit(&read->topic->store_id, memory_order_relaxed);
        /* Usually the reader's next event is right there; else it is searched for. */
        if (find_run(r, id, read->from, &row) == 0 && row.last_seq <= read->behind)
            find(s, r, read->topic, read->behind, read->from, read->end, &read->from);
    }
    int error = read_runs(s, r, read);
    give_back(s, r, error);
    return error;
}
