/* What a durable engine knows of the time before the start; see placing.h. */
#include "fanfare/error.h"
#include "hub/hub_private.h"
#include "hub/placing.h"

void hub_get_node(struct hub *h, struct node_record *out)
{
    pthread_mutex_lock(&h->lock);
    *out = (struct node_record){.epoch = h->epoch, .seq = h->seq};
    for (int kind = 0; kind < TOPIC_KINDS; kind++) {
        out->lost_seq[kind] = h->lost_seq[kind];
        out->lost_generation[kind] = h->lost_generation[kind];
    }
    pthread_mutex_unlock(&h->lock);
}

void hub_restore_node(struct hub *h, const struct node_record *node)
{
    pthread_mutex_lock(&h->lock);
    h->epoch = node->epoch;
    h->seq = node->seq;
    for (int kind = 0; kind < TOPIC_KINDS; kind++) {
        h->lost_seq[kind] = node->lost_seq[kind];
        h->lost_generation[kind] = node->lost_generation[kind];
    }
    pthread_mutex_unlock(&h->lock);
}

int hub_restore_topic(struct hub *h, const struct topic_record *record, struct topic **out)
{
    pthread_mutex_lock(&h->lock);
    int error = hub_need_topic(h, record->name, out);
    if (!error) {
        struct topic *t = *out;
        t->stored = true;
        t->store_id = record->store_id;
        t->epoch = record->epoch;
        t->offset = record->offset;
        t->birth_seq = record->birth_seq;
        t->last_seq = record->last_seq;
        t->trimmed_seq = record->trimmed_seq;
        t->trimmed_to = record->first_offset - 1;
        uint64_t count = h->config.kinds[t->kind].count;
        t->floor = record->first_offset;
        if (t->offset + 1 - t->floor > count)
            t->floor = t->offset + 1 - count;
        t->ring_seq = record->last_seq;
        t->state_cold = t->kind == TOPIC_SESSION && t->offset > 0;
    }
    pthread_mutex_unlock(&h->lock);
    return error;
}

struct topic *hub_get_topic(struct hub *h, struct slice name)
{
    pthread_mutex_lock(&h->lock);
    struct topic *t = hub_find_topic(h, name);
    if (t)
        topic_ref(t);
    pthread_mutex_unlock(&h->lock);
    return t;
}

static int reserve(struct event *e, uint64_t in)
{
    for (unsigned i = 0; i < e->place_count; i++)
        if (in >> i & 1 && topic_history_reserve(&e->places[i].topic->history, 1) != 0)
            return FAN_E_NO_MEMORY;
    return 0;
}

int hub_restore_event(struct hub *h, struct event *e, uint64_t in)
{
    pthread_mutex_lock(&h->lock);
    list_init(&e->by_age);
    int error = reserve(e, in);
    for (unsigned i = 0; !error && i < e->place_count; i++) {
        struct topic *t = e->places[i].topic;
        if (!(in >> i & 1) || e->places[i].offset < t->floor)
            continue;
        if (t->history.count == 0)
            t->ring_seq = e->seq - 1;
        topic_history_append(&t->history, event_ref(e));
        t->bytes += e->size;
        e->held++;
    }
    if (!error && e->held) {
        list_append(&h->by_age, &e->by_age);
        h->stats.events_kept++;
        h->stats.bytes_kept += e->size;
    }
    pthread_mutex_unlock(&h->lock);
    return error;
}

void hub_restore_id(struct hub *h, const struct topic *t, const struct event *e, uint64_t offset,
                    uint64_t age_ms)
{
    pthread_mutex_lock(&h->lock);
    if (age_ms < h->config.idempotency_ms)
        hub_id_restore(h, t, e, offset, age_ms);
    pthread_mutex_unlock(&h->lock);
}
