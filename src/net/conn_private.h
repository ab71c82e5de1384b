/* What conn.c, which sends, and conn_input.c, which reads, share; nobody else includes this. */
#ifndef NET_CONN_PRIVATE_H
#define NET_CONN_PRIVATE_H

#include "net/conn.h"

/* conn_input.c: asks the poller for what the connection wants now; the socket takes no more until
 * the poller says so. */
void conn_update_interest(struct conn *c);
void conn_block(struct conn *c);

/* conn.c: sends what is queued, until the socket takes no more. */
void conn_write_out(struct conn *c);

/* conn.c: what TLS itself has to say: into the queue, in its order (FAN_E_NO_MEMORY); or at once,
 * for the last word of a connection that fails. */
int conn_queue_sealed(struct conn *c);
void conn_send_sealed(struct conn *c);

#endif
