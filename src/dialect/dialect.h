/*
 * A dialect: how a client addresses topics and how events look on its wire.
 *
 * Each is one ops table in a file of its own; dialects.c lists them. What they share is in
 * websocket_client.h (accepting, reading messages, saying goodbye), session.h (one session per
 * connection: greeting, state, resuming, filters), client.h (delivery), resume.h, type_filter.h,
 * publication.h and envelope.h. All callbacks run on the client's worker thread, must not block,
 * and may close the client.
 */
#ifndef DIALECT_DIALECT_H
#define DIALECT_DIALECT_H

#include "base/slice.h"
#include "codec/json.h"
#include "net/http_server.h"

struct client;
struct delivery_options;
struct topic;
struct session_words;

/* For counting; below HUB_MAX_DIALECTS. The last ones are free for dialects that an embedding
 * program registers. */
enum { DIALECT_BUILD, DIALECT_SSE, DIALECT_IDE, DIALECT_CHANNELS, DIALECT_ROOMS, DIALECT_FREE };

/* A client message of that type. */
struct message_handler {
    const char *type;
    void (*handle)(struct client *c, struct json_value message);
};

struct dialect {
    const char *name;
    unsigned index;
    const char *path; /* "/api/build/stream/{id}": where its clients connect with GET */
    /* More paths, without parameters; ends with NULL. NULL: none. */
    const char *const *other_paths;
    /* Whether a request to one of its paths is for it; else it is for the next dialect there. NULL:
     * all are. It may take other methods than GET, too. */
    bool (*claims)(const struct http_request *request, const struct delivery_options *options);
    /* Its clients bring their token in a message (client_login): accept also gets requests that are
     * nobody's, and a client is nobody until then. */
    bool late_token;
    /* A GET request for path, already judged by the access rules. id: what stands for {id},
     * percent-decoded and a valid identifier; empty when path has none. Takes the connection over
     * or answers. */
    void (*accept)(struct http_exchange *x, struct slice id);
    /* The client has been given all it had missed. */
    void (*caught_up)(struct client *c, uint64_t missed);
    /* Events from..to of the topic (offsets; from 0: unknown) are gone. */
    void (*gap)(struct client *c, struct topic *topic, uint64_t from, uint64_t to,
                const char *reason);
    /* It read too slowly and its topic's policy is to disconnect; cursor: where to resume. */
    void (*overflow)(struct client *c, const char *cursor);
    /* The server goes: say goodbye. */
    void (*shutdown)(struct client *c);
    void (*closed)(struct client *c); /* release what is the dialect's own; may be NULL */

    /* For dialects of JSON messages over WebSocket (websocket_client.h), else NULL. */
    const struct message_handler *handlers; /* ends with a type NULL */
    /* Types of the messages that only publish (publication.h), ends with NULL; NULL: none. */
    const char *const *publishes;
    /* Whether what surrounds every message is good; else refuses it (message_refuse). May be NULL.
     */
    bool (*check)(struct client *c, struct json_value message);
    /* Answers a message that makes no sense, or a limit: code is "invalid_json", "unknown_type",
     * "rate_limited", or one of the dialect's own. message: the message, as far as it was read;
     * JSON_NULL without one. */
    void (*error)(struct client *c, struct json_value message, const char *code, struct slice text);
    /* The client's token has run out and no fresh one came: say goodbye. NULL: it is closed with
     * 4401. */
    void (*token_ended)(struct client *c);
    /* A fresh token came and was good; expires: RFC 3339, NULL when it does not expire. NULL: none
     * can come, so that the connection ends with its token. */
    void (*token_refreshed)(struct client *c, struct json_value message, const char *expires);

    /* For dialects with one session per connection (session.h), else NULL. */
    const struct session_words *session;
};

/* All dialects, in the order in which they are asked for a request. */
unsigned dialect_count(void);
const struct dialect *dialect_at(unsigned i);

/* Adds one before the server starts; its index must be free. FAN_E_EXISTS, FAN_E_LIMIT. */
int dialect_register(const struct dialect *dialect);

#endif
