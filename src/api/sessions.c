/* Build sessions: the list and one session's state. */
#include "api/api.h"
#include "auth/permit.h"
#include "codec/json.h"
#include "hub/session_state.h"

/* A list, and who asks for it. */
struct session_list {
    const struct identity *who;
    struct buf out;
};

static bool append_session(void *arg, const struct topic_info *info)
{
    struct session_list *list = arg;
    struct buf *out = &list->out;
    if (info->kind != TOPIC_SESSION || !identity_may_read(list->who, info->name).allowed)
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
    struct session_list list = {.who = permit_identity(r->exchange)};
    BUF_LITERAL(&list.out, "{\"sessions\":[");
    hub_warm_states(r->api->hub);
    hub_each_topic(r->api->hub, append_session, &list);
    BUF_LITERAL(&list.out, "]}\n");
    http_reply_json(r->exchange, 200, &list.out);
}

static void send_status(struct api_request *r, struct slice topic)
{
    struct buf out = {0};
    uint64_t offset;
    if (hub_state_json(r->api->hub, topic, 0, NULL, &offset, &out) != 0) {
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

void api_status(struct api_request *r)
{
    struct buf topic = {0};
    if (!http_identifier_valid(r->values[0])) {
        http_reply_error(r->exchange, 400, "invalid_session",
                         "a session id is 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -");
        return;
    }
    topic_name_append(&topic, (struct topic_name){TOPIC_SESSION, r->values[0]});
    if (permit_read(r->exchange, buf_slice(&topic)))
        send_status(r, buf_slice(&topic));
    buf_fini(&topic);
}
