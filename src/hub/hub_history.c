/*
 * Reading history: merged over topics in node order for those who catch up, the newest event of
 * each key for slow readers of progress-like topics, and pages for the HTTP API.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/hub_private.h"

/* Reports the topics whose history was trimmed past the position one after the other, in the order
 * of (trimmed_seq, index), of which gap_seq and gap_index remember the last. */
static bool find_gap(struct history_read *read)
{
    const struct topic *best = NULL;
    unsigned best_index = 0;
    for (unsigned i = 0; i < read->topic_count; i++) {
        const struct topic *t = read->topics[i];
        bool reported = t->trimmed_seq < read->gap_seq ||
                        (t->trimmed_seq == read->gap_seq && i <= read->gap_index);
        if (t->trimmed_seq <= read->position || reported)
            continue;
        if (!best || t->trimmed_seq < best->trimmed_seq) {
            best = t;
            best_index = i;
        }
    }
    if (!best)
        return false;
    read->gap_topic = read->topics[best_index];
    read->gap_index = best_index;
    read->gap_seq = best->trimmed_seq;
    return true;
}

uint64_t hub_next_offset(struct hub *h, struct topic *topic, uint64_t position)
{
    pthread_mutex_lock(&h->lock);
    uint64_t next = topic_first_offset(topic) + topic_history_after(&topic->history, position);
    pthread_mutex_unlock(&h->lock);
    return next;
}

uint64_t hub_first_offset(struct hub *h, struct topic *topic)
{
    return hub_next_offset(h, topic, 0);
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

/* One event may have been gathered through several topics. */
static void drop_doubles(struct history_read *read, uint64_t horizon)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < read->count; i++) {
        struct event *e = read->events[i];
        if (e->seq > horizon || (kept && read->events[kept - 1] == e))
            continue;
        read->events[kept++] = e;
    }
    read->count = kept;
    for (unsigned i = 0; i < kept; i++)
        event_ref(read->events[i]);
}

/* With more topics than a read has room for, each gets one place and only the nearest are
 * looked at: those whose next event comes first. */
static uint64_t gather_all(struct history_read *read, uint64_t until)
{
    unsigned share = read->topic_count > HUB_READ_MAX / 2 ? 1 : HUB_READ_MAX / read->topic_count;
    uint64_t horizon = until;
    for (unsigned i = 0; i < read->topic_count; i++) {
        const struct topic *t = read->topics[i];
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
    read->at_end = false;
    read->gap_topic = NULL;
    read->inbox = (struct inbox_batch){0};
    pthread_mutex_lock(&h->lock);
    if (find_gap(read)) {
        pthread_mutex_unlock(&h->lock);
        return;
    }
    uint64_t until = read->until < h->seq ? read->until : h->seq;
    uint64_t horizon = gather_all(read, until);
    if (read->topic_count > 1)
        qsort(read->events, read->count, sizeof(struct event *), by_seq);
    drop_doubles(read, horizon);
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

int hub_read_latest(struct hub *h, struct topic *topic, uint64_t position, uint64_t until,
                    struct latest_read *out)
{
    struct map seen;
    int error = 0;
    *out = (struct latest_read){0};
    map_init(&seen, key_of);
    pthread_mutex_lock(&h->lock);
    const struct topic_history *history = &topic->history;
    uint32_t first = topic_history_after(history, position);
    uint32_t end = topic_history_after(history, until);
    uint32_t room = end - first;
    out->events = memory_try_alloc(room * sizeof(struct event *));
    if (!out->events)
        error = FAN_E_NO_MEMORY;
    for (uint32_t i = end; !error && i > first; i--) {
        struct event *e = topic_history_at(history, i - 1);
        uint64_t offset = topic_first_offset(topic) + (i - 1);
        if (e->key.len && map_get(&seen, e->key)) {
            out->superseded++;
            out->from = offset;
            out->to = out->to ? out->to : offset;
            continue;
        }
        if (e->key.len)
            map_put(&seen, e);
        out->events[room - ++out->count] = event_ref(e);
    }
    pthread_mutex_unlock(&h->lock);
    if (out->count < room)
        memmove(out->events, out->events + (room - out->count),
                out->count * sizeof(struct event *));
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
