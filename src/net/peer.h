/*
 * The addresses that clients come from, each kept once for all its connections and counted over
 * all workers. Any thread.
 */
#ifndef NET_PEER_H
#define NET_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"

#define PEER_TEXT_SIZE 56

struct peer {
    char text[PEER_TEXT_SIZE]; /* "192.0.2.1", "2001:db8::1", "unix" */
    bool local;                /* loopback or a unix socket: not counted */
    uint32_t connections;      /* guarded by the table */
};

struct peer_table;
struct peer_table *peer_table_new(void);
void peer_table_free(struct peer_table *t);

/* Counts one connection from the address, for which `limit` holds unless it is local or `exempt`.
 * Returns 0 and the peer, to be given back with peer_release; FAN_E_LIMIT; FAN_E_NO_MEMORY. */
int peer_take(struct peer_table *t, struct slice address, bool exempt, uint32_t limit,
              struct peer **out);
void peer_release(struct peer_table *t, struct peer *p); /* NULL is allowed */

/* The text of a socket's address, without port; IPv4 in IPv6 as IPv4. */
void peer_format(const struct sockaddr_storage *address, char out[PEER_TEXT_SIZE]);

/* Whether the text is an IP address, and whether a loopback one. */
bool peer_is_address(struct slice text);
bool peer_is_loopback(struct slice text);

#endif
