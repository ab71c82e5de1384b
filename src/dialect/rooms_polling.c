/*
 * Sessions on HTTP long-polling, for the dialect `rooms`.
 *
 * Such a session is a client whose connection has no socket: frames queue up in it as in any other,
 * with the same limits, and a poll takes them. It lives on the worker that its handshake came to,
 * whose number its id begins with; a request that another worker gets goes there and its answer
 * comes back, as messages between the two (rooms_request.c).
 *
 * A session has one poll and one post at a time, except for those that a browser sent again by
 * itself because a connection broke: a poll that waits then waits on both connections, one that was
 * answered is given its answer again, and a post is answered without being taken again. Where that
 * cannot be told or done, as with a poll that was given up, the session ends; the client hears of
 * it at its next request, comes back in a new session and recovers, from what it has got itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "dialect/rooms_frames.h"
#include "dialect/rooms_private.h"
#include "dialect/rooms_request.h"
#include "fanfare/error.h"

/* Answers above this are not kept for the case that they got lost on the way. */
#define KEPT_MAX (64 * 1024)

/* On so many connections at once the same poll may wait. */
#define COPIES_MAX 4

/* How long a client whose poll broke off has for repeating it. */
#define REPEAT_MS 2000

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

/* ---- Time ---- */

static void sooner(uint64_t *left, uint64_t at_ms, uint64_t now)
{
    uint64_t ms = at_ms > now ? at_ms - now : 0;
    if (ms < *left)
        *left = ms;
}

