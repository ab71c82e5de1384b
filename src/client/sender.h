/*
 * The inside of a publishing client: the spool, and the thread that empties it.
 *
 * Ownership of an event moves one way: `unsent` (shared, under the lock) → `in_flight` (the
 * thread's own) → freed at the acknowledgement; a broken connection moves what is in flight back.
 */
#ifndef CLIENT_SENDER_H
#define CLIENT_SENDER_H

#include <pthread.h>

#include "base/list.h"
#include "client/stream.h"
#include "fanfare/client.h"

struct spooled {
    struct list link;
    uint64_t number; /* in the order of acceptance, from 1 */
    uint64_t tag;
    uint64_t line; /* which event of its connection it is, from 1 */
    bool refused;  /* for good, and reported */
    bool again;    /* the server asked for it later */
    size_t len;
    char json[];
};

struct fan_client {
    /* Immutable. */
    struct stream_target target;
    char *token, *source, *ca_file; /* NULL: none */
    size_t spool_limit;
    char id_prefix[13];
    void (*on_problem)(void *arg, const struct fan_client_problem *problem);
    void *arg;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* room in the spool, or events done */
    /* Under the lock. */
    struct list unsent;
    uint64_t accepted; /* number of the newest event */
    uint64_t done;     /* all events up to this number are acknowledged or refused */
    struct fan_client_stats stats;
    bool asleep; /* the thread waits for events: wake it */
    bool stopping;
    int nice;
    unsigned flushing; /* callers that wait for all to be sent: pauses are short */

    /* The thread's own. */
    struct list in_flight;
    char reported[160]; /* the last reason why there is no connection */
};

/* What an event counts against the spool's limit. */
static inline size_t spooled_cost(size_t json_len)
{
    return sizeof(struct spooled) + json_len;
}

/* The thread's function; arg is the client. Runs until `stopping`. */
void *sender_run(void *arg);

#endif
