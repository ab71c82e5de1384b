/*
 * An engine that is done later, and on a thread of its own: as one that commits before it answers.
 * Tests say when, in which order, and whether at all.
 */
#ifndef UNIT_LATE_ENGINE_H
#define UNIT_LATE_ENGINE_H

#include "test.h"

#include <pthread.h>
#include <stdio.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/hub.h"

struct late_engine {
    struct engine engine;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct publish_batch **waiting; /* in the order in which they came */
    unsigned count, cap;
    unsigned came;         /* batches so far */
    unsigned allowed;      /* batches that may be completed */
    unsigned limit;        /* more that wait are refused at once */
    unsigned events, most; /* that wait; at any time */
    bool holds;            /* only allowed ones are completed */
    bool backwards;        /* the newest first */
    int error;             /* of all items that are completed; 0: they are accepted */
    const char *reason;
    bool ends;
};

static inline void late_complete(struct late_engine *e, struct publish_batch *batch)
{
    int error = e->error;
    if (error)
        snprintf(batch->reason, sizeof batch->reason, "%s", e->reason);
    pthread_mutex_unlock(&e->lock);
    if (error == 0)
        hub_accept(e->engine.hub, batch);
    for (unsigned i = 0; error && i < batch->count; i++)
        batch->items[i]->error = error;
    batch->done(batch); /* gone from here on */
    pthread_mutex_lock(&e->lock);
}

static inline struct publish_batch *late_take(struct late_engine *e)
{
    unsigned at = e->backwards ? e->count - 1 : 0;
    struct publish_batch *batch = e->waiting[at];
    memmove(e->waiting + at, e->waiting + at + 1, (--e->count - at) * sizeof *e->waiting);
    if (e->holds && !e->ends)
        e->allowed--;
    e->events -= batch->count;
    return batch;
}

static inline void *late_run(void *arg)
{
    struct late_engine *e = arg;
    pthread_mutex_lock(&e->lock);
    while (e->count || !e->ends) {
        if (e->count && (e->ends || !e->holds || e->allowed))
            late_complete(e, late_take(e));
        else
            pthread_cond_wait(&e->changed, &e->lock);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

static inline void late_publish(struct engine *engine, struct publish_batch *batch)
{
    struct late_engine *e = (struct late_engine *)engine;
    pthread_mutex_lock(&e->lock);
    bool full = e->limit && e->count >= e->limit;
    if (!full && e->count == e->cap) {
        e->cap = e->cap ? 2 * e->cap : 64;
        e->waiting = memory_realloc(e->waiting, e->cap * sizeof *e->waiting);
    }
    if (!full) {
        e->waiting[e->count++] = batch;
        e->came++;
        e->events += batch->count;
        e->most = e->events > e->most ? e->events : e->most;
    }
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    for (unsigned i = 0; full && i < batch->count; i++)
        batch->items[i]->error = FAN_E_BUSY;
    if (full)
        batch->done(batch);
}

/* What waits is completed. */
static inline void late_stop(struct engine *engine)
{
    struct late_engine *e = (struct late_engine *)engine;
    pthread_mutex_lock(&e->lock);
    bool ended = e->ends;
    e->ends = true;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    if (!ended)
        pthread_join(e->thread, NULL);
}

static inline void late_free(struct engine *engine)
{
    struct late_engine *e = (struct late_engine *)engine;
    late_stop(engine);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    memory_free(e->waiting);
    memory_free(e);
}

static const struct engine_ops late_ops = {
    .name = "late",
    .publish = late_publish,
    .stop = late_stop,
    .free = late_free,
};

/* To be given to hub_set_engine. holds: nothing is completed until late_allow. */
static inline struct late_engine *late_engine_new(bool holds)
{
    struct late_engine *e = memory_zero(sizeof *e);
    e->engine.ops = &late_ops;
    e->holds = holds;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    assert_int_equal(pthread_create(&e->thread, NULL, late_run, e), 0);
    return e;
}

/* n more batches may be completed, now or when they come. */
static inline void late_allow(struct late_engine *e, unsigned n)
{
    pthread_mutex_lock(&e->lock);
    e->allowed += n;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

/* From now on only allowed ones are completed. */
static inline void late_hold(struct late_engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->holds = true;
    pthread_mutex_unlock(&e->lock);
}

/* Nothing is held back any more. */
static inline void late_let_go(struct late_engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->holds = false;
    e->allowed = 0;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

/* From now on what is completed fails with that; 0: it is accepted again. */
static inline void late_fail(struct late_engine *e, int error, const char *reason)
{
    pthread_mutex_lock(&e->lock);
    e->error = error;
    e->reason = reason;
    pthread_mutex_unlock(&e->lock);
}

/* Waits until so many batches have come in all. */
static inline void late_await(struct late_engine *e, unsigned came)
{
    pthread_mutex_lock(&e->lock);
    while (e->came < came)
        pthread_cond_wait(&e->changed, &e->lock);
    pthread_mutex_unlock(&e->lock);
}

/* The most events that waited at any time. */
static inline unsigned late_most(struct late_engine *e)
{
    pthread_mutex_lock(&e->lock);
    unsigned most = e->most;
    pthread_mutex_unlock(&e->lock);
    return most;
}

static inline unsigned late_came(struct late_engine *e)
{
    pthread_mutex_lock(&e->lock);
    unsigned came = e->came;
    pthread_mutex_unlock(&e->lock);
    return came;
}

#endif
