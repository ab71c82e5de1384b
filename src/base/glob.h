/* Patterns in which `*` stands for any characters, also none. Any thread. */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <stdbool.h>

#include "base/slice.h"

struct glob_rules {
    bool any_case; /* small and capital letters are the same */
    char barrier;  /* what `*` does not stand for; 0: nothing */
};

/* Takes at most time in proportion to the product of the lengths. */
bool glob_match(struct slice pattern, struct slice text, struct glob_rules rules);

#endif
