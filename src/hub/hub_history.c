/*
 * Reading history: merged over topics in node order for those who catch up, the newest event of
 * each key for slow readers of progress-like topics, and pages for the HTTP API.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/hub_private.h"

/* Whether history has dropped an event that the reader has not got. */
static bool find_gap(struct history_read *read)
{
    for (unsigned i = 0; i < read->source_count; i++) {
        uint64_t first = topic_first_offset(read->sources[i].topic);
        if (first <= read->sources[i].next_offset)
            continue;
        read->gap = true;
        read->gap_index = i;
        read->gap_to = first - 1;
        return true;
    }
    return false;
}

static uint64_t next_offset(const struct topic *t, uint64_t position)
{
    if (position < t->trimmed_seq)
        return topic_trimmed_after(t, position);
    return topic_first_offset(t) + topic_history_after(&t->history, position);
}

uint64_t hub_next_offset(struct hub *h, struct topic *topic, uint64_t position)
{
    pthread_mutex_lock(&h->lock);
    uint64_t next = next_offset(topic, position);
    pthread_mutex_unlock(&h->lock);
    return next;
}

uint64_t hub_first_offset(struct hub *h, struct topic *topic)
{
    pthread_mutex_lock(&h->lock);
    uint64_t first = topic_first_offset(topic);
    pthread_mutex_unlock(&h->lock);
    return first;
}

static int by_seq(const void *a, const void *b)
{
    const struct event *const *x = a, *const *y = b;
    return (*x)->seq < (*y)->seq ? -1 : (*x)->seq > (*y)->seq;
}

/* Takes the next events of one topic, at most `share`. Returns the position up to which the
 * topic's events are complete in the result. */
static uint64_t gather(struct history_read *read, const struct topic *t, unsigned share,
                       uint64_t until)
{
    const struct topic_history *history = &t->history;
    uint32_t at = topic_history_after(history, read->position);
    size_t bytes = 0;
    for (; at < history->count; at++) {
        struct event *e = topic_history_at(history, at);
        if (e->seq > until)
            return until;
        if (share-- == 0 || read->count == HUB_READ_MAX || (bytes > 0 && bytes > read->max_bytes))
            return topic_history_at(history, at - 1)->seq;
        read->events[read->count++] = e;
        bytes += e->data.len;
    }
    return until;
}

/* Keeps what is complete, without doubles (an event may have been gathered through several topics),
 * as far as max_bytes allow: each topic may have contributed so much. Returns the position that was
 * reached. */
static uint64_t select_events(struct history_read *read, uint64_t horizon)
{
    unsigned kept = 0;
    size_t bytes = 0;
    for (unsigned i = 0; i < read->count; i++) {
        struct event *e = read->events[i];
        if (e->seq > horizon)
            break;
        if (kept && read->events[kept - 1] == e)
            continue;
        if (bytes > 0 && bytes > read->max_bytes) {
            horizon = e->seq - 1;
            break;
        }
        bytes += e->data.len;
        read->events[kept++] = e;
    }
    read->count = kept;
    for (unsigned i = 0; i < kept; i++)
        event_ref(read->events[i]);
    return horizon;
}

/* With more topics than a read has room for, each gets one place and only the nearest are
 * looked at: those whose next event comes first. */
static uint64_t gather_all(struct history_read *read, uint64_t until)
{
    unsigned share = read->source_count > HUB_READ_MAX / 2 ? 1 : HUB_READ_MAX / read->source_count;
    uint64_t horizon = until;
    for (unsigned i = 0; i < read->source_count; i++) {
        const struct topic *t = read->sources[i].topic;
        uint32_t next = topic_history_after(&t->history, read->position);
        if (next == t->history.count)
            continue;
        if (read->count == HUB_READ_MAX) {
            uint64_t before = topic_history_at(&t->history, next)->seq - 1;
            horizon = before < horizon ? before : horizon;
            continue;
        }
        uint64_t complete = gather(read, t, share, until);
        horizon = complete < horizon ? complete : horizon;
    }
    return horizon;
}

