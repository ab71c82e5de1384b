/* "Did you mean …?": the nearest of a set of names. No I/O, any thread. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include "base/slice.h"

/* Collects the best candidate; start with {.wanted = …}. */
struct suggestion {
    struct slice wanted;
    const char *best; /* NULL: none is near enough */
    unsigned distance;
};

/* Compares one candidate. '.', '_' and '-' count as the same character, case is ignored. */
void suggestion_offer(struct suggestion *s, const char *candidate);

#endif
