/* One session per connection; see session.h. */
#include "dialect/session.h"

#include "auth/permit.h"
#include "base/clock.h"
#include "dialect/envelope.h"
#include "dialect/frame.h"
#include "dialect/resume.h"
#include "dialect/type_filter.h"
#include "fanfare/error.h"
#include "net/conn_log.h"

struct topic *session_topic(const struct client *c)
{
    return c->subscriber.first.group->local->topic;
}

struct slice session_id(const struct client *c)
{
    return slice_skip(topic_name_slice(session_topic(c)), strlen("session:"));
}

/* ---- Events as the HTTP API shows them ---- */

void session_encode_full(void *context, struct buf *out, const struct event *e, unsigned place)
{
    const struct delivery *d = context;
    size_t at = frame_begin(out);
    envelope_event(out, client_cursor(d, e), e, place);
    frame_end(out, at);
}

void session_encode_full_compressed(void *context, struct buf *out, const struct event *e,
                                    unsigned place)
{
    struct delivery *d = context;
    buf_clear(&d->plain);
    envelope_event(&d->plain, client_cursor(d, e), e, place);
    if (d->plain.failed)
        out->failed = true;
    else
        frame_append_compressed(d, out, buf_slice(&d->plain));
}

/* ---- Messages ---- */

struct buf *session_begin(struct client *c, const char *type)
{
    struct buf *out = message_begin(c);
    c->dialect->session->begin(c, out, type);
    return out;
}

static void finish(struct client *c, struct buf *out, bool large)
{
    c->dialect->session->end(out);
    message_send(c, out, large);
}

void session_send(struct client *c, struct buf *out)
{
    finish(c, out, false);
}

/* The state after exactly the events up to its offset. Events up to there are sent before it. */
static void send_state(struct client *c)
{
    struct delivery *d = client_delivery(c);
    struct inbox_batch batch;
    struct buf state = {0};
    uint64_t offset = 0;
    hub_state_json(d->hub, topic_name_slice(session_topic(c)), d->worker->index, &batch, &offset,
                   &state);
    subscriber_sync_batch(&c->subscriber, &batch);
    struct buf *out = session_begin(c, c->dialect->session->state);
    if (!state.failed)
        c->dialect->session->put_state(out, offset, buf_slice(&state));
    out->failed |= state.failed;
    buf_fini(&state);
    finish(c, out, true);
}

/* What the topic's offset is at a position of the node's order. */
static uint64_t offset_at(struct client *c, uint64_t position)
{
    return hub_next_offset(client_delivery(c)->hub, session_topic(c), position) - 1;
}

static void put_position(struct client *c, struct buf *out)
{
    uint64_t position = subscriber_position(&c->subscriber);
    envelope_position(out, session_topic(c)->epoch, offset_at(c, position),
                      hub_epoch(client_delivery(c)->hub), position);
}

static void send_resumed(struct client *c, uint64_t missed)
{
    struct buf *out = session_begin(c, "resumed");
    put_position(c, out);
    json_put_u64(out, "missed", missed);
    session_send(c, out);
}

static void send_resume_failed(struct client *c, const struct join_result *r)
{
    struct buf *out = session_begin(c, "resume_failed");
    json_put_text(out, "reason", resume_reason_name(r->reason));
    json_put_u64(out, "available_from", r->available_from);
    if (r->reason == RESUME_TRIMMED) {
        json_put_u64(out, "from", r->missed_from ? r->missed_from : 1);
        json_put_u64(out, "to", r->missed_to);
    }
    session_send(c, out);
    send_state(c);
}

void session_caught_up(struct client *c, uint64_t missed)
{
    send_resumed(c, missed);
}

void session_gap(struct client *c, struct topic *topic, uint64_t from, uint64_t to,
                 const char *reason)
{
    (void)topic;
    struct buf *out = session_begin(c, "gap");
    json_put_u64(out, "from", from);
    json_put_u64(out, "to", to);
    json_put_text(out, "reason", reason);
    session_send(c, out);
    if (strcmp(reason, "trimmed") == 0)
        send_state(c);
}

/* ---- Client messages ---- */

void session_on_state(struct client *c, struct json_value message)
{
    (void)message;
    send_state(c);
}

static void answer_filter(struct client *c, struct json_value message, const char *type, int error,
                          struct event_filter *filter, const struct type_filter_error *why)
{
    if (error == FAN_E_NO_MEMORY) {
        conn_close(&c->ws.conn, "out of memory");
        return;
    }
    if (error) {
        message_refuse(c, message, "invalid_topics", "%s", why->message);
        return;
    }
    subscriber_filter(&c->subscriber, filter);
    struct buf *out = session_begin(c, type);
    type_filter_append(out, filter);
    put_position(c, out);
    session_send(c, out);
}

