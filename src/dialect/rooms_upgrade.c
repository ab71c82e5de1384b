/*
 * From HTTP long-polling to a WebSocket, for the dialect `rooms`.
 *
 * The WebSocket comes to any worker and claims the session there, which only one may; then it asks
 * (`2probe`, `3probe`). With the client's `5` the session moves: its worker hands over, for each of
 * its sockets, who it is, its rooms and the position up to which it has been given everything, with
 * the frames that wait; the rooms are joined again where the WebSocket lives, at those positions.
 * So nothing is missing and nothing comes twice.
 */
#include "base/memory.h"
#include "codec/deflate.h"
#include "dialect/publication.h"
#include "dialect/rooms_private.h"

/* Most bytes of messages that are held while a session moves. */
#define HELD_MAX (1024 * 1024)

/* conn.protocol of a WebSocket that asks. */
struct probe {
    struct ws_conn *ws; /* NULL: it is gone */
    enum eio_state state;
    bool waiting; /* for the session's worker, which holds on to this */
    bool claimed;
    char sid[ROOM_ID_SIZE];
    struct buf held; /* messages that came meanwhile: size, whether binary, bytes */
};

/* A socket on its way. */
struct move_part {
    struct move_part *next;
    struct room_session *session; /* NULL: it has arrived */
    struct client *client;        /* where it arrived */
    struct principal *principal;  /* a reference */
    struct buf rooms;             /* session.rooms, which it gets anew */
    struct buf reached;           /* for each of them, the position it goes on from (uint64_t) */
    uint64_t conn_id;
    int64_t since_ms;
};

/* What is asked of a session's worker, and the session on its way. */
struct move {
    struct worker *origin; /* of the probe */
    struct probe *probe;
    bool granted;            /* a claim was */
    struct buf frames;       /* not sent yet */
    struct move_part *parts; /* the first one is the session itself; NULL: there is none */
};

static void move_free(struct move *m)
{
    while (m->parts) {
        struct move_part *part = m->parts;
        m->parts = part->next;
        if (part->session)
            room_session_free(part->session);
        principal_unref(part->principal);
        buf_fini(&part->rooms);
        buf_fini(&part->reached);
        memory_free(part);
    }
    buf_fini(&m->frames);
    memory_free(m);
}

/* What has no place to arrive at ends here, as if its connection had broken off. */
static void end_parts(struct move *m)
{
    for (struct move_part *part = m->parts; part; part = part->next) {
        struct room_session *s = part->session;
        if (s && s->program)
            s->space->hooks->closed(s->program, "the WebSocket broke off while upgrading");
        else if (s && s->space && !s->space->hooks && part->principal)
            room_remember_socket(m->origin->context, s, identity_of(part->principal), &part->rooms);
        if (s)
            s->program = NULL;
    }
}

/* Asks the session's worker to run something. */
static void ask(struct probe *p, struct worker *from, void (*run)(struct worker *w, void *arg))
{
    struct move *m = memory_zero(sizeof *m);
    m->origin = from;
    m->probe = p;
    p->waiting = true;
    worker_post(room_session_worker(from, slice_from(p->sid)), run, m);
}

/* ---- Away from its worker ---- */

static void arrive(struct worker *w, void *arg);

/* Rooms may be apart: one that was joined in the midst of others is read up from its start. */
static void note_positions(const struct client *c, struct move_part *part)
{
    struct slice room;
    uint64_t since;
    for (size_t at = 0; room_next(&part->rooms, &at, &since, &room);) {
        uint64_t reached = subscriber_reached(&c->subscriber, room);
        buf_append(&part->reached, &reached, sizeof reached);
    }
}

/* Frees the client of its socket, and the connection that was there for it. */
static struct move_part *take_part(struct client *c, struct worker *to)
{
    struct conn *conn = &c->ws.conn;
    struct room_session *s = room_session_of(c);
    struct move_part *part = memory_zero(sizeof *part);
    room_live_remove(c);
    *part = (struct move_part){
        .session = s,
        .principal = login_principal(conn) ? principal_ref(login_principal(conn)) : NULL,
        .rooms = s->rooms,
        .conn_id = conn->id,
        .since_ms = c->since_ms,
    };
    s->rooms = (struct buf){0};
    note_positions(c, part);
    if (s->program)
        s->space->hooks->departed(s->program, to);
    return part;
}

/* One of the session's sockets that has published something that is under way. */
static struct client *publishing_one(struct client *c)
{
    for (struct room_session *s = room_session_of(c); s; s = s->carried)
        if (s->client->publishing)
            return s->client;
    return NULL;
}

/* Whether a socket waits for an answer to CONNECT, which comes in a moment. */
static bool is_undecided(const struct client *c)
{
    for (const struct room_session *s = room_session_of(c); s; s = s->carried)
        if (s->takeover)
            return true;
    return false;
}

