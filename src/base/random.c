/* Randomness; see random.h. */
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

void random_bytes(void *out, size_t n)
{
    if (uv_random(NULL, NULL, out, n, 0, NULL) != 0) {
        fprintf(stderr, "fanfare: the operating system gives no random bytes\n");
        abort();
    }
}

uint64_t random_u64(void)
{
    uint64_t n;
    random_bytes(&n, sizeof n);
    return n;
}

void random_text(char *out, size_t n)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    unsigned char pool[64];
    size_t have = 0;
    for (size_t i = 0; i < n;) {
        if (have == 0) {
            random_bytes(pool, sizeof pool);
            have = sizeof pool;
        }
        unsigned char c = pool[--have];
        if (c < 248) /* 4 × 62: no letter is likelier than another */
            out[i++] = letters[c % 62];
    }
    out[n] = '\0';
}
