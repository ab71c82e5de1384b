/*
 * Finding event types and reserved names; see catalogue.h.
 *
 * Publishing asks once for each event, so names are in a small hash table with linear probing
 * that is filled at the first call. Its keys are our own constants: flooding it is not possible,
 * so a cheap hash is enough.
 */
#include "hub/catalogue.h"

#include <pthread.h>

#include "hub/event_table.h"

#define LOOKUP_SLOTS 256 /* a power of two, kept less than half full */

struct known_name {
    struct slice name;             /* ptr NULL: free */
    const struct event_type *type; /* NULL: reserved */
};

static struct known_name lookup[LOOKUP_SLOTS];
static pthread_once_t lookup_once = PTHREAD_ONCE_INIT;

static unsigned name_hash(struct slice name)
{
    unsigned hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619u;
    return hash ^ hash >> 16;
}

static struct known_name *lookup_slot(struct slice name)
{
    unsigned at = name_hash(name) % LOOKUP_SLOTS;
    while (lookup[at].name.ptr && !slice_equal(lookup[at].name, name))
        at = (at + 1) % LOOKUP_SLOTS;
    return &lookup[at];
}

static void fill_lookup(void)
{
    unsigned count;
    const struct control_message *messages = control_messages(&count);
    for (unsigned i = 0; i < count; i++)
        *lookup_slot(messages[i].name) = (struct known_name){messages[i].name, NULL};
    for (unsigned i = 0; i < catalogue_count(); i++) {
        const struct event_type *type = catalogue_at(i);
        *lookup_slot(type->name) = (struct known_name){type->name, type};
    }
}

static const struct known_name *known_name(struct slice name)
{
    pthread_once(&lookup_once, fill_lookup);
    if (name.len > 64) /* longer than any; spares the hash */
        return NULL;
    const struct known_name *known = lookup_slot(name);
    return known->name.ptr ? known : NULL;
}

const struct event_type *catalogue_find(struct slice name)
{
    const struct known_name *known = known_name(name);
    return known ? known->type : NULL;
}

bool catalogue_reserved(struct slice name)
{
    const struct known_name *known = known_name(name);
    return known && !known->type;
}

unsigned catalogue_count(void)
{
    return event_table_count + rooms_table_count;
}

const struct event_type *catalogue_at(unsigned index)
{
    return index < event_table_count ? &event_table[index]
                                     : &rooms_table[index - event_table_count];
}

int catalogue_index(const struct event_type *type)
{
    if (type >= rooms_table && type < rooms_table + rooms_table_count)
        return (int)(event_table_count + (unsigned)(type - rooms_table));
    return type ? (int)(type - event_table) : -1;
}

const struct event_type *catalogue_find_filter(struct slice name)
{
    for (unsigned i = 0; i < catalogue_count(); i++)
        for (const char *const *s = catalogue_at(i)->short_names; *s; s++)
            if (slice_is(name, *s))
                return catalogue_at(i);
    return catalogue_find(name);
}

const struct event_type *catalogue_channel(struct slice name)
{
    for (unsigned i = 0; i < channel_table_count; i++)
        if (slice_equal(channel_table[i].name, name))
            return &channel_table[i];
    return NULL;
}

unsigned catalogue_channel_count(void)
{
    return channel_table_count;
}

const struct event_type *catalogue_channel_at(unsigned index)
{
    return &channel_table[index];
}

static bool name_char(char c, bool first)
{
    if (c >= 'a' && c <= 'z')
        return true;
    return !first && ((c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-');
}

bool catalogue_name_valid(struct slice name)
{
    if (name.len == 0 || name.len > 64)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!name_char(name.ptr[i], i == 0))
            return false;
    return true;
}
