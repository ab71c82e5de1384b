/* Hash map; see map.h. */
#include "base/map.h"

#include <pthread.h>

#include "base/memory.h"
#include "base/random.h"
#include "fanfare/error.h"

static uint64_t hash_key[2];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void)
{
    random_bytes(hash_key, sizeof hash_key);
}

#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))
#define SIP_ROUND(a, b, c, d)                             \
    do {                                                  \
        a += b, b = ROTATE(b, 13) ^ a, a = ROTATE(a, 32); \
        c += d, d = ROTATE(d, 16) ^ c;                    \
        a += d, d = ROTATE(d, 21) ^ a;                    \
        c += b, b = ROTATE(b, 17) ^ c, c = ROTATE(c, 32); \
    } while (0)

uint64_t map_hash(struct slice key)
{
    pthread_once(&hash_key_once, make_hash_key);
    uint64_t a = hash_key[0] ^ 0x736f6d6570736575ULL, b = hash_key[1] ^ 0x646f72616e646f6dULL;
    uint64_t c = hash_key[0] ^ 0x6c7967656e657261ULL, d = hash_key[1] ^ 0x7465646279746573ULL;
    size_t left = key.len;
    const char *p = key.ptr;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t m;
        memcpy(&m, p, 8);
        d ^= m;
        SIP_ROUND(a, b, c, d);
        a ^= m;
    }
    uint64_t last = (uint64_t)key.len << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)(unsigned char)p[i] << (8 * i);
    d ^= last;
    SIP_ROUND(a, b, c, d);
    a ^= last;
    c ^= 0xff;
    SIP_ROUND(a, b, c, d);
    SIP_ROUND(a, b, c, d);
    SIP_ROUND(a, b, c, d);
    return a ^ b ^ c ^ d;
}

void map_init(struct map *m, struct slice (*key)(const void *object))
{
    *m = (struct map){.key = key};
}

void map_fini(struct map *m)
{
    memory_free(m->slots);
    *m = (struct map){.key = m->key};
}

/* The slot that holds the key, or the free one where it would go. */
static size_t find(const struct map *m, uint64_t hash, struct slice key)
{
    size_t i = hash & m->mask;
    while (m->slots[i].object &&
           !(m->slots[i].hash == hash && slice_equal(m->key(m->slots[i].object), key)))
        i = (i + 1) & m->mask;
    return i;
}

void *map_get(const struct map *m, struct slice key)
{
    return m->slots ? m->slots[find(m, map_hash(key), key)].object : NULL;
}

static void place(struct map *m, struct map_slot slot)
{
    size_t i = slot.hash & m->mask;
    while (m->slots[i].object)
        i = (i + 1) & m->mask;
    m->slots[i] = slot;
}

/* Moves everything to a new table of `size` slots, a power of two, all free. */
static void move_slots(struct map *m, struct map_slot *slots, size_t size)
{
    struct map_slot *old = m->slots;
    size_t old_mask = m->mask;
    m->slots = slots;
    m->mask = size - 1;
    for (size_t i = 0; old && i <= old_mask; i++)
        if (old[i].object)
            place(m, old[i]);
    memory_free(old);
}

static void resize(struct map *m, size_t size)
{
    move_slots(m, memory_zero(size * sizeof *m->slots), size);
}

/* The number of slots wanted for one object more; 0 when there are enough. */
static size_t size_to_grow(const struct map *m)
{
    if (!m->slots)
        return 8;
    return (m->count + 1) * 4 > (m->mask + 1) * 3 ? (m->mask + 1) * 2 : 0;
}

static void put(struct map *m, void *object)
{
    place(m, (struct map_slot){map_hash(m->key(object)), object});
    m->count++;
}

void map_put(struct map *m, void *object)
{
    size_t size = size_to_grow(m);
    if (size)
        resize(m, size);
    put(m, object);
}

int map_try_put(struct map *m, void *object)
{
    size_t size = size_to_grow(m);
    if (size) {
        struct map_slot *slots = memory_try_alloc(size * sizeof *slots);
        if (!slots)
            return FAN_E_NO_MEMORY;
        memset(slots, 0, size * sizeof *slots);
        move_slots(m, slots, size);
    }
    put(m, object);
    return 0;
}

/* Moves back what stood behind the freed slot because of it, so that no tombstones are needed. */
static void close_hole(struct map *m, size_t hole)
{
    for (size_t i = (hole + 1) & m->mask; m->slots[i].object; i = (i + 1) & m->mask) {
        size_t home = m->slots[i].hash & m->mask;
        if (((i - home) & m->mask) >= ((i - hole) & m->mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map_slot){0};
}

void *map_remove(struct map *m, struct slice key)
{
    if (!m->slots)
        return NULL;
    size_t i = find(m, map_hash(key), key);
    void *object = m->slots[i].object;
    if (!object)
        return NULL;
    close_hole(m, i);
    m->count--;
    if (m->mask >= 64 && m->count * 8 < m->mask)
        resize(m, (m->mask + 1) / 2);
    return object;
}
