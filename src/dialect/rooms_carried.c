/*
 * Sockets in further namespaces of an Engine.IO session, for the dialect `rooms`.
 *
 * Such a socket is a client like any other, with rooms, identity and a bounded queue of its own,
 * but its connection has no socket of the system's: what is queued for it is handed, in whole
 * frames, to the connection that carries it, as far as that one keeps up. So a namespace that reads
 * much never holds up the memory of another, and delivery knows nothing of all this.
 */
#include "base/memory.h"
#include "codec/websocket.h"
#include "dialect/rooms_frames.h"
#include "dialect/rooms_private.h"
#include "net/peer.h"

/* So much may wait in the carrier's queue before more is put there. */
#define AHEAD (64 * 1024)

/* ---- Handing on ---- */

/* A namespace that closes means the whole connection: too slow, too many malformed messages. */
static void close_carrier(struct client *carrier, struct slice close, const char *reason)
{
    uint16_t code = WS_CLOSE_NORMAL;
    if (close.len >= 2)
        code = (uint16_t)((unsigned char)close.ptr[0] << 8 | (unsigned char)close.ptr[1]);
    ws_close_text(&carrier->ws, code, reason, slice_skip(close, close.len >= 2 ? 2 : close.len));
}

static void hand_over(struct client *c, struct client *carrier, struct slice frames)
{
    struct slice rest = frames, payload = slice_of("", 0);
    enum ws_opcode opcode = WS_TEXT;
    size_t whole = frames.len;
    while (c->ws.close_sent && rest.len && opcode != WS_CLOSE) {
        whole = frames.len - rest.len;
        payload = room_frame_take(&rest, &opcode);
    }
    if (opcode != WS_CLOSE) {
        conn_send_body(&carrier->ws.conn, frames);
        return;
    }
    conn_send_body(&carrier->ws.conn, slice_of(frames.ptr, whole));
    close_carrier(carrier, payload, c->ws.conn.close_reason);
}

/* A queue that is long only because this turn made it so goes out now; one that stays long waits
 * for the socket, which will say that it has drained. */
static bool has_room(struct client *carrier)
{
    if (conn_waiting(&carrier->ws.conn) >= AHEAD)
        conn_offer(&carrier->ws.conn);
    return conn_waiting(&carrier->ws.conn) < AHEAD;
}

void room_carry(struct client *c, bool all)
{
    struct client *carrier = room_carrier(c);
    struct buf frames = {0};
    if (carrier->ws.close_sent || carrier->ws.conn.state != CONN_OPEN ||
        (!all && !has_room(carrier)) || !conn_waiting(&c->ws.conn))
        return;
    conn_take(&c->ws.conn, &frames);
    if (frames.failed)
        conn_close(&carrier->ws.conn, "out of memory");
    else
        hand_over(c, carrier, buf_slice(&frames));
    buf_fini(&frames);
}

void room_carry_on(struct client *carrier)
{
    for (struct room_session *s = room_session_of(carrier)->carried; s; s = s->carried)
        room_carry(s->client, false);
}

/* ---- The connection that is none ---- */

static void collect(struct conn *conn)
{
    room_carry(client_from_conn(conn), false);
}

static void on_drained(struct conn *conn)
{
    room_drained(client_from_conn(conn));
}

static void on_overflow(struct conn *conn)
{
    struct client *c = client_from_conn(conn);
    ws_close(&room_carrier(c)->ws, WS_CLOSE_TRY_LATER, "control queue overflow");
}

/* It has said that it closes, and its carrier had the time. */
static void on_timer(struct conn *conn)
{
    conn_close(conn, conn->close_reason);
}

/* What the dialect keeps it has released in `closed`. */
static void on_closed(struct conn *conn)
{
    (void)conn;
}

static const struct conn_ops carried_ops = {
    .name = "namespace",
    .drained = on_drained,
    .timer = on_timer,
    .overflow = on_overflow,
    .collect = collect,
    .closed = on_closed,
};

/* ---- Coming and going ---- */

struct client *room_carried_begin(struct client *carrier, struct room_session *s,
                                  struct principal *principal, uint64_t id)
{
    struct conn *on = &carrier->ws.conn, *conn;
    if (worker_add_unbound(on->worker, &carried_ops, on->peer->text, &conn) != 0)
        return NULL;
    if (id)
        conn->id = id;
    struct client *c = client_begin(conn, &rooms_dialect, principal, SLICE("(namespace)"));
    ws_limits_begin(&c->ws);
    c->ws.ops = &room_websocket_ops;
    c->state = s;
    s->client = c;
    s->carrier = room_session_of(carrier);
    s->carried = s->carrier->carried;
    s->carrier->carried = s;
    return c;
}

struct client *room_carried_new(struct client *carrier)
{
    const struct room_session *first = room_session_of(carrier);
    struct principal *who = first->vouched ? login_principal(&carrier->ws.conn) : NULL;
    struct room_session *s = memory_try_alloc(sizeof *s);
    if (!s)
        return NULL;
    *s = (struct room_session){.javascript = first->javascript, .vouched = first->vouched};
    struct client *c = room_carried_begin(carrier, s, who, 0);
    if (!c)
        memory_free(s);
    return c;
}

void room_carried_detach(struct room_session *s)
{
    if (!s->carrier)
        return;
    for (struct room_session **at = &s->carrier->carried; *at; at = &(*at)->carried)
        if (*at == s) {
            *at = s->carried;
            break;
        }
    s->carried = NULL;
    s->carrier = NULL;
}

void room_carried_close(struct client *carrier, const char *reason)
{
    struct room_session *first = room_session_of(carrier);
    while (first->carried) {
        struct room_session *s = first->carried;
        room_carried_detach(s);
        conn_close(&s->client->ws.conn, reason);
    }
}

struct client *room_carried_find(struct client *carrier, struct slice space)
{
    for (struct room_session *s = room_session_of(carrier); s; s = s->carried)
        if (s->space && slice_is(space, s->space->name))
            return s->client;
    return NULL;
}

bool room_has_socket(struct client *carrier)
{
    for (const struct room_session *s = room_session_of(carrier); s; s = s->carried)
        if (s->space)
            return true;
    return false;
}
