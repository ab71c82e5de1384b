/* The public side of a publishing client: options, the spool's entrance, waiting; see
 * fanfare/client.h. The thread behind it is sender.c. */
#include "fanfare/client.h"

#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "client/sender.h"
#include "codec/json.h"
#include "codec/utf8.h"

#define DEFAULT_SPOOL ((size_t)16 * 1024 * 1024)
#define CONNECT_MS    10000

/* ---- Making and freeing ---- */

static char *copy_or_null(const char *text)
{
    return text && *text ? memory_copy_string(slice_from(text)) : NULL;
}

/* A token goes into a header: anything that could end that is refused. */
static int check_token(const char *token, struct buf *why)
{
    for (; token && *token; token++)
        if (*token <= ' ' || *token > '~') {
            BUF_LITERAL(why, "the token has characters that a header cannot carry");
            return FAN_E_INVALID;
        }
    return 0;
}

static int check_ca_file(const char *path, struct buf *why)
{
    if (!path || access(path, R_OK) == 0)
        return 0;
    buf_printf(why, "%s: the file with certificates cannot be read", path);
    return FAN_E_INVALID;
}

static void client_destroy(struct fan_client *c)
{
    struct list *lists[] = {&c->unsent, &c->in_flight};
    for (int i = 0; i < 2; i++)
        LIST_EACH (link, lists[i])
            memory_free(CONTAINER(link, struct spooled, link));
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    close(c->target.wake);
    memory_free(c->token);
    memory_free(c->source);
    memory_free(c->ca_file);
    memory_free(c);
}

static void init_lock(struct fan_client *c)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&c->lock, NULL);
}

/* The thread must not take the program's signals. */
static int start_thread(struct fan_client *c)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&c->thread, NULL, sender_run, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure ? FAN_E_NO_MEMORY : 0;
}

static struct fan_client *client_make(const struct fan_client_options *o, const struct url *url,
                                      int wake)
{
    struct fan_client *c = memory_zero(sizeof *c);
    c->token = copy_or_null(o->token);
    c->source = copy_or_null(o->source);
    c->ca_file = copy_or_null(o->ca_file);
    c->target = (struct stream_target){
        .url = *url, .ca_file = c->ca_file, .wake = wake, .timeout_ms = CONNECT_MS};
    c->spool_limit = o->spool_bytes ? o->spool_bytes : DEFAULT_SPOOL;
    c->on_problem = o->on_problem;
    c->arg = o->arg;
    c->nice = o->nice;
    random_text(c->id_prefix, sizeof c->id_prefix - 1);
    list_init(&c->unsent);
    list_init(&c->in_flight);
    init_lock(c);
    return c;
}

int fan_client_new(const struct fan_client_options *options, struct fan_client **client, char *why,
                   size_t why_size)
{
    struct buf reason = {0};
    struct url url;
    *client = NULL;
    int error = url_parse(options->url ? options->url : "", &url, &reason);
    if (!error)
        error = check_token(options->token, &reason);
    if (!error)
        error = check_ca_file(options->ca_file, &reason);
    int wake = error ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!error && wake < 0)
        error = FAN_E_IO;
    if (!error) {
        struct fan_client *c = client_make(options, &url, wake);
        error = start_thread(c);
        if (error)
            client_destroy(c);
        else
            *client = c;
    }
    if (why && why_size)
        snprintf(why, why_size, "%s", reason.len ? buf_text(&reason) : fan_error_text(error));
    buf_fini(&reason);
    return error;
}

/* Ends the thread's poll. */
static void wake_thread(struct fan_client *c)
{
    ssize_t n = write(c->target.wake, &(uint64_t){1}, sizeof(uint64_t));
    (void)n; /* full means that it is awake already */
}

void fan_client_free(struct fan_client *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    wake_thread(c);
    pthread_join(c->thread, NULL);
    client_destroy(c);
}

/* ---- Into the spool ---- */

