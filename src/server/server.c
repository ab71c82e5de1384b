/*
 * The server: its parts made, started, stopped and freed; see server.h.
 *
 * On the owner's loop runs only the clockwork (the hub's tick, the drain); everything else happens
 * on the workers and the watchers' threads.
 */
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/platform.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "dialect/rooms_recovery.h"
#include "dialect/rooms_space.h"
#include "fanfare/error.h"
#include "server/private.h"
#include "server/socketio.h"
#include "server/storage.h"

#define TICK_MS        1000
#define TICK_FINEST_MS 10 /* of the workers */

static const enum flush_choice flush_map[] = {
    [CONFIG_FLUSH_AUTO] = FLUSH_AUTO,
    [CONFIG_FLUSH_URING] = FLUSH_URING,
    [CONFIG_FLUSH_SEND] = FLUSH_SEND,
};

static const struct worker_ops worker_ops = {
    .turn = delivery_turn,
    .after_flush = delivery_after_flush,
    .closed = delivery_conn_closed,
};

/* ---- Preparing ---- */

/* Returns how many descriptors there may be. A process that is not ours keeps its limit unless the
 * configuration names another. */
static unsigned raise_descriptors(uint64_t wanted, bool owns_process)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    rlim_t aim = wanted && wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if ((owns_process || wanted) && aim != RLIM_INFINITY && aim > limit.rlim_cur) {
        limit.rlim_cur = aim;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 1000000 ? 1000000 : (unsigned)limit.rlim_cur;
}

static bool is_trusted_proxy(void *arg, const char *address)
{
    struct server *s = arg;
    return server_is_trusted(server_settings_now(s)->config, slice_from(address));
}

/* Fine enough that the shortest time that is waited for is missed by no more than a twentieth. */
static unsigned tick_for(uint64_t shortest_ms)
{
    uint64_t tick = shortest_ms / 20;
    return tick < TICK_FINEST_MS   ? TICK_FINEST_MS
           : tick > WORKER_TICK_MS ? WORKER_TICK_MS
                                   : (unsigned)tick;
}

static void prepare_net(struct server *s)
{
    s->shared.peers = peer_table_new();
    s->shared.trusted = is_trusted_proxy;
    s->shared.trusted_arg = s;
    s->shared.deflate_threshold = s->config->deflate.threshold;
    s->shared.deflate_level = (int)s->config->deflate.level;
    s->shared.tick_ms =
        tick_for(s->config->rooms.ping_interval_ms < s->config->rooms.ping_timeout_ms
                     ? s->config->rooms.ping_interval_ms
                     : s->config->rooms.ping_timeout_ms);
}

static bool is_listed(const struct config_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], name) == 0)
            return true;
    return false;
}

/* One that the embedding program has registered is the program's. */
static void prepare_namespaces(struct server *s)
{
    const struct config_list *names = &s->config->rooms.namespaces;
    for (size_t i = 0; i < names->count; i++) {
        struct room_space *space;
        if (room_space_add(&s->delivery_options.rooms.spaces, slice_from(names->items[i]), NULL,
                           NULL, &space) == 0)
            space->recovers = !is_listed(&s->config->rooms.without_recovery, names->items[i]);
    }
}

static void prepare_delivery(struct server *s)
{
    delivery_options_init(&s->delivery_options);
    s->delivery_options.deflate[DIALECT_BUILD] = s->config->deflate.build;
    s->delivery_options.deflate[DIALECT_IDE] = s->config->deflate.ide;
    s->delivery_options.deflate[DIALECT_CHANNELS] = s->config->deflate.channels;
    s->delivery_options.deflate[DIALECT_ROOMS] = s->config->deflate.rooms;
    prepare_namespaces(s);
    s->delivery_options.presence = server_presence;
    s->delivery_options.presence_arg = s;
    s->delivery_options.deflate_threshold = s->config->deflate.threshold;
    s->delivery_options.deflate_level = (int)s->config->deflate.level;
}

