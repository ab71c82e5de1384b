/*
 * Web IDE sessions over HTTP: who is connected, and the calls that need services which are not
 * part of this server.
 */
#include "api/api.h"
#include "auth/permit.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"

struct connections {
    const struct identity *who; /* who asks */
    struct buf sessions;        /* elements of a JSON array */
    unsigned dialect;
    uint64_t total, count;
};

static bool add_session(void *arg, const struct topic_info *info)
{
    struct connections *all = arg;
    uint32_t here = info->kind == TOPIC_SESSION ? info->subscribers_of[all->dialect] : 0;
    if (!here || !identity_may_read(all->who, info->name).allowed)
        return true;
    json_put_slice(&all->sessions, NULL, slice_skip(info->name, strlen("session:")));
    all->total += here;
    all->count++;
    return !all->sessions.failed;
}

void api_ide_status(struct api_request *r)
{
    struct connections all = {.who = permit_identity(r->exchange), .dialect = r->api->ide_dialect};
    struct buf out = {0};
    json_begin(&all.sessions, NULL, '[');
    hub_each_topic(r->api->hub, add_session, &all);
    json_end(&all.sessions, ']');
    json_begin(&out, NULL, '{');
    json_put_u64(&out, "total_connections", all.total);
    json_put_raw(&out, "active_sessions", buf_slice(&all.sessions));
    json_put_u64(&out, "session_count", all.count);
    BUF_LITERAL(&out, "}\n");
    out.failed |= all.sessions.failed;
    buf_fini(&all.sessions);
    http_reply_json(r->exchange, 200, &out);
}

static void count_here(void *arg, const struct topic_info *info)
{
    struct connections *all = arg;
    all->total = info->subscribers_of[all->dialect];
}

void api_ide_connections(struct api_request *r)
{
    struct connections all = {.dialect = r->api->ide_dialect};
    struct buf topic = {0}, out = {0};
    if (!http_identifier_valid(r->values[0])) {
        http_reply_error(r->exchange, 400, "invalid_session",
                         "a session id is 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -");
        return;
    }
    topic_name_append(&topic, (struct topic_name){TOPIC_SESSION, r->values[0]});
    bool may = permit_read(r->exchange, buf_slice(&topic));
    if (may)
        hub_topic_info(r->api->hub, buf_slice(&topic), count_here, &all);
    buf_fini(&topic);
    if (!may)
        return;
    json_begin(&out, NULL, '{');
    json_put_slice(&out, "session_id", r->values[0]);
    json_put_u64(&out, "connection_count", all.total);
    json_put_bool(&out, "is_active", all.total > 0);
    BUF_LITERAL(&out, "}\n");
    http_reply_json(r->exchange, 200, &out);
}

void api_no_sandbox(struct api_request *r)
{
    if (!permit_execute(r->exchange))
        return;
    http_reply_error(
        r->exchange, 501, "sandbox_unavailable",
        "this server does not run code: it has no sandbox, and code never runs outside "
        "one. Publish execution_start, execution_output and execution_complete from a "
        "runner of your own");
}

void api_no_model(struct api_request *r)
{
    if (!permit_ai(r->exchange))
        return;
    http_reply_error(r->exchange, 501, "not_configured",
                     "this server has no model to ask. Publish ai_chunk and ai_response from a "
                     "service of your own");
}
