/*
 * Publishing for clients; see publication.h.
 *
 * A publication lives in a parcel of its own until the engine is done with it, which may be later
 * and on another thread; its task brings it back to the client's worker. While a client has parcels
 * under way it has a `client_publishing`.
 */
#include "dialect/publication.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/event_draft.h"
#include "hub/submission.h"
#include "net/conn_log.h"

/* More than this under way, and what the client publishes waits, too. */
#define UNDER_WAY_EVENTS 256
#define UNDER_WAY_BYTES  (1u << 20)

/* Bytes of messages that wait: what was read at once, and requests of a session without a socket,
 * which cannot be told to stop. */
#define DEFERRED_MAX (4u << 20)

struct parcel {
    struct submission submission; /* without items: it is a note */
    struct note note;
    atomic_bool noted;
    struct publish_item items[PUBLICATION_MAX];
    struct publish_item *pointers[PUBLICATION_MAX];
    struct worker_task task;
    struct worker *worker;
    struct client_publishing *publisher; /* NULL: nobody is told any more */
    struct parcel *next;
    publication_told *told;
    uint64_t tag;
    size_t bytes;
    bool late; /* the engine was not done at once: the task comes */
    bool back; /* it came */
    struct slice topic, answer;
    char text[];
};

struct client_publishing {
    struct client *client;
    struct parcel *first, **last; /* under way, in order */
    unsigned events;
    size_t bytes;
    struct buf deferred; /* messages: size, whether binary, bytes */
    bool hurries;        /* the client goes: nothing waits any more */
    publication_take *take;
    void (*idle)(struct worker *w, void *arg); /* NULL: nobody waits for the end */
    void *idle_arg;
};

/* ---- Parcels ---- */

static struct parcel *parcel_try_new(struct slice topic)
{
    struct parcel *p = memory_try_alloc(sizeof *p + topic.len);
    if (!p)
        return NULL;
    *p = (struct parcel){.submission.batch.items = p->pointers};
    memcpy(p->text, topic.ptr, topic.len);
    p->topic = slice_of(p->text, topic.len);
    return p;
}

static bool is_note(const struct parcel *p)
{
    return p->submission.batch.count == 0;
}

/* Takes the reference over. */
static void parcel_add(struct parcel *p, struct event *event)
{
    unsigned i = p->submission.batch.count++;
    p->items[i] = (struct publish_item){.event = event, .topics = &p->topic};
    p->pointers[i] = &p->items[i];
    p->bytes += event->size;
}

static void parcel_free(struct parcel *p)
{
    for (unsigned i = 0; i < p->submission.batch.count; i++)
        event_unref(p->items[i].event);
    memory_free(p);
}

/* The first error. */
static int parcel_error(const struct parcel *p)
{
    for (unsigned i = 0; i < p->submission.batch.count; i++)
        if (p->items[i].error)
            return p->items[i].error;
    return 0;
}

static bool parcel_is_done(const struct parcel *p)
{
    if (is_note(p))
        return atomic_load_explicit(&p->noted, memory_order_acquire);
    return !p->late || submission_is_done(&p->submission);
}

static void parcel_leave(struct parcel *p)
{
    p->publisher = NULL;
    if (!p->late || p->back)
        parcel_free(p);
}

/* ---- Outcomes ---- */

const char *publication_error_code(int error)
{
    switch (error) {
    case FAN_E_DENIED:
        return "forbidden";
    case FAN_E_IO:
        return "storage_unavailable";
    case FAN_E_BUSY:
        return "overloaded";
    case FAN_E_LIMIT:
        return "too_many_topics";
    case FAN_E_NO_MEMORY:
        return "out_of_memory";
    default:
        return "invalid_message";
    }
}

bool publication_error_is_ours(int error)
{
    return error == FAN_E_IO || error == FAN_E_BUSY || error == FAN_E_LIMIT ||
           error == FAN_E_NO_MEMORY;
}

static void tell(struct client *c, struct parcel *p)
{
    struct buf message = {0};
    struct publication_outcome outcome = {
        .error = parcel_error(p), .topic = p->topic, .answer = p->answer, .tag = p->tag};
    if (outcome.error)
        submission_explain(outcome.error, p->submission.batch.reason, &message);
    outcome.message = buf_text(&message);
    p->told(c, &outcome);
    buf_fini(&message);
}

/* ---- What is under way ---- */

