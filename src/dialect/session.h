/*
 * What dialects with one session per connection share: joining, the greeting, the session state,
 * resuming by URL and by message, filters, gaps. Such a dialect says in its `session_words` how
 * these messages are worded, and takes the functions below into its ops table and its handlers.
 * Worker's thread only.
 */
#ifndef DIALECT_SESSION_H
#define DIALECT_SESSION_H

#include "dialect/websocket_client.h"

struct session_words {
    const struct encoding *encodings[2][2]; /* [events=full][compressed] */
    const char *greeting;                   /* types of messages: "connection" */
    const char *state;                      /* "build_status" */
    /* Begins a message up to where its fields go, and ends it. */
    void (*begin)(struct client *c, struct buf *out, const char *type);
    void (*end)(struct buf *out);
    /* Where the fields of a client message stand. */
    struct json_value (*fields)(struct json_value message);
    /* Writes the fields of a state message: a JSON object, after exactly the events up to
     * offset. */
    void (*put_state)(struct buf *out, uint64_t offset, struct slice state);
};

/* The whole of dialect.accept, for the session of that id. NULL: it was refused. */
struct client *session_accept(struct http_exchange *x, const struct dialect *dialect,
                              struct slice id);

/* Of dialect. */
void session_caught_up(struct client *c, uint64_t missed);
void session_gap(struct client *c, struct topic *topic, uint64_t from, uint64_t to,
                 const char *reason);

void session_token_refreshed(struct client *c, struct json_value message, const char *expires);

/* Handlers. */
void session_on_subscribe(struct client *c, struct json_value message);
void session_on_unsubscribe(struct client *c, struct json_value message);
void session_on_state(struct client *c, struct json_value message);
void session_on_resume(struct client *c, struct json_value message);
void session_on_refresh_token(struct client *c, struct json_value message);

/* Encodings of events as the HTTP API shows them, each with its cursor (?events=full). */
void session_encode_full(void *context, struct buf *out, const struct event *e, unsigned place);
void session_encode_full_compressed(void *context, struct buf *out, const struct event *e,
                                    unsigned place);

/* The session's topic, and its id. Borrowed. */
struct topic *session_topic(const struct client *c);
struct slice session_id(const struct client *c);

/* A message in the dialect's words: begin, put fields with json_put_…, send. */
struct buf *session_begin(struct client *c, const char *type);
void session_send(struct client *c, struct buf *out);

#endif
