/* Subscribing to channels and to patterns of them, for the dialect `channels`. */
#include <stdio.h>

#include "dialect/channels_private.h"
#include "dialect/envelope.h"
#include "dialect/resume.h"
#include "fanfare/error.h"

/* ---- Which channel ---- */

/* A channel's topic, or the beginning of the names that a pattern stands for. */
struct target {
    struct slice channel; /* as the client named it */
    bool pattern;
    size_t len;
    char topic[sizeof "channel:" + 128];
};

static bool name_target(struct slice channel, struct target *target)
{
    size_t kept = channel.len;
    target->channel = channel;
    target->pattern = channel.len && channel.ptr[channel.len - 1] == '*';
    if (target->pattern)
        kept--;
    bool all = target->pattern && kept == 0;
    bool below = target->pattern && kept > 1 && channel.ptr[kept - 1] == '/';
    if (!all &&
        ((target->pattern && !below) || !http_identifier_valid(slice_of(channel.ptr, kept))))
        return false;
    memcpy(target->topic, "channel:", 8);
    if (kept)
        memcpy(target->topic + 8, channel.ptr, kept);
    target->len = 8 + kept;
    return true;
}

static bool read_target(struct client *c, struct json_value message, struct target *target)
{
    if (name_target(message_text(message, "channel"), target))
        return true;
    message_refuse(c, message, "invalid_channel",
                   "channel must be a name of 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -, or "
                   "a pattern, files/* or *, for all channels below");
    return false;
}

static struct slice topic_of(const struct target *target)
{
    return slice_of(target->topic, target->len);
}

/* ---- Subscribing ---- */

/* since: 0 means the beginning; another one needs its epoch. */
static bool read_start(struct client *c, struct json_value message, struct start_point *start)
{
    *start = (struct start_point){START_NOW, 0, 0};
    struct json_value since = message_member(message, "since");
    bool zero = since.kind == JSON_NUMBER && slice_is(since.text, "0");
    if (since.kind == JSON_NULL && message_member(message, "cursor").kind == JSON_NULL)
        return true;
    if (zero && message_member(message, "epoch").kind == JSON_NULL) {
        start->kind = START_BEGINNING;
        return true;
    }
    if (resume_from_message(message, "since", start) == 0)
        return true;
    message_refuse(
        c, message, "invalid_position",
        "resume with since (a whole number from 0) and epoch, or with cursor, as answers "
        "and events have them");
    return false;
}

static void answer_joined(struct client *c, struct slice id, const struct target *target,
                          const uint64_t *epoch, uint64_t offset, uint64_t seq)
{
    struct buf *out = channels_begin(c, id);
    json_put_text(out, "status", "subscribed");
    json_put_slice(out, "channel", target->channel);
    if (epoch)
        envelope_position(out, *epoch, offset, hub_epoch(client_delivery(c)->hub), seq);
    else
        envelope_cursor(out, hub_epoch(client_delivery(c)->hub), seq);
    channels_send(c, out);
}

static int join_pattern(struct client *c, struct slice id, const struct target *target,
                        const struct start_point *start)
{
    struct pattern_result r;
    int error =
        subscriber_join_pattern(&c->subscriber, topic_of(target), channels_encoding(c), start, &r);
    if (error)
        return error;
    answer_joined(c, id, target, NULL, 0, r.seq);
    if (r.reason != RESUME_OK)
        channels_send_gap(c, target->channel, 0, 0, resume_reason_name(r.reason));
    return 0;
}

static int join_channel(struct client *c, struct slice id, const struct target *target,
                        const struct start_point *start)
{
    struct join_result r;
    int error = subscriber_join(&c->subscriber, topic_of(target), channels_encoding(c), start, &r);
    if (error)
        return error;
    answer_joined(c, id, target, &r.epoch, r.offset, r.seq);
    if (r.reason != RESUME_OK) {
        bool from_beginning = start->kind == START_BEGINNING;
        uint64_t from = r.reason == RESUME_TRIMMED ? r.missed_from : 1;
        channels_send_gap(c, target->channel, r.offset ? from : 0,
                          from_beginning ? r.missed_to : r.offset, resume_reason_name(r.reason));
    }
    topic_unref(r.topic);
    return 0;
}

/* It follows that already, and loses nothing by asking again. */
static void answer_again(struct client *c, struct slice id, const struct target *target)
{
    struct delivery *d = client_delivery(c);
    struct topic_page page = {0};
    uint64_t seq = subscriber_position(&c->subscriber);
    if (!target->pattern)
        hub_topic_page(d->hub, topic_of(target), UINT64_MAX - 1, 0, 0, NULL, &page);
    answer_joined(c, id, target, target->pattern ? NULL : &page.epoch, page.offset, seq);
}

static bool follows(const struct client *c, const struct target *target)
{
    return target->pattern ? subscriber_follows_pattern(&c->subscriber, topic_of(target))
                           : subscriber_follows(&c->subscriber, topic_of(target));
}

void channels_on_subscribe(struct client *c, struct json_value message)
{
    unsigned most = client_delivery(c)->options->subscriptions;
    struct slice id = channels_id(message);
    struct target target;
    struct start_point start;
    char text[120];
    if (!read_target(c, message, &target) || !channels_may_read(c, id, target.channel) ||
        !read_start(c, message, &start))
        return;
    if (follows(c, &target)) {
        answer_again(c, id, &target);
        return;
    }
    if (target.pattern && start.kind == START_OFFSET) {
        channels_error(c, id,
                       "a pattern resumes with a cursor: its channels number their events "
                       "each on its own");
        return;
    }
    if (subscriber_followed(&c->subscriber) >= most) {
        snprintf(text, sizeof text, "too many subscriptions: at most %u (limits.subscriptions)",
                 most);
        channels_error(c, id, text);
        return;
    }
    int error = target.pattern ? join_pattern(c, id, &target, &start)
                               : join_channel(c, id, &target, &start);
    if (error == FAN_E_LIMIT)
        channels_error(c, id, "the server has as many topics as it can");
    else if (error)
        conn_close(&c->ws.conn, "out of memory");
}

void channels_on_unsubscribe(struct client *c, struct json_value message)
{
    struct target target;
    if (!read_target(c, message, &target))
        return;
    if (target.pattern)
        subscriber_leave_pattern(&c->subscriber, topic_of(&target));
    else
        subscriber_leave(&c->subscriber, topic_of(&target));
    struct buf *out = channels_begin(c, channels_id(message));
    json_put_text(out, "status", "unsubscribed");
    json_put_slice(out, "channel", target.channel);
    channels_send(c, out);
}
