/* HTTP on a connection; see http_server.h. */
#include "net/http_server.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "codec/json.h"
#include "fanfare/error.h"
#include "net/login.h"
#include "net/peer.h"
#include "net/worker.h"

#define IDLE_MS     75000      /* between requests */
#define BODY_MS     30000      /* without a byte of the body */
#define PENDING_MAX 65536      /* requests sent in advance */
#define OUTPUT_HIGH (1u << 20) /* an unread streamed answer stops the reading of the body */

struct http_conn {
    struct http_exchange exchange;
    struct http_parser *parser;
    struct buf pending; /* bytes of requests that came before the answer to the last one */
    const struct conn_ops *next_ops; /* taken over */
    void *next_protocol;
    bool feeding;   /* the parser is running */
    bool throttled; /* http_pause: the timer ends it */
};

static struct http_conn *conn_http(struct conn *c)
{
    return c->protocol;
}

static struct http_conn *exchange_http(struct http_exchange *x)
{
    return CONTAINER(x, struct http_conn, exchange);
}

/* ---- Answers ---- */

void http_add_header(struct http_exchange *x, const char *name, const char *value)
{
    buf_append_text(&x->headers, name);
    BUF_LITERAL(&x->headers, ": ");
    buf_append_text(&x->headers, value);
    BUF_LITERAL(&x->headers, "\r\n");
}

static void append_date(struct buf *out)
{
    char date[48];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    size_t len = strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    buf_append(out, date, len);
}

void http_append_head(struct http_exchange *x, int status, struct buf *out)
{
    buf_reserve(out, 512); /* most heads: grown once */
    BUF_LITERAL(out, "HTTP/1.1 ");
    buf_append_u64(out, (uint64_t)status);
    buf_append_char(out, ' ');
    buf_append_text(out, http_status_text(status));
    BUF_LITERAL(out, "\r\n");
    if (status != 101)
        append_date(out);
    buf_append_slice(out, buf_slice(&x->headers));
}

static void append_framing(struct http_exchange *x, struct buf *out)
{
    buf_append_text(out, x->keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n");
}

/* The answer is complete: the connection goes on with the next request, or ends. */
static void answer_complete(struct http_exchange *x);

/* An answer before the end of the body ends the connection: the rest is not waited for. */
static void begin_answer(struct http_exchange *x)
{
    x->answered = true;
    if (!x->body_done && x->request && x->request->has_body)
        x->keep_alive = false;
    if (atomic_load_explicit(&x->conn->worker->shared->draining, memory_order_relaxed))
        x->keep_alive = false;
}

void http_reply(struct http_exchange *x, int status, const char *type, struct slice body)
{
    struct buf head = {0};
    if (x->answered)
        return;
    begin_answer(x);
    http_append_head(x, status, &head);
    if (type) {
        BUF_LITERAL(&head, "Content-Type: ");
        buf_append_text(&head, type);
        BUF_LITERAL(&head, "\r\n");
    }
    if (status != 204 && status != 304) {
        BUF_LITERAL(&head, "Content-Length: ");
        buf_append_u64(&head, body.len);
        BUF_LITERAL(&head, "\r\n");
    }
    append_framing(x, &head);
    BUF_LITERAL(&head, "\r\n");
    if (!x->request || x->request->method != HTTP_HEAD)
        buf_append_slice(&head, body);
    if (head.failed)
        conn_close(x->conn, "out of memory");
    else
        conn_send_body(x->conn, buf_slice(&head));
    buf_fini(&head);
    answer_complete(x);
}

/* What was refused to connections that would stay, and what a rule or limit refused to others; that
 * a request was wrong in itself its sender learns from the answer. */
static void log_refusal(const struct http_exchange *x, int status, struct slice reason)
{
    const struct http_request *r = x->request;
    bool handshake = r->upgrade || http_header_get(r, "Sec-WebSocket-Key").ptr;
    if (!x->lasting && !handshake && status != 401 && status != 403 && status != 408 &&
        status != 429 && status != 503)
        return;
    log_warn(x->lasting || handshake ? "websocket" : "http", "refused", LOG_SLICE("reason", reason),
             LOG_U64("status", status), LOG_TEXT("address", x->conn->peer->text),
             LOG_SLICE("host", http_header_get(r, "Host")),
             LOG_SLICE("origin", http_header_get(r, "Origin")), LOG_SLICE("path", r->path));
}

void http_reply_error(struct http_exchange *x, int status, const char *code, const char *format,
                      ...)
{
    struct buf message = {0}, body = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&message, format, args);
    va_end(args);
    if (x->request && !x->answered)
        log_refusal(x, status, buf_slice(&message));
    buf_printf(&body, "{\"error\":{\"status\":%d,\"code\":", status);
    json_append_string(&body, slice_from(code));
    BUF_LITERAL(&body, ",\"message\":");
    json_append_lossy(&body, buf_slice(&message));
    BUF_LITERAL(&body, "}}\n");
    buf_fini(&message);
    http_reply(x, status, "application/json", buf_slice(&body));
    buf_fini(&body);
}

