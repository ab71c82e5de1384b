/*
 * Events as publishers send them. What is accepted must show as valid JSON; what is refused must
 * say why, as valid JSON, and leave nothing behind.
 */
#include "../fuzz.h"

#include "api/publish_event.h"
#include "codec/json.h"
#include "hub/event_json.h"

#define MAX_DATA 4096

static void check_json(struct buf *out)
{
    struct json_value value;
    FUZZ_CHECK(!out->failed && json_parse(buf_slice(out), &value, NULL) == 0);
    buf_fini(out);
}

static void check_refusal(const struct publish_failure *failure)
{
    struct buf out = {0};
    FUZZ_CHECK(failure->status >= 400 && failure->code && failure->message[0]);
    publish_failure_append(&out, failure);
    buf_append_char(&out, '}');
    check_json(&out);
}

/* The hub gives places; a topic of the first name stands in for all of them. */
static void check_event(struct parsed_event *parsed, const struct buf *names)
{
    struct event *e = parsed->event;
    struct topic_name name;
    struct slice first = slice_from(names->data + parsed->names_at);
    struct publish_item item = {.event = e};
    struct buf out = {0};
    FUZZ_CHECK(e->place_count > 0 && topic_name_parse(first, &name, NULL) == 0);
    struct topic *topic = topic_try_new(first, name.kind, 1);
    FUZZ_CHECK(topic != NULL);
    for (unsigned i = 0; i < e->place_count; i++)
        e->places[i] = (struct event_place){topic_ref(topic), i + 1, 7};
    publish_result_append(&out, &item, true);
    check_json(&out);
    event_append_json(&out, e, 0);
    check_json(&out);
    event_unref(e);
    topic_unref(topic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf names = {0};
    struct parsed_event parsed;
    struct publish_failure failure;
    char *copy = fuzz_copy(slice_of((const char *)data, size));
    int error = publish_event_parse(slice_of(copy, size), MAX_DATA, &names, &parsed, &failure);
    if (error) {
        FUZZ_CHECK(names.len == 0 && !parsed.event);
        check_refusal(&failure);
    } else {
        check_event(&parsed, &names);
    }
    buf_fini(&names);
    free(copy);
    return 0;
}
