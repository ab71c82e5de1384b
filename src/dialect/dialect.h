/*
 * A dialect: how a client addresses topics and how events look on its wire.
 *
 * Each is one ops table in a file of its own; dialects.c lists them. What they share (delivery,
 * filters, resuming, limits) is in client.h, type_filter.h and resume.h. All callbacks run on the
 * client's worker thread, must not block, and may close the client.
 */
#ifndef DIALECT_DIALECT_H
#define DIALECT_DIALECT_H

#include "base/slice.h"
#include "net/http_server.h"

struct client;
struct topic;

/* Positions in dialects.c, for counting; below HUB_MAX_DIALECTS. */
enum { DIALECT_BUILD, DIALECT_SSE };

struct dialect {
    const char *name;
    unsigned index;
    const char *path; /* "/api/build/stream/{id}": where its clients connect with GET */
    /* A GET request for path, already judged by the access rules. id: what stands for {id},
     * percent-decoded and a valid identifier; empty when path has none. Takes the connection over
     * or answers. */
    void (*accept)(struct http_exchange *x, struct slice id);
    /* The client has been given all it had missed. */
    void (*caught_up)(struct client *c, uint64_t missed);
    /* Events from..to of the topic (offsets; from 0: unknown) are gone. */
    void (*gap)(struct client *c, struct topic *topic, uint64_t from, uint64_t to,
                const char *reason);
    /* It read too slowly and its topic's policy is to disconnect; cursor: where to resume. */
    void (*overflow)(struct client *c, const char *cursor);
    /* The server goes: say goodbye. */
    void (*shutdown)(struct client *c);
    void (*closed)(struct client *c); /* release what is the dialect's own; may be NULL */
};

extern const struct dialect *const dialects[];
extern const unsigned dialect_count;

#endif
