/* The documents that describe the server to programs, generated from the tables it runs on. Any
 * thread. */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "api/route.h"
#include "base/buf.h"

/* Appends the OpenAPI 3.1 document of these routes. version: of the program; server_url: where
 * clients reach it, "http://127.0.0.1:8000". */
void openapi_append(struct buf *out, const struct route_doc *const *routes, unsigned count,
                    const char *version, const char *server_url);

/* Appends the AsyncAPI 3.0 document: the messages of the WebSocket and event stream endpoints. */
void asyncapi_append(struct buf *out, const char *version, const char *server_url);

/* Appends docs/events.md: the event catalogue and the control messages for people. */
void events_doc_append(struct buf *out);

/* Appends web/client/src/events.ts: the data of each event type, for the client library. */
void events_types_append(struct buf *out);

#endif
