/*
 * The folded state of a session; see session_state.h.
 *
 * Each section has its own file; here are the table that hands them their events, the status that
 * follows from all of them, and the order in which they are shown.
 */
#include "hub/session_state.h"

#include <math.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/memory.h"
#include "hub/session_sections.h"

/* What `fanfare run` said last. */
enum run { RUN_NONE, RUN_RUNNING, RUN_SUCCEEDED, RUN_FAILED };

static const char *const run_names[] = {
    [RUN_NONE] = NULL,
    [RUN_RUNNING] = "running",
    [RUN_SUCCEEDED] = "succeeded",
    [RUN_FAILED] = "failed",
};

struct session_state {
    int64_t started, updated; /* ms since 1970; 0: no event yet */
    bool incomplete;
    bool failed; /* an `error`, not yet followed by a new checkpoint or run */
    enum run run;
    bool progress_known;
    double total, completed, percent;
    struct session_items components, features;
    struct session_checkpoint checkpoint;
    struct session_terminal terminal;
    struct session_ring errors, updates;
    struct session_executions executions;
    struct session_chat chat;
    struct session_files files;
};

struct session_state *session_state_try_new(void)
{
    struct session_state *state = memory_try_alloc(sizeof *state);
    if (!state)
        return NULL;
    *state = (struct session_state){0};
    session_items_init(&state->components);
    session_items_init(&state->features);
    return state;
}

void session_state_free(struct session_state *state)
{
    if (!state)
        return;
    session_items_fini(&state->components);
    session_items_fini(&state->features);
    session_checkpoint_fini(&state->checkpoint);
    session_terminal_fini(&state->terminal);
    session_ring_fini(&state->errors);
    session_ring_fini(&state->updates);
    session_executions_fini(&state->executions);
    session_chat_fini(&state->chat);
    session_files_fini(&state->files);
    memory_free(state);
}

bool session_state_incomplete(const struct session_state *state)
{
    return state->incomplete;
}

size_t session_state_bytes(const struct session_state *state)
{
    return sizeof *state + session_items_bytes(&state->components) +
           session_items_bytes(&state->features) + session_checkpoint_bytes(&state->checkpoint) +
           state->terminal.cap + state->errors.bytes + state->updates.bytes +
           session_executions_bytes(&state->executions) + session_chat_bytes(&state->chat) +
           session_files_bytes(&state->files);
}

bool session_state_has_checkpoint(const struct session_state *state, struct slice id)
{
    return state->checkpoint.id.ptr && slice_equal(kept_slice(&state->checkpoint.id), id);
}

/* ---- Folding ---- */

static bool fold_component(struct session_state *state, const struct session_event *event)
{
    return session_items_fold(&state->components, event, SLICE("component_id"));
}

static bool fold_feature(struct session_state *state, const struct session_event *event)
{
    return session_items_fold(&state->features, event, SLICE("feature_id"));
}

static bool fold_terminal(struct session_state *state, const struct session_event *event)
{
    return session_terminal_fold(&state->terminal, event);
}

static bool fold_checkpoint(struct session_state *state, const struct session_event *event)
{
    state->failed = false;
    return session_checkpoint_fold(&state->checkpoint, event);
}

static bool fold_error(struct session_state *state, const struct session_event *event)
{
    state->failed = true;
    return session_errors_fold(&state->errors, event);
}

static const struct slice progress_names[] = {NAME("total"), NAME("completed"), NAME("percent")};

static void set_build_progress(struct session_state *state, struct slice object)
{
    double *const targets[] = {&state->total, &state->completed, &state->percent};
    struct json_value values[3];
    unsigned found = session_pick(object, progress_names, 3, values);
    for (unsigned i = 0; i < 3; i++)
        if (found >> i & 1 && values[i].kind == JSON_NUMBER)
            *targets[i] = json_number(values[i]);
    state->progress_known = state->total > 0 || state->percent > 0;
}

static bool fold_build_progress(struct session_state *state, const struct session_event *event)
{
    set_build_progress(state, event->data);
    return true;
}

static bool fold_run_started(struct session_state *state, const struct session_event *event)
{
    (void)event;
    state->failed = false;
    state->run = RUN_RUNNING;
    return true;
}

