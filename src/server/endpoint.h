/*
 * WebSocket endpoints of an embedding program (fanfare/server.h): which there are, and the
 * connections at them.
 *
 * The list is made before the server starts and does not change afterwards. A connection's object,
 * struct fan_websocket, is counted, because the program may hold on to it from other threads; what
 * in it belongs to the connection's worker is marked.
 */
#ifndef SERVER_ENDPOINT_H
#define SERVER_ENDPOINT_H

#include "base/buf.h"
#include "fanfare/server.h"
#include "net/ws_conn.h"

struct endpoint {
    struct endpoint *next;
    struct ws_ops ops; /* for the connections; the options in it are the handler's */
    struct fan_websocket_handler handler;
    void *arg;
    char **protocols; /* copies; NULL-terminated, NULL: none */
    char *path;       /* without the '*' */
    bool below;       /* everything that begins with path */
};

/* Adds an endpoint to the list; see fan_server_websocket. */
int endpoint_add(struct endpoint **list, const char *path,
                 const struct fan_websocket_handler *handler, void *arg, struct buf *why);

void endpoints_free(struct endpoint *list);

/* The endpoint of a path (decoded), NULL: none. */
const struct endpoint *endpoint_find(const struct endpoint *list, struct slice path);

/* A request for the endpoint, already judged by the access rules: takes the connection over or
 * answers. path: decoded. Worker's thread. */
void endpoint_accept(struct http_exchange *x, const struct endpoint *e, struct slice path);

/* ---- Connections ---- */

/* Makes the object of a connection that is about to be taken over. protocol may be NULL; the path
 * may hold no NUL. NULL: no memory. */
struct fan_websocket *websocket_new(struct http_exchange *x, const struct endpoint *e,
                                    struct slice path, const char *protocol);

/* What of struct ws_ops is the same for all endpoints. */
extern const struct ws_ops websocket_ops;

/* The connection is a WebSocket, and the principal's (NULL: nobody's): calls the handler's open. */
void websocket_open(struct fan_websocket *ws, struct principal *principal);

#endif
