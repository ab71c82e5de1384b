/*
 * Every event of a database in the node's order; see store_offline.h.
 *
 * First it is looked up what there is: the number of each run's first event, by which they are
 * sorted. The runs themselves are then read one at a time, so that no transaction lasts for as long
 * as somebody takes to take the events: a server that is at work on the directory cannot make its
 * write-ahead log short while there is one. Runs that are trimmed meanwhile are left out.
 *
 * A commit's runs overlap in the order and those of different commits do not, so only few are open
 * at a time: the event that comes next is the lowest of the open ones, once no run that is still to
 * come can begin before it.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "engine/store_offline.h"
#include "engine/store_schema.h"
#include "engine/store_walk.h"
#include "fanfare/error.h"

struct open_run {
    struct list link;
    struct run_reader reader;
    struct run_record record; /* the next event */
    uint64_t epoch, offset;   /* its place */
    uint64_t first, count;
    struct slice topic, blob; /* of this allocation */
    char text[];
};

struct export
{
    sqlite3 *db;
    const struct export_ops *ops;
    void *arg;
    struct walked_run *runs;
    size_t count, cap;
    struct list open;
    uint64_t last_seq; /* of the event that was given last */
};

static void end_run(struct open_run *run)
{
    list_remove(&run->link);
    memory_free(run);
}

/* The run's next event; at its end the run is gone. Of one that turns out to be damaged, the rest
 * is reported. */
static void advance(struct export *e, struct open_run *run)
{
    int more = run_next(&run->reader, &run->record);
    run->offset++;
    if (more < 0)
        e->ops->damaged(e->arg, run->topic, run->offset, run->first + run->count - run->offset);
    if (more <= 0)
        end_run(run);
}

static void append_open(struct export *e, const struct walked_run *at, struct slice name,
                        uint64_t epoch, struct slice blob)
{
    struct open_run *run = memory_alloc(sizeof *run + name.len + blob.len);
    *run = (struct open_run){.epoch = epoch,
                             .first = store_run_offset(at->id),
                             .offset = store_run_offset(at->id) - 1,
                             .count = at->count,
                             .topic = slice_of(run->text, name.len),
                             .blob = slice_of(run->text + name.len, blob.len)};
    memcpy(run->text, name.ptr, name.len);
    if (blob.len)
        memcpy(run->text + name.len, blob.ptr, blob.len);
    list_init(&run->link);
    list_append(&e->open, &run->link);
    if (run_open(&run->reader, run->blob, at->id, at->first_seq) == 0) {
        advance(e, run);
    } else {
        e->ops->damaged(e->arg, run->topic, run->first, run->count);
        end_run(run);
    }
}

static void report_run(struct export *e, const struct walked_run *at, struct slice name)
{
    e->ops->damaged(e->arg, name, store_run_offset(at->id), at->count);
}

/* Reads the run's events. SQLite's code. */
static int read_blob(struct export *e, const struct walked_run *at, struct slice name,
                     uint64_t epoch)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(e->db, "SELECT data FROM runs WHERE id = ?", -1, &q, NULL);
    sqlite3_bind_int64(q, 1, at->id);
    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    if (code == SQLITE_ROW)
        append_open(e, at, name, epoch,
                    slice_of(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0)));
    sqlite3_finalize(q);
    return code;
}

/* 0, or FAN_E_IO. */
static int begin_run(struct export *e, const struct walked_run *at)
{
    uint64_t epoch = 0, offset;
    struct buf name = {0};
    int code = store_walk_topic(e->db, store_run_topic(at->id), &name, &epoch, &offset);
    if (code == SQLITE_ROW && e->ops->wants(e->arg, buf_slice(&name)))
        code = read_blob(e, at, buf_slice(&name), epoch);
    if (store_is_damage(code)) {
        if (name.len == 0)
            store_append_number(&name, store_run_topic(at->id));
        report_run(e, at, buf_slice(&name));
        code = SQLITE_DONE;
    }
    buf_fini(&name);
    return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : FAN_E_IO;
}

static struct open_run *lowest(const struct export *e)
{
    struct open_run *found = NULL;
    for (struct list *at = e->open.next; at != &e->open; at = at->next) {
        struct open_run *run = CONTAINER(at, struct open_run, link);
        if (!found || run->record.seq < found->record.seq)
            found = run;
    }
    return found;
}

/* Gives all events before `until`. An event of several topics stands in a run of each: it is given
 * once, from whichever of them still has it. */
static int give(struct export *e, uint64_t until)
{
    struct open_run *run;
    int result = 0;
    while (!result && (run = lowest(e)) && run->record.seq < until) {
        if (run->record.seq != e->last_seq) {
            const struct stored_event event = {&run->record, run->topic, run->epoch, run->offset};
            e->last_seq = run->record.seq;
            result = e->ops->event(e->arg, &event);
        }
        advance(e, run);
    }
    return result;
}

/* ---- What there is ---- */

static int note_run(void *arg, const struct walked_run *run)
{
    struct export *e = arg;
    if (e->count == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 1024;
        void *grown = memory_try_realloc(e->runs, cap * sizeof *e->runs);
        if (!grown)
            return FAN_E_NO_MEMORY;
        e->runs = grown;
        e->cap = cap;
    }
    e->runs[e->count++] = *run;
    return 0;
}

static void report_lost(void *arg, struct slice name, bool known, uint64_t first, uint64_t last)
{
    struct export *e = arg;
    if (!known || e->ops->wants(e->arg, name))
        e->ops->damaged(e->arg, name, first, last - first + 1);
}

static void note_lost(void *arg, int64_t from, int64_t to)
{
    struct export *e = arg;
    store_walk_lost(e->db, from, to, report_lost, e);
}

static int in_order(const void *a, const void *b)
{
    const struct walked_run *x = a, *y = b;
    if (x->first_seq != y->first_seq)
        return x->first_seq < y->first_seq ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

int store_offline_export(struct store_offline *o, const struct export_ops *ops, void *arg,
                         struct buf *why)
{
    static const struct walk_ops notes = {note_run, note_lost};
    struct export e = {.db = o->db.db, .ops = ops, .arg = arg};
    list_init(&e.open);
    int result = store_walk(e.db, &notes, &e, why);
    if (e.count)
        qsort(e.runs, e.count, sizeof *e.runs, in_order);
    for (size_t i = 0; !result && i < e.count; i++) {
        result = give(&e, e.runs[i].first_seq);
        if (!result)
            result = begin_run(&e, &e.runs[i]);
    }
    if (!result)
        result = give(&e, UINT64_MAX);
    if (result == FAN_E_NO_MEMORY)
        buf_append_text(why, fan_error_text(result));
    else if (result == FAN_E_IO && why->len == 0)
        buf_printf(why, "%s: %s", buf_text(&o->path), sqlite3_errmsg(e.db));
    while (!list_empty(&e.open))
        end_run(CONTAINER(e.open.next, struct open_run, link));
    memory_free(e.runs);
    return result;
}
