/*
 * The server program: wiring, signals, reload, the end.
 *
 * The main thread keeps a small loop for signals, the hub's tick and the drain; everything else
 * happens on the workers and the watchers' threads.
 */
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/memory.h"
#include "fanfare/error.h"
#include "server/private.h"

#define TICK_MS 1000

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

/* Returns how many descriptors there may be. */
static unsigned raise_descriptors(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    rlim_t aim = wanted && wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (aim != RLIM_INFINITY && aim > limit.rlim_cur) {
        limit.rlim_cur = aim;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 1000000 ? 1000000 : (unsigned)limit.rlim_cur;
}

static int configure_log(const struct config *config)
{
    const struct log_options options = {
        .level = (enum log_level)config->log.level,
        .json = config->log.format == CONFIG_LOG_JSON,
        .path = config->log.file[0] ? config->log.file : NULL,
    };
    int error = log_configure(&options);
    if (error)
        fprintf(stderr, "fanfare: cannot open the log file %s: %s\n", config->log.file,
                strerror(errno));
    return error;
}

static int refuse_what_is_not_there(const struct config *config, struct buf *why)
{
    if (!config->jwt_key[0])
        return 0;
    BUF_LITERAL(why, "JWT_SECRET_KEY is set, but tokens are not available in this version: the "
                     "server will not run as if it checked them. Unset it to run in the open mode "
                     "on this machine");
    return FAN_E_UNSUPPORTED;
}

static bool is_trusted_proxy(void *arg, const char *address)
{
    struct server *s = arg;
    return server_is_trusted(server_settings_now(s)->config, slice_from(address));
}

static void prepare_net(struct server *s)
{
    s->shared.peers = peer_table_new();
    s->shared.trusted = is_trusted_proxy;
    s->shared.trusted_arg = s;
}

static void prepare_delivery(struct server *s)
{
    s->delivery_options.deflate[DIALECT_BUILD] = s->config->deflate.build;
    s->delivery_options.deflate_threshold = s->config->deflate.threshold;
    s->delivery_options.deflate_level = (int)s->config->deflate.level;
}

static void prepare_hub(struct server *s)
{
    struct hub_config config;
    server_apply_hub(s->config, &config);
    s->hub = hub_new(&config);
    hub_set_engine(s->hub, engine_memory_new());
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

static void prepare_api(struct server *s)
{
    s->app = (struct http_app){.request = server_request, .context = &s->api};
    s->api.hub = s->hub;
    s->api.shared = &s->shared;
    s->api.host = (struct api_host){
        .health = server_health,
        .metrics = server_metrics,
        .presence = server_presence,
        .arg = s,
    };
    s->api.version = FANFARE_VERSION;
    s->api.started_ms = clock_ms();
    s->api.build_dialect = DIALECT_BUILD;
}

static void name_server_url(struct server *s)
{
    const char *url = s->config->public_urls.count ? s->config->public_urls.items[0]
                      : s->urls.len                ? s->urls.data
                                                   : "";
    s->api.server_url = memory_copy_string(slice_from(url));
}

static int start_workers(struct server *s, unsigned files, struct buf *why)
{
    for (unsigned i = 0; i < s->worker_count; i++) {
        int error = worker_start(&s->workers[i], flush_map[s->config->flush], files);
        if (!error)
            continue;
        const char *reason = NULL;
        flush_uring_available(&reason);
        buf_printf(why, "cannot start a worker: %s",
                   error == FAN_E_UNSUPPORTED && reason ? reason : fan_error_text(error));
        s->worker_count = i; /* the others have no thread to stop */
        return error;
    }
    return 0;
}

/* The first line on stdout is the URL: scripts wait for it. */
static void announce(struct server *s)
{
    for (size_t at = 0; at < s->urls.len; at += strlen(s->urls.data + at) + 1)
        printf("%s%s\n", s->urls.data + at, s->config->base_path);
    fflush(stdout);
    log_info("server",
             s->config->insecure
                 ? "open mode, and reachable from elsewhere: no tokens are asked for (--insecure)"
                 : "open mode: every program of this machine may read and publish",
             LOG_TEXT("version", FANFARE_VERSION), LOG_TEXT("engine", hub_engine_name(s->hub)),
             LOG_TEXT("flush", s->workers[0].flush->ops->name), LOG_U64("workers", s->worker_count),
             LOG_U64("pid", getpid()));
}

/* ---- Running ---- */

static void on_tick(uv_timer_t *timer)
{
    hub_tick(((struct server *)timer->data)->hub);
}

static void on_terminate(uv_signal_t *handle, int number)
{
    (void)number;
    server_begin_drain(handle->data);
}

static void log_lines(enum log_level level, const char *message, struct buf *lines)
{
    struct slice rest = buf_slice(lines), line;
    while (slice_split(&rest, '\n', &line))
        if (line.len && log_enabled(level))
            LOG_CALL(level, "config", message, LOG_SLICE("reason", line), (struct log_field){0});
}

static void reload(struct server *s)
{
    struct config *fresh;
    struct buf kept = {0}, problems = {0};
    int error = config_reload(server_settings_now(s)->config, &fresh, &kept, &problems);
    if (!error) {
        error = server_apply_settings(s, fresh, fresh, &problems);
        if (error)
            config_free(fresh);
    }
    if (error) {
        log_lines(LOG_ERROR, "the configuration has a mistake; nothing was changed", &problems);
    } else {
        configure_log(fresh);
        log_lines(LOG_WARN, "not reloaded", &kept);
        log_info("server", "configuration reloaded");
    }
    buf_fini(&kept);
    buf_fini(&problems);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    if (log_reopen() != 0)
        log_error("server", "cannot open the log file anew");
    reload(handle->data);
}

static void start_loop(struct server *s)
{
    uv_loop_init(&s->loop);
    uv_signal_init(&s->loop, &s->on_term);
    uv_signal_init(&s->loop, &s->on_int);
    uv_signal_init(&s->loop, &s->on_hup);
    uv_timer_init(&s->loop, &s->tick);
    uv_timer_init(&s->loop, &s->drain_timer);
    s->on_term.data = s->on_int.data = s->on_hup.data = s;
    s->tick.data = s->drain_timer.data = s;
    uv_signal_start(&s->on_term, on_terminate, SIGTERM);
    uv_signal_start(&s->on_int, on_terminate, SIGINT);
    uv_signal_start(&s->on_hup, on_hangup, SIGHUP);
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    uv_close(handle, NULL);
}

static void end_loop(struct server *s)
{
    uv_walk(&s->loop, close_handle, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    uv_loop_close(&s->loop);
}

static void free_server(struct server *s)
{
    server_watch_stop(s);
    for (unsigned i = 0; i < s->worker_count && s->workers[i].flush; i++)
        worker_stop(&s->workers[i]);
    for (unsigned i = 0; i < s->config->workers && s->workers && s->workers[i].ops; i++) {
        delivery_free(s->workers[i].context);
        worker_fini(&s->workers[i]);
    }
    memory_free(s->workers);
    hub_free(s->hub);
    server_unlink(s);
    peer_table_free(s->shared.peers);
    server_free_settings(s);
    memory_free(s->api.server_url);
    buf_fini(&s->urls);
    buf_fini(&s->unix_paths);
}

static int start(struct server *s, unsigned files, struct buf *why)
{
    int error = refuse_what_is_not_there(s->config, why);
    if (error)
        return error;
    prepare_net(s);
    prepare_delivery(s);
    prepare_hub(s);
    error = make_workers(s, why);
    if (!error)
        error = server_listen(s, why);
    if (error)
        return error;
    prepare_api(s);
    name_server_url(s);
    error = server_apply_settings(s, s->config, NULL, why);
    if (!error)
        error = start_workers(s, files, why);
    if (!error)
        error = server_watch_start(s, why);
    return error;
}

int server_main(const struct config *config)
{
    struct server s = {.config = config};
    struct buf why = {0};
    int code = 0;
    const char *largest = getenv("FANFARE_TEST_ALLOC_MAX");
    signal(SIGPIPE, SIG_IGN);
    if (largest)
        memory_fail_above(strtoul(largest, NULL, 10));
    if (configure_log(config) != 0)
        return 1;
    start_loop(&s);
    if (start(&s, raise_descriptors(config->open_files), &why) != 0) {
        fprintf(stderr, "fanfare: %s\n", buf_text(&why));
        code = 1;
    } else {
        announce(&s);
        uv_run(&s.loop, UV_RUN_DEFAULT);
        log_info("server", "stopped");
    }
    buf_fini(&why);
    free_server(&s);
    end_loop(&s);
    return code;
}
