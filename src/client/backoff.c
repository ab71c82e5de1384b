/* Pauses between attempts; see backoff.h. */
#include "client/backoff.h"

#include "base/random.h"

uint32_t backoff_next(struct backoff *b)
{
    unsigned doublings = b->failures < 16 ? b->failures : 16;
    uint64_t full = (uint64_t)b->first_ms << doublings;
    if (full > b->most_ms)
        full = b->most_ms;
    b->failures++;
    return (uint32_t)(full / 2 + random_u64() % (full - full / 2 + 1));
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
