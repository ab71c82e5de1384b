/*
 * Joining and leaving topics, and finding the place from which somebody resumes.
 */
#include "fanfare/error.h"
#include "hub/hub_private.h"

const char *resume_reason_name(enum resume_reason reason)
{
    static const char *const names[] = {"ok", "trimmed", "epoch_changed", "invalid", "limit"};
    return names[reason];
}

static void start_at(struct join_result *out, uint64_t position)
{
    out->position = position;
    out->reason = RESUME_OK;
}

static void lost(const struct topic *t, struct join_result *out, uint64_t from)
{
    uint64_t first = topic_first_offset(t);
    out->reason = RESUME_TRIMMED;
    out->missed_from = from;
    out->missed_to = first - 1;
}

/* The log is damaged where it would go on: there is no telling what comes behind that. */
static void unreadable(const struct topic *t, struct join_result *out, uint64_t from)
{
    out->reason = RESUME_TRIMMED;
    out->missed_from = from;
    out->missed_to = t->offset;
}

/* These return false when the engine has to be asked first. */
static bool locate_offset(const struct topic *t, const struct start_point *start,
                          struct stored_hint *hint, struct join_result *out)
{
    uint64_t position;
    if (start->epoch != t->epoch) {
        out->reason = RESUME_EPOCH_CHANGED;
        out->missed_from = start->offset + 1;
    } else if (start->offset > t->offset) {
        out->reason = RESUME_INVALID;
    } else if (start->offset + 1 < topic_first_offset(t)) {
        lost(t, out, start->offset + 1);
    } else if (!hub_position_before(t, start->offset + 1, hint, &position)) {
        return false;
    } else if (hint->failed) {
        unreadable(t, out, start->offset + 1);
    } else {
        start_at(out, position < out->seq ? position : out->seq);
    }
    return true;
}

/* Which events stand right behind a trimmed part is known without asking, unless the log begins
 * later than it ends: then some of what is behind the cursor may be gone, too. */
static bool locate_kept(const struct topic *t, uint64_t position, struct stored_hint *hint,
                        struct join_result *out)
{
    uint64_t offset = t->trimmed_to + 1;
    if (topic_first_offset(t) > offset && !hub_offset_behind(t, position, hint, &offset))
        return false;
    if (offset < topic_first_offset(t))
        lost(t, out, offset);
    else
        start_at(out, position);
    return true;
}

/* A topic that is younger than the cursor is replayed from its start, unless a log that may have
 * been its predecessor's was lost since: then nobody can say that nothing is missing. */
static bool locate_cursor(const struct hub *h, const struct topic *t,
                          const struct start_point *start, struct stored_hint *hint,
                          struct join_result *out)
{
    if (start->epoch != h->epoch) {
        out->reason = RESUME_EPOCH_CHANGED;
        return true;
    }
    if (start->offset > h->seq) {
        out->reason = RESUME_INVALID;
        return true;
    }
    bool predecessor_lost = t->birth_seq > start->offset && h->lost_seq[t->kind] > start->offset;
    if (predecessor_lost)
        out->reason = RESUME_EPOCH_CHANGED;
    else if (t->trimmed_seq > start->offset)
        lost(t, out, topic_trimmed_after(t, start->offset));
    else
        return locate_kept(t, start->offset, hint, out);
    return true;
}

/* After a loss, reading may still begin at what is left. */
static bool locate_beginning(const struct topic *t, struct stored_hint *hint,
                             struct join_result *out)
{
    uint64_t position = out->seq, first = topic_first_offset(t);
    if (first <= t->offset && !hub_position_before(t, first, hint, &position))
        return false;
    if (first <= t->offset && hint->failed)
        unreadable(t, out, first);
    else
        start_at(out, position);
    if (first > 1 && out->reason == RESUME_OK)
        lost(t, out, 1);
    return true;
}

static bool locate(struct hub *h, struct topic *t, const struct start_point *start,
                   struct stored_hint *hint, struct join_result *out)
{
    out->offset = t->offset;
    out->epoch = t->epoch;
    out->seq = h->seq;
    out->position = h->seq;
    out->reason = RESUME_OK;
    out->available_from = topic_first_offset(t);
    switch (start->kind) {
    case START_NOW:
        break;
    case START_OFFSET:
        return locate_offset(t, start, hint, out);
    case START_CURSOR:
        return locate_cursor(h, t, start, hint, out);
    case START_BEGINNING:
        return locate_beginning(t, hint, out);
    }
    return true;
}

/* Asks the engine, with the lock released meanwhile; the topic stays. */
static void ask(struct hub *h, struct topic *t, struct stored_hint *hint)
{
    hint->topic = topic_ref(t);
    pthread_mutex_unlock(&h->lock);
    hub_ask(h, hint);
    topic_unref(hint->topic);
    pthread_mutex_lock(&h->lock);
}

int hub_join(struct hub *h, unsigned worker, unsigned dialect, struct slice name,
             const struct start_point *start, struct join_result *out)
{
    struct topic *t;
    struct stored_hint hint = {0};
    *out = (struct join_result){0};
    pthread_mutex_lock(&h->lock);
    int error = hub_need_topic(h, name, &t);
    while (!error && !locate(h, t, start, &hint, out)) {
        ask(h, t, &hint);
        error = hub_need_topic(h, name, &t); /* an idle one may have gone meanwhile */
    }
    if (!error) {
        out->topic = topic_ref(t);
        t->interested |= 1ull << worker;
        t->subscribers++;
        t->subscribers_of[dialect]++;
        h->stats.subscriptions++;
        hub_touch_topic(h, t);
        hub_detach_inbox(h, worker, &out->inbox);
    }
    pthread_mutex_unlock(&h->lock);
    return error;
}

void hub_locate(struct hub *h, struct topic *topic, const struct start_point *start,
                struct join_result *out)
{
    struct stored_hint hint = {0};
    *out = (struct join_result){.topic = topic};
    pthread_mutex_lock(&h->lock);
    while (!locate(h, topic, start, &hint, out))
        ask(h, topic, &hint);
    pthread_mutex_unlock(&h->lock);
}

void hub_leave(struct hub *h, unsigned worker, unsigned dialect, struct topic *topic, bool last)
{
    pthread_mutex_lock(&h->lock);
    if (last)
        topic->interested &= ~(1ull << worker);
    topic->subscribers--;
    topic->subscribers_of[dialect]--;
    h->stats.subscriptions--;
    hub_touch_topic(h, topic);
    pthread_mutex_unlock(&h->lock);
    topic_unref(topic);
}