static int spool_add(struct fan_client *c, struct slice json, uint64_t tag)
{
    size_t cost = spooled_cost(json.len);
    if (cost > c->spool_limit)
        return FAN_E_TOO_LARGE;
    struct spooled *event = memory_try_alloc(cost);
    if (!event)
        return FAN_E_NO_MEMORY;
    *event = (struct spooled){.tag = tag, .len = json.len};
    memcpy(event->json, json.ptr, json.len);
    pthread_mutex_lock(&c->lock);
    bool full = c->stats.spool_bytes + cost > c->spool_limit;
    bool wake = !full && c->asleep;
    if (full) {
        c->stats.refused_full++;
    } else {
        event->number = ++c->accepted;
        c->stats.accepted++;
        c->stats.spool_events++;
        c->stats.spool_bytes += cost;
        if (list_empty(&c->unsent))
            pthread_cond_broadcast(&c->changed);
        list_append(&c->unsent, &event->link);
        c->asleep = false;
    }
    pthread_mutex_unlock(&c->lock);
    if (wake)
        wake_thread(c);
    if (full)
        memory_free(event);
    return full ? FAN_E_LIMIT : 0;
}

/* An id that no other event has: the client's and the thread's random prefix, and a number. */
static void append_id(struct fan_client *c, struct buf *out)
{
    static _Thread_local uint64_t counter;
    static _Thread_local char thread_prefix[9];
    if (!thread_prefix[0])
        random_text(thread_prefix, sizeof thread_prefix - 1);
    buf_printf(out, "\"id\":\"%s-%s-%llu\"", c->id_prefix, thread_prefix,
               (unsigned long long)++counter);
}

static int append_member(struct buf *out, const char *name, const char *text)
{
    if (!text)
        return 0;
    if (!utf8_valid(slice_from(text)))
        return FAN_E_INVALID;
    buf_printf(out, ",\"%s\":", name);
    json_append_string(out, slice_from(text));
    return 0;
}

