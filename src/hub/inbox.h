/*
 * A worker's inbox: the events that the hub has accepted and this worker still has to deliver, in
 * node order. Filled and detached under the hub's lock, worked off unlocked.
 */
#ifndef HUB_INBOX_H
#define HUB_INBOX_H

#include <stdbool.h>
#include <stdint.h>

struct event;

/* A worker that falls this far behind reads on from history instead. */
#define INBOX_MAX_EVENTS 65536
#define INBOX_MAX_BYTES  (64u << 20)

struct inbox {
    struct event **items;
    uint32_t count, cap;
    uint64_t bytes;
    bool overflowed; /* items were dropped: everything after the last drain must be read again */
};

/* A detached run of items; free with inbox_release. */
struct inbox_batch {
    struct event **items;
    uint32_t count, cap;
    bool overflowed;
    uint64_t seq; /* the node's order at the detachment */
};

#endif
