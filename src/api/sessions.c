/* Build sessions: the list and one session's state. */
#include "api/api.h"
#include "codec/json.h"
#include "fanfare/error.h"
#include "hub/session_state.h"

static bool append_session(void *arg, const struct topic_info *info)
{
    struct buf *out = arg;
    if (info->kind != TOPIC_SESSION)
        return true;
    struct slice id = slice_skip(info->name, strlen("session:"));
    if (out->data[out->len - 1] == '}')
        buf_append_char(out, ',');
    BUF_LITERAL(out, "{\"session_id\":");
    json_append_string(out, id);
    buf_printf(out, ",\"offset\":%llu,\"connections\":%u", (unsigned long long)info->offset,
               info->subscribers);
    session_state_append_summary(info->state, out);
    buf_append_char(out, '}');
    return !out->failed;
}

void api_sessions(struct api_request *r)
{
    struct buf out = {0};
    BUF_LITERAL(&out, "{\"sessions\":[");
    hub_each_topic(r->api->hub, append_session, &out);
    BUF_LITERAL(&out, "]}\n");
    http_reply_json(r->exchange, 200, &out);
}

void api_status(struct api_request *r)
{
    struct buf topic = {0}, out = {0};
    uint64_t offset;
    if (!http_identifier_valid(r->values[0])) {
        http_reply_error(r->exchange, 400, "invalid_session",
                         "a session id is 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -");
        return;
    }
    buf_printf(&topic, "session:%.*s", SLICE_ARG(r->values[0]));
    int error = hub_state_json(r->api->hub, buf_slice(&topic), 0, NULL, &offset, &out);
    buf_fini(&topic);
    if (error) {
        buf_fini(&out);
        http_reply_error(r->exchange, 404, "not_found", "there is no session \"%.*s\"",
                         SLICE_ARG(r->values[0]));
        return;
    }
    if (!out.failed)
        out.len--; /* the closing brace: the offset goes in */
    buf_printf(&out, ",\"offset\":%llu}\n", (unsigned long long)offset);
    http_reply_json(r->exchange, 200, &out);
}
