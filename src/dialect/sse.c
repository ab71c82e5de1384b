/*
 * Dialect `sse`: any topics as Server-Sent Events, or as NDJSON for programs.
 *
 * The id of each event is the cursor behind it, so a browser that reconnects says by itself where
 * it was (Last-Event-ID). The answer has no length: it ends with the connection.
 */
#include "dialect/sse.h"

#include <stdio.h>

#include "auth/permit.h"
#include "base/clock.h"
#include "codec/cursor.h"
#include "codec/json.h"
#include "codec/sse.h"
#include "dialect/client.h"
#include "dialect/envelope.h"
#include "dialect/resume.h"
#include "dialect/type_filter.h"
#include "fanfare/error.h"
#include "hub/event_json.h"

#define COMMENT_MS 15000
#define STUCK_S    60 /* nothing was taken for so long: nobody reads there any more */
#define RETRY_MS   2000

enum { AS_JSON = 1u };

/* ---- Events on the wire ---- */

static void append_sse(struct delivery *d, struct buf *out, const struct event *e, unsigned place,
                       struct slice name)
{
    char cursor[CURSOR_TEXT_SIZE] = "";
    if (!e->ephemeral)
        cursor_format(client_cursor(d, e), cursor);
    buf_clear(&d->plain);
    event_append_json(&d->plain, e, place);
    if (d->plain.failed)
        out->failed = true;
    else
        sse_append_event(out, slice_from(cursor), name, buf_slice(&d->plain));
}

static void encode(void *context, struct buf *out, const struct event *e, unsigned place)
{
    append_sse(context, out, e, place, slice_of("", 0));
}

/* An EventSource has its own events of these names. */
static bool name_is_taken(struct slice type)
{
    return slice_is(type, "error") || slice_is(type, "open") || slice_is(type, "message");
}

static void encode_named(void *context, struct buf *out, const struct event *e, unsigned place)
{
    char name[80];
    struct slice prefix = name_is_taken(e->type) ? SLICE("event.") : slice_of("", 0);
    memcpy(name, prefix.ptr, prefix.len);
    memcpy(name + prefix.len, e->type.ptr, e->type.len);
    append_sse(context, out, e, place, slice_of(name, prefix.len + e->type.len));
}

static void encode_json(void *context, struct buf *out, const struct event *e, unsigned place)
{
    struct delivery *d = context;
    envelope_event(out, client_cursor(d, e), e, place);
    buf_append_char(out, '\n');
}

static const struct encoding sse_encoding = {
    .name = "sse", .dialect = DIALECT_SSE, .append = encode};
static const struct encoding named_encoding = {
    .name = "sse+named", .dialect = DIALECT_SSE, .append = encode_named};
static const struct encoding json_encoding = {
    .name = "sse+json", .dialect = DIALECT_SSE, .append = encode_json};

/* ---- Messages of the dialect itself ---- */

static void send_message(struct client *c, struct slice json)
{
    struct buf out = {0};
    if (c->flags & AS_JSON) {
        buf_append_slice(&out, json);
        buf_append_char(&out, '\n');
    } else {
        sse_append_event(&out, slice_of("", 0), slice_of("", 0), json);
    }
    conn_send_copy(&c->ws.conn, buf_slice(&out));
    buf_fini(&out);
}

static void send_loss(struct client *c, const char *type, struct topic *topic, uint64_t from,
                      uint64_t to, const char *reason)
{
    struct buf json = {0};
    BUF_LITERAL(&json, "{\"type\":");
    envelope_quoted(&json, slice_from(type));
    BUF_LITERAL(&json, ",\"topic\":");
    envelope_quoted(&json, topic_name_slice(topic));
    BUF_LITERAL(&json, ",\"reason\":");
    envelope_quoted(&json, slice_from(reason));
    BUF_LITERAL(&json, ",\"from\":");
    buf_append_u64(&json, from);
    BUF_LITERAL(&json, ",\"to\":");
    buf_append_u64(&json, to);
    buf_append_char(&json, '}');
    send_message(c, buf_slice(&json));
    buf_fini(&json);
}

/* ---- The connection ---- */

static void on_data(struct conn *c, char *data, size_t len)
{
    (void)c;
    (void)data;
    (void)len; /* nothing is expected from a reader */
}

static void on_drained(struct conn *c)
{
    subscriber_drained(&client_from_conn(c)->subscriber);
}

static void on_timer(struct conn *c)
{
    if (c->out && c->worker->now_s - c->last_sent >= STUCK_S) {
        conn_close(c, "no longer reads");
        return;
    }
    if (!c->out)
        conn_send_copy(c, client_from_conn(c)->flags & AS_JSON ? SLICE("\n") : SLICE(":\n\n"));
    conn_timer(c, COMMENT_MS);
}

