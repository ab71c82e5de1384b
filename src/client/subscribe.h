/*
 * Following topics of a server: GET /events, again and again, each time from the last cursor.
 */
#ifndef CLIENT_SUBSCRIBE_H
#define CLIENT_SUBSCRIBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "client/url.h"

struct subscription {
    struct url url;
    const char *token;   /* NULL: none */
    const char *ca_file; /* NULL: the system's */
    char *const *topics;
    size_t topic_count;
    const char *types; /* separated by commas; NULL: all */
    const char *since; /* a cursor, "0": from the beginning; NULL: from now */
    int wake;          /* a descriptor that ends it when readable; -1: none */
    bool once;         /* do not try again when the first connection cannot be made */

    /* An event as JSON, and the cursor behind it ("" when the server gave none). A return above 0
     * ends the subscription. */
    int (*on_event)(void *arg, struct slice json, struct slice cursor);
    /* The connection is made (why empty), or lost and tried again in retry_ms. */
    void (*on_state)(void *arg, struct slice why, uint32_t retry_ms);
    void *arg;
};

/* Follows the topics on the calling thread until on_event ends it (returns what that returned),
 * `wake` does (FAN_E_CLOSED), or the server refuses: FAN_E_DENIED (401, 403), FAN_E_INVALID (other
 * 4xx) with the reason in `why`. Without a connection it tries again with back-off. */
int subscription_run(const struct subscription *subscription, struct buf *why);

#endif
