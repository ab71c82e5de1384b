/* WebSocket connections; see ws_conn.h. */
#include "net/ws_conn.h"

#include "base/memory.h"
#include "codec/deflate.h"
#include "fanfare/error.h"
#include "net/worker.h"

#define CLOSE_WAIT_MS   5000
#define BAD_MESSAGES    20
#define BAD_WINDOW_S    10
#define THROTTLE_WARN_S 30

static const struct conn_ops ws_conn_ops;

bool ws_is(const struct conn *c)
{
    return c->ops == &ws_conn_ops;
}

/* ---- The handshake ---- */

static bool refuse(struct http_exchange *x, int status, const char *message)
{
    http_reply_error(x, status, "bad_handshake", "%s", message);
    return false;
}

static bool check_handshake(struct http_exchange *x)
{
    const struct http_request *r = x->request;
    struct slice version = http_header_get(r, "Sec-WebSocket-Version");
    struct slice key = http_header_get(r, "Sec-WebSocket-Key");
    if (r->method != HTTP_GET || r->minor < 1)
        return refuse(x, 400, "a WebSocket handshake is a GET request of HTTP/1.1");
    if (!http_header_has_token(r, "Connection", "upgrade") ||
        !http_header_has_token(r, "Upgrade", "websocket")) {
        http_add_header(x, "Upgrade", "websocket");
        http_add_header(x, "Sec-WebSocket-Version", "13");
        return refuse(x, 426,
                      "this address speaks WebSocket: send Connection: Upgrade and "
                      "Upgrade: websocket");
    }
    if (!slice_is(version, "13")) {
        http_add_header(x, "Sec-WebSocket-Version", "13");
        return refuse(x, 426, "Sec-WebSocket-Version must be 13");
    }
    if (http_header_count(r, "Sec-WebSocket-Key") != 1 || !ws_key_valid(key))
        return refuse(x, 400, "Sec-WebSocket-Key must stand once and be 16 bytes in base64");
    if (r->has_body)
        return refuse(x, 400, "a WebSocket handshake has no body");
    return true;
}

/* All lines of a header as one list. */
static void join_header(const struct http_request *r, const char *name, struct buf *out)
{
    for (unsigned i = 0; i < r->header_count; i++) {
        if (!slice_is_nocase(r->headers[i].name, name))
            continue;
        if (out->len)
            BUF_LITERAL(out, ", ");
        buf_append_slice(out, r->headers[i].value);
    }
}

/* ---- Subprotocols ---- */

#define TOKEN_PREFIX "fanfare.token."

struct slice ws_offered_token(const struct http_request *r)
{
    for (unsigned i = 0; i < r->header_count; i++) {
        struct slice rest = r->headers[i].value, element;
        if (!slice_is_nocase(r->headers[i].name, "Sec-WebSocket-Protocol"))
            continue;
        while (slice_split(&rest, ',', &element)) {
            element = slice_trim(element);
            if (slice_starts(element, TOKEN_PREFIX))
                return slice_skip(element, strlen(TOKEN_PREFIX));
        }
    }
    return slice_of(NULL, 0);
}

/* A browser gives up when none of what it offered is selected, so a token that was offered alone
 * is sent back to its owner. */
static void append_protocol(struct buf *head, const struct http_request *r, const char *selected)
{
    if (!http_header_get(r, "Sec-WebSocket-Protocol").ptr)
        return;
    struct slice token = selected ? slice_of(NULL, 0) : ws_offered_token(r);
    if (!selected && http_header_has_token(r, "Sec-WebSocket-Protocol", "fanfare"))
        selected = "fanfare";
    if (selected)
        buf_printf(head, "Sec-WebSocket-Protocol: %s\r\n", selected);
    else if (token.ptr)
        buf_printf(head, "Sec-WebSocket-Protocol: " TOKEN_PREFIX "%.*s\r\n", SLICE_ARG(token));
}

/* ---- Extensions ---- */

static bool negotiate(struct http_exchange *x, const struct ws_accept_options *options,
                      struct ws_deflate_agreement *agreement, char answer[192])
{
    struct buf offers = {0};
    join_header(x->request, "Sec-WebSocket-Extensions", &offers);
    int error =
        ws_deflate_negotiate(buf_slice(&offers), options->deflate_wishes, agreement, answer);
    buf_fini(&offers);
    if (error)
        return refuse(x, 400, "Sec-WebSocket-Extensions is malformed");
    if (!options->deflate) {
        *agreement = (struct ws_deflate_agreement){0};
        answer[0] = '\0';
    }
    return true;
}

