/*
 * GET /api/v1/publish as a WebSocket: events, or arrays of them, in text messages. The fastest way
 * in: what came in one read goes to the hub together.
 */
#include <stdio.h>

#include "api/api.h"
#include "api/intake.h"
#include "api/publish_options.h"
#include "auth/authenticator.h"
#include "auth/permit.h"
#include "base/memory.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"
#include "net/conn_log.h"
#include "net/ws_conn.h"

/* Kept in conn.protocol. */
struct publisher {
    struct ws_conn *ws;
    struct intake intake;
    uint64_t before;        /* events when the last read had been handled */
    uint64_t held_until_ms; /* worker's clock: limits.publish lets it go on then */
    bool going;             /* the server goes: closed when all is answered */
};

static void answer(void *arg, struct slice line)
{
    struct publisher *p = arg;
    ws_send_answer(p->ws, line);
}

static struct publisher *publisher_of(struct ws_conn *ws)
{
    return ws->conn.protocol;
}

/* ---- Tokens ---- */

static void append_failure(struct buf *out, const char *code, const char *message)
{
    struct publish_failure failure = {.status = 401, .code = code};
    snprintf(failure.message, sizeof failure.message, "%s", message);
    publish_failure_append(out, &failure);
    buf_append_char(out, '}');
}

static bool on_expired(struct conn *c)
{
    struct buf out = {0};
    append_failure(&out, token_problem_code(TOKEN_EXPIRED),
                   "the token has expired: send {\"type\":\"refresh_token\",\"token\":…}");
    answer(publisher_of(ws_from_conn(c)), buf_slice(&out));
    buf_fini(&out);
    return true;
}

static void on_end(struct conn *c)
{
    ws_close(ws_from_conn(c), WS_CLOSE_TOKEN_EXPIRED, "token expired");
}

static const struct login_ops publisher_login = {.expired = on_expired, .end = on_end};

static void answer_refused(struct publisher *p, const struct token_refusal *refusal)
{
    struct buf out = {0};
    append_failure(&out, token_problem_code(refusal->problem), refusal->detail);
    intake_add_line(&p->intake, buf_slice(&out));
    buf_fini(&out);
}

static void answer_renewed(struct publisher *p, const struct identity *who)
{
    struct buf out = {0};
    json_begin(&out, NULL, '{');
    json_put_text(&out, "type", "token_refreshed");
    json_put_time(&out, "expires", who->expires_ms);
    json_end(&out, '}');
    intake_add_line(&p->intake, buf_slice(&out));
    buf_fini(&out);
}

static void renew(struct publisher *p, struct slice token)
{
    struct token_refusal refusal;
    struct conn *c = &p->ws->conn;
    struct identity *who = authenticator_renew(p->intake.who, token, &refusal);
    if (!who) {
        answer_refused(p, &refusal);
        return;
    }
    if (login_renew(c, &who->principal, &publisher_login) == 0) {
        p->intake.who = who; /* held by the login */
        answer_renewed(p, who);
    } else {
        conn_close(c, "out of memory");
    }
    identity_unref(who);
}

/* Whether the message brings a fresh token, which is no event: an event has a topic. Only looked
 * for where a token can expire. */
static bool take_token(struct publisher *p, struct slice text)
{
    struct json_value message, type, token;
    struct slice content = slice_of("", 0);
    if (!p->intake.who->principal.until_ms || text.len > 2 * TOKEN_MAX ||
        !memmem(text.ptr, text.len, "refresh_token", 13) || json_parse(text, &message, NULL) != 0 ||
        message.kind != JSON_OBJECT || !json_find(message, SLICE("type"), &type) ||
        !json_string_is(type, "refresh_token"))
        return false;
    if (json_find(message, SLICE("token"), &token))
        json_string_plain(token, &content);
    renew(p, content);
    return true;
}

/* ---- Events ---- */

static void on_message(struct ws_conn *ws, struct slice text, bool binary)
{
    struct publisher *p = publisher_of(ws);
    (void)binary;
    if (!take_token(p, text))
        intake_add_message(&p->intake, text);
}

/* Publishers that do not read their answers are not read either. */
#define ANSWERS_HIGH (1u << 20)

static void look_at_answers(struct publisher *p)
{
    if (conn_waiting(&p->ws->conn) > ANSWERS_HIGH)
        conn_pause(&p->ws->conn);
}

static void hold_back(struct publisher *p, uint64_t before)
{
    struct ws_conn *ws = p->ws;
    uint64_t wait_ms = api_publish_quota(p->intake.api, p->intake.who, p->intake.line - before);
    look_at_answers(p);
    if (wait_ms) {
        p->held_until_ms = ws->conn.worker->now_ms + wait_ms;
        conn_pause(&ws->conn);
        conn_timer(&ws->conn, wait_ms);
    }
}

/* What has been answered since the last one. */
static void give_sum(struct publisher *p)
{
    struct buf sum = {0};
    if (p->intake.ack != ACK_BATCH || p->intake.published + p->intake.failed == 0)
        return;
    intake_append_sum(&p->intake, &sum);
    answer(p, buf_slice(&sum));
    buf_fini(&sum);
}

static void on_batch_end(struct ws_conn *ws)
{
    struct publisher *p = publisher_of(ws);
    uint64_t before = p->before;
    if (intake_flush(&p->intake))
        give_sum(p);
    p->before = p->intake.line;
    hold_back(p, before);
}

static void go(struct publisher *p)
{
    if (intake_is_idle(&p->intake))
        ws_close(p->ws, WS_CLOSE_GOING_AWAY, "server stops");
}

static void on_settled(void *arg)
{
    struct publisher *p = arg;
    give_sum(p);
    look_at_answers(p);
    if (p->going)
        go(p);
}

static const struct intake_ops publisher_intake = {answer, on_settled};

/* What it is owed is answered first. */
static void on_shutdown(struct ws_conn *ws)
{
    struct publisher *p = publisher_of(ws);
    p->going = true;
    conn_pause(&ws->conn);
    go(p);
}

static void on_drained(struct ws_conn *ws)
{
    /* That answers were read does not end a wait for the quota; its timer does. */
    const struct publisher *p = publisher_of(ws);
    if (ws->conn.paused && !p->going && ws->conn.worker->now_ms >= p->held_until_ms)
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
    .shutdown = on_shutdown,
    .closed = on_closed,
};

void api_publish_socket(struct api_request *r)
{
    struct http_exchange *x = r->exchange;
    struct ws_conn *ws = ws_from_conn(x->conn);
    struct publish_options wanted = {.ack = ACK_EACH};
    if (!permit_publish_somewhere(x) || !publish_options_read(x, &wanted))
        return;
    struct publisher *p = memory_try_alloc(sizeof *p);
    if (!p) {
        http_reply_error(x, 503, "out_of_memory", "not enough memory");
        return;
    }
    *p = (struct publisher){.ws = ws};
    intake_init(&p->intake, r->api, x->conn, permit_identity(x), wanted.ack, &publisher_intake, p);
    p->intake.early = wanted.early;
    p->intake.lines = true;
    p->intake.sum_topics = wanted.ack == ACK_BATCH;
    const struct ws_accept_options options = {
        .ops = &publisher_ops,
        .state = p,
    };
    x->lasting = true;
    if (ws_accept(x, &options)) {
        if (login_begin(x->conn, x->principal, &publisher_login) != 0)
            conn_close(x->conn, "out of memory");
        conn_log(x->conn, "connect", "publish", LOG_SLICE("path", x->request->path));
    } else {
        intake_fini(&p->intake);
        memory_free(p);
    }
}
