/* The events of a watcher as JSON; see watch_event.h. */
#include "source/watch_event.h"

#include <math.h>

#include "codec/json.h"
#include "codec/utf8.h"

static void emit(struct watch_events *events, const char *type)
{
    static const char no_memory[] =
        "{\"error_message\":\"an event is lost: out of memory\",\"error_type\":\"no_memory\"}";
    if (!atomic_load(events->stopping)) {
        const char *text = buf_text(&events->data);
        if (events->data.failed)
            events->event(events->arg, "error", no_memory, sizeof no_memory - 1);
        else
            events->event(events->arg, type, text, events->data.len);
    }
    if (events->data.cap > 4 * WATCH_CONTENT_MAX) /* a large one is no reason to keep so much */
        buf_fini(&events->data);
    buf_clear(&events->data);
}

void watch_event_checkpoint(struct watch_events *events, const struct fan_checkpoint *checkpoint)
{
    struct buf *out = &events->data;
    BUF_LITERAL(out, "{\"checkpoint_id\":");
    json_append_string(out, slice_from(checkpoint->id));
    BUF_LITERAL(out, ",\"phase\":");
    json_append_string(out, slice_from(checkpoint->phase));
    BUF_LITERAL(out, ",\"tasks_completed\":");
    checkpoint_append_strings(out, &checkpoint->tasks);
    BUF_LITERAL(out, ",\"files_created\":");
    checkpoint_append_strings(out, &checkpoint->files);
    BUF_LITERAL(out, ",\"metadata\":");
    buf_append_text(out, checkpoint->metadata);
    buf_append_char(out, '}');
    emit(events, "checkpoint_update");
}

void watch_event_part(struct watch_events *events, const char *type, const char *id_name,
                      const struct fan_checkpoint_part *part)
{
    checkpoint_append_update(&events->data, id_name, part);
    emit(events, type);
}

void watch_event_progress(struct watch_events *events, size_t total, size_t completed)
{
    double percent = total ? round(1000.0 * (double)completed / (double)total) / 10 : 0;
    buf_printf(&events->data, "{\"total\":%zu,\"completed\":%zu,\"percent\":", total, completed);
    json_append_number(&events->data, percent);
    buf_append_char(&events->data, '}');
    emit(events, "build_progress");
}

void watch_event_file(struct watch_events *events, const char *path, const char *change,
                      struct watch_content content)
{
    struct buf *out = &events->data;
    struct slice text = content.text;
    bool is_text =
        !content.left_out && utf8_valid(text) && !(text.len && memchr(text.ptr, '\0', text.len));
    BUF_LITERAL(out, "{\"file_path\":");
    json_append_lossy(out, slice_from(path));
    BUF_LITERAL(out, ",\"change_type\":");
    json_append_string(out, slice_from(change));
    if (content.given && is_text) {
        BUF_LITERAL(out, ",\"content\":");
        json_append_string(out, text);
    } else if (content.given) {
        BUF_LITERAL(out, ",\"truncated\":true");
    }
    buf_append_char(out, '}');
    emit(events, "file_change");
}

void watch_event_error(struct watch_events *events, const char *error_type, const char *message)
{
    struct buf *out = &events->data;
    BUF_LITERAL(out, "{\"error_message\":");
    json_append_lossy(out, slice_from(message));
    BUF_LITERAL(out, ",\"error_type\":");
    json_append_string(out, slice_from(error_type));
    buf_append_char(out, '}');
    emit(events, "error");
}
