/*
 * Dialect `build`: build monitoring over WebSocket, one session per connection.
 *
 * Events are flat: the envelope's members, then those of data. Client messages: ping, subscribe,
 * unsubscribe, request_status (get_status), resume. A client that resumes is replayed what it
 * missed by the fan-out; this file only says so before and after.
 */
#include "dialect/build.h"

#include "base/clock.h"
#include "codec/cursor.h"
#include "codec/deflate.h"
#include "codec/json.h"
#include "dialect/client.h"
#include "dialect/envelope.h"
#include "dialect/frame.h"
#include "dialect/resume.h"
#include "dialect/type_filter.h"
#include "fanfare/error.h"
#include "net/conn_log.h"

/* ---- Events on the wire ---- */

static void append_event(struct buf *out, const struct event *e, unsigned place)
{
    BUF_LITERAL(out, "{\"type\":");
    envelope_quoted(out, e->type);
    BUF_LITERAL(out, ",\"session_id\":");
    envelope_quoted(out, envelope_topic_id(e, place));
    BUF_LITERAL(out, ",\"timestamp\":");
    envelope_time(out, e->time_ms);
    if (!e->ephemeral) {
        BUF_LITERAL(out, ",\"offset\":");
        buf_append_u64(out, e->places[place].offset);
    }
    if (e->nested) {
        BUF_LITERAL(out, ",\"data\":");
        buf_append_slice(out, e->data);
    } else {
        envelope_spliced(out, e->data);
    }
    buf_append_char(out, '}');
}

static void encode(void *context, struct buf *out, const struct event *e, unsigned place)
{
    (void)context;
    size_t at = frame_begin(out);
    append_event(out, e, place);
    frame_end(out, at);
}

static void encode_full(void *context, struct buf *out, const struct event *e, unsigned place)
{
    struct delivery *d = context;
    size_t at = frame_begin(out);
    envelope_event(out, hub_epoch(d->hub), e, place);
    frame_end(out, at);
}

static void append_compressed(struct delivery *d, struct buf *out)
{
    if (d->plain.failed)
        out->failed = true;
    else
        frame_append_compressed(d, out, buf_slice(&d->plain));
}

static void encode_deflate(void *context, struct buf *out, const struct event *e, unsigned place)
{
    struct delivery *d = context;
    buf_clear(&d->plain);
    append_event(&d->plain, e, place);
    append_compressed(d, out);
}

static void encode_full_deflate(void *context, struct buf *out, const struct event *e,
                                unsigned place)
{
    struct delivery *d = context;
    buf_clear(&d->plain);
    envelope_event(&d->plain, hub_epoch(d->hub), e, place);
    append_compressed(d, out);
}

/* [events=full][compressed] */
static const struct encoding encodings[2][2] = {
    {{"build", DIALECT_BUILD, encode}, {"build+deflate", DIALECT_BUILD, encode_deflate}},
    {{"build+full", DIALECT_BUILD, encode_full},
     {"build+full+deflate", DIALECT_BUILD, encode_full_deflate}},
};

/* ---- Answers ---- */

static struct topic *topic_of(const struct client *c)
{
    return c->subscriber.first.group->local->topic;
}

static struct slice session_id(const struct client *c)
{
    return slice_skip(topic_name_slice(topic_of(c)), strlen("session:"));
}

/* Begins a message in the worker's scratch buffer: {"type":"…" */
static struct buf *begin(struct client *c, const char *type)
{
    struct buf *out = &client_delivery(c)->scratch;
    buf_clear(out);
    BUF_LITERAL(out, "{\"type\":");
    envelope_quoted(out, slice_from(type));
    return out;
}

static void add_session(struct client *c, struct buf *out)
{
    BUF_LITERAL(out, ",\"session_id\":");
    envelope_quoted(out, session_id(c));
}

static void add_time(struct buf *out)
{
    BUF_LITERAL(out, ",\"timestamp\":");
    envelope_time(out, clock_wall_ms());
}

static void finish(struct client *c, struct buf *out, bool large)
{
    buf_append_char(out, '}');
    if (out->failed)
        conn_close(&c->ws.conn, "out of memory");
    else if (large)
        ws_send_large(&c->ws, buf_slice(out));
    else
        ws_send(&c->ws, buf_slice(out));
    if (out->cap > 256 * 1024)
        buf_fini(out);
}

