/*
 * Accepting events: ids, offsets, history, the folded state, inboxes. Everything an event needs is
 * reserved before anything is changed, so that an event is accepted whole or not at all.
 */
#include <assert.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/hub_private.h"

/* ---- Inboxes ---- */

/* A worker that has fallen too far behind is told to read from history instead: the memory for
 * its delay is bounded, and the others are not held up. */
static void overflow_inbox(struct hub *h, struct inbox *in)
{
    for (uint32_t i = 0; i < in->count; i++)
        event_unref(in->items[i]);
    in->count = 0;
    in->bytes = 0;
    in->overflowed = true;
    h->stats.inbox_overflows++;
}

static bool inbox_push(struct hub *h, struct inbox *in, struct event *e)
{
    if (in->count >= INBOX_MAX_EVENTS || in->bytes > INBOX_MAX_BYTES)
        overflow_inbox(h, in);
    if (in->count == in->cap) {
        uint32_t cap = in->cap ? in->cap * 2 : 64;
        struct event **items = memory_try_realloc(in->items, cap * sizeof(struct event *));
        if (!items) {
            overflow_inbox(h, in);
            return in->cap > 0 ? inbox_push(h, in, e) : true;
        }
        in->items = items;
        in->cap = cap;
    }
    in->items[in->count++] = event_ref(e);
    in->bytes += e->size;
    return in->count == 1;
}

void hub_detach_inbox(struct hub *h, unsigned worker, struct inbox_batch *out)
{
    struct inbox *in = &h->workers[worker].inbox;
    *out = (struct inbox_batch){in->items, in->count, in->cap, in->overflowed, h->seq};
    *in = (struct inbox){0};
}

bool hub_drain(struct hub *h, unsigned worker, struct inbox_batch *out)
{
    pthread_mutex_lock(&h->lock);
    hub_detach_inbox(h, worker, out);
    pthread_mutex_unlock(&h->lock);
    return out->count || out->overflowed;
}

void inbox_release(struct inbox_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        event_unref(batch->items[i]);
    memory_free(batch->items);
    *batch = (struct inbox_batch){0};
}

static void distribute(struct hub *h, struct event *e)
{
    uint64_t workers = 0;
    for (unsigned i = 0; i < e->place_count; i++)
        workers |= e->places[i].topic->interested | e->places[i].topic->pattern_workers;
    for (unsigned w = 0; workers; w++, workers >>= 1) {
        struct hub_worker *worker = &h->workers[w];
        if ((workers & 1) && inbox_push(h, &worker->inbox, e) && worker->wake)
            worker->wake(worker->wake_arg);
    }
}

/* ---- Acceptance ---- */

static void keep_in(struct hub *h, struct topic *t, struct event *e)
{
    const struct topic_limits *limits = &h->config.kinds[t->kind];
    topic_history_append(&t->history, event_ref(e));
    t->bytes += e->size;
    while (t->offset + 1 - topic_first_offset(t) > limits->count) {
        hub_drop_oldest(h, t);
        h->stats.trimmed_count++;
    }
    while (limits->bytes && t->bytes > limits->bytes && t->history.count > 1) {
        if (topic_ring_first(t) > topic_first_offset(t)) {
            hub_trim_oldest(h, t); /* the rest is the engine's to trim */
            continue;
        }
        hub_drop_oldest(h, t);
        h->stats.trimmed_bytes++;
    }
}

static void bound_memory(struct hub *h)
{
    while (h->stats.bytes_kept + h->state_bytes > h->config.memory_limit &&
           !list_empty(&h->by_age)) {
        struct event *e = event_ref(CONTAINER(h->by_age.next, struct event, by_age));
        bool lost = false;
        for (unsigned i = 0; i < e->place_count; i++) {
            struct topic *t = e->places[i].topic;
            lost |= !t->stored;
            if (t->history.count && topic_history_at(&t->history, 0) == e)
                hub_trim_oldest(h, t);
        }
        event_unref(e);
        h->stats.trimmed_memory += lost;
    }
}

static void take_place(struct hub *h, struct event *e, struct event_place *place)
{
    struct topic *t = place->topic;
    bool remembered = place->offset != 0; /* when it was placed */
    t->offset++;
    t->last_seq = e->seq;
    assert(!remembered || place->offset == t->offset);
    place->offset = t->offset;
    place->epoch = t->epoch;
    if (e->id.len && !remembered)
        hub_id_remember(h, t, e, t->offset);
    hub_fold(h, t, e);
    keep_in(h, t, e);
}

