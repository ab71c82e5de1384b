/*
 * POST /webhooks/github: pull requests and issues of repositories that are projects here.
 *
 * A body comes from anybody, so its signature is made while it comes, and only what may be
 * published is kept, within a limit for all such bodies together. What is known to be GitHub's goes
 * to the platform's thread: the delivery is noted and its events published in one transaction.
 */
#include "api/github_event.h"
#include "api/platform_request.h"
#include "api/project_store.h"
#include "api/report_store.h"
#include "api/webhook_signature.h"
#include "base/clock.h"
#include "base/memory.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"

#define BODY_MAX                (25u << 20) /* as much as GitHub sends */
#define KEPT_MAX                (4u << 20)  /* of what is published */
#define KEPT_ALL                (64u << 20) /* of all bodies that are coming */
#define DELIVERY_MAX            128
#define PROJECTS_PER_REPOSITORY 16

struct webhook {
    struct api *api;
    struct webhook_signature *signature;
    const struct github_event *kind; /* NULL: nothing is published */
    bool ping;
    uint64_t size; /* of the body so far */
    uint64_t held; /* counted in api->webhook_bytes */
    struct buf body, delivery;
};

/* ---- Publishing ---- */

/* The payload: the body, or its field `payload` (GitHub's default). */
static bool parse_payload(struct platform_request *q, struct json_value *payload)
{
    struct json_error why;
    if (q->body.len && q->body.data[0] != '{') {
        struct buf field = {0};
        http_query_get(buf_slice(&q->body), "payload", &field);
        buf_fini(&q->body);
        q->body = field;
    }
    if (json_parse(buf_slice(&q->body), payload, &why) == 0 && payload->kind == JSON_OBJECT)
        return true;
    platform_request_refuse(q, 400, "invalid_json", "", "the payload is no JSON object");
    return false;
}

static void answer_status(struct platform_request *q, const char *status, const char *reason)
{
    json_begin(&q->answer, NULL, '{');
    json_put_text(&q->answer, "status", status);
    if (reason)
        json_put_text(&q->answer, "reason", reason);
    json_end(&q->answer, '}');
    buf_append_char(&q->answer, '\n');
    q->status = 200;
}

/* One event for each project of the repository. The delivery's id is theirs, too: should this
 * process end between publishing and remembering, the hub still knows them. */
static void publish_all(struct platform_request *q, const char *type, struct json_value payload,
                        const struct buf *ids, unsigned count)
{
    const char *id = ids->data;
    json_begin(&q->answer, NULL, '{');
    json_put_text(&q->answer, "status", "published");
    json_put_text(&q->answer, "type", type);
    json_begin(&q->answer, "projects", '[');
    for (unsigned i = 0; i < count; i++, id += strlen(id) + 1) {
        struct buf data = {0}, event_id = {0};
        buf_printf(&event_id, "github:%s:%s", buf_text(&q->delivery), id);
        github_event_append(q->arg, payload, id, &data);
        platform_publish(q, type, "github", buf_slice(&data), buf_slice(&event_id));
        json_put_text(&q->answer, NULL, id);
        buf_fini(&data);
        buf_fini(&event_id);
    }
    json_end(&q->answer, ']');
    json_end(&q->answer, '}');
    buf_append_char(&q->answer, '\n');
    q->status = 200;
}

static void take(struct platform_request *q, struct platform_db *db, const char *type,
                 struct json_value payload, const struct buf *ids, unsigned count)
{
    int error = delivery_note(db, buf_slice(&q->delivery), clock_wall_ms());
    if (error == FAN_E_EXISTS)
        answer_status(q, "duplicate", "this delivery was published before");
    else if (error)
        platform_request_failed(q, db);
    else
        publish_all(q, type, payload, ids, count);
}

static void run_delivery(struct platform_request *q, struct platform_db *db)
{
    struct json_value payload;
    struct buf repository = {0}, ids = {0};
    unsigned count = 0;
    if (!parse_payload(q, &payload))
        return;
    const char *type = github_event_type(q->arg, payload);
    if (!type || github_event_repository(payload, &repository) != 0)
        platform_request_refuse(q, 422, "invalid_payload", type ? "repository" : "action",
                                "the payload is none of this event: it lacks %s",
                                type ? "repository.html_url" : "action or number");
    else if (platform_db_begin(db) != 0)
        platform_request_failed(q, db);
    else {
        if (project_find_repository(db, buf_slice(&repository), PROJECTS_PER_REPOSITORY, &ids,
                                    &count) != 0)
            platform_request_failed(q, db);
        else if (count == 0)
            answer_status(q, "ignored", "no project has this repository_url");
        else
            take(q, db, type, payload, &ids, count);
        platform_end(q, db);
    }
    buf_fini(&repository);
    buf_fini(&ids);
}

