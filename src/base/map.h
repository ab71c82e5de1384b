/*
 * Hash map from bytes to objects that hold their own key.
 *
 * Open addressing with linear probing over {hash, object}; the objects are not moved or owned.
 * The hash (SipHash-1-3, keyed per process) resists flooding with chosen keys. Not thread-safe.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdint.h>

#include "base/slice.h"

struct map_slot {
    uint64_t hash;
    void *object; /* NULL: free */
};

struct map {
    struct map_slot *slots;
    size_t count;
    size_t mask; /* slots - 1; 0 while there are none */
    struct slice (*key)(const void *object);
};

/* key: returns the bytes by which an object is found; they must not change while it is in. */
void map_init(struct map *m, struct slice (*key)(const void *object));

/* Frees the table, not the objects. */
void map_fini(struct map *m);

/* NULL when absent. */
void *map_get(const struct map *m, struct slice key);

/* Adds an object whose key is not in the map yet. */
void map_put(struct map *m, void *object);

/* The same, for maps whose size a peer decides: FAN_E_NO_MEMORY, and the object is not in. */
int map_try_put(struct map *m, void *object);

/* Returns the removed object, or NULL. */
void *map_remove(struct map *m, struct slice key);

/* Every object, in no order: MAP_EACH (i, m) { struct thing *t = m->slots[i].object; … }.
 * The map must not change meanwhile. */
#define MAP_EACH(index, m)                                            \
    for (size_t index = 0; (m)->slots && index <= (m)->mask; index++) \
        if ((m)->slots[index].object)

/* The keyed hash itself, for other tables. */
uint64_t map_hash(struct slice key);

#endif
