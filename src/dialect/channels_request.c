/*
 * Requests of the dialect `channels`: status, presence, history, and those that need a source which
 * is not configured.
 *
 * Presence is asked of all workers, so its answer comes later; the client keeps a list of what it
 * waits for and takes itself out of it when it goes.
 */
#include <stdio.h>

#include "base/list.h"
#include "base/memory.h"
#include "codec/cursor.h"
#include "dialect/channels_private.h"
#include "dialect/dialect.h"
#include "fanfare/error.h"
#include "net/conn_log.h"

#define HISTORY_LIMIT     100
#define HISTORY_LIMIT_MAX 1000
#define HISTORY_BYTES     (512 * 1024)
#define WAITING_MAX       16 /* requests of one client that wait for their answer */

/* What a handler gets. */
struct request {
    struct client *client;
    struct slice id;
    struct json_value message, data; /* data: an object, or null */
};

/* An argument in data, or beside it. */
static struct json_value argument(const struct request *r, const char *name)
{
    struct json_value value = {JSON_NULL, SLICE("null")};
    if (r->data.kind == JSON_OBJECT)
        value = message_member(r->data, name);
    return value.kind == JSON_NULL ? message_member(r->message, name) : value;
}

/* The topic of the argument `channel`; false: it was answered with an error. */
static bool read_channel(const struct request *r, struct buf *topic)
{
    struct slice channel;
    if (json_string_plain(argument(r, "channel"), &channel) && http_identifier_valid(channel)) {
        if (!channels_may_read(r->client, r->id, channel))
            return false;
        BUF_LITERAL(topic, "channel:");
        buf_append_slice(topic, channel);
        return !topic->failed;
    }
    channels_error(r->client, r->id,
                   "channel must be a name of 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -");
    return false;
}

/* ---- get-status ---- */

static void put_topic(void *arg, struct slice name, bool pattern)
{
    struct buf *out = arg;
    struct buf text = {0};
    buf_append_slice(&text, slice_skip(name, strlen("channel:")));
    if (pattern)
        buf_append_char(&text, '*');
    json_put_slice(out, NULL, buf_slice(&text));
    out->failed |= text.failed;
    buf_fini(&text);
}

static void get_status(const struct request *r)
{
    static const char *const sources[] = {"files",      "diagnostics", "search",
                                          "validation", "git",         "ai"};
    char id[CONN_ID_SIZE];
    conn_format_id(&r->client->ws.conn, id);
    struct buf *out = channels_begin(r->client, r->id);
    json_put_text(out, "status", "connected");
    json_put_text(out, "connectionId", id);
    json_put_text(out, "cwd", NULL);
    json_begin(out, "subscriptions", '[');
    subscriber_each(&r->client->subscriber, put_topic, out);
    json_end(out, ']');
    json_begin(out, "sources", '{');
    for (unsigned i = 0; i < sizeof sources / sizeof *sources; i++)
        json_put_text(out, sources[i], "not configured");
    json_end(out, '}');
    channels_send(r->client, out);
}

/* ---- presence ---- */

struct waiting {
    struct list link; /* of the client's list */
    struct client *client;
    struct slice id;
    struct buf topic;
    char id_text[];
};

struct waiting_list {
    struct list all;
    unsigned count;
};

static void forget(struct waiting *w)
{
    if (w->client)
        ((struct waiting_list *)w->client->state)->count--;
    list_remove(&w->link);
    w->client = NULL;
}

void channels_forget_requests(struct client *c)
{
    struct waiting_list *list = c->state;
    if (!list)
        return;
    LIST_EACH (link, &list->all)
        forget(CONTAINER(link, struct waiting, link));
    memory_free(list);
    c->state = NULL;
}

static void presence_known(void *token, struct buf *array)
{
    struct waiting *w = token;
    struct client *c = w->client;
    if (c) {
        forget(w);
        struct buf *out = channels_begin(c, w->id);
        json_put_slice(out, "channel", slice_skip(buf_slice(&w->topic), strlen("channel:")));
        json_put_u64(out, "count", json_count(buf_slice(array)));
        json_put_raw(out, "connections", buf_slice(array));
        channels_send(c, out);
    }
    buf_fini(&w->topic);
    memory_free(w);
}

static struct waiting *wait_for_answer(const struct request *r)
{
    struct waiting_list *list = r->client->state;
    if (!list) {
        list = r->client->state = memory_try_alloc(sizeof *list);
        if (!list)
            return NULL;
        list_init(&list->all);
        list->count = 0;
    }
    struct waiting *w = memory_try_alloc(sizeof *w + r->id.len);
    if (!w)
        return NULL;
    *w = (struct waiting){.client = r->client};
    if (r->id.len)
        memcpy(w->id_text, r->id.ptr, r->id.len);
    w->id = slice_of(w->id_text, r->id.len);
    list_append(&list->all, &w->link);
    list->count++;
    return w;
}