void http_reply_json(struct http_exchange *x, int status, struct buf *body)
{
    if (body->failed)
        http_reply_error(x, 503, "out_of_memory", "not enough memory for this answer");
    else
        http_reply(x, status, "application/json", buf_slice(body));
    buf_fini(body);
}

void http_stream_begin(struct http_exchange *x, int status, const char *type)
{
    struct buf head = {0};
    if (x->answered)
        return;
    x->answered = true;
    x->streaming = true;
    x->chunked = x->request->minor >= 1;
    x->keep_alive = x->keep_alive && x->chunked;
    http_append_head(x, status, &head);
    buf_printf(&head, "Content-Type: %s\r\n", type);
    if (x->chunked)
        BUF_LITERAL(&head, "Transfer-Encoding: chunked\r\n");
    append_framing(x, &head);
    BUF_LITERAL(&head, "\r\n");
    conn_send_body(x->conn, buf_slice(&head));
    buf_fini(&head);
}

void http_stream_write(struct http_exchange *x, struct slice text)
{
    struct buf chunk = {0};
    if (!x->streaming || text.len == 0)
        return;
    if (x->chunked)
        buf_printf(&chunk, "%zx\r\n", text.len);
    buf_append_slice(&chunk, text);
    if (x->chunked)
        BUF_LITERAL(&chunk, "\r\n");
    if (chunk.failed)
        conn_close(x->conn, "out of memory");
    else
        conn_send_body(x->conn, buf_slice(&chunk));
    buf_fini(&chunk);
}

void http_stream_end(struct http_exchange *x)
{
    if (!x->streaming)
        return;
    x->streaming = false;
    if (x->chunked)
        conn_send_body(x->conn, SLICE("0\r\n\r\n"));
    if (!x->body_done && x->request->has_body)
        x->keep_alive = false;
    answer_complete(x);
}

void http_pause(struct http_exchange *x, uint64_t ms)
{
    exchange_http(x)->throttled = true;
    conn_pause(x->conn);
    conn_timer(x->conn, ms);
}

/* ---- Requests ---- */

static void reset_exchange(struct http_exchange *x)
{
    struct conn *c = x->conn;
    buf_fini(&x->body);
    buf_fini(&x->headers);
    principal_unref(x->principal);
    *x = (struct http_exchange){.conn = c};
}

static void feed(struct conn *c, const char *data, size_t len);

static void next_request(struct conn *c)
{
    struct http_conn *h = conn_http(c);
    reset_exchange(&h->exchange);
    http_parser_resume(h->parser);
    conn_timer(c, IDLE_MS);
    if (c->paused)
        conn_resume(c);
    if (h->pending.len) {
        struct buf pending = h->pending;
        h->pending = (struct buf){0};
        feed(c, pending.data, pending.len);
        buf_fini(&pending);
    }
}

static void answer_complete(struct http_exchange *x)
{
    struct http_conn *h = exchange_http(x);
    if (!x->keep_alive) {
        conn_finish(x->conn, "answered");
        return;
    }
    /* While the parser is in a callback its caller goes on with the next request. */
    if (x->body_done && !h->feeding)
        next_request(x->conn);
}

