/*
 * The newest events of all topics, back into memory at the start.
 *
 * Topics stand in a heap by the node order of the run that each would give next, its newest that
 * was not taken yet; so runs come newest first over all topics, without an index by time. Events
 * are then sorted and given to the hub oldest first. A damaged run ends its topic's part: what is
 * older stays on disk.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/store.h"
#include "engine/store_schema.h"
#include "fanfare/error.h"
#include "hub/event_validate.h"

/* Loading is what a restart waits for: 200,000 small events take a quarter of a second. */
#define RECENT_MAX_BYTES (UINT64_C(64) << 20)

/* Ids of more are not looked for: the hub would not keep them. */
#define RECENT_MAX_EVENTS 500000

/* The run that a topic would give next. */
struct candidate {
    struct stored_topic *topic;
    uint64_t first_offset, count, first_seq, last_seq;
    int64_t accepted_ms;
    uint64_t bytes;
};

struct loaded {
    struct event *event;
    struct topic *topic;
};

struct recent {
    struct store *store;
    struct candidate *heap;
    size_t heap_count;
    struct loaded *events;
    size_t count, cap;
    uint64_t bytes, limit;
    int64_t now_ms;
};

/* ---- The heap: highest last_seq first ---- */

static void swap(struct candidate *a, struct candidate *b)
{
    struct candidate c = *a;
    *a = *b;
    *b = c;
}

static void sift_down(struct recent *r, size_t i)
{
    for (;;) {
        size_t top = i, left = 2 * i + 1, right = left + 1;
        if (left < r->heap_count && r->heap[left].last_seq > r->heap[top].last_seq)
            top = left;
        if (right < r->heap_count && r->heap[right].last_seq > r->heap[top].last_seq)
            top = right;
        if (top == i)
            return;
        swap(&r->heap[i], &r->heap[top]);
        i = top;
    }
}

/* The newest run of the topic that ends before `end`. False: there is none, or there is a hole. */
static bool find_run(struct store *s, struct stored_topic *t, uint64_t end, struct candidate *out)
{
    sqlite3_stmt *q = store_db_get(&s->db, STORE_RUNS_DOWN);
    if (!q || end <= t->first_offset)
        return false;
    sqlite3_bind_int64(q, 1, store_run_id(t->id, 0));
    sqlite3_bind_int64(q, 2, store_run_id(t->id, end - 1));
    bool found = sqlite3_step(q) == SQLITE_ROW;
    if (found)
        *out = (struct candidate){
            .topic = t,
            .first_offset = store_run_offset(sqlite3_column_int64(q, 0)),
            .count = store_column(q, 1),
            .first_seq = store_column(q, 2),
            .last_seq = store_column(q, 3),
            .accepted_ms = sqlite3_column_int64(q, 4),
            .bytes = store_column(q, 5),
        };
    sqlite3_reset(q);
    return found && out->first_offset + out->count == end;
}

static void fill_heap(struct recent *r)
{
    struct store *s = r->store;
    r->heap = memory_alloc((s->next_id + 1) * sizeof *r->heap);
    for (uint64_t id = 1; id < s->next_id; id++)
        if (s->topics[id] &&
            find_run(s, s->topics[id], s->topics[id]->offset + 1, &r->heap[r->heap_count]))
            r->heap_count++;
    for (size_t i = r->heap_count / 2; i > 0; i--)
        sift_down(r, i - 1);
}

/* ---- Runs ---- */

static bool add_event(struct recent *r, struct event *e, struct topic *topic)
{
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 4096;
        void *grown = memory_try_realloc(r->events, cap * sizeof *r->events);
        if (!grown)
            return false;
        r->events = grown;
        r->cap = cap;
    }
    r->events[r->count++] = (struct loaded){e, topic};
    r->bytes += e->size;
    return true;
}

/* On the monotonic clock; the machine may have been started since. */
static uint64_t accepted(const struct recent *r, const struct candidate *c)
{
    uint64_t now = clock_ms();
    uint64_t age = r->now_ms > c->accepted_ms ? (uint64_t)(r->now_ms - c->accepted_ms) : 0;
    return age < now ? now - age : 1;
}

static int decode(struct recent *r, const struct candidate *c, struct slice blob, bool whole)
{
    struct run_reader reader;
    struct run_record record;
    struct topic *topic = c->topic->topic;
    size_t before = r->count;
    uint64_t offset = c->first_offset;
    int more,
        error = run_open(&reader, blob, store_run_id(c->topic->id, c->first_offset), c->first_seq);
    while (!error && (more = run_next(&reader, &record)) != 0) {
        if (more > 0 && !whole && record.id.len == 0) {
            offset++;
            continue;
        }
        struct event *e = more > 0 ? store_make_event(r->store, &record, topic, offset++) : NULL;
        error = more < 0 ? more : e && add_event(r, e, whole ? topic : NULL) ? 0 : FAN_E_NO_MEMORY;
        if (error)
            event_unref(e);
        else
            e->accepted_ms = accepted(r, c);
    }
    if (!error && offset == c->first_offset + c->count)
        return 0;
    while (r->count > before)
        event_unref(r->events[--r->count].event);
    return error ? error : FAN_E_PARSE;
}

