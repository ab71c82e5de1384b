/*
 * Interest in topics by the beginning of their names, up to a slash: of workers, in topics that
 * there are and in those that are made later.
 *
 * A topic's name has few such beginnings, so a new topic looks each of them up; how many patterns
 * there are does not matter.
 */
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/hub_private.h"

struct hub_pattern {
    uint32_t prefix_len;
    uint32_t workers[HUB_MAX_WORKERS]; /* how often each has joined */
    char prefix[];
};

static struct slice pattern_key(const void *object)
{
    const struct hub_pattern *p = object;
    return slice_of(p->prefix, p->prefix_len);
}

void hub_patterns_init(struct hub *h)
{
    map_init(&h->patterns, pattern_key);
}

void hub_patterns_fini(struct hub *h)
{
    MAP_EACH (i, &h->patterns)
        memory_free(h->patterns.slots[i].object);
    map_fini(&h->patterns);
}

/* A prefix has its kind whole: "channel:", "channel:files/". */
static enum topic_kind kind_of(struct slice prefix)
{
    enum topic_kind kind = TOPIC_CHANNEL;
    struct slice name = prefix;
    slice_split(&prefix, ':', &name);
    topic_kind_find(name, &kind);
    return kind;
}

void hub_patterns_apply(struct hub *h, struct topic *t)
{
    struct slice prefix;
    t->pattern_workers = 0;
    for (size_t at = 0;
         h->patterns.count && topic_prefix_next(topic_name_slice(t), &at, &prefix);) {
        const struct hub_pattern *p = map_get(&h->patterns, prefix);
        for (unsigned w = 0; p && w < h->config.workers; w++)
            if (p->workers[w])
                t->pattern_workers |= 1ull << w;
    }
}

/* The topics among which those of the pattern are. */
static struct list *candidates(struct hub *h, struct slice prefix)
{
    return &h->by_kind[kind_of(prefix)];
}

static void apply_to_all(struct hub *h, struct slice prefix)
{
    LIST_EACH (link, candidates(h, prefix)) {
        struct topic *t = CONTAINER(link, struct topic, kind_link);
        if (slice_begins(topic_name_slice(t), prefix))
            hub_patterns_apply(h, t);
    }
}

static struct hub_pattern *need_pattern(struct hub *h, struct slice prefix)
{
    struct hub_pattern *p = map_get(&h->patterns, prefix);
    if (p)
        return p;
    p = memory_try_alloc(sizeof *p + prefix.len);
    if (!p)
        return NULL;
    memset(p, 0, sizeof *p);
    p->prefix_len = (uint32_t)prefix.len;
    memcpy(p->prefix, prefix.ptr, prefix.len);
    if (map_try_put(&h->patterns, p) != 0) {
        memory_free(p);
        return NULL;
    }
    return p;
}

/* As hub_join's positions, for all topics of the pattern together: a log of one of them that was
 * lost since may have held events. */
static void locate(const struct hub *h, struct slice prefix, const struct start_point *start,
                   struct pattern_result *out)
{
    uint64_t lost = h->lost_seq[kind_of(prefix)];
    out->reason = RESUME_OK;
    out->seq = out->position = h->seq;
    if (start->kind == START_BEGINNING) {
        out->position = 0;
    } else if (start->kind == START_CURSOR) {
        if (start->epoch != h->epoch || lost > start->offset)
            out->reason = RESUME_EPOCH_CHANGED;
        else if (start->offset > h->seq)
            out->reason = RESUME_INVALID;
        else
            out->position = start->offset;
    } else if (start->kind != START_NOW) {
        out->reason = RESUME_INVALID;
    }
}

int hub_pattern_join(struct hub *h, unsigned worker, struct slice prefix,
                     const struct start_point *start, struct pattern_result *out)
{
    *out = (struct pattern_result){0};
    pthread_mutex_lock(&h->lock);
    struct hub_pattern *p = need_pattern(h, prefix);
    if (p) {
        if (p->workers[worker]++ == 0)
            apply_to_all(h, prefix);
        locate(h, prefix, start, out);
        hub_detach_inbox(h, worker, &out->inbox);
    }
    pthread_mutex_unlock(&h->lock);
    return p ? 0 : FAN_E_NO_MEMORY;
}

void hub_pattern_leave(struct hub *h, unsigned worker, struct slice prefix)
{
    pthread_mutex_lock(&h->lock);
    struct hub_pattern *p = map_get(&h->patterns, prefix);
    bool used = false;
    if (--p->workers[worker] == 0)
        apply_to_all(h, prefix);
    for (unsigned w = 0; w < h->config.workers; w++)
        used |= p->workers[w] != 0;
    if (!used) {
        map_remove(&h->patterns, prefix);
        memory_free(p);
    }
    pthread_mutex_unlock(&h->lock);
}

int hub_topics_since(struct hub *h, struct slice prefix, uint64_t position, struct topic_array *out)
{
    int error = 0;
    pthread_mutex_lock(&h->lock);
    LIST_EACH (link, candidates(h, prefix)) {
        struct topic *t = CONTAINER(link, struct topic, kind_link);
        if (error || t->last_seq <= position || !slice_begins(topic_name_slice(t), prefix))
            continue;
        if (out->count == out->cap) {
            unsigned cap = out->cap ? out->cap * 2 : 16;
            void *grown = memory_try_realloc(out->topics, cap * sizeof(struct topic *));
            error = grown ? 0 : FAN_E_NO_MEMORY;
            if (error)
                continue;
            out->topics = grown;
            out->cap = cap;
        }
        out->topics[out->count++] = topic_ref(t);
    }
    pthread_mutex_unlock(&h->lock);
    return error;
}

void topic_array_fini(struct topic_array *array)
{
    for (unsigned i = 0; i < array->count; i++)
        topic_unref(array->topics[i]);
    memory_free(array->topics);
    *array = (struct topic_array){0};
}

void hub_follow(struct hub *h, unsigned worker, unsigned dialect, struct topic *topic)
{
    pthread_mutex_lock(&h->lock);
    topic_ref(topic);
    topic->interested |= 1ull << worker;
    topic->subscribers++;
    topic->subscribers_of[dialect]++;
    h->stats.subscriptions++;
    hub_touch_topic(h, topic);
    pthread_mutex_unlock(&h->lock);
}
