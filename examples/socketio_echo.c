/*
 * A Socket.IO server of one file that says back what it is told: what the test suites of the
 * Engine.IO v4 and Socket.IO v5 protocols are run against.
 *
 *   socketio_echo [--port N]
 *
 * Listens on 127.0.0.1, port 3000 (0: any free one), and prints its address. At /engine.io/ each
 * message comes back as it came. At /socket.io/, in the namespaces / and /custom, a client is first
 * sent the event `auth` with what it connected with; `message` comes back as `message-back`, and
 * `message-with-ack` in its acknowledgement. Pings are so frequent that a client which is silent
 * for half a second is gone. Ends on SIGINT or SIGTERM.
 */
#include <fanfare/socketio.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Greetings ---- */

/*
 * The suites' client listens for a message only when it has seen the one before, and loses what
 * comes with it in one piece. So `auth` follows its CONNECT at a distance, sent by the main thread,
 * which has nothing else to do.
 */
struct greeting {
    struct greeting *next;
    struct fan_socket *socket; /* a reference */
    size_t size;
    char json[];
};

#define DISTANCE_MS 5

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct greeting *fresh; /* newest first: each belongs to another socket */

static int on_connect(void *arg, struct fan_socket *socket, const char *auth, size_t size,
                      struct fan_refusal *refusal)
{
    (void)arg;
    struct greeting *g = malloc(sizeof *g + size + 2);
    if (!g) {
        snprintf(refusal->message, sizeof refusal->message, "out of memory");
        return FAN_E_NO_MEMORY;
    }
    g->socket = fan_socket_ref(socket);
    g->size = size + 2;
    g->json[0] = '[';
    memcpy(g->json + 1, auth, size);
    g->json[size + 1] = ']';
    pthread_mutex_lock(&lock);
    g->next = fresh;
    fresh = g;
    pthread_mutex_unlock(&lock);
    return 0;
}

static void send_greetings(struct greeting *g)
{
    while (g) {
        struct greeting *next = g->next;
        const struct fan_arguments arguments = {.json = g->json, .size = g->size};
        fan_socket_emit(g->socket, "auth", &arguments); /* whoever is gone by now misses nothing */
        fan_socket_unref(g->socket);
        free(g);
        g = next;
    }
}

static struct greeting *take_fresh(void)
{
    pthread_mutex_lock(&lock);
    struct greeting *taken = fresh;
    fresh = NULL;
    pthread_mutex_unlock(&lock);
    return taken;
}

/* Until one of the signals comes; what is taken in one round is sent in the next. */
static void greet_until(struct fan_server *server, const sigset_t *ends)
{
    const struct timespec distance = {.tv_nsec = DISTANCE_MS * 1000000L};
    struct greeting *taken = NULL;
    while (sigtimedwait(ends, NULL, &distance) < 0) {
        send_greetings(taken);
        taken = take_fresh();
    }
    send_greetings(taken);
    fan_server_stop(server); /* no more come */
    send_greetings(take_fresh());
}

/* ---- Socket.IO ---- */

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
        greet_until(server, ends);
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
