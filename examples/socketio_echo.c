/*
 * A Socket.IO server of one file that says back what it is told: what the test suites of the
 * Engine.IO v4 and Socket.IO v5 protocols are run against.
 *
 *   socketio_echo [--port N]
 *
 * Listens on 127.0.0.1, port 3000 (0: any free one), and prints its address. At /engine.io/ each
 * message comes back as it came. At /socket.io/, in the namespaces / and /custom, a client is first
 * sent the event `auth` with what it connected with; `message` comes back as `message-back`, and
 * `message-with-ack` in its acknowledgement. Pings are so frequent that a client which is silent for
 * half a second is gone. Ends on SIGINT or SIGTERM.
 */
#include <fanfare/socketio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Socket.IO ---- */

static int on_connect(void *arg, struct fan_socket *socket, const char *auth, size_t size,
                      struct fan_refusal *refusal)
{
    (void)arg;
    char *json = malloc(size + 2);
    int error = FAN_E_NO_MEMORY;
    if (json) {
        json[0] = '[';
        memcpy(json + 1, auth, size);
        json[size + 1] = ']';
        const struct fan_arguments arguments = {.json = json, .size = size + 2};
        error = fan_socket_emit(socket, "auth", &arguments);
        free(json);
    }
    if (error)
        snprintf(refusal->message, sizeof refusal->message, "%s", fan_error_text(error));
    return error;
}

/* Whoever does not read what comes back is not sent more of it. */
static void check(struct fan_socket *socket, int error)
{
    if (error == FAN_E_AGAIN)
        fan_socket_disconnect(socket);
}

static void on_message(void *arg, struct fan_socket *socket, const struct fan_event *event)
{
    (void)arg;
    check(socket, fan_socket_emit(socket, "message-back", &event->arguments));
}

static void on_message_with_ack(void *arg, struct fan_socket *socket, const struct fan_event *event)
{
    (void)arg;
    if (event->ack != FAN_NO_ACK)
        check(socket, fan_socket_acknowledge(socket, event->ack, &event->arguments));
}

/* ---- Engine.IO ---- */

static void on_engine_message(void *arg, struct fan_socket *session, enum fan_websocket_kind kind,
                              const char *data, size_t size)
{
    (void)arg;
    check(session, fan_engineio_send(session, kind, data, size));
}

/* ---- The server ---- */

static int add_handlers(struct fan_server *server, struct fan_server_error *error)
{
    static const struct fan_event_handler events[] = {
        {"message", on_message},
        {"message-with-ack", on_message_with_ack},
        {NULL, NULL},
    };
    const struct fan_namespace_handler handler = {.connect = on_connect, .events = events};
    const struct fan_engineio_handler engine = {.message = on_engine_message};
    int code = fan_server_namespace(server, "/", &handler, NULL, error);
    if (!code)
        code = fan_server_namespace(server, "/custom", &handler, NULL, error);
    if (!code)
        code = fan_server_engineio(server, &engine, NULL, error);
    return code;
}

/* Signals are waited for by the main thread; the server's threads block them all. */
static void block_ends(sigset_t *ends)
{
    sigemptyset(ends);
    sigaddset(ends, SIGINT);
    sigaddset(ends, SIGTERM);
    sigprocmask(SIG_BLOCK, ends, NULL);
}

static int serve(const char *port, const sigset_t *ends)
{
    char listen[64];
    int number;
    snprintf(listen, sizeof listen, "127.0.0.1:%s", port);
    const struct fan_server_option options[] = {
        {"listen", listen},
        {"workers", "1"},
        {"drain", "0s"},
        {"log.level", "warn"},
        {"rooms.namespaces", "/"}, /* no others than the program's own */
        {"rooms.ping_interval", "300ms"},
        {"rooms.ping_timeout", "200ms"},
        {"rooms.connect_timeout", "1s"},
        {"rooms.max_payload", "1000000"},
    };
    struct fan_server *server;
    struct fan_server_error error;
    const size_t count = sizeof options / sizeof *options;
    int code = fan_server_new(&(struct fan_server_options){options, count}, &server, &error);
    if (!code)
        code = add_handlers(server, &error);
    if (!code)
        code = fan_server_start(server, &error);
    if (code) {
        fprintf(stderr, "socketio_echo: %s\n", error.message);
    } else {
        printf("%s\n", fan_server_url(server, 0));
        fflush(stdout);
        sigwait(ends, &number);
    }
    fan_server_free(server);
    return code ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *port = "3000";
    sigset_t ends;
    if (argc == 3 && strcmp(argv[1], "--port") == 0) {
        port = argv[2];
    } else if (argc != 1) {
        fprintf(stderr, "usage: socketio_echo [--port N]\n");
        return 2;
    }
    block_ends(&ends);
    return serve(port, &ends);
}
