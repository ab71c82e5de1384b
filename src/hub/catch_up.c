/*
 * Reading on from history: for those who resume, and for those who read too slowly.
 *
 * Nothing is queued for such a subscriber: when its connection has sent what it had, the next
 * piece is read from history. At the end the hub hands over, in the same instant, the worker's
 * pending live events; those are given to the others, and the subscriber returns to its groups
 * with nothing missing and nothing twice.
 */
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/fanout.h"
#include "hub/fanout_private.h"

/* Events of one step: what a socket's buffer takes without waiting, about. */
#define STEP_BYTES (128 * 1024)

struct catch_up *catch_up_begin(struct subscriber *s, uint64_t position)
{
    struct fanout *f = s->fanout;
    struct catch_up *c = memory_try_alloc(sizeof *c + s->count * sizeof(struct catch_up_topic));
    if (!c)
        return NULL;
    *c = (struct catch_up){.owner = s, .position = position, .until = UINT64_MAX};
    list_init(&c->link);
    for (unsigned i = 0; i < s->count; i++) {
        struct topic *t = subscriber_at(s, i)->group->local->topic;
        c->topics[i] = (struct catch_up_topic){hub_next_offset(f->hub, t, position), 0};
    }
    s->catch_up = c;
    return c;
}

void catch_up_end(struct subscriber *s)
{
    if (!s->catch_up)
        return;
    list_remove(&s->catch_up->link);
    memory_free(s->catch_up);
    s->catch_up = NULL;
}

/* Room for one topic more than there is, in the place of the old object. */
static struct catch_up *grow(struct subscriber *s)
{
    struct catch_up *old = s->catch_up;
    struct catch_up *c = memory_try_alloc(sizeof *c + s->count * sizeof(struct catch_up_topic));
    if (!c)
        return NULL;
    memcpy(c, old, sizeof *c + (s->count - 1) * sizeof(struct catch_up_topic));
    list_init(&c->link);
    if (!list_empty(&old->link))
        list_append(&old->link, &c->link);
    list_remove(&old->link);
    memory_free(old);
    s->catch_up = c;
    return c;
}

int catch_up_add(struct subscriber *s, uint64_t position, uint64_t skip_until, bool resumes)
{
    struct fanout *f = s->fanout;
    unsigned last = s->count - 1;
    uint64_t had = subscriber_position(s);
    bool behind = s->catch_up != NULL;
    struct catch_up *c = behind ? grow(s) : catch_up_begin(s, position);
    if (!c)
        return FAN_E_NO_MEMORY;
    if (!behind)
        subscriber_unlink(s);
    for (unsigned i = 0; i < last; i++)
        if (c->topics[i].skip_until < had)
            c->topics[i].skip_until = had;
    if (position < c->position)
        c->position = position;
    struct topic *t = subscriber_at(s, last)->group->local->topic;
    c->topics[last] = (struct catch_up_topic){
        .next_offset = hub_next_offset(f->hub, t, resumes ? position : skip_until),
        .skip_until = resumes ? 0 : skip_until,
    };
    c->announce |= resumes;
    if (!c->in_groups)
        catch_up_resume_reading(s);
    return 0;
}

void catch_up_resume_reading(struct subscriber *s)
{
    struct fanout *f = s->fanout;
    list_remove(&s->catch_up->link);
    list_append(&f->reading, &s->catch_up->link);
    f->sink->wake(f->arg);
}

void fanout_lag(struct subscriber *s, uint64_t first_dropped, uint64_t dropped_bytes)
{
    struct fanout *f = s->fanout;
    if (s->catch_up)
        return;
    STAT_ADD(f->stats.lagged, 1);
    STAT_ADD(f->stats.dropped_bytes, dropped_bytes);
    struct catch_up *c = catch_up_begin(s, first_dropped - 1);
    if (!c) {
        f->sink->overflow_close(f->arg, s, first_dropped - 1);
        return;
    }
    c->slow = true;
    c->in_groups = true;
    list_append(&f->lagging, &c->link);
}

static bool wants_disconnect(const struct subscriber *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (hub_slow_policy(s->fanout->hub, subscriber_at(s, i)->group->local->topic) ==
            SLOW_DISCONNECT)
            return true;
    return false;
}