static void on_closed(struct conn *c)
{
    (void)c;
}

static const struct conn_ops sse_ops = {
    .name = "sse",
    .data = on_data,
    .drained = on_drained,
    .timer = on_timer,
    .closed = on_closed,
};

/* ---- Connecting ---- */

struct order {
    const struct encoding *encoding;
    struct start_point start;
    struct event_filter *filter;
    unsigned topics;
};

static int read_start(const struct http_request *r, struct start_point *start)
{
    struct buf since = {0};
    struct slice last_id = http_header_get(r, "Last-Event-ID");
    *start = (struct start_point){0};
    if (last_id.len)
        return resume_from_cursor(last_id, start);
    int error = http_query_get(r->query, "since", &since);
    if (!error && slice_is(buf_slice(&since), "0"))
        start->kind = START_BEGINNING;
    else if (!error)
        error = resume_from_cursor(buf_slice(&since), start);
    buf_fini(&since);
    return error == FAN_E_NOT_FOUND ? 0 : error;
}

/* Calls each topic parameter's value; stops at the first error. */
static int each_topic(struct slice query, int (*use)(void *arg, struct slice topic), void *arg)
{
    struct slice name, value;
    int error = 0;
    while (!error && http_query_next(&query, &name, &value)) {
        struct buf topic = {0};
        if (!slice_is(name, "topic"))
            continue;
        error = http_percent_decode(value, true, &topic);
        if (!error)
            error = use(arg, buf_slice(&topic));
        buf_fini(&topic);
    }
    return error;
}

struct topic_check {
    unsigned count;
    const char *why;
    char topic[64];
};

static int check_right(void *arg, struct slice topic)
{
    return permit_read(arg, topic) ? 0 : FAN_E_DENIED;
}

static int check_topic(void *arg, struct slice topic)
{
    struct topic_check *check = arg;
    struct topic_name parsed;
    size_t n = topic.len < sizeof check->topic - 1 ? topic.len : sizeof check->topic - 1;
    check->count++;
    if (n)
        memcpy(check->topic, topic.ptr, n);
    check->topic[n] = '\0';
    return topic_name_parse(topic, &parsed, &check->why);
}

static bool refuse_with(struct http_exchange *x, struct order *order, int status, const char *code,
                        const char *message)
{
    event_filter_free(order->filter);
    http_reply_error(x, status, code, "%s", message);
    return false;
}

static bool refuse(struct http_exchange *x, struct order *order, const char *code,
                   const char *message)
{
    return refuse_with(x, order, 400, code, message);
}

static bool read_topics(struct http_exchange *x, struct order *order)
{
    struct topic_check check = {.why = "malformed escape"};
    char message[256];
    int error = each_topic(x->request->query, check_topic, &check);
    if (error) {
        snprintf(message, sizeof message, "topic \"%s\": %s", check.topic, check.why);
        return refuse(x, order, "invalid_topic", message);
    }
    if (check.count == 0)
        return refuse(x, order, "missing_topic",
                      "say what to read: /events?topic=session:build_123");
    if (check.count > ((struct delivery *)x->conn->worker->context)->options->subscriptions)
        return refuse_with(x, order, 429, "too_many_topics",
                           "more topics than one connection may follow (limits.subscriptions)");
    order->topics = check.count;
    if (each_topic(x->request->query, check_right, x) == 0)
        return true;
    event_filter_free(order->filter); /* it has been answered */
    return false;
}

static bool read_order(struct http_exchange *x, struct order *order)
{
    struct slice query = x->request->query;
    struct buf types = {0};
    struct type_filter_error why = {""};
    *order = (struct order){.encoding = &sse_encoding};
    if (http_query_is(query, "format", "json"))
        order->encoding = &json_encoding;
    else if (http_query_is(query, "named", "1"))
        order->encoding = &named_encoding;
    if (read_start(x->request, &order->start) != 0)
        return refuse(x, order, "invalid_cursor",
                      "since and Last-Event-ID must be a cursor as it came with an event, or 0");
    int error = http_query_get(query, "types", &types);
    if (!error)
        error = type_filter_parse_text(buf_slice(&types), &order->filter, &why);
    else if (error == FAN_E_NOT_FOUND)
        error = 0;
    else
        snprintf(why.message, sizeof why.message, "types has a malformed escape");
    if (types.failed) /* a part of the list is another list */
        error = FAN_E_NO_MEMORY;
    buf_fini(&types);
    if (error == FAN_E_NO_MEMORY)
        return refuse_with(x, order, 503, "out_of_memory", "not enough memory");
    if (error)
        return refuse(x, order, "invalid_types", why.message);
    return read_topics(x, order);
}

