/* Naming connections, and their lines in the log. */
#ifndef NET_CONN_LOG_H
#define NET_CONN_LOG_H

#include "base/log.h"
#include "net/conn.h"

#define CONN_ID_SIZE 24

/* The name by which clients, lists and the log know a connection: unique, and not telling who
 * connected before or after. */
void conn_format_id(const struct conn *c, char out[CONN_ID_SIZE]);

/* One line about a connection that stays: "connect" with its path, "close" with the reason. */
void conn_log(const struct conn *c, const char *what, const char *dialect, struct log_field more);

#endif
