/*
 * Who may reach the server: the checks of origin, host and forwarding headers that every request
 * goes through. Whose it is and what they may do: authenticator.h and permit.h.
 *
 * Rules are immutable after access_rules_new; any thread.
 */
#ifndef AUTH_ACCESS_H
#define AUTH_ACCESS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

struct access_rules;

struct access_options {
    bool keyed;                  /* every request needs a token */
    bool insecure;               /* reachable from elsewhere without tokens: by explicit wish */
    const char *const *own_urls; /* scheme://host[:port] of public_url */
    size_t own_url_count;
    const char *const *bound; /* host:port that are listened on */
    size_t bound_count;
    const char *const *cors; /* origins, with `*` for any characters but '/' */
    size_t cors_count;
};

struct access_rules *access_rules_new(const struct access_options *options);
void access_rules_free(struct access_rules *rules); /* NULL is allowed */

struct access_request {
    struct slice host;   /* of the Host header */
    struct slice origin; /* ptr NULL: none was sent */
    bool forwarded;      /* a Forwarded or X-Forwarded-… header is there */
    bool handshake;      /* asks for a WebSocket */
    bool changes;        /* changes something */
    bool health;         /* /health answers everybody */
    bool token;          /* it carries a good token */
};

struct access_verdict {
    bool allowed;
    bool cors; /* the origin is one of ours: send CORS headers */
    const char *code;
    const char *message; /* for the client and the log */
};

struct access_verdict access_judge(const struct access_rules *rules,
                                   const struct access_request *request);

/* Whether text matches a pattern in which `*` stands for any characters but '/'; case is ignored.
 */
bool access_pattern_match(struct slice pattern, struct slice text);

#endif