/* Everything that was published so far is handed out first, to all alike: from there on positions
 * and frames belong together. */
static void pack(struct move *m, struct worker *w, struct client *c)
{
    struct room_session *first = room_session_of(c);
    struct move_part **end = &m->parts;
    delivery_turn(w);
    room_release_poll(c);
    room_forget_polling(c);
    for (struct room_session *s = first->carried; s; s = s->carried)
        room_carry(s->client, true);
    for (struct room_session *s = first; s; s = s->carried) {
        *end = take_part(s->client, m->origin);
        end = &(*end)->next;
    }
    conn_take(&c->ws.conn, &m->frames);
    for (struct move_part *part = m->parts; part; part = part->next) {
        struct client *gone = part->session->client;
        part->session->carried = part->session->carrier = NULL;
        gone->state = NULL;
        conn_close(&gone->ws.conn, "upgraded");
    }
}

static void depart(struct worker *w, void *arg)
{
    struct move *m = arg;
    struct client *c = room_session_find(w, m->probe->sid);
    if (c && is_undecided(c)) {
        worker_post(w, depart, m);
        return;
    }
    struct client *busy = c ? publishing_one(c) : NULL;
    if (busy && publication_await(busy, depart, m))
        return; /* its acknowledgements are still owed */
    if (c && !busy)
        pack(m, w, c);
    worker_post(m->origin, arrive, m);
}

/* ---- Where the WebSocket lives ---- */

static void join_again(struct client *c, const struct move_part *part)
{
    struct start_point start = {START_CURSOR, 0, hub_epoch(client_delivery(c)->hub)};
    struct slice room;
    uint64_t since;
    const char *reached = part->reached.data;
    for (size_t at = 0; room_next(&part->rooms, &at, &since, &room); reached += sizeof(uint64_t)) {
        struct join_result r;
        memcpy(&start.offset, reached, sizeof start.offset);
        int error = room_join(c, room, &start, since, &r);
        if (error) {
            websocket_client_refuse_join(c, error);
            return;
        }
        if (r.reason != RESUME_OK)
            room_send_gap(c, room, r.missed_from, r.offset, resume_reason_name(r.reason));
        topic_unref(r.topic);
    }
    room_rejoined(c);
}

static void take_held(struct ws_conn *ws, const struct buf *held)
{
    size_t at = 0;
    while (at < held->len && ws->conn.state == CONN_OPEN && !ws->close_sent) {
        uint32_t size;
        memcpy(&size, held->data + at, sizeof size);
        bool binary = held->data[at + sizeof size] != 0;
        at += sizeof size + 1;
        ws->ops->message(ws, slice_of(held->data + at, size), binary);
        at += size;
    }
}

/* The session's own part, or a socket that it carries; false: there is no place for it. */
static bool settle_part(struct client *carrier, struct client *c, struct move_part *part)
{
    struct room_session *s = part->session;
    if (c)
        room_become_websocket(c, s);
    else
        c = room_carried_begin(carrier, s, part->principal, part->conn_id);
    if (!c)
        return false;
    part->session = NULL;
    part->client = c;
    c->since_ms = part->since_ms;
    if (s->program)
        s->space->hooks->arrived(s->program, c);
    else if (s->space)
        room_live_add(c);
    return true;
}

static void settle(struct ws_conn *ws, struct move *m)
{
    struct buf held = m->probe->held;
    m->probe->held = (struct buf){0};
    ws->conn.protocol = NULL;
    ws->conn.id = m->parts->conn_id; /* it goes on under its name */
    struct client *first =
        client_begin(&ws->conn, &rooms_dialect, m->parts->principal, SLICE("(upgrade)"));
    bool whole = !m->frames.failed;
    conn_send_body(&ws->conn, buf_slice(&m->frames));
    for (struct move_part *part = m->parts; whole && part; part = part->next)
        whole = settle_part(first, part == m->parts ? first : NULL, part) && !part->rooms.failed &&
                !part->reached.failed;
    if (!whole) {
        conn_close(&ws->conn, "out of memory");
        end_parts(m);
    }
    for (struct move_part *part = m->parts; whole && part; part = part->next)
        join_again(part->client, part);
    take_held(&first->ws, &held);
    buf_fini(&held);
}

static void probe_free(struct probe *p)
{
    buf_fini(&p->held);
    memory_free(p);
}

/* Whether the WebSocket is there to go on with. */
static bool is_there(const struct probe *p)
{
    return p->ws && p->ws->conn.state == CONN_OPEN && !p->ws->close_sent;
}

