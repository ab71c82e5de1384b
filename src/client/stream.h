/*
 * A connection to a server: TCP, TLS over TCP, or a Unix socket. Nothing blocks but stream_open and
 * stream_wait, and both end when `wake` becomes readable or the time is over. Not thread-safe.
 */
#ifndef CLIENT_STREAM_H
#define CLIENT_STREAM_H

#include <sys/types.h>

#include "base/buf.h"
#include "client/url.h"

struct stream;

/* What stream_wait waits for, and what came of it. */
enum { STREAM_READABLE = 1, STREAM_WRITABLE = 2, STREAM_WOKEN = 4 };

/* Everything that an attempt to connect needs. */
struct stream_target {
    struct url url;
    const char *ca_file; /* NULL: the system's authorities */
    int wake;            /* a descriptor that ends waiting; -1: none */
    uint32_t timeout_ms; /* for the whole attempt, name resolution not counted */
};

/* Connects. Returns 0; FAN_E_CLOSED when woken; FAN_E_TIMEOUT, FAN_E_ADDRESS, FAN_E_DENIED (the
 * server's certificate is not good) or FAN_E_IO with the reason in `why`. */
int stream_open(struct stream **stream, const struct stream_target *target, struct buf *why);

/* Closes; NULL is allowed. */
void stream_close(struct stream *s);

/* Bytes read; 0: the peer closed; FAN_E_AGAIN: none right now; FAN_E_IO. */
ssize_t stream_read(struct stream *s, char *data, size_t size);

/* Bytes written, maybe fewer than all; FAN_E_AGAIN: none right now; FAN_E_IO, FAN_E_CLOSED. */
ssize_t stream_write(struct stream *s, const char *data, size_t size);

/* Waits until one of `events` is possible, `wake` is readable (pass -1 for none) or the time is
 * over (timeout_ms < 0: no limit). Returns the STREAM_… that came; 0: the time is over. */
int stream_wait(struct stream *s, int events, int wake, int timeout_ms);

#endif
