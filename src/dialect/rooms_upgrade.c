/*
 * From HTTP long-polling to a WebSocket, for the dialect `rooms`.
 *
 * The WebSocket comes to any worker and asks there (`2probe`, `3probe`). With the client's `5` the
 * session moves: its worker hands over who it is, its rooms and the position up to which it has
 * been given everything, with the frames that wait; it joins the rooms again where the WebSocket
 * lives, at that position. So nothing is missing and nothing comes twice.
 */
#include "base/memory.h"
#include "dialect/rooms_private.h"

/* Most bytes of messages that are held while a session moves. */
#define HELD_MAX (1024 * 1024)

/* conn.protocol of a WebSocket that asks. */
struct probe {
    struct ws_conn *ws; /* NULL: it is gone, and the session comes back for nobody */
    enum eio_state state;
    bool moving;
    char sid[ROOM_ID_SIZE];
    struct buf held; /* messages that came meanwhile: size, whether binary, bytes */
};

/* A session on its way. */
struct move {
    struct worker *origin; /* of the probe */
    struct probe *probe;
    struct room_session *session; /* NULL: there is none */
    struct principal *principal;  /* a reference */
    struct buf frames;            /* not sent yet */
    struct buf rooms;             /* session.rooms, which it gets anew */
    struct buf reached;           /* for each of them, the position it goes on from (uint64_t) */
    uint64_t conn_id;
    int64_t since_ms;
};

/* ---- Away from its worker ---- */

static void arrive(struct worker *w, void *arg);

/* Rooms may be apart: one that was joined in the midst of others is read up from its start. */
static void note_positions(const struct client *c, struct move *m)
{
    struct slice room;
    uint64_t since;
    for (size_t at = 0; room_next(&m->rooms, &at, &since, &room);) {
        uint64_t reached = subscriber_reached(&c->subscriber, room);
        buf_append(&m->reached, &reached, sizeof reached);
    }
}

static void depart(struct worker *w, void *arg)
{
    struct move *m = arg;
    struct client *c = room_session_find(w, m->probe->sid);
    if (c) {
        struct conn *conn = &c->ws.conn;
        subscriber_sync(&c->subscriber);
        room_session_release(w, m->probe->sid);
        room_forget_polling(c);
        m->rooms = room_session_of(c)->rooms;
        room_session_of(c)->rooms = (struct buf){0};
        note_positions(c, m);
        conn_take(conn, &m->frames);
        m->session = room_session_of(c);
        m->principal = login_principal(conn) ? principal_ref(login_principal(conn)) : NULL;
        m->conn_id = conn->id;
        m->since_ms = c->since_ms;
        c->state = NULL;
        conn_close(conn, "upgraded");
    }
    worker_post(m->origin, arrive, m);
}

/* ---- Where the WebSocket lives ---- */

static void join_again(struct client *c, const struct move *m)
{
    struct start_point start = {START_CURSOR, 0, hub_epoch(client_delivery(c)->hub)};
    struct slice room;
    uint64_t since;
    const char *reached = m->reached.data;
    for (size_t at = 0; room_next(&m->rooms, &at, &since, &room); reached += sizeof(uint64_t)) {
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
}

static void take_held(struct client *c, struct buf *held)
{
    size_t at = 0;
    while (at < held->len && c->ws.conn.state == CONN_OPEN && !c->ws.close_sent) {
        uint32_t size;
        memcpy(&size, held->data + at, sizeof size);
        bool binary = held->data[at + sizeof size] != 0;
        at += sizeof size + 1;
        c->ws.ops->message(&c->ws, slice_of(held->data + at, size), binary);
        at += size;
    }
}

static void settle(struct ws_conn *ws, struct move *m)
{
    struct buf held = m->probe->held;
    m->probe->held = (struct buf){0};
    ws->conn.protocol = NULL;
    ws->conn.id = m->conn_id; /* it goes on under its name */
    struct client *c = client_begin(&ws->conn, &rooms_dialect, m->principal, SLICE("(upgrade)"));
    room_become_websocket(c, m->session);
    m->session = NULL;
    c->since_ms = m->since_ms;
    conn_send_body(&ws->conn, buf_slice(&m->frames));
    if (m->frames.failed || m->rooms.failed || m->reached.failed)
        conn_close(&ws->conn, "out of memory");
    else
        join_again(c, m);
    take_held(c, &held);
    buf_fini(&held);
}

static void probe_free(struct probe *p)
{
    buf_fini(&p->held);
    memory_free(p);
}

static void arrive(struct worker *w, void *arg)
{
    struct move *m = arg;
    struct probe *p = m->probe;
    (void)w;
    p->moving = false;
    if (!p->ws || p->ws->conn.state != CONN_OPEN || p->ws->close_sent) {
        if (!p->ws)
            probe_free(p);
    } else if (!m->session) {
        ws_close(p->ws, WS_CLOSE_PROTOCOL_ERROR, "the session has ended");
    } else {
        settle(p->ws, m);
        probe_free(p);
    }
    if (m->session)
        room_session_free(m->session);
    principal_unref(m->principal);
    buf_fini(&m->frames);
    buf_fini(&m->rooms);
    buf_fini(&m->reached);
    memory_free(m);
}

/* ---- Asking ---- */

static void begin_move(struct probe *p)
{
    struct worker *w = p->ws->conn.worker;
    struct move *m = memory_zero(sizeof *m);
    m->origin = w;
    m->probe = p;
    p->moving = true;
    worker_post(room_session_worker(w, slice_from(p->sid)), depart, m);
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
    if (p->moving) {
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
        room_session_release(ws->conn.worker, p->sid);
    } else if (p->state == EIO_ON_WEBSOCKET) {
        begin_move(p);
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
    if (!p->moving)
        probe_free(p);
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
    struct probe *p = memory_zero(sizeof *p);
    p->ws = ws_from_conn(x->conn);
    p->state = EIO_PROBING;
    memcpy(p->sid, sid.ptr, sid.len);
    const struct ws_accept_options options = {.ops = &probe_ops, .state = p};
    if (!ws_accept(x, &options))
        probe_free(p);
}
