/* Typed broadcast functions of web IDE sessions; see fanfare/broadcast.h. */
#include "hub/broadcast_private.h"

static void put_members(struct draft *draft, struct json_value object)
{
    struct json_iter it = json_members(object);
    struct json_member member;
    while (json_next_member(&it, &member)) {
        json_put_name(&draft->data, NULL);
        BUF_LITERAL(&draft->data, "\"");
        buf_append_slice(&draft->data, member.name);
        BUF_LITERAL(&draft->data, "\":");
        buf_append_slice(&draft->data, member.value.text);
    }
}

int fan_broadcast_execution_start(const struct fan_publisher *publisher, const char *session_id,
                                  const char *execution_id, const char *language,
                                  const char *code_preview)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "execution_id", execution_id);
    draft_put_text(&draft, "language", language);
    draft_put_text(&draft, "code_preview", code_preview);
    return draft_broadcast(&draft, publisher, session_id, "execution_start");
}

int fan_broadcast_execution_output(const struct fan_publisher *publisher, const char *session_id,
                                   const char *execution_id, const char *output, size_t size,
                                   const char *stream)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "execution_id", execution_id);
    draft_put_bytes(&draft, "output", output, size);
    draft_put_text(&draft, "stream", stream);
    return draft_broadcast(&draft, publisher, session_id, "execution_output");
}

int fan_broadcast_execution_complete(const struct fan_publisher *publisher, const char *session_id,
                                     const char *execution_id, const char *result)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "execution_id", execution_id);
    draft_put_json_if(&draft, "result", result);
    return draft_broadcast(&draft, publisher, session_id, "execution_complete");
}

int fan_broadcast_execution_error(const struct fan_publisher *publisher, const char *session_id,
                                  const char *execution_id, const char *error,
                                  const char *error_type, const char *result)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "execution_id", execution_id);
    draft_put_text(&draft, "error", error);
    draft_put_text(&draft, "error_type", error_type);
    draft_put_json_if(&draft, "result", result);
    return draft_broadcast(&draft, publisher, session_id, "execution_error");
}

int fan_broadcast_ai_typing(const struct fan_publisher *publisher, const char *session_id,
                            int is_typing)
{
    struct draft draft = draft_begin();
    draft_put_flag(&draft, "is_typing", is_typing);
    return draft_broadcast(&draft, publisher, session_id, "ai_typing");
}

int fan_broadcast_ai_response(const struct fan_publisher *publisher, const char *session_id,
                              const char *id, const char *content, const char *sender,
                              const char *timestamp)
{
    struct draft draft = draft_begin();
    json_begin(&draft.data, "message", '{');
    draft_put_text(&draft, "id", id);
    draft_put_text(&draft, "content", content);
    draft_put_text(&draft, "sender", sender);
    draft_put_text(&draft, "timestamp", timestamp);
    json_end(&draft.data, '}');
    return draft_broadcast(&draft, publisher, session_id, "ai_response");
}

int fan_broadcast_ai_chunk(const struct fan_publisher *publisher, const char *session_id,
                           const char *id, const char *chunk, long long index, int finished)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "id", id);
    draft_put_text(&draft, "chunk", chunk);
    draft_put_count(&draft, "index", index);
    draft_put_flag(&draft, "finished", finished);
    return draft_broadcast(&draft, publisher, session_id, "ai_chunk");
}

int fan_broadcast_ai_error(const struct fan_publisher *publisher, const char *session_id,
                           const char *error, const char *error_type)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "error", error);
    draft_put_text(&draft, "error_type", error_type);
    return draft_broadcast(&draft, publisher, session_id, "ai_error");
}

int fan_broadcast_hook_triggered(const struct fan_publisher *publisher, const char *session_id,
                                 const char *hook_type, const char *context)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "hook_type", hook_type);
    draft_put_json_if(&draft, "context", context);
    return draft_broadcast(&draft, publisher, session_id, "hook_triggered");
}

int fan_broadcast_session_update(const struct fan_publisher *publisher, const char *session_id,
                                 const char *data)
{
    struct draft draft = draft_begin();
    struct json_value object;
    if (!data || json_parse(slice_from(data), &object, NULL) != 0 || object.kind != JSON_OBJECT)
        draft.error = broadcast_invalid("data", "must be a JSON object");
    else
        put_members(&draft, object);
    return draft_broadcast(&draft, publisher, session_id, "session_update");
}

int fan_broadcast_file_saved(const struct fan_publisher *publisher, const char *session_id,
                             const char *file_id, const char *file_name, const char *language,
                             const char *content)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "file_id", file_id);
    draft_put_text(&draft, "file_name", file_name);
    draft_put_text(&draft, "language", language);
    draft_put_text(&draft, "content", content);
    return draft_broadcast(&draft, publisher, session_id, "file_saved");
}
