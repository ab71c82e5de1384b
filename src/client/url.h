/* URLs of servers. No I/O, any thread. */
#ifndef CLIENT_URL_H
#define CLIENT_URL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

struct url {
    bool tls;
    bool unix_socket;
    char host[256]; /* without brackets; a path when unix_socket */
    char port[6];
    char authority[272]; /* for the Host header: host, and port where it is not the scheme's */
    char base[256];      /* path in front of all routes: "" or "/live" */
};

/* Reads http, https, ws and wss URLs, HOST:PORT (http) and unix:PATH. FAN_E_INVALID with what was
 * expected in `why`. */
int url_parse(const char *text, struct url *url, struct buf *why);

#endif
