/*
 * Listening sockets. TCP: one per worker with SO_REUSEPORT, so that the kernel spreads
 * connections; unix sockets: one, watched by all workers. Worker's thread, except listener_open.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/slice.h"

struct worker;

/* Opens a listening TCP socket on host (an address or a name) and port; port 0 takes a free one,
 * and *port says which. first: not one more of ours on the same port, so nobody else may have it.
 * Returns the descriptor, or FAN_E_ADDRESS with the reason in why. */
int listener_open_tcp(const char *host, uint16_t *port, bool first, struct buf *why);

/* Opens a unix socket. A leftover of a server that is gone is replaced, one that answers is not:
 * FAN_E_ADDRESS. */
int listener_open_unix(const char *path, struct buf *why);

/* Gives the descriptor to the worker, which closes it; before it starts or on its thread. shared:
 * other workers have descriptors of the same socket. FAN_E_IO; the descriptor is then closed. */
int listener_add(struct worker *w, int fd, bool tls, bool shared);

/* Stops accepting. */
void listeners_close(struct worker *w);

/* Accepts again after the descriptors had been used up. */
void listeners_resume(struct worker *w);

/* For the worker's dispatch: listeners and connections come from the same poller. */
bool listener_owns(const void *object);
void listener_on_ready(void *object);

#endif
