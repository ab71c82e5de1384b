/* The last errors of a session, and the last updates that its clients sent each other. */
#include "hub/session_sections.h"

/* Bytes kept of each text. */
#define MESSAGE_MAX   4096
#define KIND_MAX      256
#define TRACEBACK_MAX (16 * 1024)

bool session_errors_fold(struct session_ring *errors, const struct session_event *event)
{
    static const struct slice names[] = {NAME("error_message"), NAME("error_type"),
                                         NAME("traceback")};
    enum { MESSAGE, KIND, TRACEBACK, FIELDS };
    struct json_value values[FIELDS];
    unsigned found = session_pick(event->data, names, FIELDS, values);
    struct buf json = {0};
    json_begin(&json, NULL, '{');
    bool done = session_put_bounded(&json, "error_message", found & 1 ? &values[MESSAGE] : NULL,
                                    MESSAGE_MAX);
    done &= session_put_bounded(&json, "error_type", found & 2 ? &values[KIND] : NULL, KIND_MAX);
    done &= session_put_bounded(&json, "traceback", found & 4 ? &values[TRACEBACK] : NULL,
                                TRACEBACK_MAX);
    json_put_time(&json, "timestamp", event->time);
    json_end(&json, '}');
    done = !json.failed && session_ring_add(errors, SESSION_ERRORS, buf_slice(&json)) && done;
    buf_fini(&json);
    return done;
}

bool session_updates_fold(struct session_ring *updates, const struct session_event *event)
{
    bool fits = event->data.len <= SESSION_METADATA_MAX;
    struct buf json = {0};
    json_begin(&json, NULL, '{');
    json_put_raw(&json, "data", fits ? event->data : SLICE("null"));
    if (!fits)
        json_put_bool(&json, "truncated", true);
    json_put_time(&json, "timestamp", event->time);
    json_end(&json, '}');
    bool done = !json.failed && session_ring_add(updates, SESSION_UPDATES, buf_slice(&json));
    buf_fini(&json);
    return done;
}