static void begin_body(struct http_exchange *x)
{
    if (!x->request->has_body)
        return;
    if (x->request->expect_continue)
        conn_send_copy(x->conn, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    conn_timer(x->conn, BODY_MS);
}

static int on_head(void *arg, const struct http_request *request)
{
    struct conn *c = arg;
    struct http_conn *h = conn_http(c);
    struct http_exchange *x = &h->exchange;
    conn_timer_stop(c);
    NET_STAT(c->worker, http_requests, 1);
    x->request = request;
    x->keep_alive = request->keep_alive;
    c->worker->app->request(x);
    if (h->next_ops || c->state != CONN_OPEN)
        return 1;
    if (x->answered && !x->streaming)
        return 0;
    if (!x->piece && request->content_length > x->body_limit) {
        http_reply_error(x, 413, "too_large", "the body has %llu bytes; at most %zu are accepted",
                         (unsigned long long)request->content_length, x->body_limit);
        return 1;
    }
    begin_body(x);
    return 0;
}

static int on_body(void *arg, struct slice piece)
{
    struct conn *c = arg;
    struct http_exchange *x = &conn_http(c)->exchange;
    if (x->stopped || (x->answered && !x->streaming))
        return 0;
    conn_timer(c, BODY_MS);
    if (x->piece) {
        x->piece(x, piece);
        return c->state == CONN_OPEN ? 0 : 1;
    }
    if (x->body.len + piece.len > x->body_limit) {
        http_reply_error(x, 413, "too_large", "the body is larger than %zu bytes", x->body_limit);
        return 1;
    }
    buf_append_slice(&x->body, piece);
    if (x->body.failed) {
        NET_STAT(c->worker, no_memory, 1);
        http_reply_error(x, 503, "out_of_memory", "not enough memory for this body");
        return 1;
    }
    return 0;
}

static int on_done(void *arg)
{
    struct conn *c = arg;
    struct http_exchange *x = &conn_http(c)->exchange;
    x->body_done = true;
    conn_timer_stop(c);
    if (x->done && !x->stopped && (!x->answered || x->streaming))
        x->done(x);
    return 0;
}

static const struct http_parser_ops parser_ops = {on_head, on_body, on_done};

static void free_http(struct http_conn *h)
{
    http_parser_free(h->parser);
    memory_free(h);
}

/* Most connections speak HTTP for one request, read as they come (conn_begin), so the next one can
 * have what the last one needed. */
static void release_http(struct http_conn *h, struct worker *w)
{
    buf_fini(&h->exchange.body);
    buf_fini(&h->exchange.headers);
    principal_unref(h->exchange.principal);
    buf_fini(&h->pending);
    if (w->spare_http) {
        free_http(h);
        return;
    }
    http_parser_reuse(h->parser, NULL);
    w->spare_http = h;
}

static struct http_conn *take_http(struct conn *c)
{
    struct http_conn *h = c->worker->spare_http;
    struct http_parser *parser = h ? h->parser : http_parser_new(&parser_ops, c);
    c->worker->spare_http = NULL;
    if (h)
        http_parser_reuse(parser, c);
    else
        h = parser ? memory_try_alloc(sizeof *h) : NULL;
    if (!h) {
        http_parser_free(parser);
        return NULL;
    }
    *h = (struct http_conn){.parser = parser, .exchange = {.conn = c}};
    return h;
}

static void hand_over(struct conn *c, const char *data, size_t len)
{
    struct http_conn *h = conn_http(c);
    struct slice rest = slice_of(data, len);
    char *copy = len ? memory_try_alloc(len) : NULL;
    if (copy)
        memcpy(copy, rest.ptr, rest.len);
    c->ops = h->next_ops;
    c->protocol = h->next_protocol;
    release_http(h, c->worker);
    if (len && !copy)
        conn_close(c, "out of memory");
    else if (len && c->state == CONN_OPEN)
        c->ops->data(c, copy, len);
    memory_free(copy);
}

static void bad_request(struct conn *c, int status, const char *why)
{
    struct http_exchange *x = &conn_http(c)->exchange;
    static const struct http_request none;
    if (x->streaming || x->answered) {
        conn_close(c, "bad request");
        return;
    }
    if (!x->request)
        x->request = &none;
    x->keep_alive = false;
    http_reply_error(x, status, "bad_request", "%s", why);
}

static void keep_pending(struct conn *c, const char *data, size_t len)
{
    struct http_conn *h = conn_http(c);
    h->pending.limit = PENDING_MAX + WORKER_READ_SIZE;
    buf_append(&h->pending, data, len);
    if (h->pending.failed)
        conn_close(c, "too many requests in advance");
    else if (h->pending.len > PENDING_MAX)
        conn_pause(c);
}

static bool is_between_requests(const struct http_conn *h)
{
    return !h->exchange.request && !http_parser_busy(h->parser);
}

/* Feeds requests one after the other; each waits for the answer to the one before, and for the
 * client to have read enough of the earlier ones. */
static void feed(struct conn *c, const char *data, size_t len)
{
    struct http_conn *h = conn_http(c);
    while (len > 0 && c->state == CONN_OPEN) {
        size_t used = 0;
        int status = 400;
        const char *why = "malformed request";
        if (h->exchange.body_done && (!h->exchange.answered || h->exchange.streaming)) {
            keep_pending(c, data, len);
            return;
        }
        if (is_between_requests(h) && conn_waiting(c) > OUTPUT_HIGH) {
            keep_pending(c, data, len);
            conn_pause(c);
            return;
        }
        if (is_between_requests(h))
            conn_timer(c, NET_LIMIT(c->worker, handshake_ms));
        h->feeding = true;
        int result = http_parser_feed(h->parser, data, len, &used, &status, &why);
        h->feeding = false;
        data += used;
        len -= used;
        if (h->next_ops) {
            hand_over(c, data, len);
            return;
        }
        if (c->state != CONN_OPEN)
            return;
        if (result < 0) {
            bad_request(c, status, why);
            return;
        }
        if (h->exchange.body_done && h->exchange.answered && !h->exchange.streaming) {
            reset_exchange(&h->exchange);
            http_parser_resume(h->parser);
            conn_timer(c, IDLE_MS);
        } else if (used == 0) {
            keep_pending(c, data, len);
            return;
        }
    }
    if (c->state == CONN_OPEN && h->exchange.streaming && conn_waiting(c) > OUTPUT_HIGH)
        conn_pause(c);
}

static void on_data(struct conn *c, char *data, size_t len)
{
    feed(c, data, len);
}

static void on_drained(struct conn *c)
{
    struct http_conn *h = conn_http(c);
    if (h->exchange.drained)
        h->exchange.drained(&h->exchange);
    if (c->state != CONN_OPEN)
        return;
    if (is_between_requests(h) && h->pending.len)
        next_request(c);
    else if (c->paused && !h->throttled && h->pending.len <= PENDING_MAX)
        conn_resume(c);
}

/* Some clients say with it that their request is whole. */
static void on_end(struct conn *c)
{
    struct http_exchange *x = &conn_http(c)->exchange;
    if (!x->owed || !x->body_done || (x->answered && !x->streaming))
        return;
    x->keep_alive = false;
    conn_hold(c);
}

static void on_timer(struct conn *c)
{
    struct http_conn *h = conn_http(c);
    if (h->throttled) {
        h->throttled = false;
        conn_resume(c);
        conn_timer(c, BODY_MS);
        return;
    }
    if (c->held) { /* it is we who keep the body waiting */
        conn_timer(c, BODY_MS);
        return;
    }
    if (!http_parser_busy(h->parser) && conn_is_moving(c, IDLE_MS)) {
        conn_timer(c, IDLE_MS);
        return;
    }
    if (!http_parser_busy(h->parser)) {
        conn_close(c, "idle");
        return;
    }
    NET_STAT(c->worker, handshake_timeouts, 1);
    bad_request(c, 408, "the request did not come in time");
}

static void on_closed(struct conn *c)
{
    struct http_conn *h = conn_http(c);
    struct http_exchange *x = &h->exchange;
    if (x->abort)
        x->abort(x);
    c->protocol = NULL;
    release_http(h, c->worker);
}

static const struct conn_ops http_ops = {
    .name = "http",
    .data = on_data,
    .end = on_end,
    .drained = on_drained,
    .timer = on_timer,
    .closed = on_closed,
};

int http_server_attach(struct conn *c)
{
    struct http_conn *h = take_http(c);
    if (!h)
        return FAN_E_NO_MEMORY;
    c->ops = &http_ops;
    c->protocol = h;
    return 0;
}

void http_server_fini(struct worker *w)
{
    if (w->spare_http)
        free_http(w->spare_http);
    w->spare_http = NULL;
}

void http_take_over(struct http_exchange *x, const struct conn_ops *ops, void *protocol)
{
    struct http_conn *h = exchange_http(x);
    h->next_ops = ops;
    h->next_protocol = protocol;
    x->answered = true;
}

void http_server_shutdown(struct conn *c)
{
    const struct http_conn *h = conn_http(c);
    if (c->ops != &http_ops || c->state != CONN_OPEN)
        return;
    if (!http_parser_busy(h->parser) && !h->exchange.request)
        conn_finish(c, "server stops");
}
