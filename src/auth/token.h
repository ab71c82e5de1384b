/*
 * A JSON Web Token in its compact form (RFC 7519, RFC 7515): taken apart, strictly, before any
 * library sees it. Nothing here says that it is genuine; keyring.h does. No I/O, any thread.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "auth/refusal.h"
#include "base/buf.h"
#include "codec/json.h"

/* Longer ones are refused; a request's head has to hold them. */
#define TOKEN_MAX 8192

struct token {
    struct slice text;            /* the whole, borrowed from the caller */
    struct buf header, claims;    /* decoded: each one JSON object, no name twice */
    struct buf algorithm, key_id; /* of the header: alg; kid, empty without one */
};

/* Takes a token apart: three parts of base64url, the first two of them JSON objects in which no
 * name stands twice, an `alg`, no `crit`. TOKEN_GOOD; or TOKEN_MALFORMED with *refusal filled.
 * token_fini in any case. */
enum token_problem token_parse(struct slice text, struct token *token,
                               struct token_refusal *refusal);
void token_fini(struct token *token);

/* A member of the header or the claims (JSON that token_parse has accepted). False: there is none,
 * or it is null. */
bool token_member(const struct buf *object, const char *name, struct json_value *value);

#endif
