/* Requests about the agent platform's records; see platform_request.h. */
#include "api/platform_request.h"

#include <stdio.h>

#include "auth/permit.h"
#include "base/memory.h"
#include "base/random.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"

#define BODY_MAX   (256u << 10)
#define PAGE_LIMIT 100
#define PAGE_MAX   1000

/* ---- Its life ---- */

static void free_request(struct platform_request *q)
{
    identity_unref(q->who);
    buf_fini(&q->body);
    buf_fini(&q->delivery);
    buf_fini(&q->condition);
    buf_fini(&q->answer);
    buf_fini(&q->headers);
    memory_free(q);
}

static void on_abort(struct http_exchange *x)
{
    struct platform_request *q = x->data;
    x->data = NULL;
    q->exchange = NULL;
    if (!q->handed_over)
        free_request(q);
}

static struct http_exchange *detach(struct platform_request *q)
{
    struct http_exchange *x = q->exchange;
    if (x) {
        x->data = NULL;
        x->abort = NULL;
    }
    return x;
}

static void keep_condition(struct platform_request *q, const struct http_request *r)
{
    struct slice match = http_header_get(r, "If-Match");
    if (r->method == HTTP_GET || r->method == HTTP_HEAD)
        match = http_header_get(r, "If-None-Match");
    buf_append_slice(&q->condition, match);
}

struct platform_request *platform_request_new(struct api_request *r, platform_run *run)
{
    struct platform_request *q = memory_zero(sizeof *q);
    struct http_exchange *x = r->exchange;
    struct identity *who = permit_identity(x);
    q->api = r->api;
    q->worker = x->conn->worker;
    q->exchange = x;
    q->run = run;
    q->who = who ? identity_ref(who) : NULL;
    keep_condition(q, x->request);
    x->data = q;
    x->abort = on_abort;
    return q;
}

/* ---- Answering ---- */

static void reply_failure(const struct platform_request *q, struct http_exchange *x)
{
    struct buf out = {0};
    if (q->failure.status == 503)
        http_add_header(x, "Retry-After", "1");
    if (q->failure.status == 401)
        http_add_header(x, "WWW-Authenticate", "Bearer realm=\"fanfare\"");
    publish_failure_append(&out, &q->failure);
    BUF_LITERAL(&out, "}\n");
    http_reply_json(x, q->failure.status, &out);
}

/* The exchange is over with the answer, and the next one may begin in it. */
static void answer(struct worker *w, void *arg)
{
    struct platform_request *q = arg;
    struct http_exchange *x = detach(q);
    (void)w;
    if (x && q->failure.status) {
        reply_failure(q, x);
    } else if (x) {
        buf_append_slice(&x->headers, buf_slice(&q->headers));
        if (q->answer.len)
            http_reply_json(x, q->status, &q->answer);
        else
            http_reply(x, q->status, NULL, slice_of("", 0));
    }
    free_request(q);
}

static void run_request(struct platform_job *job, struct platform_db *db, const char *problem)
{
    struct platform_request *q = (struct platform_request *)job; /* its first member */
    if (db)
        q->run(q, db);
    else
        platform_request_refuse(q, 503, "store_unavailable", "",
                                "the server's records cannot be opened: %s", problem);
    worker_post(q->worker, answer, q);
}

void platform_request_refuse(struct platform_request *q, int status, const char *code,
                             const char *field, const char *format, ...)
{
    struct publish_failure *f = &q->failure;
    va_list args;
    if (f->status)
        return;
    f->status = status;
    f->code = code;
    snprintf(f->field, sizeof f->field, "%s", field);
    va_start(args, format);
    vsnprintf(f->message, sizeof f->message, format, args);
    va_end(args);
}

void platform_request_failed(struct platform_request *q, struct platform_db *db)
{
    platform_request_refuse(q, 503, "store_unavailable", "", "the server's records failed: %s",
                            platform_db_problem(db));
}

/* ---- Starting ---- */

void platform_request_hand_over(struct platform_request *q)
{
    q->job.run = run_request;
    q->handed_over = true;
    int error = platform_submit(q->api->platform, &q->job);
    if (!error)
        return;
    q->handed_over = false;
    struct http_exchange *x = detach(q);
    http_add_header(x, "Retry-After", "1");
    http_reply_error(x, 503, "overloaded", "%s",
                     error == FAN_E_LIMIT ? "too many requests wait for the server's records"
                                          : fan_error_text(error));
    free_request(q);
}

