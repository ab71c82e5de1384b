/* What every fuzz target includes. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run: the input shows a mistake. */
#define FUZZ_CHECK(condition)                                               \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* The input without its first n bytes, which choose what is done with it; false when it is
 * shorter. */
static inline bool fuzz_take(struct slice *input, size_t n, uint8_t *choices)
{
    if (input->len < n)
        return false;
    memcpy(choices, input->ptr, n);
    *input = slice_skip(*input, n);
    return true;
}

/* A copy of its own size, so that a sanitizer sees reads past the end. */
static inline char *fuzz_copy(struct slice text)
{
    char *copy = malloc(text.len ? text.len : 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

#endif
