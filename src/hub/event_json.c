/* Events as JSON; see event_json.h. */
#include "hub/event_json.h"

#include "base/clock.h"
#include "codec/cursor.h"
#include "codec/json.h"
#include "hub/topic.h"

static void append_text(struct buf *out, const char *name, struct slice text)
{
    if (text.len == 0)
        return;
    buf_append_text(out, name);
    json_append_string(out, text);
}

static void append_id(struct buf *out, const struct event *e)
{
    char epoch[EPOCH_TEXT_SIZE];
    if (e->id.len || e->ephemeral) {
        append_text(out, ",\"id\":", e->id);
        return;
    }
    epoch_format(e->places[0].epoch, epoch);
    buf_printf(out, ",\"id\":\"%s-%llu\"", epoch, (unsigned long long)e->places[0].offset);
}

void event_append_json(struct buf *out, const struct event *e, unsigned place)
{
    char time[CLOCK_TEXT_SIZE];
    clock_format(e->time_ms, time);
    BUF_LITERAL(out, "{\"topic\":");
    json_append_string(out, topic_name_slice(e->places[place].topic));
    append_text(out, ",\"type\":", e->type);
    append_text(out, ",\"time\":", slice_of(time, CLOCK_TEXT_SIZE - 1));
    if (e->ephemeral) {
        BUF_LITERAL(out, ",\"ephemeral\":true");
    } else {
        BUF_LITERAL(out, ",\"offset\":");
        buf_append_u64(out, e->places[place].offset);
    }
    append_id(out, e);
    append_text(out, ",\"source\":", e->source);
    append_text(out, ",\"key\":", e->key);
    BUF_LITERAL(out, ",\"data\":");
    buf_append_slice(out, e->data);
    buf_append_char(out, '}');
}
