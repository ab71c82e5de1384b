/*
 * Typed broadcast functions; see fanfare/broadcast.h.
 *
 * Each writes its data and passes it through the same check as every other publisher's, so the
 * catalogue alone says what is valid.
 */
#include "hub/broadcast_private.h"

#include <stdio.h>

#include "base/clock.h"
#include "codec/utf8.h"
#include "fanfare/error.h"
#include "hub/event_validate.h"

static _Thread_local char problem[384];

const char *fan_broadcast_problem(void)
{
    return problem;
}

int broadcast_invalid(const char *field, const char *message)
{
    snprintf(problem, sizeof problem, "%s%s%s", field, *field ? " " : "", message);
    return FAN_E_INVALID;
}

struct draft draft_begin(void)
{
    struct draft draft = {0};
    json_begin(&draft.data, NULL, '{');
    return draft;
}

void draft_put_bytes(struct draft *draft, const char *name, const char *text, size_t size)
{
    if (!text)
        return;
    json_put_name(&draft->data, name);
    json_append_lossy(&draft->data, slice_of(text, size));
}

void draft_put_text(struct draft *draft, const char *name, const char *text)
{
    draft_put_bytes(draft, name, text, text ? strlen(text) : 0);
}

static void put_list(struct draft *draft, const char *name, const char *const *texts, size_t count)
{
    json_begin(&draft->data, name, '[');
    for (size_t i = 0; i < count; i++)
        draft_put_text(draft, NULL, texts[i]);
    json_end(&draft->data, ']');
}

void draft_put_json(struct draft *draft, const char *name, const char *json)
{
    struct json_value value;
    struct json_error error;
    if (!json) {
        json_put_raw(&draft->data, name, SLICE("{}"));
    } else if (json_parse(slice_from(json), &value, &error) == 0) {
        json_put_raw(&draft->data, name, value.text);
    } else if (!draft->error) {
        char message[128];
        snprintf(message, sizeof message, "must be JSON: %s at byte %zu", error.message, error.at);
        draft->error = broadcast_invalid(name, message);
    }
}

void draft_put_json_if(struct draft *draft, const char *name, const char *json)
{
    if (json)
        draft_put_json(draft, name, json);
}

void draft_put_count(struct draft *draft, const char *name, long long count)
{
    if (count >= 0)
        json_put_u64(&draft->data, name, (uint64_t)count);
}

void draft_put_flag(struct draft *draft, const char *name, int flag)
{
    if (flag >= 0)
        json_put_bool(&draft->data, name, flag != 0);
}

/* Checks the data and, when it is replaced, takes the replacement. */
static int check(struct draft *draft, const struct event_type *type)
{
    struct event_check result = {.time_ms = clock_wall_ms()};
    struct buf replacement = {0};
    int error = event_validate(type, buf_slice(&draft->data), &replacement, &result);
    if (error == FAN_E_INVALID)
        broadcast_invalid("", result.message);
    if (error == 0 && replacement.len) {
        buf_fini(&draft->data);
        draft->data = replacement;
        return 0;
    }
    buf_fini(&replacement);
    return error;
}

static int write_topic(char topic[TOPIC_NAME_MAX + 1], const char *session_id)
{
    struct topic_name name;
    const char *why = "";
    if (!session_id || strlen(session_id) > TOPIC_USER_ID_MAX)
        return broadcast_invalid("session_id", session_id ? "is too long" : "is missing");
    snprintf(topic, TOPIC_NAME_MAX + 1, "session:%s", session_id);
    return topic_name_parse(slice_from(topic), &name, &why) == 0
               ? 0
               : broadcast_invalid("session_id:", why);
}

static int publish(struct draft *draft, const struct fan_publisher *publisher, const char *topic,
                   const char *type, const struct event_type *row, int error)
{
    json_end(&draft->data, '}');
    if (!error)
        error = draft->error;
    if (!error)
        error = draft->data.failed ? FAN_E_NO_MEMORY : check(draft, row);
    if (!error)
        error =
            publisher->publish(publisher->context, topic, type, draft->data.data, draft->data.len);
    buf_fini(&draft->data);
    return error;
}

int draft_broadcast(struct draft *draft, const struct fan_publisher *publisher,
                    const char *session_id, const char *type)
{
    char topic[TOPIC_NAME_MAX + 1];
    int error = write_topic(topic, session_id);
    return publish(draft, publisher, topic, type, catalogue_find(slice_from(type)), error);
}

int draft_broadcast_channel(struct draft *draft, const struct fan_publisher *publisher,
                            const char *channel)
{
    char topic[TOPIC_NAME_MAX + 1];
    snprintf(topic, sizeof topic, "channel:%s", channel);
    return publish(draft, publisher, topic, "event", catalogue_channel(slice_from(channel)), 0);
}

int draft_broadcast_routed(struct draft *draft, const struct fan_publisher *publisher,
                           const char *type)
{
    return publish(draft, publisher, NULL, type, catalogue_find(slice_from(type)), 0);
}

static int broadcast_item(const struct fan_publisher *publisher, const char *session_id,
                          const char *type, const char *id_name, const char *id, const char *status,
                          double progress, const char *metadata)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, id_name, id);
    draft_put_text(&draft, "status", status);
    json_put_number(&draft.data, "progress", progress);
    draft_put_json(&draft, "metadata", metadata);
    if (!draft.error && !(progress >= 0 && progress <= 100)) /* JSON has no NaN to refuse */
        draft.error = broadcast_invalid("progress", "must be a number from 0 to 100");
    return draft_broadcast(&draft, publisher, session_id, type);
}

