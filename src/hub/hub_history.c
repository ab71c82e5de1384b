/*
 * Reading history: merged over topics in node order for those who catch up, the newest event of
 * each key for slow readers of progress-like topics, and pages for the HTTP API.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/hub_private.h"
#include "hub/placing.h"

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

uint64_t hub_next_offset(struct hub *h, struct topic *topic, uint64_t position)
{
    struct stored_hint hint = {.topic = topic};
    uint64_t next;
    pthread_mutex_lock(&h->lock);
    while (!hub_offset_behind(topic, position, &hint, &next)) {
        hint.topic = topic;
        pthread_mutex_unlock(&h->lock);
        hub_ask(h, &hint);
        pthread_mutex_lock(&h->lock);
    }
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

/* ---- Several topics, merged ---- */

/* A read under way. Of topics whose next events are not in memory the engine's are read first,
 * without the lock, and end where memory began then; all others are gathered under the lock. Either
 * limits how far the other may go: `horizon`. */
struct merge {
    struct history_read *read;
    unsigned share;   /* events of one topic */
    uint64_t horizon; /* up to here nothing is missing */
    struct event *owned[HUB_READ_MAX];
    unsigned owned_count;
    bool *from_store; /* of each source; NULL: all are in memory */
};

static int by_seq(const void *a, const void *b)
{
    const struct event *const *x = a, *const *y = b;
    return (*x)->seq < (*y)->seq ? -1 : (*x)->seq > (*y)->seq;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whether memory has all that the reader lacks of the topic. Lock held. */
static bool source_in_memory(const struct history_source *source, uint64_t position)
{
    const struct topic *t = source->topic;
    return topic_ring_reaches(t, position) || source->next_offset >= topic_ring_first(t);
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

/* Keeps what is complete, without doubles (an event may have been gathered through several topics,
 * and an engine's copy of it lacks the topics that it does not keep), as far as max_bytes allow:
 * each topic may have contributed so much. Returns the position that was reached. */
static uint64_t select_events(struct history_read *read, uint64_t horizon)
{
    unsigned kept = 0;
    size_t bytes = 0;
    for (unsigned i = 0; i < read->count; i++) {
        struct event *e = read->events[i];
        if (e->seq > horizon)
            break;
        if (kept && read->events[kept - 1]->seq == e->seq) {
            if (read->events[kept - 1]->place_count < e->place_count)
                read->events[kept - 1] = e;
            continue;
        }
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
static void gather_from_memory(struct merge *m, uint64_t until)
{
    struct history_read *read = m->read;
    for (unsigned i = 0; i < read->source_count; i++) {
        const struct topic *t = read->sources[i].topic;
        uint32_t next = topic_history_after(&t->history, read->position);
        if ((m->from_store && m->from_store[i]) || read->sources[i].next_offset == UINT64_MAX)
            continue;
        if (!source_in_memory(&read->sources[i], read->position)) {
            m->horizon = read->position; /* it left memory since: next time */
        } else if (next == t->history.count) {
            continue;
        } else if (read->count == HUB_READ_MAX) {
            uint64_t before = topic_history_at(&t->history, next)->seq - 1;
            m->horizon = smaller(m->horizon, before);
        } else {
            m->horizon = smaller(m->horizon, gather(read, t, m->share, until));
        }
    }
}

/* Reads the engine's part of one source. Returns false when the read ends here: a gap, or a
 * failure. */
static bool gather_stored(struct hub *h, struct merge *m, unsigned i, uint64_t end,
                          uint64_t end_seq)
{
    struct history_read *read = m->read;
    struct event *first;
    bool full = read->count == HUB_READ_MAX;
    unsigned room = HUB_READ_MAX - read->count;
    struct stored_read stored = {
        .topic = read->sources[i].topic,
        .from = read->sources[i].next_offset,
        .end = end,
        .behind = read->position,
        .max = full              ? 1
               : room < m->share ? room
                                 : m->share,
        .max_bytes = read->max_bytes,
        .events = full ? &first : read->events + read->count,
    };
    read->failed = h->engine->ops->read(h->engine, &stored) != 0;
    if (read->failed)
        return false;
    if (stored.count == 0 && stored.damaged_to) {
        read->gap = true;
        read->gap_index = i;
        read->gap_to = stored.damaged_to;
        return false;
    }
    if (full && stored.count) {
        m->horizon = smaller(m->horizon, first->seq - 1);
        event_unref(first);
        return true;
    }
    for (unsigned k = 0; k < stored.count; k++)
        m->owned[m->owned_count++] = read->events[read->count++];
    bool whole =
        stored.count == 0 || (read->events[read->count - 1]->seq >= end_seq && !stored.damaged_to);
    m->horizon = smaller(m->horizon, whole ? end_seq : read->events[read->count - 1]->seq);
    return true;
}

/* Which source the next step begins at in memory, and from where: one after the other under the
 * lock, since reading goes without. */
static bool is_below_memory(struct hub *h, const struct history_read *read, unsigned i,
                            uint64_t *end, uint64_t *end_seq)
{
    const struct topic *t = read->sources[i].topic;
    pthread_mutex_lock(&h->lock);
    bool below = !source_in_memory(&read->sources[i], read->position);
    *end = topic_ring_first(t);
    *end_seq = t->ring_seq;
    pthread_mutex_unlock(&h->lock);
    return below;
}

/* False: nothing can be read, or there is a gap. */
static bool gather_from_store(struct hub *h, struct merge *m)
{
    struct history_read *read = m->read;
    uint64_t end, end_seq;
    for (unsigned i = 0; i < read->source_count; i++) {
        if (!is_below_memory(h, read, i, &end, &end_seq))
            continue;
        if (!m->from_store) {
            m->from_store = memory_try_alloc(read->source_count);
            read->failed = !m->from_store;
            if (read->failed)
                return false;
            memset(m->from_store, 0, read->source_count);
        }
        m->from_store[i] = true;
        if (!gather_stored(h, m, i, end, end_seq))
            return false;
    }
    return true;
}

/* Whether all that is wanted is in memory, for most reads by far. Lock held. */
static bool memory_reaches(const struct history_read *read)
{
    for (unsigned i = 0; i < read->source_count; i++)
        if (!source_in_memory(&read->sources[i], read->position))
            return false;
    return true;
}

/* Lock held. */
static void merge(struct hub *h, unsigned worker, struct merge *m)
{
    struct history_read *read = m->read;
    uint64_t until = smaller(read->until, h->seq);
    m->horizon = smaller(m->horizon, until);
    gather_from_memory(m, until);
    if (read->source_count > 1)
        qsort(read->events, read->count, sizeof(struct event *), by_seq);
    uint64_t horizon = select_events(read, m->horizon);
    read->position = horizon > read->position ? horizon : read->position;
    read->at_end = horizon >= until;
    if (read->at_end && read->until == UINT64_MAX)
        hub_detach_inbox(h, worker, &read->inbox);
}

/* How many events of each topic a read looks at. What can be given reaches to where the first topic
 * runs out: with one event of each that would often be one event, at the cost of looking at all. */
#define READ_TOGETHER 256
#define READ_OF_EACH  4

static unsigned share_of(const struct history_read *read)
{
    unsigned sources = read->source_count ? read->source_count : 1;
    unsigned share = READ_TOGETHER / sources;
    if (share < READ_OF_EACH)
        share = READ_OF_EACH;
    if (share > HUB_READ_MAX / sources)
        share = HUB_READ_MAX / sources;
    return share ? share : 1;
}

void hub_read(struct hub *h, unsigned worker, struct history_read *read)
{
    struct merge m; /* large: `owned` is not cleared */
    m.read = read;
    m.share = share_of(read);
    m.horizon = UINT64_MAX;
    m.owned_count = 0;
    m.from_store = NULL;
    read->count = 0;
    read->at_end = read->gap = read->failed = false;
    read->inbox = (struct inbox_batch){0};
    pthread_mutex_lock(&h->lock);
    bool readable = !find_gap(read);
    if (readable && !memory_reaches(read)) {
        pthread_mutex_unlock(&h->lock);
        readable = gather_from_store(h, &m);
        pthread_mutex_lock(&h->lock);
    }
    if (readable)
        merge(h, worker, &m);
    else
        read->count = 0;
    pthread_mutex_unlock(&h->lock);
    for (unsigned i = 0; i < m.owned_count; i++)
        event_unref(m.owned[i]);
    memory_free(m.from_store);
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
    if (!topic_ring_reaches(topic, position) &&
        topic_ring_first(topic) > topic_first_offset(topic)) {
        pthread_mutex_unlock(&h->lock);
        *out = (struct latest_read){0};
        return FAN_E_UNAVAILABLE;
    }
    uint32_t first = topic_history_after(&topic->history, position);
    uint32_t end =
        latest_end(&topic->history, first, topic_history_after(&topic->history, until), &until);
    *out = (struct latest_read){
        .events = memory_try_alloc((end - first) * sizeof(struct event *)),
        .end = until,
        .first_offset = topic_ring_first(topic),
    };
    int selected = FAN_E_NO_MEMORY;
    if (out->events)
        selected = select_latest(&topic->history, first, end, out->events);
    if (selected >= 0) {
        memmove(out->events, out->events + (end - first) - selected,
                (size_t)selected * sizeof(struct event *));
        cut(out, (unsigned)selected, max_bytes);
        count_superseded(topic, first, out);
        out->first_offset = topic_first_offset(topic);
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
    struct topic *t = hub_get_topic(h, name);
    if (!t)
        return FAN_E_NOT_FOUND;
    *since = hub_next_offset(h, t, position) - 1;
    topic_unref(t);
    return 0;
}

/* A page under way. */
struct paging {
    struct topic *topic;
    uint64_t next; /* offset */
    unsigned max;
    size_t bytes, max_bytes;
    struct event **events;
    struct topic_page *page;
};

static bool is_full(const struct paging *p)
{
    return p->page->count >= p->max || p->bytes > p->max_bytes;
}

static void page_memory(struct paging *p)
{
    const struct topic *t = p->topic;
    for (; p->next <= t->offset && !is_full(p); p->next++) {
        struct event *e = topic_history_at(&t->history, (uint32_t)(p->next - topic_ring_first(t)));
        p->events[p->page->count++] = event_ref(e);
        p->bytes += e->data.len;
    }
}

/* What the engine has before `end`. Damaged events are passed over: the numbers show it. */
static int page_stored(struct hub *h, struct paging *p, uint64_t end)
{
    struct stored_read read = {.topic = p->topic,
                               .from = p->next,
                               .end = end,
                               .max = p->max - p->page->count,
                               .max_bytes = p->max_bytes - p->bytes,
                               .events = p->events + p->page->count};
    int error = h->engine->ops->read(h->engine, &read);
    if (error)
        return error;
    for (unsigned i = 0; i < read.count; i++)
        p->bytes += p->events[p->page->count++]->data.len;
    p->next += read.count;
    if (read.damaged_to)
        p->next = read.damaged_to + 1;
    return 0;
}

static int fill_page(struct hub *h, struct paging *p)
{
    int error = 0;
    struct topic *t = p->topic;
    for (bool done = false; !error && !done;) {
        pthread_mutex_lock(&h->lock);
        if (p->next < topic_first_offset(t))
            p->next = topic_first_offset(t);
        uint64_t end = topic_ring_first(t);
        done = is_full(p) || p->next >= end;
        if (done)
            page_memory(p);
        pthread_mutex_unlock(&h->lock);
        if (!done)
            error = page_stored(h, p, end);
    }
    return error;
}

int hub_page(struct hub *h, struct topic *t, uint64_t since, unsigned max, size_t max_bytes,
             struct event **events, struct topic_page *page)
{
    *page = (struct topic_page){0};
    struct paging p = {
        .topic = t, .max = max, .max_bytes = max_bytes, .events = events, .page = page};
    pthread_mutex_lock(&h->lock);
    page->offset = t->offset;
    page->epoch = t->epoch;
    page->first_offset = topic_first_offset(t);
    p.next = since < t->offset ? since + 1 : t->offset + 1;
    pthread_mutex_unlock(&h->lock);
    int error = fill_page(h, &p);
    while (error && page->count)
        event_unref(events[--page->count]);
    return error;
}

int hub_topic_page(struct hub *h, struct slice name, uint64_t since, unsigned max, size_t max_bytes,
                   struct event **events, struct topic_page *page)
{
    struct topic *t = hub_get_topic(h, name);
    *page = (struct topic_page){0};
    int error = t ? hub_page(h, t, since, max, max_bytes, events, page) : FAN_E_NOT_FOUND;
    topic_unref(t);
    return error;
}
