/*
 * A Fanfare server inside a program: the hub and everything that `fanfare serve` offers on its
 * port, WebSocket endpoints of the program's own beside it, and publishing without a detour
 * through the network.
 *
 *   const struct fan_server_option options[] = {
 *       {"listen", "127.0.0.1:8000"},
 *       {"watch", ".=main"},
 *   };
 *   struct fan_server *server;
 *   struct fan_server_error error;
 *   if (fan_server_new(&(struct fan_server_options){options, 2}, &server, &error) != 0 ||
 *       fan_server_start(server, &error) != 0) {
 *       fprintf(stderr, "%s\n", error.message);
 *       …
 *   }
 *   struct fan_publisher publisher = fan_server_publisher(server);
 *   fan_broadcast_component_update(&publisher, "main", "auth", "in_progress", 45.5, NULL);
 *   …
 *   fan_server_stop(server);
 *   fan_server_free(server);
 *
 * The server runs on threads of its own, which block all signals. It installs no signal handlers,
 * leaves the process's limits alone (unless the option open_files asks for more descriptors), and a
 * peer that goes away raises no SIGPIPE. A program may have several servers.
 *
 * `error` may be NULL wherever it is taken; it is filled when a call fails. docs/c-library.md is
 * the guide.
 */
#ifndef FANFARE_SERVER_H
#define FANFARE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "fanfare/broadcast.h"
#include "fanfare/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fan_server;

struct fan_server_error {
    char message[1024]; /* says what is wrong and what was expected; a line for each mistake */
};

/* An option of docs/configuration.md: {"limits.queue", "4MiB"}. A list has a pair for each of its
 * items. Neither may be NULL. */
struct fan_server_option {
    const char *name;
    const char *value;
};

/* Neither the environment nor a file is read: what is not named here has its default. But a library
 * does not write files unasked: where neither `data` nor `engine` is named, the engine is `memory`.
 * The log (options log.*) is one for the process; the server made last decides. */
struct fan_server_options {
    const struct fan_server_option *items;
    size_t count;
};

/* Makes a server that is not running yet. options: copied; NULL: all defaults. Returns 0 and a
 * server for fan_server_free; or *server is NULL, and FAN_E_INVALID for an unknown option or a
 * value that does not fit, FAN_E_UNSUPPORTED for what this build cannot do, FAN_E_IO when the log
 * cannot be opened. Any thread. */
int fan_server_new(const struct fan_server_options *options, struct fan_server **server,
                   struct fan_server_error *error);

/* Opens the addresses and starts the threads; returns when it listens. 0; FAN_E_ADDRESS when an
 * address cannot be listened on, FAN_E_DENIED when it must not be (see `insecure`), FAN_E_INVALID,
 * FAN_E_NOT_FOUND and others for what an option names and cannot be used; FAN_E_EXISTS when it has
 * been started before. A server that could not be started is only good for fan_server_free. Any
 * thread. */
int fan_server_start(struct fan_server *server, struct fan_server_error *error);

/* Where it listens, "http://127.0.0.1:8000", the port as taken where 0 was asked for; i counts the
 * addresses from 0. NULL when there is no such one, or it has not been started. The server's own.
 * Any thread, after fan_server_start has returned. */
const char *fan_server_url(const struct fan_server *server, size_t i);

/*
 * Publishes an event, with the checks of POST /api/v1/publish.
 *
 * topic: "session:build_123", or NULL for types that find their topics by themselves
 * ("project.updated"); type: "component_update", or a name of your own; data: the text of a
 * JSON object, size bytes, not necessarily NUL-terminated; copied. Returns 0 when the event has its
 * place in the topic's order and is on its way to the subscribers (with a durable engine: when it
 * is on disk, which is waited for). Else nothing was published: FAN_E_INVALID when topic, type or a
 * field is not what was expected, FAN_E_PARSE when data is not JSON, FAN_E_TOO_LARGE beyond
 * limits.message_size, FAN_E_LIMIT when there are too many topics, FAN_E_IO when it could not be
 * stored, FAN_E_BUSY when too many events wait for that, FAN_E_CLOSED when the server is not
 * running, FAN_E_NO_MEMORY. Any thread, also in callbacks; these do not wait for the disk: there 0
 * means that the event will be stored, in this order, unless the disk fails, which the metric
 * fanfare_publish_lost_total counts.
 */
int fan_server_publish(struct fan_server *server, const char *topic, const char *type,
                       const char *data, size_t size, struct fan_server_error *error);

/* For the typed functions of broadcast.h. Valid as long as the server is. Any thread. */
struct fan_publisher fan_server_publisher(struct fan_server *server);

/* Stops accepting, tells the clients to go, spread over the option `drain`, delivers what was
 * accepted, and ends the threads: blocks until then, at most 5 s longer than `drain`. After it,
 * publishing is refused. A call while another one waits waits as well; a server that is not running
 * is left as it is. 0, or FAN_E_INVALID when it is called in a callback, which would wait for
 * itself. */
int fan_server_stop(struct fan_server *server);

/* Stops and frees. No other call may run or follow. Not in callbacks. NULL is allowed. */
void fan_server_free(struct fan_server *server);

