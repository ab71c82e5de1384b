/* Topics: the list, history, presence. */
#include "api/api.h"
#include "auth/permit.h"
#include "base/memory.h"
#include "codec/cursor.h"
#include "codec/json.h"
#include "fanfare/error.h"
#include "hub/event_json.h"

#define HISTORY_LIMIT     1000
#define HISTORY_LIMIT_MAX 10000
#define HISTORY_BYTES     (8u << 20) /* of data in one answer; the rest is asked for with since */

/* ---- The list ---- */

/* A list, and who asks for it. */
struct topic_list {
    const struct identity *who;
    struct buf out;
};

static bool append_topic(void *arg, const struct topic_info *info)
{
    struct topic_list *list = arg;
    struct buf *out = &list->out;
    char epoch[EPOCH_TEXT_SIZE];
    if (!identity_may_read(list->who, info->name).allowed)
        return true;
    epoch_format(info->epoch, epoch);
    if (out->data[out->len - 1] == '}')
        buf_append_char(out, ',');
    BUF_LITERAL(out, "{\"topic\":");
    json_append_string(out, info->name);
    buf_printf(out,
               ",\"subscribers\":%u,\"offset\":%llu,\"epoch\":\"%s\",\"rate\":", info->subscribers,
               (unsigned long long)info->offset, epoch);
    json_append_number(out, (double)(int64_t)(info->rate * 100 + 0.5) / 100);
    buf_append_char(out, '}');
    return !out->failed;
}

void api_topics(struct api_request *r)
{
    struct topic_list list = {.who = permit_identity(r->exchange)};
    BUF_LITERAL(&list.out, "{\"topics\":[");
    hub_each_topic(r->api->hub, append_topic, &list);
    BUF_LITERAL(&list.out, "]}\n");
    http_reply_json(r->exchange, 200, &list.out);
}

/* A topic as path parameter, which may be read; answers 400, 401 or 403 else. */
static bool check_topic(struct api_request *r)
{
    struct topic_name parsed;
    const char *why;
    if (topic_name_parse(r->values[0], &parsed, &why) == 0)
        return permit_read(r->exchange, r->values[0]);
    http_reply_error(r->exchange, 400, "invalid_topic", "topic \"%.*s\": %s",
                     r->values[0].len > 60 ? 60 : (int)r->values[0].len, r->values[0].ptr, why);
    return false;
}

/* ---- History ---- */

static void no_topic(struct api_request *r)
{
    http_reply_error(r->exchange, 404, "not_found", "there is no topic \"%.*s\"",
                     SLICE_ARG(r->values[0]));
}

/* The parameter `cursor`, as an offset of this topic. Answers and returns false when it is none, or
 * of another life of the node's order. */
static bool query_cursor(struct api_request *r, uint64_t *since)
{
    struct buf text = {0};
    struct cursor cursor;
    int error = http_query_get(r->exchange->request->query, "cursor", &text);
    if (error == FAN_E_NOT_FOUND)
        return true;
    if (!error)
        error = cursor_parse(buf_slice(&text), &cursor);
    buf_fini(&text);
    if (error)
        http_reply_error(r->exchange, 400, "invalid_cursor",
                         "cursor must be one as it came with an event");
    else if (cursor.epoch != hub_epoch(r->api->hub))
        http_reply_error(r->exchange, 410, "epoch_changed",
                         "what the cursor counts in was lost, when the server was started again");
    else if (hub_topic_offset_at(r->api->hub, r->values[0], cursor.seq, since) != 0)
        no_topic(r);
    return !r->exchange->answered;
}

void api_history(struct api_request *r)
{
    uint64_t since = 0, limit = HISTORY_LIMIT;
    struct topic_page page;
    struct buf out = {0};
    char epoch[EPOCH_TEXT_SIZE];
    if (!check_topic(r) || !api_query_number(r, "since", 0, 999999999999999, &since) ||
        !api_query_number(r, "limit", 1, HISTORY_LIMIT_MAX, &limit) || !query_cursor(r, &since))
        return;
    struct event **events = memory_try_alloc(limit * sizeof(struct event *));
    if (!events) {
        http_reply_error(r->exchange, 503, "out_of_memory", "not enough memory");
        return;
    }
    int error = hub_topic_page(r->api->hub, r->values[0], since, (unsigned)limit, HISTORY_BYTES,
                               events, &page);
    BUF_LITERAL(&out, "{\"events\":[");
    for (unsigned i = 0; i < page.count; i++) {
        if (i)
            buf_append_char(&out, ',');
        event_append_json(&out, events[i], event_place_in(events[i], r->values[0]));
        event_unref(events[i]);
    }
    memory_free(events);
    epoch_format(page.epoch, epoch);
    buf_printf(&out, "],\"epoch\":\"%s\",\"offset\":%llu,\"first_offset\":%llu,\"since\":%llu}\n",
               epoch, (unsigned long long)page.offset, (unsigned long long)page.first_offset,
               (unsigned long long)since);
    if (!error) {
        http_reply_json(r->exchange, 200, &out);
        return;
    }
    buf_fini(&out);
    no_topic(r);
}

/* ---- Presence ---- */

/* Lives until all workers have answered, also when the asker is gone by then. */
struct presence_request {
    struct http_exchange *exchange; /* NULL: it ended */
    struct buf topic;
};

static void presence_aborted(struct http_exchange *x)
{
    struct presence_request *p = x->data;
    p->exchange = NULL;
}

static void presence_known(void *token, struct buf *array)
{
    struct presence_request *p = token;
    struct http_exchange *x = p->exchange;
    struct buf out = {0};
    if (x) {
        x->abort = NULL;
        x->data = NULL;
        BUF_LITERAL(&out, "{\"topic\":");
        json_append_string(&out, buf_slice(&p->topic));
        buf_printf(&out, ",\"count\":%u,\"connections\":", json_count(buf_slice(array)));
        buf_append_slice(&out, buf_slice(array));
        BUF_LITERAL(&out, "}\n");
        out.failed |= array->failed;
        http_reply_json(x, 200, &out);
    }
    buf_fini(&p->topic);
    memory_free(p);
}

void api_presence(struct api_request *r)
{
    if (!check_topic(r))
        return;
    struct presence_request *p = memory_zero(sizeof *p);
    struct http_exchange *x = r->exchange;
    p->exchange = x;
    buf_append_slice(&p->topic, r->values[0]);
    x->data = p;
    x->abort = presence_aborted;
    r->api->host.presence(r->api->host.arg, x->conn->worker, buf_slice(&p->topic), p,
                          presence_known);
}