static void arrive(struct worker *w, void *arg)
{
    struct move *m = arg;
    struct probe *p = m->probe;
    (void)w;
    p->waiting = p->claimed = false;
    if (is_there(p) && m->parts) {
        settle(p->ws, m);
        probe_free(p);
    } else if (is_there(p)) {
        ws_close(p->ws, WS_CLOSE_PROTOCOL_ERROR, "the session has ended");
    } else {
        end_parts(m);
        if (!p->ws)
            probe_free(p);
    }
    move_free(m);
}

/* ---- Asking ---- */

static void let_go(struct worker *w, void *arg)
{
    struct move *m = arg;
    struct client *c = room_session_find(w, m->probe->sid);
    if (c)
        room_session_of(c)->polling->claimed = false;
    probe_free(m->probe);
    move_free(m);
}

/* Nobody asks any more: the session goes on as it was. */
static void probe_end(struct probe *p, struct worker *w)
{
    if (p->claimed)
        ask(p, w, let_go);
    else
        probe_free(p);
}

static void on_claimed(struct worker *w, void *arg);

static void claim(struct worker *w, void *arg)
{
    struct move *m = arg;
    struct client *c = room_session_find(w, m->probe->sid);
    m->granted = c && !room_session_of(c)->polling->claimed;
    if (m->granted)
        room_session_of(c)->polling->claimed = true;
    worker_post(m->origin, on_claimed, m);
}

static void end_poll(struct worker *w, void *arg)
{
    struct move *m = arg;
    struct client *c = room_session_find(w, m->probe->sid);
    if (c)
        room_release_poll(c);
    m->granted = c != NULL;
    worker_post(m->origin, on_claimed, m);
}

static void on_claimed(struct worker *w, void *arg)
{
    struct move *m = arg;
    struct probe *p = m->probe;
    p->waiting = false;
    p->claimed |= m->granted;
    if (!p->ws) {
        probe_end(p, w);
    } else if (!m->granted) {
        ws_close(p->ws, WS_CLOSE_PROTOCOL_ERROR, "no session, or one that a WebSocket has already");
    } else {
        struct ws_conn *ws = p->ws;
        struct buf held = p->held;
        p->held = (struct buf){0};
        take_held(ws, &held);
        buf_fini(&held);
    }
    move_free(m);
}

static void hold(struct probe *p, struct slice text, bool binary)
{
    uint32_t size = (uint32_t)text.len;
    buf_append(&p->held, &size, sizeof size);
    buf_append_char(&p->held, (char)binary);
    buf_append_slice(&p->held, text);
    if (p->held.failed || p->held.len > HELD_MAX)
        conn_close(&p->ws->conn, "too much at once");
}

static void on_message(struct ws_conn *ws, struct slice text, bool binary)
{
    struct probe *p = ws->conn.protocol;
    struct eio_packet packet;
    if (p->waiting) {
        hold(p, text, binary);
        return;
    }
    if (binary || eio_packet_parse(text, &packet) != 0 ||
        !eio_state_next(p->state, &packet, &p->state)) {
        ws_close(ws, WS_CLOSE_PROTOCOL_ERROR, "not what a probe says");
        return;
    }
    if (p->state == EIO_PROBED) {
        ws_send(ws, SLICE("3probe"));
        ask(p, ws->conn.worker, end_poll);
    } else if (p->state == EIO_ON_WEBSOCKET) {
        ask(p, ws->conn.worker, depart);
    } else {
        ws_close(ws, WS_CLOSE_NORMAL, "closed by client");
    }
}

static void on_rate_limited(struct ws_conn *ws)
{
    ws_close(ws, WS_CLOSE_POLICY, "too many messages");
}

static void on_closed(struct ws_conn *ws)
{
    struct probe *p = ws->conn.protocol;
    p->ws = NULL;
    if (!p->waiting)
        probe_end(p, ws->conn.worker);
}

static const struct ws_ops probe_ops = {
    .message = on_message,
    .rate_limited = on_rate_limited,
    .closed = on_closed,
    .binary = true,
    .limited = true,
};

void room_probe(struct http_exchange *x, struct slice sid)
{
    struct worker *w = x->conn->worker;
    if (!room_session_worker(w, sid)) {
        room_refuse_request(x, ROOM_UNKNOWN_SESSION);
        return;
    }
    const struct delivery *d = w->context;
    struct probe *p = memory_zero(sizeof *p);
    p->ws = ws_from_conn(x->conn);
    p->state = EIO_PROBING;
    memcpy(p->sid, sid.ptr, sid.len);
    const struct ws_accept_options options = {
        .ops = &probe_ops,
        .deflate = d->options->deflate[DIALECT_ROOMS],
        .deflate_wishes = WS_DEFLATE_CLIENT_ANEW,
        .state = p,
    };
    if (ws_accept(x, &options))
        ask(p, w, claim);
    else
        probe_free(p);
}
