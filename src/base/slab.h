/*
 * Objects of one size, carved from chunks and reused through a free list. Objects never move.
 * Not thread-safe.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>

struct slab {
    size_t size;
    size_t count; /* objects in use */
    void *free;
    void *chunks;
};

void slab_init(struct slab *s, size_t object_size);

/* Frees the chunks, with the objects in them. */
void slab_fini(struct slab *s);

/* A cleared object; NULL when there is no memory. */
void *slab_try_take(struct slab *s);
void slab_give(struct slab *s, void *object);

#endif
