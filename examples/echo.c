/*
 * An echo server: every message comes back as it came, text as text, binary as binary, at every
 * path. What conformance suites for WebSocket servers are run against.
 *
 *   echo [--port N] [--deflate]
 *
 * Listens on 127.0.0.1, port 9001 (0: any free one), and prints its address. With --deflate it
 * speaks permessage-deflate and answers compressed messages compressed. Ends on SIGINT or SIGTERM.
 */
#include <fanfare/server.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_message(void *arg, struct fan_websocket *ws, enum fan_websocket_kind kind,
                       const char *data, size_t size)
{
    (void)arg;
    if (fan_websocket_send(ws, kind, data, size) == FAN_E_AGAIN)
        fan_websocket_close(ws, 1013, "answers are not read");
}

static int usage(void)
{
    fprintf(stderr, "usage: echo [--port N] [--deflate]\n");
    return 2;
}

/* Signals are waited for by the main thread; the server's threads block them all. */
static void wait_for_end(void)
{
    sigset_t ends;
    int number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigwait(&ends, &number);
}

static void block_ends(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
}

static int serve(const char *port, bool deflate)
{
    char listen[64];
    snprintf(listen, sizeof listen, "127.0.0.1:%s", port);
    const struct fan_server_option options[] = {
        {"listen", listen},
        {"drain", "0s"},
        {"log.level", "warn"},
        {"deflate.threshold", "0"},
        {"limits.messages", "10000000"}, /* as fast as the client can */
        {"limits.queue", "64MiB"},       /* room for several of the largest answers */
    };
    const struct fan_websocket_handler handler = {
        .message = on_message,
        .binary = true,
        .max_message = 64 << 20,
        .deflate = deflate,
        .client_context = true,
        .protocols = (const char *const[]){"echo", NULL},
    };
    struct fan_server *server;
    struct fan_server_error error;
    int code = fan_server_new(&(struct fan_server_options){options, 6}, &server, &error);
    if (!code)
        code = fan_server_websocket(server, "/*", &handler, NULL, &error);
    if (!code)
        code = fan_server_start(server, &error);
    if (code) {
        fprintf(stderr, "echo: %s\n", error.message);
    } else {
        printf("%s\n", fan_server_url(server, 0));
        fflush(stdout);
        wait_for_end();
    }
    fan_server_free(server);
    return code ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *port = "9001";
    bool deflate = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--deflate") == 0)
            deflate = true;
        else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc)
            port = argv[++i];
        else
            return usage();
    }
    block_ends();
    return serve(port, deflate);
}