static struct json_value topics_of(const struct client *c, struct json_value message)
{
    return message_member(c->dialect->session->fields(message), "topics");
}

void session_on_subscribe(struct client *c, struct json_value message)
{
    struct event_filter *filter;
    struct type_filter_error why = {""};
    int error = type_filter_parse(topics_of(c, message), &filter, &why);
    answer_filter(c, message, "subscribed", error, filter, &why);
}

void session_on_unsubscribe(struct client *c, struct json_value message)
{
    struct event_filter *filter;
    struct type_filter_error why = {""};
    int error = type_filter_remove(c->subscriber.filter, topics_of(c, message), &filter, &why);
    answer_filter(c, message, "unsubscribed", error, filter, &why);
}

/* Replays what this connection has not been sent: from the asked position up to where it began. */
void session_on_resume(struct client *c, struct json_value message)
{
    struct delivery *d = client_delivery(c);
    struct start_point start;
    struct join_result r = {0};
    if (resume_from_message(c->dialect->session->fields(message), "offset", &start) != 0) {
        r.reason = RESUME_INVALID;
        r.available_from = hub_first_offset(d->hub, session_topic(c));
    } else {
        hub_locate(d->hub, session_topic(c), &start, &r);
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

/* ---- Tokens ---- */

void session_on_refresh_token(struct client *c, struct json_value message)
{
    client_refresh_token(c, message, message_member(c->dialect->session->fields(message), "token"));
}

void session_token_refreshed(struct client *c, struct json_value message, const char *expires)
{
    (void)message;
    struct buf *out = session_begin(c, "token_refreshed");
    json_put_text(out, "expires", expires);
    session_send(c, out);
}

/* ---- Connecting ---- */

static void send_greeting(struct client *c, const struct join_result *r)
{
    char id[CONN_ID_SIZE];
    conn_format_id(&c->ws.conn, id);
    struct buf *out = session_begin(c, c->dialect->session->greeting);
    json_put_raw(out, "status", SLICE("\"connected\""));
    json_put_name(out, "connection_id");
    envelope_quoted(out, slice_from(id));
    envelope_position(out, r->epoch, r->offset, hub_epoch(client_delivery(c)->hub), r->seq);
    session_send(c, out);
}

/* What the URL's query asks for. */
struct wishes {
    struct start_point start;
    struct event_filter *filter;
    bool invalid; /* start makes no sense */
    bool state;
    bool full;
};

/* Answers the request itself when it returns false. */
static bool read_wishes(struct http_exchange *x, struct wishes *wishes)
{
    struct slice query = x->request->query;
    struct buf types = {0};
    struct type_filter_error why = {"types has a malformed escape"};
    *wishes = (struct wishes){
        .state = http_query_is(query, "state", "1"),
        .full = http_query_is(query, "events", "full"),
    };
    if (query.len == 0)
        return true;
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

static int join(struct client *c, struct slice topic, const struct wishes *wishes,
                struct join_result *r)
{
    const struct session_words *words = c->dialect->session;
    return subscriber_join(&c->subscriber, topic, words->encodings[wishes->full][c->ws.deflate],
                           &wishes->start, r);
}

/* id: a valid identifier. */
static struct slice name_topic(struct slice id, char text[TOPIC_NAME_MAX])
{
    memcpy(text, "session:", 8);
    memcpy(text + 8, id.ptr, id.len);
    return slice_of(text, 8 + id.len);
}

struct client *session_accept(struct http_exchange *x, const struct dialect *dialect,
                              struct slice id)
{
    char text[TOPIC_NAME_MAX];
    struct slice topic = name_topic(id, text);
    struct wishes wishes;
    struct join_result r;
    if (!permit_read(x, topic) || !read_wishes(x, &wishes))
        return NULL;
    struct client *c = websocket_client_accept(x, dialect);
    if (!c) {
        event_filter_free(wishes.filter);
        return NULL;
    }
    if (wishes.filter)
        subscriber_filter(&c->subscriber, wishes.filter);
    int error = join(c, topic, &wishes, &r);
    if (error) {
        websocket_client_refuse_join(c, error);
        return c;
    }
    if (wishes.invalid)
        r.reason = RESUME_INVALID;
    c->sent_from = r.position;
    send_greeting(c, &r);
    if (r.reason != RESUME_OK)
        send_resume_failed(c, &r);
    else if (wishes.state)
        send_state(c);
    topic_unref(r.topic);
    return c;
}
