/* Checked allocation; see memory.h. */
#include "base/memory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local unsigned fail_countdown;
static atomic_size_t fail_above;

static bool must_fail(size_t size)
{
    size_t above = atomic_load_explicit(&fail_above, memory_order_relaxed);
    if (above && size > above)
        return true;
    return fail_countdown && --fail_countdown == 0;
}

void memory_fail_nth(unsigned nth)
{
    fail_countdown = nth;
}

void memory_fail_above(size_t size)
{
    atomic_store_explicit(&fail_above, size, memory_order_relaxed);
}

static void *or_die(void *p, size_t size)
{
    if (!p) {
        fprintf(stderr, "fanfare: out of memory (%zu bytes)\n", size);
        abort();
    }
    return p;
}

void *memory_try_alloc(size_t size)
{
    return must_fail(size) ? NULL : malloc(size ? size : 1);
}

void *memory_try_realloc(void *old, size_t size)
{
    return must_fail(size) ? NULL : realloc(old, size ? size : 1);
}

void *memory_alloc(size_t size)
{
    return or_die(malloc(size ? size : 1), size);
}

void *memory_zero(size_t size)
{
    return or_die(calloc(1, size ? size : 1), size);
}

void *memory_realloc(void *old, size_t size)
{
    return or_die(realloc(old, size ? size : 1), size);
}

char *memory_copy_string(struct slice text)
{
    char *copy = memory_alloc(text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

void memory_free(void *p)
{
    free(p);
}
