/* Reading one event; see publish_event.h. */
#include "api/publish_event.h"

#include <stdio.h>

#include "base/clock.h"
#include "codec/cursor.h"
#include "codec/json.h"
#include "fanfare/error.h"
#include "hub/event_route.h"
#include "hub/submission.h"

enum { TOPIC, TOPICS, TYPE, DATA, SOURCE, TIME, ID, KEY, EPHEMERAL, MEMBERS };

static const struct slice names_of_members[MEMBERS] = {
    [TOPIC] = NAME("topic"), [TOPICS] = NAME("topics"), [TYPE] = NAME("type"),
    [DATA] = NAME("data"),   [SOURCE] = NAME("source"), [TIME] = NAME("time"),
    [ID] = NAME("id"),       [KEY] = NAME("key"),       [EPHEMERAL] = NAME("ephemeral"),
};

#define TEXT_MAX 256 /* of source, id and key, bytes */

struct reading {
    struct json_value values[MEMBERS];
    bool found[MEMBERS];
    bool routed;            /* no topic was named: its type says where it goes */
    struct buf text;        /* what had escapes; never moves, because it is reserved whole */
    struct buf replacement; /* of data */
    struct event_spec spec;
    unsigned kinds;    /* TOPIC_BIT of all topics */
    uint32_t channels; /* event_channel_bit of all topics */
    struct publish_failure *failure;
};

