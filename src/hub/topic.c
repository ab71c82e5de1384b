/* Topics and their history ring; see topic.h. */
#include "hub/topic.h"

#include <assert.h>

#include "base/memory.h"
#include "fanfare/error.h"

struct topic *topic_ref(struct topic *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void topic_unref(struct topic *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    memory_free(t->history.ring); /* reserved for an event that was refused */
    memory_free(t->locals);
    memory_free(t->trim_log);
    memory_free(t);
}

struct topic *topic_try_new(struct slice name, enum topic_kind kind, unsigned workers)
{
    struct topic *t = memory_try_alloc(sizeof *t + name.len);
    if (!t)
        return NULL;
    memset(t, 0, sizeof *t);
    t->locals = memory_try_alloc(workers * sizeof *t->locals);
    if (!t->locals) {
        memory_free(t);
        return NULL;
    }
    memset(t->locals, 0, workers * sizeof *t->locals);
    atomic_init(&t->refs, 1);
    t->kind = kind;
    t->floor = 1;
    list_init(&t->idle_link);
    list_init(&t->kind_link);
    t->name_len = (uint32_t)name.len;
    memcpy(t->name, name.ptr, name.len);
    return t;
}

int topic_history_reserve(struct topic_history *h, uint32_t more)
{
    if (h->ring && h->count + more <= h->mask + 1)
        return 0;
    assert(h->ring || h->count == 0);
    uint32_t size = h->ring ? (h->mask + 1) * 2 : 8;
    while (size < h->count + more)
        size *= 2;
    struct event **ring = memory_try_alloc(size * sizeof(struct event *));
    if (!ring)
        return FAN_E_NO_MEMORY;
    for (uint32_t i = 0; i < h->count; i++)
        ring[i] = topic_history_at(h, i);
    memory_free(h->ring);
    *h = (struct topic_history){.ring = ring, .count = h->count, .mask = size - 1};
    return 0;
}

void topic_history_append(struct topic_history *h, struct event *e)
{
    h->ring[(h->head + h->count++) & h->mask] = e;
}

struct event *topic_history_shift(struct topic_history *h)
{
    if (h->count == 0)
        return NULL;
    struct event *e = h->ring[h->head];
    h->head = (h->head + 1) & h->mask;
    h->count--;
    return e;
}

void topic_history_release(struct topic_history *h)
{
    assert(h->count == 0);
    memory_free(h->ring);
    *h = (struct topic_history){0};
}

uint32_t topic_history_after(const struct topic_history *h, uint64_t seq)
{
    uint32_t low = 0, high = h->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (topic_history_at(h, middle)->seq > seq)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void thin_out(struct trim_log *log)
{
    uint32_t half = log->count / 2, kept = 0;
    for (uint32_t i = 0; i < log->count; i++)
        if (i >= half || i % 2 == 0)
            log->entries[kept++] = log->entries[i];
    log->count = kept;
}

/* Makes room for one more entry. NULL: no memory for the first one; a loss is then told from its
 * first possible offset on. */
static struct trim_log *make_room(struct trim_log *log)
{
    uint32_t cap = log ? log->cap * 2 : TRIM_LOG_MIN;
    if (log && log->count < log->cap)
        return log;
    struct trim_log *grown =
        cap > TRIM_LOG_MAX ? NULL
                           : memory_try_realloc(log, sizeof *log + cap * sizeof log->entries[0]);
    if (!grown) {
        if (log)
            thin_out(log);
        return log;
    }
    grown->count = log ? grown->count : 0;
    grown->cap = cap;
    return grown;
}

void topic_note_trimmed(struct topic *t, uint64_t seq, uint64_t offset)
{
    struct trim_log *log = t->trim_log;
    if (log && log->count && log->entries[log->count - 1].seq >= seq)
        return; /* known, and more exactly */
    log = t->trim_log = make_room(log);
    if (!log)
        return;
    log->entries[log->count].seq = seq;
    log->entries[log->count++].offset = offset;
}

uint64_t topic_trimmed_after(const struct topic *t, uint64_t seq)
{
    const struct trim_log *log = t->trim_log;
    uint32_t low = 0, high = log ? log->count : 0;
    while (low < high) { /* the first entry behind seq */
        uint32_t middle = low + (high - low) / 2;
        if (log->entries[middle].seq > seq)
            high = middle;
        else
            low = middle + 1;
    }
    return low ? log->entries[low - 1].offset + 1 : 1;
}

static void roll_rate(struct topic *t, uint64_t now_ms)
{
    uint64_t second = now_ms / 1000;
    for (unsigned steps = 0; t->rate_second < second && steps < 64; steps++, t->rate_second++) {
        t->rate = t->rate * 0.7f + (float)t->rate_count * 0.3f;
        t->rate_count = 0;
    }
    if (t->rate_second < second) {
        t->rate = 0;
        t->rate_second = second;
    }
}

void topic_rate_count(struct topic *t, uint64_t now_ms)
{
    if (t->rate_second != now_ms / 1000)
        roll_rate(t, now_ms);
    t->rate_count++;
}

double topic_rate(struct topic *t, uint64_t now_ms)
{
    roll_rate(t, now_ms);
    return (double)(t->rate < 0.005f ? 0 : t->rate);
}
