/*
 * The folded state of sessions, in the hub: asking for it, and, where a durable engine keeps the
 * log, doing without it in memory while nobody asks.
 *
 * Such a state is cold: events are not folded into it. It is built from the engine's last snapshot
 * and the events behind that, without the hub's lock, and put in place under it; events that came
 * meanwhile are folded then, if they are few, or read like the others.
 */
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/hub_private.h"
#include "hub/placing.h"
#include "hub/session_state.h"

/* Events that are folded under one hold of the lock. */
#define FOLD_AT_ONCE 256

void hub_fold(struct hub *h, struct topic *t, const struct event *e)
{
    if (t->kind != TOPIC_SESSION || t->state_cold)
        return;
    uint64_t before = t->state ? session_state_bytes(t->state) : 0;
    if (!t->state)
        t->state = session_state_try_new();
    if (!t->state)
        return;
    session_state_fold(t->state, e->type_info, e->data, e->time_ms);
    hub_account_state(h, before, session_state_bytes(t->state));
}

/* ---- Building ---- */

/* A state on its way. */
struct build {
    struct session_state *state;
    uint64_t offset; /* folded up to here */
};

static int begin(struct hub *h, struct topic *t, struct build *b)
{
    struct buf snapshot = {0};
    int error = h->engine->ops->load_state(h->engine, t, &snapshot, &b->offset);
    if (!error && snapshot.len)
        b->state = session_state_try_load(buf_slice(&snapshot));
    else if (!error)
        b->state = session_state_try_new();
    buf_fini(&snapshot);
    return error || b->state ? error : FAN_E_NO_MEMORY;
}

static int fold_page(struct hub *h, struct topic *t, struct build *b)
{
    struct event *events[FOLD_AT_ONCE];
    struct topic_page page;
    int error = hub_page(h, t, b->offset, FOLD_AT_ONCE, SIZE_MAX, events, &page);
    for (unsigned i = 0; i < page.count; i++) {
        session_state_fold(b->state, events[i]->type_info, events[i]->data, events[i]->time_ms);
        b->offset = events[i]->places[event_place_in(events[i], topic_name_slice(t))].offset;
        event_unref(events[i]);
    }
    if (!error && page.count == 0)
        b->offset = page.offset; /* the rest is damaged or trimmed */
    return error;
}

/* Whether it is in place: the lock is held, and little is left to be folded. */
static bool install(struct hub *h, struct topic *t, struct build *b)
{
    uint64_t first = topic_ring_first(t);
    if (b->offset + 1 < first || t->offset - b->offset > FOLD_AT_ONCE)
        return false;
    for (; b->offset < t->offset; b->offset++) {
        const struct event *e = topic_history_at(&t->history, (uint32_t)(b->offset + 1 - first));
        session_state_fold(b->state, e->type_info, e->data, e->time_ms);
    }
    t->state = b->state;
    t->state_cold = false;
    b->state = NULL;
    hub_account_state(h, 0, session_state_bytes(t->state));
    hub_touch_topic(h, t); /* it stays for a while */
    return true;
}

int hub_warm(struct hub *h, struct topic *t)
{
    struct build b = {0};
    int error = 0;
    for (bool done = false; !error && !done;) {
        pthread_mutex_lock(&h->lock);
        done = !t->state_cold || (b.state && install(h, t, &b));
        pthread_mutex_unlock(&h->lock);
        if (!done)
            error = b.state ? fold_page(h, t, &b) : begin(h, t, &b);
    }
    session_state_free(b.state);
    return error;
}

/* ---- Keeping it elsewhere ---- */

int hub_snapshot(struct hub *h, struct topic *t, struct buf *out, uint64_t *offset)
{
    int error = FAN_E_NOT_FOUND;
    pthread_mutex_lock(&h->lock);
    if (t->state && !t->state_cold) {
        *offset = t->offset;
        session_state_append_snapshot(t->state, out);
        error = out->failed ? FAN_E_NO_MEMORY : 0;
    }
    pthread_mutex_unlock(&h->lock);
    return error;
}

static bool is_idle(const struct hub *h, const struct topic *t, uint64_t now_ms)
{
    return t->subscribers == 0 && t->pending == 0 &&
           now_ms - t->used_ms >= h->config.kinds[t->kind].idle_ms;
}

