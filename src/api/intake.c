/* Intake; see intake.h. */
#include "api/intake.h"

#include <stdio.h>

#include "api/api.h"
#include "auth/permit.h"
#include "base/memory.h"
#include "codec/cursor.h"
#include "codec/json.h"
#include "fanfare/error.h"

/* More topics than this are left out of a sum. */
#define SUM_TOPICS_MAX 1000

/* Events in one array. */
#define ARRAY_MAX 10000

/* The last place in one topic. */
struct topic_sum {
    uint64_t offset, epoch;
    uint32_t name_len;
    char name[];
};

static struct slice sum_key(const void *object)
{
    const struct topic_sum *s = object;
    return slice_of(s->name, s->name_len);
}

bool ack_mode_parse(struct slice text, enum ack_mode *mode)
{
    static const char *const names[] = {"each", "batch", "none"};
    for (int i = 0; i < 3; i++)
        if (slice_is(text, names[i])) {
            *mode = (enum ack_mode)i;
            return true;
        }
    return false;
}

void intake_init(struct intake *in, struct api *api, struct identity *who, enum ack_mode ack,
                 const struct intake_ops *ops, void *arg)
{
    *in = (struct intake){
        .api = api,
        .who = who,
        .ack = ack,
        .max_data = api_message_size(api),
        .ops = ops,
        .arg = arg,
    };
    map_init(&in->topics, sum_key);
}

static void forget_sums(struct intake *in)
{
    MAP_EACH (i, &in->topics)
        memory_free(in->topics.slots[i].object);
    map_fini(&in->topics);
    in->published = in->failed = 0;
    in->topics_left_out = 0;
}

static void release_entries(struct intake *in)
{
    for (unsigned i = 0; i < in->count; i++) {
        event_unref(in->entries[i].item.event);
        memory_free(in->entries[i].failure);
    }
    in->count = 0;
    memory_free(in->entries);
    in->entries = NULL;
    buf_clear(&in->names);
}

void intake_fini(struct intake *in)
{
    release_entries(in);
    forget_sums(in);
    buf_fini(&in->names);
    buf_fini(&in->answer);
}

static struct intake_entry *next_entry(struct intake *in)
{
    if (in->count == INTAKE_MAX)
        intake_flush(in);
    if (!in->entries)
        in->entries = memory_alloc(INTAKE_MAX * sizeof *in->entries);
    struct intake_entry *entry = &in->entries[in->count++];
    *entry = (struct intake_entry){.line = ++in->line};
    return entry;
}

void intake_add_failure(struct intake *in, const struct publish_failure *failure)
{
    struct intake_entry *entry = next_entry(in);
    entry->failure = memory_alloc(sizeof *failure);
    *entry->failure = *failure;
}

/* Whether the publisher may publish to all of its topics; the names stand in in->names. */
static bool may_publish(const struct intake *in, const struct parsed_event *parsed,
                        struct publish_failure *failure)
{
    const char *name = in->names.data + parsed->names_at;
    for (unsigned i = 0; i < parsed->event->place_count; i++, name += strlen(name) + 1) {
        struct access_decision decision = identity_may_publish(in->who, slice_from(name));
        if (decision.allowed)
            continue;
        struct buf why = {0};
        permit_explain(&why, in->who, &decision, "publish to", slice_from(name));
        *failure = (struct publish_failure){.status = 403, .code = "forbidden"};
        snprintf(failure->field, sizeof failure->field, parsed->many ? "topics" : "topic");
        snprintf(failure->message, sizeof failure->message, "%s", buf_text(&why));
        buf_fini(&why);
        return false;
    }
    return true;
}

static int parse(struct intake *in, struct slice text, struct parsed_event *parsed,
                 struct publish_failure *failure)
{
    int error = publish_event_parse(text, in->max_data, &in->names, parsed, failure);
    if (error || may_publish(in, parsed, failure))
        return error;
    event_unref(parsed->event);
    in->names.len = parsed->names_at;
    return FAN_E_DENIED;
}

void intake_add(struct intake *in, struct slice text)
{
    struct parsed_event parsed;
    struct publish_failure failure;
    struct intake_entry *entry = next_entry(in);
    entry->names_at = in->names.len;
    if (parse(in, text, &parsed, &failure) != 0) {
        entry->failure = memory_alloc(sizeof failure);
        *entry->failure = failure;
        return;
    }
    if (parsed.warning)
        api_count_unusual(in->api);
    entry->item.event = parsed.event;
    entry->many = parsed.many;
}

/* Its answer is one message, which has to stay within reason. */
static bool too_many(struct json_value array, struct publish_failure *failure)
{
    struct json_iter it = json_elements(array);
    struct json_value element;
    unsigned count = 0;
    while (count <= ARRAY_MAX && json_next_element(&it, &element))
        count++;
    if (count <= ARRAY_MAX)
        return false;
    *failure = (struct publish_failure){.status = 413, .code = "too_large"};
    snprintf(failure->message, sizeof failure->message,
             "an array may have at most %d events; send more in several messages", ARRAY_MAX);
    return true;
}

static void add_array(struct intake *in, struct json_value array)
{
    struct json_iter it = json_elements(array);
    struct json_value element, next;
    struct publish_failure failure;
    if (too_many(array, &failure)) {
        intake_add_failure(in, &failure);
        return;
    }
    if (!json_next_element(&it, &element)) {
        intake_flush(in);
        if (in->ack == ACK_EACH)
            in->ops->answer(in->arg, SLICE("[]"));
        return;
    }
    bool first = true, more;
    do {
        more = json_next_element(&it, &next);
        intake_add(in, element.text);
        struct intake_entry *entry = &in->entries[in->count - 1];
        entry->array_first = first;
        entry->array_last = !more;
        first = false;
        element = next;
    } while (more);
}

