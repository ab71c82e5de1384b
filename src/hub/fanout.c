/*
 * Fan-out of live events: groups, runs, delivery. See fanout.h.
 *
 * A run is appended to in place as long as nobody holds it. Members that need a look at each event
 * (picky ones) hold it from their first frame on; when it must grow then, it is handed to the
 * others and a new, larger one begins. A group remembers what its last runs needed, so that this
 * and growing are rare.
 */
#include "hub/fanout.h"

#include <stdlib.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/fanout_private.h"

/* A run is handed over at this size: bounds memory, and a send of more gains nothing. */
#define RUN_MAX (256 * 1024)
#define RUN_MIN 512

void fanout_init(struct fanout *f, struct hub *hub, unsigned worker, const struct fanout_sink *sink,
                 void *arg)
{
    memset(f, 0, sizeof *f);
    f->hub = hub;
    f->worker = worker;
    f->sink = sink;
    f->arg = arg;
    list_init(&f->groups);
    list_init(&f->dirty);
    list_init(&f->reading);
    list_init(&f->lagging);
    fanout_patterns_init(f);
}

void fanout_fini(struct fanout *f)
{
    buf_fini(&f->scratch);
    memory_free(f->sources);
    f->sources = NULL;
    fanout_patterns_fini(f);
}

/* ---- Filters ---- */

static bool filter_lists(const struct event_filter *f, struct slice type)
{
    for (unsigned i = 0; i < f->custom_count; i++)
        if (slice_is(type, f->custom[i]))
            return true;
    return false;
}

bool event_filter_wants(const struct event_filter *f, const struct event *e)
{
    if (!f || e->audience)
        return true;
    if (e->type_index != EVENT_TYPE_CUSTOM)
        return f->mask >> e->type_index & 1;
    return f->exclude ? !filter_lists(f, e->type) : filter_lists(f, e->type);
}

void event_filter_free(struct event_filter *f)
{
    if (!f)
        return;
    for (unsigned i = 0; i < f->custom_count; i++)
        memory_free(f->custom[i]);
    memory_free(f->custom);
    memory_free(f);
}

/* ---- Groups ---- */

struct group *group_get(struct fanout *f, struct topic *topic, const struct encoding *encoding)
{
    struct topic_local *local = topic->locals[f->worker];
    if (!local) {
        local = memory_try_alloc(sizeof *local);
        if (!local)
            return NULL;
        *local = (struct topic_local){.topic = topic_ref(topic)};
        topic->locals[f->worker] = local;
    }
    for (struct group *g = local->groups; g; g = g->next)
        if (g->encoding == encoding)
            return g;
    struct group *g = memory_try_alloc(sizeof *g);
    if (!g) {
        if (!local->groups) {
            topic->locals[f->worker] = NULL;
            topic_unref(local->topic);
            memory_free(local);
        }
        return NULL;
    }
    *g = (struct group){.local = local, .encoding = encoding, .next = local->groups};
    local->groups = g;
    list_init(&g->dirty);
    list_append(&f->groups, &g->all);
    return g;
}

void group_release(struct fanout *f, struct group *g)
{
    struct topic_local *local = g->local;
    if (g->members)
        return;
    for (struct group **at = &local->groups; *at; at = &(*at)->next)
        if (*at == g) {
            *at = g->next;
            break;
        }
    list_remove(&g->dirty);
    list_remove(&g->all);
    bytes_unref(g->run);
    memory_free(g->solo);
    memory_free(g->picky);
    memory_free(g);
    if (local->groups)
        return;
    local->topic->locals[f->worker] = NULL;
    topic_unref(local->topic);
    memory_free(local);
}

static int array_reserve(struct subscription ***array, uint32_t count, uint32_t *cap)
{
    if (count < *cap)
        return 0;
    uint32_t larger = *cap ? *cap + *cap / 2 + 1 : 2;
    void *grown = memory_try_realloc(*array, larger * sizeof(struct subscription *));
    if (!grown)
        return FAN_E_NO_MEMORY;
    *array = grown;
    *cap = larger;
    return 0;
}

int group_reserve(struct group *g, bool picky)
{
    return picky ? array_reserve(&g->picky, g->picky_count, &g->picky_cap)
                 : array_reserve(&g->solo, g->solo_count, &g->solo_cap);
}

void group_add(struct group *g, struct subscription *sub, bool picky)
{
    struct subscription **array = picky ? g->picky : g->solo;
    uint32_t *count = picky ? &g->picky_count : &g->solo_count;
    sub->index = *count;
    sub->picky = picky;
    sub->live = true;
    array[(*count)++] = sub;
}