static void wake_worker(void *arg)
{
    struct worker *w = arg;
    if (!worker_is_current(w))
        worker_wake(w);
    else
        w->busy = true;
}

static int make_workers(struct server *s, struct buf *why)
{
    s->workers = memory_zero((size_t)s->config->workers * sizeof *s->workers);
    s->delivery_options.workers = s->workers;
    s->delivery_options.worker_count = (unsigned)s->config->workers;
    for (; s->worker_count < s->config->workers; s->worker_count++) {
        struct worker *w = &s->workers[s->worker_count];
        const struct worker_config config = {
            .index = s->worker_count,
            .ops = &worker_ops,
            .app = &s->app,
            .shared = &s->shared,
            .conn_size = sizeof(struct client),
        };
        if (worker_init(w, &config) != 0) {
            buf_printf(why, "cannot set up a worker: %s", strerror(errno));
            return FAN_E_IO;
        }
        w->context = delivery_new(s->hub, w, &s->delivery_options);
        hub_set_wake(s->hub, s->worker_count, wake_worker, w);
    }
    return 0;
}

static int publish_for_api(void *arg, const struct api_event *event, struct buf *why)
{
    return server_publish(arg, event, why);
}

static const char *webhook_secret(void *arg)
{
    return server_settings_now(arg)->config->github_webhook_secret;
}

/* Records are kept where the data directory is, if there is one. */
static struct platform *make_platform(const struct config *config)
{
    struct buf path = {0};
    bool kept = config->data_given || config->engine != CONFIG_ENGINE_MEMORY;
    buf_printf(&path, "%s/projects.db", config->data);
    struct platform *platform = platform_new(kept ? buf_text(&path) : NULL);
    buf_fini(&path);
    return platform;
}

static void prepare_api(struct server *s)
{
    s->app = (struct http_app){.request = server_request, .context = &s->api};
    s->api.hub = s->hub;
    s->api.shared = &s->shared;
    s->api.host = (struct api_host){
        .health = server_health,
        .metrics = server_metrics,
        .presence = server_presence,
        .publish = publish_for_api,
        .webhook_secret = webhook_secret,
        .clients = server_clients,
        .arg = s,
    };
    s->api.platform = make_platform(s->config);
    s->api.version = FANFARE_VERSION;
    s->api.started_ms = clock_ms();
    s->api.build_dialect = DIALECT_BUILD;
    s->api.ide_dialect = DIALECT_IDE;
}

/* How clients reach the server, for the documents that describe it: a unix socket has no URL, and
 * what is sent over it says localhost. */
static void name_server_url(struct server *s)
{
    const char *url = "http://localhost";
    struct buf whole = {0};
    if (s->config->public_urls.count)
        url = s->config->public_urls.items[0];
    else if (s->urls.len && strncmp(s->urls.data, "unix:", 5) != 0)
        url = s->urls.data;
    buf_printf(&whole, "%s%s", url, s->config->base_path);
    s->api.server_url = memory_copy_string(buf_slice(&whole));
    buf_fini(&whole);
}

static int start_workers(struct server *s, unsigned files, struct buf *why)
{
    for (; s->running < s->worker_count; s->running++) {
        int error = worker_start(&s->workers[s->running], flush_map[s->config->flush], files);
        if (!error)
            continue;
        const char *reason = NULL;
        flush_uring_available(&reason);
        buf_printf(why, "cannot start a worker: %s",
                   error == FAN_E_UNSUPPORTED && reason ? reason : fan_error_text(error));
        return error;
    }
    return 0;
}

/* ---- Running ---- */

static void on_tick(uv_timer_t *timer)
{
    struct server *s = timer->data;
    hub_tick(s->hub);
    api_tick(&s->api);
    authenticator_refresh(s->authenticator);
}

static void start_clockwork(struct server *s)
{
    uv_loop_t *loop = s->owner.loop;
    uv_timer_init(loop, &s->tick);
    uv_timer_init(loop, &s->drain_timer);
    s->tick.data = s->drain_timer.data = s;
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
}

