/* What a publisher asks for in its query string, over HTTP and WebSocket alike. */
#ifndef API_PUBLISH_OPTIONS_H
#define API_PUBLISH_OPTIONS_H

#include "api/intake.h"
#include "net/http_server.h"

struct publish_options {
    enum ack_mode ack; /* set before to what holds without ?ack= */
    bool early;        /* ?durability=memory */
};

/* False: one of them makes no sense, and was answered. */
bool publish_options_read(struct http_exchange *x, struct publish_options *options);

#endif
