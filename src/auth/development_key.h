/*
 * The development key: a secret in a file of the data directory, so that tokens can be tried
 * without configuring a key. `fanfare token` makes it when it needs it; a server in the open mode
 * checks the tokens that it is shown with it.
 */
#ifndef AUTH_DEVELOPMENT_KEY_H
#define AUTH_DEVELOPMENT_KEY_H

#include "base/buf.h"

/* Appends DIRECTORY/dev.key. */
void development_key_path(struct buf *out, const char *directory);

/* Reads the secret. 0; FAN_E_NOT_FOUND; FAN_E_DENIED for a file that others may read; FAN_E_INVALID
 * for one without a secret; FAN_E_IO. `why` gets the reason. */
int development_key_read(const char *path, struct buf *secret, struct buf *why);

/* The same; a file that is not there is made (0600), and its directory. */
int development_key_need(const char *directory, struct buf *secret, struct buf *why);

#endif