void ws_limits_begin(struct ws_conn *ws)
{
    struct worker *w = ws->conn.worker;
    ws->tokens = (int32_t)NET_LIMIT(w, burst);
    ws->tokens_ms = (uint32_t)w->now_ms;
}

bool ws_accept(struct http_exchange *x, const struct ws_accept_options *options)
{
    struct ws_conn *ws = ws_from_conn(x->conn);
    struct ws_deflate_agreement agreement;
    char accept[29], extensions[192];
    struct buf head = {0};
    if (!check_handshake(x) || !negotiate(x, options, &agreement, extensions))
        return false;
    ws_accept_value(http_header_get(x->request, "Sec-WebSocket-Key"), accept);
    http_append_head(x, 101, &head);
    BUF_LITERAL(&head, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
    buf_append_text(&head, accept);
    BUF_LITERAL(&head, "\r\n");
    append_protocol(&head, x->request, options->protocol);
    if (extensions[0])
        buf_printf(&head, "Sec-WebSocket-Extensions: %s\r\n", extensions);
    BUF_LITERAL(&head, "\r\n");
    if (head.failed) {
        conn_close(x->conn, "out of memory");
        return false;
    }
    ws_reader_init(&ws->reader);
    ws->ops = options->ops;
    ws->deflate = agreement.on;
    ws->client_no_context = agreement.client_no_context;
    ws->window_bits = agreement.client_window_bits;
    ws->own_window_bits = agreement.server_window_bits;
    http_take_over(x, &ws_conn_ops, options->state);
    conn_send_copy(x->conn, buf_slice(&head));
    buf_fini(&head);
    NET_STAT(x->conn->worker, websocket_upgrades, 1);
    x->conn->worker->flush->ops->attach(x->conn->worker->flush, x->conn);
    ws_limits_begin(ws);
    conn_timer(&ws->conn, NET_LIMIT(ws->conn.worker, ping_interval_ms));
    return true;
}

/* ---- Sending ---- */

int ws_send_opcode(struct ws_conn *ws, enum ws_opcode opcode, struct slice payload)
{
    struct buf frame = {0};
    if (ws->close_sent)
        return FAN_E_CLOSED;
    ws_append_frame(&frame, opcode, false, payload);
    int error = frame.failed ? FAN_E_NO_MEMORY : conn_send_copy(&ws->conn, buf_slice(&frame));
    if (frame.failed)
        conn_close(&ws->conn, "out of memory");
    buf_fini(&frame);
    return error;
}

int ws_send(struct ws_conn *ws, struct slice text)
{
    return ws_send_opcode(ws, WS_TEXT, text);
}

static int send_frame(struct ws_conn *ws, struct slice text,
                      int (*send)(struct conn *c, struct slice bytes))
{
    struct buf frame = {0};
    if (ws->close_sent)
        return FAN_E_CLOSED;
    ws_append_frame(&frame, WS_TEXT, false, text);
    int error = frame.failed ? FAN_E_NO_MEMORY : send(&ws->conn, buf_slice(&frame));
    if (frame.failed)
        conn_close(&ws->conn, "out of memory");
    buf_fini(&frame);
    return error;
}

int ws_send_large(struct ws_conn *ws, struct slice text)
{
    ws->tokens -= (int32_t)(text.len / 4096);
    return send_frame(ws, text, conn_send_large);
}

int ws_send_answer(struct ws_conn *ws, struct slice text)
{
    return send_frame(ws, text, conn_send_body);
}

/* The payload compressed; false: it goes as it is. */
static bool compress(struct ws_conn *ws, struct slice payload, struct buf *out)
{
    struct worker *w = ws->conn.worker;
    struct ws_deflate **d = &w->compressors[ws->own_window_bits];
    if (!ws->deflate || payload.len < w->shared->deflate_threshold)
        return false;
    if (!*d)
        *d = ws_deflate_new_window(w->shared->deflate_level, ws->own_window_bits);
    return *d && ws_deflate_message(*d, payload, out) == 0 && out->len < payload.len;
}

int ws_send_message(struct ws_conn *ws, enum ws_opcode opcode, struct slice payload)
{
    struct buf frame = {0}, small = {0};
    if (ws->close_sent)
        return FAN_E_CLOSED;
    bool compressed = compress(ws, payload, &small);
    ws_append_frame(&frame, opcode, compressed, compressed ? buf_slice(&small) : payload);
    int error = frame.failed ? FAN_E_NO_MEMORY : conn_send_body(&ws->conn, buf_slice(&frame));
    if (frame.failed)
        conn_close(&ws->conn, "out of memory");
    buf_fini(&frame);
    buf_fini(&small);
    return error;
}

static void send_close(struct ws_conn *ws, uint16_t code, struct slice reason)
{
    struct buf frame = {0};
    ws_append_close(&frame, code, reason);
    ws->close_sent = true;
    conn_send_body(&ws->conn, buf_slice(&frame));
    buf_fini(&frame);
}

void ws_close(struct ws_conn *ws, uint16_t code, const char *reason)
{
    ws_close_text(ws, code, reason, slice_from(reason));
}

void ws_close_text(struct ws_conn *ws, uint16_t code, const char *log_reason, struct slice text)
{
    if (ws->close_sent || ws->conn.state != CONN_OPEN)
        return;
    if (!ws->conn.close_reason)
        ws->conn.close_reason = log_reason;
    send_close(ws, code, text);
    if (ws->conn.held)
        conn_release(&ws->conn);
    if (ws->conn.paused)
        conn_resume(&ws->conn);
    conn_timer(&ws->conn, CLOSE_WAIT_MS);
}

void ws_shutdown(struct ws_conn *ws)
{
    if (ws->ops->shutdown)
        ws->ops->shutdown(ws);
    else
        ws_close(ws, WS_CLOSE_GOING_AWAY, "server stops");
}

/* For errors after which nothing the client sends matters (RFC 6455, 7.1.7). */
static void fail(struct ws_conn *ws, uint16_t code, const char *why)
{
    if (!ws->close_sent)
        send_close(ws, code, slice_from(why));
    conn_finish(&ws->conn, why);
}

static void on_overflow(struct conn *c)
{
    struct ws_conn *ws = ws_from_conn(c);
    uint64_t unused;
    conn_drop_events(c, &unused);
    fail(ws, WS_CLOSE_TRY_LATER, "control queue overflow");
}

void ws_bad_message(struct ws_conn *ws)
{
    uint32_t now = ws->conn.worker->now_s;
    if (now - ws->bad_since_s >= BAD_WINDOW_S || ws->bad_count == 0) {
        ws->bad_since_s = now;
        ws->bad_count = 0;
    }
    if (++ws->bad_count >= BAD_MESSAGES)
        ws_close(ws, WS_CLOSE_POLICY, "20 malformed messages within 10 s");
}

/* ---- Limits ---- */

static void refill(struct ws_conn *ws)
{
    struct worker *w = ws->conn.worker;
    uint32_t passed = (uint32_t)w->now_ms - ws->tokens_ms;
    uint64_t rate = NET_LIMIT(w, messages), burst = NET_LIMIT(w, burst);
    uint64_t more = rate * passed / 1000;
    if (more == 0)
        return;
    ws->tokens_ms = (uint32_t)w->now_ms;
    int64_t tokens = ws->tokens + (int64_t)more;
    ws->tokens = (int32_t)(tokens > (int64_t)burst ? (int64_t)burst : tokens);
}

/* A debt is looked at again this often: however large it is, the client is told in time. */
#define DEBT_CHECK_MS 1000

/* How long the debt takes; who has it for too long is told. */
static uint64_t debt_ms(struct ws_conn *ws)
{
    struct worker *w = ws->conn.worker;
    uint64_t rate = NET_LIMIT(w, messages);
    uint64_t ms = 1 + (uint64_t)(-ws->tokens) * 1000 / (rate ? rate : 1);
    if (!ws->throttled_s)
        ws->throttled_s = w->now_s + 1;
    if (w->now_s + 1 - ws->throttled_s >= THROTTLE_WARN_S) {
        ws->ops->rate_limited(ws);
        ws->throttled_s = w->now_s + 1;
    }
    return ms < DEBT_CHECK_MS ? ms : DEBT_CHECK_MS;
}

/* In debt: it is not read until the debt is paid. */
static void wait_for_debt(struct ws_conn *ws)
{
    uint64_t ms = debt_ms(ws);
    if (ws->close_sent)
        return;
    conn_pause(&ws->conn);
    conn_timer(&ws->conn, ms);
}

static void throttle(struct ws_conn *ws)
{
    NET_STAT(ws->conn.worker, rate_limited, 1);
    wait_for_debt(ws);
}

uint64_t ws_limits_count(struct ws_conn *ws, unsigned messages)
{
    ws->tokens -= (int32_t)messages;
    NET_STAT(ws->conn.worker, messages_in, messages);
    refill(ws);
    if (ws->tokens >= 0) {
        ws->throttled_s = 0;
        return 0;
    }
    if (messages)
        NET_STAT(ws->conn.worker, rate_limited, 1);
    return debt_ms(ws);
}

/* ---- Receiving ---- */

static int on_message(void *arg, enum ws_opcode opcode, struct slice payload)
{
    struct ws_conn *ws = arg;
    ws->tokens--;
    NET_STAT(ws->conn.worker, messages_in, 1);
    if (ws->close_sent)
        return 0;
    if (opcode == WS_BINARY && !ws->ops->binary) {
        ws_close(ws, WS_CLOSE_UNSUPPORTED, "binary messages are not accepted here");
        return 0;
    }
    ws->ops->message(ws, payload, opcode == WS_BINARY);
    return ws->conn.state == CONN_OPEN ? 0 : 1;
}

static void on_close_frame(struct ws_conn *ws, uint16_t code, struct slice reason)
{
    if (ws->ops->close_frame)
        ws->ops->close_frame(ws, code, reason);
    if (!ws->close_sent)
        send_close(ws, code == WS_CLOSE_NO_STATUS ? 0 : code, slice_of("", 0));
    conn_finish(&ws->conn, "closed by client");
}

static int on_control(void *arg, enum ws_opcode opcode, uint16_t code, struct slice payload)
{
    struct ws_conn *ws = arg;
    ws->tokens--;
    if (opcode == WS_CLOSE)
        on_close_frame(ws, code, payload);
    else if (opcode == WS_PING)
        ws_send_opcode(ws, WS_PONG, payload);
    return ws->conn.state == CONN_OPEN ? 0 : 1;
}

static const struct ws_reader_ops reader_ops = {on_message, on_control};

static void on_data(struct conn *c, char *data, size_t len)
{
    struct ws_conn *ws = ws_from_conn(c);
    const struct ws_reader_config config = {
        .deflate = ws->deflate,
        .window_bits = ws->window_bits,
        .peer_no_context = ws->client_no_context,
        .max_message =
            ws->ops->max_message ? ws->ops->max_message : NET_LIMIT(c->worker, message_size),
    };
    uint16_t code = 0;
    const char *why = NULL;
    ws->pinged = false;
    int result = ws_reader_feed(&ws->reader, &config, &reader_ops, ws, data, len, &code, &why);
    if (result < 0)
        fail(ws, code, why);
    if (ws->ops->batch_end)
        ws->ops->batch_end(ws);
    if (!ws->ops->limited || c->state != CONN_OPEN)
        return;
    refill(ws);
    if (ws->tokens < 0)
        throttle(ws);
    else if (ws->tokens > 0)
        ws->throttled_s = 0;
}

static void on_drained(struct conn *c)
{
    struct ws_conn *ws = ws_from_conn(c);
    if (ws->ops->drained)
        ws->ops->drained(ws);
}

/* A client that was not heard of since the last ping is gone, unless it still takes what waits
 * for it. */
static uint64_t send_ping(struct ws_conn *ws)
{
    if (ws->ops->ping)
        return ws->ops->ping(ws);
    if (!ws->conn.out || !ws->conn.blocked)
        ws_send_opcode(ws, WS_PING, slice_of("", 0));
    return NET_LIMIT(ws->conn.worker, ping_interval_ms);
}

static void keep_alive(struct ws_conn *ws)
{
    struct conn *c = &ws->conn;
    uint64_t interval = NET_LIMIT(c->worker, ping_interval_ms);
    if (ws->pinged && !conn_is_moving(c, interval)) {
        NET_STAT(c->worker, keepalive_closed, 1);
        conn_close(c, "no answer to ping");
        return;
    }
    ws->pinged = true;
    uint64_t wait = send_ping(ws);
    if (c->state == CONN_OPEN && !ws->close_sent)
        conn_timer(c, wait);
}

static void on_timer(struct conn *c)
{
    struct ws_conn *ws = ws_from_conn(c);
    if (ws->close_sent) {
        conn_finish(c, "no answer to close");
        return;
    }
    if (c->held)
        ws->pinged = false; /* it is we who do not listen */
    if (c->paused) {
        refill(ws);
        if (ws->ops->limited && ws->tokens < 0) {
            wait_for_debt(ws);
            return;
        }
        conn_timer(c, NET_LIMIT(c->worker, ping_interval_ms));
        conn_resume(c);
        return;
    }
    keep_alive(ws);
}

static void on_closed(struct conn *c)
{
    struct ws_conn *ws = ws_from_conn(c);
    ws_reader_fini(&ws->reader);
    if (ws->ops->closed)
        ws->ops->closed(ws);
}

static const struct conn_ops ws_conn_ops = {
    .name = "websocket",
    .data = on_data,
    .drained = on_drained,
    .timer = on_timer,
    .overflow = on_overflow,
    .closed = on_closed,
};