/* Whatever is wrong with what was written of them, the events are there. */
static void load_recovery(struct server *s)
{
    const struct config *c = s->config;
    int error = room_recovery_load(s->delivery_options.rooms.recovery, s->hub,
                                   s->delivery_options.rooms.spaces, c->rooms.recovery_window_ms,
                                   c->topics[TOPIC_USER].age_ms);
    if (error)
        log_error("rooms",
                  "not all sockets and users can be read that the data directory knows: clients "
                  "begin anew, and `fanfare store check` says what is damaged",
                  LOG_TEXT("reason", fan_error_text(error)));
}

static int start(struct server *s, unsigned files, struct buf *why)
{
    prepare_net(s);
    prepare_delivery(s);
    int error = storage_open(s->config, s->owner.engine, &s->hub, why);
    if (!error)
        load_recovery(s);
    if (!error)
        error = make_workers(s, why);
    if (!error)
        error = server_listen(s, why);
    if (error)
        return error;
    prepare_api(s);
    name_server_url(s);
    start_clockwork(s);
    error = server_apply_settings(s, s->config, NULL, why);
    if (!error)
        error = start_workers(s, files, why);
    if (!error)
        error = server_watch_start(s, why);
    return error;
}

struct server *server_new(const struct config *config)
{
    struct server *s = memory_zero(sizeof *s);
    s->config = config;
    pthread_mutex_init(&s->watch_lock, NULL);
    return s;
}

/* Signals are the business of the threads that are there already: the new ones inherit a mask
 * that blocks all of them, SIGPIPE too. */
int server_start(struct server *s, const struct server_owner *owner, struct buf *why)
{
    sigset_t all, before;
    s->owner = *owner;
    unsigned files = raise_descriptors(s->config->open_files, owner->owns_process);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = start(s, files, why);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void server_stop(struct server *s)
{
    server_watch_stop(s);
    if (s->api.platform)
        platform_stop(s->api.platform); /* its last answers go to workers that still run */
    for (unsigned i = 0; i < s->running; i++)
        worker_stop(&s->workers[i]);
    for (; s->running > 0; s->running--)
        worker_join(&s->workers[s->running - 1]);
    for (unsigned i = 0; i < s->worker_count; i++)
        hub_set_wake(s->hub, i, NULL, NULL); /* the engine may still have something to deliver */
    hub_stop(s->hub);
}

bool server_is_own_thread(const struct server *s)
{
    for (unsigned i = 0; i < s->worker_count; i++)
        if (worker_is_current(&s->workers[i]))
            return true;
    return false;
}

static void free_workers(struct server *s)
{
    for (unsigned i = 0; s->workers && i < s->config->workers && s->workers[i].ops; i++) {
        delivery_free(s->workers[i].context);
        worker_fini(&s->workers[i]);
    }
    memory_free(s->workers);
}

void server_free(struct server *s)
{
    if (!s)
        return;
    free_workers(s);
    program_spaces_free(s->spaces);
    delivery_options_fini(&s->delivery_options);
    authenticator_free(s->authenticator);
    hub_free(s->hub);
    server_unlink(s);
    endpoints_free(s->endpoints);
    peer_table_free(s->shared.peers);
    server_free_settings(s);
    platform_free(s->api.platform);
    memory_free(s->api.server_url);
    buf_fini(&s->urls);
    buf_fini(&s->unix_paths);
    pthread_mutex_destroy(&s->watch_lock);
    memory_free(s);
}

bool server_append_url(const struct server *s, size_t i, struct buf *out)
{
    size_t at = 0;
    for (; at < s->urls.len && i > 0; i--)
        at += strlen(s->urls.data + at) + 1;
    if (at >= s->urls.len)
        return false;
    buf_append_text(out, s->urls.data + at);
    if (strncmp(s->urls.data + at, "unix:", 5) != 0)
        buf_append_text(out, s->config->base_path);
    return true;
}
