/* Submissions; see submission.h. The second of the two, publisher and engine, sees the first. */
#include "hub/submission.h"

#include "fanfare/error.h"

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

void submission_explain(int error, const char *reason, struct buf *out)
{
    switch (error) {
    case FAN_E_IO:
        buf_printf(out,
                   "the event could not be stored and was not published: %s; try again when GET "
                   "/health says that the engine is well",
                   reason[0] ? reason : fan_error_text(error));
        break;
    case FAN_E_BUSY:
        buf_append_text(out, "too many events wait to be stored; try again in a moment");
        break;
    case FAN_E_LIMIT:
        buf_append_text(out, "the server has as many topics as it can");
        break;
    default:
        buf_append_text(out, fan_error_text(error));
    }
}
