/* Idempotency: which event ids a topic has seen lately, and where the first of them went. */
#include "base/memory.h"
#include "hub/hub_private.h"

static struct slice entry_key(const void *object)
{
    const struct idempotency_entry *e = object;
    return slice_of(e->key, e->key_len);
}

static struct slice make_key(struct hub *h, struct slice topic, struct slice id)
{
    buf_clear(&h->key);
    buf_append_slice(&h->key, topic);
    buf_append_char(&h->key, '\0');
    buf_append_slice(&h->key, id);
    return buf_slice(&h->key);
}

static void forget(struct hub *h, struct idempotency_entry *e)
{
    map_remove(&h->ids, entry_key(e));
    list_remove(&e->by_age);
    memory_free(e);
}

void hub_ids_init(struct hub *h)
{
    map_init(&h->ids, entry_key);
    list_init(&h->ids_by_age);
}

void hub_ids_fini(struct hub *h)
{
    LIST_EACH (link, &h->ids_by_age)
        memory_free(CONTAINER(link, struct idempotency_entry, by_age));
    map_fini(&h->ids);
    buf_fini(&h->key);
}

struct idempotency_entry *hub_id_find(struct hub *h, struct slice topic, struct slice id)
{
    struct idempotency_entry *e = map_get(&h->ids, make_key(h, topic, id));
    return e && e->expires_ms > h->config.monotonic_ms() ? e : NULL;
}

void hub_id_remember(struct hub *h, const struct topic *t, const struct event *e, uint64_t offset)
{
    hub_id_restore(h, t, e, offset, 0);
}

void hub_id_restore(struct hub *h, const struct topic *t, const struct event *e, uint64_t offset,
                    uint64_t age_ms)
{
    struct slice key = make_key(h, topic_name_slice(t), e->id);
    struct idempotency_entry *old = map_get(&h->ids, key), *entry;
    if (old)
        forget(h, old);
    if (h->ids.count >= IDEMPOTENCY_MAX_ENTRIES)
        forget(h, CONTAINER(h->ids_by_age.next, struct idempotency_entry, by_age));
    entry = memory_try_alloc(sizeof *entry + key.len);
    if (!entry || h->key.failed) {
        memory_free(entry);
        return; /* a repetition would be published twice: better than refusing this one */
    }
    *entry = (struct idempotency_entry){
        .expires_ms = h->config.monotonic_ms() + h->config.idempotency_ms - age_ms,
        .offset = offset,
        .epoch = t->epoch,
        .time_ms = e->time_ms,
        .key_len = (uint32_t)key.len,
    };
    memcpy(entry->key, key.ptr, key.len);
    if (map_try_put(&h->ids, entry) != 0) {
        memory_free(entry);
        return;
    }
    list_append(&h->ids_by_age, &entry->by_age);
}

void hub_id_forget(struct hub *h, struct slice topic, struct slice id)
{
    struct idempotency_entry *entry = map_get(&h->ids, make_key(h, topic, id));
    if (entry)
        forget(h, entry);
}

/* At most so many are forgotten under one hold of the lock. */
#define EXPIRE_AT_ONCE 20000

void hub_ids_expire(struct hub *h, uint64_t now_ms)
{
    unsigned left = EXPIRE_AT_ONCE;
    LIST_EACH (link, &h->ids_by_age) {
        struct idempotency_entry *e = CONTAINER(link, struct idempotency_entry, by_age);
        if (e->expires_ms > now_ms || left-- == 0)
            break;
        forget(h, e);
    }
}
