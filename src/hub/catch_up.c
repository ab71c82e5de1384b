/*
 * Reading on from history: for those who resume, and for those who read too slowly.
 *
 * Nothing is queued for such a subscriber: when its connection has sent what it had, the next
 * piece is read from history. That one piece is never dropped, so whoever becomes slow right after
 * it went live need not go back behind it. At the end the hub hands over, in the same instant, the
 * worker's pending live events; those are given to the others, and the subscriber returns to its
 * groups with nothing missing and nothing twice.
 */
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/fanout.h"
#include "hub/fanout_private.h"

/* Events of one step: what a socket's buffer takes without waiting, about. */
#define STEP_BYTES   (128 * 1024)
#define LATEST_BYTES (512 * 1024) /* each read of the latest looks far ahead, so it takes more */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

struct catch_up *catch_up_begin(struct subscriber *s, uint64_t position)
{
    struct fanout *f = s->fanout;
    if (s->patterns && subscriber_borrow_since(s, position) != 0)
        return NULL;
    struct catch_up *c = memory_try_alloc(sizeof *c + s->count * sizeof(struct catch_up_topic));
    if (!c)
        return NULL;
    *c = (struct catch_up){.owner = s, .position = position, .until = UINT64_MAX};
    list_init(&c->link);
    for (unsigned i = 0; i < s->count; i++) {
        const struct subscription *sub = subscriber_at(s, i);
        c->topics[i] = (struct catch_up_topic){
            .next_offset =
                hub_next_offset(f->hub, sub->group->local->topic, larger(position, sub->from)),
        };
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

int catch_up_add(struct subscriber *s, bool resumes)
{
    unsigned last = s->count - 1;
    const struct subscription *sub = subscriber_at(s, last);
    struct catch_up *c = s->catch_up;
    if (c) {
        c = grow(s);
    } else {
        c = catch_up_begin(s, s->fanout->seq);
        if (c)
            subscriber_unlink(s);
    }
    if (!c)
        return FAN_E_NO_MEMORY;
    bool replays = catch_up_replays(c);
    uint64_t *position = replays ? &c->live_position : &c->position;
    for (unsigned i = 0; i < last; i++)
        c->topics[i].got_until = larger(c->topics[i].got_until, *position);
    if (sub->from < *position)
        *position = sub->from;
    uint64_t next = hub_next_offset(s->fanout->hub, sub->group->local->topic, sub->from);
    c->topics[last] =
        (struct catch_up_topic){.next_offset = next, .live_next = next, .whole = true};
    if (resumes)
        *(replays ? &c->live_announce : &c->announce) = true;
    if (!c->in_groups)
        catch_up_resume_reading(s);
    return 0;
}

static void report_gap(struct subscriber *s, unsigned i, uint64_t from, uint64_t to,
                       const char *reason)
{
    struct fanout *f = s->fanout;
    STAT_ADD(f->stats.gaps, 1);
    f->sink->gap(f->arg, s, subscriber_at(s, i)->group->local->topic, from, to, reason);
}

static unsigned index_of(const struct subscriber *s, struct slice topic)
{
    unsigned i = 0;
    while (!slice_equal(topic_name_slice(subscriber_at(s, i)->group->local->topic), topic))
        i++;
    return i;
}

void catch_up_got(struct subscriber *s, struct slice topic, uint64_t from, uint64_t until)
{
    struct catch_up_topic *ct = &s->catch_up->topics[index_of(s, topic)];
    ct->got_from = larger(ct->got_from, from);
    ct->got_until = larger(ct->got_until, until);
}

int catch_up_extend(struct subscriber *s, struct slice topic, uint64_t from, uint64_t got_from)
{
    struct catch_up *c = s->catch_up;
    if (!c) {
        c = catch_up_begin(s, s->fanout->seq);
        if (!c)
            return FAN_E_NO_MEMORY;
        subscriber_unlink(s);
    }
    unsigned index = index_of(s, topic);
    struct subscription *sub = subscriber_at(s, index);
    struct catch_up_topic *ct = &c->topics[index];
    uint64_t next = hub_next_offset(s->fanout->hub, sub->group->local->topic, from);
    if (ct->got_from > c->position) { /* it goes back for the topic already: not again meanwhile */
        uint64_t begins = hub_next_offset(s->fanout->hub, sub->group->local->topic, sub->from);
        if (next < begins)
            report_gap(s, index, next, begins - 1, "limit");
        return 0;
    }
    for (unsigned i = 0; i < s->count; i++)
        c->topics[i].got_until = larger(c->topics[i].got_until, c->position);
    ct->got_from = got_from;
    ct->got_until =
        larger(ct->got_until, sub->from); /* up to there it came by a pattern, if at all */
    ct->next_offset = ct->live_next = next;
    ct->whole = true;
    sub->from = from;
    c->position = from < c->position ? from : c->position;
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

static enum slow_policy policy_of(const struct subscriber *s, unsigned i)
{
    return hub_slow_policy(s->fanout->hub, subscriber_at(s, i)->group->local->topic);
}

static bool wants_disconnect(const struct subscriber *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (policy_of(s, i) == SLOW_DISCONNECT)
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
        } else {
            catch_up_resume_reading(s);
        }
    }
}

int subscriber_hold(struct subscriber *s)
{
    subscriber_flush(s);
    if (!s->catch_up) {
        if (!catch_up_begin(s, s->fanout->seq))
            return FAN_E_NO_MEMORY;
        subscriber_unlink(s);
    }
    s->catch_up->held++;
    return 0;
}

void subscriber_release(struct subscriber *s)
{
    struct catch_up *c = s->catch_up;
    if (c && c->held && --c->held == 0 && !c->in_groups)
        catch_up_resume_reading(s);
}

void subscriber_drained(struct subscriber *s)
{
    if (s->catch_up && !s->catch_up->in_groups)
        catch_up_resume_reading(s);
}

/* ---- What an event is to a subscriber ---- */

static bool is_got(const struct catch_up_topic *ct, const struct subscription *sub,
                   const struct event *e)
{
    if (e->place_count == 1 && e->seq <= ct->latest_until)
        return true;
    return e->seq > larger(sub->from, ct->got_from) && e->seq <= ct->got_until;
}

/* Whether the event comes through this subscription at all. */
static bool comes_through(const struct catch_up *c, unsigned i, const struct subscription *sub,
                          const struct event *e, unsigned place)
{
    return catch_up_replays(c) ? e->places[place].offset <= c->topics[i].replay_end
                               : e->seq > sub->from;
}

/* Whether the event is for the subscriber, and under which of the event's topics it sees it: the
 * first one that it follows, which is its subscription *index. But a topic that was told to be
 * trimmed beyond the event, while another still has it, shows it no more: that would be out of its
 * order. One that it got already, through whatever topic, is not for it. */
static bool sees(const struct subscriber *s, const struct event *e, unsigned *index,
                 unsigned *place)
{
    const struct catch_up *c = s->catch_up;
    bool found = false, in_order = false;
    for (unsigned p = 0; p < e->place_count; p++)
        for (unsigned i = 0; i < s->count; i++) {
            const struct subscription *sub = subscriber_at(s, i);
            if (sub->group->local->topic != e->places[p].topic)
                continue;
            if (!catch_up_replays(c) && is_got(&c->topics[i], sub, e))
                return false;
            bool fits = e->place_count == 1 || e->places[p].offset >= c->topics[i].next_offset;
            if (in_order || (found && !fits) || !comes_through(c, i, sub, e, p))
                continue;
            found = true;
            in_order = fits;
            *index = i;
            *place = p;
        }
    return found;
}

/* The event has been read through all of its topics. */
static void note_offsets(struct subscriber *s, const struct event *e)
{
    for (unsigned p = 0; p < e->place_count; p++)
        for (unsigned i = 0; i < s->count; i++)
            if (subscriber_at(s, i)->group->local->topic == e->places[p].topic)
                s->catch_up->topics[i].next_offset =
                    larger(s->catch_up->topics[i].next_offset, e->places[p].offset + 1);
}

/* Appends the event's frame to the scratch buffer if it is for the subscriber. */
static bool encode_for(struct subscriber *s, const struct event *e)
{
    unsigned index, place;
    if (!sees(s, e, &index, &place) || !event_filter_wants(s->filter, e))
        return false;
    const struct encoding *encoding = subscriber_at(s, index)->group->encoding;
    if (!fanout_append_own(s->fanout, s, encoding, e, place))
        fanout_append(s->fanout, encoding, e, place);
    STAT_ADD(s->fanout->stats.encoded[encoding->dialect], 1);
    return true;
}

uint64_t fanout_position(const struct fanout *f, const struct event *e)
{
    return f->reads_ahead ? f->reader->catch_up->position : e->seq;
}

static unsigned encode_all(struct subscriber *s, struct event *const *events, unsigned count)
{
    struct fanout *f = s->fanout;
    unsigned sent = 0;
    buf_clear(&f->scratch);
    f->reader = s;
    for (unsigned i = 0; i < count; i++)
        if (encode_for(s, events[i]))
            sent++;
    f->reader = NULL;
    return sent;
}

/* Sends events[0..count-1] as one piece. False: no memory; the connection is closed. */
static bool send_events(struct subscriber *s, struct event *const *events, unsigned count)
{
    struct fanout *f = s->fanout;
    unsigned sent = encode_all(s, events, count);
    if (sent == 0)
        return true;
    struct bytes *piece = f->scratch.failed ? NULL : bytes_try_copy(buf_slice(&f->scratch));
    if (!piece) {
        f->sink->overflow_close(f->arg, s, s->catch_up->position);
        return false;
    }
    const struct frames frames = {piece, 0, piece->len, events[0]->seq, true};
    s->catch_up->missed += sent;
    STAT_ADD(f->stats.deliveries, sent);
    f->sink->deliver_one(f->arg, s, &frames);
    bytes_unref(piece);
    return true;
}

/* ---- Policy `latest` ---- */

/* False: nothing was to be sent. */
static bool send_latest(struct subscriber *s, unsigned i, const struct latest_read *read)
{
    struct catch_up_topic *ct = &s->catch_up->topics[i];
    uint64_t from = ct->next_offset;
    ct->next_offset = larger(from, read->next_offset);
    if (read->first_offset > from)
        report_gap(s, i, from, read->first_offset - 1, "trimmed");
    if (read->superseded) {
        STAT_ADD(s->fanout->stats.dropped_superseded, read->superseded);
        report_gap(s, i, read->from, read->to, "superseded");
    }
    s->fanout->reads_ahead = true;
    if (send_events(s, read->events, read->count))
        ct->latest_until = read->end;
    s->fanout->reads_ahead = false;
    return read->first_offset > from || read->superseded || read->count;
}

/* Where the topic's next read of the latest begins. */
static uint64_t latest_from(const struct catch_up *c, unsigned i)
{
    const struct catch_up_topic *ct = &c->topics[i];
    uint64_t read = larger(c->position, ct->latest_until);
    return larger(read, larger(subscriber_at(c->owner, i)->from, ct->got_until));
}

/* Where all topics are `latest`, nothing is left to be read up to the end of the one least far. */
static void pass_over_latest(struct subscriber *s)
{
    struct catch_up *c = s->catch_up;
    uint64_t position = UINT64_MAX;
    for (unsigned i = 0; i < s->count; i++) {
        if (c->topics[i].whole || policy_of(s, i) != SLOW_LATEST)
            return;
        if (c->topics[i].latest_until < position)
            position = c->topics[i].latest_until;
    }
    c->position = larger(c->position, position);
}

/* For a slow reader's `latest` topics: only the newest of each key, and a word about the rest,
 * again and again until it has all that there is. One piece a step, so that each goes into an empty
 * queue. False: nothing to do. */
static bool step_latest(struct subscriber *s)
{
    struct fanout *f = s->fanout;
    struct catch_up *c = s->catch_up;
    for (unsigned i = 0; i < s->count; i++) {
        const struct subscription *sub = subscriber_at(s, i);
        uint64_t from = latest_from(c, i);
        struct latest_read read;
        if (c->topics[i].whole || from >= f->seq || policy_of(s, i) != SLOW_LATEST)
            continue;
        if (hub_read_latest(f->hub, sub->group->local->topic, from, f->seq, LATEST_BYTES, &read) !=
            0) {
            c->topics[i].whole = true; /* no memory to skip anything */
            continue;
        }
        bool any = send_latest(s, i, &read);
        for (unsigned k = 0; k < read.count; k++)
            event_unref(read.events[k]);
        memory_free(read.events);
        if (any)
            return true;
    }
    pass_over_latest(s);
    return false;
}

/* ---- Steps ---- */

/* What a replay has behind it is of no concern to it. */
static uint64_t wanted_next(const struct catch_up *c, unsigned i)
{
    const struct catch_up_topic *ct = &c->topics[i];
    return catch_up_replays(c) && ct->next_offset > ct->replay_end ? UINT64_MAX : ct->next_offset;
}

static bool collect_sources(struct subscriber *s)
{
    struct fanout *f = s->fanout;
    if (f->sources_cap < s->count) {
        void *grown = memory_try_realloc(f->sources, s->count * sizeof *f->sources);
        if (!grown)
            return false;
        f->sources = grown;
        f->sources_cap = s->count;
    }
    for (unsigned i = 0; i < s->count; i++)
        f->sources[i] = (struct history_source){subscriber_at(s, i)->group->local->topic,
                                                wanted_next(s->catch_up, i)};
    return true;
}

static void report_trimmed(struct subscriber *s, const struct history_read *read)
{
    struct catch_up *c = s->catch_up;
    struct catch_up_topic *ct = &c->topics[read->gap_index];
    uint64_t from = ct->next_offset, to = read->gap_to;
    ct->next_offset = to + 1;
    if (catch_up_replays(c) && to > ct->replay_end)
        to = ct->replay_end;
    report_gap(s, read->gap_index, from, to, "trimmed");
}

static void go_live(struct subscriber *s)
{
    struct fanout *f = s->fanout;
    uint64_t missed = s->catch_up->missed;
    bool announce = s->catch_up->announce;
    uint64_t position = s->catch_up->position;
    catch_up_end(s);
    subscriber_return_borrowed(s);
    if (subscriber_link(s) != 0) {
        f->sink->overflow_close(f->arg, s, position);
        return;
    }
    if (announce)
        f->sink->caught_up(f->arg, s, missed);
}

/* Sends what was read; at the end takes the pending events to the others, and joins them, unless
 * there is a topic among them that it follows by a pattern and has not read. */
static void use_read(struct subscriber *s, struct history_read *read)
{
    struct fanout *f = s->fanout;
    bool sent = send_events(s, read->events, read->count);
    bool live = read->at_end && read->until == UINT64_MAX;
    for (unsigned i = 0; i < read->count; i++) {
        if (sent)
            note_offsets(s, read->events[i]);
        event_unref(read->events[i]);
    }
    if (sent)
        s->catch_up->position = read->position;
    if (live)
        fanout_take(f, &read->inbox);
    if (sent && live && s->catch_up->position >= read->position)
        go_live(s);
    else if (live)
        return;
    else if (sent && read->at_end)
        catch_up_finish_replay(s);
}

static void step(struct subscriber *s)
{
    struct fanout *f = s->fanout;
    struct catch_up *c = s->catch_up;
    if (c->slow && !catch_up_replays(c) && step_latest(s))
        return;
    if (!collect_sources(s)) {
        f->sink->overflow_close(f->arg, s, c->position);
        return;
    }
    struct history_read read; /* large: only what goes in is set */
    read.sources = f->sources;
    read.source_count = s->count;
    read.position = c->position;
    read.until = c->until;
    read.max_bytes = STEP_BYTES;
    hub_read(f->hub, f->worker, &read);
    STAT_ADD(f->stats.history_reads, 1);
    if (read.failed)
        f->sink->overflow_close(f->arg, s, c->position);
    else if (read.gap)
        report_trimmed(s, &read);
    else
        use_read(s, &read);
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
        if (c->held || !f->sink->ready(f->arg, s))
            continue; /* subscriber_release or subscriber_drained brings it back */
        list_append(&f->reading, &c->link);
        step(s);
    }
    return !list_empty(&f->reading) || !list_empty(&f->dirty);
}
