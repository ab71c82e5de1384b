/* Pauses between attempts: they double up to a limit, and a random part is taken off so that many
 * clients do not come back at the same moment. Not thread-safe. */
#ifndef CLIENT_BACKOFF_H
#define CLIENT_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t first_ms, most_ms;
    unsigned failures;
};

/* The pause before the next attempt: between half of the full pause and all of it. */
uint32_t backoff_next(struct backoff *b);

/* After a success the pauses start small again. */
void backoff_reset(struct backoff *b);

#endif
