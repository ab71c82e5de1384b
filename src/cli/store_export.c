/* `fanfare store export`: events as lines of JSON, as `fanfare sub --json` and `pub -` know them.
 */
#include <stdio.h>

#include "base/clock.h"
#include "cli/store_commands.h"
#include "cli/terminal.h"
#include "codec/cursor.h"
#include "codec/json_writer.h"

#define WRITE_AT ((size_t)64 * 1024)

struct export_run {
    const struct arguments *arguments;
    struct buf text;
    uint64_t damaged;
};

static bool wants(void *arg, struct slice topic)
{
    const struct export_run *e = arg;
    return store_topic_is_wanted(e->arguments, topic);
}

/* An event that was published without an id has its first place for one, as everywhere. */
static void append_id(struct buf *out, const struct stored_event *event)
{
    char epoch[EPOCH_TEXT_SIZE];
    struct buf id = {0};
    const struct run_record *r = event->record;
    const struct run_place *first = r->place_count && r->places[0].name.len ? r->places : NULL;
    if (r->id.len) {
        json_put_slice(out, "id", r->id);
        return;
    }
    epoch_format(first ? first->epoch : event->epoch, epoch);
    buf_printf(&id, "%s-%llu", epoch, (unsigned long long)(first ? first->offset : event->offset));
    json_put_slice(out, "id", buf_slice(&id));
    out->failed |= id.failed;
    buf_fini(&id);
}

/* All of its topics that are exported, when there is more than one. */
static void append_topics(struct buf *out, const struct export_run *e,
                          const struct stored_event *event)
{
    unsigned count = 0;
    const struct run_record *r = event->record;
    for (unsigned i = 0; i < r->place_count; i++)
        count += store_topic_is_wanted(e->arguments,
                                       r->places[i].name.len ? r->places[i].name : event->topic);
    if (count < 2)
        return;
    json_begin(out, "topics", '[');
    for (unsigned i = 0; i < r->place_count; i++) {
        struct slice name = r->places[i].name.len ? r->places[i].name : event->topic;
        if (store_topic_is_wanted(e->arguments, name))
            json_put_slice(out, NULL, name);
    }
    json_end(out, ']');
}

static int append_event(void *arg, const struct stored_event *event)
{
    struct export_run *e = arg;
    struct buf *out = &e->text;
    const struct run_record *r = event->record;
    buf_append_char(out, '{'); /* there is no comma between lines */
    json_put_slice(out, "topic", event->topic);
    append_topics(out, e, event);
    json_put_slice(out, "type", r->type);
    json_put_time(out, "time", r->time_ms);
    json_put_u64(out, "offset", event->offset);
    append_id(out, event);
    if (r->source.len)
        json_put_slice(out, "source", r->source);
    if (r->key.len)
        json_put_slice(out, "key", r->key);
    json_put_raw(out, "data", r->data);
    json_end(out, '}');
    buf_append_char(out, '\n');
    if (out->failed)
        return command_error(&store_command, "out of memory");
    if (out->len < WRITE_AT)
        return 0;
    int code = terminal_write(stdout, out) ? 0 : FAILED;
    buf_clear(out);
    return code;
}

static void damaged(void *arg, struct slice topic, uint64_t first_offset, uint64_t count)
{
    struct export_run *e = arg;
    e->damaged += count;
    command_error(&store_command, "%.*s: #%llu to #%llu are damaged and left out", SLICE_ARG(topic),
                  (unsigned long long)first_offset, (unsigned long long)(first_offset + count - 1));
}

int store_export(const struct arguments *a, const struct config *config)
{
    static const struct export_ops ops = {wants, append_event, damaged};
    struct store_offline store;
    struct export_run e = {.arguments = a};
    struct buf why = {0};
    int code = store_open_data(&store, config);
    if (!code)
        code = store_offline_export(&store, &ops, &e, &why);
    if (why.len)
        code = command_error(&store_command, "%s", buf_text(&why));
    if (!terminal_write(stdout, &e.text) && !code)
        code = FAILED;
    store_offline_close(&store);
    buf_fini(&e.text);
    buf_fini(&why);
    return code || e.damaged ? FAILED : DONE;
}
