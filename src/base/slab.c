/* Slab; see slab.h. Chunks are 64 KiB, so that the memory of short peaks is cheap to reuse. */
#include "base/slab.h"

#include <string.h>

#include "base/memory.h"

#define CHUNK_SIZE 65536
#define ALIGNMENT  8 /* of pointers and 64-bit numbers; objects have nothing wider */

struct link {
    struct link *next;
};

void slab_init(struct slab *s, size_t object_size)
{
    size_t size = (object_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *s = (struct slab){.size = size < ALIGNMENT ? ALIGNMENT : size};
}

void slab_fini(struct slab *s)
{
    struct link *chunk = s->chunks;
    while (chunk) {
        struct link *next = chunk->next;
        memory_free(chunk);
        chunk = next;
    }
    *s = (struct slab){.size = s->size};
}

static int add_chunk(struct slab *s)
{
    size_t bytes = s->size + ALIGNMENT > CHUNK_SIZE ? s->size + ALIGNMENT : CHUNK_SIZE;
    char *chunk = memory_try_alloc(bytes);
    if (!chunk)
        return -1;
    ((struct link *)(void *)chunk)->next = s->chunks;
    s->chunks = chunk;
    for (size_t at = ALIGNMENT; at + s->size <= bytes; at += s->size) {
        struct link *object = (struct link *)(void *)(chunk + at);
        object->next = s->free;
        s->free = object;
    }
    return 0;
}

void *slab_try_take(struct slab *s)
{
    if (!s->free && add_chunk(s) != 0)
        return NULL;
    struct link *object = s->free;
    s->free = object->next;
    s->count++;
    memset(object, 0, s->size);
    return object;
}

void slab_give(struct slab *s, void *object)
{
    struct link *link = object;
    link->next = s->free;
    s->free = link;
    s->count--;
}
