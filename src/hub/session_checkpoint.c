/* The last checkpoint of a session: its id, its phase, and the object that is shown. */
#include "base/memory.h"
#include "hub/session_sections.h"

#define PHASE_MAX 1024
#define LIST_MAX  (64 * 1024) /* bytes of JSON of each list; a longer one is shown empty */

void session_checkpoint_fini(struct session_checkpoint *checkpoint)
{
    kept_clear(&checkpoint->id);
    kept_clear(&checkpoint->phase);
    kept_clear(&checkpoint->json);
}

static uint32_t count_elements(struct json_value list)
{
    struct json_iter it = json_elements(list);
    struct json_value element;
    uint32_t count = 0;
    while (json_next_element(&it, &element))
        count++;
    return count;
}

enum { ID, PHASE, TASKS, FILES, METADATA, FIELDS };
static const struct slice field_names[FIELDS] = {NAME("checkpoint_id"), NAME("phase"),
                                                 NAME("tasks_completed"), NAME("files_created"),
                                                 NAME("metadata")};

static bool set_id(struct session_checkpoint *checkpoint, struct json_value value)
{
    struct buf scratch = {0};
    struct slice id;
    bool done = session_text(value, &scratch, &id) &&
                kept_set(&checkpoint->id, id.len <= SESSION_ID_MAX ? id : slice_of(NULL, 0));
    buf_fini(&scratch);
    return done;
}

static bool set_phase(struct session_checkpoint *checkpoint, const struct json_value *value)
{
    struct kept *phase = &checkpoint->phase;
    bool done =
        value ? kept_set_string(phase, *value, PHASE_MAX) : kept_set(phase, slice_of(NULL, 0));
    checkpoint->phase_is_build = phase->ptr && slice_starts(kept_slice(phase), "\"build_");
    return done;
}

/* Returns whether all of the list is shown. */
static bool put_list(struct buf *out, const char *name, const struct json_value *list,
                     uint32_t *count)
{
    bool fits = list && list->text.len <= LIST_MAX;
    *count = list ? count_elements(*list) : 0;
    json_put_raw(out, name, fits ? list->text : SLICE("[]"));
    return fits || !list;
}

static bool set_json(struct session_checkpoint *checkpoint, const struct json_value *const *values,
                     int64_t time)
{
    const struct json_value *metadata = values[METADATA];
    bool id_fits = checkpoint->id.ptr, metadata_fits = true;
    struct buf json = {0};
    json_begin(&json, NULL, '{');
    json_put_raw(&json, "checkpoint_id", id_fits ? values[ID]->text : SLICE("null"));
    json_put_raw(&json, "phase",
                 checkpoint->phase.ptr ? kept_slice(&checkpoint->phase) : SLICE("null"));
    bool whole = put_list(&json, "tasks_completed", values[TASKS], &checkpoint->tasks_completed);
    whole &= put_list(&json, "files_created", values[FILES], &checkpoint->files_created);
    if (metadata && metadata->text.len > SESSION_METADATA_MAX)
        metadata = NULL, metadata_fits = false;
    json_put_raw(&json, "metadata", metadata ? metadata->text : SLICE("null"));
    json_put_time(&json, "timestamp", time);
    if (!whole || !id_fits || !metadata_fits)
        json_put_bool(&json, "truncated", true);
    json_end(&json, '}');
    bool done = !json.failed && kept_set(&checkpoint->json, buf_slice(&json));
    buf_fini(&json);
    return done;
}

bool session_checkpoint_fold(struct session_checkpoint *checkpoint,
                             const struct session_event *event)
{
    static const enum json_kind kinds[FIELDS] = {JSON_STRING, JSON_STRING, JSON_ARRAY, JSON_ARRAY,
                                                 JSON_OBJECT};
    struct json_value values[FIELDS];
    const struct json_value *present[FIELDS] = {0};
    unsigned found = session_pick(event->data, field_names, FIELDS, values);
    for (unsigned i = 0; i < FIELDS; i++)
        if (found >> i & 1 && values[i].kind == kinds[i])
            present[i] = &values[i];
    if (!present[ID])
        return true;
    bool done = set_id(checkpoint, *present[ID]);
    done &= set_phase(checkpoint, present[PHASE]);
    return set_json(checkpoint, present, event->time) && done;
}

bool session_checkpoint_load(struct session_checkpoint *checkpoint, struct json_value json)
{
    struct json_value values[FIELDS];
    if (json.kind != JSON_OBJECT)
        return true;
    unsigned found = session_pick(json.text, field_names, FIELDS, values);
    bool done = kept_set(&checkpoint->json, json.text);
    if (found & 1 << ID && values[ID].kind == JSON_STRING)
        done = set_id(checkpoint, values[ID]) && done;
    bool phase = found & 1 << PHASE && values[PHASE].kind == JSON_STRING;
    return set_phase(checkpoint, phase ? &values[PHASE] : NULL) && done;
}

void session_checkpoint_append(const struct session_checkpoint *checkpoint, const char *name,
                               struct buf *out)
{
    json_put_raw(out, name, checkpoint->json.ptr ? kept_slice(&checkpoint->json) : SLICE("null"));
}

size_t session_checkpoint_bytes(const struct session_checkpoint *checkpoint)
{
    return checkpoint->id.len + checkpoint->phase.len + checkpoint->json.len;
}