void group_remove(struct subscription *sub)
{
    struct group *g = sub->group;
    if (!sub->live)
        return;
    struct subscription **array = sub->picky ? g->picky : g->solo;
    uint32_t *count = sub->picky ? &g->picky_count : &g->solo_count;
    struct subscription *last = array[--*count];
    array[sub->index] = last;
    last->index = sub->index;
    sub->live = false;
}

/* ---- Runs ---- */

static void start_run(struct fanout *f, struct group *g, size_t need)
{
    size_t size = g->run_size > RUN_MIN ? g->run_size : RUN_MIN;
    g->run = bytes_try_new(need > size ? need : size);
    if (g->run)
        list_append(&f->dirty, &g->dirty);
}

/* Makes room for n more bytes. False: no memory. */
static bool run_reserve(struct fanout *f, struct group *g, size_t n)
{
    if (g->run && (size_t)g->run->cap - g->run->len >= n)
        return true;
    if (g->run && (g->run->refs > 1 || g->run->len + n > RUN_MAX)) {
        g->run_size = g->run->cap < RUN_MAX / 2 ? g->run->cap * 2 : RUN_MAX;
        group_flush(f, g);
    }
    if (!g->run) {
        start_run(f, g, n);
        return g->run != NULL;
    }
    size_t cap = ((size_t)g->run->len + n) * 2;
    struct bytes *grown = memory_try_realloc(g->run, sizeof *grown + cap);
    if (!grown)
        return false;
    grown->cap = (uint32_t)cap;
    g->run = grown;
    return true;
}

void group_flush(struct fanout *f, struct group *g)
{
    struct bytes *run = g->run;
    if (!run)
        return;
    g->run = NULL;
    list_remove(&g->dirty);
    if (run->len > g->run_size)
        g->run_size = run->len;
    else
        g->run_size -= (g->run_size - run->len) / 8;
    if (g->solo_count) {
        const struct frames frames = {run, 0, run->len, g->run_first_seq, false};
        f->sink->deliver(f->arg, g->solo, g->solo_count, &frames);
    }
    bytes_unref(run);
}

static bool wanted(const struct fanout *f, const struct group *g, const struct event *e)
{
    if (g->solo_count || (f->matched_count && fanout_is_matched(f, g->encoding)))
        return true;
    for (uint32_t i = 0; i < g->picky_count; i++)
        if (event_filter_wants(g->picky[i]->owner->filter, e))
            return true;
    return false;
}

/* An ephemeral event carries the number of the one before it, which history still has. */
static uint64_t first_seq(const struct event *e)
{
    return e->ephemeral ? e->seq + 1 : e->seq;
}

/* Everybody in the group must read on in history. */
static void lag_group(struct fanout *f, struct group *g, uint64_t first_dropped)
{
    group_flush(f, g);
    for (uint32_t i = 0; i < g->solo_count; i++)
        fanout_lag(g->solo[i]->owner, first_dropped, 0);
    for (uint32_t i = 0; i < g->picky_count; i++)
        fanout_lag(g->picky[i]->owner, first_dropped, 0);
}

/* The event could not be encoded. Who got it through another topic goes on behind it. */
static void lag_at_event(struct fanout *f, struct group *g, const struct event *e)
{
    for (uint32_t i = 0; i < g->picky_count; i++)
        if (g->picky[i]->owner->last_serial == f->serial)
            fanout_lag(g->picky[i]->owner, e->seq + 1, 0);
    fanout_lag_matched(f, g->encoding, e);
    lag_group(f, g, first_seq(e));
}

void fanout_append(struct fanout *f, const struct encoding *encoding, const struct event *e,
                   unsigned place)
{
    if (encoding->append_as)
        encoding->append_as(encoding, f->encode_context, &f->scratch, e, place);
    else
        encoding->append(f->encode_context, &f->scratch, e, place);
}

bool fanout_append_own(struct fanout *f, const struct subscriber *s,
                       const struct encoding *encoding, const struct event *e, unsigned place)
{
    return s->source && encoding->append_own && slice_is(e->source, s->source) &&
           encoding->append_own(f->encode_context, &f->scratch, e, place);
}

/* A frame that only this subscriber gets; false: it gets what everybody gets. */
static bool deliver_own(struct fanout *f, struct subscriber *s, const struct encoding *encoding,
                        const struct event *e, unsigned place)
{
    buf_clear(&f->scratch);
    if (!fanout_append_own(f, s, encoding, e, place))
        return false;
    struct bytes *own = f->scratch.failed ? NULL : bytes_try_copy(buf_slice(&f->scratch));
    if (!own) {
        fanout_lag(s, first_seq(e), 0);
        return true;
    }
    const struct frames frames = {own, 0, own->len, first_seq(e), false};
    f->sink->deliver_one(f->arg, s, &frames);
    bytes_unref(own);
    return true;
}

