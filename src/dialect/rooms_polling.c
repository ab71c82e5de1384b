/*
 * Sessions on HTTP long-polling, for the dialect `rooms`.
 *
 * Such a session is a client whose connection has no socket: frames queue up in it as in any other,
 * with the same limits, and a poll takes them. It lives on the worker that its handshake came to,
 * whose number its id begins with; a request that another worker gets goes there and its answer
 * comes back, as messages between the two.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "codec/websocket.h"
#include "dialect/rooms_private.h"
#include "fanfare/error.h"

/* A request on its way to its session's worker and back. */
struct room_request {
    enum { REQUEST_POLL, REQUEST_POST, REQUEST_RELEASE, REQUEST_CANCEL } kind;
    struct worker *origin;
    struct http_exchange
        *exchange;   /* for the origin alone; NULL: none, or its connection is gone */
    uint64_t number; /* of the poll, also of the one that is cancelled */
    char sid[ROOM_ID_SIZE];
    struct buf body; /* what came, then the answer */
    int status;
};

static atomic_uint_least64_t numbers;

/* ---- Sessions by id ---- */

static struct slice session_key(const void *object)
{
    return slice_from(((const struct room_session *)object)->sid);
}

static struct map *sessions_of(struct worker *w)
{
    struct delivery *d = w->context;
    if (!d->polling.key)
        map_init(&d->polling, session_key);
    return &d->polling;
}

/* NULL: there is none, or it is about to end. */
struct client *room_session_find(struct worker *w, const char *sid)
{
    struct room_session *s = map_get(sessions_of(w), slice_from(sid));
    bool there = s && s->client->ws.conn.state == CONN_OPEN && !s->client->ws.close_sent;
    return there ? s->client : NULL;
}

struct worker *room_session_worker(struct worker *from, struct slice sid)
{
    const struct delivery_options *options = ((struct delivery *)from->context)->options;
    char digits[3] = {0}, *end;
    if (sid.len != ROOM_ID_SIZE - 1)
        return NULL;
    memcpy(digits, sid.ptr, 2);
    unsigned long index = strtoul(digits, &end, 16);
    if (end != digits + 2 || index >= options->worker_count)
        return NULL;
    return &options->workers[index];
}

/* ---- Requests there and back ---- */

static void send_to(struct worker *from, struct worker *to,
                    void (*run)(struct worker *w, void *arg), struct room_request *r)
{
    if (from == to)
        run(to, r);
    else
        worker_post(to, run, r);
}

static void request_free(struct room_request *r)
{
    buf_fini(&r->body);
    memory_free(r);
}

static void reply(struct worker *w, void *arg)
{
    struct room_request *r = arg;
    struct http_exchange *x = r->exchange;
    (void)w;
    if (x) {
        x->data = NULL;
        x->abort = NULL;
        http_add_header(x, "Cache-Control", "no-store");
        http_reply(x, r->body.failed ? 503 : r->status,
                   r->status == 200 ? "text/plain; charset=UTF-8" : "application/json",
                   buf_slice(&r->body));
    }
    request_free(r);
}

static void answer(struct worker *from, struct room_request *r)
{
    r->status = 200;
    send_to(from, r->origin, reply, r);
}

static void refuse(struct worker *from, struct room_request *r, enum room_refusal code)
{
    buf_clear(&r->body);
    room_append_refusal(&r->body, code);
    r->status = 400;
    send_to(from, r->origin, reply, r);
}

/* ---- Polls ---- */

/* The frame at the front of *rest. */
static struct slice take_frame(struct slice *rest, enum ws_opcode *opcode)
{
    const unsigned char *p = (const unsigned char *)rest->ptr;
    size_t header = 2, length = p[1] & 0x7f;
    *opcode = (enum ws_opcode)(p[0] & 0xf);
    if (length >= 126) {
        unsigned bytes = length == 126 ? 2 : 8;
        length = 0;
        for (unsigned i = 0; i < bytes; i++)
            length = length << 8 | p[2 + i];
        header += bytes;
    }
    struct slice payload = slice_of(rest->ptr + header, length);
    *rest = slice_skip(*rest, header + length);
    return payload;
}

/* Our own frames as a payload. Returns whether the last one closes. */
static bool append_frames(struct buf *payload, struct slice frames)
{
    bool closes = false;
    while (frames.len && !closes) {
        enum ws_opcode opcode;
        struct slice packet = take_frame(&frames, &opcode);
        closes = opcode == WS_CLOSE;
        if (closes)
            eio_payload_append_text(payload, SLICE("1"));
        else if (opcode == WS_BINARY)
            eio_payload_append_binary(payload, packet);
        else
            eio_payload_append_text(payload, packet);
    }
    return closes;
}

