/*
 * The keys that tokens are checked with: a shared secret, a public key, a JWKS file, or the
 * development key of the open mode. Immutable and counted; files that changed make a new one.
 */
#ifndef AUTH_KEYRING_H
#define AUTH_KEYRING_H

#include "auth/key.h"
#include "auth/token.h"

struct keyring_options {
    const char *secret;          /* "": none */
    const char *public_key_file; /* PEM; "": none */
    const char *jwks_file;       /* "": none */
    const char *development_key; /* its file, when none of the above is there; "": none */
    const char *algorithms;      /* names with commas between; "": what the keys are for */
};

struct keyring;

/* Reads the files. NULL with the reason appended to `why`; a development key that is not there yet
 * is no mistake. */
struct keyring *keyring_new(const struct keyring_options *options, struct buf *why);
struct keyring *keyring_ref(struct keyring *keyring);
void keyring_unref(struct keyring *keyring); /* NULL is allowed */

/* Whether a file is another one than when it was read, or than when this was asked last. Looks at
 * the file system. One thread at a time. */
bool keyring_became_stale(struct keyring *keyring);

unsigned keyring_count(const struct keyring *keyring);

/* A secret that is too short for its algorithm (RFC 7518, 3.2). */
bool keyring_is_weak(const struct keyring *keyring);

/* Whether the token is signed by one of the keys: by those with its kid, if it names one; with an
 * algorithm that counts. Any thread. */
enum token_problem keyring_verify(const struct keyring *keyring, const struct token *token,
                                  struct token_refusal *refusal);

/* Reads a file of at most 1 MiB whole; 0, FAN_E_NOT_FOUND, FAN_E_IO with the reason. */
int key_file_read(const char *path, struct buf *out, struct buf *why);

#endif