static void take_order(struct hub *h, struct event *e, uint64_t now_ms)
{
    h->seq = e->seq;
    e->accepted_ms = now_ms;
    e->held = e->place_count;
    list_append(&h->by_age, &e->by_age);
    h->stats.events_kept++;
    h->stats.bytes_kept += e->size;
    for (unsigned i = 0; i < e->place_count; i++)
        take_place(h, e, &e->places[i]);
    h->stats.published++;
    bound_memory(h);
}

int hub_find_places(struct hub *h, struct publish_item *item)
{
    struct event *e = item->event;
    for (unsigned i = 0; i < e->place_count; i++) {
        struct topic *t;
        int error = hub_need_topic(h, item->topics[i], &t);
        if (error)
            return error;
        /* The same topic named twice would give the event two offsets in it. */
        for (unsigned k = 0; k < i; k++)
            if (e->places[k].topic == t)
                return FAN_E_INVALID;
        e->places[i].topic = topic_ref(t);
    }
    return 0;
}

int hub_reserve_places(struct event *e)
{
    for (unsigned i = 0; !e->ephemeral && i < e->place_count; i++) {
        struct topic *t = e->places[i].topic;
        if (topic_history_reserve(&t->history, t->placed + 1) != 0)
            return FAN_E_NO_MEMORY;
    }
    return 0;
}

/* Whether all topics that a durable engine keeps know the id. What the others knew ended with the
 * process before this one; the event has no offset there any more. */
static bool knows_stored(struct hub *h, const struct event *e)
{
    unsigned stored = 0;
    for (unsigned i = 0; i < e->place_count; i++) {
        const struct topic *t = e->places[i].topic;
        if (t->stored && !hub_id_find(h, topic_name_slice(t), e->id))
            return false;
        stored += t->stored;
    }
    return stored > 0;
}

bool hub_find_duplicate(struct hub *h, struct publish_item *item)
{
    struct event *e = item->event;
    unsigned known = 0;
    if (!e->id.len || e->ephemeral)
        return false;
    for (unsigned i = 0; i < e->place_count; i++) {
        const struct idempotency_entry *entry =
            hub_id_find(h, topic_name_slice(e->places[i].topic), e->id);
        if (!entry)
            continue;
        known++;
        e->places[i].offset = entry->offset;
        e->places[i].epoch = entry->epoch;
        e->time_ms = entry->time_ms;
    }
    if (known && known < e->place_count && !knows_stored(h, e))
        item->error = FAN_E_EXISTS;
    item->duplicate = known > 0;
    return item->duplicate;
}

void hub_show(struct hub *h, struct event *e, uint64_t now_ms)
{
    if (e->ephemeral) {
        e->seq = h->seq;
        for (unsigned i = 0; i < e->place_count; i++)
            e->places[i].epoch = e->places[i].topic->epoch;
        h->stats.ephemeral++;
    } else {
        take_order(h, e, now_ms);
    }
    for (unsigned i = 0; i < e->place_count; i++) {
        topic_rate_count(e->places[i].topic, now_ms);
        hub_touch_topic(h, e->places[i].topic);
    }
    distribute(h, e);
}

void hub_begin_item(struct hub *h, struct publish_item *item)
{
    list_init(&item->event->by_age);
    item->duplicate = item->queued = item->placed = false;
    item->error = hub_find_places(h, item);
}

void hub_accept_item(struct hub *h, struct publish_item *item, uint64_t now_ms)
{
    if (!item->error)
        item->error = hub_reserve_places(item->event);
    if (item->error) {
        h->stats.refused++;
    } else if (hub_find_duplicate(h, item)) {
        h->stats.duplicates++;
    } else {
        item->event->seq = h->seq + 1;
        hub_show(h, item->event, now_ms);
    }
}

void hub_accept(struct hub *h, struct publish_batch *batch)
{
    pthread_mutex_lock(&h->lock);
    uint64_t now_ms = h->config.monotonic_ms();
    for (unsigned i = 0; i < batch->count; i++) {
        hub_begin_item(h, batch->items[i]);
        hub_accept_item(h, batch->items[i], now_ms);
    }
    pthread_mutex_unlock(&h->lock);
}

void hub_stop(struct hub *h)
{
    if (h && h->engine && h->engine->ops->stop)
        h->engine->ops->stop(h->engine);
}

void hub_publish(struct hub *h, struct publish_batch *batch)
{
    h->engine->ops->publish(h->engine, batch);
}