static void send_error(struct client *c, const char *error_type, struct slice message)
{
    struct buf *out = begin(c, "error");
    add_session(c, out);
    add_time(out);
    BUF_LITERAL(out, ",\"error_message\":");
    json_append_lossy(out, message);
    BUF_LITERAL(out, ",\"error_type\":");
    envelope_quoted(out, slice_from(error_type));
    finish(c, out, false);
}

static void bad_message(struct client *c, const char *error_type, struct slice message)
{
    send_error(c, error_type, message);
    ws_bad_message(&c->ws);
}

/* The state after exactly the events up to its offset. Events up to there are sent before it. */
static void send_status(struct client *c)
{
    struct delivery *d = client_delivery(c);
    struct inbox_batch batch;
    struct buf state = {0};
    uint64_t offset = 0;
    hub_state_json(d->hub, topic_name_slice(topic_of(c)), d->worker->index, &batch, &offset,
                   &state);
    subscriber_sync_batch(&c->subscriber, &batch);
    struct buf *out = begin(c, "build_status");
    add_session(c, out);
    add_time(out);
    BUF_LITERAL(out, ",\"offset\":");
    buf_append_u64(out, offset);
    BUF_LITERAL(out, ",\"status\":");
    buf_append_slice(out, buf_slice(&state));
    out->failed |= state.failed;
    buf_fini(&state);
    finish(c, out, true);
}

/* What the topic's offset is at a position of the node's order. */
static uint64_t offset_at(struct client *c, uint64_t position)
{
    return hub_next_offset(client_delivery(c)->hub, topic_of(c), position) - 1;
}

static void add_position(struct client *c, struct buf *out)
{
    uint64_t position = subscriber_position(&c->subscriber);
    envelope_position(out, topic_of(c)->epoch, offset_at(c, position),
                      hub_epoch(client_delivery(c)->hub), position);
}

static void send_resumed(struct client *c, uint64_t missed)
{
    struct buf *out = begin(c, "resumed");
    add_session(c, out);
    add_time(out);
    add_position(c, out);
    BUF_LITERAL(out, ",\"missed\":");
    buf_append_u64(out, missed);
    finish(c, out, false);
}

static void send_resume_failed(struct client *c, const struct join_result *r)
{
    struct buf *out = begin(c, "resume_failed");
    add_session(c, out);
    add_time(out);
    BUF_LITERAL(out, ",\"reason\":");
    envelope_quoted(out, slice_from(resume_reason_name(r->reason)));
    BUF_LITERAL(out, ",\"available_from\":");
    buf_append_u64(out, r->available_from);
    if (r->reason == RESUME_TRIMMED) {
        BUF_LITERAL(out, ",\"from\":");
        buf_append_u64(out, r->missed_from ? r->missed_from : 1);
        BUF_LITERAL(out, ",\"to\":");
        buf_append_u64(out, r->missed_to);
    }
    finish(c, out, false);
    send_status(c);
}

/* ---- Client messages ---- */

static void on_ping(struct client *c, struct json_value message)
{
    (void)message;
    struct buf *out = begin(c, "pong");
    add_time(out);
    finish(c, out, false);
}

static void on_status(struct client *c, struct json_value message)
{
    (void)message;
    send_status(c);
}

static void answer_filter(struct client *c, const char *type, int error,
                          struct event_filter *filter, const struct type_filter_error *why)
{
    if (error == FAN_E_NO_MEMORY) {
        conn_close(&c->ws.conn, "out of memory");
        return;
    }
    if (error) {
        bad_message(c, "invalid_topics", slice_from(why->message));
        return;
    }
    subscriber_filter(&c->subscriber, filter);
    struct buf *out = begin(c, type);
    add_session(c, out);
    BUF_LITERAL(out, ",");
    type_filter_append(out, filter);
    add_time(out);
    add_position(c, out);
    finish(c, out, false);
}

static struct json_value topics_member(struct json_value message)
{
    struct json_value topics = {0};
    json_find(message, SLICE("topics"), &topics);
    return topics;
}

static void on_subscribe(struct client *c, struct json_value message)
{
    struct event_filter *filter;
    struct type_filter_error why;
    int error = type_filter_parse(topics_member(message), &filter, &why);
    answer_filter(c, "subscribed", error, filter, &why);
}

static void on_unsubscribe(struct client *c, struct json_value message)
{
    struct event_filter *filter;
    struct type_filter_error why;
    int error = type_filter_remove(c->subscriber.filter, topics_member(message), &filter, &why);
    answer_filter(c, "unsubscribed", error, filter, &why);
}

