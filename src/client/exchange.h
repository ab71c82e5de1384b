/* One request and its response over a stream, waiting for both. Not thread-safe. */
#ifndef CLIENT_EXCHANGE_H
#define CLIENT_EXCHANGE_H

#include "client/response.h"
#include "client/stream.h"

/* A server to talk to, and who talks. */
struct exchange {
    const struct stream_target *target;
    uint64_t deadline; /* clock_ms; for request and response */
    struct buf *why;   /* the reason of a failure, for people */
};

/*
 * Sends the request and reads until the response's head is complete when `head_only` and the status
 * promises a body worth streaming (200 or 101), else until all of it is there. Bytes behind an
 * upgrade go to `rest`. 0, FAN_E_CLOSED (woken), FAN_E_TIMEOUT, FAN_E_IO, FAN_E_PROTOCOL, or what
 * the response's on_body returned.
 */
int exchange_run(const struct exchange *e, struct stream *s, struct slice request,
                 struct response *response, bool head_only, struct buf *rest);

/* Connects, and asks for the upgrade to WebSocket (RFC 6455, 4.1). On success *stream is open and
 * `rest` has what the server sent behind its answer. FAN_E_DENIED with *status when the server
 * refuses; else errors as stream_open and exchange_run. */
int exchange_websocket(const struct exchange *e, struct slice target, const char *token,
                       struct stream **stream, struct buf *rest, int *status);

/* One request on a connection of its own, read to its end. body.ptr NULL: none; else JSON. On
 * success response->status says how it went. Errors as stream_open and exchange_run. */
int exchange_request(const struct exchange *e, const char *method, struct slice target,
                     const char *token, struct slice body, struct response *response);

#endif
