/*
 * From a token to who shows it. One for a server, shared by its workers.
 *
 * It holds the keys and the policy in force and remembers the tokens that it checked lately, so
 * that a signature is worked out once for many requests, and all connections of one token share
 * an identity. Any thread, also for configuring.
 */
#ifndef AUTH_AUTHENTICATOR_H
#define AUTH_AUTHENTICATOR_H

#include "auth/identity.h"
#include "auth/keyring.h"

struct authenticator;

struct authenticator_options {
    struct keyring_options keys;
    struct access_policy_options policy; /* its `open` follows from the keys */
};

/* Whether there is a key besides the development key: then every request needs a token. */
bool authenticator_is_keyed(const struct keyring_options *keys);

/* NULL with the reason appended to `why`. */
struct authenticator *authenticator_new(const struct authenticator_options *options,
                                        struct buf *why);

/* Identities may outlive it, but not be renewed then. NULL is allowed. */
void authenticator_free(struct authenticator *a);

/* Takes other keys and rules over, for whoever comes from now on; those who are there keep what
 * they have. 0, or FAN_E_INVALID with the reason, and all stays. */
int authenticator_configure(struct authenticator *a, const struct authenticator_options *options,
                            struct buf *why);

/* Reads files of keys again that have changed; call it now and then. Whether there were any. */
bool authenticator_refresh(struct authenticator *a);

/* Whose the token is, a reference; ptr NULL, empty or "null": no token. NULL with *refusal filled.
 */
struct identity *authenticator_identify(struct authenticator *a, struct slice token,
                                        struct token_refusal *refusal);

/* A fresh token of who is connected already: the same, and TOKEN_MALFORMED for another user's. */
struct identity *authenticator_renew(const struct identity *who, struct slice token,
                                     struct token_refusal *refusal);

/* For start-up's line in the log. */
bool authenticator_is_weak(struct authenticator *a);

#endif