void catch_up_leave_groups(struct fanout *f)
{
    while (!list_empty(&f->lagging)) {
        struct catch_up *c = CONTAINER(f->lagging.next, struct catch_up, link);
        struct subscriber *s = c->owner;
        list_remove(&c->link);
        c->in_groups = false;
        subscriber_unlink(s);
        if (wants_disconnect(s)) {
            STAT_ADD(f->stats.overflow_closed, 1);
            f->sink->overflow_close(f->arg, s, c->position);
        } else if (f->sink->ready(f->arg, s)) {
            catch_up_resume_reading(s);
        }
    }
}

void subscriber_drained(struct subscriber *s)
{
    if (s->catch_up && !s->catch_up->in_groups)
        catch_up_resume_reading(s);
}

/* ---- Steps ---- */

/* Under which of its topics the subscriber sees the event. Returns the subscription's index, or
 * -1; *place is the topic's index in the event. */
static int seen_under(const struct subscriber *s, const struct event *e, unsigned *place)
{
    for (*place = 0; *place < e->place_count; ++*place)
        for (unsigned i = 0; i < s->count; i++)
            if (subscriber_at(s, i)->group->local->topic == e->places[*place].topic)
                return (int)i;
    return -1;
}

static void note_offsets(struct subscriber *s, const struct event *e)
{
    for (unsigned place = 0; place < e->place_count; place++)
        for (unsigned i = 0; i < s->count; i++)
            if (subscriber_at(s, i)->group->local->topic == e->places[place].topic)
                s->catch_up->topics[i].next_offset = e->places[place].offset + 1;
}

/* Appends the event's frame to the scratch buffer if the subscriber wants it. */
static bool encode_for(struct subscriber *s, const struct event *e)
{
    unsigned place;
    int i = seen_under(s, e, &place);
    if (i < 0)
        return false;
    note_offsets(s, e);
    if (e->seq <= s->catch_up->topics[i].skip_until || !event_filter_wants(s->filter, e))
        return false;
    subscriber_at(s, (unsigned)i)
        ->group->encoding->append(s->fanout->encode_context, &s->fanout->scratch, e, place);
    STAT_ADD(s->fanout->stats.encoded, 1);
    return true;
}

/* Sends events[0..count-1] as one piece. False: no memory; the connection is closed. */
static bool send_events(struct subscriber *s, struct event *const *events, unsigned count)
{
    struct fanout *f = s->fanout;
    unsigned sent = 0;
    buf_clear(&f->scratch);
    for (unsigned i = 0; i < count; i++)
        if (encode_for(s, events[i]))
            sent++;
    if (sent == 0)
        return true;
    struct bytes *piece = f->scratch.failed ? NULL : bytes_try_copy(buf_slice(&f->scratch));
    if (!piece) {
        f->sink->overflow_close(f->arg, s, s->catch_up->position);
        return false;
    }
    const struct frames frames = {piece, 0, piece->len, events[0]->seq, events[count - 1]->seq};
    s->catch_up->missed += sent;
    STAT_ADD(f->stats.deliveries, sent);
    f->sink->deliver_one(f->arg, s, &frames);
    bytes_unref(piece);
    return true;
}

static bool collect_topics(struct subscriber *s)
{
    struct fanout *f = s->fanout;
    if (f->topics_cap < s->count) {
        void *grown = memory_try_realloc(f->topics, s->count * sizeof(struct topic *));
        if (!grown)
            return false;
        f->topics = grown;
        f->topics_cap = s->count;
    }
    for (unsigned i = 0; i < s->count; i++)
        f->topics[i] = subscriber_at(s, i)->group->local->topic;
    return true;
}

static void report_gap(struct subscriber *s, const struct history_read *read)
{
    struct fanout *f = s->fanout;
    struct catch_up *c = s->catch_up;
    struct catch_up_topic *ct = &c->topics[read->gap_index];
    uint64_t first = hub_first_offset(f->hub, read->gap_topic), from = ct->next_offset;
    c->gap_seq = read->gap_seq;
    c->gap_index = read->gap_index;
    if (first <= from)
        return; /* what was trimmed is what it has seen */
    ct->next_offset = first;
    STAT_ADD(f->stats.gaps, 1);
    f->sink->gap(f->arg, s, read->gap_topic, from, first - 1, "trimmed");
}

