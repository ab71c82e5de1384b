/*
 * Readiness of very many sockets for one worker, nested in its libuv loop.
 *
 * libuv watches one descriptor, the poller's own; the sockets are registered with the poller
 * directly. A socket then costs no handle in user space (libuv's is 248 bytes), and a burst of
 * ready sockets is fetched in large batches. Level-triggered. One thread.
 */
#ifndef NET_POLLER_H
#define NET_POLLER_H

#include <stdbool.h>

#define POLLER_READ  1u
#define POLLER_WRITE 2u
#define POLLER_ERROR 4u /* reported only: error or hang-up */

struct poller {
    int fd; /* readable when something is ready */
};

struct poller_event {
    void *object;
    unsigned ready;
};

#define POLLER_BATCH 512

/* 0 or FAN_E_IO. */
int poller_init(struct poller *p);
void poller_fini(struct poller *p);

/* object comes back with the events. shared: a listening socket that several workers watch.
 * 0, FAN_E_NO_MEMORY, FAN_E_IO. */
int poller_add(struct poller *p, int fd, unsigned interest, bool shared, void *object);
int poller_change(struct poller *p, int fd, unsigned interest, void *object);
void poller_remove(struct poller *p, int fd);

/* Does not wait. Returns how many. */
unsigned poller_fetch(struct poller *p, struct poller_event events[POLLER_BATCH]);

#endif