/* ---- WebSocket endpoints of the program's own ---- */

/* A connection. In its callbacks it is valid; whoever keeps it longer holds a reference. */
struct fan_websocket;

enum fan_websocket_kind { FAN_WEBSOCKET_TEXT, FAN_WEBSOCKET_BINARY };

/*
 * What happens at an endpoint. All callbacks of a connection run on one thread of the server, one
 * at a time, `open` first and `close` last; those of several connections run on several threads at
 * once. They must not block: other connections wait meanwhile. Any may be NULL.
 */
struct fan_websocket_handler {
    /* The handshake is done; messages may be sent. */
    void (*open)(void *arg, struct fan_websocket *ws);
    /* A whole message: text is valid UTF-8, not NUL-terminated. data is valid during the call. */
    void (*message)(void *arg, struct fan_websocket *ws, enum fan_websocket_kind kind,
                    const char *data, size_t size);
    /* All that had waited is with the system, after a send was refused with FAN_E_AGAIN. */
    void (*drained)(void *arg, struct fan_websocket *ws);
    /* The connection is gone. code and reason: of the client's close frame, 1005 when it had no
     * code; 1006 with a reason of the server's when none came (RFC 6455, 7.1.5 and 7.1.6). */
    void (*close)(void *arg, struct fan_websocket *ws, int code, const char *reason);

    bool binary; /* binary messages are accepted; else they close with 1003 */
    size_t
        max_message; /* bytes, after inflating; larger closes with 1009. 0: limits.message_size */

    /* permessage-deflate (RFC 7692) for clients that offer it. Messages of deflate.threshold bytes
     * and more are sent compressed, each on its own, with deflate.level. */
    bool deflate;
    /* Clients may refer to their earlier messages: better compression for about 40 KiB on each
     * connection. Otherwise they are asked not to. */
    bool client_context;

    /* Subprotocols, in the order of preference, the list ended by NULL: the first that the client
     * offers is selected. NULL: none. Without a match the connection has none (or `fanfare`, which
     * clients offer beside their token). */
    const char *const *protocols;
};

/*
 * Registers an endpoint, before fan_server_start. path: "/chat" for that path alone, "/chat/" with
 * a '*' behind it for everything below it, "/" with a '*' for every path; the longest that fits is
 * taken. Endpoints come before the server's own when a WebSocket is asked for; requests of other
 * kinds reach the server's own routes. The rules of access (origin, host) hold here, too. handler
 * is copied, its protocols as well; arg is handed to each callback.
 *
 * 0; FAN_E_INVALID for a path without '/' at its front or one with '*' elsewhere, a subprotocol
 * that is no token (RFC 6455, 4.1), or when the server has been started; FAN_E_EXISTS for a path
 * that is taken.
 */
int fan_server_websocket(struct fan_server *server, const char *path,
                         const struct fan_websocket_handler *handler, void *arg,
                         struct fan_server_error *error);

/*
 * Sends a message; data is copied. Messages of one thread keep their order. 0; FAN_E_CLOSED;
 * FAN_E_AGAIN when limits.queue bytes or more wait for this client already: nothing was queued, and
 * `drained` is called when it can take more; FAN_E_INVALID for text that is not UTF-8;
 * FAN_E_TOO_LARGE above 1 GiB; FAN_E_NO_MEMORY. Any thread.
 *
 * While half of limits.queue waits for a client the server does not read from it, so that a handler
 * that only answers needs no care of its own.
 */
int fan_websocket_send(struct fan_websocket *ws, enum fan_websocket_kind kind, const void *data,
                       size_t size);

/* Begins the closing handshake, behind what was sent: code 1000, 1001, 1003, 1007 to 1014 or 3000
 * to 4999; reason: UTF-8, cut to 123 bytes, NULL for none. 0, FAN_E_CLOSED, FAN_E_INVALID,
 * FAN_E_NO_MEMORY. Any thread. */
int fan_websocket_close(struct fan_websocket *ws, int code, const char *reason);

/* The request's path, decoded, without the base path; its query as sent, which may hold a token;
 * the selected subprotocol, "" without one; the client's address; the user of its token,
 * "anonymous" without one. They live as long as ws. Any thread. */
const char *fan_websocket_path(const struct fan_websocket *ws);
const char *fan_websocket_query(const struct fan_websocket *ws);
const char *fan_websocket_protocol(const struct fan_websocket *ws);
const char *fan_websocket_address(const struct fan_websocket *ws);
const char *fan_websocket_user(const struct fan_websocket *ws);

/* A pointer of the program's own, NULL at first. Set it in `open`, before other threads know ws. */
void fan_websocket_set_context(struct fan_websocket *ws, void *context);
void *fan_websocket_context(const struct fan_websocket *ws);

/* Keeps ws valid until the matching fan_websocket_unref, also beyond `close` and the server's end;
 * only sending is then refused. Any thread. */
struct fan_websocket *fan_websocket_ref(struct fan_websocket *ws);
void fan_websocket_unref(struct fan_websocket *ws);

#ifdef __cplusplus
}
#endif
#endif
