/* The token of a client: what it may do, its end, a fresh one. See client.h for what dialects use.
 */
#ifndef DIALECT_CLIENT_TOKEN_H
#define DIALECT_CLIENT_TOKEN_H

#include "net/login.h"

/* What happens at a client when its token expires. */
extern const struct login_ops client_login_ops;

#endif
