/*
 * Connections at the endpoints of an embedding program: the fan_websocket_ functions, and what
 * ws_conn.h calls.
 *
 * The connection itself belongs to its worker. Calls from other threads become tasks of that
 * worker; a lock, held for a few instructions, says whether it still takes them. It is closed under
 * that lock, on the worker, so that no task is posted to a worker that may be gone.
 *
 * What waits is bounded: bytes on their way to the worker and those that the socket did not take
 * together. A sender that comes too early is refused and called back when all of it has gone.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/memory.h"
#include "codec/utf8.h"
#include "dialect/client.h"
#include "fanfare/error.h"
#include "net/conn_log.h"
#include "net/login.h"
#include "net/worker.h"
#include "server/endpoint.h"

#define MESSAGE_MAX      (1u << 30)
#define CLOSE_REASON_MAX 123

struct fan_websocket {
    atomic_uint refs;
    struct worker *worker; /* valid until `closed` */
    const struct endpoint *endpoint;
    void *context;
    const char *path, *query, *protocol, *address, *user; /* in text */

    pthread_mutex_t lock;
    bool closed;
    bool refused;   /* a send was, and `drained` is owed */
    size_t posted;  /* bytes on their way to the worker */
    size_t waiting; /* bytes that the socket has not taken */

    /* The worker's. */
    struct ws_conn *conn; /* NULL: gone */
    bool held;            /* not read from until it has drained */
    uint16_t close_code;
    char close_reason[CLOSE_REASON_MAX + 1];

    char text[];
};

/* A message, or the wish to close, on its way to the worker. */
struct order {
    struct fan_websocket *ws; /* referenced */
    uint16_t close_code;      /* 0: a message */
    enum ws_opcode opcode;
    size_t size;
    char data[];
};

static struct fan_websocket *websocket_of(struct ws_conn *conn)
{
    return conn->conn.protocol;
}

/* ---- Life ---- */

static const char *put_text(char **at, struct slice text)
{
    char *begin = *at;
    memcpy(begin, text.ptr ? text.ptr : "", text.len);
    begin[text.len] = '\0';
    *at += text.len + 1;
    return begin;
}

struct fan_websocket *websocket_new(struct http_exchange *x, const struct endpoint *e,
                                    struct slice path, const char *protocol)
{
    struct slice query = x->request->query;
    struct slice selected = slice_from(protocol ? protocol : "");
    struct slice address = slice_from(x->conn->peer->text);
    struct slice user = slice_from(x->principal ? x->principal->name : "anonymous");
    size_t size = path.len + query.len + selected.len + address.len + user.len + 5;
    struct fan_websocket *ws = memory_try_alloc(sizeof *ws + size);
    if (!ws)
        return NULL;
    memset(ws, 0, sizeof *ws);
    char *at = ws->text;
    atomic_init(&ws->refs, 1);
    ws->worker = x->conn->worker;
    ws->endpoint = e;
    ws->conn = ws_from_conn(x->conn);
    ws->close_code = WS_CLOSE_ABNORMAL;
    ws->path = put_text(&at, path);
    ws->query = put_text(&at, query);
    ws->protocol = put_text(&at, selected);
    ws->address = put_text(&at, address);
    ws->user = put_text(&at, user);
    pthread_mutex_init(&ws->lock, NULL);
    return ws;
}

struct fan_websocket *fan_websocket_ref(struct fan_websocket *ws)
{
    atomic_fetch_add_explicit(&ws->refs, 1, memory_order_relaxed);
    return ws;
}

