/*
 * A batch on its way through the engine and back, for publishers who cannot wait: an engine that
 * answers at once is noticed at once, one that answers later calls them.
 */
#ifndef HUB_SUBMISSION_H
#define HUB_SUBMISSION_H

#include <stdatomic.h>

#include "base/buf.h"
#include "hub/hub.h"

enum submission_stage { SUBMISSION_GIVEN, SUBMISSION_LATE, SUBMISSION_DONE };

struct submission {
    struct publish_batch batch; /* items and count are the publisher's, the rest is ours */
    atomic_int stage;           /* enum submission_stage */
    /* On a thread of the engine's: the batch is done. Must not block; usually it brings the
     * submission back to the publisher's thread. */
    void (*late)(struct submission *s);
};

/* Publishes s->batch. True: it is done. False: s->late is called once when it is, perhaps before
 * this returns; until then the submission belongs to the engine. Any thread. */
bool submission_publish(struct hub *h, struct submission *s);

/* Appends for people why an item was not accepted, and what to do: of item.error and batch.reason,
 * where the error is the server's affair. */
void submission_explain(int error, const char *reason, struct buf *out);

/* Whether it is done: what the engine said of the items may be read. Any thread. */
static inline bool submission_is_done(const struct submission *s)
{
    return atomic_load_explicit(&s->stage, memory_order_acquire) == SUBMISSION_DONE;
}

#endif
