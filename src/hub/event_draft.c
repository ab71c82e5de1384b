/* Events from inside the process; see event_draft.h. */
#include "hub/event_draft.h"

#include <stdarg.h>
#include <stdio.h>

#include "fanfare/error.h"
#include "hub/event_route.h"

__attribute__((format(printf, 3, 4))) static int refuse(struct event_check *check, int error,
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(check->message, sizeof check->message, format, args);
    va_end(args);
    return error;
}

/* Adds what the topic allows to the kinds and channels of those before it. An empty one is none
 * where events may find their own. */
static int read_topic(const struct event_draft *draft, struct slice topic, unsigned *kinds,
                      uint32_t *channels, struct event_check *check)
{
    struct topic_name name;
    const char *why;
    if (topic.len == 0 && draft->names)
        return 0;
    if (topic_name_parse(topic, &name, &why) != 0)
        return refuse(check, FAN_E_INVALID, "topic \"%.*s\": %s",
                      topic.len > 60 ? 60 : (int)topic.len, topic.len ? topic.ptr : "", why);
    if (draft->names) {
        buf_append_slice(draft->names, topic);
        buf_append_char(draft->names, '\0');
    }
    *kinds |= TOPIC_BIT(name.kind);
    *channels |= event_channel_bit(name);
    return 0;
}

static int read_names(const struct event_draft *draft, struct event_spec *spec, uint32_t *channels,
                      struct event_check *check)
{
    unsigned kinds = 0;
    int error = read_topic(draft, draft->topic, &kinds, channels, check);
    for (unsigned i = 0; !error && i < draft->more_count; i++)
        error = read_topic(draft, draft->more[i], &kinds, channels, check);
    if (!error)
        error = event_type_resolve(draft->type, kinds, &spec->type_info, check);
    if (!error && !kinds && !event_has_routes(spec->type_info))
        error = refuse(check, FAN_E_INVALID,
                       "topic is missing: events of type %.*s are published to a topic, "
                       "session:build_123 for instance",
                       SLICE_ARG(draft->type));
    if (error)
        return error;
    int index = catalogue_index(spec->type_info);
    spec->type = draft->type.len ? draft->type : SLICE("event");
    spec->type_index = index < 0 ? EVENT_TYPE_CUSTOM : (uint8_t)index;
    return 0;
}

static int read_json(const struct event_draft *draft, size_t max_data, struct event_spec *spec,
                     struct event_check *check)
{
    struct json_value value;
    struct json_error problem;
    if (json_parse(draft->data, &value, &problem) != 0)
        return refuse(check, FAN_E_PARSE, "data: invalid JSON at byte %zu: %s", problem.at,
                      problem.message);
    if (value.kind != JSON_OBJECT)
        return refuse(check, FAN_E_INVALID, "data must be an object, got %s",
                      json_kind_name(value.kind));
    if (value.text.len > max_data)
        return refuse(check, FAN_E_TOO_LARGE,
                      "data has %zu bytes; at most %zu are accepted (limits.message_size)",
                      value.text.len, max_data);
    spec->data = value.text;
    return 0;
}

static int check_data(struct event_spec *spec, uint32_t channels, struct buf *replacement,
                      struct event_check *check)
{
    int error = spec->type_info ? event_validate(spec->type_info, spec->data, replacement, check)
                                : event_validate_channels(channels, spec->data, replacement, check);
    if (error == FAN_E_NO_MEMORY)
        return refuse(check, error, "%s", fan_error_text(error));
    if (error)
        return error;
    if (replacement->len)
        spec->data = buf_slice(replacement);
    spec->nested = event_needs_nesting(spec->type_info, spec->data);
    if (check->key.ptr) /* a type that is its own key says so with an empty one */
        spec->key = check->key.len ? check->key : spec->type;
    return 0;
}

int event_draft_make(const struct event_draft *draft, size_t max_data, struct event **event,
                     struct event_check *check)
{
    struct event_spec spec = {
        .source = draft->source,
        .id = draft->id,
        .key = draft->key,
        .time_ms = draft->time_ms,
        .ephemeral = draft->ephemeral,
        .place_count = 1 + draft->more_count,
    };
    struct buf replacement = {0};
    uint32_t channels = 0;
    *check = (struct event_check){.time_ms = draft->time_ms};
    *event = NULL;
    int error = read_names(draft, &spec, &channels, check);
    if (!error)
        error = read_json(draft, max_data, &spec, check);
    if (!error)
        error = check_data(&spec, channels, &replacement, check);
    if (!error && draft->topic.len == 0)
        error = event_route(spec.type_info, spec.data, draft->names, &spec.place_count, check);
    if (!error) {
        *event = draft->names && draft->names->failed ? NULL : event_try_new(&spec);
        if (!*event)
            error = refuse(check, FAN_E_NO_MEMORY, "%s", fan_error_text(FAN_E_NO_MEMORY));
    }
    buf_fini(&replacement);
    return error;
}
