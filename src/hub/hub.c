/*
 * The hub's topics: making, dropping and trimming them; listings. Publishing is in hub_publish.c,
 * joining in hub_join.c, reading history in hub_history.c. See hub.h for the whole.
 *
 * Retention: each topic's history is bounded by count, age and bytes, and all of them together by
 * memory_limit. Events are kept in one list in node order; the oldest event of all is also the
 * oldest in each of its topics, so trimming for memory takes from the front of that list.
 */
#include "hub/hub.h"

#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/hub_private.h"
#include "hub/session_state.h"

static struct slice topic_key(const void *object)
{
    return topic_name_slice(object);
}

struct hub *hub_new(const struct hub_config *config)
{
    struct hub *h = memory_zero(sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    h->config = *config;
    map_init(&h->topics, topic_key);
    for (unsigned kind = 0; kind < TOPIC_KINDS; kind++)
        list_init(&h->by_kind[kind]);
    list_init(&h->by_age);
    list_init(&h->idle);
    hub_ids_init(h);
    hub_patterns_init(h);
    config->random(&h->epoch, sizeof h->epoch);
    return h;
}

/* Releases what the topic holds; others may still hold references to the shell. */
static void release_topic(struct hub *h, struct topic *t)
{
    while (t->history.count)
        hub_trim_oldest(h, t);
    if (t->state) {
        hub_account_state(h, session_state_bytes(t->state), 0);
        session_state_free(t->state);
        t->state = NULL;
    }
    list_remove(&t->idle_link);
    list_remove(&t->kind_link);
    topic_unref(t);
}

void hub_free(struct hub *h)
{
    if (!h)
        return;
    hub_stop(h);
    for (unsigned i = 0; i < h->config.workers; i++) {
        struct inbox_batch rest;
        hub_detach_inbox(h, i, &rest);
        inbox_release(&rest);
    }
    MAP_EACH (i, &h->topics)
        release_topic(h, h->topics.slots[i].object);
    if (h->engine)
        h->engine->ops->free(h->engine);
    map_fini(&h->topics);
    hub_ids_fini(h);
    hub_patterns_fini(h);
    pthread_mutex_destroy(&h->lock);
    memory_free(h);
}

void hub_set_engine(struct hub *h, struct engine *engine)
{
    h->engine = engine;
    engine->hub = h;
}

const char *hub_engine_name(const struct hub *h)
{
    return h->engine->ops->name;
}

void hub_engine_status(struct hub *h, struct engine_status *out)
{
    *out = (struct engine_status){0};
    if (h->engine->ops->status)
        h->engine->ops->status(h->engine, out);
}

bool hub_keeps_notes(const struct hub *h)
{
    return h->engine->ops->keep != NULL;
}

void hub_keep(struct hub *h, struct note *note)
{
    if (h->engine->ops->keep)
        h->engine->ops->keep(h->engine, note);
    else
        note->done(note);
}

int hub_each_note(struct hub *h, struct slice prefix,
                  void (*use)(void *arg, struct slice name, struct slice value), void *arg)
{
    return h->engine->ops->each_note ? h->engine->ops->each_note(h->engine, prefix, use, arg) : 0;
}

uint64_t hub_epoch(const struct hub *h)
{
    return h->epoch;
}

void hub_set_wake(struct hub *h, unsigned worker, void (*wake)(void *arg), void *arg)
{
    pthread_mutex_lock(&h->lock);
    h->workers[worker].wake = wake;
    h->workers[worker].wake_arg = arg;
    pthread_mutex_unlock(&h->lock);
}

/* ---- Topics ---- */

struct topic *hub_find_topic(struct hub *h, struct slice name)
{
    return map_get(&h->topics, name);
}

/* Topics that never held an event are forgotten and made again at will: as long as no log was
 * lost in between, the new one continues the old one's numbering (from 0), so its epoch is the
 * same. It is derived from the node's epoch, the name and the count of lost logs of its kind. */
static uint64_t epoch_of(const struct hub *h, struct slice name, enum topic_kind kind)
{
    uint64_t x = 0xcbf29ce484222325u ^ h->epoch;
    for (size_t i = 0; i < name.len; i++)
        x = (x ^ (unsigned char)name.ptr[i]) * 0x100000001b3u;
    x ^= (h->lost_generation[kind] + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void hub_drop_topic(struct hub *h, struct topic *t)
{
    if (t->last_seq) {
        if (t->last_seq > h->lost_seq[t->kind])
            h->lost_seq[t->kind] = t->last_seq;
        h->lost_generation[t->kind]++;
    }
    map_remove(&h->topics, topic_name_slice(t));
    h->stats.topics_dropped++;
    release_topic(h, t);
}

/* How many topics are considered, so that a full hub does not search all of them each time. */
#define EVICT_LOOKS 256

/* Makes room for a new topic at the cost of one of the longest unused that loses nothing by it. One
 * that somebody refers to may be about to get the event that the new topic is needed for. */
static bool evict_empty_topic(struct hub *h)
{
    unsigned looked_at = 0;
    LIST_EACH (link, &h->idle) {
        struct topic *t = CONTAINER(link, struct topic, idle_link);
        if (++looked_at > EVICT_LOOKS)
            return false;
        if (t->history.count == 0 && !t->store_id && atomic_load(&t->refs) == 1) {
            hub_drop_topic(h, t);
            return true;
        }
    }
    return false;
}

int hub_need_topic(struct hub *h, struct slice name, struct topic **out)
{
    struct topic_name parsed;
    const char *why;
    *out = hub_find_topic(h, name);
    if (*out)
        return 0;
    if (topic_name_parse(name, &parsed, &why) != 0)
        return FAN_E_INVALID;
    if (h->topics.count >= HUB_MAX_TOPICS && !evict_empty_topic(h))
        return FAN_E_LIMIT;
    struct topic *t = topic_try_new(name, parsed.kind, h->config.workers);
    if (!t)
        return FAN_E_NO_MEMORY;
    if (map_try_put(&h->topics, t) != 0) {
        topic_unref(t);
        return FAN_E_NO_MEMORY;
    }
    t->epoch = epoch_of(h, name, parsed.kind);
    t->birth_seq = h->seq;
    t->stored = h->engine && h->engine->ops->durable && h->config.kinds[t->kind].durable;
    list_append(&h->by_kind[t->kind], &t->kind_link);
    hub_patterns_apply(h, t);
    hub_touch_topic(h, t);
    *out = t;
    return 0;
}

void hub_touch_topic(struct hub *h, struct topic *t)
{
    t->used_ms = h->config.monotonic_ms();
    list_remove(&t->idle_link);
    if (t->subscribers == 0)
        list_append(&h->idle, &t->idle_link);
}

void hub_account_state(struct hub *h, uint64_t before, uint64_t after)
{
    h->state_bytes += after - before;
}

enum slow_policy hub_slow_policy(const struct hub *h, const struct topic *topic)
{
    if (topic->kind == TOPIC_CHANNEL) {
        struct slice name = slice_skip(topic_name_slice(topic), strlen("channel:"));
        for (size_t i = 0; i < h->config.latest_channel_count; i++)
            if (slice_is(name, h->config.latest_channels[i]))
                return SLOW_LATEST;
    }
    return h->config.kinds[topic->kind].slow;
}

/* ---- Trimming ---- */

void hub_trim_oldest(struct hub *h, struct topic *t)
{
    uint64_t offset = topic_ring_first(t);
    struct event *e = topic_history_shift(&t->history);
    t->bytes -= e->size;
    t->ring_seq = e->seq;
    topic_note_trimmed(t, e->seq, offset);
    if (!t->stored) {
        t->trimmed_seq = e->seq;
        t->trimmed_to = offset;
    }
    if (--e->held == 0) {
        list_remove(&e->by_age);
        h->stats.events_kept--;
        h->stats.bytes_kept -= e->size;
    }
    if (t->history.count == 0 && t->placed == 0)
        topic_history_release(&t->history);
    event_unref(e);
}

/* Slots of the topic table that one sweep looks at: the lock is held for a fraction of a
 * millisecond, and a million topics take some minutes, which is soon enough for ages and idle times
 * that are counted in minutes. */
#define SWEEP_SLOTS 8192
#define SWEEP_DROPS 256

static void trim_aged(struct hub *h, struct topic *t, uint64_t now_ms)
{
    uint64_t age_ms = h->config.kinds[t->kind].age_ms;
    while (age_ms && t->history.count && topic_ring_first(t) == topic_first_offset(t) &&
           topic_history_at(&t->history, 0)->accepted_ms + age_ms < now_ms) {
        hub_drop_oldest(h, t);
        h->stats.trimmed_age++;
    }
}

/* A topic of a kept kind goes when its history has aged away, any other when it is idle. Nothing
 * is durable here, so what is dropped is lost, and its successor gets a new epoch. */
static bool may_drop(const struct hub *h, const struct topic *t, uint64_t now_ms)
{
    const struct topic_limits *limits = &h->config.kinds[t->kind];
    return !t->store_id && t->pending == 0 && t->subscribers == 0 &&
           now_ms - t->used_ms >= limits->idle_ms && (!limits->durable || t->history.count == 0);
}

static void sweep(struct hub *h)
{
    struct topic *drops[SWEEP_DROPS];
    unsigned drop_count = 0;
    uint64_t now_ms = h->config.monotonic_ms();
    size_t slots = h->topics.slots ? h->topics.mask + 1 : 0;
    for (size_t n = 0; n < slots && n < SWEEP_SLOTS && drop_count < SWEEP_DROPS; n++) {
        struct topic *t = h->topics.slots[h->sweep_slot++ & h->topics.mask].object;
        if (!t)
            continue;
        trim_aged(h, t, now_ms);
        if (may_drop(h, t, now_ms))
            drops[drop_count++] = t;
    }
    while (drop_count)
        hub_drop_topic(h, drops[--drop_count]);
}

void hub_tick(struct hub *h)
{
    pthread_mutex_lock(&h->lock);
    sweep(h);
    hub_ids_expire(h, h->config.monotonic_ms());
    pthread_mutex_unlock(&h->lock);
}

/* ---- Listings ---- */

void hub_stats(struct hub *h, struct hub_stats *out)
{
    pthread_mutex_lock(&h->lock);
    *out = h->stats;
    out->topics = h->topics.count;
    out->idempotency_entries = h->ids.count;
    out->bytes_kept += h->state_bytes;
    out->seq = h->seq;
    pthread_mutex_unlock(&h->lock);
}

static struct topic_info describe(struct hub *h, struct topic *t)
{
    return (struct topic_info){
        .name = topic_name_slice(t),
        .kind = t->kind,
        .offset = t->offset,
        .epoch = t->epoch,
        .first_offset = topic_first_offset(t),
        .bytes = t->bytes,
        .subscribers = t->subscribers,
        .subscribers_of = t->subscribers_of,
        .rate = topic_rate(t, h->config.monotonic_ms()),
        .state = t->state,
    };
}

void hub_each_topic(struct hub *h, bool (*each)(void *arg, const struct topic_info *info),
                    void *arg)
{
    bool more = true;
    pthread_mutex_lock(&h->lock);
    MAP_EACH (i, &h->topics) {
        struct topic_info info = describe(h, h->topics.slots[i].object);
        more = more && each(arg, &info);
    }
    pthread_mutex_unlock(&h->lock);
}

int hub_topic_info(struct hub *h, struct slice name,
                   void (*use)(void *arg, const struct topic_info *info), void *arg)
{
    pthread_mutex_lock(&h->lock);
    struct topic *t = hub_find_topic(h, name);
    if (t) {
        struct topic_info info = describe(h, t);
        use(arg, &info);
    }
    pthread_mutex_unlock(&h->lock);
    return t ? 0 : FAN_E_NOT_FOUND;
}