static int fail(struct publish_failure *f, int status, const char *code, const char *field,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

static int fail(struct publish_failure *f, int status, const char *code, const char *field,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    *f = (struct publish_failure){.status = status, .code = code};
    snprintf(f->field, sizeof f->field, "%s", field);
    vsnprintf(f->message, sizeof f->message, format, args);
    va_end(args);
    return status == 503 ? FAN_E_NO_MEMORY : FAN_E_INVALID;
}

static int no_memory(struct publish_failure *f)
{
    return fail(f, 503, "out_of_memory", "", "not enough memory for this event");
}

static int wrong_kind(struct reading *r, int member, const char *expected)
{
    const char *name = names_of_members[member].ptr;
    if (!r->found[member])
        return fail(r->failure, 422, "invalid_event", name, "%s is missing: expected %s", name,
                    expected);
    return fail(r->failure, 422, "invalid_event", name, "%s must be %s, got %s", name, expected,
                json_kind_name(r->values[member].kind));
}

/* The content of a string value, valid as long as the input and r->text. */
static struct slice content(struct reading *r, struct json_value string)
{
    struct slice plain;
    if (json_string_plain(string, &plain))
        return plain;
    size_t at = r->text.len;
    json_string_append(&r->text, string);
    return slice_of(r->text.data + at, r->text.len - at);
}

static int read_text(struct reading *r, int member, struct slice *out)
{
    if (!r->found[member] || r->values[member].kind == JSON_NULL)
        return 0;
    if (r->values[member].kind != JSON_STRING)
        return wrong_kind(r, member, "a string");
    *out = content(r, r->values[member]);
    if (out->len > TEXT_MAX)
        return fail(r->failure, 422, "invalid_event", names_of_members[member].ptr,
                    "%s may have at most %d bytes", names_of_members[member].ptr, TEXT_MAX);
    return 0;
}

/* ---- Topics ---- */

static int add_topic(struct reading *r, const char *field, struct slice name, struct buf *names)
{
    struct topic_name parsed;
    const char *why;
    if (topic_name_parse(name, &parsed, &why) != 0)
        return fail(r->failure, 422, "invalid_event", field, "%s \"%.*s\": %s", field,
                    name.len > 60 ? 60 : (int)name.len, name.ptr, why);
    r->kinds |= TOPIC_BIT(parsed.kind);
    r->channels |= event_channel_bit(parsed);
    r->spec.place_count++;
    buf_append_slice(names, name);
    buf_append_char(names, '\0');
    return 0;
}

static int add_topic_list(struct reading *r, struct buf *names)
{
    struct json_iter it = json_elements(r->values[TOPICS]);
    struct json_value element;
    while (json_next_element(&it, &element)) {
        if (element.kind != JSON_STRING)
            return fail(r->failure, 422, "invalid_event", "topics",
                        "topics must be a list of strings, got %s in it",
                        json_kind_name(element.kind));
        if (r->spec.place_count == HUB_MAX_EVENT_TOPICS)
            return fail(r->failure, 422, "invalid_event", "topics",
                        "topics may have at most %d entries", HUB_MAX_EVENT_TOPICS);
        int error = add_topic(r, "topics", content(r, element), names);
        if (error)
            return error;
    }
    if (r->spec.place_count == 0)
        return fail(r->failure, 422, "invalid_event", "topics",
                    "topics must name at least one topic");
    return 0;
}

/* Whether events of its type do. */
static bool goes_by_itself(const struct reading *r)
{
    struct slice name;
    return r->found[TYPE] && json_string_plain(r->values[TYPE], &name) &&
           event_has_routes(catalogue_find(name));
}

static int read_topics(struct reading *r, struct buf *names)
{
    if (r->found[TOPIC] && r->found[TOPICS])
        return fail(r->failure, 422, "invalid_event", "topics",
                    "topic and topics exclude each other");
    if (r->found[TOPICS])
        return r->values[TOPICS].kind == JSON_ARRAY ? add_topic_list(r, names)
                                                    : wrong_kind(r, TOPICS, "a list of strings");
    r->routed = !r->found[TOPIC] && goes_by_itself(r);
    if (r->routed)
        return 0;
    if (!r->found[TOPIC] || r->values[TOPIC].kind != JSON_STRING)
        return wrong_kind(r, TOPIC, "a string such as \"session:build_123\"");
    return add_topic(r, "topic", content(r, r->values[TOPIC]), names);
}

/* ---- The rest ---- */

static int from_check(struct reading *r, int error, const struct event_check *check)
{
    if (error == FAN_E_NO_MEMORY)
        return no_memory(r->failure);
    return fail(r->failure, 422, "invalid_event", check->field ? check->field : "data", "%s",
                check->message);
}

static int read_type(struct reading *r, struct event_check *check)
{
    struct slice name = slice_of("", 0);
    if (r->found[TYPE] && r->values[TYPE].kind != JSON_STRING)
        return wrong_kind(r, TYPE, "a string");
    if (r->found[TYPE])
        name = content(r, r->values[TYPE]);
    int error = event_type_resolve(name, r->kinds, &r->spec.type_info, check);
    if (error)
        return from_check(r, error, check);
    int index = catalogue_index(r->spec.type_info);
    r->spec.type = name.len ? name : SLICE("event");
    r->spec.type_index = index < 0 ? EVENT_TYPE_CUSTOM : (uint8_t)index;
    return 0;
}

static int read_data(struct reading *r, size_t max_data, struct event_check *check)
{
    if (!r->found[DATA]) {
        r->values[DATA] = (struct json_value){JSON_OBJECT, SLICE("{}")};
    } else if (r->values[DATA].kind != JSON_OBJECT) {
        return wrong_kind(r, DATA, "an object");
    }
    struct slice data = r->values[DATA].text;
    if (data.len > max_data)
        return fail(r->failure, 413, "too_large", "data",
                    "data has %zu bytes; at most %zu are accepted", data.len, max_data);
    check->time_ms = r->spec.time_ms;
    int error = r->spec.type_info
                    ? event_validate(r->spec.type_info, data, &r->replacement, check)
                    : event_validate_channels(r->channels, data, &r->replacement, check);
    if (error)
        return from_check(r, error, check);
    if (check->key.ptr)
        r->spec.key = check->key;
    if (r->replacement.len)
        data = buf_slice(&r->replacement);
    r->spec.data = data;
    r->spec.nested = event_needs_nesting(r->spec.type_info, data);
    return 0;
}

/* The topics that the type and the data lead to, when none was named. */
static int find_topics(struct reading *r, struct buf *names, struct event_check *check)
{
    if (!r->routed)
        return 0;
    int error = event_route(r->spec.type_info, r->spec.data, names, &r->spec.place_count, check);
    return error ? from_check(r, error, check) : 0;
}

static int read_time(struct reading *r)
{
    struct slice text = slice_of("", 0);
    r->spec.time_ms = clock_wall_ms();
    int error = read_text(r, TIME, &text);
    if (error || text.len == 0)
        return error;
    if (clock_parse(text, &r->spec.time_ms) != 0)
        return fail(r->failure, 422, "invalid_event", "time",
                    "time must be RFC 3339, 2026-01-31T12:00:00.123Z for instance, got \"%.*s\"",
                    text.len > 60 ? 60 : (int)text.len, text.ptr);
    return 0;
}

static int read_ephemeral(struct reading *r)
{
    if (!r->found[EPHEMERAL] || r->values[EPHEMERAL].kind == JSON_NULL)
        return 0;
    enum json_kind kind = r->values[EPHEMERAL].kind;
    if (kind != JSON_TRUE && kind != JSON_FALSE)
        return wrong_kind(r, EPHEMERAL, "true or false");
    r->spec.ephemeral = kind == JSON_TRUE;
    return 0;
}

static int read_members(struct reading *r, size_t max_data, struct buf *names,
                        struct event_check *check)
{
    struct slice key = slice_of(NULL, 0);
    int error = read_topics(r, names);
    if (!error)
        error = read_type(r, check);
    if (!error)
        error = read_time(r);
    if (!error)
        error = read_data(r, max_data, check);
    if (!error)
        error = find_topics(r, names, check);
    if (!error)
        error = read_text(r, SOURCE, &r->spec.source);
    if (!error)
        error = read_text(r, ID, &r->spec.id);
    if (!error)
        error = read_text(r, KEY, &key);
    if (!error)
        error = read_ephemeral(r);
    if (key.len) /* an empty one says as little as none */
        r->spec.key = key;
    return error;
}

static int scan(struct reading *r, struct slice text)
{
    struct json_error why;
    int error = json_scan_object(text, names_of_members, MEMBERS, r->values, r->found, &why);
    if (error == FAN_E_INVALID)
        return fail(r->failure, 422, "invalid_event", "", "an event must be a JSON object");
    if (error)
        return fail(r->failure, 400, "invalid_json", "", "invalid JSON at byte %zu: %s", why.at,
                    why.message);
    return 0;
}

int publish_event_parse(struct slice text, size_t max_data, struct buf *names,
                        struct parsed_event *out, struct publish_failure *failure)
{
    struct reading r = {.failure = failure};
    struct event_check check = {0};
    *out = (struct parsed_event){.names_at = names->len};
    int error = scan(&r, text);
    if (!error && memchr(text.ptr, '\\', text.len) && !buf_reserve(&r.text, text.len))
        error = no_memory(failure);
    if (!error)
        error = read_members(&r, max_data, names, &check);
    if (!error) {
        /* A type that is its own key says so with an empty key. */
        if (r.spec.key.ptr && r.spec.key.len == 0)
            r.spec.key = r.spec.type;
        out->event = names->failed ? NULL : event_try_new(&r.spec);
        out->many = r.found[TOPICS] || r.routed;
        out->warning = check.warning;
        if (!out->event)
            error = no_memory(failure);
    }
    if (error) {
        names->len = out->names_at;
        names->failed = false; /* it is shared with events that may still fit */
    }
    buf_fini(&r.text);
    buf_fini(&r.replacement);
    return error;
}

static void explain(struct publish_failure *f, const char *code, int error, const char *reason)
{
    struct buf text = {0};
    submission_explain(error, reason, &text);
    fail(f, 503, code, "", "%s", buf_text(&text));
    buf_fini(&text);
}

void publish_event_refused(int error, const char *reason, struct publish_failure *f)
{
    switch (error) {
    case FAN_E_EXISTS:
        fail(f, 422, "invalid_event", "id",
             "id was used a moment ago for an event with other topics");
        break;
    case FAN_E_INVALID:
        fail(f, 422, "invalid_event", "topics", "topics must not name a topic twice");
        break;
    case FAN_E_LIMIT:
        explain(f, "too_many_topics", error, reason);
        break;
    case FAN_E_IO:
        explain(f, "storage_unavailable", error, reason);
        break;
    case FAN_E_BUSY:
        explain(f, "overloaded", error, reason);
        break;
    default:
        fail(f, 503, "out_of_memory", "", "not enough memory for this event");
    }
}

void publish_failure_append(struct buf *out, const struct publish_failure *f)
{
    buf_printf(out, "{\"error\":{\"status\":%d,\"code\":", f->status);
    json_append_string(out, slice_from(f->code));
    BUF_LITERAL(out, ",\"message\":");
    json_append_lossy(out, slice_from(f->message));
    if (f->field[0]) {
        BUF_LITERAL(out, ",\"field\":");
        json_append_lossy(out, slice_from(f->field));
    }
    if (f->status == 503)
        buf_printf(out, ",\"retry_after\":%d", PUBLISH_RETRY_AFTER_S);
    buf_append_char(out, '}');
}

static void append_place(struct buf *out, const struct event *e, const struct event_place *place,
                         bool duplicate)
{
    char epoch[EPOCH_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
    epoch_format(place->epoch, epoch);
    clock_format(e->time_ms, time);
    BUF_LITERAL(out, "{\"topic\":");
    json_append_string(out, topic_name_slice(place->topic));
    if (!e->ephemeral) {
        BUF_LITERAL(out, ",\"offset\":");
        buf_append_u64(out, place->offset);
    }
    buf_printf(out, ",\"epoch\":\"%s\",\"time\":\"%s\"", epoch, time);
    if (duplicate)
        BUF_LITERAL(out, ",\"duplicate\":true");
    buf_append_char(out, '}');
}

static void append_promise(struct buf *out, struct slice topic, const char *time)
{
    BUF_LITERAL(out, "{\"topic\":");
    json_append_string(out, topic);
    buf_printf(out, ",\"time\":\"%s\",\"durability\":\"memory\"}", time);
}

void publish_promise_append(struct buf *out, const struct slice *topics, unsigned count,
                            int64_t time_ms, bool many)
{
    char time[CLOCK_TEXT_SIZE];
    clock_format(time_ms, time);
    if (many)
        BUF_LITERAL(out, "{\"results\":[");
    for (unsigned i = 0; i < count; i++) {
        if (i)
            buf_append_char(out, ',');
        append_promise(out, topics[i], time);
    }
    if (many)
        BUF_LITERAL(out, "]}");
}

void publish_result_append(struct buf *out, const struct publish_item *item, bool many)
{
    const struct event *e = item->event;
    if (many)
        BUF_LITERAL(out, "{\"results\":[");
    for (unsigned i = 0; i < e->place_count; i++) {
        if (i)
            buf_append_char(out, ',');
        append_place(out, e, &e->places[i], item->duplicate);
    }
    if (many)
        BUF_LITERAL(out, "]}");
}