static bool fold_run_finished(struct session_state *state, const struct session_event *event)
{
    static const struct slice names[] = {NAME("exit_code"), NAME("signal")};
    struct json_value values[2];
    unsigned found = session_pick(event->data, names, 2, values);
    bool bad_exit = found & 1 && values[0].kind == JSON_NUMBER && json_number(values[0]) != 0;
    bool killed = found & 2 && !(values[1].kind == JSON_NUMBER && json_number(values[1]) == 0);
    state->run = bad_exit || killed ? RUN_FAILED : RUN_SUCCEEDED;
    return true;
}

static bool fold_execution(struct session_state *state, const struct session_event *event)
{
    return session_executions_fold(&state->executions, event);
}

static bool fold_ai_response(struct session_state *state, const struct session_event *event)
{
    return session_chat_fold(&state->chat, event);
}

static bool fold_ai_chunk(struct session_state *state, const struct session_event *event)
{
    return session_chat_fold_chunk(&state->chat, event);
}

static bool fold_file_saved(struct session_state *state, const struct session_event *event)
{
    return session_files_fold(&state->files, event);
}

static bool fold_update(struct session_state *state, const struct session_event *event)
{
    return session_updates_fold(&state->updates, event);
}

typedef bool fold_fn(struct session_state *state, const struct session_event *event);

static const struct {
    struct slice type;
    fold_fn *fold;
} folds[] = {
    {NAME("component_update"), fold_component},    {NAME("feature_update"), fold_feature},
    {NAME("terminal_output"), fold_terminal},      {NAME("checkpoint_update"), fold_checkpoint},
    {NAME("build_progress"), fold_build_progress}, {NAME("error"), fold_error},
    {NAME("run_started"), fold_run_started},       {NAME("run_finished"), fold_run_finished},
    {NAME("execution_start"), fold_execution},     {NAME("execution_output"), fold_execution},
    {NAME("execution_complete"), fold_execution},  {NAME("execution_error"), fold_execution},
    {NAME("ai_response"), fold_ai_response},       {NAME("ai_chunk"), fold_ai_chunk},
    {NAME("file_saved"), fold_file_saved},         {NAME("session_update"), fold_update},
};

/* The same by catalogue_index, so that an event finds its section at once. */
static fold_fn *fold_by_index[64];
static pthread_once_t fold_once = PTHREAD_ONCE_INIT;

static void fill_fold_by_index(void)
{
    for (unsigned i = 0; i < sizeof folds / sizeof *folds; i++) {
        int index = catalogue_index(catalogue_find(folds[i].type));
        fold_by_index[index] = folds[i].fold;
    }
}

void session_state_fold(struct session_state *state, const struct event_type *type,
                        struct slice data, int64_t time_ms)
{
    pthread_once(&fold_once, fill_fold_by_index);
    if (!state->started)
        state->started = time_ms;
    state->updated = time_ms;
    fold_fn *fold = type ? fold_by_index[catalogue_index(type)] : NULL;
    const struct session_event event = {type, data, time_ms};
    if (fold && !fold(state, &event))
        state->incomplete = true;
}

/* ---- The whole ---- */

/* What the picture of the whole is drawn from: the components where there are any. */
static const struct session_items *leading_items(const struct session_state *state)
{
    return state->components.by_id.count ? &state->components : &state->features;
}

static double overall_percentage(const struct session_state *state)
{
    const struct session_items *items = leading_items(state);
    if (items->by_id.count)
        return session_items_percentage(items);
    return round(fmin(fmax(state->percent, 0), 100) * 10) / 10;
}

/* The first rule that applies. */
static enum session_status overall_status(const struct session_state *state)
{
    const struct session_items *items = leading_items(state);
    size_t count = items->by_id.count;
    if (state->failed || items->counts[SESSION_FAILED] || state->run == RUN_FAILED)
        return SESSION_FAILED;
    if (state->run == RUN_RUNNING)
        return SESSION_IN_PROGRESS;
    if ((count && items->counts[SESSION_COMPLETED] == count) || overall_percentage(state) >= 100)
        return SESSION_COMPLETED;
    if (items->counts[SESSION_IN_PROGRESS])
        return SESSION_IN_PROGRESS;
    if (state->run == RUN_SUCCEEDED)
        return SESSION_COMPLETED;
    return state->checkpoint.phase_is_build || state->progress_known ? SESSION_IN_PROGRESS
                                                                     : SESSION_PENDING;
}

