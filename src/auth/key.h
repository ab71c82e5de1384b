/*
 * One key: a shared secret, a public or a private key; and what is signed and checked with it.
 * The cryptography is rhonabwy's, which only key.c knows. Keys are immutable; any thread.
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include <stdbool.h>

#include "base/buf.h"

/* A key is good for exactly one algorithm, so that nobody can have a public key taken for a shared
 * secret. */
enum key_algorithm { KEY_HS256, KEY_RS256, KEY_ES256, KEY_EDDSA, KEY_ALGORITHMS };

/* "HS256", "RS256", "ES256", "EdDSA" */
const char *key_algorithm_name(enum key_algorithm algorithm);
bool key_algorithm_find(struct slice name, enum key_algorithm *algorithm);

struct key;

/* All return NULL with the reason appended to `why`. */

struct key *key_from_secret(struct slice secret, struct buf *why);

/* A public or private key or a certificate in PEM: RSA of at least 2048 bits, P-256 or Ed25519. */
struct key *key_from_pem(struct slice pem, struct buf *why);

/* A JSON Web Key (RFC 7517), as JSON text. */
struct key *key_from_jwk(struct slice json, struct buf *why);

void key_free(struct key *key); /* NULL is allowed */

enum key_algorithm key_algorithm(const struct key *key);

/* Its kid; empty: it has none. */
struct slice key_id(const struct key *key);

/* Whether it can sign: a secret or a private key. */
bool key_can_sign(const struct key *key);

/* Whether the token (its compact form, taken apart by token_parse before) was signed with the key
 * and the key's algorithm. */
bool key_verify(const struct key *key, struct slice token);

/* Appends the token for these claims (a JSON object) to `out`. id: its kid, empty for none. 0, or
 * FAN_E_INVALID when the key cannot sign. */
int key_sign(const struct key *key, struct slice claims, struct slice id, struct buf *out);

#endif