unsigned hub_idle_topics(struct hub *h, struct topic **out, unsigned max)
{
    unsigned count = 0, looks = 0;
    pthread_mutex_lock(&h->lock);
    uint64_t now_ms = h->config.monotonic_ms();
    LIST_EACH (link, &h->idle) {
        struct topic *t = CONTAINER(link, struct topic, idle_link);
        if (count == max || ++looks > 16 * max)
            break;
        if (t->stored && t->store_id && is_idle(h, t, now_ms))
            out[count++] = topic_ref(t);
    }
    pthread_mutex_unlock(&h->lock);
    return count;
}

bool hub_cool(struct hub *h, struct topic *t, uint64_t offset)
{
    pthread_mutex_lock(&h->lock);
    bool may = is_idle(h, t, h->config.monotonic_ms());
    if (may && t->state && t->offset == offset) {
        hub_account_state(h, session_state_bytes(t->state), 0);
        session_state_free(t->state);
        t->state = NULL;
        t->state_cold = true;
    }
    may = may && !t->state;
    while (may && t->history.count)
        hub_trim_oldest(h, t);
    if (may)
        list_remove(&t->idle_link); /* using it brings it back */
    pthread_mutex_unlock(&h->lock);
    return may;
}

static bool is_forgettable(const struct hub *h, const struct topic *t)
{
    return topic_first_offset(t) > t->offset && is_idle(h, t, h->config.monotonic_ms());
}

bool hub_is_forgettable(struct hub *h, const struct topic *t)
{
    pthread_mutex_lock(&h->lock);
    bool forgettable = is_forgettable(h, t);
    pthread_mutex_unlock(&h->lock);
    return forgettable;
}

bool hub_forget(struct hub *h, struct topic *t)
{
    pthread_mutex_lock(&h->lock);
    bool forgettable = is_forgettable(h, t);
    if (forgettable)
        hub_drop_topic(h, t);
    pthread_mutex_unlock(&h->lock);
    return forgettable;
}

/* ---- Asking ---- */

/* The topic, referenced, with its state in memory as far as that can be had. */
static struct topic *get_warm(struct hub *h, struct slice name)
{
    struct topic *t = hub_get_topic(h, name);
    if (t && t->stored)
        hub_warm(h, t); /* or the state is that of an empty session: better than none */
    return t;
}

int hub_state_json(struct hub *h, struct slice topic, unsigned worker, struct inbox_batch *batch,
                   uint64_t *offset, struct buf *out)
{
    struct topic *t = get_warm(h, topic);
    pthread_mutex_lock(&h->lock);
    if (batch)
        hub_detach_inbox(h, worker, batch);
    if (t) {
        struct topic_name name = {0};
        const char *why;
        topic_name_parse(topic, &name, &why);
        *offset = t->offset;
        session_state_append_json(t->state, name.id, t->subscribers, out);
    }
    pthread_mutex_unlock(&h->lock);
    topic_unref(t);
    return t ? 0 : FAN_E_NOT_FOUND;
}

bool hub_has_checkpoint(struct hub *h, struct slice topic, struct slice checkpoint_id)
{
    struct topic *t = get_warm(h, topic);
    pthread_mutex_lock(&h->lock);
    bool has = t && t->state && session_state_has_checkpoint(t->state, checkpoint_id);
    pthread_mutex_unlock(&h->lock);
    topic_unref(t);
    return has;
}

/* States that one listing brings back at most; the next goes on. */
#define WARM_AT_ONCE 1000

void hub_warm_states(struct hub *h)
{
    struct topic **cold = NULL;
    unsigned count = 0, cap = 0;
    pthread_mutex_lock(&h->lock);
    LIST_EACH (link, &h->by_kind[TOPIC_SESSION]) {
        struct topic *t = CONTAINER(link, struct topic, kind_link);
        if (!t->state_cold || count == WARM_AT_ONCE)
            continue;
        if (count == cap) {
            void *grown = memory_try_realloc(cold, (cap + 256) * sizeof *cold);
            if (!grown)
                break;
            cold = grown;
            cap += 256;
        }
        cold[count++] = topic_ref(t);
    }
    pthread_mutex_unlock(&h->lock);
    while (count) {
        struct topic *t = cold[--count];
        hub_warm(h, t);
        topic_unref(t);
    }
    memory_free(cold);
}
