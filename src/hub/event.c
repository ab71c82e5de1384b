/* Events; see event.h. */
#include "hub/event.h"

#include "base/memory.h"
#include "hub/topic.h"

static char *place_text(char *to, struct slice *field, struct slice text)
{
    if (text.len)
        memcpy(to, text.ptr, text.len);
    *field = slice_of(to, text.len);
    return to + text.len;
}

struct event *event_try_new(const struct event_spec *spec)
{
    size_t places = sizeof(struct event_place) * spec->place_count;
    size_t size = sizeof(struct event) + places + spec->type.len + 1 + spec->key.len +
                  spec->source.len + spec->id.len + spec->data.len;
    struct event *e = size > UINT32_MAX ? NULL : memory_try_alloc(size);
    if (!e)
        return NULL;
    *e = (struct event){
        .refs = 1,
        .place_count = (uint16_t)spec->place_count,
        .ephemeral = spec->ephemeral,
        .nested = spec->nested,
        .type_index = spec->type_index,
        .audience = spec->audience,
        .type_info = spec->type_info,
        .size = (uint32_t)size,
        .time_ms = spec->time_ms,
    };
    memset(e->places, 0, places);
    char *text = (char *)(e->places + spec->place_count);
    text = place_text(text, &e->type, spec->type);
    *text++ = '\0';
    text = place_text(text, &e->key, spec->key);
    text = place_text(text, &e->source, spec->source);
    text = place_text(text, &e->id, spec->id);
    place_text(text, &e->data, spec->data);
    return e;
}

void event_unref(struct event *e)
{
    if (!e || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < e->place_count; i++)
        topic_unref(e->places[i].topic);
    memory_free(e);
}

unsigned event_place_in(const struct event *e, struct slice topic)
{
    for (unsigned i = 0; i < e->place_count; i++)
        if (slice_equal(topic_name_slice(e->places[i].topic), topic))
            return i;
    return 0;
}