static void settle(struct client_publishing *u)
{
    struct parcel *p;
    while ((p = u->first) && parcel_is_done(p)) {
        u->first = p->next;
        if (!u->first)
            u->last = &u->first;
        u->events -= p->submission.batch.count;
        u->bytes -= p->bytes;
        tell(u->client, p);
        parcel_leave(p);
    }
}

static bool takes_messages(const struct client *c)
{
    return c->ws.conn.state == CONN_OPEN && !c->ws.close_sent;
}

/* What must wait still, or again, is deferred anew, and all that comes behind it. */
static void take_deferred(struct client_publishing *u)
{
    struct buf messages = u->deferred;
    publication_take *take = u->take;
    u->deferred = (struct buf){0};
    for (size_t at = 0; at < messages.len && takes_messages(u->client);) {
        uint32_t size;
        memcpy(&size, messages.data + at, sizeof size);
        bool binary = messages.data[at + sizeof size] != 0;
        at += sizeof size + 1;
        take(u->client, slice_of(messages.data + at, size), binary);
        at += size;
    }
    buf_fini(&messages);
}

/* Nothing is under way any more. */
static void end(struct client_publishing *u)
{
    struct client *c = u->client;
    c->publishing = NULL;
    conn_release(&c->ws.conn);
    if (u->idle)
        worker_post(c->ws.conn.worker, u->idle, u->idle_arg);
    buf_fini(&u->deferred);
    memory_free(u);
}

static bool is_full(const struct client_publishing *u)
{
    return u->events >= UNDER_WAY_EVENTS || u->bytes >= UNDER_WAY_BYTES;
}

/* Whether what is under way is in the way of other messages: notes are not. */
static bool blocks(const struct client_publishing *u, bool publishes)
{
    return is_full(u) || (u->events && !publishes);
}

static void go_on(struct client_publishing *u)
{
    settle(u);
    if (u->deferred.len && !blocks(u, false))
        take_deferred(u);
    if (!u->first && !u->deferred.len)
        end(u);
    else if (!u->deferred.len && !is_full(u))
        conn_release(&u->client->ws.conn);
}

static void come_back(struct worker *w, void *arg)
{
    struct parcel *p = arg;
    struct client_publishing *u = p->publisher;
    worker_expected(w);
    p->back = true;
    if (u)
        go_on(u);
    else
        parcel_free(p);
}

static void on_late(struct submission *s)
{
    struct parcel *p = CONTAINER(s, struct parcel, submission);
    worker_submit(p->worker, &p->task);
}

static struct client_publishing *publishing_of(struct client *c)
{
    if (c->publishing)
        return c->publishing;
    struct client_publishing *u = memory_zero(sizeof *u);
    u->client = c;
    u->last = &u->first;
    c->publishing = u;
    return u;
}

static void enqueue(struct client *c, struct parcel *p)
{
    struct client_publishing *u = publishing_of(c);
    p->publisher = u;
    u->events += p->submission.batch.count;
    u->bytes += p->bytes;
    *u->last = p;
    u->last = &p->next;
    if (is_full(u))
        conn_hold(&c->ws.conn);
}

/* ---- Messages that wait ---- */

bool publication_must_wait(const struct client *c, bool publishes)
{
    const struct client_publishing *u = c->publishing;
    if (!u || u->hurries)
        return false;
    return u->deferred.len || blocks(u, publishes);
}

void publication_defer(struct client *c, struct slice message, bool binary, publication_take *take)
{
    struct client_publishing *u = publishing_of(c);
    uint32_t size = (uint32_t)message.len;
    u->take = take;
    buf_append(&u->deferred, &size, sizeof size);
    buf_append_char(&u->deferred, (char)binary);
    buf_append_slice(&u->deferred, message);
    conn_hold(&c->ws.conn);
    if (u->deferred.failed || u->deferred.len > DEFERRED_MAX)
        conn_close(&c->ws.conn, "too much at once");
}

void publication_hurry(struct client *c)
{
    struct client_publishing *u = c->publishing;
    if (!u)
        return;
    u->hurries = true;
    take_deferred(u);
}

bool publication_await(struct client *c, void (*fn)(struct worker *w, void *arg), void *arg)
{
    struct client_publishing *u = c->publishing;
    if (u->idle)
        return false;
    u->idle = fn;
    u->idle_arg = arg;
    return true;
}

void publication_forget(struct client *c)
{
    struct client_publishing *u = c->publishing;
    if (!u)
        return;
    for (struct parcel *p = u->first, *next; p; p = next) {
        next = p->next;
        parcel_leave(p);
    }
    end(u);
}

/* ---- Publishing ---- */

