/* Shared bytes; see bytes.h. */
#include "base/bytes.h"

#include "base/memory.h"

struct bytes *bytes_try_new(size_t cap)
{
    if (cap > UINT32_MAX - sizeof(struct bytes))
        return NULL;
    struct bytes *b = memory_try_alloc(sizeof *b + cap);
    if (b)
        *b = (struct bytes){.refs = 1, .cap = (uint32_t)cap};
    return b;
}

struct bytes *bytes_try_copy(struct slice data)
{
    struct bytes *b = bytes_try_new(data.len);
    if (b) {
        if (data.len)
            memcpy(b->data, data.ptr, data.len);
        b->len = (uint32_t)data.len;
    }
    return b;
}

void bytes_unref(struct bytes *b)
{
    if (b && --b->refs == 0)
        memory_free(b);
}
