/*
 * Socket.IO and Engine.IO in a program: namespaces and handlers of its own on the port of a server
 * (server.h), for stock clients of Socket.IO v4 in any language.
 *
 *   static void on_message(void *arg, struct fan_socket *socket, const struct fan_event *event)
 *   {
 *       fan_socket_emit(socket, "message-back", &event->arguments);
 *   }
 *
 *   const struct fan_event_handler events[] = {{"message", on_message}, {NULL, NULL}};
 *   const struct fan_namespace_handler handler = {.events = events};
 *   fan_server_namespace(server, "/chat", &handler, NULL, &error);
 *
 * Both transports, upgrades, pings and limits are the server's work; the options are rooms.* in
 * docs/configuration.md (ping_interval, ping_timeout, connect_timeout, max_payload). A namespace of
 * the program takes the place of the server's own one of that name; the others stay. Sockets of a
 * program do not come back with what they missed (connection state recovery is the server's).
 *
 * Threads: all callbacks of a socket run one at a time, on the thread of the worker that has its
 * connection; those of several sockets run at once. After an upgrade to a WebSocket it may be
 * another thread. They must not block. The functions below may be called from any thread, callbacks
 * included.
 */
#ifndef FANFARE_SOCKETIO_H
#define FANFARE_SOCKETIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fanfare/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A client in a namespace, or a session of Engine.IO alone. Valid in its callbacks; whoever keeps
 * it longer holds a reference. */
struct fan_socket;

struct fan_attachment {
    const void *data;
    size_t size;
};

/* The arguments of an event or of an acknowledgement: the text of a JSON array, not
 * NUL-terminated, in which {"_placeholder":true,"num":0} stands for the first attachment. At most
 * 64 attachments. What a callback is given is valid during the call; what a function is given it
 * copies. */
struct fan_arguments {
    const char *json;
    size_t size;
    const struct fan_attachment *attachments; /* NULL: none */
    size_t attachment_count;
};

#define FAN_NO_ACK (-1)

struct fan_event {
    const char *name;
    struct fan_arguments arguments;
    int64_t ack; /* for fan_socket_acknowledge; FAN_NO_ACK: the client wants none */
};

struct fan_event_handler {
    const char *name;
    void (*handle)(void *arg, struct fan_socket *socket, const struct fan_event *event);
};

/* Why a client is not let in: what its connect_error has. */
struct fan_refusal {
    char message[256];
    char data[1024]; /* the text of a JSON value; "": none */
};

/* What happens in a namespace. Any may be NULL. */
struct fan_namespace_handler {
    /* A client connects; auth: the text of the JSON object it brought, "{}" without one. 0 lets it
     * in, with everything else *refusal is sent, and no other callback follows. What is emitted to
     * the socket here comes behind its being let in. */
    int (*connect)(void *arg, struct fan_socket *socket, const char *auth, size_t size,
                   struct fan_refusal *refusal);
    const struct fan_event_handler *events; /* ended by a name NULL; copied */
    /* Events that have no handler of their own; NULL: they are ignored. */
    void (*event)(void *arg, struct fan_socket *socket, const struct fan_event *event);
    /* All that had waited is with the system, after a call was refused with FAN_E_AGAIN. */
    void (*drained)(void *arg, struct fan_socket *socket);
    /* The socket has left, or its connection is gone. The last callback. */
    void (*disconnect)(void *arg, struct fan_socket *socket, const char *reason);
};

/*
 * Registers a namespace, before fan_server_start. name: "/" or "/chat"; at most 128 characters, no
 * ',' '?' or space. handler is copied; arg is handed to each callback. Whoever may connect is for
 * `connect` to say: tokens are not looked at, but fan_socket_user knows one of the handshake.
 *
 * 0; FAN_E_INVALID for a name that is none, or when the server has been started; FAN_E_EXISTS for a
 * name that is registered.
 */
int fan_server_namespace(struct fan_server *server, const char *name,
                         const struct fan_namespace_handler *handler, void *arg,
                         struct fan_server_error *error);

/* ---- To one socket ---- */

/*
 * Sends an event. name: not one of Socket.IO's own (connect, disconnect, …); arguments NULL: none.
 * Calls of one thread keep their order. 0; FAN_E_CLOSED; FAN_E_AGAIN when limits.queue bytes or
 * more wait for this client already: nothing was queued, and `drained` is called when it can take
 * more; FAN_E_INVALID when the arguments are no JSON array, a placeholder has no attachment, or the
 * name is reserved; FAN_E_NO_MEMORY.
 */
