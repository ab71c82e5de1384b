/* Decoded runs, the least recently used of which go when there are too many; see store.h. */
#include "base/map.h"
#include "base/memory.h"
#include "engine/store.h"

struct store_cache {
    pthread_mutex_t lock;
    struct map runs;
    struct list by_use;
    size_t bytes, max_bytes;
};

static struct slice run_key(const void *object)
{
    const struct cached_run *run = object;
    return slice_of((const char *)&run->id, sizeof run->id);
}

struct store_cache *store_cache_new(size_t max_bytes)
{
    struct store_cache *c = memory_zero(sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    map_init(&c->runs, run_key);
    list_init(&c->by_use);
    c->max_bytes = max_bytes;
    return c;
}

/* The last one who uses it. */
static void drop_reference(struct cached_run *run)
{
    if (--run->refs > 0)
        return;
    for (unsigned i = 0; i < run->count; i++)
        event_unref(run->events[i]);
    memory_free(run);
}

static void evict(struct store_cache *c, struct cached_run *run)
{
    map_remove(&c->runs, run_key(run));
    list_remove(&run->link);
    c->bytes -= run->bytes;
    drop_reference(run);
}

void store_cache_free(struct store_cache *c)
{
    if (!c)
        return;
    while (!list_empty(&c->by_use))
        evict(c, CONTAINER(c->by_use.next, struct cached_run, link));
    map_fini(&c->runs);
    pthread_mutex_destroy(&c->lock);
    memory_free(c);
}

struct cached_run *store_cache_get(struct store_cache *c, int64_t id)
{
    pthread_mutex_lock(&c->lock);
    struct cached_run *run = map_get(&c->runs, slice_of((const char *)&id, sizeof id));
    if (run) {
        run->refs++;
        list_remove(&run->link);
        list_append(&c->by_use, &run->link);
    }
    pthread_mutex_unlock(&c->lock);
    return run;
}

void store_cache_add(struct store_cache *c, struct cached_run *run)
{
    list_init(&run->link);
    run->refs = 1;
    pthread_mutex_lock(&c->lock);
    /* Another reader may have been first. */
    if (!map_get(&c->runs, run_key(run)) && map_try_put(&c->runs, run) == 0) {
        run->refs++;
        list_append(&c->by_use, &run->link);
        c->bytes += run->bytes;
    }
    while (c->bytes > c->max_bytes)
        evict(c, CONTAINER(c->by_use.next, struct cached_run, link));
    pthread_mutex_unlock(&c->lock);
}

void store_cache_release(struct store_cache *c, struct cached_run *run)
{
    pthread_mutex_lock(&c->lock);
    drop_reference(run);
    pthread_mutex_unlock(&c->lock);
}
