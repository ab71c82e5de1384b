/* Watched projects: their events are published to their sessions, from the watchers' threads. */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "codec/json.h"
#include "fanfare/error.h"
#include "fanfare/watcher.h"
#include "server/private.h"

struct server_watch {
    struct server_watch *next;
    struct server *server;
    struct fan_watcher *watcher;
    char *path;
    char *topic; /* "session:<id>" */
    atomic_uint_least64_t published, refused;
};

static void on_event(void *arg, const char *type, const char *data, size_t len)
{
    struct server_watch *w = arg;
    struct buf why = {0};
    const struct api_event event = {
        .topic = slice_from(w->topic),
        .type = slice_from(type),
        .data = slice_of(data, len),
        .source = SLICE("watch"),
    };
    int error = server_publish(w->server, &event, &why);
    atomic_fetch_add(error ? &w->refused : &w->published, 1);
    if (error)
        log_error("watch", "cannot publish", LOG_TEXT("path", w->path), LOG_TEXT("type", type),
                  LOG_TEXT("reason", buf_text(&why)));
    buf_fini(&why);
}

static bool has_checkpoint(void *arg, const char *checkpoint_id)
{
    struct server_watch *w = arg;
    return hub_has_checkpoint(w->server->hub, slice_from(w->topic), slice_from(checkpoint_id));
}

/* The session: as given, else configured, else after the directory, as `fanfare watch` names it. */
static void name_topic(const struct config *config, const char *path, struct slice given,
                       struct buf *topic)
{
    BUF_LITERAL(topic, "session:");
    if (given.len)
        buf_append_slice(topic, given);
    else if (config->session[0])
        buf_append_text(topic, config->session);
    else
        config_session_of_directory(path, topic);
}

static void free_watch(struct server_watch *w)
{
    fan_watcher_free(w->watcher);
    memory_free(w->path);
    memory_free(w->topic);
    memory_free(w);
}

static int start_one(struct server *s, const char *item, struct buf *why)
{
    struct slice path, session;
    struct buf topic = {0};
    struct fan_watcher_error problem;
    struct server_watch *w = memory_zero(sizeof *w);
    config_watch_split(item, &path, &session);
    w->server = s;
    w->path = memory_copy_string(path);
    name_topic(s->config, w->path, session, &topic);
    w->topic = memory_copy_string(buf_slice(&topic));
    buf_fini(&topic);
    int error = fan_watcher_new(
        &(struct fan_watcher_options){
            .path = w->path,
            .directory = s->config->watch_directory,
            .arg = w,
            .event = on_event,
            .has_checkpoint = has_checkpoint,
        },
        &w->watcher, &problem);
    if (error) {
        buf_printf(why, "--watch %s", problem.message); /* begins with the path */
        free_watch(w);
        return error;
    }
    log_info("watch", "watching", LOG_TEXT("path", w->path), LOG_TEXT("topic", w->topic));
    pthread_mutex_lock(&s->watch_lock);
    w->next = s->watches;
    s->watches = w;
    pthread_mutex_unlock(&s->watch_lock);
    return 0;
}

int server_watch_start(struct server *s, struct buf *why)
{
    for (size_t i = 0; i < s->config->watch.count; i++) {
        int error = start_one(s, s->config->watch.items[i], why);
        if (error)
            return error;
    }
    return 0;
}

void server_watch_stop(struct server *s)
{
    pthread_mutex_lock(&s->watch_lock);
    struct server_watch *watches = s->watches;
    s->watches = NULL;
    pthread_mutex_unlock(&s->watch_lock);
    for (struct server_watch *w = watches; w; w = w->next)
        fan_watcher_stop(w->watcher);
    while (watches) {
        struct server_watch *w = watches;
        watches = w->next;
        free_watch(w);
    }
}

void server_watch_health(struct server *s, struct buf *out)
{
    pthread_mutex_lock(&s->watch_lock);
    for (struct server_watch *w = s->watches; w; w = w->next) {
        if (out->data[out->len - 1] == '}')
            buf_append_char(out, ',');
        BUF_LITERAL(out, "{\"name\":\"watch\",\"path\":");
        json_append_lossy(out, slice_from(w->path));
        BUF_LITERAL(out, ",\"topic\":");
        json_append_string(out, slice_from(w->topic));
        buf_printf(out, ",\"status\":\"%s\",\"published\":%llu,\"refused\":%llu}",
                   fan_watcher_is_polling(w->watcher) ? "polling" : "watching",
                   (unsigned long long)atomic_load(&w->published),
                   (unsigned long long)atomic_load(&w->refused));
    }
    pthread_mutex_unlock(&s->watch_lock);
}
