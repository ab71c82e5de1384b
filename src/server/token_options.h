/* How tokens are checked, from the configuration: for the server, and for commands that judge
 * tokens as a server would. Any thread. */
#ifndef SERVER_TOKEN_OPTIONS_H
#define SERVER_TOKEN_OPTIONS_H

#include "auth/authenticator.h"
#include "config/config.h"

/* The options borrow from the configuration, and from `path`, to which the development key's file
 * is appended. */
struct authenticator_options token_options(const struct config *config, struct buf *path);

/* Whether every request needs a token. */
bool token_is_needed(const struct config *config);

#endif
