/*
 * Publishing for clients; see publication.h.
 *
 * An engine may give the batch back later and on another thread, so it lives on its own and the
 * second of the two who are done with it, sender and engine, frees it.
 */
#include "dialect/publication.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/event_draft.h"
#include "net/conn_log.h"

struct parcel {
    struct publish_batch batch;
    struct publish_item items[PUBLICATION_MAX];
    struct publish_item *pointers[PUBLICATION_MAX];
    struct slice topic;
    atomic_uint holders;
    char topic_text[];
};

/* One of the two is done. Returns the first error once both are. */
static int release(struct parcel *p)
{
    int error = 0;
    if (atomic_fetch_sub_explicit(&p->holders, 1, memory_order_acq_rel) != 1)
        return 0;
    for (unsigned i = p->batch.count; i > 0; i--) {
        if (p->items[i - 1].error)
            error = p->items[i - 1].error;
        event_unref(p->items[i - 1].event);
    }
    memory_free(p);
    return error;
}

static void on_done(struct publish_batch *batch)
{
    release(batch->arg);
}

static struct parcel *parcel_try_new(struct slice topic)
{
    struct parcel *p = memory_try_alloc(sizeof *p + topic.len);
    if (!p)
        return NULL;
    *p = (struct parcel){.batch = {.items = p->pointers, .done = on_done, .arg = p}};
    atomic_init(&p->holders, 2);
    memcpy(p->topic_text, topic.ptr, topic.len);
    p->topic = slice_of(p->topic_text, topic.len);
    return p;
}

/* Takes the reference over. */
static void parcel_add(struct parcel *p, struct event *event)
{
    unsigned i = p->batch.count++;
    p->items[i] = (struct publish_item){.event = event, .topics = &p->topic};
    p->pointers[i] = &p->items[i];
}

static void parcel_discard(struct parcel *p)
{
    release(p);
    release(p);
}

static int refuse(struct event_check *check, int error)
{
    const char *text =
        error == FAN_E_LIMIT ? "the server has as many topics as it can" : fan_error_text(error);
    *check = (struct event_check){0};
    snprintf(check->message, sizeof check->message, "%s", text);
    return error;
}

static bool may_publish(const struct client *c, struct slice topic, struct event_check *check)
{
    struct buf why = {0};
    bool may = client_may_publish(c, topic, &why);
    *check = (struct event_check){0};
    snprintf(check->message, sizeof check->message, "%s", buf_text(&why));
    buf_fini(&why);
    return may;
}

int publication_send(struct client *c, struct slice topic, const struct publication *events,
                     unsigned count, struct event_check *check)
{
    if (!may_publish(c, topic, check))
        return FAN_E_DENIED;
    struct delivery *d = client_delivery(c);
    struct parcel *p = parcel_try_new(topic);
    char id[CONN_ID_SIZE];
    int64_t now = clock_wall_ms();
    conn_format_id(&c->ws.conn, id);
    struct slice source = slice_from(c->subscriber.source ? c->subscriber.source : id);
    if (!p || subscriber_speak_as(&c->subscriber, source) != 0) {
        memory_free(p);
        return refuse(check, FAN_E_NO_MEMORY);
    }
    for (unsigned i = 0; i < count; i++) {
        const struct event_draft draft = {
            .topic = topic,
            .type = events[i].type,
            .data = events[i].data,
            .source = slice_from(c->subscriber.source),
            .time_ms = now,
        };
        struct event *event;
        int error =
            event_draft_make(&draft, (size_t)NET_LIMIT(d->worker, message_size), &event, check);
        if (error) {
            parcel_discard(p);
            return error;
        }
        parcel_add(p, event);
    }
    hub_publish(d->hub, &p->batch);
    int error = release(p);
    return error ? refuse(check, error) : 0;
}

void publication_tell(struct client *c, struct slice topic, struct slice type, struct slice data)
{
    const struct event_spec spec = {
        .type = type,
        .data = data,
        .type_index = EVENT_TYPE_CUSTOM,
        .audience = (uint8_t)(c->dialect->index + 1),
        .ephemeral = true,
        .time_ms = clock_wall_ms(),
        .place_count = 1,
    };
    struct parcel *p = parcel_try_new(topic);
    struct event *event = p ? event_try_new(&spec) : NULL;
    if (!event) {
        memory_free(p);
        return;
    }
    parcel_add(p, event);
    hub_publish(client_delivery(c)->hub, &p->batch);
    release(p);
}
