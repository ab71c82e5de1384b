/* Replays: live delivery pauses, a part of history is read once more, and it goes on. */
#include "fanfare/error.h"
#include "hub/fanout.h"
#include "hub/fanout_private.h"

static void begin_replay(struct subscriber *s, uint64_t from, uint64_t until)
{
    struct hub *hub = s->fanout->hub;
    struct catch_up *c = s->catch_up;
    c->live_position = c->position;
    c->live_missed = c->missed;
    c->live_announce = c->announce;
    c->replay_from = c->position = from;
    c->until = until;
    c->missed = 0;
    for (unsigned i = 0; i < s->count; i++) {
        struct catch_up_topic *ct = &c->topics[i];
        struct topic *topic = subscriber_at(s, i)->group->local->topic;
        ct->live_next = ct->next_offset;
        ct->next_offset = hub_next_offset(hub, topic, from);
        ct->replay_end = ct->replayed ? hub_next_offset(hub, topic, until) - 1 : 0;
    }
}

static void end_replay(struct catch_up *c)
{
    struct subscriber *s = c->owner;
    c->position = c->live_position;
    c->until = UINT64_MAX;
    c->missed = c->live_missed;
    c->announce = c->live_announce;
    for (unsigned i = 0; i < s->count; i++) {
        struct subscription *sub = subscriber_at(s, i);
        c->topics[i].next_offset = c->topics[i].live_next;
        if (c->topics[i].replay_end && c->replay_from < sub->from)
            sub->from = c->replay_from; /* it has got those, too */
    }
}

void catch_up_finish_replay(struct subscriber *s)
{
    struct catch_up *c = s->catch_up;
    uint64_t missed = c->missed;
    end_replay(c);
    s->fanout->sink->caught_up(s->fanout->arg, s, missed);
    if (c->waiting_until) {
        begin_replay(s, c->waiting_from, c->waiting_until);
        c->waiting_until = 0;
    }
}

int subscriber_replay(struct subscriber *s, uint64_t from, uint64_t until)
{
    struct fanout *f = s->fanout;
    subscriber_flush(s);
    if (!s->catch_up) {
        if (!catch_up_begin(s, f->seq)) {
            f->sink->overflow_close(f->arg, s, f->seq);
            return FAN_E_NO_MEMORY;
        }
        subscriber_unlink(s);
    }
    struct catch_up *c = s->catch_up;
    for (unsigned i = 0; i < s->count; i++)
        c->topics[i].replayed = true;
    if (catch_up_replays(c)) {
        if (!c->waiting_until)
            c->waiting_until = until;
        c->waiting_from = from;
        return 0;
    }
    begin_replay(s, from, until);
    catch_up_resume_reading(s);
    return 0;
}
