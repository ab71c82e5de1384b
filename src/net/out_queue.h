/* The output queue of a connection that has something waiting; see conn.h. */
#ifndef NET_OUT_QUEUE_H
#define NET_OUT_QUEUE_H

#include "net/conn.h"

struct out_segment {
    struct bytes *bytes; /* one reference */
    uint32_t offset, length;
    uint64_t first_seq; /* of the first event; events only */
    uint8_t kind;       /* enum out_class */
    bool counted;       /* in control_bytes or event_bytes */
};

#define OUT_INLINE 4

struct out_queue {
    struct out_segment *segments; /* inline_segments, or allocated */
    uint32_t head, count, cap;
    uint32_t control_bytes;
    uint64_t event_bytes;
    uint64_t bytes; /* all of them, also those not counted */
    bool begun;     /* part of the first segment has been sent */
    struct out_segment inline_segments[OUT_INLINE];
};

/* Emptied queues, ready for the next connection: one that gets a frame of its own in each turn
 * would allocate and free each time. So few that they are no matter of memory. One thread's. */
#define OUT_SPARE_MAX 128

struct out_queue_pool {
    struct out_queue *spare[OUT_SPARE_MAX];
    unsigned count;
};

void out_queue_pool_fini(struct out_queue_pool *pool);

/* NULL: no memory. */
struct out_queue *out_queue_new(struct out_queue_pool *pool);

/* q NULL is allowed. */
void out_queue_free(struct out_queue_pool *pool, struct out_queue *q);

static inline struct out_segment *out_queue_at(const struct out_queue *q, uint32_t i)
{
    return &q->segments[(q->head + i) % q->cap];
}

/* Appends; merges with the last segment where the bytes go on. Takes a reference. */
int out_queue_push(struct out_queue *q, const struct out_segment *segment);

/* Puts a segment before all others. Takes a reference. */
int out_queue_push_front(struct out_queue *q, const struct out_segment *segment);

/* Puts TLS records behind those that wait already, and before all else. */
int out_queue_push_sealed(struct out_queue *q, struct slice records);

/* Takes n bytes of the front, which go out whatever happens to the queue: what is left of a segment
 * cannot be dropped any more. */
void out_queue_take(struct out_queue *q, size_t n);

/* n bytes of the front were sent. */
void out_queue_advance(struct out_queue *q, size_t n);

/* Removes event segments that have not begun; see conn_drop_events. */
uint64_t out_queue_drop_events(struct out_queue *q, uint64_t *first_seq);

/* Copies small pieces of large shared buffers, so that a waiting queue does not keep more memory
 * alive than about twice its own size. False: no memory, nothing changed for the worse. */
bool out_queue_compact(struct out_queue *q);

#endif