/* ---- Receiving ---- */

static void free_webhook(struct webhook *hook)
{
    atomic_fetch_sub(&hook->api->webhook_bytes, hook->held);
    webhook_signature_free(hook->signature);
    buf_fini(&hook->body);
    buf_fini(&hook->delivery);
    memory_free(hook);
}

static void on_abort(struct http_exchange *x)
{
    free_webhook(x->data);
    x->data = NULL;
}

/* Nothing more is taken: the exchange is answered next. */
static void end(struct http_exchange *x)
{
    x->abort = NULL;
    on_abort(x);
}

static bool keep(struct webhook *hook, struct slice piece)
{
    hook->held += piece.len;
    bool room = atomic_fetch_add(&hook->api->webhook_bytes, piece.len) + piece.len <= KEPT_ALL;
    buf_append_slice(&hook->body, piece);
    return room && !hook->body.failed;
}

static void on_piece(struct http_exchange *x, struct slice piece)
{
    struct webhook *hook = x->data;
    hook->size += piece.len;
    if (hook->size > (hook->kind ? KEPT_MAX : BODY_MAX)) {
        unsigned most = hook->kind ? KEPT_MAX : BODY_MAX;
        end(x);
        http_reply_error(x, 413, "too_large", "the payload is larger than %u bytes", most);
        return;
    }
    webhook_signature_add(hook->signature, piece);
    if (hook->kind && !keep(hook, piece)) {
        end(x);
        http_add_header(x, "Retry-After", "5");
        http_reply_error(x, 503, "overloaded", "too many webhooks come at once");
    }
}

static void hand_over(struct http_exchange *x, struct webhook *hook)
{
    struct api_request r = {.api = hook->api, .exchange = x};
    struct platform_request *q = platform_request_new(&r, run_delivery);
    q->arg = hook->kind;
    q->body = hook->body;
    q->delivery = hook->delivery;
    hook->body = hook->delivery = (struct buf){0};
    free_webhook(hook);
    platform_request_hand_over(q);
}

static void on_done(struct http_exchange *x)
{
    struct webhook *hook = x->data;
    bool ping = hook->ping;
    if (!webhook_signature_holds(hook->signature)) {
        end(x);
        http_reply_error(x, 401, "bad_signature",
                         "X-Hub-Signature-256 does not fit the body and the secret "
                         "(GITHUB_WEBHOOK_SECRET)");
        return;
    }
    if (hook->kind) {
        hand_over(x, hook);
        return;
    }
    end(x);
    if (ping)
        http_reply(x, 200, "application/json", SLICE("{\"status\":\"pong\"}\n"));
    else
        http_reply(x, 204, NULL, slice_of("", 0));
}

/* ---- The route ---- */

/* What the headers say; false: the request was answered. */
static bool read_headers(struct http_exchange *x, struct slice *event, struct slice *delivery)
{
    *event = http_header_get(x->request, "X-GitHub-Event");
    *delivery = http_header_get(x->request, "X-GitHub-Delivery");
    if (!event->len || !delivery->len || delivery->len > DELIVERY_MAX ||
        !http_identifier_valid(*delivery)) {
        http_reply_error(x, 400, "not_a_webhook",
                         "X-GitHub-Event and X-GitHub-Delivery (at most %d letters, digits and "
                         "dashes) are needed",
                         DELIVERY_MAX);
        return false;
    }
    return true;
}

void api_github(struct api_request *r)
{
    struct http_exchange *x = r->exchange;
    const char *secret = r->api->host.webhook_secret(r->api->host.arg);
    struct slice event, delivery;
    if (!*secret) {
        http_reply_error(x, 404, "not_found",
                         "webhooks are off: this server has no GITHUB_WEBHOOK_SECRET");
        return;
    }
    struct webhook_signature *signature =
        webhook_signature_new(http_header_get(x->request, "X-Hub-Signature-256"), secret);
    if (!signature) {
        http_reply_error(x, 401, "bad_signature",
                         "X-Hub-Signature-256 is missing or malformed: sha256= and 64 hexadecimal "
                         "digits are expected");
        return;
    }
    if (!read_headers(x, &event, &delivery)) {
        webhook_signature_free(signature);
        return;
    }
    struct webhook *hook = memory_zero(sizeof *hook);
    hook->api = r->api;
    hook->signature = signature;
    hook->kind = github_event_find(event);
    hook->ping = slice_is(event, "ping");
    buf_append_slice(&hook->delivery, delivery);
    x->data = hook;
    x->abort = on_abort;
    if (x->request->has_body) {
        x->piece = on_piece;
        x->done = on_done;
    } else {
        on_done(x);
    }
}
