/*
 * Topics whose log the engine keeps: `history` has the newest events, the engine all. What is to be
 * known of older ones is asked without the hub's lock, and what was asked about is over and done:
 * events do not change, so an answer stays true; only the log's beginning may have moved on.
 */
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/hub_private.h"
#include "hub/placing.h"

static void raise_floor(struct hub *h, struct topic *t, uint64_t floor)
{
    t->floor = floor > t->floor ? floor : t->floor;
    while (t->history.count && topic_ring_first(t) < t->floor)
        hub_trim_oldest(h, t);
}

void hub_drop_oldest(struct hub *h, struct topic *t)
{
    if (t->stored)
        raise_floor(h, t, t->floor + 1);
    else
        hub_trim_oldest(h, t);
}

uint64_t hub_log_floor(struct hub *h, const struct topic *t)
{
    pthread_mutex_lock(&h->lock);
    uint64_t floor = topic_first_offset(t);
    pthread_mutex_unlock(&h->lock);
    return floor;
}

void hub_log_trimmed(struct hub *h, struct topic *t, uint64_t to, uint64_t seq,
                     enum trim_reason reason)
{
    pthread_mutex_lock(&h->lock);
    uint64_t before = t->floor;
    topic_note_trimmed(t, seq, to);
    t->trimmed_seq = seq;
    t->trimmed_to = to;
    raise_floor(h, t, to + 1);
    if (reason == TRIM_AGE)
        h->stats.trimmed_age += t->floor - before;
    else
        h->stats.trimmed_bytes += t->floor - before;
    pthread_mutex_unlock(&h->lock);
}

/* ---- Questions ---- */

static bool is_answered(struct stored_hint *hint, bool by_seq, uint64_t asked)
{
    if (hint->answered && hint->by_seq == by_seq && hint->asked == asked)
        return true;
    *hint = (struct stored_hint){.by_seq = by_seq, .asked = asked};
    return false;
}

bool hub_position_before(const struct topic *t, uint64_t offset, struct stored_hint *hint,
                         uint64_t *position)
{
    uint64_t first = topic_ring_first(t);
    if (offset > t->offset) {
        *position = t->last_seq;
    } else if (offset >= first) {
        *position = topic_history_at(&t->history, (uint32_t)(offset - first))->seq - 1;
    } else {
        if (!is_answered(hint, false, offset))
            return false;
        *position = hint->answer - 1;
        return true;
    }
    hint->failed = false;
    return true;
}

bool hub_offset_behind(const struct topic *t, uint64_t position, struct stored_hint *hint,
                       uint64_t *offset)
{
    if (position < t->trimmed_seq) {
        *offset = topic_trimmed_after(t, position);
    } else if (topic_ring_reaches(t, position)) {
        *offset = topic_ring_first(t) + topic_history_after(&t->history, position);
    } else {
        if (!is_answered(hint, true, position))
            return false;
        *offset = hint->failed ? t->floor : hint->answer;
    }
    return true;
}

/* Where reading may begin and where memory goes on. */
static void bounds(struct hub *h, const struct topic *t, uint64_t *from, uint64_t *end)
{
    pthread_mutex_lock(&h->lock);
    *from = t->trimmed_to + 1;
    *end = topic_ring_first(t);
    pthread_mutex_unlock(&h->lock);
}

static int ask_seq(struct hub *h, struct stored_hint *hint)
{
    struct event *event;
    struct stored_read read = {.topic = hint->topic,
                               .from = hint->asked,
                               .end = hint->asked + 1,
                               .max = 1,
                               .max_bytes = 1,
                               .events = &event};
    int error = h->engine->ops->read(h->engine, &read);
    if (error || read.count == 0)
        return error ? error : FAN_E_IO;
    hint->answer = event->seq;
    event_unref(event);
    return 0;
}

void hub_ask(struct hub *h, struct stored_hint *hint)
{
    uint64_t from, end;
    int error;
    if (hint->by_seq) {
        bounds(h, hint->topic, &from, &end);
        error = h->engine->ops->find(h->engine, hint->topic, hint->asked, from, end, &hint->answer);
    } else {
        error = ask_seq(h, hint);
    }
    hint->answered = true;
    hint->failed = error != 0;
}
