/* Timer wheel; see wheel.h. */
#include "base/wheel.h"

void wheel_init(struct wheel *w, uint32_t tick_ms, uint64_t now_ms)
{
    for (int i = 0; i < WHEEL_SLOTS; i++)
        list_init(&w->slots[i]);
    w->tick_ms = tick_ms;
    w->now = 0;
    w->used = 0;
    w->start_ms = now_ms;
}

void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t delay_ms)
{
    wheel_cancel(w, t);
    /* One tick more than the delay: the current tick has partly passed. */
    t->due = w->now + 1 + (uint32_t)((delay_ms + w->tick_ms - 1) / w->tick_ms);
    list_append(&w->slots[t->due % WHEEL_SLOTS], &t->link);
    w->used++;
}

void wheel_cancel(struct wheel *w, struct wheel_timer *t)
{
    if (!wheel_is_set(t))
        return;
    list_remove(&t->link);
    w->used--;
}

static void fire_slot(struct wheel *w, void (*fire)(struct wheel_timer *t, void *arg), void *arg)
{
    struct list due;
    list_init(&due);
    list_take_all(&due, &w->slots[w->now % WHEEL_SLOTS]);
    while (!list_empty(&due)) {
        struct wheel_timer *t = CONTAINER(due.next, struct wheel_timer, link);
        list_remove(&t->link);
        if (t->due != w->now) {
            list_append(&w->slots[t->due % WHEEL_SLOTS], &t->link);
            continue;
        }
        w->used--;
        fire(t, arg);
    }
}

void wheel_advance(struct wheel *w, uint64_t now_ms, void (*fire)(struct wheel_timer *t, void *arg),
                   void *arg)
{
    uint32_t target = (uint32_t)((now_ms - w->start_ms) / w->tick_ms);
    while ((int32_t)(target - w->now) > 0) {
        if (!w->used) {
            w->now = target;
            return;
        }
        w->now++;
        fire_slot(w, fire, arg);
    }
}