static void append_build_progress(const struct session_state *state, struct buf *out)
{
    json_begin(out, "build_progress", '{');
    json_put_number(out, "total", state->total);
    json_put_number(out, "completed", state->completed);
    json_put_number(out, "percent", state->percent);
    json_end(out, '}');
}

static void append_overall_progress(const struct session_state *state, struct buf *out)
{
    json_begin(out, "overall_progress", '{');
    json_put_u64(out, "tasks_completed", state->checkpoint.tasks_completed);
    json_put_u64(out, "files_created", state->checkpoint.files_created);
    json_put_number(out, "completion_percentage", overall_percentage(state));
    json_put_text(out, "status", session_status_name(overall_status(state)));
    json_end(out, '}');
}

static void append_members(const struct session_state *state, struct slice session_id,
                           unsigned connections, struct buf *out)
{
    const struct kept *phase = &state->checkpoint.phase;
    json_put_slice(out, "session_id", session_id);
    json_put_raw(out, "phase", phase->ptr ? kept_slice(phase) : SLICE("null"));
    json_put_text(out, "status", session_status_name(overall_status(state)));
    session_items_append(&state->components, "components", out);
    session_items_append(&state->features, "features", out);
    append_build_progress(state, out);
    session_items_append_stats(&state->components, "component_stats", out);
    session_items_append_stats(&state->features, "feature_stats", out);
    append_overall_progress(state, out);
    session_checkpoint_append(&state->checkpoint, "last_checkpoint", out);
    session_terminal_append(&state->terminal, "terminal_tail", out);
    json_begin(out, "errors", '[');
    session_ring_append(&state->errors, out);
    json_end(out, ']');
    json_put_bool(out, "unresolved_error", state->failed);
    json_put_text(out, "run", run_names[state->run]);
    session_executions_append(&state->executions, "executions", out);
    session_chat_append(&state->chat, "chat", out);
    session_files_append(&state->files, "files", out);
    json_begin(out, "updates", '[');
    session_ring_append(&state->updates, out);
    json_end(out, ']');
    json_put_u64(out, "connections", connections);
    json_put_time(out, "started", state->started);
    json_put_time(out, "updated", state->updated);
    if (state->incomplete)
        json_put_bool(out, "incomplete", true);
}

void session_state_append_json(const struct session_state *state, struct slice session_id,
                               unsigned connections, struct buf *out)
{
    struct session_state empty = {0};
    if (!state) {
        session_items_init(&empty.components);
        session_items_init(&empty.features);
    }
    json_begin(out, NULL, '{');
    append_members(state ? state : &empty, session_id, connections, out);
    json_end(out, '}');
}

void session_state_append_summary(const struct session_state *state, struct buf *out)
{
    struct session_state empty = {0};
    const struct session_state *shown = state ? state : &empty;
    const struct kept *phase = &shown->checkpoint.phase;
    if (!state) {
        session_items_init(&empty.components);
        session_items_init(&empty.features);
    }
    json_put_raw(out, "phase", phase->ptr ? kept_slice(phase) : SLICE("null"));
    json_put_text(out, "status", session_status_name(overall_status(shown)));
    append_build_progress(shown, out);
    session_items_append_stats(&shown->components, "component_stats", out);
    session_items_append_stats(&shown->features, "feature_stats", out);
    append_overall_progress(shown, out);
    json_put_text(out, "run", run_names[shown->run]);
    json_put_time(out, "started", shown->started);
    json_put_time(out, "updated", shown->updated);
}

/* ---- Snapshots ---- */

void session_state_append_snapshot(const struct session_state *state, struct buf *out)
{
    json_begin(out, NULL, '{');
    append_members(state, SLICE(""), 0, out);
    json_begin(out, "fold", '{');
    json_put_bool(out, "failed", state->failed);
    json_put_u64(out, "run", state->run);
    json_put_u64(out, "tasks_completed", state->checkpoint.tasks_completed);
    json_put_u64(out, "files_created", state->checkpoint.files_created);
    json_end(out, '}');
    json_end(out, '}');
}