static int refuse(struct event_check *check, int error)
{
    *check = (struct event_check){0};
    snprintf(check->message, sizeof check->message, "%s", fan_error_text(error));
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

/* What it speaks as is the connection's id until it says otherwise. */
static int take_source(struct client *c)
{
    char id[CONN_ID_SIZE];
    conn_format_id(&c->ws.conn, id);
    return subscriber_speak_as(&c->subscriber,
                               slice_from(c->subscriber.source ? c->subscriber.source : id));
}

static int fill(struct client *c, struct parcel *p, const struct publication *events,
                unsigned count, struct event_check *check)
{
    size_t most = (size_t)NET_LIMIT(c->ws.conn.worker, message_size);
    int64_t now = clock_wall_ms();
    for (unsigned i = 0; i < count; i++) {
        const struct event_draft draft = {
            .topic = p->topic,
            .type = events[i].type,
            .data = events[i].data,
            .source = slice_from(c->subscriber.source),
            .time_ms = now,
        };
        struct event *event;
        int error = event_draft_make(&draft, most, &event, check);
        if (error)
            return error;
        parcel_add(p, event);
    }
    return 0;
}

/* *parcel is NULL when there is an error. */
static int pack(struct client *c, struct slice topic, const struct publication *events,
                unsigned count, struct parcel **parcel, struct event_check *check)
{
    *parcel = NULL;
    if (!may_publish(c, topic, check))
        return FAN_E_DENIED;
    struct parcel *p = parcel_try_new(topic);
    int error = p && take_source(c) == 0 ? fill(c, p, events, count, check)
                                         : refuse(check, FAN_E_NO_MEMORY);
    if (!error)
        *parcel = p;
    else if (p)
        parcel_free(p);
    return error;
}

static void submit(struct client *c, struct parcel *p)
{
    p->worker = c->ws.conn.worker;
    p->task.fn = come_back;
    p->task.arg = p;
    p->submission.late = on_late;
    p->late = !submission_publish(client_delivery(c)->hub, &p->submission);
    if (p->late)
        worker_expect(p->worker);
    if (p->late || (c->publishing && c->publishing->first)) {
        enqueue(c, p);
    } else {
        tell(c, p);
        parcel_free(p);
    }
}

void publication_send(struct client *c, struct slice topic, const struct publication *events,
                      unsigned count, publication_told *told, uint64_t tag)
{
    struct event_check check;
    struct parcel *p;
    int error = pack(c, topic, events, count, &p, &check);
    if (error) {
        told(c, &(struct publication_outcome){
                    .error = error, .message = check.message, .topic = topic, .tag = tag});
        return;
    }
    p->told = told;
    p->tag = tag;
    submit(c, p);
}

/* ---- Notes ---- */

static void on_noted(struct note *note)
{
    struct parcel *p = CONTAINER(note, struct parcel, note);
    struct worker *worker = p->worker;
    atomic_store_explicit(&p->noted, true, memory_order_release);
    worker_submit(worker, &p->task);
}

static struct slice add_text(struct parcel *p, struct slice text)
{
    char *to = p->text + p->bytes;
    if (text.len)
        memcpy(to, text.ptr, text.len);
    p->bytes += text.len;
    return slice_of(to, text.len);
}

static struct parcel *note_try_new(struct client *c, struct slice name, struct slice value,
                                   struct slice answer)
{
    struct parcel *p = memory_try_alloc(sizeof *p + name.len + value.len + answer.len);
    if (!p)
        return NULL;
    *p = (struct parcel){.late = true, .worker = c->ws.conn.worker};
    p->note = (struct note){.name = add_text(p, name), .value = add_text(p, value)};
    p->note.done = on_noted;
    p->answer = add_text(p, answer);
    p->task.fn = come_back;
    p->task.arg = p;
    return p;
}

void publication_keep(struct client *c, struct slice name, struct slice value, struct slice answer,
                      publication_told *told, uint64_t tag)
{
    struct parcel *p = note_try_new(c, name, value, answer);
    if (!p) {
        conn_close(&c->ws.conn, "out of memory");
        return;
    }
    p->told = told;
    p->tag = tag;
    worker_expect(p->worker);
    enqueue(c, p);
    hub_keep(client_delivery(c)->hub, &p->note);
}

/* ---- Telling ---- */

static void free_told(struct submission *s)
{
    parcel_free(CONTAINER(s, struct parcel, submission));
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
    p->submission.late = free_told;
    if (submission_publish(client_delivery(c)->hub, &p->submission))
        parcel_free(p);
}
