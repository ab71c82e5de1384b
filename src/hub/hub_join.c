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

static void locate_offset(const struct topic *t, const struct start_point *start,
                          struct join_result *out)
{
    uint64_t position;
    if (start->epoch != t->epoch) {
        out->reason = RESUME_EPOCH_CHANGED;
        out->missed_from = start->offset + 1;
        return;
    }
    if (start->offset > t->offset) {
        out->reason = RESUME_INVALID;
        return;
    }
    if (topic_position_of(t, start->offset, &position))
        start_at(out, position < out->seq ? position : out->seq);
    else
        lost(t, out, start->offset + 1);
}

/* A topic that is younger than the cursor is replayed from its start, unless a log that may have
 * been its predecessor's was lost since: then nobody can say that nothing is missing. */
static void locate_cursor(const struct hub *h, const struct topic *t,
                          const struct start_point *start, struct join_result *out)
{
    if (start->epoch != h->epoch) {
        out->reason = RESUME_EPOCH_CHANGED;
        return;
    }
    if (start->offset > h->seq) {
        out->reason = RESUME_INVALID;
        return;
    }
    bool predecessor_lost = t->birth_seq > start->offset && h->lost_seq[t->kind] > start->offset;
    if (predecessor_lost)
        out->reason = RESUME_EPOCH_CHANGED;
    else if (t->trimmed_seq > start->offset)
        lost(t, out, topic_trimmed_after(t, start->offset));
    else
        start_at(out, start->offset);
}

static void locate_beginning(const struct topic *t, struct join_result *out)
{
    uint64_t position;
    if (topic_position_of(t, 0, &position))
        start_at(out, t->history.count ? topic_history_at(&t->history, 0)->seq - 1 : out->seq);
    else
        lost(t, out, 1);
}

/* After a loss, reading may still begin at what is left. */
static uint64_t first_kept_position(const struct topic *t, uint64_t seq)
{
    return t->history.count ? topic_history_at(&t->history, 0)->seq - 1 : seq;
}

static void locate(struct hub *h, struct topic *t, const struct start_point *start,
                   struct join_result *out)
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
        locate_offset(t, start, out);
        break;
    case START_CURSOR:
        locate_cursor(h, t, start, out);
        break;
    case START_BEGINNING:
        locate_beginning(t, out);
        if (out->reason == RESUME_TRIMMED)
            out->position = first_kept_position(t, out->seq);
        break;
    }
}

int hub_join(struct hub *h, unsigned worker, unsigned dialect, struct slice name,
             const struct start_point *start, struct join_result *out)
{
    struct topic *t;
    *out = (struct join_result){0};
    pthread_mutex_lock(&h->lock);
    int error = hub_need_topic(h, name, &t);
    if (!error) {
        out->topic = topic_ref(t);
        t->interested |= 1ull << worker;
        t->subscribers++;
        t->subscribers_of[dialect]++;
        h->stats.subscriptions++;
        hub_touch_topic(h, t);
        locate(h, t, start, out);
        hub_detach_inbox(h, worker, &out->inbox);
    }
    pthread_mutex_unlock(&h->lock);
    return error;
}

void hub_locate(struct hub *h, struct topic *topic, const struct start_point *start,
                struct join_result *out)
{
    *out = (struct join_result){.topic = topic};
    pthread_mutex_lock(&h->lock);
    locate(h, topic, start, out);
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