int fan_socket_emit(struct fan_socket *socket, const char *name,
                    const struct fan_arguments *arguments);

/* How a call ended: error is 0 and there are arguments, or FAN_E_TIMEOUT, or FAN_E_CLOSED, and
 * there are none. A callback of the socket; with a namespace also see fan_namespace_call. */
typedef void fan_answer_fn(void *arg, struct fan_socket *socket, int error,
                           const struct fan_arguments *arguments);

/* Sends an event and asks for an acknowledgement: unless it fails, `answer` is called once, within
 * about timeout_ms. Errors as fan_socket_emit; FAN_E_LIMIT when 1,024 answers are awaited. */
int fan_socket_call(struct fan_socket *socket, const char *name,
                    const struct fan_arguments *arguments, unsigned timeout_ms,
                    fan_answer_fn *answer, void *arg);

/* Answers an event; ack: of the event. Errors as fan_socket_emit. An event is answered once. */
int fan_socket_acknowledge(struct fan_socket *socket, int64_t ack,
                           const struct fan_arguments *arguments);

/* Tells the client that it is no longer in the namespace, behind what was sent; its connection
 * stays for other namespaces. A session of Engine.IO alone is closed. 0, FAN_E_CLOSED,
 * FAN_E_NO_MEMORY. */
int fan_socket_disconnect(struct fan_socket *socket);

/* ---- Rooms: names within a namespace, known to the server alone ---- */

/* At most limits.subscriptions of a socket (FAN_E_LIMIT); names have 1 to 255 bytes
 * (FAN_E_INVALID). It leaves them by itself at its end. 0, also when it is in the room already;
 * FAN_E_CLOSED, FAN_E_NO_MEMORY. */
int fan_socket_join(struct fan_socket *socket, const char *room);
int fan_socket_leave(struct fan_socket *socket, const char *room); /* FAN_E_NOT_FOUND */

/* Sends an event to all sockets in a room, or, with room NULL, in the namespace. A client for which
 * limits.queue bytes wait already reads too slowly: its connection is closed, so that it comes
 * back. 0, also when nobody is there; FAN_E_NOT_FOUND for a namespace that is not registered;
 * FAN_E_CLOSED when the server does not run; else as fan_socket_emit. */
int fan_namespace_emit(struct fan_server *server, const char *name, const char *room,
                       const char *event, const struct fan_arguments *arguments);

/* The same with acknowledgements: `answer` is called once for each socket, on its thread, several
 * at once, and at last, when all have ended, with socket NULL. */
int fan_namespace_call(struct fan_server *server, const char *name, const char *room,
                       const char *event, const struct fan_arguments *arguments,
                       unsigned timeout_ms, fan_answer_fn *answer, void *arg);

/* ---- What is known of a socket; these live as long as it does ---- */

const char *fan_socket_id(const struct fan_socket *socket);
const char *fan_socket_address(const struct fan_socket *socket);
/* The user of the handshake's token; "anonymous" without one. */
const char *fan_socket_user(const struct fan_socket *socket);

/* A pointer of the program's own, NULL at first. Set it in the first callback. */
void fan_socket_set_context(struct fan_socket *socket, void *context);
void *fan_socket_context(const struct fan_socket *socket);

/* Keeps it valid until the matching fan_socket_unref, also beyond its end and the server's. */
struct fan_socket *fan_socket_ref(struct fan_socket *socket);
void fan_socket_unref(struct fan_socket *socket); /* NULL is allowed */

/* ---- Engine.IO alone ---- */

/* What happens in sessions at /engine.io/, in which messages are the program's. Any may be NULL. */
struct fan_engineio_handler {
    void (*open)(void *arg, struct fan_socket *session);
    /* text is valid UTF-8; data is valid during the call. */
    void (*message)(void *arg, struct fan_socket *session, enum fan_websocket_kind kind,
                    const char *data, size_t size);
    void (*drained)(void *arg, struct fan_socket *session);
    void (*close)(void *arg, struct fan_socket *session, const char *reason);
};

/* Answers /engine.io/, before fan_server_start. 0; FAN_E_EXISTS; FAN_E_INVALID when the server has
 * been started. */
int fan_server_engineio(struct fan_server *server, const struct fan_engineio_handler *handler,
                        void *arg, struct fan_server_error *error);

/* Sends a message; errors as fan_socket_emit, FAN_E_INVALID also for text that is not UTF-8. */
int fan_engineio_send(struct fan_socket *session, enum fan_websocket_kind kind, const void *data,
                      size_t size);

#ifdef __cplusplus
}
#endif
#endif
