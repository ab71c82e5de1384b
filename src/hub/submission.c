/* Submissions; see submission.h. The second of the two, publisher and engine, sees the first. */
#include "hub/submission.h"

static void on_done(struct publish_batch *batch)
{
    struct submission *s = batch->arg;
    if (atomic_exchange_explicit(&s->stage, SUBMISSION_DONE, memory_order_acq_rel) ==
        SUBMISSION_LATE)
        s->late(s);
}

bool submission_publish(struct hub *h, struct submission *s)
{
    int stage = SUBMISSION_GIVEN;
    atomic_init(&s->stage, SUBMISSION_GIVEN);
    s->batch.reason[0] = '\0';
    s->batch.done = on_done;
    s->batch.arg = s;
    hub_publish(h, &s->batch);
    return !atomic_compare_exchange_strong_explicit(&s->stage, &stage, SUBMISSION_LATE,
                                                    memory_order_acq_rel, memory_order_acquire);
}
