/*
 * HTTP/1.1 as a client speaks it: heads of requests out, responses in. No I/O, not thread-safe.
 */
#ifndef CLIENT_RESPONSE_H
#define CLIENT_RESPONSE_H

#include <stdbool.h>

#include "base/buf.h"
#include "client/url.h"

/* Appends "METHOD base/target HTTP/1.1" and the headers that every request has; the caller adds
 * its own and the empty line. token may be NULL. */
void request_append_head(struct buf *out, const struct url *url, const char *method,
                         struct slice target, const char *token);

struct response {
    int status; /* 0 until the head is complete */
    bool head_done, done, upgraded;
    char accept[32];       /* Sec-WebSocket-Accept; "" without or when longer */
    char content_type[64]; /* lower case */
    uint32_t retry_after;  /* seconds; 0: none */
    struct buf body;       /* what on_body did not take; at most 64 KiB */

    /* May be set by the owner before the first feed: takes the pieces of a 200's body. A non-zero
     * return stops and is returned by response_feed. */
    int (*on_body)(void *arg, struct slice piece);
    void *arg;

    struct response_parser *parser; /* private */
};

void response_init(struct response *r);
void response_fini(struct response *r);

/* Takes bytes as they come. Returns 0; what on_body returned; or FAN_E_PROTOCOL. After an upgrade
 * (101) *used says where the other protocol's bytes begin; else it is len. */
int response_feed(struct response *r, const char *data, size_t len, size_t *used);

/* The connection was closed: whether that ends the response properly. FAN_E_TRUNCATED else. */
int response_finish(struct response *r);

/* Appends what went wrong, from an error response: the body's error message if it has one, else
 * "HTTP status 404". */
void response_append_error(struct buf *out, const struct response *r);

#endif