/* Replays what this connection has not been sent: from the asked position up to where it began. */
static void on_resume(struct client *c, struct json_value message)
{
    struct delivery *d = client_delivery(c);
    struct start_point start;
    struct join_result r = {0};
    if (resume_from_message(message, &start) != 0) {
        r.reason = RESUME_INVALID;
        r.available_from = hub_first_offset(d->hub, topic_of(c));
    } else {
        hub_locate(d->hub, topic_of(c), &start, &r);
    }
    if (r.reason != RESUME_OK) {
        send_resume_failed(c, &r);
        return;
    }
    subscriber_sync(&c->subscriber);
    if (r.position >= c->sent_from) {
        send_resumed(c, 0);
        return;
    }
    uint64_t until = c->sent_from;
    c->sent_from = r.position;
    subscriber_replay(&c->subscriber, r.position, until);
}

static const struct {
    const char *type;
    void (*handle)(struct client *c, struct json_value message);
} handlers[] = {
    {"ping", on_ping},
    {"subscribe", on_subscribe},
    {"unsubscribe", on_unsubscribe},
    {"request_status", on_status},
    {"get_status", on_status},
    {"resume", on_resume},
};

static void unknown_type(struct client *c, struct json_value type)
{
    struct buf text = {0};
    BUF_LITERAL(&text, "Unknown message type: ");
    if (type.kind == JSON_STRING)
        json_string_append(&text, type);
    else
        buf_append_text(&text, "type must be a string");
    if (text.len > 200)
        text.len = 200;
    bad_message(c, "unknown_type", buf_slice(&text));
    buf_fini(&text);
}

static void on_message(struct ws_conn *ws, struct slice text, bool binary)
{
    static const struct slice type_name = {"type", 4};
    struct client *c = client_from_ws(ws);
    struct json_value type = {0};
    struct json_error why;
    bool found;
    (void)binary;
    int error = json_scan_object(text, &type_name, 1, &type, &found, &why);
    if (error == FAN_E_INVALID) {
        bad_message(c, "invalid_json", SLICE("a message must be a JSON object"));
        return;
    }
    if (error) {
        struct buf message = {0};
        buf_printf(&message, "Invalid JSON at byte %zu: %s", why.at, why.message);
        bad_message(c, "invalid_json", buf_slice(&message));
        buf_fini(&message);
        return;
    }
    if (!found)
        type = (struct json_value){JSON_NULL, {"", 0}};
    struct json_value message;
    json_parse(text, &message, NULL); /* was accepted above; finds where it begins and ends */
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (json_string_is(type, handlers[i].type)) {
            handlers[i].handle(c, message);
            return;
        }
    unknown_type(c, type);
}

static void on_rate_limited(struct ws_conn *ws)
{
    send_error(client_from_ws(ws), "rate_limited",
               SLICE("too many messages: more than limits.messages a second for 30 s"));
}

static void on_drained(struct ws_conn *ws)
{
    subscriber_drained(&client_from_ws(ws)->subscriber);
}

static const struct ws_ops build_ws_ops = {
    .message = on_message,
    .rate_limited = on_rate_limited,
    .drained = on_drained,
    .limited = true,
};

/* ---- Connecting ---- */

static void send_greeting(struct client *c, const struct join_result *r)
{
    char id[CONN_ID_SIZE];
    conn_format_id(&c->ws.conn, id);
    struct buf *out = begin(c, "connection");
    BUF_LITERAL(out, ",\"status\":\"connected\"");
    add_session(c, out);
    BUF_LITERAL(out, ",\"connection_id\":");
    envelope_quoted(out, slice_from(id));
    add_time(out);
    envelope_position(out, r->epoch, r->offset, hub_epoch(client_delivery(c)->hub), r->seq);
    finish(c, out, false);
}

static void refuse_join(struct client *c, int error)
{
    bool limit = error == FAN_E_LIMIT;
    ws_close(&c->ws, limit ? WS_CLOSE_TRY_LATER : WS_CLOSE_INTERNAL,
             limit ? "too many topics" : "out of memory");
}

/* What the URL's query asks for. */
struct wishes {
    struct start_point start;
    struct event_filter *filter;
    bool invalid; /* start makes no sense */
    bool state;
    bool full;
};