static void collect(struct conn *conn)
{
    struct room_session *s = room_session_of(client_from_conn(conn));
    struct room_request *r = s->poll;
    struct buf frames = {0};
    if (!r)
        return;
    s->poll = NULL;
    buf_clear(&r->body);
    conn_take(conn, &frames);
    if (frames.failed)
        conn_close(conn, "out of memory");
    bool closes = append_frames(&r->body, buf_slice(&frames));
    buf_fini(&frames);
    answer(conn->worker, r);
    if (closes)
        conn_close(conn, conn->close_reason);
}

static void answer_nothing(struct client *c, struct room_request *r)
{
    buf_clear(&r->body);
    eio_payload_append_text(&r->body, SLICE("6"));
    answer(c->ws.conn.worker, r);
}

static void on_poll(struct client *c, struct room_request *r)
{
    struct room_session *s = room_session_of(c);
    if (s->poll) {
        refuse(c->ws.conn.worker, r, ROOM_BAD_REQUEST);
        conn_close(&c->ws.conn, "two polls at once");
        return;
    }
    if (s->release && !conn_waiting(&c->ws.conn)) {
        s->release = false;
        answer_nothing(c, r);
        return;
    }
    s->poll = r;
    if (conn_waiting(&c->ws.conn))
        collect(&c->ws.conn);
}

/* A WebSocket is about to take over: the client waits for the end of its poll. */
static void on_release(struct client *c)
{
    struct room_session *s = room_session_of(c);
    struct room_request *r = s->poll;
    s->release = !r;
    s->poll = NULL;
    if (r)
        answer_nothing(c, r);
}

static void on_cancel(struct client *c, uint64_t number)
{
    struct room_session *s = room_session_of(c);
    struct room_request *r = s->poll;
    if (!r || r->number != number)
        return;
    s->poll = NULL;
    answer(c->ws.conn.worker, r);
}

/* ---- Posts ---- */

/* False: the payload is malformed. */
static bool take_payload(struct client *c, struct slice payload)
{
    struct buf bytes = {0};
    struct eio_packet packet;
    int error = payload.len ? 0 : FAN_E_PARSE;
    for (unsigned n = 0; !error && c->ws.conn.state == CONN_OPEN && !c->ws.close_sent; n++) {
        error = n < EIO_PAYLOAD_PACKETS ? eio_payload_next(&payload, &packet, &bytes) : FAN_E_PARSE;
        if (!error)
            room_take_packet(c, &packet);
    }
    buf_fini(&bytes);
    return error == 0 || error == FAN_E_NOT_FOUND;
}

static void on_post(struct client *c, struct room_request *r)
{
    struct worker *w = c->ws.conn.worker;
    if (!take_payload(c, buf_slice(&r->body))) {
        room_fail(c, "a malformed payload");
        refuse(w, r, ROOM_BAD_REQUEST);
        return;
    }
    buf_clear(&r->body);
    BUF_LITERAL(&r->body, "ok");
    answer(w, r);
}

/* On the session's worker. */
static void handle(struct worker *w, void *arg)
{
    struct room_request *r = arg;
    struct client *c = room_session_find(w, r->sid);
    if (c)
        c->ws.pinged = false;
    if (!c && r->kind <= REQUEST_POST)
        refuse(w, r, ROOM_UNKNOWN_SESSION);
    else if (c && r->kind == REQUEST_POLL)
        on_poll(c, r);
    else if (c && r->kind == REQUEST_POST)
        on_post(c, r);
    else {
        if (c && r->kind == REQUEST_RELEASE)
            on_release(c);
        else if (c)
            on_cancel(c, r->number);
        request_free(r);
    }
}

static struct room_request *request_new(struct worker *origin, const char *sid)
{
    struct room_request *r = memory_zero(sizeof *r);
    r->origin = origin;
    r->number = atomic_fetch_add(&numbers, 1) + 1;
    memcpy(r->sid, sid, sizeof r->sid);
    return r;
}

void room_session_release(struct worker *from, const char *sid)
{
    struct worker *owner = room_session_worker(from, slice_from(sid));
    struct room_request *r = request_new(from, sid);
    r->kind = REQUEST_RELEASE;
    send_to(from, owner, handle, r);
}

/* ---- Exchanges ---- */

