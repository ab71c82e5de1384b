/*
 * Components and features of a session: what each is, how far they are together.
 *
 * The statistics are kept up to date with each event, so that a snapshot costs no more than
 * printing what there is.
 */
#include <math.h>

#include "base/clock.h"
#include "base/memory.h"
#include "hub/session_sections.h"

#define MILLIONTHS 1e6
#define STATUS_MAX 64 /* bytes kept of a status that is none of ours */

struct session_item {
    struct list by_arrival, by_update;
    int64_t updated;
    int64_t progress; /* millionths of a per cent */
    enum session_status status;
    struct kept other_status; /* JSON string, for SESSION_OTHER */
    struct kept metadata;     /* JSON; nothing: null */
    uint32_t id_len;
    char id[];
};

static const char *const status_names[] = {
    [SESSION_PENDING] = "pending",     [SESSION_IN_PROGRESS] = "in_progress",
    [SESSION_COMPLETED] = "completed", [SESSION_FAILED] = "failed",
    [SESSION_OTHER] = "other",
};

const char *session_status_name(enum session_status status)
{
    return status_names[status];
}

static struct slice item_key(const void *object)
{
    const struct session_item *item = object;
    return slice_of(item->id, item->id_len);
}

void session_items_init(struct session_items *items)
{
    *items = (struct session_items){0};
    map_init(&items->by_id, item_key);
    list_init(&items->by_arrival);
    list_init(&items->by_update);
}

static size_t item_size(const struct session_item *item)
{
    return sizeof *item + item->id_len;
}

static void item_free(struct session_item *item)
{
    kept_clear(&item->other_status);
    kept_clear(&item->metadata);
    memory_free(item);
}

void session_items_fini(struct session_items *items)
{
    LIST_EACH (link, &items->by_arrival)
        item_free(CONTAINER(link, struct session_item, by_arrival));
    map_fini(&items->by_id);
}

/* The item leaves the statistics (sign -1) or enters them (1). */
static void count_item(struct session_items *items, const struct session_item *item, int sign)
{
    items->counts[item->status] += (unsigned)sign;
    items->progress_sum += sign * item->progress;
}

static void drop_oldest(struct session_items *items)
{
    struct session_item *item = CONTAINER(items->by_update.next, struct session_item, by_update);
    count_item(items, item, -1);
    items->metadata_bytes -= item->metadata.len;
    items->bytes -= item_size(item) + item->other_status.len;
    map_remove(&items->by_id, item_key(item));
    list_remove(&item->by_arrival);
    list_remove(&item->by_update);
    item_free(item);
}

/* A new item with the status pending; NULL: no memory. */
static struct session_item *add_item(struct session_items *items, struct slice id)
{
    struct session_item *item = memory_try_alloc(sizeof *item + id.len);
    if (!item)
        return NULL;
    *item = (struct session_item){.status = SESSION_PENDING, .id_len = (uint32_t)id.len};
    memcpy(item->id, id.ptr, id.len);
    if (items->by_id.count >= SESSION_ITEMS_MAX)
        drop_oldest(items);
    if (map_try_put(&items->by_id, item) != 0) {
        memory_free(item);
        return NULL;
    }
    list_append(&items->by_arrival, &item->by_arrival);
    list_append(&items->by_update, &item->by_update);
    items->bytes += item_size(item);
    count_item(items, item, 1);
    return item;
}

static enum session_status read_status(struct json_value value)
{
    for (unsigned i = SESSION_PENDING; i < SESSION_OTHER; i++)
        if (json_string_is(value, status_names[i]))
            return (enum session_status)i;
    return SESSION_OTHER;
}

static bool set_status(struct session_items *items, struct session_item *item,
                       struct json_value value)
{
    if (value.kind != JSON_STRING)
        return true;
    item->status = read_status(value);
    items->bytes -= item->other_status.len;
    bool done = true;
    if (item->status == SESSION_OTHER)
        done = kept_set_string(&item->other_status, value, STATUS_MAX);
    else
        kept_clear(&item->other_status);
    items->bytes += item->other_status.len;
    return done;
}

/* An update that says nothing of progress leaves it where it was, unless the status settles it. */
static void set_progress(struct session_item *item, const struct json_value *value)
{
    if (value && value->kind == JSON_NUMBER) {
        double progress = json_number(*value);
        item->progress = (int64_t)llround(fmin(fmax(progress, 0), 100) * MILLIONTHS);
    } else if (item->status == SESSION_COMPLETED) {
        item->progress = (int64_t)(100 * MILLIONTHS);
    } else if (item->status == SESSION_PENDING) {
        item->progress = 0;
    }
}

static bool set_metadata(struct session_items *items, struct session_item *item,
                         struct json_value value)
{
    size_t others = items->metadata_bytes - item->metadata.len;
    bool fits = value.kind != JSON_NULL && value.text.len <= SESSION_METADATA_MAX &&
                others + value.text.len <= SESSION_METADATA_ALL;
    bool done = kept_set(&item->metadata, fits ? value.text : slice_of(NULL, 0));
    items->metadata_bytes = others + item->metadata.len;
    return done;
}