struct joining {
    struct client *client;
    const struct order *order;
    uint64_t position; /* from which a reader that comes back at once has to resume */
    bool joined;
};

static int join_topic(void *arg, struct slice topic)
{
    struct joining *j = arg;
    struct client *c = j->client;
    struct join_result r;
    if (subscriber_follows(&c->subscriber, topic))
        return 0;
    int error = subscriber_join(&c->subscriber, topic, j->order->encoding, &j->order->start, &r);
    if (error)
        return error;
    /* What is left of a beginning still follows; otherwise the live tail does, and everything up to
     * it is missed. */
    bool from_beginning = j->order->start.kind == START_BEGINNING;
    if (r.reason != RESUME_OK)
        send_loss(c, "resume_failed", r.topic, r.missed_from,
                  from_beginning ? r.missed_to : r.offset, resume_reason_name(r.reason));
    if (!j->joined || r.position < j->position)
        j->position = r.position;
    j->joined = true;
    topic_unref(r.topic);
    return 0;
}

static void send_head(struct http_exchange *x, const struct order *order)
{
    struct buf head = {0};
    bool json = order->encoding == &json_encoding;
    http_add_header(x, "Content-Type", json ? "application/x-ndjson" : "text/event-stream");
    http_add_header(x, "Cache-Control", "no-cache, no-transform");
    http_add_header(x, "X-Accel-Buffering", "no");
    http_add_header(x, "Connection", "close");
    http_append_head(x, 200, &head);
    BUF_LITERAL(&head, "\r\n");
    if (!json)
        sse_append_retry(&head, RETRY_MS);
    if (head.failed)
        conn_close(x->conn, "out of memory");
    else
        conn_send_copy(x->conn, buf_slice(&head));
    buf_fini(&head);
}

/* An id without data: the reader remembers it and nothing is shown. Whoever loses the connection
 * before the first event comes back to the right place. */
static void send_id(struct client *c, uint64_t position)
{
    char cursor[CURSOR_TEXT_SIZE], text[CURSOR_TEXT_SIZE + 8];
    cursor_format((struct cursor){hub_epoch(client_delivery(c)->hub), position}, cursor);
    int n = snprintf(text, sizeof text, "id: %s\n\n", cursor);
    conn_send_copy(&c->ws.conn, slice_of(text, (size_t)n));
}

static void accept_client(struct http_exchange *x, struct slice id)
{
    struct order order;
    (void)id;
    if (!read_order(x, &order))
        return;
    http_take_over(x, &sse_ops, NULL);
    send_head(x, &order);
    struct client *c = client_open(x, &sse_dialect);
    c->flags = order.encoding == &json_encoding ? AS_JSON : 0;
    x->conn->worker->flush->ops->attach(x->conn->worker->flush, x->conn);
    subscriber_filter(&c->subscriber, order.filter);
    struct joining joining = {c, &order, 0, false};
    if (each_topic(x->request->query, join_topic, &joining) != 0)
        conn_finish(x->conn, "cannot follow the topic");
    else if (!(c->flags & AS_JSON))
        send_id(c, joining.position);
    conn_timer(x->conn, COMMENT_MS);
}

/* ---- From the fan-out ---- */

static void caught_up(struct client *c, uint64_t missed)
{
    (void)missed;
    if (!(c->flags & AS_JSON)) /* for readers that tell the past from the present */
        conn_send_copy(&c->ws.conn, SLICE(": live\n\n"));
}

static void gap(struct client *c, struct topic *topic, uint64_t from, uint64_t to,
                const char *reason)
{
    send_loss(c, "gap", topic, from, to, reason);
}

static void overflow(struct client *c, const char *cursor)
{
    (void)cursor; /* the ids of the events say it */
    conn_finish(&c->ws.conn, "slow reader");
}

/* The end of a token; nothing else is answered to who only reads. */
static void send_error(struct client *c, struct json_value message, const char *code,
                       struct slice text)
{
    struct buf json = {0};
    (void)message;
    BUF_LITERAL(&json, "{\"type\":");
    envelope_quoted(&json, slice_from(code));
    BUF_LITERAL(&json, ",\"message\":");
    json_append_string(&json, text);
    buf_append_char(&json, '}');
    send_message(c, buf_slice(&json));
    buf_fini(&json);
}

static void say_goodbye(struct client *c)
{
    conn_finish(&c->ws.conn, "server stops");
}

const struct dialect sse_dialect = {
    .name = "sse",
    .index = DIALECT_SSE,
    .path = "/events",
    .accept = accept_client,
    .caught_up = caught_up,
    .gap = gap,
    .overflow = overflow,
    .shutdown = say_goodbye,
    .error = send_error,
};