static void presence(const struct request *r)
{
    const struct delivery *d = client_delivery(r->client);
    const struct waiting_list *list = r->client->state;
    struct buf topic = {0};
    if (list && list->count >= WAITING_MAX) {
        channels_error(r->client, r->id, "too many requests wait for their answers; ask again");
        return;
    }
    if (!read_channel(r, &topic))
        return;
    struct waiting *w = wait_for_answer(r);
    if (!w) {
        buf_fini(&topic);
        conn_close(&r->client->ws.conn, "out of memory");
        return;
    }
    w->topic = topic;
    d->options->presence(d->options->presence_arg, d->worker, buf_slice(&w->topic), w,
                         presence_known);
}

/* ---- history ---- */

static bool read_number(const struct request *r, const char *name, uint64_t max, uint64_t *n)
{
    struct json_value value = argument(r, name);
    int64_t number;
    char text[80];
    if (value.kind == JSON_NULL)
        return true;
    if (value.kind == JSON_NUMBER && json_integer(value, &number) && number >= 0 &&
        (uint64_t)number <= max) {
        *n = (uint64_t)number;
        return true;
    }
    snprintf(text, sizeof text, "%s must be a whole number from 0 to %llu", name,
             (unsigned long long)max);
    channels_error(r->client, r->id, text);
    return false;
}

static void history(const struct request *r)
{
    uint64_t since = 0, limit = HISTORY_LIMIT;
    struct buf topic = {0};
    struct topic_page page = {0};
    char epoch[EPOCH_TEXT_SIZE];
    if (!read_number(r, "since", 999999999999999, &since) ||
        !read_number(r, "limit", HISTORY_LIMIT_MAX, &limit) || !read_channel(r, &topic))
        return;
    struct event **events = memory_try_alloc((limit + 1) * sizeof(struct event *));
    if (!events) {
        buf_fini(&topic);
        conn_close(&r->client->ws.conn, "out of memory");
        return;
    }
    int unknown = hub_topic_page(client_delivery(r->client)->hub, buf_slice(&topic), since,
                                 (unsigned)limit, HISTORY_BYTES, events, &page);
    struct buf *out = channels_begin(r->client, r->id);
    json_put_slice(out, "channel", slice_skip(buf_slice(&topic), strlen("channel:")));
    json_begin(out, "events", '[');
    for (unsigned i = 0; i < page.count; i++) {
        json_put_name(out, NULL);
        channels_append_event(out, events[i], event_place_in(events[i], buf_slice(&topic)));
        event_unref(events[i]);
    }
    json_end(out, ']');
    json_put_u64(out, "offset", page.offset);
    if (!unknown) {
        epoch_format(page.epoch, epoch);
        json_put_text(out, "epoch", epoch);
        json_put_u64(out, "available_from", page.first_offset);
    }
    channels_send(r->client, out);
    memory_free(events);
    buf_fini(&topic);
}

/* ---- refresh-token ---- */

static void refresh_token(const struct request *r)
{
    client_refresh_token(r->client, r->message, argument(r, "token"));
}

/* ---- All of them ---- */

static void no_workspace(const struct request *r)
{
    channels_error(r->client, r->id, "not configured: this server has no workspace");
}

static void no_validation(const struct request *r)
{
    channels_error(r->client, r->id, "not configured: this server has no validation commands");
}

static void no_language_server(const struct request *r)
{
    channels_error(r->client, r->id, "not configured: this server has no language servers");
}

static const struct {
    const char *name;
    void (*handle)(const struct request *r);
} requests[] = {
    {"get-status", get_status},
    {"presence", presence},
    {"history", history},
    {"refresh-token", refresh_token},
    {"list-files", no_workspace},
    {"read-file", no_workspace},
    {"search", no_workspace},
    {"git-status", no_workspace},
    {"run-validation", no_validation},
    {"diagnostics", no_language_server},
};

void channels_on_request(struct client *c, struct json_value message)
{
    struct json_value handler = message_member(message, "handler");
    const struct request r = {c, channels_id(message), message, message_member(message, "data")};
    for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++)
        if (json_string_is(handler, requests[i].name)) {
            requests[i].handle(&r);
            return;
        }
    message_refuse(c, message, "unknown_handler",
                   "handler must be one of get-status, list-files, read-file, search, git-status, "
                   "run-validation, diagnostics, presence, history, refresh-token");
}