/* For whatever comes first: the next ping, a poll that was not repeated, the end of a debt. */
static void set_timer(struct client *c)
{
    const struct room_polling *p = room_session_of(c)->polling;
    uint64_t now = c->ws.conn.worker->now_ms, left = UINT64_MAX;
    uint64_t debt_ms = p->post ? ws_limits_count(&c->ws, 0) : 0;
    sooner(&left, p->ping_ms, now);
    if (p->lost_ms)
        sooner(&left, p->lost_ms + REPEAT_MS, now);
    if (debt_ms)
        sooner(&left, now + debt_ms, now);
    conn_timer(&c->ws.conn, left);
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

/* Each copy of the poll gets the answer, since which of them the client still listens to nobody
 * knows; then it is kept for further ones. Takes both over. */
static void answer_copies(struct client *c, struct room_request *poll, struct buf *payload)
{
    struct room_polling *p = room_session_of(c)->polling;
    bool keeps = poll->tag && !payload->failed && payload->len <= KEPT_MAX;
    p->answered = poll->number;
    p->answered_on = poll->connection;
    buf_fini(&p->kept);
    while (poll) {
        struct room_request *r = poll;
        poll = r->copy;
        buf_clear(&r->body);
        buf_append_slice(&r->body, buf_slice(payload));
        r->body.failed |= payload->failed;
        room_request_answer(r);
    }
    if (keeps)
        p->kept = *payload;
    else
        buf_fini(payload);
}

/* NULL: none waits. */
static struct room_request *take_poll(struct client *c)
{
    struct room_polling *p = room_session_of(c)->polling;
    struct room_request *poll = p->poll;
    p->poll = NULL;
    return poll;
}

static void collect(struct conn *conn)
{
    struct client *c = client_from_conn(conn);
    struct room_request *poll = take_poll(c);
    struct buf frames = {0}, payload = {0};
    if (!poll)
        return;
    conn_take(conn, &frames);
    room_user_asked(c); /* what is in the answer the next poll confirms */
    if (frames.failed)
        conn_close(conn, "out of memory");
    bool closes = append_frames(&payload, buf_slice(&frames));
    buf_fini(&frames);
    answer_copies(c, poll, &payload);
    if (closes)
        conn_close(conn, conn->close_reason);
}

/* Answers the poll that waits with one packet. False: none waits. */
static bool answer_poll(struct client *c, struct slice packet)
{
    struct room_request *poll = take_poll(c);
    struct buf payload = {0};
    if (!poll)
        return false;
    eio_payload_append_text(&payload, packet);
    answer_copies(c, poll, &payload);
    return true;
}

static bool is_repeated(const struct room_polling *p, const struct room_request *r)
{
    return r->tag && r->tag == p->last_poll;
}

/* The next poll: the client has got the answer to the one before. */
static void begin_poll(struct client *c, const struct room_request *r)
{
    struct room_polling *p = room_session_of(c)->polling;
    room_user_heard(c);
    buf_fini(&p->kept);
    p->last_poll = r->tag;
    p->answered = 0;
}

/*
 * The answer did not arrive. It is given once more, or, where that cannot be, the session ends, so
 * that the client comes back and says itself what it has got. It ends also where the same
 * connection brings the poll: that has not broken, and two polls of one millisecond may be called
 * alike by chance.
 */
static void answer_again(struct client *c, struct room_request *r)
{
    struct room_polling *p = room_session_of(c)->polling;
    if (p->kept.len == 0 || r->connection == p->answered_on) {
        room_request_refuse(r, ROOM_UNKNOWN_SESSION);
        conn_close(&c->ws.conn, "the answer to a poll is lost");
        return;
    }
    p->answered = r->number;
    p->answered_on = r->connection;
    buf_append_slice(&r->body, buf_slice(&p->kept));
    room_request_answer(r);
}

static unsigned copies(const struct room_polling *p)
{
    unsigned count = 0;
    for (const struct room_request *r = p->poll; r; r = r->copy)
        count++;
    return count;
}

static void on_poll(struct client *c, struct room_request *r)
{
    struct room_polling *p = room_session_of(c)->polling;
    bool repeated = is_repeated(p, r);
    if (p->poll && !(repeated && copies(p) < COPIES_MAX)) {
        answer_poll(c, SLICE("1"));
        room_request_refuse(r, ROOM_BAD_REQUEST);
        conn_close(&c->ws.conn, "two polls at once");
        return;
    }
    p->lost_ms = 0;
    if (repeated && p->answered) {
        answer_again(c, r);
        return;
    }
    if (!repeated)
        begin_poll(c, r);
    r->copy = p->poll;
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

/* A copy of the poll whose connection has ended. NULL: it is none that waits. */
static struct room_request *take_copy(struct room_polling *p, uint64_t number)
{
    struct room_request **at = &p->poll;
    while (*at && (*at)->number != number)
        at = &(*at)->copy;
    struct room_request *r = *at;
    if (r)
        *at = r->copy;
    return r;
}

/* A browser repeats by itself a request whose connection broke before the answer began, if it had
 * carried others before: who names their polls gets the time for it. */
static void on_cancel(struct client *c, const struct room_request *cancel)
{
    struct room_polling *p = room_session_of(c)->polling;
    struct room_request *r = take_copy(p, cancel->number);
    bool lost = r || cancel->number == p->answered;
    if (r)
        room_request_refuse(r, ROOM_UNKNOWN_SESSION);
    if (!lost || p->poll)
        return;
    if (!cancel->tag) {
        conn_close(&c->ws.conn, "a poll was given up");
        return;
    }
    p->lost_ms = c->ws.conn.worker->now_ms;
    set_timer(c);
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
    room_request_answer(r);
}

void room_poll_pong(struct client *c)
{
    room_session_of(c)->polling->ping_ms =
        c->ws.conn.worker->now_ms + ROOMS_OPTION(c, ping_interval_ms);
    set_timer(c);
}

/* Whoever sent more than limits.messages allows waits for the answer, and sends no more until
 * then. */
static void settle_post(struct client *c, unsigned packets)
{
    if (ws_limits_count(&c->ws, packets))
        set_timer(c);
    else
        answer_post(c);
}

/* It was taken before: what it carries must not be done twice. */
static void repeat_post(struct client *c, struct room_request *r)
{
    struct room_polling *p = room_session_of(c)->polling;
    bool waits = p->post != NULL;
    if (waits)
        answer_post(c);
    p->post = r;
    if (!waits)
        answer_post(c);
}

static void on_post(struct client *c, struct room_request *r)
{
    struct room_polling *p = room_session_of(c)->polling;
    unsigned packets = 0;
    c->ws.pinged = false;
    if (r->tag && r->tag == p->last_post) {
        repeat_post(c, r);
        return;
    }
    if (p->post) {
        room_request_refuse(r, ROOM_BAD_REQUEST);
        conn_close(&c->ws.conn, "two posts at once");
        return;
    }
    p->last_post = r->tag;
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
    room_request_refuse(r, ROOM_BAD_REQUEST);
}

/* Nobody asked for so long that it counts as gone, even if its timer has not fired yet. */
static bool is_overdue(struct client *c)
{
    const struct room_polling *p = room_session_of(c)->polling;
    uint64_t silence = c->ws.conn.worker->now_ms - p->heard_ms;
    return !p->poll &&
           silence >= ROOMS_OPTION(c, ping_interval_ms) + ROOMS_OPTION(c, ping_timeout_ms);
}

void room_request_handle(struct worker *w, void *request)
{
    struct room_request *r = request;
    struct client *c = room_session_find(w, r->sid);
    if (r->kind == REQUEST_CANCEL) {
        if (c)
            on_cancel(c, r);
        room_request_free(r);
        return;
    }
    if (c && is_overdue(c)) {
        conn_close(&c->ws.conn, "no answer to ping");
        c = NULL;
    }
    if (!c) {
        room_request_refuse(r, ROOM_UNKNOWN_SESSION);
        return;
    }
    room_session_of(c)->polling->heard_ms = w->now_ms;
    if (r->kind == REQUEST_POLL)
        on_poll(c, r);
    else
        on_post(c, r);
}

/* ---- A session's life ---- */

static void on_drained(struct conn *conn)
{
    room_drained(client_from_conn(conn));
}

/* Pings count from the last one, or from its answer: a timer that was set for another reason does
 * not move them. Only a post answers: polls go on also where posts do not come through any more, on
 * a connection of their own that is dead without anybody having been told. A post that waits for
 * its answer from us stands in the way of another. */
static void keep_alive(struct client *c)
{
    struct room_polling *p = room_session_of(c)->polling;
    if (c->ws.pinged && !p->post) {
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
    if (c->ws.close_sent) {
        conn_close(conn, conn->close_reason);
        return;
    }
    if (p->lost_ms && conn->worker->now_ms >= p->lost_ms + REPEAT_MS) {
        conn_close(conn, "a poll was given up");
        return;
    }
    if (p->post && !ws_limits_count(&c->ws, 0))
        answer_post(c);
    if (conn->worker->now_ms >= p->ping_ms)
        keep_alive(c);
    if (conn->state == CONN_OPEN && !c->ws.close_sent)
        set_timer(c);
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
    s->polling->poll = room_request_new(x, s->sid);
    s->polling->ping_ms = w->now_ms + room_first_ping(c);
    room_send_handshake(c);
    if (room_is_engine(x->request))
        room_engine_open(c);
    set_timer(c);
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
    while (p->poll) {
        struct room_request *r = p->poll;
        p->poll = r->copy;
        room_request_refuse(r, ROOM_UNKNOWN_SESSION);
    }
    if (p->post)
        room_request_refuse(p->post, ROOM_UNKNOWN_SESSION);
    buf_fini(&p->kept);
    memory_free(p);
}