bool group_deliver_to(struct fanout *f, const struct group *g, struct subscriber *s,
                      const struct event *e, unsigned place, const struct frames *frames)
{
    if (s->catch_up || s->last_serial == f->serial || !event_filter_wants(s->filter, e))
        return false;
    s->last_serial = f->serial;
    if (!s->source || !deliver_own(f, s, g->encoding, e, place))
        f->sink->deliver_one(f->arg, s, frames);
    return true;
}

static void deliver_to_picky(struct fanout *f, struct group *g, const struct event *e,
                             unsigned place, const struct frames *frames)
{
    uint64_t delivered = 0;
    for (uint32_t i = 0; i < g->picky_count; i++)
        delivered += group_deliver_to(f, g, g->picky[i]->owner, e, place, frames);
    STAT_ADD(f->stats.deliveries, delivered);
}

static void group_event(struct fanout *f, struct group *g, const struct event *e, unsigned place)
{
    uint32_t behind = g->members - g->solo_count - g->picky_count;
    if (e->ephemeral && behind)
        STAT_ADD(f->stats.dropped_ephemeral, behind);
    bool elsewhere = e->audience && e->audience != g->encoding->dialect + 1;
    if (elsewhere || !wanted(f, g, e))
        return;
    buf_clear(&f->scratch);
    fanout_append(f, g->encoding, e, place);
    size_t n = f->scratch.len;
    if (f->scratch.failed || !run_reserve(f, g, n)) {
        lag_at_event(f, g, e);
        return;
    }
    uint32_t at = g->run->len;
    memcpy(g->run->data + at, f->scratch.data, n);
    g->run->len += (uint32_t)n;
    if (at == 0)
        g->run_first_seq = first_seq(e);
    STAT_ADD(f->stats.encoded[g->encoding->dialect], 1);
    STAT_ADD(f->stats.encoded_bytes, n);
    STAT_ADD(f->stats.deliveries, g->solo_count);
    if (g->picky_count || f->matched_count) {
        const struct frames frames = {g->run, at, (uint32_t)n, first_seq(e), false};
        deliver_to_picky(f, g, e, place, &frames);
        fanout_deliver_matched(f, g, e, place, &frames);
    }
}

/* ---- The inbox ---- */

static void lag_everybody(struct fanout *f)
{
    LIST_EACH (link, &f->groups) {
        struct group *g = CONTAINER(link, struct group, all);
        lag_group(f, g, f->seq + 1);
    }
    fanout_lag_patterns(f, f->seq + 1);
    catch_up_leave_groups(f);
}

/* Groups that were made for a pattern's sake, and then nobody wanted the event. */
static void release_unused(struct fanout *f, const struct topic *topic)
{
    const struct topic_local *local = topic->locals[f->worker];
    struct group *next;
    for (struct group *g = local ? local->groups : NULL; g; g = next) {
        next = g->next;
        if (!g->run)
            group_release(f, g);
    }
}

/* The event under one of its topics. */
static void take_place(struct fanout *f, const struct event *e, unsigned place)
{
    struct topic *topic = e->places[place].topic;
    f->matched_count = 0;
    if (f->patterns.count)
        fanout_match(f, topic, e);
    const struct topic_local *local = topic->locals[f->worker];
    for (struct group *g = local ? local->groups : NULL; g; g = g->next)
        group_event(f, g, e, place);
    if (f->matched_count)
        release_unused(f, topic);
}

void fanout_take(struct fanout *f, struct inbox_batch *batch)
{
    if (batch->overflowed)
        lag_everybody(f);
    for (uint32_t i = 0; i < batch->count; i++) {
        f->serial++;
        for (unsigned place = 0; place < batch->items[i]->place_count; place++)
            take_place(f, batch->items[i], place);
    }
    f->matched_count = 0;
    if (batch->seq > f->seq)
        f->seq = batch->seq;
    inbox_release(batch);
    catch_up_leave_groups(f);
}

bool fanout_drain(struct fanout *f)
{
    struct inbox_batch batch;
    bool any = hub_drain(f->hub, f->worker, &batch);
    fanout_take(f, &batch);
    return any;
}

void fanout_deliver(struct fanout *f)
{
    while (!list_empty(&f->dirty)) {
        struct group *g = CONTAINER(f->dirty.next, struct group, dirty);
        group_flush(f, g);
        group_release(f, g); /* it may have been there for a pattern's sake */
    }
    catch_up_leave_groups(f);
}
