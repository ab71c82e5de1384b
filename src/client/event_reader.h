/* Reading a stream of Server-Sent Events (WHATWG HTML, 9.2.6). No I/O, not thread-safe. */
#ifndef CLIENT_EVENT_READER_H
#define CLIENT_EVENT_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct event_reader {
    struct buf line, data, name;
    struct buf id;     /* the last event id: kept over events and reconnects */
    uint32_t retry_ms; /* the server's wish; 0: none */
    bool skip_newline; /* the last byte was \r: a \n right behind belongs to it */
    bool skip_mark;    /* the stream's beginning, where a byte order mark may stand */

    /* One event: its id is in `id`. A non-zero return stops and is returned by the feed. */
    int (*on_event)(void *arg, struct slice name, struct slice data);
    void *arg;
};

/* largest: bytes of one event's line or data. */
void event_reader_init(struct event_reader *r, size_t largest);
void event_reader_fini(struct event_reader *r);

/* A new connection: forgets what was half read, keeps the id. */
void event_reader_restart(struct event_reader *r);

/* 0, FAN_E_TOO_LARGE, or what on_event returned. */
int event_reader_feed(struct event_reader *r, struct slice piece);

#endif
