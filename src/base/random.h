/* Random bytes from the operating system's generator. Any thread. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t n);
uint64_t random_u64(void);

/* Characters for random_text: n of 0-9A-Za-z, and a NUL: out has n + 1 bytes. */
void random_text(char *out, size_t n);

#endif
