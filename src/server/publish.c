/*
 * Publishing from inside the process: watched projects and embedding programs. The checks are
 * those of POST /api/v1/publish.
 */
#include <uv.h>

#include "base/clock.h"
#include "codec/json.h"
#include "fanfare/error.h"
#include "hub/event_validate.h"
#include "server/private.h"

/* What is known of the event so far. */
struct draft {
    struct event_spec spec;
    struct buf replacement; /* of its data */
    struct buf *why;
};

static int check_names(struct draft *d, struct slice topic, struct slice type)
{
    struct topic_name name;
    struct event_check check = {0};
    const char *reason;
    int error = topic_name_parse(topic, &name, &reason);
    if (error) {
        buf_printf(d->why, "topic \"%.*s\": %s", topic.len > 60 ? 60 : (int)topic.len, topic.ptr,
                   reason);
        return error;
    }
    error = event_type_resolve(type, TOPIC_BIT(name.kind), &d->spec.type_info, &check);
    if (error) {
        buf_append_text(d->why, check.message);
        return error;
    }
    int index = catalogue_index(d->spec.type_info);
    d->spec.type = type.len ? type : SLICE("event");
    d->spec.type_index = index < 0 ? EVENT_TYPE_CUSTOM : (uint8_t)index;
    return 0;
}

static int check_json(struct draft *d, struct slice data, size_t max_data)
{
    struct json_value value;
    struct json_error problem;
    int error = json_parse(data, &value, &problem);
    if (error) {
        buf_printf(d->why, "data: invalid JSON at byte %zu: %s", problem.at, problem.message);
        return FAN_E_PARSE;
    }
    if (value.kind != JSON_OBJECT) {
        buf_printf(d->why, "data must be an object, got %s", json_kind_name(value.kind));
        return FAN_E_INVALID;
    }
    if (value.text.len > max_data) {
        buf_printf(d->why, "data has %zu bytes; at most %zu are accepted (limits.message_size)",
                   value.text.len, max_data);
        return FAN_E_TOO_LARGE;
    }
    d->spec.data = value.text;
    return 0;
}

static int check_fields(struct server *s, struct draft *d)
{
    struct event_check check = {0};
    int error = event_validate(d->spec.type_info, d->spec.data, &d->replacement, &check);
    if (error) {
        buf_append_text(d->why, error == FAN_E_INVALID ? check.message : fan_error_text(error));
        return error;
    }
    if (check.warning)
        api_count_unusual(&s->api);
    if (d->replacement.len)
        d->spec.data = buf_slice(&d->replacement);
    d->spec.nested = !d->spec.type_info && event_needs_nesting(d->spec.data);
    if (check.key.ptr) /* a type that is its own key says so with an empty one */
        d->spec.key = check.key.len ? check.key : d->spec.type;
    return 0;
}

static void on_done(struct publish_batch *batch)
{
    uv_sem_post(batch->arg);
}

static int publish(struct server *s, struct draft *d, struct slice topic)
{
    struct publish_item item = {.event = event_try_new(&d->spec), .topics = &topic};
    struct publish_item *items[1] = {&item};
    uv_sem_t done;
    if (!item.event) {
        buf_append_text(d->why, fan_error_text(FAN_E_NO_MEMORY));
        return FAN_E_NO_MEMORY;
    }
    uv_sem_init(&done, 0);
    struct publish_batch batch = {.items = items, .count = 1, .done = on_done, .arg = &done};
    hub_publish(s->hub, &batch);
    uv_sem_wait(&done);
    uv_sem_destroy(&done);
    event_unref(item.event);
    if (item.error == FAN_E_LIMIT)
        buf_append_text(d->why, "the server has as many topics as it can");
    else if (item.error)
        buf_append_text(d->why, fan_error_text(item.error));
    return item.error;
}

int server_publish(struct server *s, const struct server_event *event, struct buf *why)
{
    struct draft d = {.why = why};
    d.spec.source = event->source;
    d.spec.time_ms = clock_wall_ms();
    d.spec.place_count = 1;
    int error = check_names(&d, event->topic, event->type);
    if (!error)
        error = check_json(&d, event->data, api_message_size(&s->api));
    if (!error)
        error = check_fields(s, &d);
    if (!error)
        error = publish(s, &d, event->topic);
    buf_fini(&d.replacement);
    return error;
}
