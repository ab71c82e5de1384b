/* Accepting in two steps; see placing.h. */
#include <assert.h>
#include <stdio.h>

#include "fanfare/error.h"
#include "hub/hub_private.h"
#include "hub/placing.h"

bool hub_is_stored(const struct event *e)
{
    for (unsigned i = 0; i < e->place_count; i++)
        if (e->places[i].topic->stored)
            return true;
    return false;
}

/* ---- The publisher's thread ---- */

static bool must_wait(const struct event *e)
{
    for (unsigned i = 0; i < e->place_count; i++)
        if (e->places[i].topic->pending)
            return true; /* or it would overtake */
    return !e->ephemeral && hub_is_stored(e);
}

static void count_pending(const struct event *e, int change)
{
    for (unsigned i = 0; i < e->place_count; i++)
        e->places[i].topic->pending += (uint32_t)change;
}

static void queue(struct hub *h, struct publish_batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) {
        struct publish_item *item = batch->items[i];
        item->queued = item->error == 0;
        if (item->queued)
            count_pending(item->event, 1);
        else
            h->stats.refused++;
    }
}

bool hub_accept_now(struct hub *h, struct publish_batch *batch)
{
    bool now = true;
    batch->reason[0] = '\0';
    pthread_mutex_lock(&h->lock);
    uint64_t now_ms = h->config.monotonic_ms();
    for (unsigned i = 0; i < batch->count; i++) {
        struct publish_item *item = batch->items[i];
        hub_begin_item(h, item);
        now = now && (item->error || !must_wait(item->event));
    }
    if (h->placed_seq && h->seq + batch->count >= h->placed_seq)
        now = false;
    for (unsigned i = 0; now && i < batch->count; i++)
        hub_accept_item(h, batch->items[i], now_ms);
    if (!now)
        queue(h, batch);
    pthread_mutex_unlock(&h->lock);
    return now;
}

static void leave_queue(struct publish_item *item)
{
    if (item->queued)
        count_pending(item->event, -1);
    item->queued = false;
}

void hub_refuse(struct hub *h, struct publish_batch *batch, int error)
{
    pthread_mutex_lock(&h->lock);
    for (unsigned i = 0; i < batch->count; i++) {
        struct publish_item *item = batch->items[i];
        leave_queue(item);
        if (item->error)
            continue;
        item->error = error;
        h->stats.refused++;
    }
    pthread_mutex_unlock(&h->lock);
}

/* ---- Placing ---- */

/* Ids are remembered from here on, so that a repetition in the same commit is found; nobody else
 * asks for those of topics that have events on their way. The offset in a topic of memory is not
 * known yet: it is set at the delivery. */
static void take_stored_places(struct hub *h, struct event *e)
{
    for (unsigned i = 0; i < e->place_count; i++) {
        struct topic *t = e->places[i].topic;
        e->places[i].offset = t->stored ? t->offset + t->placed : 0;
        e->places[i].epoch = t->epoch;
        if (e->id.len)
            hub_id_remember(h, t, e, e->places[i].offset);
    }
}

static void place_item(struct hub *h, struct publish_item *item, uint64_t *seq)
{
    struct event *e = item->event;
    if (item->error || e->ephemeral)
        return;
    bool stored = hub_is_stored(e);
    if (stored && hub_find_duplicate(h, item))
        return;
    item->error = hub_reserve_places(e);
    if (item->error)
        return;
    e->seq = ++*seq;
    for (unsigned i = 0; i < e->place_count; i++)
        e->places[i].topic->placed++;
    item->placed = stored;
    if (stored)
        take_stored_places(h, e);
}

uint64_t hub_place(struct hub *h, struct publish_batch *batches)
{
    pthread_mutex_lock(&h->lock);
    uint64_t seq = h->seq + PLACE_AHEAD;
    assert(h->placed_seq == 0);
    h->placed_seq = seq + 1;
    for (struct publish_batch *batch = batches; batch; batch = batch->next)
        for (unsigned i = 0; i < batch->count; i++)
            place_item(h, batch->items[i], &seq);
    pthread_mutex_unlock(&h->lock);
    return seq;
}

/* ---- When writing failed ---- */

static void forget_ids(struct hub *h, const struct event *e)
{
    for (unsigned i = 0; e->id.len && i < e->place_count; i++)
        hub_id_forget(h, topic_name_slice(e->places[i].topic), e->id);
}

/* A repetition of an event that is not there after all. */
static bool repeats_unwritten(const struct publish_item *item)
{
    const struct event *e = item->event;
    for (unsigned i = 0; item->duplicate && i < e->place_count; i++)
        if (e->places[i].topic->stored && e->places[i].offset > e->places[i].topic->offset)
            return true;
    return false;
}

static void unplace_item(struct hub *h, struct publish_item *item, int error)
{
    struct event *e = item->event;
    if (item->error || !(item->placed || repeats_unwritten(item)))
        return;
    if (item->placed) {
        forget_ids(h, e);
        for (unsigned i = 0; i < e->place_count; i++)
            e->places[i].topic->placed--;
    }
    for (unsigned i = 0; i < e->place_count; i++)
        e->places[i].offset = 0;
    item->placed = item->duplicate = false;
    item->error = error;
}

void hub_unplace(struct hub *h, struct publish_batch *batches, int error, const char *reason)
{
    pthread_mutex_lock(&h->lock);
    for (struct publish_batch *batch = batches; batch; batch = batch->next) {
        snprintf(batch->reason, sizeof batch->reason, "%s", reason);
        for (unsigned i = 0; i < batch->count; i++)
            unplace_item(h, batch->items[i], error);
    }
    pthread_mutex_unlock(&h->lock);
}

/* ---- Delivery ---- */

/* The offset in a topic of memory that the first one has got meanwhile. */
static void complete_duplicate(struct hub *h, struct publish_item *item)
{
    const struct event *e = item->event;
    for (unsigned i = 0; i < e->place_count; i++)
        if (e->places[i].offset == 0) {
            hub_find_duplicate(h, item);
            break;
        }
    h->stats.duplicates++;
}

static void deliver_item(struct hub *h, struct publish_item *item, uint64_t now_ms)
{
    struct event *e = item->event;
    bool has_place = item->placed || (!item->error && !item->duplicate && !e->ephemeral);
    leave_queue(item);
    for (unsigned i = 0; has_place && i < e->place_count; i++)
        e->places[i].topic->placed--;
    if (item->error)
        h->stats.refused++;
    else if (item->duplicate)
        complete_duplicate(h, item);
    else if (!item->placed && hub_find_duplicate(h, item))
        h->stats.duplicates++;
    else
        hub_show(h, e, now_ms);
}

/* Events that are shown under one hold of the lock: others wait for some 100 microseconds. */
#define DELIVER_AT_ONCE 256

void hub_deliver(struct hub *h, struct publish_batch *batches)
{
    unsigned left = DELIVER_AT_ONCE;
    pthread_mutex_lock(&h->lock);
    uint64_t now_ms = h->config.monotonic_ms();
    for (struct publish_batch *batch = batches; batch; batch = batch->next)
        for (unsigned i = 0; i < batch->count; i++) {
            if (batch->items[i]->queued)
                deliver_item(h, batch->items[i], now_ms);
            if (left-- > 0)
                continue;
            left = DELIVER_AT_ONCE;
            pthread_mutex_unlock(&h->lock);
            pthread_mutex_lock(&h->lock);
        }
    h->placed_seq = 0;
    pthread_mutex_unlock(&h->lock);
}
