/*
 * GET /api/v1/publish as a WebSocket: events, or arrays of them, in text messages. The fastest way
 * in: what came in one read goes to the hub together.
 */
#include "api/api.h"
#include "api/intake.h"
#include "base/memory.h"
#include "fanfare/error.h"
#include "net/conn_log.h"
#include "net/ws_conn.h"

/* Kept in conn.protocol. */
struct publisher {
    struct ws_conn *ws;
    struct intake intake;
    uint64_t before;        /* events when the last read had been handled */
    uint64_t held_until_ms; /* worker's clock: limits.publish lets it go on then */
};

static void answer(void *arg, struct slice line)
{
    struct publisher *p = arg;
    ws_send_answer(p->ws, line);
}

static const struct intake_ops publisher_intake = {answer};

static struct publisher *publisher_of(struct ws_conn *ws)
{
    return ws->conn.protocol;
}

static void on_message(struct ws_conn *ws, struct slice text, bool binary)
{
    (void)binary;
    intake_add_message(&publisher_of(ws)->intake, text);
}

/* Publishers that do not read their answers are not read either. */
#define ANSWERS_HIGH (1u << 20)

static void hold_back(struct publisher *p, uint64_t before)
{
    struct ws_conn *ws = p->ws;
    uint64_t wait_ms = api_publish_quota(p->intake.api, p->intake.line - before);
    if (conn_waiting(&ws->conn) > ANSWERS_HIGH)
        conn_pause(&ws->conn);
    if (wait_ms) {
        p->held_until_ms = ws->conn.worker->now_ms + wait_ms;
        conn_pause(&ws->conn);
        conn_timer(&ws->conn, wait_ms);
    }
}

static void on_batch_end(struct ws_conn *ws)
{
    struct publisher *p = publisher_of(ws);
    uint64_t before = p->before;
    intake_flush(&p->intake);
    if (p->intake.ack == ACK_BATCH && p->intake.line != before) {
        struct buf sum = {0};
        intake_append_sum(&p->intake, &sum);
        answer(p, buf_slice(&sum));
        buf_fini(&sum);
    }
    p->before = p->intake.line;
    hold_back(p, before);
}

static void on_drained(struct ws_conn *ws)
{
    /* That answers were read does not end a wait for the quota; its timer does. */
    if (ws->conn.paused && ws->conn.worker->now_ms >= publisher_of(ws)->held_until_ms)
        conn_resume(&ws->conn);
}

static void on_rate_limited(struct ws_conn *ws)
{
    (void)ws; /* publishers have a limit of their own */
}

static void on_closed(struct ws_conn *ws)
{
    struct publisher *p = publisher_of(ws);
    if (!p)
        return;
    conn_log(&ws->conn, "close", "publish",
             LOG_TEXT("reason", ws->conn.close_reason ? ws->conn.close_reason : "closed"));
    intake_fini(&p->intake);
    memory_free(p);
    ws->conn.protocol = NULL;
}

static const struct ws_ops publisher_ops = {
    .message = on_message,
    .batch_end = on_batch_end,
    .rate_limited = on_rate_limited,
    .drained = on_drained,
    .closed = on_closed,
};

void api_publish_socket(struct api_request *r)
{
    struct http_exchange *x = r->exchange;
    struct ws_conn *ws = ws_from_conn(x->conn);
    struct buf value = {0};
    enum ack_mode ack = ACK_EACH;
    int error = http_query_get(x->request->query, "ack", &value);
    bool known = error == FAN_E_NOT_FOUND || ack_mode_parse(buf_slice(&value), &ack);
    buf_fini(&value);
    if (!known) {
        http_reply_error(x, 400, "invalid_parameter",
                         "ack must be \"each\", \"batch\" or \"none\"");
        return;
    }
    struct publisher *p = memory_try_alloc(sizeof *p);
    if (!p) {
        http_reply_error(x, 503, "out_of_memory", "not enough memory");
        return;
    }
    *p = (struct publisher){.ws = ws};
    intake_init(&p->intake, r->api, ack, &publisher_intake, p);
    p->intake.lines = true;
    p->intake.sum_topics = ack == ACK_BATCH;
    const struct ws_accept_options options = {
        .ops = &publisher_ops,
        .protocol = http_header_has_token(x->request, "Sec-WebSocket-Protocol", "fanfare")
                        ? "fanfare"
                        : NULL,
        .state = p,
    };
    x->lasting = true;
    if (ws_accept(x, &options)) {
        conn_log(x->conn, "connect", "publish", LOG_SLICE("path", x->request->path));
    } else {
        intake_fini(&p->intake);
        memory_free(p);
    }
}
