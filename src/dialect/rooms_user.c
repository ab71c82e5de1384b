/*
 * What users missed of their own topic, for the dialect `rooms`.
 *
 * A connection that breaks off takes with it what lay in buffers on the way, and nobody tells. So
 * what a client has been sent counts only once something came back that it can only have sent
 * behind it: the answer to a ping, the next poll, a goodbye. From the last such position on the
 * user is given their topic again at the next connect, marked as replayed: some of it twice when
 * the end was sudden, never less than all.
 */
#include "base/memory.h"
#include "dialect/rooms_private.h"

#define REPLAY_MAX   500
#define REPLAY_BYTES (512 * 1024)

/* Whether its user has a topic that is kept for them. */
static bool is_kept(const struct room_session *s)
{
    const struct identity *who = client_identity(s->client);
    return s->space && s->entered && !s->space->hooks && who && !who->anonymous;
}

/* Up to where everything that it follows has left its own queue. */
static uint64_t position_sent(struct client *c)
{
    uint64_t oldest;
    subscriber_sync(&c->subscriber);
    uint64_t position = subscriber_position(&c->subscriber);
    if (!conn_oldest_event(&c->ws.conn, &oldest) || oldest > position)
        return position;
    return oldest ? oldest - 1 : room_session_of(c)->confirmed; /* 0: the rest of a frame */
}

/* Events up to `until` behind `position`. */
static void replay(struct client *c, struct slice own, uint64_t position, uint64_t until)
{
    const struct delivery *d = client_delivery(c);
    uint64_t since;
    struct topic_page page;
    if (hub_topic_offset_at(d->hub, own, position, &since) != 0)
        return;
    if (until > REPLAY_MAX && since < until - REPLAY_MAX)
        since = until - REPLAY_MAX;
    struct event **events = memory_try_alloc(REPLAY_MAX * sizeof(struct event *));
    if (!events)
        return;
    if (hub_topic_page(d->hub, own, since, REPLAY_MAX, REPLAY_BYTES, events, &page) != 0)
        page.count = 0;
    for (unsigned i = 0; i < page.count; i++) {
        unsigned place = event_place_in(events[i], own);
        if (events[i]->places[place].offset <= until && !c->ws.close_sent)
            room_send_replayed(c, events[i], place);
        event_unref(events[i]);
    }
    memory_free(events);
}

/* For the case that the server ends before the connection does. */
static void write_down(struct client *c)
{
    const struct identity *who = client_identity(c);
    if (is_kept(room_session_of(c)))
        room_recovery_write_user(client_delivery(c)->options->rooms.recovery,
                                 slice_from(who->principal.name), buf_slice(&who->user_topic),
                                 room_session_of(c)->confirmed);
}

void room_user_begin(struct client *c, struct slice own, const struct join_result *joined)
{
    const struct delivery *d = client_delivery(c);
    const struct identity *who = client_identity(c);
    struct room_session *s = room_session_of(c);
    struct slice user = slice_from(who->principal.name);
    s->confirmed = joined->seq;
    if (!who->anonymous && room_recovery_find_user(d->options->rooms.recovery, user, &s->confirmed))
        replay(c, own, s->confirmed, joined->offset);
    s->asked = s->confirmed;
    write_down(c);
}

void room_user_asked(struct client *carrier)
{
    for (struct room_session *s = room_session_of(carrier); s; s = s->carried)
        if (is_kept(s))
            s->asked = position_sent(s->client);
}

void room_user_heard(struct client *carrier)
{
    for (struct room_session *s = room_session_of(carrier); s; s = s->carried)
        if (s->asked > s->confirmed) {
            s->confirmed = s->asked;
            write_down(s->client);
        }
}

void room_user_left(struct client *c)
{
    struct room_session *s = room_session_of(c);
    if (is_kept(s))
        s->confirmed = position_sent(c);
}

void room_user_note(struct client *c)
{
    const struct identity *who = client_identity(c);
    if (!who->anonymous)
        room_recovery_note_user(client_delivery(c)->options->rooms.recovery,
                                slice_from(who->principal.name), room_session_of(c)->confirmed);
}
