/*
 * Commits: the events of many batches become one row per run and topic, in one transaction.
 *
 * A topic's own row is written when it is made and now and then, not with each commit: at the start
 * the runs behind it tell the rest.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "engine/store.h"
#include "engine/store_schema.h"
#include "fanfare/error.h"

/* A start looks at no more than so many events of a topic that its row does not know. */
#define ROW_EVERY 4096

/* ---- What the commit is about ---- */

static bool grow(void **array, uint32_t *cap, size_t size)
{
    uint32_t wanted = *cap ? *cap * 2 : 256;
    void *grown = memory_try_realloc(*array, wanted * size);
    if (!grown)
        return false;
    *array = grown;
    *cap = wanted;
    return true;
}

static bool add_entry(struct store *s, struct event *e, unsigned place)
{
    struct topic *topic = e->places[place].topic;
    uint64_t id = atomic_load_explicit(&topic->store_id, memory_order_relaxed);
    struct stored_topic *t = store_topic(s, id, topic);
    if (s->entry_count == s->entry_cap &&
        !grow((void **)&s->entries, &s->entry_cap, sizeof *s->entries))
        return false;
    if (s->dirty_count == s->dirty_cap &&
        !grow((void **)&s->dirty, &s->dirty_cap, sizeof *s->dirty))
        return false;
    s->entries[s->entry_count++] = (struct store_entry){.event = e, .place = place};
    if (t->last_entry)
        s->entries[t->last_entry - 1].next = s->entry_count;
    else
        s->dirty[s->dirty_count++] = t->id;
    if (!t->first_entry)
        t->first_entry = s->entry_count;
    t->last_entry = s->entry_count;
    return true;
}

static bool collect(struct store *s, struct publish_batch *batches)
{
    for (struct publish_batch *batch = batches; batch; batch = batch->next)
        for (unsigned i = 0; i < batch->count; i++) {
            struct event *e = batch->items[i]->event;
            for (unsigned p = 0; batch->items[i]->placed && p < e->place_count; p++)
                if (e->places[p].topic->stored && !add_entry(s, e, p))
                    return false;
        }
    return true;
}

/* ---- Rows ---- */

int store_put_topic(struct store *s, const struct stored_topic *t)
{
    struct slice name = topic_name_slice(t->topic);
    sqlite3_stmt *q = store_db_get(&s->db, STORE_PUT_TOPIC);
    if (!q)
        return sqlite3_extended_errcode(s->db.db);
    sqlite3_bind_int64(q, 1, (sqlite3_int64)t->id);
    sqlite3_bind_text(q, 2, name.ptr, (int)name.len, SQLITE_STATIC);
    sqlite3_bind_int64(q, 3, (sqlite3_int64)t->topic->epoch);
    sqlite3_bind_int64(q, 4, (sqlite3_int64)t->offset);
    sqlite3_bind_int64(q, 5, (sqlite3_int64)t->first_offset);
    sqlite3_bind_int64(q, 6, (sqlite3_int64)t->birth_seq);
    sqlite3_bind_int64(q, 7, (sqlite3_int64)t->last_seq);
    sqlite3_bind_int64(q, 8, (sqlite3_int64)t->trimmed_seq);
    sqlite3_bind_int64(q, 9, (sqlite3_int64)t->bytes);
    return store_db_run(&s->db, q);
}

/* What a run's row says beside its blob. */
struct run {
    uint64_t topic, first_offset, first_seq, last_seq, bytes;
    unsigned count;
};

static int put_run(struct store *s, const struct run *run, int64_t now_ms)
{
    sqlite3_stmt *q = store_db_get(&s->db, STORE_PUT_RUN);
    if (!q)
        return sqlite3_extended_errcode(s->db.db);
    sqlite3_bind_int64(q, 1, store_run_id(run->topic, run->first_offset));
    sqlite3_bind_int64(q, 2, run->count);
    sqlite3_bind_int64(q, 3, (sqlite3_int64)run->first_seq);
    sqlite3_bind_int64(q, 4, (sqlite3_int64)run->last_seq);
    sqlite3_bind_int64(q, 5, now_ms);
    sqlite3_bind_int64(q, 6, (sqlite3_int64)run->bytes);
    sqlite3_bind_blob64(q, 7, s->blob.data, s->blob.len, SQLITE_STATIC);
    return store_db_run(&s->db, q);
}

/* Places in topics of memory are left out: those are gone when this is read again. */
static void add_places(const struct event *e, unsigned own, struct run_record *record)
{
    for (unsigned i = 0; e->place_count > 1 && i < e->place_count; i++) {
        const struct event_place *place = &e->places[i];
        if (!place->topic->stored)
            continue;
        struct slice name = i == own ? slice_of(NULL, 0) : topic_name_slice(place->topic);
        record->places[record->place_count++] =
            (struct run_place){name, place->offset, place->epoch};
    }
}

