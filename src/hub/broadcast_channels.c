/* Typed broadcast functions of an editor's channels; see fanfare/broadcast.h. */
#include "hub/broadcast_private.h"

int fan_broadcast_channel_files(const struct fan_publisher *publisher, const char *file,
                                const char *event, const char *moved_to)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "file", file);
    draft_put_text(&draft, "event", event);
    draft_put_text(&draft, "movedTo", moved_to);
    return draft_broadcast_channel(&draft, publisher, "files");
}

int fan_broadcast_channel_diagnostics(const struct fan_publisher *publisher,
                                      const char *diagnostics, int cleared)
{
    struct draft draft = draft_begin();
    draft_put_json_if(&draft, "diagnostics", diagnostics);
    draft_put_flag(&draft, "cleared", cleared);
    return draft_broadcast_channel(&draft, publisher, "diagnostics");
}

int fan_broadcast_channel_ai_response(const struct fan_publisher *publisher, const char *id,
                                      const char *chunk, long long index, int finished)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "id", id);
    draft_put_text(&draft, "chunk", chunk);
    draft_put_count(&draft, "index", index);
    draft_put_flag(&draft, "finished", finished);
    return draft_broadcast_channel(&draft, publisher, "ai-response");
}

int fan_broadcast_channel_search(const struct fan_publisher *publisher, const char *query,
                                 long long completed, long long total, const char *results)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "query", query);
    draft_put_count(&draft, "completed", completed);
    draft_put_count(&draft, "total", total);
    draft_put_json_if(&draft, "results", results);
    return draft_broadcast_channel(&draft, publisher, "search");
}

int fan_broadcast_channel_validation(const struct fan_publisher *publisher, const char *type,
                                     int passed, const char *errors)
{
    struct draft draft = draft_begin();
    json_begin(&draft.data, "validation", '{');
    draft_put_text(&draft, "type", type);
    draft_put_flag(&draft, "passed", passed);
    draft_put_json_if(&draft, "errors", errors);
    json_end(&draft.data, '}');
    return draft_broadcast_channel(&draft, publisher, "validation");
}

int fan_broadcast_channel_git(const struct fan_publisher *publisher, const char *type,
                              const char *message, const char *status)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "type", type);
    draft_put_text(&draft, "message", message);
    draft_put_json_if(&draft, "status", status);
    return draft_broadcast_channel(&draft, publisher, "git");
}