static void load_time(struct json_value value, int64_t *time)
{
    struct slice text;
    if (value.kind == JSON_STRING && json_string_plain(value, &text))
        clock_parse(text, time);
}

static void load_fold(struct session_state *state, struct json_value object)
{
    static const struct slice names[] = {NAME("failed"), NAME("run"), NAME("tasks_completed"),
                                         NAME("files_created")};
    struct json_value values[4];
    int64_t numbers[4] = {0};
    unsigned found = session_pick(object.text, names, 4, values);
    for (unsigned i = 1; i < 4; i++)
        if (found >> i & 1 && values[i].kind == JSON_NUMBER)
            json_integer(values[i], &numbers[i]);
    state->failed = found & 1 && values[0].kind == JSON_TRUE;
    if (numbers[1] >= RUN_NONE && numbers[1] <= RUN_FAILED)
        state->run = (enum run)numbers[1];
    state->checkpoint.tasks_completed = (uint32_t)numbers[2];
    state->checkpoint.files_created = (uint32_t)numbers[3];
}

enum {
    COMPONENTS,
    FEATURES,
    PROGRESS,
    CHECKPOINT,
    TAIL,
    ERRORS,
    EXECUTIONS,
    CHAT,
    FILES,
    UPDATES,
    STARTED,
    UPDATED,
    FOLD,
    SNAPSHOT_MEMBERS
};

static const struct slice snapshot_names[SNAPSHOT_MEMBERS] = {
    [COMPONENTS] = NAME("components"),
    [FEATURES] = NAME("features"),
    [PROGRESS] = NAME("build_progress"),
    [CHECKPOINT] = NAME("last_checkpoint"),
    [TAIL] = NAME("terminal_tail"),
    [ERRORS] = NAME("errors"),
    [EXECUTIONS] = NAME("executions"),
    [CHAT] = NAME("chat"),
    [FILES] = NAME("files"),
    [UPDATES] = NAME("updates"),
    [STARTED] = NAME("started"),
    [UPDATED] = NAME("updated"),
    [FOLD] = NAME("fold"),
};

static bool load_sections(struct session_state *state, const struct json_value *values)
{
    bool done = true;
    if (values[COMPONENTS].kind == JSON_OBJECT)
        done &= session_items_load(&state->components, values[COMPONENTS]);
    if (values[FEATURES].kind == JSON_OBJECT)
        done &= session_items_load(&state->features, values[FEATURES]);
    done &= session_checkpoint_load(&state->checkpoint, values[CHECKPOINT]);
    done &= session_terminal_load(&state->terminal, values[TAIL]);
    done &= session_ring_load(&state->errors, SESSION_ERRORS, values[ERRORS]);
    done &= session_ring_load(&state->updates, SESSION_UPDATES, values[UPDATES]);
    done &= session_executions_load(&state->executions, values[EXECUTIONS]);
    done &= session_chat_load(&state->chat, values[CHAT]);
    return session_files_load(&state->files, values[FILES]) && done;
}

static void load_members(struct session_state *state, struct slice snapshot)
{
    struct json_value values[SNAPSHOT_MEMBERS];
    unsigned found = session_pick(snapshot, snapshot_names, SNAPSHOT_MEMBERS, values);
    for (unsigned i = 0; i < SNAPSHOT_MEMBERS; i++)
        if (!(found >> i & 1))
            values[i] = (struct json_value){JSON_NULL, SLICE("null")};
    state->incomplete = !load_sections(state, values);
    if (values[PROGRESS].kind == JSON_OBJECT)
        set_build_progress(state, values[PROGRESS].text);
    load_time(values[STARTED], &state->started);
    load_time(values[UPDATED], &state->updated);
    if (values[FOLD].kind == JSON_OBJECT)
        load_fold(state, values[FOLD]);
}

struct session_state *session_state_try_load(struct slice snapshot)
{
    struct json_value value;
    if (json_parse(snapshot, &value, NULL) != 0 || value.kind != JSON_OBJECT)
        return NULL;
    struct session_state *state = session_state_try_new();
    if (state)
        load_members(state, value.text);
    return state;
}