int fan_broadcast_component_update(const struct fan_publisher *publisher, const char *session_id,
                                   const char *component_id, const char *status, double progress,
                                   const char *metadata)
{
    return broadcast_item(publisher, session_id, "component_update", "component_id", component_id,
                          status, progress, metadata);
}

int fan_broadcast_feature_update(const struct fan_publisher *publisher, const char *session_id,
                                 const char *feature_id, const char *status, double progress,
                                 const char *metadata)
{
    return broadcast_item(publisher, session_id, "feature_update", "feature_id", feature_id, status,
                          progress, metadata);
}

int fan_broadcast_terminal_output(const struct fan_publisher *publisher, const char *session_id,
                                  const char *output, size_t size, const char *output_type,
                                  const char *source)
{
    struct draft draft = draft_begin();
    draft_put_bytes(&draft, "output", output, size);
    draft_put_text(&draft, "output_type", output_type);
    draft_put_text(&draft, "source", source);
    return draft_broadcast(&draft, publisher, session_id, "terminal_output");
}

int fan_broadcast_checkpoint_update(const struct fan_publisher *publisher, const char *session_id,
                                    const char *checkpoint_id, const char *phase,
                                    const char *const *tasks_completed, size_t task_count,
                                    const char *const *files_created, size_t file_count,
                                    const char *metadata)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "checkpoint_id", checkpoint_id);
    draft_put_text(&draft, "phase", phase);
    put_list(&draft, "tasks_completed", tasks_completed, task_count);
    put_list(&draft, "files_created", files_created, file_count);
    draft_put_json(&draft, "metadata", metadata);
    return draft_broadcast(&draft, publisher, session_id, "checkpoint_update");
}

int fan_broadcast_build_progress(const struct fan_publisher *publisher, const char *session_id,
                                 double total, double completed, double percent)
{
    struct draft draft = draft_begin();
    json_put_number(&draft.data, "total", total);
    json_put_number(&draft.data, "completed", completed);
    if (percent >= 0)
        json_put_number(&draft.data, "percent", percent);
    return draft_broadcast(&draft, publisher, session_id, "build_progress");
}

int fan_broadcast_file_change(const struct fan_publisher *publisher, const char *session_id,
                              const char *file_path, const char *change_type, const char *content,
                              size_t size)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "file_path", file_path);
    draft_put_text(&draft, "change_type", change_type);
    draft_put_bytes(&draft, "content", content, size);
    return draft_broadcast(&draft, publisher, session_id, "file_change");
}

int fan_broadcast_error(const struct fan_publisher *publisher, const char *session_id,
                        const char *error_message, const char *error_type, const char *traceback)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "error_message", error_message);
    draft_put_text(&draft, "error_type", error_type);
    draft_put_text(&draft, "traceback", traceback);
    return draft_broadcast(&draft, publisher, session_id, "error");
}

int fan_broadcast_run_started(const struct fan_publisher *publisher, const char *session_id,
                              const char *command, const char *cwd, long long pid, int pty,
                              long long cols, long long rows)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "command", command);
    draft_put_text(&draft, "cwd", cwd);
    draft_put_count(&draft, "pid", pid);
    draft_put_flag(&draft, "pty", pty);
    draft_put_count(&draft, "cols", cols);
    draft_put_count(&draft, "rows", rows);
    return draft_broadcast(&draft, publisher, session_id, "run_started");
}

int fan_broadcast_run_finished(const struct fan_publisher *publisher, const char *session_id,
                               long long exit_code, const char *signal, double duration,
                               long long pid, const char *command, const char *cwd)
{
    struct draft draft = draft_begin();
    if (exit_code < 0)
        json_put_text(&draft.data, "exit_code", NULL);
    else
        draft_put_count(&draft, "exit_code", exit_code);
    json_put_text(&draft.data, "signal", signal);
    json_put_number(&draft.data, "duration", duration);
    draft_put_count(&draft, "pid", pid);
    draft_put_text(&draft, "command", command);
    draft_put_text(&draft, "cwd", cwd);
    return draft_broadcast(&draft, publisher, session_id, "run_finished");
}

/* ---- Output in pieces ---- */

int fan_terminal_stream_write(struct fan_terminal_stream *stream,
                              const struct fan_publisher *publisher, const char *session_id,
                              const char *output, size_t size, const char *output_type,
                              const char *source)
{
    struct buf joined = {0};
    struct slice text = slice_of(output, size);
    if (stream->count) {
        buf_append(&joined, stream->waiting, stream->count);
        buf_append_slice(&joined, text);
        text = buf_slice(&joined);
    }
    size_t tail = utf8_incomplete_tail(text);
    int error = joined.failed ? FAN_E_NO_MEMORY : 0;
    if (!error) {
        text.len -= tail;
        stream->count = (unsigned char)tail;
        if (tail)
            memcpy(stream->waiting, text.ptr + text.len, tail);
        if (text.len)
            error = fan_broadcast_terminal_output(publisher, session_id, text.ptr, text.len,
                                                  output_type, source);
    }
    buf_fini(&joined);
    return error;
}

int fan_terminal_stream_finish(struct fan_terminal_stream *stream,
                               const struct fan_publisher *publisher, const char *session_id,
                               const char *output_type, const char *source)
{
    size_t count = stream->count;
    stream->count = 0;
    if (!count)
        return 0;
    return fan_broadcast_terminal_output(publisher, session_id, (const char *)stream->waiting,
                                         count, output_type, source);
}
