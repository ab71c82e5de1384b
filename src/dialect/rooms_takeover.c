/*
 * Clients that come back before their end was noticed, for the dialect `rooms`.
 *
 * A connection that a network has cut off often looks alive for a minute, and one on HTTP has no
 * connection at all between two polls. A client that brings the pid of a socket which is still
 * there ends it: all workers are asked in turn, the one that has it remembers it and closes its
 * session, and then the client recovers as if that had happened in time.
 */
#include "base/memory.h"
#include "dialect/rooms_private.h"

struct room_takeover {
    struct worker *origin;
    struct client *client; /* who waits; NULL: gone, or it was answered */
    const struct room_space *space;
    unsigned next; /* worker to be asked */
    struct buf auth, user;
    char pid[ROOM_ID_SIZE];
};

/* ---- Sockets by pid ---- */

static struct slice pid_key(const void *object)
{
    return slice_from(((const struct room_session *)object)->pid);
}

void room_live_add(struct client *c)
{
    struct room_session *s = room_session_of(c);
    struct delivery *d = client_delivery(c);
    if (!d->live.key)
        map_init(&d->live, pid_key);
    if (s->pid[0] && !map_get(&d->live, slice_from(s->pid)))
        s->listed = map_try_put(&d->live, s) == 0;
}

void room_live_remove(struct client *c)
{
    struct room_session *s = room_session_of(c);
    if (s->listed)
        map_remove(&client_delivery(c)->live, slice_from(s->pid));
    s->listed = false;
}

/* ---- Asking for it ---- */

static void end_session(struct client *carrier)
{
    for (struct room_session *s = room_session_of(carrier); s; s = s->carried)
        room_remember(s->client);
    conn_close(&carrier->ws.conn, "came back on another connection");
}

static void finish(struct worker *w, void *arg);

static void seek(struct worker *w, void *arg)
{
    struct room_takeover *t = arg;
    const struct delivery *d = w->context;
    struct room_session *s = d->live.key ? map_get(&d->live, slice_from(t->pid)) : NULL;
    bool found = s && s->space == t->space && client_identity(s->client) &&
                 slice_is(buf_slice(&t->user), client_identity(s->client)->principal.name);
    if (found)
        end_session(room_carrier(s->client));
    if (!found && ++t->next < d->options->worker_count)
        worker_post(&d->options->workers[t->next], seek, t);
    else
        worker_post(t->origin, finish, t);
}

static void finish(struct worker *w, void *arg)
{
    struct room_takeover *t = arg;
    (void)w;
    if (t->client) {
        struct client *c = t->client;
        room_takeover_forget(c);
        struct json_value auth = {JSON_NULL, {"null", 4}};
        json_parse(buf_slice(&t->auth), &auth, NULL); /* was read before */
        room_enter(c, auth);
    }
    buf_fini(&t->auth);
    buf_fini(&t->user);
    memory_free(t);
}

bool room_takeover_begin(struct client *c, struct slice pid, struct json_value auth)
{
    const struct delivery_options *options = client_delivery(c)->options;
    struct room_takeover *t = memory_try_alloc(sizeof *t);
    if (!t || pid.len != ROOM_ID_SIZE - 1) {
        memory_free(t);
        return false;
    }
    *t = (struct room_takeover){
        .origin = c->ws.conn.worker, .client = c, .space = room_session_of(c)->space};
    memcpy(t->pid, pid.ptr, pid.len);
    buf_append_slice(&t->auth, auth.text);
    buf_append_text(&t->user, client_identity(c)->principal.name);
    room_session_of(c)->takeover = t;
    worker_post(&options->workers[0], seek, t);
    return true;
}

void room_takeover_forget(struct client *c)
{
    struct room_session *s = room_session_of(c);
    if (s->takeover)
        s->takeover->client = NULL;
    s->takeover = NULL;
}