void hub_read(struct hub *h, unsigned worker, struct history_read *read)
{
    read->count = 0;
    read->at_end = read->gap = false;
    read->inbox = (struct inbox_batch){0};
    pthread_mutex_lock(&h->lock);
    if (find_gap(read)) {
        pthread_mutex_unlock(&h->lock);
        return;
    }
    uint64_t until = read->until < h->seq ? read->until : h->seq;
    uint64_t horizon = gather_all(read, until);
    if (read->source_count > 1)
        qsort(read->events, read->count, sizeof(struct event *), by_seq);
    horizon = select_events(read, horizon);
    read->position = horizon > read->position ? horizon : read->position;
    read->at_end = horizon >= until;
    if (read->at_end && read->until == UINT64_MAX)
        hub_detach_inbox(h, worker, &read->inbox);
    pthread_mutex_unlock(&h->lock);
}

/* ---- The newest of each key ---- */

static struct slice key_of(const void *object)
{
    return ((const struct event *)object)->key;
}

/* Walks history[first, end) backwards and fills out->events from its end. */
static int select_latest(const struct topic *topic, uint32_t first, uint32_t end, struct map *seen,
                         struct latest_read *out)
{
    uint32_t room = end - first;
    int error = 0;
    for (uint32_t i = end; !error && i > first; i--) {
        struct event *e = topic_history_at(&topic->history, i - 1);
        uint64_t offset = out->first_offset + (i - 1);
        bool keyed = e->key.len > 0 && e->place_count == 1;
        if (keyed && map_get(seen, e->key)) {
            out->superseded++;
            out->from = offset;
            out->to = out->to ? out->to : offset;
            continue;
        }
        out->events[room - ++out->count] = event_ref(e);
        error = keyed ? map_try_put(seen, e) : 0;
    }
    memmove(out->events, out->events + (room - out->count), out->count * sizeof(struct event *));
    return error;
}

static void release_latest(struct latest_read *out)
{
    for (unsigned i = 0; i < out->count; i++)
        event_unref(out->events[i]);
    memory_free(out->events);
    *out = (struct latest_read){0};
}

int hub_read_latest(struct hub *h, struct topic *topic, uint64_t position, uint64_t until,
                    struct latest_read *out)
{
    struct map seen;
    map_init(&seen, key_of);
    pthread_mutex_lock(&h->lock);
    uint32_t first = topic_history_after(&topic->history, position);
    uint32_t end = topic_history_after(&topic->history, until);
    if (end < first)
        end = first;
    *out = (struct latest_read){
        .events = memory_try_alloc((end - first) * sizeof(struct event *)),
        .first_offset = topic_first_offset(topic),
        .next_offset = topic_first_offset(topic) + end,
    };
    int error = out->events ? select_latest(topic, first, end, &seen, out) : FAN_E_NO_MEMORY;
    if (error)
        release_latest(out);
    pthread_mutex_unlock(&h->lock);
    map_fini(&seen);
    return error;
}

/* ---- Pages ---- */

int hub_topic_page(struct hub *h, struct slice name, uint64_t since, unsigned max, size_t max_bytes,
                   struct event **events, struct topic_page *page)
{
    *page = (struct topic_page){0};
    pthread_mutex_lock(&h->lock);
    struct topic *t = hub_find_topic(h, name);
    if (t) {
        page->offset = t->offset;
        page->epoch = t->epoch;
        page->first_offset = topic_first_offset(t);
        uint64_t next = since < t->offset ? since + 1 : t->offset + 1;
        if (next < page->first_offset)
            next = page->first_offset;
        size_t bytes = 0;
        for (; next <= t->offset && page->count < max && bytes <= max_bytes; next++) {
            struct event *e = topic_history_at(&t->history, (uint32_t)(next - page->first_offset));
            events[page->count++] = event_ref(e);
            bytes += e->data.len;
        }
    }
    pthread_mutex_unlock(&h->lock);
    return t ? 0 : FAN_E_NOT_FOUND;
}