void intake_add_message(struct intake *in, struct slice text)
{
    size_t at = 0;
    struct json_value value;
    while (at < text.len && strchr(" \t\r\n", text.ptr[at]) && text.ptr[at])
        at++;
    if (at == text.len || text.ptr[at] != '[' || json_parse(text, &value, NULL) != 0)
        intake_add(in, text); /* also says what is wrong with a broken array */
    else
        add_array(in, value);
}

/* ---- Publishing ---- */

static void nothing(struct publish_batch *batch)
{
    (void)batch;
}

/* The names buffer does not move any more: the items can point into it. */
static unsigned point_to_names(struct intake *in, struct publish_item **items, struct slice *topics)
{
    unsigned count = 0;
    for (unsigned i = 0; i < in->count; i++) {
        struct intake_entry *entry = &in->entries[i];
        if (!entry->item.event)
            continue;
        const char *name = in->names.data + entry->names_at;
        entry->item.topics = topics;
        for (unsigned k = 0; k < entry->item.event->place_count; k++) {
            *topics++ = slice_from(name);
            name += strlen(name) + 1;
        }
        items[count++] = &entry->item;
    }
    return count;
}

static unsigned count_places(const struct intake *in)
{
    unsigned places = 0;
    for (unsigned i = 0; i < in->count; i++)
        places += in->entries[i].item.event ? in->entries[i].item.event->place_count : 0;
    return places;
}

static void note_topic(struct intake *in, const struct event_place *place)
{
    struct slice name = topic_name_slice(place->topic);
    struct topic_sum *sum = map_get(&in->topics, name);
    if (!sum) {
        if (in->topics.count >= SUM_TOPICS_MAX) {
            in->topics_left_out++;
            return;
        }
        sum = memory_alloc(sizeof *sum + name.len);
        sum->name_len = (uint32_t)name.len;
        memcpy(sum->name, name.ptr, name.len);
        map_put(&in->topics, sum);
    }
    sum->offset = place->offset;
    sum->epoch = place->epoch;
}

static void answer_entry(struct intake *in, struct intake_entry *entry, struct buf *out)
{
    if (entry->failure) {
        publish_failure_append(out, entry->failure);
        if (in->lines)
            buf_printf(out, ",\"line\":%llu", (unsigned long long)entry->line);
        buf_append_char(out, '}');
        return;
    }
    publish_result_append(out, &entry->item, entry->many);
}

static void settle(struct intake *in, struct intake_entry *entry)
{
    if (!entry->failure && entry->item.error) {
        entry->failure = memory_alloc(sizeof *entry->failure);
        publish_event_refused(entry->item.error, entry->failure);
    }
    if (entry->failure) {
        in->failed++;
        return;
    }
    in->published++;
    for (unsigned i = 0; in->sum_topics && i < entry->item.event->place_count; i++)
        note_topic(in, &entry->item.event->places[i]);
}

static void answer(struct intake *in, struct intake_entry *entry)
{
    bool all = in->ack == ACK_EACH;
    if (!all && !entry->failure)
        return;
    if (!all) {
        buf_clear(&in->answer);
        answer_entry(in, entry, &in->answer);
        in->ops->answer(in->arg, buf_slice(&in->answer));
        return;
    }
    if (entry->array_first || !in->answer.len)
        buf_clear(&in->answer);
    bool in_array = entry->array_first || in->answer.len > 0;
    if (in_array)
        buf_append_char(&in->answer, entry->array_first ? '[' : ',');
    answer_entry(in, entry, &in->answer);
    if (in_array && !entry->array_last)
        return;
    if (in_array)
        buf_append_char(&in->answer, ']');
    in->ops->answer(in->arg, buf_slice(&in->answer));
    buf_clear(&in->answer);
}

int intake_flush(struct intake *in)
{
    int status = 200;
    if (in->count == 0)
        return status;
    struct publish_item *items[INTAKE_MAX];
    struct slice few[INTAKE_MAX];
    unsigned places = count_places(in);
    struct slice *topics = places <= INTAKE_MAX ? few : memory_alloc(places * sizeof *topics);
    struct publish_batch batch = {.items = items, .done = nothing};
    batch.count = point_to_names(in, items, topics);
    if (batch.count)
        hub_publish(in->api->hub, &batch);
    for (unsigned i = 0; i < in->count; i++) {
        settle(in, &in->entries[i]);
        answer(in, &in->entries[i]);
        status = in->entries[i].failure ? in->entries[i].failure->status : 200;
    }
    if (topics != few)
        memory_free(topics);
    release_entries(in);
    return status;
}

void intake_append_sum(struct intake *in, struct buf *out)
{
    const char *separator = "";
    buf_printf(out, "{\"published\":%llu,\"failed\":%llu,\"topics\":{",
               (unsigned long long)in->published, (unsigned long long)in->failed);
    MAP_EACH (i, &in->topics) {
        const struct topic_sum *sum = in->topics.slots[i].object;
        char epoch[EPOCH_TEXT_SIZE];
        epoch_format(sum->epoch, epoch);
        buf_append_text(out, separator);
        json_append_string(out, sum_key(sum));
        buf_printf(out, ":{\"offset\":%llu,\"epoch\":\"%s\"}", (unsigned long long)sum->offset,
                   epoch);
        separator = ",";
    }
    buf_append_char(out, '}');
    if (in->topics_left_out)
        BUF_LITERAL(out, ",\"topics_left_out\":true");
    buf_append_char(out, '}');
    forget_sums(in);
}