static void join(struct client *c, struct slice id, const struct wishes *wishes)
{
    struct buf topic = {0};
    struct join_result r;
    buf_reserve(&topic, sizeof "session:" + id.len);
    BUF_LITERAL(&topic, "session:");
    buf_append_slice(&topic, id);
    const struct encoding *encoding = &encodings[wishes->full][c->ws.deflate];
    int error = subscriber_join(&c->subscriber, buf_slice(&topic), encoding, &wishes->start, &r);
    buf_fini(&topic);
    if (error) {
        refuse_join(c, error);
        return;
    }
    if (wishes->invalid)
        r.reason = RESUME_INVALID;
    c->sent_from = r.position;
    send_greeting(c, &r);
    if (r.reason != RESUME_OK)
        send_resume_failed(c, &r);
    else if (wishes->state)
        send_status(c);
    topic_unref(r.topic);
}

static bool query_is(struct slice query, const char *name, const char *wanted)
{
    struct buf value = {0};
    bool is = http_query_get(query, name, &value) == 0 && slice_is(buf_slice(&value), wanted);
    buf_fini(&value);
    return is;
}

/* Answers the request itself when it returns false. */
static bool read_wishes(struct http_exchange *x, struct wishes *wishes)
{
    struct slice query = x->request->query;
    struct buf types = {0};
    struct type_filter_error why = {"types has a malformed escape"};
    *wishes = (struct wishes){
        .state = query_is(query, "state", "1"),
        .full = query_is(query, "events", "full"),
    };
    wishes->invalid = resume_from_query(query, &wishes->start) != 0;
    int error = http_query_get(query, "types", &types);
    if (!error)
        error = type_filter_parse_text(buf_slice(&types), &wishes->filter, &why);
    else if (error == FAN_E_NOT_FOUND)
        error = 0;
    if (types.failed) /* a part of the list is another list */
        error = FAN_E_NO_MEMORY;
    buf_fini(&types);
    if (!error)
        return true;
    event_filter_free(wishes->filter);
    if (error == FAN_E_NO_MEMORY)
        http_reply_error(x, 503, "out_of_memory", "not enough memory");
    else
        http_reply_error(x, 400, "invalid_types", "%s", why.message);
    return false;
}

static void accept_client(struct http_exchange *x, struct slice id)
{
    struct delivery *d = x->conn->worker->context;
    struct wishes wishes;
    const struct ws_accept_options options = {
        .ops = &build_ws_ops,
        .deflate = d->options->deflate[DIALECT_BUILD],
        .deflate_wishes = WS_DEFLATE_CLIENT_ANEW,
        .protocol = http_header_has_token(x->request, "Sec-WebSocket-Protocol", "fanfare")
                        ? "fanfare"
                        : NULL,
    };
    if (!read_wishes(x, &wishes))
        return;
    if (!ws_accept(x, &options)) {
        event_filter_free(wishes.filter);
        return;
    }
    struct client *c = client_open(x, &build_dialect);
    subscriber_filter(&c->subscriber, wishes.filter);
    join(c, id, &wishes);
}

/* ---- From the fan-out ---- */

static void caught_up(struct client *c, uint64_t missed)
{
    send_resumed(c, missed);
}

static void gap(struct client *c, struct topic *topic, uint64_t from, uint64_t to,
                const char *reason)
{
    (void)topic;
    struct buf *out = begin(c, "gap");
    add_session(c, out);
    add_time(out);
    BUF_LITERAL(out, ",\"from\":");
    buf_append_u64(out, from);
    BUF_LITERAL(out, ",\"to\":");
    buf_append_u64(out, to);
    BUF_LITERAL(out, ",\"reason\":");
    envelope_quoted(out, slice_from(reason));
    finish(c, out, false);
    if (strcmp(reason, "trimmed") == 0)
        send_status(c);
}

static void overflow(struct client *c, const char *cursor)
{
    struct buf reason = {0};
    buf_printf(&reason, "too slow; resume with cursor %s", cursor);
    ws_close_text(&c->ws, WS_CLOSE_TRY_LATER, "slow reader", buf_slice(&reason));
    buf_fini(&reason);
}

static void say_goodbye(struct client *c)
{
    ws_close(&c->ws, WS_CLOSE_GOING_AWAY, "server stops");
}

const struct dialect build_dialect = {
    .name = "build",
    .index = DIALECT_BUILD,
    .path = "/api/build/stream/{session_id}",
    .accept = accept_client,
    .caught_up = caught_up,
    .gap = gap,
    .overflow = overflow,
    .shutdown = say_goodbye,
};
