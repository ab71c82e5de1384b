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
    unsigned sources = read->source_count ? read->source_count : 1;
    unsigned share = sources > HUB_READ_MAX / 2 ? 1 : HUB_READ_MAX / sources;
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

static struct slice subject_of(const void *object)
{
    return event_subject(object);
}

/* Walks history[first, end) backwards and fills `events` from its end with what nothing newer
 * supersedes. Returns how many, or FAN_E_NO_MEMORY. */
static int select_latest(const struct topic_history *history, uint32_t first, uint32_t end,
                         struct event **events)
{
    struct map seen;
    uint32_t at = end - first;
    int error = 0;
    map_init(&seen, subject_of);
    for (uint32_t i = end; !error && i > first; i--) {
        struct event *e = topic_history_at(history, i - 1);
        if (e->key.len && map_get(&seen, event_subject(e)))
            continue;
        events[--at] = e;
        error = e->key.len ? map_try_put(&seen, e) : 0;
    }
    map_fini(&seen);
    return error ? error : (int)(end - first - at);
}

/* Keeps the oldest of what was selected up to max_bytes, but one at least. */
static void cut(struct latest_read *out, unsigned selected, size_t max_bytes)
{
    size_t bytes = 0;
    while (out->count < selected && (out->count == 0 || bytes <= max_bytes))
        bytes += event_ref(out->events[out->count++])->data.len;
    if (out->count < selected)
        out->end = out->events[out->count - 1]->seq;
}

/* Counts what was passed over up to the end of the read. */
static void count_superseded(const struct topic *topic, uint32_t first, struct latest_read *out)
{
    unsigned kept = 0;
    uint32_t end = topic_history_after(&topic->history, out->end);
    for (uint32_t i = first; i < end; i++) {
        if (kept < out->count && out->events[kept] == topic_history_at(&topic->history, i)) {
            kept++;
            continue;
        }
        out->to = out->first_offset + i;
        if (out->superseded++ == 0)
            out->from = out->to;
    }
    out->next_offset = out->first_offset + (end > first ? end : first);
}

/* Where in history a read that begins at `first` ends, at most at `end`; *until is lowered with it.
 */
static uint32_t latest_end(const struct topic_history *history, uint32_t first, uint32_t end,
                           uint64_t *until)
{
    if (end < first)
        end = first;
    if (end - first > HUB_LATEST_MAX) {
        end = first + HUB_LATEST_MAX;
        *until = topic_history_at(history, end - 1)->seq;
    }
    for (uint32_t i = first; i < end; i++)
        if (topic_history_at(history, i)->place_count > 1) {
            *until = topic_history_at(history, i)->seq - 1;
            return i;
        }
    return end;
}

int hub_read_latest(struct hub *h, struct topic *topic, uint64_t position, uint64_t until,
                    size_t max_bytes, struct latest_read *out)
{
    pthread_mutex_lock(&h->lock);
    uint32_t first = topic_history_after(&topic->history, position);
    uint32_t end =
        latest_end(&topic->history, first, topic_history_after(&topic->history, until), &until);
    *out = (struct latest_read){
        .events = memory_try_alloc((end - first) * sizeof(struct event *)),
        .end = until,
        .first_offset = topic_first_offset(topic),
    };
    int selected = FAN_E_NO_MEMORY;
    if (out->events)
        selected = select_latest(&topic->history, first, end, out->events);
    if (selected >= 0) {
        memmove(out->events, out->events + (end - first) - selected,
                (size_t)selected * sizeof(struct event *));
        cut(out, (unsigned)selected, max_bytes);
        count_superseded(topic, first, out);
    } else {
        memory_free(out->events);
        *out = (struct latest_read){0};
    }
    pthread_mutex_unlock(&h->lock);
    return selected < 0 ? selected : 0;
}

/* ---- Pages ---- */

int hub_topic_offset_at(struct hub *h, struct slice name, uint64_t position, uint64_t *since)
{
    pthread_mutex_lock(&h->lock);
    struct topic *t = hub_find_topic(h, name);
    if (t)
        *since = next_offset(t, position) - 1;
    pthread_mutex_unlock(&h->lock);
    return t ? 0 : FAN_E_NOT_FOUND;
}

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