static int append_event(struct fan_client *c, struct buf *out, const struct fan_client_event *e)
{
    struct json_value data = {.kind = JSON_OBJECT, .text = SLICE("{}")};
    if ((e->topic && !*e->topic) || !e->type || !*e->type)
        return FAN_E_INVALID;
    if (e->id && !utf8_valid(slice_from(e->id)))
        return FAN_E_INVALID;
    if (e->data && (json_parse(slice_from(e->data), &data, NULL) || data.kind != JSON_OBJECT))
        return FAN_E_PARSE;
    BUF_LITERAL(out, "{");
    if (e->id) {
        BUF_LITERAL(out, "\"id\":");
        json_append_string(out, slice_from(e->id));
    } else {
        append_id(c, out);
    }
    const struct {
        const char *name, *text;
    } members[] = {
        {"topic", e->topic},
        {"type", e->type},
        {"time", e->time},
        {"key", e->key},
        {"source", e->source ? e->source : c->source},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (append_member(out, members[i].name, members[i].text))
            return FAN_E_INVALID;
    buf_append_text(out, e->ephemeral ? ",\"ephemeral\":true,\"data\":" : ",\"data\":");
    buf_append_slice(out, data.text);
    BUF_LITERAL(out, "}");
    return out->failed ? FAN_E_NO_MEMORY : 0;
}

int fan_client_publish_event(struct fan_client *c, const struct fan_client_event *event)
{
    struct buf json = {0};
    int error = append_event(c, &json, event);
    if (!error)
        error = spool_add(c, buf_slice(&json), event->tag);
    buf_fini(&json);
    return error;
}

int fan_client_publish(struct fan_client *c, const char *topic, const char *type, const char *data)
{
    return fan_client_publish_event(
        c, &(struct fan_client_event){.topic = topic, .type = type, .data = data});
}

/* Copies the object, with id and source put in front where it has none. */
static void append_completed(struct fan_client *c, struct buf *out, struct slice object,
                             const bool found[2])
{
    struct slice rest = slice_skip(object, 1);
    bool source = !found[1] && c->source;
    BUF_LITERAL(out, "{");
    if (!found[0])
        append_id(c, out);
    if (source) {
        buf_append_text(out, found[0] ? "\"source\":" : ",\"source\":");
        json_append_string(out, slice_from(c->source));
    }
    size_t blank = 0;
    while (blank < rest.len && strchr(" \t\r\n", rest.ptr[blank]))
        blank++;
    if ((!found[0] || source) && rest.ptr[blank] != '}')
        BUF_LITERAL(out, ",");
    buf_append_slice(out, rest);
}

int fan_client_publish_json(struct fan_client *c, const char *event, size_t len, uint64_t tag,
                            char *why, size_t why_size)
{
    static const struct slice names[2] = {{"id", 2}, {"source", 6}};
    struct json_value values[2];
    bool found[2];
    struct json_error problem = {.at = 0, .message = "expected a JSON object"};
    struct slice text = slice_of(event, len);
    int error = json_scan_object(text, names, 2, values, found, &problem);
    if (error) {
        if (why && why_size)
            snprintf(why, why_size, "%s at byte %zu",
                     error == FAN_E_INVALID ? "expected a JSON object" : problem.message,
                     problem.at);
        return error == FAN_E_TRUNCATED || error == FAN_E_INVALID ? FAN_E_PARSE : error;
    }
    while (strchr(" \t\r\n", *text.ptr))
        text = slice_skip(text, 1);
    struct buf json = {0};
    append_completed(c, &json, text, found);
    error = json.failed ? FAN_E_NO_MEMORY : spool_add(c, buf_slice(&json), tag);
    buf_fini(&json);
    if (error && why && why_size)
        snprintf(why, why_size, "%s", fan_error_text(error));
    return error;
}

static int publish_for_broadcast(void *context, const char *topic, const char *type,
                                 const char *data, size_t size)
{
    char *text = memory_try_alloc(size + 1);
    if (!text)
        return FAN_E_NO_MEMORY;
    memcpy(text, data, size);
    text[size] = '\0';
    int error = fan_client_publish(context, topic, type, text);
    memory_free(text);
    return error;
}

struct fan_publisher fan_client_publisher(struct fan_client *c)
{
    return (struct fan_publisher){publish_for_broadcast, c};
}

/* ---- Waiting ---- */

static struct timespec deadline_after(int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return until;
}

/* Waits for a change, under the lock. False: the time is over. */
static bool await_change(struct fan_client *c, int timeout_ms, const struct timespec *until)
{
    if (timeout_ms < 0)
        return pthread_cond_wait(&c->changed, &c->lock) == 0;
    return pthread_cond_timedwait(&c->changed, &c->lock, until) == 0;
}

int fan_client_wait_room(struct fan_client *c, size_t bytes, int timeout_ms)
{
    /* The id and source that may be added, as JSON: at most six bytes for one. */
    size_t cost = spooled_cost(bytes) + 96 + (c->source ? 6 * strlen(c->source) : 0);
    struct timespec until = deadline_after(timeout_ms < 0 ? 0 : timeout_ms);
    if (cost > c->spool_limit)
        return FAN_E_TOO_LARGE;
    pthread_mutex_lock(&c->lock);
    bool more = true;
    while (more && c->stats.spool_bytes + cost > c->spool_limit)
        more = await_change(c, timeout_ms, &until);
    bool room = c->stats.spool_bytes + cost <= c->spool_limit;
    pthread_mutex_unlock(&c->lock);
    return room ? 0 : FAN_E_TIMEOUT;
}

int fan_client_flush(struct fan_client *c, int timeout_ms)
{
    struct timespec until = deadline_after(timeout_ms < 0 ? 0 : timeout_ms);
    pthread_mutex_lock(&c->lock);
    uint64_t wanted = c->accepted;
    bool more = true;
    c->flushing++;
    pthread_cond_broadcast(&c->changed); /* ends a long pause */
    while (more && c->done < wanted)
        more = await_change(c, timeout_ms, &until);
    c->flushing--;
    bool done = c->done >= wanted;
    pthread_mutex_unlock(&c->lock);
    return done ? 0 : FAN_E_TIMEOUT;
}

void fan_client_stats(struct fan_client *c, struct fan_client_stats *stats)
{
    pthread_mutex_lock(&c->lock);
    *stats = c->stats;
    pthread_mutex_unlock(&c->lock);
}
