/*
 * A server inside another program; see fanfare/server.h.
 *
 * The server's loop gets a thread of its own here. The state below is the life of a server as the
 * program sees it: each call moves it one step on or is refused with a sentence. Publishers hold
 * its lock while they publish, so that stopping waits for them, and they for a start under way.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "fanfare/error.h"
#include "fanfare/server.h"
#include "server/private.h"
#include "server/socketio.h"

enum state { MADE, RUNNING, STOPPING, OVER };

struct fan_server {
    struct config *config;
    struct server *server;
    pthread_rwlock_t lock; /* of state */
    enum state state;
    pthread_mutex_t turn; /* of those who start, stop and register */
    uv_loop_t loop;
    uv_async_t stop;
    pthread_t thread; /* runs the loop */
    struct buf urls;  /* each with a NUL */
};

static int fail(struct fan_server_error *error, int code, struct buf *why)
{
    while (why->len && why->data[why->len - 1] == '\n')
        why->len--;
    if (error)
        snprintf(error->message, sizeof error->message, "%s", buf_text(why));
    buf_fini(why);
    return code;
}

/* ---- Making and freeing ---- */

/* A library does not begin to write files unasked. */
static const struct config_pair default_engine = {"engine", "memory"};

static bool chooses_engine(const char *name)
{
    return strcmp(name, "engine") == 0 || strcmp(name, "data") == 0 ||
           strcmp(name, "redis_url") == 0;
}

static int make_config(const struct fan_server_options *options, struct config **config,
                       struct buf *why)
{
    size_t count = options ? options->count : 0;
    struct config_pair *pairs = memory_zero((count + 1) * sizeof *pairs);
    bool chosen = false;
    for (size_t i = 0; i < count; i++) {
        pairs[i] = (struct config_pair){options->items[i].name, options->items[i].value};
        chosen = chosen || (pairs[i].name && chooses_engine(pairs[i].name));
    }
    if (!chosen)
        pairs[count++] = default_engine;
    int error = config_from_pairs(config, pairs, count, why);
    memory_free(pairs);
    if (!error)
        error = config_supported(*config, why);
    if (!error)
        error = server_configure_log(*config, why);
    return error;
}

int fan_server_new(const struct fan_server_options *options, struct fan_server **server,
                   struct fan_server_error *error)
{
    struct config *config = NULL;
    struct buf why = {0};
    *server = NULL;
    int code = make_config(options, &config, &why);
    if (code) {
        config_free(config);
        return fail(error, code, &why);
    }
    struct fan_server *s = memory_zero(sizeof *s);
    s->config = config;
    s->server = server_new(config);
    pthread_rwlock_init(&s->lock, NULL);
    pthread_mutex_init(&s->turn, NULL);
    buf_fini(&why);
    *server = s;
    return 0;
}

void fan_server_free(struct fan_server *s)
{
    if (!s)
        return;
    fan_server_stop(s);
    server_free(s->server);
    config_free(s->config);
    buf_fini(&s->urls);
    pthread_rwlock_destroy(&s->lock);
    pthread_mutex_destroy(&s->turn);
    memory_free(s);
}

/* ---- State ---- */

static void set_state(struct fan_server *s, enum state state)
{
    pthread_rwlock_wrlock(&s->lock);
    s->state = state;
    pthread_rwlock_unlock(&s->lock);
}

static enum state get_state(struct fan_server *s)
{
    pthread_rwlock_rdlock(&s->lock);
    enum state state = s->state;
    pthread_rwlock_unlock(&s->lock);
    return state;
}

static const char *why_not_running(enum state state)
{
    return state == MADE ? "the server is not running: call fan_server_start first"
                         : "the server has been stopped";
}

/* ---- The loop's thread ---- */

static void on_stop(uv_async_t *async)
{
    struct fan_server *s = async->data;
    server_drain(s->server);
}

static void on_drained(void *arg)
{
    struct fan_server *s = arg;
    uv_stop(&s->loop);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    uv_close(handle, NULL);
}

static void *run(void *arg)
{
    struct fan_server *s = arg;
    uv_run(&s->loop, UV_RUN_DEFAULT);
    return NULL;
}

