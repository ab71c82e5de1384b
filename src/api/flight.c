/* Flights; see flight.h. */
#include "api/flight.h"

#include "base/memory.h"

/* Room for so many entries at first: most messages bring one. */
#define FEW_ENTRIES 4

static size_t flight_size(unsigned cap)
{
    return sizeof(struct flight) + cap * (sizeof(struct intake_entry) +
                                          sizeof(struct publish_item *) + sizeof(struct slice));
}

struct flight *flight_new(struct intake *in)
{
    struct flight *f = memory_alloc(flight_size(FEW_ENTRIES));
    *f = (struct flight){.api = in->api, .intake = in, .names = in->names, .cap = FEW_ENTRIES};
    in->names = (struct buf){0};
    return f;
}

/* What stands behind the entries. */
static struct publish_item **item_pointers(struct flight *f)
{
    return (struct publish_item **)&f->entries[f->cap];
}

static struct slice *few_topics(struct flight *f)
{
    return (struct slice *)(item_pointers(f) + f->cap);
}

void flight_free(struct flight *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        event_unref(f->entries[i].item.event);
        memory_free(f->entries[i].failure);
        memory_free(f->entries[i].text);
    }
    if (f->topics != few_topics(f))
        memory_free(f->topics);
    buf_fini(&f->names);
    memory_free(f);
}

void flight_leave(struct flight *f)
{
    f->intake = NULL;
    if (!f->late || f->back)
        flight_free(f);
}

struct intake_entry *flight_add(struct flight **flight)
{
    struct flight *f = *flight;
    if (f->count == f->cap) {
        f = *flight = memory_realloc(f, flight_size(INTAKE_MAX));
        f->cap = INTAKE_MAX;
    }
    struct intake_entry *entry = &f->entries[f->count++];
    *entry = (struct intake_entry){0};
    return entry;
}

static unsigned count_places(const struct flight *f)
{
    unsigned places = 0;
    for (unsigned i = 0; i < f->count; i++)
        places += f->entries[i].item.event ? f->entries[i].item.event->place_count : 0;
    return places;
}

/* Nothing of it moves any more: the items can point into it. */
void flight_fill_batch(struct flight *f)
{
    struct publish_batch *batch = &f->submission.batch;
    unsigned places = count_places(f);
    batch->items = item_pointers(f);
    f->topics = places <= f->cap ? few_topics(f) : memory_alloc(places * sizeof *f->topics);
    struct slice *topics = f->topics;
    for (unsigned i = 0; i < f->count; i++) {
        struct intake_entry *entry = &f->entries[i];
        if (!entry->item.event)
            continue;
        const char *name = f->names.data + entry->names_at;
        entry->item.topics = topics;
        entry->time_ms = entry->item.event->time_ms;
        for (unsigned k = 0; k < entry->item.event->place_count; k++) {
            *topics++ = slice_from(name);
            name += strlen(name) + 1;
        }
        batch->items[batch->count++] = &entry->item;
    }
}