/* LAST is the id in an event, and the time in a snapshot. */
enum { STATUS, PROGRESS, METADATA, LAST, FIELDS };

static bool update_item(struct session_items *items, struct slice id, unsigned found,
                        const struct json_value values[FIELDS], int64_t time)
{
    struct session_item *item = map_get(&items->by_id, id);
    if (!item)
        item = add_item(items, id);
    if (!item)
        return false;
    bool done = true;
    count_item(items, item, -1);
    if (found & 1 << STATUS)
        done = set_status(items, item, values[STATUS]);
    set_progress(item, found & 1 << PROGRESS ? &values[PROGRESS] : NULL);
    count_item(items, item, 1);
    if (found & 1 << METADATA)
        done = set_metadata(items, item, values[METADATA]) && done;
    item->updated = time;
    list_remove(&item->by_update);
    list_append(&items->by_update, &item->by_update);
    return done;
}

bool session_items_fold(struct session_items *items, const struct session_event *event,
                        struct slice id_name)
{
    const struct slice names[FIELDS] = {NAME("status"), NAME("progress"), NAME("metadata"),
                                        id_name};
    struct json_value values[FIELDS];
    unsigned found = session_pick(event->data, names, FIELDS, values);
    if (!(found & 1 << LAST) || values[LAST].kind != JSON_STRING)
        return true;
    struct buf scratch = {0};
    struct slice id;
    bool done = session_text(values[LAST], &scratch, &id);
    if (done && id.len <= SESSION_ID_MAX)
        done = update_item(items, id, found, values, event->time);
    buf_fini(&scratch);
    return done;
}

static bool load_item(struct session_items *items, const struct json_member *member,
                      struct buf *scratch)
{
    static const struct slice names[FIELDS] = {NAME("status"), NAME("progress"), NAME("metadata"),
                                               NAME("updated")};
    struct json_value values[FIELDS];
    struct slice quoted = slice_of(member->name.ptr - 1, member->name.len + 2);
    unsigned found = session_pick(member->value.text, names, FIELDS, values);
    struct slice id, updated;
    int64_t time = 0;
    if (found & 1 << LAST && json_string_plain(values[LAST], &updated))
        clock_parse(updated, &time);
    return session_text((struct json_value){JSON_STRING, quoted}, scratch, &id) &&
           (id.len > SESSION_ID_MAX || update_item(items, id, found, values, time));
}

bool session_items_load(struct session_items *items, struct json_value object)
{
    struct json_iter it = json_members(object);
    struct json_member member;
    struct buf scratch = {0};
    bool done = true;
    while (json_next_member(&it, &member))
        if (member.value.kind == JSON_OBJECT)
            done = load_item(items, &member, &scratch) && done;
    buf_fini(&scratch);
    return done;
}

static void append_item(const struct session_item *item, struct buf *out)
{
    json_put_name_slice(out, item_key(item));
    json_begin(out, NULL, '{');
    if (item->other_status.ptr)
        json_put_raw(out, "status", kept_slice(&item->other_status));
    else
        json_put_text(out, "status", session_status_name(item->status));
    json_put_number(out, "progress", (double)item->progress / MILLIONTHS);
    json_put_raw(out, "metadata", item->metadata.ptr ? kept_slice(&item->metadata) : SLICE("null"));
    json_put_time(out, "updated", item->updated);
    json_end(out, '}');
}

void session_items_append(const struct session_items *items, const char *name, struct buf *out)
{
    json_begin(out, name, '{');
    LIST_EACH (link, (struct list *)&items->by_arrival)
        append_item(CONTAINER(link, struct session_item, by_arrival), out);
    json_end(out, '}');
}

void session_items_append_stats(const struct session_items *items, const char *name,
                                struct buf *out)
{
    static const enum session_status shown[] = {SESSION_COMPLETED, SESSION_IN_PROGRESS,
                                                SESSION_PENDING, SESSION_FAILED};
    json_begin(out, name, '{');
    json_put_u64(out, "total", items->by_id.count);
    for (unsigned i = 0; i < sizeof shown / sizeof *shown; i++)
        json_put_u64(out, session_status_name(shown[i]), items->counts[shown[i]]);
    json_put_number(out, "completion_percentage", session_items_percentage(items));
    json_end(out, '}');
}

double session_items_percentage(const struct session_items *items)
{
    if (items->by_id.count == 0)
        return 0;
    double mean = (double)items->progress_sum / MILLIONTHS / (double)items->by_id.count;
    return round(mean * 10) / 10;
}

size_t session_items_bytes(const struct session_items *items)
{
    size_t slots = items->by_id.slots ? items->by_id.mask + 1 : 0;
    return items->bytes + items->metadata_bytes + slots * sizeof(struct map_slot);
}
