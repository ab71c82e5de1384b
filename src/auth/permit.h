/*
 * Tokens and rights at HTTP requests: where a token stands, and the answers 401 and 403, the same
 * for all routes and all before any upgrade. Worker's thread.
 */
#ifndef AUTH_PERMIT_H
#define AUTH_PERMIT_H

#include "auth/identity.h"
#include "net/http_server.h"

/* The token of a request: of the header Authorization, else of the subprotocol (ws_conn.h), else of
 * the query; empty: none. storage: for what has to be decoded. */
struct slice permit_find_token(const struct http_request *r, struct buf *storage);

/* Answers 401. */
void permit_refuse_token(struct http_exchange *x, const struct token_refusal *refusal);

/* Whose the exchange is; NULL: nobody's. Borrowed. */
static inline struct identity *permit_identity(const struct http_exchange *x)
{
    return identity_of(x->principal);
}

/* True; or false, and the request was answered: 401 for those without a token, 403 for others. */
bool permit(struct http_exchange *x, struct access_decision decision, const char *what,
            struct slice object);
bool permit_read(struct http_exchange *x, struct slice topic);
bool permit_publish_somewhere(struct http_exchange *x);
bool permit_execute(struct http_exchange *x);
bool permit_ai(struct http_exchange *x);
bool permit_administer(struct http_exchange *x);

/* For what no topic stands for: anybody with a token, or in the open mode. */
bool permit_enter(struct http_exchange *x);

/* Appends why: "alice may not read session:a: there is no claim rooms…". */
void permit_explain(struct buf *out, const struct identity *who,
                    const struct access_decision *decision, const char *what, struct slice object);

#endif