void fan_websocket_unref(struct fan_websocket *ws)
{
    if (!ws || atomic_fetch_sub_explicit(&ws->refs, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&ws->lock);
    memory_free(ws);
}

/* The messages are the program's: none of ours can ask for a fresh token. */
static bool on_expired(struct conn *conn)
{
    (void)conn;
    return false;
}

static void on_end(struct conn *conn)
{
    ws_close(ws_from_conn(conn), WS_CLOSE_TOKEN_EXPIRED, "token expired");
}

static const struct login_ops websocket_login = {.expired = on_expired, .end = on_end};

void websocket_open(struct fan_websocket *ws, struct principal *principal)
{
    if (login_begin(&ws->conn->conn, principal, &websocket_login) != 0)
        conn_close(&ws->conn->conn, "out of memory");
    conn_log(&ws->conn->conn, "connect", "endpoint", LOG_TEXT("path", ws->path));
    if (ws->endpoint->handler.open)
        ws->endpoint->handler.open(ws->endpoint->arg, ws);
}

/* ---- Sending, on the worker ---- */

static size_t queue_limit(const struct fan_websocket *ws)
{
    return (size_t)NET_LIMIT(ws->worker, queue);
}

static int send_now(struct fan_websocket *ws, enum ws_opcode opcode, struct slice payload)
{
    int error = ws_send_message(ws->conn, opcode, payload);
    pthread_mutex_lock(&ws->lock);
    ws->waiting = conn_waiting(&ws->conn->conn);
    pthread_mutex_unlock(&ws->lock);
    return error;
}

static int send_here(struct fan_websocket *ws, enum ws_opcode opcode, struct slice payload)
{
    if (!ws->conn || ws->conn->close_sent)
        return FAN_E_CLOSED;
    if (conn_waiting(&ws->conn->conn) < queue_limit(ws))
        return send_now(ws, opcode, payload);
    pthread_mutex_lock(&ws->lock);
    ws->refused = true;
    pthread_mutex_unlock(&ws->lock);
    return FAN_E_AGAIN;
}

static void close_here(struct fan_websocket *ws, uint16_t code, struct slice reason)
{
    ws_close_text(ws->conn, code, "closed by the program", reason);
}

static void carry_out(struct worker *w, void *arg)
{
    struct order *o = arg;
    struct fan_websocket *ws = o->ws;
    (void)w;
    pthread_mutex_lock(&ws->lock);
    ws->posted -= o->size;
    pthread_mutex_unlock(&ws->lock);
    if (ws->conn && o->close_code)
        close_here(ws, o->close_code, slice_of(o->data, o->size));
    else if (ws->conn)
        send_now(ws, o->opcode, slice_of(o->data, o->size));
    fan_websocket_unref(ws);
    memory_free(o);
}

/* ---- Sending, from anywhere ---- */

/* Takes the order over. Only messages are bounded: closing always finds its way. */
static int post(struct fan_websocket *ws, struct order *o)
{
    int error = 0;
    pthread_mutex_lock(&ws->lock);
    if (ws->closed) {
        error = FAN_E_CLOSED;
    } else if (!o->close_code && ws->posted + ws->waiting >= queue_limit(ws)) {
        ws->refused = true;
        error = FAN_E_AGAIN;
    } else {
        ws->posted += o->size;
        o->ws = fan_websocket_ref(ws);
        worker_post(ws->worker, carry_out, o);
    }
    pthread_mutex_unlock(&ws->lock);
    if (error)
        memory_free(o);
    return error;
}

static struct order *order_try_new(struct slice data)
{
    struct order *o = memory_try_alloc(sizeof *o + data.len);
    if (!o)
        return NULL;
    *o = (struct order){.size = data.len};
    if (data.len)
        memcpy(o->data, data.ptr, data.len);
    return o;
}

int fan_websocket_send(struct fan_websocket *ws, enum fan_websocket_kind kind, const void *data,
                       size_t size)
{
    enum ws_opcode opcode = kind == FAN_WEBSOCKET_BINARY ? WS_BINARY : WS_TEXT;
    struct slice payload = slice_of(data, size);
    if (size > MESSAGE_MAX)
        return FAN_E_TOO_LARGE;
    if (opcode == WS_TEXT && !utf8_valid(payload))
        return FAN_E_INVALID;
    if (worker_is_current(ws->worker))
        return send_here(ws, opcode, payload);
    struct order *o = order_try_new(payload);
    if (!o)
        return FAN_E_NO_MEMORY;
    o->opcode = opcode;
    return post(ws, o);
}

/* RFC 6455, 7.4.2, and what IANA registered since. */
static bool may_be_sent(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

int fan_websocket_close(struct fan_websocket *ws, int code, const char *reason)
{
    struct slice text = slice_from(reason ? reason : "");
    if (!may_be_sent(code) || !utf8_valid(text))
        return FAN_E_INVALID;
    if (worker_is_current(ws->worker)) {
        if (!ws->conn || ws->conn->close_sent)
            return FAN_E_CLOSED;
        close_here(ws, (uint16_t)code, text);
        return 0;
    }
    struct order *o = order_try_new(text);
    if (!o)
        return FAN_E_NO_MEMORY;
    o->close_code = (uint16_t)code;
    return post(ws, o);
}

/* ---- What the connection calls ---- */

static void on_message(struct ws_conn *conn, struct slice payload, bool binary)
{
    struct fan_websocket *ws = websocket_of(conn);
    const struct endpoint *e = ws->endpoint;
    if (e->handler.message)
        e->handler.message(e->arg, ws, binary ? FAN_WEBSOCKET_BINARY : FAN_WEBSOCKET_TEXT,
                           payload.ptr, payload.len);
}

/* A client that does not take its answers is not asked for more questions. */
static void on_batch_end(struct ws_conn *conn)
{
    struct fan_websocket *ws = websocket_of(conn);
    if (conn_waiting(&conn->conn) < queue_limit(ws) / 2 || conn->conn.state != CONN_OPEN)
        return;
    ws->held = true;
    conn_pause(&conn->conn);
}

static void on_drained(struct ws_conn *conn)
{
    struct fan_websocket *ws = websocket_of(conn);
    const struct endpoint *e = ws->endpoint;
    pthread_mutex_lock(&ws->lock);
    bool owed = ws->refused;
    ws->refused = false;
    ws->waiting = 0;
    pthread_mutex_unlock(&ws->lock);
    if (ws->held) {
        ws->held = false;
        if (conn->tokens >= 0) /* else limits.messages holds it, which lets go by itself */
            conn_resume(&conn->conn);
    }
    if (owed && e->handler.drained)
        e->handler.drained(e->arg, ws);
}

static void on_close_frame(struct ws_conn *conn, uint16_t code, struct slice reason)
{
    struct fan_websocket *ws = websocket_of(conn);
    size_t len = reason.len < CLOSE_REASON_MAX ? reason.len : CLOSE_REASON_MAX;
    ws->close_code = code;
    if (len)
        memcpy(ws->close_reason, reason.ptr, len);
}

static void on_closed(struct ws_conn *conn)
{
    struct fan_websocket *ws = websocket_of(conn);
    const struct endpoint *e = ws->endpoint;
    const char *reason = conn->conn.close_reason ? conn->conn.close_reason : "closed";
    conn_log(&conn->conn, "close", "endpoint", LOG_TEXT("reason", reason));
    pthread_mutex_lock(&ws->lock);
    ws->closed = true;
    pthread_mutex_unlock(&ws->lock);
    ws->conn = NULL;
    if (e->handler.close)
        e->handler.close(e->arg, ws, ws->close_code,
                         ws->close_code == WS_CLOSE_ABNORMAL ? reason : ws->close_reason);
    fan_websocket_unref(ws);
}

/* There is no message for it in a protocol that is the program's: the client is read slower. */
static void on_rate_limited(struct ws_conn *conn)
{
    const struct fan_websocket *ws = websocket_of(conn);
    log_warn("websocket", "more than limits.messages a second for 30 s",
             LOG_TEXT("address", ws->address), LOG_TEXT("path", ws->path));
}

const struct ws_ops websocket_ops = {
    .message = on_message,
    .batch_end = on_batch_end,
    .rate_limited = on_rate_limited,
    .drained = on_drained,
    .closed = on_closed,
    .close_frame = on_close_frame,
    .limited = true,
};

/* ---- Questions ---- */

const char *fan_websocket_path(const struct fan_websocket *ws)
{
    return ws->path;
}

const char *fan_websocket_query(const struct fan_websocket *ws)
{
    return ws->query;
}

const char *fan_websocket_protocol(const struct fan_websocket *ws)
{
    return ws->protocol;
}

const char *fan_websocket_address(const struct fan_websocket *ws)
{
    return ws->address;
}

const char *fan_websocket_user(const struct fan_websocket *ws)
{
    return ws->user;
}

void fan_websocket_set_context(struct fan_websocket *ws, void *context)
{
    ws->context = context;
}

void *fan_websocket_context(const struct fan_websocket *ws)
{
    return ws->context;
}