static void encode(struct run_writer *w, const struct store_entry *entry)
{
    const struct event *e = entry->event;
    struct run_record record;
    record.seq = e->seq;
    record.time_ms = e->time_ms;
    record.nested = e->nested;
    record.audience = e->audience;
    record.type = e->type;
    record.source = e->source;
    record.id = e->id;
    record.key = e->key;
    record.data = e->data;
    record.place_count = 0;
    add_places(e, entry->place, &record);
    run_add(w, &record);
}

/* Writes one run, from the entry on, which is moved behind it. */
static int write_run(struct store *s, uint64_t topic, uint32_t *next, struct run *run,
                     int64_t now_ms)
{
    const struct store_entry *entry = &s->entries[*next - 1];
    struct run_writer writer;
    *run = (struct run){.topic = topic,
                        .first_offset = entry->event->places[entry->place].offset,
                        .first_seq = entry->event->seq};
    run_begin(&writer, &s->blob, store_run_id(topic, run->first_offset), run->first_seq);
    for (; *next && !run_is_full(&writer); *next = entry->next) {
        entry = &s->entries[*next - 1];
        encode(&writer, entry);
        run->last_seq = entry->event->seq;
        run->bytes += entry->event->size;
        run->count++;
    }
    return run_end(&writer) == 0 ? put_run(s, run, now_ms) : SQLITE_NOMEM;
}

static int write_topic(struct store *s, struct stored_topic *t, int64_t now_ms)
{
    int code = SQLITE_OK;
    uint32_t next = t->first_entry;
    struct run run;
    if (!t->has_row || t->offset >= t->row_offset + ROW_EVERY)
        code = store_put_topic(s, t);
    while (code == SQLITE_OK && next) {
        code = write_run(s, t->id, &next, &run, now_ms);
        atomic_fetch_add(&s->stats.runs, 1);
    }
    return code;
}

static int write_all(struct store *s, uint64_t last_seq)
{
    int64_t now_ms = clock_wall_ms();
    int code = store_begin(s);
    for (uint32_t i = 0; code == SQLITE_OK && i < s->dirty_count; i++)
        code = write_topic(s, s->topics[s->dirty[i]], now_ms);
    for (uint32_t i = 0; code == SQLITE_OK && i < s->dirty_count; i++)
        if (store_trim_is_due(s, s->topics[s->dirty[i]]))
            code = store_trim(s, s->topics[s->dirty[i]], now_ms);
    if (code == SQLITE_OK)
        code = store_write_notes(s);
    if (code == SQLITE_OK && last_seq + STORE_SEQ_STEP / 2 > s->reserved_seq)
        code = store_put_meta(&s->db, "seq", last_seq + STORE_SEQ_STEP);
    return store_end(s, code);
}

/* ---- Afterwards ---- */

static void note_committed(struct store *s, struct stored_topic *t)
{
    if (!t->has_row || t->offset >= t->row_offset + ROW_EVERY)
        t->row_offset = t->offset;
    t->has_row = true;
    store_finish_trim(s, t, true);
    for (uint32_t next = t->first_entry; next; next = s->entries[next - 1].next) {
        const struct store_entry *entry = &s->entries[next - 1];
        t->offset = entry->event->places[entry->place].offset;
        t->last_seq = entry->event->seq;
        t->bytes += entry->event->size;
        t->state_bytes_since += entry->event->size;
    }
    store_note_events(s, t);
}

static void finish(struct store *s, int code, uint64_t last_seq)
{
    if (code == SQLITE_OK)
        atomic_fetch_add(&s->stats.events, s->entry_count);
    for (uint32_t i = 0; i < s->dirty_count; i++) {
        struct stored_topic *t = s->topics[s->dirty[i]];
        if (code == SQLITE_OK)
            note_committed(s, t);
        else
            store_finish_trim(s, t, false);
        t->first_entry = t->last_entry = 0;
    }
    if (code == SQLITE_OK && last_seq + STORE_SEQ_STEP / 2 > s->reserved_seq)
        s->reserved_seq = last_seq + STORE_SEQ_STEP;
    s->entry_count = s->dirty_count = 0;
}

int store_write(struct store *s, struct publish_batch *batches, uint64_t last_seq)
{
    int code = collect(s, batches) ? SQLITE_OK : SQLITE_NOMEM;
    bool extend = last_seq + STORE_SEQ_STEP / 2 > s->reserved_seq;
    if (code == SQLITE_OK && (s->dirty_count || extend || store_has_notes(s))) {
        uint64_t begin = clock_ns();
        code = write_all(s, last_seq);
        atomic_fetch_add(&s->stats.commits, code == SQLITE_OK);
        atomic_fetch_add(&s->stats.commit_us, (clock_ns() - begin) / 1000);
    }
    finish(s, code, last_seq);
    store_finish_notes(s, code);
    return code;
}
