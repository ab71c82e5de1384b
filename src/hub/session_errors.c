/* The last errors of a session, each kept as the JSON object that is shown. */
#include "base/memory.h"
#include "hub/session_sections.h"

/* Bytes kept of each text. */
#define MESSAGE_MAX   4096
#define KIND_MAX      256
#define TRACEBACK_MAX (16 * 1024)

void session_errors_fini(struct session_errors *errors)
{
    for (unsigned i = 0; i < SESSION_ERRORS; i++)
        kept_clear(&errors->ring[i]);
}

static bool add_error(struct session_errors *errors, struct slice json)
{
    struct kept *place = &errors->ring[errors->next];
    errors->next = (errors->next + 1) % SESSION_ERRORS;
    if (errors->count < SESSION_ERRORS)
        errors->count++;
    errors->bytes -= place->len;
    bool done = kept_set(place, json);
    errors->bytes += place->len;
    return done;
}

static bool put_bounded(struct buf *out, const char *name, const struct json_value *value,
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

bool session_errors_fold(struct session_errors *errors, const struct session_event *event)
{
    static const struct slice names[] = {NAME("error_message"), NAME("error_type"),
                                         NAME("traceback")};
    enum { MESSAGE, KIND, TRACEBACK, FIELDS };
    struct json_value values[FIELDS];
    unsigned found = session_pick(event->data, names, FIELDS, values);
    struct buf json = {0};
    json_begin(&json, NULL, '{');
    bool done =
        put_bounded(&json, "error_message", found & 1 ? &values[MESSAGE] : NULL, MESSAGE_MAX);
    done &= put_bounded(&json, "error_type", found & 2 ? &values[KIND] : NULL, KIND_MAX);
    done &= put_bounded(&json, "traceback", found & 4 ? &values[TRACEBACK] : NULL, TRACEBACK_MAX);
    json_put_time(&json, "timestamp", event->time);
    json_end(&json, '}');
    done = !json.failed && add_error(errors, buf_slice(&json)) && done;
    buf_fini(&json);
    return done;
}

bool session_errors_load(struct session_errors *errors, struct json_value list)
{
    if (list.kind != JSON_ARRAY)
        return true;
    struct json_iter it = json_elements(list);
    struct json_value element;
    bool done = true;
    while (json_next_element(&it, &element))
        if (element.kind == JSON_OBJECT)
            done = add_error(errors, element.text) && done;
    return done;
}

void session_errors_append(const struct session_errors *errors, const char *name, struct buf *out)
{
    json_begin(out, name, '[');
    for (unsigned i = 0; i < errors->count; i++) {
        unsigned at = (errors->next + SESSION_ERRORS - errors->count + i) % SESSION_ERRORS;
        if (errors->ring[at].ptr) /* empty: memory ran out then */
            json_put_raw(out, NULL, kept_slice(&errors->ring[at]));
    }
    json_end(out, ']');
}
