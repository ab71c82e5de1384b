/*
 * What dialects of JSON messages over WebSocket share: the tail of their accept functions, reading
 * and writing messages, and the ends of a connection. Worker's thread only.
 */
#ifndef DIALECT_WEBSOCKET_CLIENT_H
#define DIALECT_WEBSOCKET_CLIENT_H

#include "codec/json_writer.h"
#include "dialect/client.h"

/* Answers the handshake, with compression and subprotocol as configured. NULL: it was refused. */
struct client *websocket_client_accept(struct http_exchange *x, const struct dialect *dialect);

/* For dialect.overflow and dialect.shutdown: closes with 1013 and a cursor; with 1001. */
void websocket_client_overflow(struct client *c, const char *cursor);
void websocket_client_shutdown(struct client *c);

/* Closes a client that could not join a topic: FAN_E_LIMIT, FAN_E_NO_MEMORY. */
void websocket_client_refuse_join(struct client *c, int error);

/* The worker's buffer, empty, for a message; valid until the next one. */
struct buf *message_begin(struct client *c);

/* Sends what message_begin gave. large: it may exceed the control queue's limit. */
void message_send(struct client *c, struct buf *out, bool large);

/* Answers a message that makes no sense, through dialect.error, and counts it: 20 within 10 s close
 * the connection. */
void message_refuse(struct client *c, struct json_value message, const char *code,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Calls the handler of the message's type; refuses what has none. */
void message_dispatch(struct client *c, struct slice text);

/* A member that is a string without escapes; ptr NULL when there is none. */
struct slice message_text(struct json_value message, const char *name);

/* The member of that name; kind JSON_NULL when it is missing. */
struct json_value message_member(struct json_value message, const char *name);

#endif
