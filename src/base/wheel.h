/*
 * Timer wheel: very many coarse timers that mostly never fire, at O(1) for set and cancel.
 *
 * One level of 1,024 slots; a deadline further away than one turn waits in its slot for the turns
 * it needs. The resolution is the tick, and a timer never fires early. Not thread-safe.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include <stdint.h>

#include "base/list.h"

#define WHEEL_SLOTS 1024

struct wheel_timer {
    struct list link; /* zero: never used */
    uint32_t due;     /* tick */
};

struct wheel {
    struct list slots[WHEEL_SLOTS];
    uint32_t tick_ms;
    uint32_t now;  /* tick */
    uint32_t used; /* timers set */
    uint64_t start_ms;
};

/* now_ms: any monotonic clock, the same for all calls. */
void wheel_init(struct wheel *w, uint32_t tick_ms, uint64_t now_ms);

/* Sets, or sets anew. It fires after at least delay_ms. */
void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t delay_ms);

/* No effect when it is not set. */
void wheel_cancel(struct wheel *w, struct wheel_timer *t);

static inline int wheel_is_set(const struct wheel_timer *t)
{
    return t->link.next && !list_empty(&t->link);
}

/* Moves to now_ms and calls fire for what is due. fire may set and cancel any timer. */
void wheel_advance(struct wheel *w, uint64_t now_ms, void (*fire)(struct wheel_timer *t, void *arg),
                   void *arg);

#endif
