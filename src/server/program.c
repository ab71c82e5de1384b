/*
 * The server program: its loop, signals and what it prints.
 *
 * The main thread keeps the server's loop (the hub's tick, the drain) and listens for signals on
 * it; everything else happens on the workers and the watchers' threads.
 */
#include "server/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "server/server.h"

struct program {
    struct server *server;
    uv_loop_t loop;
    uv_signal_t on_term, on_int, on_hup;
};

static void on_terminate(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;
    (void)number;
    server_drain(p->server);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;
    (void)number;
    if (log_reopen() != 0)
        log_error("server", "cannot open the log file anew");
    server_reload(p->server);
}

static void on_drained(void *arg)
{
    struct program *p = arg;
    uv_stop(&p->loop);
}

static void listen_for(struct program *p, uv_signal_t *handle, int number, uv_signal_cb callback)
{
    uv_signal_init(&p->loop, handle);
    handle->data = p;
    uv_signal_start(handle, callback, number);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    uv_close(handle, NULL);
}

static void end_loop(struct program *p)
{
    uv_walk(&p->loop, close_handle, NULL);
    uv_run(&p->loop, UV_RUN_DEFAULT);
    uv_loop_close(&p->loop);
}

/* The first line on stdout is the URL: scripts wait for it. */
static void announce(struct program *p)
{
    struct buf line = {0};
    for (size_t i = 0; server_append_url(p->server, i, &line); i++)
        buf_append_char(&line, '\n');
    fputs(buf_text(&line), stdout);
    fflush(stdout);
    buf_fini(&line);
    server_log_start(p->server);
}

static int run(struct program *p, struct buf *why)
{
    const struct server_owner owner = {
        .loop = &p->loop,
        .drained = on_drained,
        .arg = p,
        .owns_process = true,
    };
    int error = server_start(p->server, &owner, why);
    if (!error) {
        announce(p);
        uv_run(&p->loop, UV_RUN_DEFAULT);
        log_info("server", "stopped");
    }
    return error;
}

int server_main(const struct config *config)
{
    struct program p = {.server = server_new(config)};
    struct buf why = {0};
    const char *largest = getenv("FANFARE_TEST_ALLOC_MAX");
    if (largest)
        memory_fail_above(strtoul(largest, NULL, 10));
    uv_loop_init(&p.loop);
    signal(SIGPIPE, SIG_IGN);
    listen_for(&p, &p.on_term, SIGTERM, on_terminate);
    listen_for(&p, &p.on_int, SIGINT, on_terminate);
    listen_for(&p, &p.on_hup, SIGHUP, on_hangup);
    int error = server_configure_log(config, &why);
    if (!error)
        error = run(&p, &why);
    if (error)
        fprintf(stderr, "fanfare: %s\n", buf_text(&why));
    buf_fini(&why);
    server_stop(p.server);
    end_loop(&p);
    server_free(p.server);
    return error ? 1 : 0;
}
