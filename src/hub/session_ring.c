/* The newest of something, each kept as the JSON that is shown. */
#include "base/memory.h"
#include "hub/session_sections.h"

void session_ring_fini(struct session_ring *ring)
{
    for (unsigned i = 0; ring->items && i < ring->size; i++)
        kept_clear(&ring->items[i]);
    memory_free(ring->items);
    *ring = (struct session_ring){0};
}

bool session_ring_add(struct session_ring *ring, unsigned size, struct slice json)
{
    if (!ring->items) {
        ring->items = memory_try_alloc(size * sizeof *ring->items);
        if (!ring->items)
            return false;
        memset(ring->items, 0, size * sizeof *ring->items);
        ring->size = size;
        ring->bytes = size * sizeof *ring->items;
    }
    struct kept *place = &ring->items[ring->next];
    ring->next = (ring->next + 1) % ring->size;
    if (ring->count < ring->size)
        ring->count++;
    ring->bytes -= place->len;
    bool done = kept_set(place, json);
    ring->bytes += place->len;
    return done;
}

bool session_ring_load(struct session_ring *ring, unsigned size, struct json_value list)
{
    if (list.kind != JSON_ARRAY)
        return true;
    struct json_iter it = json_elements(list);
    struct json_value element;
    bool done = true;
    while (json_next_element(&it, &element))
        if (element.kind == JSON_OBJECT)
            done = session_ring_add(ring, size, element.text) && done;
    return done;
}

void session_ring_append(const struct session_ring *ring, struct buf *out)
{
    for (unsigned i = 0; i < ring->count; i++) {
        unsigned at = (ring->next + ring->size - ring->count + i) % ring->size;
        if (ring->items[at].ptr) /* empty: memory ran out then */
            json_put_raw(out, NULL, kept_slice(&ring->items[at]));
    }
}

bool session_put_bounded(struct buf *out, const char *name, const struct json_value *value,
                         size_t longest)
{
    if (!value || value->kind != JSON_STRING) {
        json_put_text(out, name, NULL);
        return true;
    }
    struct kept text = {0};
    bool done = kept_set_string(&text, *value, longest);
    json_put_raw(out, name, done ? kept_slice(&text) : SLICE("null"));
    kept_clear(&text);
    return done;
}