static int start_thread(struct fan_server *s, struct buf *why)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&s->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure)
        buf_append_text(why, "the system has no thread for the server");
    return failure ? FAN_E_LIMIT : 0;
}

/* ---- Starting and stopping ---- */

static void note_urls(struct fan_server *s)
{
    for (size_t i = 0; server_append_url(s->server, i, &s->urls); i++)
        buf_append_char(&s->urls, '\0');
}

static void end(struct fan_server *s)
{
    server_stop(s->server);
    uv_walk(&s->loop, close_handle, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_loop_close(&s->loop);
}

static int start(struct fan_server *s, struct buf *why)
{
    const struct server_owner owner = {.loop = &s->loop, .drained = on_drained, .arg = s};
    if (uv_loop_init(&s->loop) != 0) {
        buf_append_text(why, "the system has no descriptors for the server");
        return FAN_E_LIMIT;
    }
    uv_async_init(&s->loop, &s->stop, on_stop);
    s->stop.data = s;
    int error = server_start(s->server, &owner, why);
    if (!error)
        error = start_thread(s, why);
    if (error) {
        end(s);
        return error;
    }
    note_urls(s);
    server_log_start(s->server);
    return 0;
}

/* Callbacks that come before it has returned and publish wait for the lock. */
static int start_locked(struct fan_server *s, struct buf *why)
{
    pthread_rwlock_wrlock(&s->lock);
    int error = start(s, why);
    s->state = error ? OVER : RUNNING;
    pthread_rwlock_unlock(&s->lock);
    return error;
}

int fan_server_start(struct fan_server *s, struct fan_server_error *error)
{
    struct buf why = {0};
    int code = FAN_E_EXISTS;
    pthread_mutex_lock(&s->turn);
    enum state state = get_state(s);
    if (state == MADE)
        code = start_locked(s, &why);
    else if (state == RUNNING)
        buf_append_text(&why, "the server is running already");
    else
        buf_append_text(&why, "a server is started once: make a new one with fan_server_new");
    pthread_mutex_unlock(&s->turn);
    if (code)
        return fail(error, code, &why);
    buf_fini(&why);
    return 0;
}

const char *fan_server_url(const struct fan_server *s, size_t i)
{
    size_t at = 0;
    for (; at < s->urls.len && i > 0; i--)
        at += strlen(s->urls.data + at) + 1;
    return at < s->urls.len ? s->urls.data + at : NULL;
}

int fan_server_stop(struct fan_server *s)
{
    if (server_is_own_thread(s->server))
        return FAN_E_INVALID;
    pthread_mutex_lock(&s->turn);
    if (get_state(s) == RUNNING) {
        set_state(s, STOPPING);
        uv_async_send(&s->stop);
        pthread_join(s->thread, NULL);
        end(s);
        set_state(s, OVER);
        log_info("server", "stopped");
    }
    pthread_mutex_unlock(&s->turn);
    return 0;
}

/* ---- What the program adds ---- */

static int fail_late(struct fan_server_error *error)
{
    struct buf why = {0};
    buf_append_text(&why, "endpoints are registered before the server is started");
    return fail(error, FAN_E_INVALID, &why);
}

int fan_server_websocket(struct fan_server *s, const char *path,
                         const struct fan_websocket_handler *handler, void *arg,
                         struct fan_server_error *error)
{
    struct buf why = {0};
    int code = FAN_E_INVALID;
    if (server_is_own_thread(s->server)) /* whoever has the turn may be waiting for it */
        return fail_late(error);
    pthread_mutex_lock(&s->turn);
    enum state state = get_state(s);
    if (state == MADE)
        code = endpoint_add(&s->server->endpoints, path, handler, arg, &why);
    pthread_mutex_unlock(&s->turn);
    if (state != MADE)
        return fail_late(error);
    if (code)
        return fail(error, code, &why);
    buf_fini(&why);
    return 0;
}

/* A namespace (name), or the sessions at /engine.io/ (NULL). NULL, and *code says why. */
static struct program_space *add_space(struct fan_server *s, const char *name, void *arg, int *code,
                                       struct fan_server_error *error)
{
    struct room_space **spaces = &s->server->delivery_options.rooms.spaces;
    struct program_space *added = NULL;
    struct buf why = {0};
    enum state state = RUNNING;
    *code = FAN_E_INVALID;
    if (!server_is_own_thread(s->server)) { /* whoever has the turn may be waiting for it */
        pthread_mutex_lock(&s->turn);
        state = get_state(s);
        if (state == MADE)
            *code = program_space_add(&s->server->spaces, spaces, name, arg, &added, &why);
        pthread_mutex_unlock(&s->turn);
    }
    if (state != MADE)
        fail_late(error);
    else if (*code)
        fail(error, *code, &why);
    buf_fini(&why);
    return *code ? NULL : added;
}

int fan_server_namespace(struct fan_server *s, const char *name,
                         const struct fan_namespace_handler *handler, void *arg,
                         struct fan_server_error *error)
{
    int code;
    struct program_space *space = add_space(s, name ? name : "", arg, &code, error);
    if (space)
        program_space_set_handler(space, handler);
    return code;
}

int fan_server_engineio(struct fan_server *s, const struct fan_engineio_handler *handler, void *arg,
                        struct fan_server_error *error)
{
    struct buf why = {0};
    int code;
    if (s->server->delivery_options.rooms.engine) {
        BUF_LITERAL(&why, "there is a handler for /engine.io/ already");
        return fail(error, FAN_E_EXISTS, &why);
    }
    struct program_space *space = add_space(s, NULL, arg, &code, error);
    if (space) {
        space->engine = *handler;
        s->server->delivery_options.rooms.engine = space->space;
    }
    return code;
}

static int emit(struct fan_server *s, const char *name, const char *room, const char *event,
                const struct fan_arguments *arguments, const struct call *model)
{
    struct program_space *space = name ? program_space_find(s->server->spaces, name) : NULL;
    if (!space)
        return FAN_E_NOT_FOUND;
    pthread_rwlock_rdlock(&s->lock);
    int code = FAN_E_CLOSED;
    if (s->state == RUNNING)
        code = program_space_emit(space, room, event, arguments, model);
    pthread_rwlock_unlock(&s->lock);
    return code;
}

int fan_namespace_emit(struct fan_server *s, const char *name, const char *room, const char *event,
                       const struct fan_arguments *arguments)
{
    return emit(s, name, room, event, arguments, NULL);
}

int fan_namespace_call(struct fan_server *s, const char *name, const char *room, const char *event,
                       const struct fan_arguments *arguments, unsigned timeout_ms,
                       fan_answer_fn *answer, void *arg)
{
    const struct call model = {.timeout_ms = timeout_ms, .answer = answer, .arg = arg};
    return answer ? emit(s, name, room, event, arguments, &model) : FAN_E_INVALID;
}

static int publish(struct fan_server *s, const struct api_event *event, struct buf *why)
{
    pthread_rwlock_rdlock(&s->lock);
    int code = FAN_E_CLOSED;
    if (s->state == RUNNING)
        code = server_publish(s->server, event, why);
    else
        buf_append_text(why, why_not_running(s->state));
    pthread_rwlock_unlock(&s->lock);
    return code;
}

int fan_server_publish(struct fan_server *s, const char *topic, const char *type, const char *data,
                       size_t size, struct fan_server_error *error)
{
    struct buf why = {0};
    const struct api_event event = {
        .topic = slice_from(topic ? topic : ""),
        .type = slice_from(type ? type : ""),
        .data = data ? slice_of(data, size) : SLICE("{}"),
        .source = SLICE("program"),
    };
    int code = publish(s, &event, &why);
    if (code)
        return fail(error, code, &why);
    buf_fini(&why);
    return 0;
}

static int publish_for_broadcast(void *context, const char *topic, const char *type,
                                 const char *data, size_t size)
{
    return fan_server_publish(context, topic, type, data, size, NULL);
}

struct fan_publisher fan_server_publisher(struct fan_server *s)
{
    return (struct fan_publisher){publish_for_broadcast, s};
}
