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
#include "codec/json_writer.h"
#include "server/server.h"

struct program {
    struct server *server;
    uv_loop_t loop;
    uv_signal_t on_term, on_int, on_hup;
    bool json, draining;
};

/* ---- What it prints ---- */

static void print(struct buf *text)
{
    fputs(buf_text(text), stdout);
    fflush(stdout);
    buf_fini(text);
}

static void begin_object(struct buf *out, const char *event)
{
    json_begin(out, NULL, '{');
    json_put_text(out, "event", event);
}

static void print_object(struct buf *object)
{
    json_end(object, '}');
    BUF_LITERAL(object, "\n");
    print(object);
}

/* The first line on stdout is the URL: scripts wait for it. */
static void print_start(const struct program *p)
{
    struct buf out = {0};
    if (p->json) {
        begin_object(&out, "listening");
        server_append_start(p->server, &out);
        print_object(&out);
        return;
    }
    for (size_t i = 0; server_append_url(p->server, i, &out); i++)
        buf_append_char(&out, '\n');
    print(&out);
}

static void print_drain(const struct program *p)
{
    struct buf out = {0};
    if (!p->json)
        return;
    begin_object(&out, "draining");
    server_append_drain(p->server, &out);
    print_object(&out);
}

static void print_stop(const struct program *p)
{
    struct buf out = {0};
    if (!p->json)
        return;
    begin_object(&out, "stopped");
    print_object(&out);
}

static void print_failure(const struct program *p, struct buf *why)
{
    struct buf out = {0};
    fprintf(stderr, "fanfare: %s\n", buf_text(why));
    if (!p->json)
        return;
    begin_object(&out, "failed");
    json_put_name(&out, "message");
    json_append_lossy(&out, buf_slice(why));
    print_object(&out);
}

/* ---- Signals ---- */

static void on_terminate(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;
    (void)number;
    if (!p->draining)
        print_drain(p);
    p->draining = true;
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

/* ---- Running ---- */

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
        server_log_start(p->server); /* before anybody connects */
        print_start(p);
        uv_run(&p->loop, UV_RUN_DEFAULT);
        log_info("server", "stopped");
    }
    return error;
}

int server_main(const struct config *config, bool json)
{
    struct program p = {.server = server_new(config), .json = json};
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
        print_failure(&p, &why);
    buf_fini(&why);
    server_stop(p.server);
    end_loop(&p);
    server_free(p.server);
    if (!error)
        print_stop(&p);
    return error ? 1 : 0;
}
