/*
 * Memory: the two kinds of allocation.
 *
 * memory_try_*: for sizes that a peer decides. May fail; the caller closes that peer.
 * memory_*: for small structures of our own. Running out of memory there ends the process with
 * a message, as there is nothing sensible left to do.
 *
 * All of them are freed with memory_free. Any thread.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

#include "base/slice.h"

/* NULL when there is no memory, or when a test asked for failure. */
void *memory_try_alloc(size_t size);
void *memory_try_realloc(void *old, size_t size);

/* Never NULL. memory_zero clears the memory. */
void *memory_alloc(size_t size);
void *memory_zero(size_t size);
void *memory_realloc(void *old, size_t size);
char *memory_copy_string(struct slice text);

void memory_free(void *p);

/* Tests: the call number `nth` (from 1) of a memory_try_* function on this thread fails, once.
 * 0 turns it off. */
void memory_fail_nth(unsigned nth);

/* Tests and the limit of last resort: in the whole process, memory_try_* fails for sizes above
 * this. 0: no limit. Also set at start from the environment variable FANFARE_TEST_ALLOC_MAX. */
void memory_fail_above(size_t size);

#endif