static void on_body(struct http_exchange *x)
{
    struct platform_request *q = x->data;
    q->body = x->body;
    x->body = (struct buf){0};
    platform_request_hand_over(q);
}

void platform_request_start(struct platform_request *q)
{
    struct http_exchange *x = q->exchange;
    if (x->request->has_body) {
        x->body_limit = BODY_MAX;
        x->done = on_body;
    } else {
        platform_request_hand_over(q);
    }
}

/* ---- Publishing ---- */

static int status_of(int error)
{
    switch (error) {
    case FAN_E_INVALID:
    case FAN_E_PARSE:
    case FAN_E_EXISTS:
        return 422;
    case FAN_E_TOO_LARGE:
        return 413;
    default:
        return 503;
    }
}

bool platform_publish(struct platform_request *q, const char *type, const char *source,
                      struct slice data, struct slice id)
{
    const struct api_event event = {
        .type = slice_from(type), .source = slice_from(source), .data = data, .id = id};
    struct buf why = {0};
    int error = q->api->host.publish(q->api->host.arg, &event, &why);
    if (error) {
        int status = status_of(error);
        platform_request_refuse(q, status, status == 503 ? "not_published" : "invalid_event", "",
                                "%s could not be published, and nothing was changed: %s", type,
                                buf_text(&why));
    }
    buf_fini(&why);
    return !error;
}

static bool may(struct platform_request *q, struct access_decision decision, const char *what,
                struct slice topic)
{
    if (decision.allowed)
        return true;
    struct buf why = {0};
    bool nobody = !q->who || q->who->anonymous;
    permit_explain(&why, q->who, &decision, what, topic);
    platform_request_refuse(q, nobody ? 401 : 403,
                            nobody ? token_problem_code(TOKEN_MISSING) : "forbidden", "", "%s",
                            buf_text(&why));
    buf_fini(&why);
    return false;
}

bool platform_may_publish(struct platform_request *q, struct slice topic)
{
    return may(q, identity_may_publish(q->who, topic), "publish to", topic);
}

bool platform_may_read(struct platform_request *q, struct slice topic)
{
    return may(q, identity_may_read(q->who, topic), "read", topic);
}

void platform_end(struct platform_request *q, struct platform_db *db)
{
    if (q->failure.status)
        platform_db_rollback(db);
    else if (platform_db_commit(db) != 0)
        platform_request_failed(q, db);
}

/* ---- Ids and pages ---- */

void platform_request_begin_list(struct platform_request *q, const char *name)
{
    json_begin(&q->answer, NULL, '{');
    json_begin(&q->answer, name, '[');
}

void platform_request_end_list(struct platform_request *q, bool more, int64_t last)
{
    json_end(&q->answer, ']');
    if (more)
        json_put_u64(&q->answer, "next", (uint64_t)last);
    else
        json_put_text(&q->answer, "next", NULL);
    json_end(&q->answer, '}');
    buf_append_char(&q->answer, '\n');
    q->status = 200;
}

bool platform_parse_id(struct slice text, char id[UUID_SIZE])
{
    if (text.len != UUID_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = text.ptr[i];
        if (c >= 'A' && c <= 'F')
            c = (char)(c | 0x20);
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (dash ? c != '-' : !hex)
            return false;
        id[i] = c;
    }
    id[UUID_SIZE - 1] = '\0';
    return true;
}

void platform_make_id(char id[UUID_SIZE])
{
    unsigned char b[16];
    random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    snprintf(id, UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

bool platform_read_id(struct api_request *r, const char *field, char id[UUID_SIZE])
{
    struct slice text = r->values[0];
    struct publish_failure failure = {.status = 422, .code = "invalid_id"};
    struct buf out = {0};
    if (platform_parse_id(text, id))
        return true;
    snprintf(failure.field, sizeof failure.field, "%s", field);
    snprintf(failure.message, sizeof failure.message, "%s must be a UUID, got \"%.*s\"", field,
             text.len > 60 ? 60 : (int)text.len, text.ptr);
    publish_failure_append(&out, &failure);
    BUF_LITERAL(&out, "}\n");
    http_reply_json(r->exchange, 422, &out);
    return false;
}

bool platform_read_page(struct api_request *r, struct platform_page *page)
{
    *page = (struct platform_page){.limit = PAGE_LIMIT};
    return api_query_number(r, "limit", 1, PAGE_MAX, &page->limit) &&
           api_query_number(r, "after", 0, 999999999999999, &page->after);
}
