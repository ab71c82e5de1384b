/*
 * Whose a connection is, and until when.
 *
 * A principal is somebody who was let in: made by the layer above, counted, shared by all
 * connections and requests of the same token. A login ties a connection to one. Most principals
 * never expire, and their connections share one login, so that such a connection costs a pointer;
 * a connection whose token expires has a login of its own, with a place in the worker's wheel.
 *
 * When a token expires, the protocol says so in its words and a fresh token may come for a while
 * (limits.token_grace_ms); then the connection is ended. Principals: any thread. Logins: the
 * worker's thread.
 */
#ifndef NET_LOGIN_H
#define NET_LOGIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/wheel.h"

struct conn;
struct principal;
struct worker;

/* What a protocol does when a token expires. Constant. */
struct login_ops {
    /* Tells the client. True: it may bring a fresh token; false: `end` follows at once. */
    bool (*expired)(struct conn *c);
    /* Closes the connection, also when it was told long ago. */
    void (*end)(struct conn *c);
};

struct login {
    struct principal *principal;
    struct conn *conn; /* NULL: shared by all connections of a principal who does not expire */
    const struct login_ops *ops;
    struct wheel_timer timer;
    bool told;
};

struct principal {
    atomic_uint refs;
    const char *name; /* for the log; the owner's, lives as long */
    int64_t until_ms; /* wall clock; 0: does not expire */
    void (*free)(struct principal *principal);
    struct login login; /* the shared one */
};

/* Counts one reference. */
void principal_init(struct principal *p, const char *name, int64_t until_ms,
                    void (*free)(struct principal *principal));
struct principal *principal_ref(struct principal *p);
void principal_unref(struct principal *p); /* NULL is allowed */

/* Whether its time is over. */
bool principal_is_over(const struct principal *p);

/* The connection is the principal's from here on; takes a reference. NULL is allowed: nobody's. 0,
 * or FAN_E_NO_MEMORY and it is nobody's. */
int login_begin(struct conn *c, struct principal *p, const struct login_ops *ops);

/* A fresh token: the same with another principal, whose time begins anew. On failure all stays. */
int login_renew(struct conn *c, struct principal *p, const struct login_ops *ops);

/* Nobody's again. The worker calls it for connections that are gone. */
void login_end(struct conn *c);

/* Whose it is; NULL: nobody's. Borrowed. */
struct principal *login_principal(const struct conn *c);

/* For the worker: those whose time is over by now. */
void login_advance(struct worker *w);

#endif
