/*
 * What clients publish through their dialect. The checks are those of every publisher; what comes
 * of it reaches everybody through the hub, the client itself included. Worker's thread only.
 *
 * The engine may take its time. What a client publishes meanwhile is handed over behind that, up to
 * a bound; what else it sends waits (publication_defer), so that a client that publishes and then
 * subscribes, say, finds what it would find with an engine that is done at once. Outcomes are told
 * in the order of publishing.
 */
#ifndef DIALECT_PUBLICATION_H
#define DIALECT_PUBLICATION_H

#include "dialect/client.h"
#include "hub/event_validate.h"

#define PUBLICATION_MAX 4 /* events of one publication */

struct publication {
    struct slice type, data; /* data: JSON text, an object */
};

/* What came of a publication. */
struct publication_outcome {
    /* 0; FAN_E_INVALID and so on as event_draft_make, FAN_E_DENIED, FAN_E_LIMIT, FAN_E_NO_MEMORY,
     * FAN_E_IO, FAN_E_BUSY: and nothing was published. */
    int error;
    const char *message; /* for people, when there is an error */
    struct slice topic;
    struct slice answer; /* publication_keep's */
    uint64_t tag;        /* the caller's */
};

typedef void publication_told(struct client *c, const struct publication_outcome *outcome);

/* Publishes the events together, in this order, to the topic, with the client as their source
 * (subscriber_speak_as). `told` is called once: before this returns, or later; not when the client
 * has gone meanwhile. */
void publication_send(struct client *c, struct slice topic, const struct publication *events,
                      unsigned count, publication_told *told, uint64_t tag);

/* Has a note kept (hub_keep) by an engine that keeps notes; `told` is given the answer once it is
 * on the disk, or cannot be written now, in the order of what the client publishes. What the client
 * sends meanwhile does not wait for it. Without memory the connection is closed. */
void publication_keep(struct client *c, struct slice name, struct slice value, struct slice answer,
                      publication_told *told, uint64_t tag);

/* The error as a code in the dialects' words: "forbidden", "storage_unavailable"… */
const char *publication_error_code(int error);

/* Whether it is about the server's state and not about the message. */
bool publication_error_is_ours(int error);

/* Tells those who follow the topic in the client's own dialect something about it: not kept, not
 * numbered, shown to nobody else. type may be a control message's. */
void publication_tell(struct client *c, struct slice topic, struct slice type, struct slice data);

/* ---- Messages that wait ---- */

typedef void publication_take(struct client *c, struct slice message, bool binary);

/* Whether a message of the client must wait now; publishes: it only publishes. */
bool publication_must_wait(const struct client *c, bool publishes);

/* Keeps the message until its turn has come; `take`, which may defer it again, gets it then. */
void publication_defer(struct client *c, struct slice message, bool binary, publication_take *take);

/* The client says goodbye: what it sent before, and what waits, is taken now. */
void publication_hurry(struct client *c);

/* Of a client with something under way (client.publishing): calls fn(worker, arg) when nothing is
 * any more, or it has gone. False: somebody else waits for that already. */
bool publication_await(struct client *c, void (*fn)(struct worker *w, void *arg), void *arg);

/* The client is gone. */
void publication_forget(struct client *c);

#endif