/* The poll's connection ends first: the session must not answer into nothing. */
static void on_abort(struct http_exchange *x)
{
    struct room_request *r = x->data;
    struct worker *w = x->conn->worker;
    r->exchange = NULL;
    if (r->kind != REQUEST_POLL)
        return;
    struct room_request *cancel = request_new(w, r->sid);
    cancel->kind = REQUEST_CANCEL;
    cancel->number = r->number;
    send_to(w, room_session_worker(w, slice_from(cancel->sid)), handle, cancel);
}

static struct room_request *request_of(struct http_exchange *x, const char *sid)
{
    struct room_request *r = request_new(x->conn->worker, sid);
    r->exchange = x;
    x->data = r;
    x->abort = on_abort;
    return r;
}

/* The session that the query names. */
static bool read_sid(const struct http_request *request, struct worker *w, char sid[ROOM_ID_SIZE])
{
    struct buf value = {0};
    bool good = http_query_get(request->query, "sid", &value) == 0 &&
                room_session_worker(w, buf_slice(&value));
    if (good)
        snprintf(sid, ROOM_ID_SIZE, "%s", buf_text(&value));
    buf_fini(&value);
    return good;
}

static void on_posted(struct http_exchange *x)
{
    struct worker *w = x->conn->worker;
    char sid[ROOM_ID_SIZE];
    if (!read_sid(x->request, w, sid)) {
        room_refuse_request(x, ROOM_UNKNOWN_SESSION);
        return;
    }
    struct room_request *r = request_of(x, sid);
    r->kind = REQUEST_POST;
    r->body = x->body;
    x->body = (struct buf){0};
    send_to(w, room_session_worker(w, slice_from(sid)), handle, r);
}

void room_poll(struct http_exchange *x)
{
    struct worker *w = x->conn->worker;
    const struct delivery *d = w->context;
    char sid[ROOM_ID_SIZE];
    if (!read_sid(x->request, w, sid)) {
        room_refuse_request(x, ROOM_UNKNOWN_SESSION);
    } else if (x->request->method == HTTP_POST) {
        x->body_limit = d->options->rooms.max_payload;
        x->done = on_posted;
    } else {
        struct room_request *r = request_of(x, sid);
        send_to(w, room_session_worker(w, slice_from(sid)), handle, r);
    }
}

/* ---- A session's life ---- */

static void on_drained(struct conn *conn)
{
    subscriber_drained(&client_from_conn(conn)->subscriber);
}

static void on_timer(struct conn *conn)
{
    struct client *c = client_from_conn(conn);
    if (c->ws.close_sent || c->ws.pinged) {
        conn_close(conn, c->ws.close_sent ? conn->close_reason : "no answer to ping");
        return;
    }
    c->ws.pinged = true;
    conn_timer(conn, room_ping(c));
}

static void on_overflow(struct conn *conn)
{
    conn_close(conn, "control queue overflow");
}

/* What the dialect keeps it has released in `closed`. */
static void on_closed(struct conn *conn)
{
    (void)conn;
}

static const struct conn_ops polling_ops = {
    .name = "polling",
    .drained = on_drained,
    .timer = on_timer,
    .overflow = on_overflow,
    .collect = collect,
    .closed = on_closed,
};

void room_open_polling(struct http_exchange *x)
{
    struct worker *w = x->conn->worker;
    struct conn *conn = NULL;
    struct room_session *s = room_session_new(x);
    int error = s ? worker_add_unbound(w, &polling_ops, x->conn->peer->text, &conn) : FAN_E_LIMIT;
    if (error) {
        memory_free(s);
        http_add_header(x, "Retry-After", "5");
        http_reply_error(x, 503, "limit", "too many sessions, or no memory for one more");
        return;
    }
    snprintf(s->sid, sizeof s->sid, "%02x", w->index);
    random_text(s->sid + 2, sizeof s->sid - 3);
    s->state = EIO_ON_POLLING;
    struct client *c = client_begin(conn, &rooms_dialect, x->principal, x->request->path);
    c->state = s;
    s->client = c;
    map_put(sessions_of(w), s);
    s->poll = request_of(x, s->sid);
    room_send_handshake(c);
    room_start_timer(c);
}

void room_forget_polling(struct client *c)
{
    struct room_session *s = room_session_of(c);
    struct worker *w = c->ws.conn.worker;
    struct room_request *r = s->poll;
    map_remove(sessions_of(w), slice_from(s->sid));
    s->poll = NULL;
    if (r)
        refuse(w, r, ROOM_UNKNOWN_SESSION);
}
