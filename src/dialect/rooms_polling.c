/*
 * Sessions on HTTP long-polling, for the dialect `rooms`.
 *
 * Such a session is a client whose connection has no socket: frames queue up in it as in any other,
 * with the same limits, and a poll takes them. It lives on the worker that its handshake came to,
 * whose number its id begins with; a request that another worker gets goes there and its answer
 * comes back, as messages between the two.
 *
 * A session has one poll and one post at a time. Who lets go of a poll has lost what it was about
 * to get, so that its session ends; it comes back in a new one and recovers.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "dialect/rooms_frames.h"
#include "dialect/rooms_private.h"
#include "fanfare/error.h"

/* A request on its way to its session's worker and back. */
struct room_request {
    enum { REQUEST_POLL, REQUEST_POST, REQUEST_CANCEL } kind;
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

/* Our own frames as a payload. Returns whether the last one closes. */
static bool append_frames(struct buf *payload, struct slice frames)
{
    bool closes = false;
    while (frames.len && !closes) {
        enum ws_opcode opcode;
        struct slice packet = room_frame_take(&frames, &opcode);
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
    struct client *c = client_from_conn(conn);
    struct room_polling *p = room_session_of(c)->polling;
    struct room_request *r = p->poll;
    struct buf frames = {0};
    if (!r)
        return;
    p->poll = NULL;
    buf_clear(&r->body);
    conn_take(conn, &frames);
    room_user_asked(c); /* what is in the answer the next poll confirms */
    if (frames.failed)
        conn_close(conn, "out of memory");
    bool closes = append_frames(&r->body, buf_slice(&frames));
    buf_fini(&frames);
    answer(conn->worker, r);
    if (closes)
        conn_close(conn, conn->close_reason);
}

/* Answers the poll that waits with one packet. False: none waits. */
static bool answer_poll(struct client *c, struct slice packet)
{
    struct room_polling *p = room_session_of(c)->polling;
    struct room_request *r = p->poll;
    p->poll = NULL;
    if (!r)
        return false;
    buf_clear(&r->body);
    eio_payload_append_text(&r->body, packet);
    answer(c->ws.conn.worker, r);
    return true;
}

static void on_poll(struct client *c, struct room_request *r)
{
    struct room_polling *p = room_session_of(c)->polling;
    if (p->poll) {
        answer_poll(c, SLICE("1"));
        refuse(c->ws.conn.worker, r, ROOM_BAD_REQUEST);
        conn_close(&c->ws.conn, "two polls at once");
        return;
    }
    room_user_heard(c); /* it has got the answer to the one before */
    p->poll = r;
    if (p->release && !conn_waiting(&c->ws.conn)) {
        p->release = false;
        answer_poll(c, SLICE("6"));
    } else if (conn_waiting(&c->ws.conn)) {
        collect(&c->ws.conn);
    }
}

void room_release_poll(struct client *c)
{
    room_session_of(c)->polling->release = !answer_poll(c, SLICE("6"));
}

static void on_cancel(struct client *c, uint64_t number)
{
    struct room_polling *p = room_session_of(c)->polling;
    if (p->poll && p->poll->number == number)
        conn_close(&c->ws.conn, "a poll was given up");
}

/* ---- Posts ---- */

/* False: the payload is malformed. */
static bool take_payload(struct client *c, struct slice payload, unsigned *packets)
{
    struct buf bytes = {0};
    struct eio_packet packet;
    int error = payload.len ? 0 : FAN_E_PARSE;
    while (!error && c->ws.conn.state == CONN_OPEN && !c->ws.close_sent) {
        error = *packets < EIO_PAYLOAD_PACKETS ? eio_payload_next(&payload, &packet, &bytes)
                                               : FAN_E_PARSE;
        if (error)
            break;
        (*packets)++;
        room_take_packet(c, &packet);
    }
    buf_fini(&bytes);
    return error == 0 || error == FAN_E_NOT_FOUND;
}

static void answer_post(struct client *c)
{
    struct room_polling *p = room_session_of(c)->polling;
    struct room_request *r = p->post;
    p->post = NULL;
    buf_clear(&r->body);
    BUF_LITERAL(&r->body, "ok");
    answer(c->ws.conn.worker, r);
}

static void set_timer(struct client *c, uint64_t debt_ms)
{
    uint64_t now = c->ws.conn.worker->now_ms, ping = room_session_of(c)->polling->ping_ms;
    uint64_t left = ping > now ? ping - now : 0;
    conn_timer(&c->ws.conn, debt_ms && debt_ms < left ? debt_ms : left);
}

void room_poll_pong(struct client *c)
{
    room_session_of(c)->polling->ping_ms =
        c->ws.conn.worker->now_ms + ROOMS_OPTION(c, ping_interval_ms);
    set_timer(c, 0);
}

/* Whoever sent more than limits.messages allows waits for the answer, and sends no more until
 * then. */
static void settle_post(struct client *c, unsigned packets)
{
    uint64_t debt_ms = ws_limits_count(&c->ws, packets);
    if (debt_ms)
        set_timer(c, debt_ms);
    else
        answer_post(c);
}

static void on_post(struct client *c, struct room_request *r)
{
    struct worker *w = c->ws.conn.worker;
    struct room_polling *p = room_session_of(c)->polling;
    unsigned packets = 0;
    if (p->post) {
        refuse(w, r, ROOM_BAD_REQUEST);
        conn_close(&c->ws.conn, "two posts at once");
        return;
    }
    p->post = r;
    if (take_payload(c, buf_slice(&r->body), &packets)) {
        if (c->ws.conn.state == CONN_OPEN)
            settle_post(c, packets);
        else
            answer_post(c);
        return;
    }
    p->post = NULL;
    room_fail(c, "a malformed payload");
    refuse(w, r, ROOM_BAD_REQUEST);
}

/* Nobody asked for so long that it counts as gone, even if its timer has not fired yet. */
static bool is_overdue(struct client *c)
{
    const struct room_polling *p = room_session_of(c)->polling;
    uint64_t silence = c->ws.conn.worker->now_ms - p->heard_ms;
    return !p->poll &&
           silence >= ROOMS_OPTION(c, ping_interval_ms) + ROOMS_OPTION(c, ping_timeout_ms);
}

/* On the session's worker. */
static void handle(struct worker *w, void *arg)
{
    struct room_request *r = arg;
    struct client *c = room_session_find(w, r->sid);
    if (r->kind == REQUEST_CANCEL) {
        if (c)
            on_cancel(c, r->number);
        request_free(r);
        return;
    }
    if (c && is_overdue(c)) {
        conn_close(&c->ws.conn, "no answer to ping");
        c = NULL;
    }
    if (!c) {
        refuse(w, r, ROOM_UNKNOWN_SESSION);
        return;
    }
    c->ws.pinged = false;
    room_session_of(c)->polling->heard_ms = w->now_ms;
    if (r->kind == REQUEST_POLL)
        on_poll(c, r);
    else
        on_post(c, r);
}

static struct room_request *request_new(struct worker *origin, const char *sid)
{
    struct room_request *r = memory_zero(sizeof *r);
    r->origin = origin;
    r->number = atomic_fetch_add(&numbers, 1) + 1;
    memcpy(r->sid, sid, sizeof r->sid);
    return r;
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
    room_drained(client_from_conn(conn));
}

/* Pings count from the last one, or from its answer: a timer that was set for another reason does
 * not move them. */
static void keep_alive(struct client *c)
{
    struct room_polling *p = room_session_of(c)->polling;
    if (c->ws.pinged) {
        conn_close(&c->ws.conn, "no answer to ping");
        return;
    }
    c->ws.pinged = true;
    p->ping_ms = c->ws.conn.worker->now_ms + room_ping(c);
}

static void on_timer(struct conn *conn)
{
    struct client *c = client_from_conn(conn);
    const struct room_polling *p = room_session_of(c)->polling;
    uint64_t debt_ms = 0;
    if (c->ws.close_sent) {
        conn_close(conn, conn->close_reason);
        return;
    }
    if (p->post) {
        debt_ms = ws_limits_count(&c->ws, 0);
        if (!debt_ms)
            answer_post(c);
    }
    if (conn->worker->now_ms >= p->ping_ms)
        keep_alive(c);
    if (conn->state == CONN_OPEN && !c->ws.close_sent)
        set_timer(c, debt_ms);
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

static int add_session(struct http_exchange *x, struct room_session **session, struct conn **conn)
{
    struct worker *w = x->conn->worker;
    struct room_session *s = room_session_new(x);
    struct room_polling *p = s ? memory_try_alloc(sizeof *p) : NULL;
    int error =
        p ? worker_add_unbound(w, &polling_ops, x->conn->peer->text, conn) : FAN_E_NO_MEMORY;
    if (error) {
        memory_free(p);
        memory_free(s);
        return error;
    }
    *p = (struct room_polling){.heard_ms = w->now_ms};
    s->polling = p;
    s->state = EIO_ON_POLLING;
    snprintf(s->sid, sizeof s->sid, "%02x", w->index);
    random_text(s->sid + 2, sizeof s->sid - 3);
    *session = s;
    return 0;
}

void room_open_polling(struct http_exchange *x)
{
    struct worker *w = x->conn->worker;
    struct conn *conn;
    struct room_session *s;
    if (add_session(x, &s, &conn) != 0) {
        http_add_header(x, "Retry-After", "5");
        http_reply_error(x, 503, "limit", "too many sessions, or no memory for one more");
        return;
    }
    struct client *c = client_begin(conn, &rooms_dialect, x->principal, x->request->path);
    c->state = s;
    c->ws.ops = &room_websocket_ops;
    ws_limits_begin(&c->ws);
    s->client = c;
    map_put(sessions_of(w), s);
    s->polling->poll = request_of(x, s->sid);
    s->polling->ping_ms = w->now_ms + room_first_ping(c);
    room_send_handshake(c);
    if (room_is_engine(x->request))
        room_engine_open(c);
    set_timer(c, 0);
}

/* The session is told from the poll that waits; without one, the next poll finds nothing. */
void room_close_polling(struct client *c, struct slice last, const char *reason)
{
    answer_poll(c, last);
    conn_close(&c->ws.conn, reason);
}

void room_forget_polling(struct client *c)
{
    struct room_session *s = room_session_of(c);
    struct worker *w = c->ws.conn.worker;
    struct room_polling *p = s->polling;
    map_remove(sessions_of(w), slice_from(s->sid));
    s->polling = NULL;
    if (p->poll)
        refuse(w, p->poll, ROOM_UNKNOWN_SESSION);
    if (p->post)
        refuse(w, p->post, ROOM_UNKNOWN_SESSION);
    memory_free(p);
}
