/*
 * Every event of a database in the node's order; see store_offline.h.
 *
 * Runs come sorted by the number of their first event. A commit's runs overlap in the order and
 * those of different commits do not, so only few are open at a time: the event that comes next is
 * the lowest of the open ones, once no run that is still to come can begin before it.
 */
#include "base/memory.h"
#include "engine/store_offline.h"
#include "engine/store_schema.h"
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
    struct store_offline *store;
    const struct export_ops *ops;
    void *arg;
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

/* The row of a run: id, count, first_seq, name, epoch, data. */
static int begin_run(struct export *e, sqlite3_stmt *q)
{
    int64_t id = sqlite3_column_int64(q, 0);
    struct slice name =
        slice_of((const char *)sqlite3_column_text(q, 3), (size_t)sqlite3_column_bytes(q, 3));
    struct slice blob = slice_of(sqlite3_column_blob(q, 5), (size_t)sqlite3_column_bytes(q, 5));
    if (!e->ops->wants(e->arg, name))
        return 0;
    struct open_run *run = memory_try_alloc(sizeof *run + name.len + blob.len);
    if (!run)
        return FAN_E_NO_MEMORY;
    *run = (struct open_run){.epoch = store_column(q, 4),
                             .first = store_run_offset(id),
                             .offset = store_run_offset(id) - 1,
                             .count = store_column(q, 1),
                             .topic = slice_of(run->text, name.len),
                             .blob = slice_of(run->text + name.len, blob.len)};
    memcpy(run->text, name.ptr, name.len);
    if (blob.len)
        memcpy(run->text + name.len, blob.ptr, blob.len);
    list_init(&run->link);
    list_append(&e->open, &run->link);
    if (run_open(&run->reader, run->blob, store_column(q, 2)) == 0) {
        advance(e, run);
    } else {
        e->ops->damaged(e->arg, run->topic, run->first, run->count);
        end_run(run);
    }
    return 0;
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

int store_offline_export(struct store_offline *o, const struct export_ops *ops, void *arg,
                         struct buf *why)
{
    static const char query[] =
        "SELECT runs.id, count, first_seq, name, epoch, data FROM runs"
        " JOIN topics ON topics.id = runs.id >> 36 ORDER BY first_seq, runs.id";
    struct export e = {.store = o, .ops = ops, .arg = arg};
    sqlite3_stmt *q = NULL;
    int result = 0, code = sqlite3_prepare_v2(o->db.db, query, -1, &q, NULL);
    list_init(&e.open);
    while (code == SQLITE_OK && !result) {
        code = sqlite3_step(q);
        if (code != SQLITE_ROW)
            break;
        result = give(&e, store_column(q, 2));
        if (!result)
            result = begin_run(&e, q);
        code = SQLITE_OK;
    }
    if (!result && code == SQLITE_DONE)
        result = give(&e, UINT64_MAX);
    if (result == FAN_E_NO_MEMORY) {
        buf_append_text(why, fan_error_text(result));
    } else if (!result && code != SQLITE_DONE) {
        buf_printf(why, "%s: %s (%s)", buf_text(&o->path), store_error_text(code),
                   sqlite3_errmsg(o->db.db));
        result = FAN_E_IO;
    }
    while (!list_empty(&e.open))
        end_run(CONTAINER(e.open.next, struct open_run, link));
    sqlite3_finalize(q);
    return result;
}
