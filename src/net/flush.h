/*
 * The flush stage: all sends of a loop turn, given to the kernel together.
 *
 * Two implementations with the same results: flush_uring.c puts them into one io_uring submission,
 * flush_send.c makes one send(2) each. Which one is used is decided at start. At most one send per
 * connection stands in a batch, so that a failure cannot let a later one overtake it.
 */
#ifndef NET_FLUSH_H
#define NET_FLUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct conn;
struct flush;

struct flush_ops {
    const char *name; /* "io_uring", "send" */
    /* On the worker's thread. NULL: not available. files: how many descriptors there may be. */
    struct flush *(*open)(unsigned files);
    void (*close)(struct flush *f);
    /* Adds a send; takes a reference to bytes until it is done. Calls conn_sent for what was not
     * taken whole, at the latest in submit. */
    void (*send)(struct flush *f, struct conn *c, struct bytes *bytes, uint32_t offset,
                 uint32_t length);
    void (*submit)(struct flush *f);
    /* A connection that will get many sends, and its end (before the descriptor is closed). */
    void (*attach)(struct flush *f, struct conn *c);
    void (*detach)(struct flush *f, struct conn *c);
};

struct flush {
    const struct flush_ops *ops;
    uint32_t batch; /* number of the one being built */
};

extern const struct flush_ops flush_send_ops;
#ifdef FANFARE_HAVE_URING
extern const struct flush_ops flush_uring_ops;
#endif

enum flush_choice { FLUSH_AUTO, FLUSH_URING, FLUSH_SEND };

/* The chosen implementation, or the next best for FLUSH_AUTO. NULL when FLUSH_URING was asked for
 * and is missing. Worker's thread. */
struct flush *flush_open(enum flush_choice choice, unsigned files);

/* Whether io_uring works here; *why says what is in the way. */
bool flush_uring_available(const char **why);

#endif