/* For a slow reader's `latest` topics: only the newest of each key, and a word about the rest. */
static bool skip_superseded(struct subscriber *s)
{
    struct fanout *f = s->fanout;
    struct catch_up *c = s->catch_up;
    c->slow = false;
    for (unsigned i = 0; i < s->count && s->catch_up; i++) {
        struct topic *t = subscriber_at(s, i)->group->local->topic;
        struct latest_read read;
        if (hub_slow_policy(f->hub, t) != SLOW_LATEST)
            continue;
        if (hub_read_latest(f->hub, t, c->position, f->seq, &read) != 0)
            return true; /* no memory to skip anything: it gets everything */
        if (read.superseded) {
            STAT_ADD(f->stats.dropped_superseded, read.superseded);
            STAT_ADD(f->stats.gaps, 1);
            f->sink->gap(f->arg, s, t, read.from, read.to, "superseded");
        }
        bool sent = read.count == 0 || send_events(s, read.events, read.count);
        if (sent && s->catch_up)
            c->topics[i].skip_until = f->seq;
        for (unsigned k = 0; k < read.count; k++)
            event_unref(read.events[k]);
        memory_free(read.events);
        if (!sent)
            return false;
    }
    return s->catch_up != NULL;
}

static void go_live(struct subscriber *s)
{
    struct fanout *f = s->fanout;
    uint64_t missed = s->catch_up->missed;
    bool announce = s->catch_up->announce;
    uint64_t position = s->catch_up->position;
    catch_up_end(s);
    if (subscriber_link(s) != 0) {
        f->sink->overflow_close(f->arg, s, position);
        return;
    }
    if (announce)
        f->sink->caught_up(f->arg, s, missed);
}

static void finish_replay(struct subscriber *s)
{
    struct fanout *f = s->fanout;
    struct catch_up *c = s->catch_up;
    uint64_t missed = c->missed;
    c->position = c->resume_position;
    c->until = UINT64_MAX;
    c->announce = false;
    c->gap_seq = 0;
    for (unsigned i = 0; i < s->count; i++)
        c->topics[i].next_offset =
            hub_next_offset(f->hub, subscriber_at(s, i)->group->local->topic, c->position);
    f->sink->caught_up(f->arg, s, missed);
}

static void step(struct subscriber *s)
{
    struct fanout *f = s->fanout;
    struct catch_up *c = s->catch_up;
    if ((c->slow && !skip_superseded(s)) || !collect_topics(s))
        return;
    struct history_read read = {
        .topics = f->topics,
        .topic_count = s->count,
        .position = c->position,
        .until = c->until,
        .max_bytes = STEP_BYTES,
        .gap_seq = c->gap_seq,
        .gap_index = c->gap_index,
    };
    hub_read(f->hub, f->worker, &read);
    STAT_ADD(f->stats.history_reads, 1);
    if (read.gap_topic) {
        report_gap(s, &read);
        return;
    }
    bool sent = read.count == 0 || send_events(s, read.events, read.count);
    for (unsigned i = 0; i < read.count; i++)
        event_unref(read.events[i]);
    bool live = read.at_end && read.until == UINT64_MAX;
    if (live) {
        if (sent && s->catch_up)
            s->catch_up->position = read.position;
        fanout_take(f, &read.inbox);
    }
    if (!sent || !s->catch_up)
        return;
    s->catch_up->position = read.position;
    if (live)
        go_live(s);
    else if (read.at_end)
        finish_replay(s);
}

bool fanout_read_history(struct fanout *f)
{
    struct list now;
    list_init(&now);
    list_take_all(&now, &f->reading);
    while (!list_empty(&now)) {
        struct catch_up *c = CONTAINER(now.next, struct catch_up, link);
        struct subscriber *s = c->owner;
        list_remove(&c->link);
        if (!f->sink->ready(f->arg, s))
            continue; /* subscriber_drained brings it back */
        list_append(&f->reading, &c->link);
        step(s);
    }
    return !list_empty(&f->reading);
}

int subscriber_replay(struct subscriber *s, uint64_t from, uint64_t until)
{
    struct fanout *f = s->fanout;
    uint64_t live = subscriber_position(s);
    if (s->catch_up) /* it was behind already: from there on nothing has been sent */
        catch_up_end(s);
    else
        subscriber_unlink(s);
    struct catch_up *c = catch_up_begin(s, from);
    if (!c) {
        f->sink->overflow_close(f->arg, s, live);
        return FAN_E_NO_MEMORY;
    }
    c->until = until;
    c->resume_position = live;
    c->announce = true;
    catch_up_resume_reading(s);
    return 0;
}
