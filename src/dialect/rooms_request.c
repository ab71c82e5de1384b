/*
 * Polls and posts on their way, for the dialect `rooms`; see rooms_request.h.
 *
 * Browsers, and some other clients of HTTP, send a request again by themselves when the connection
 * it went out on had carried others before and broke before the answer began: the server may have
 * taken it or not. Engine.IO has no numbers for requests, but its clients add a parameter `t` that
 * differs from one to the next, against caches; a repeated request has the same. So the two can be
 * told apart, for all clients that were not told to leave `t` away.
 */
#include "dialect/rooms_request.h"

#include <stdio.h>

#include "base/memory.h"

static atomic_uint_least64_t numbers;

static struct room_request *request_new(struct worker *origin, const char *sid)
{
    struct room_request *r = memory_zero(sizeof *r);
    r->origin = origin;
    r->number = atomic_fetch_add(&numbers, 1) + 1;
    memcpy(r->sid, sid, sizeof r->sid);
    return r;
}

void room_request_free(struct room_request *r)
{
    buf_fini(&r->body);
    memory_free(r);
}

/* ---- There and back ---- */

static void send_to(struct worker *w, void (*run)(struct worker *w, void *arg),
                    struct room_request *r)
{
    r->task.fn = run;
    r->task.arg = r;
    worker_submit(w, &r->task);
}

static void send_to_session(struct room_request *r)
{
    struct worker *w = room_session_worker(r->origin, slice_from(r->sid));
    if (w == r->origin)
        room_request_handle(w, r);
    else
        send_to(w, room_request_handle, r);
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
    room_request_free(r);
}

/* Never at once: behind an answer the connection's next request is taken, which may be for the very
 * session that is just doing something. */
void room_request_answer(struct room_request *r)
{
    r->status = 200;
    send_to(r->origin, reply, r);
}

void room_request_refuse(struct room_request *r, enum room_refusal code)
{
    buf_clear(&r->body);
    room_append_refusal(&r->body, code);
    r->status = 400;
    send_to(r->origin, reply, r);
}

/* ---- Exchanges ---- */

/* The poll's connection ends first: the session must not answer into nothing. */
static void on_abort(struct http_exchange *x)
{
    struct room_request *r = x->data;
    r->exchange = NULL;
    if (r->kind != REQUEST_POLL)
        return;
    struct room_request *cancel = request_new(x->conn->worker, r->sid);
    cancel->kind = REQUEST_CANCEL;
    cancel->number = r->number;
    cancel->tag = r->tag;
    send_to_session(cancel);
}

struct room_request *room_request_new(struct http_exchange *x, const char *sid)
{
    struct room_request *r = request_new(x->conn->worker, sid);
    r->exchange = x;
    r->connection = x->conn->id;
    x->data = r;
    x->abort = on_abort;
    return r;
}

/* In one millisecond a client may call two requests alike; of posts, which are taken, the body
 * counts as well. */
static uint64_t tag_of(const struct http_request *request, struct slice body)
{
    struct buf t = {0};
    uint64_t tag = 0;
    if (http_query_get(request->query, "t", &t) == 0 && t.len)
        tag = (map_hash(buf_slice(&t)) ^ (body.len ? map_hash(body) : 0)) | 1;
    buf_fini(&t);
    return tag;
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
    char sid[ROOM_ID_SIZE];
    if (!read_sid(x->request, x->conn->worker, sid)) {
        room_refuse_request(x, ROOM_UNKNOWN_SESSION);
        return;
    }
    struct room_request *r = room_request_new(x, sid);
    r->kind = REQUEST_POST;
    r->body = x->body;
    r->tag = tag_of(x->request, buf_slice(&r->body));
    x->body = (struct buf){0};
    send_to_session(r);
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
        struct room_request *r = room_request_new(x, sid);
        r->tag = tag_of(x->request, SLICE(""));
        send_to_session(r);
    }
}
