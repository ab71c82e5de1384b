/* The output queue; see out_queue.h. A ring of segments, four of them inside the object. */
#include "net/out_queue.h"

#include <assert.h>

#include "base/memory.h"
#include "fanfare/error.h"

void out_queue_pool_fini(struct out_queue_pool *pool)
{
    while (pool->count)
        memory_free(pool->spare[--pool->count]);
}

struct out_queue *out_queue_new(struct out_queue_pool *pool)
{
    struct out_queue *q = pool->count ? pool->spare[--pool->count] : memory_try_alloc(sizeof *q);
    if (!q)
        return NULL;
    memset(q, 0, offsetof(struct out_queue, inline_segments));
    q->segments = q->inline_segments;
    q->cap = OUT_INLINE;
    return q;
}

void out_queue_free(struct out_queue_pool *pool, struct out_queue *q)
{
    if (!q)
        return;
    for (uint32_t i = 0; i < q->count; i++)
        bytes_unref(out_queue_at(q, i)->bytes);
    if (q->segments != q->inline_segments)
        memory_free(q->segments);
    if (pool->count < OUT_SPARE_MAX)
        pool->spare[pool->count++] = q;
    else
        memory_free(q);
}

static int grow(struct out_queue *q)
{
    uint32_t cap = q->cap * 2;
    struct out_segment *larger = memory_try_alloc(cap * sizeof *larger);
    if (!larger)
        return FAN_E_NO_MEMORY;
    for (uint32_t i = 0; i < q->count; i++)
        larger[i] = *out_queue_at(q, i);
    if (q->segments != q->inline_segments)
        memory_free(q->segments);
    q->segments = larger;
    q->cap = cap;
    q->head = 0;
    return 0;
}

static void count(struct out_queue *q, const struct out_segment *s, bool add, uint32_t n)
{
    q->bytes = add ? q->bytes + n : q->bytes - n;
    if (!s->counted)
        return;
    if (s->kind == OUT_CONTROL)
        q->control_bytes = add ? q->control_bytes + n : q->control_bytes - n;
    else
        q->event_bytes = add ? q->event_bytes + n : q->event_bytes - n;
}

int out_queue_push(struct out_queue *q, const struct out_segment *segment)
{
    if (q->count) {
        struct out_segment *last = out_queue_at(q, q->count - 1);
        if (last->bytes == segment->bytes && last->kind == segment->kind &&
            last->offset + last->length == segment->offset) {
            last->length += segment->length;
            count(q, segment, true, segment->length);
            return 0;
        }
    }
    if (q->count == q->cap && grow(q) != 0)
        return FAN_E_NO_MEMORY;
    struct out_segment *s = out_queue_at(q, q->count++);
    *s = *segment;
    bytes_ref(s->bytes);
    count(q, s, true, s->length);
    return 0;
}

int out_queue_push_front(struct out_queue *q, const struct out_segment *segment)
{
    if (q->count == q->cap && grow(q) != 0)
        return FAN_E_NO_MEMORY;
    assert(q->cap >= OUT_INLINE);
    q->head = (q->head + q->cap - 1) % q->cap;
    q->count++;
    q->segments[q->head] = *segment;
    bytes_ref(segment->bytes);
    count(q, segment, true, segment->length);
    return 0;
}

int out_queue_push_sealed(struct out_queue *q, struct slice records)
{
    uint32_t waiting = 0, at = 0;
    for (; at < q->count && out_queue_at(q, at)->kind == OUT_SEALED; at++)
        waiting += out_queue_at(q, at)->length;
    struct bytes *all = bytes_try_new(waiting + records.len);
    if (!all)
        return FAN_E_NO_MEMORY;
    for (uint32_t i = 0; i < at; i++) {
        const struct out_segment *s = out_queue_at(q, i);
        memcpy(all->data + all->len, s->bytes->data + s->offset, s->length);
        all->len += s->length;
    }
    memcpy(all->data + all->len, records.ptr, records.len);
    all->len += (uint32_t)records.len;
    const struct out_segment segment = {.bytes = all, .length = all->len, .kind = OUT_SEALED};
    if (waiting)
        out_queue_advance(q, waiting);
    int error = out_queue_push_front(q, &segment);
    bytes_unref(all);
    return error;
}

void out_queue_take(struct out_queue *q, size_t n)
{
    out_queue_advance(q, n);
    if (!q->begun)
        return;
    struct out_segment *s = out_queue_at(q, 0);
    count(q, s, false, s->length);
    s->kind = OUT_CONTROL;
    s->counted = false;
    count(q, s, true, s->length);
    q->begun = false;
}

void out_queue_advance(struct out_queue *q, size_t n)
{
    while (n > 0) {
        struct out_segment *s = out_queue_at(q, 0);
        uint32_t part = n < s->length ? (uint32_t)n : s->length;
        count(q, s, false, part);
        s->offset += part;
        s->length -= part;
        n -= part;
        q->begun = s->length > 0;
        if (s->length)
            return;
        bytes_unref(s->bytes);
        q->head = (q->head + 1) % q->cap;
        q->count--;
    }
}

uint64_t out_queue_drop_events(struct out_queue *q, uint64_t *first_seq)
{
    uint64_t dropped = 0;
    uint32_t kept = q->begun ? 1 : 0;
    for (uint32_t i = kept; i < q->count; i++) {
        struct out_segment *s = out_queue_at(q, i);
        if (s->kind != OUT_EVENTS) {
            *out_queue_at(q, kept++) = *s;
            continue;
        }
        if (dropped == 0 || s->first_seq < *first_seq)
            *first_seq = s->first_seq;
        dropped += s->length;
        count(q, s, false, s->length);
        bytes_unref(s->bytes);
    }
    q->count = kept;
    return dropped;
}

bool out_queue_compact(struct out_queue *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        struct out_segment *s = out_queue_at(q, i);
        if (s->length >= s->bytes->cap / 2)
            continue;
        struct bytes *copy = bytes_try_copy(slice_of(s->bytes->data + s->offset, s->length));
        if (!copy)
            return false;
        bytes_unref(s->bytes);
        s->bytes = copy;
        s->offset = 0;
    }
    return true;
}