static int load_run(struct recent *r, const struct candidate *c, bool whole)
{
    struct store *s = r->store;
    sqlite3_stmt *q = store_db_get(&s->db, STORE_RUN_DATA);
    if (!q)
        return FAN_E_IO;
    sqlite3_bind_int64(q, 1, store_run_id(c->topic->id, c->first_offset));
    int error = FAN_E_IO;
    if (sqlite3_step(q) == SQLITE_ROW) {
        struct slice blob = slice_of(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
        error = decode(r, c, blob, whole);
    }
    sqlite3_reset(q);
    if (error && error != FAN_E_NO_MEMORY)
        store_report_damage(s, c->topic->topic, c->first_offset, c->count);
    return error;
}

/* Whether ids of that time have to be known. */
static bool is_recent(const struct recent *r, const struct candidate *c)
{
    return c->accepted_ms + (int64_t)r->store->options.idempotency_ms > r->now_ms &&
           r->count < RECENT_MAX_EVENTS;
}

/* Once memory is full only the ids are of interest. */
static void load_runs(struct recent *r)
{
    while (r->heap_count) {
        struct candidate *top = &r->heap[0];
        struct stored_topic *t = top->topic;
        uint64_t from = top->first_offset;
        bool whole = r->bytes < r->limit;
        if ((!whole && !is_recent(r, top)) || load_run(r, top, whole) != 0 ||
            !find_run(r->store, t, from, top))
            *top = r->heap[--r->heap_count];
        sift_down(r, 0);
    }
}

/* ---- To the hub ---- */

static int by_seq(const void *a, const void *b)
{
    const struct loaded *x = a, *y = b;
    return x->event->seq < y->event->seq ? -1 : x->event->seq > y->event->seq;
}

static void give_ids(struct hub *h, const struct event *e, uint64_t now_ms)
{
    for (unsigned i = 0; e->id.len && i < e->place_count; i++)
        hub_restore_id(h, e->places[i].topic, e, e->places[i].offset, now_ms - e->accepted_ms);
}

/* An event of several topics was read once for each: the first stands for all. */
static int give_to_hub(struct recent *r)
{
    int error = 0;
    uint64_t now_ms = clock_ms();
    struct hub *h = r->store->engine.hub;
    if (r->count)
        qsort(r->events, r->count, sizeof *r->events, by_seq);
    for (size_t i = 0, end; i < r->count; i = end) {
        struct event *e = r->events[i].event;
        uint64_t in = 0;
        for (end = i; end < r->count && r->events[end].event->seq == e->seq; end++)
            for (unsigned p = 0; p < e->place_count; p++)
                if (e->places[p].topic == r->events[end].topic)
                    in |= UINT64_C(1) << p;
        if (!error)
            error = hub_restore_event(h, e, in);
        give_ids(h, e, now_ms);
        for (size_t k = i; k < end; k++)
            event_unref(r->events[k].event);
    }
    return error;
}

int store_load_events(struct store *s, struct buf *why)
{
    uint64_t half = s->options.memory_limit / 2;
    struct recent r = {.store = s,
                       .limit = half < RECENT_MAX_BYTES ? half : RECENT_MAX_BYTES,
                       .now_ms = clock_wall_ms()};
    fill_heap(&r);
    load_runs(&r);
    int error = give_to_hub(&r);
    if (error)
        buf_printf(why, "%s: the newest events cannot be loaded: %s", s->path,
                   fan_error_text(error));
    memory_free(r.heap);
    memory_free(r.events);
    return error;
}

/* ---- One event ---- */

/* places[0] is the run's own. A topic that is gone is left out. */
static void fill_places(struct hub *h, struct event *e, const struct run_record *record)
{
    struct event_place own = e->places[0];
    unsigned count = 0;
    for (unsigned i = 0; i < record->place_count; i++) {
        const struct run_place *place = &record->places[i];
        struct topic *topic =
            place->name.len ? hub_get_topic(h, place->name) : topic_ref(own.topic);
        if (topic)
            e->places[count++] = (struct event_place){
                topic, place->name.len ? place->offset : own.offset, topic->epoch};
    }
    e->place_count = (uint16_t)count;
}

struct event *store_make_event(struct store *s, const struct run_record *record,
                               struct topic *topic, uint64_t offset)
{
    struct event_check check;
    struct event_spec spec = {
        .type = record->type,
        .source = record->source,
        .id = record->id,
        .key = record->key,
        .data = record->data,
        .audience = record->audience,
        .nested = record->nested,
        .time_ms = record->time_ms,
        .place_count = record->place_count ? record->place_count : 1,
    };
    event_type_resolve(record->type, TOPIC_BIT(topic->kind), &spec.type_info, &check);
    int index = catalogue_index(spec.type_info);
    spec.type_index = index < 0 ? EVENT_TYPE_CUSTOM : (uint8_t)index;
    struct event *e = event_try_new(&spec);
    if (!e)
        return NULL;
    e->seq = record->seq;
    e->accepted_ms = 1;
    e->places[0] = (struct event_place){.topic = topic, .offset = offset};
    if (record->place_count) {
        fill_places(s->engine.hub, e, record);
    } else {
        topic_ref(topic);
        e->places[0].epoch = topic->epoch;
    }
    return e;
}
