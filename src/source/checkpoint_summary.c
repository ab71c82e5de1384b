/* Checkpoints as JSON: the whole document, its summary, its updates. */
#include "base/memory.h"
#include "source/checkpoint.h"

static void append_text(struct buf *out, const char *text)
{
    json_append_string(out, slice_from(text));
}

void checkpoint_append_strings(struct buf *out, const struct checkpoint_strings *strings)
{
    buf_append_char(out, '[');
    for (size_t i = 0; i < strings->count; i++) {
        if (i)
            buf_append_char(out, ',');
        append_text(out, strings->items[i]);
    }
    buf_append_char(out, ']');
}

void checkpoint_append_update(struct buf *out, const char *id_name,
                              const struct fan_checkpoint_part *part)
{
    buf_printf(out, "{\"%s\":", id_name);
    append_text(out, part->id);
    BUF_LITERAL(out, ",\"status\":");
    append_text(out, part->status);
    BUF_LITERAL(out, ",\"progress\":");
    json_append_number(out, part->progress);
    BUF_LITERAL(out, ",\"metadata\":");
    buf_append_text(out, part->metadata);
    buf_append_char(out, '}');
}

static void append_stats(struct buf *out, const char *name, struct fan_checkpoint_stats stats)
{
    buf_printf(out,
               "\"%s\":{\"total\":%zu,\"completed\":%zu,\"in_progress\":%zu,\"pending\":%zu,"
               "\"failed\":%zu,\"completion_percentage\":",
               name, stats.total, stats.completed, stats.in_progress, stats.pending, stats.failed);
    json_append_number(out, stats.completion_percentage);
    buf_append_char(out, '}');
}

/* The three members that parsing adds, without a comma around them. */
static void append_progress(struct buf *out, const struct fan_checkpoint *checkpoint)
{
    struct fan_checkpoint_progress overall = fan_checkpoint_overall_progress(checkpoint);
    append_stats(out, "component_stats", fan_checkpoint_component_stats(checkpoint));
    buf_append_char(out, ',');
    append_stats(out, "feature_stats", fan_checkpoint_feature_stats(checkpoint));
    buf_printf(out,
               ",\"overall_progress\":{\"tasks_completed\":%zu,\"files_created\":%zu,"
               "\"completion_percentage\":",
               overall.tasks_completed, overall.files_created);
    json_append_number(out, overall.completion_percentage);
    BUF_LITERAL(out, ",\"status\":");
    append_text(out, overall.status);
    buf_append_char(out, '}');
}

static bool is_added(const struct json_member *member)
{
    return json_name_is(member, SLICE("component_stats")) ||
           json_name_is(member, SLICE("feature_stats")) ||
           json_name_is(member, SLICE("overall_progress"));
}

char *fan_checkpoint_json(const struct fan_checkpoint *checkpoint)
{
    struct buf out = {0};
    struct json_member member;
    buf_append_char(&out, '{');
    for (struct json_iter it = json_members(checkpoint->document);
         json_next_member(&it, &member);) {
        if (is_added(&member))
            continue;
        buf_append_char(&out, '"');
        buf_append_slice(&out, member.name);
        BUF_LITERAL(&out, "\":");
        json_append_compact(&out, member.value);
        buf_append_char(&out, ',');
    }
    append_progress(&out, checkpoint);
    buf_append_char(&out, '}');
    return buf_take(&out);
}

char *fan_checkpoint_summary(const struct fan_checkpoint *checkpoint)
{
    struct buf out = {0};
    BUF_LITERAL(&out, "{\"id\":");
    append_text(&out, checkpoint->id);
    BUF_LITERAL(&out, ",\"timestamp\":");
    append_text(&out, checkpoint->timestamp);
    BUF_LITERAL(&out, ",\"phase\":");
    append_text(&out, checkpoint->phase);
    BUF_LITERAL(&out, ",\"status\":");
    append_text(&out, fan_checkpoint_status(checkpoint));
    if (checkpoint->error) {
        BUF_LITERAL(&out, ",\"error\":");
        append_text(&out, checkpoint->error);
    }
    buf_append_char(&out, ',');
    append_progress(&out, checkpoint);
    buf_append_char(&out, '}');
    return buf_take(&out);
}

static char *updates(const struct checkpoint_parts *parts, const char *id_name)
{
    struct buf out = {0};
    buf_append_char(&out, '[');
    for (size_t i = 0; i < parts->count; i++) {
        if (i)
            buf_append_char(&out, ',');
        checkpoint_append_update(&out, id_name, &parts->items[i]);
    }
    buf_append_char(&out, ']');
    return buf_take(&out);
}

char *fan_checkpoint_component_updates(const struct fan_checkpoint *checkpoint)
{
    return updates(&checkpoint->components, "component_id");
}

char *fan_checkpoint_feature_updates(const struct fan_checkpoint *checkpoint)
{
    return updates(&checkpoint->features, "feature_id");
}
