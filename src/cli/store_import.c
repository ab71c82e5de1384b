/*
 * `fanfare store import`: lines of JSON into a data directory that no server is using.
 *
 * The events go the way of all events, through the hub and its engine, some hundred to a commit: so
 * they are checked, numbered and trimmed as if they had been published.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/event_text.h"
#include "cli/replay_source.h"
#include "cli/store_commands.h"
#include "cli/terminal.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"
#include "hub/event_draft.h"
#include "hub/hub.h"
#include "hub/topic_name.h"
#include "server/storage.h"

#define BATCH_EVENTS 256

/* An event that was read and not yet written. */
struct pending {
    struct publish_item item;
    uint64_t line;
    struct slice topics[HUB_MAX_EVENT_TOPICS]; /* point into names */
    unsigned topic_count;
    struct buf names, id, source, key; /* unescaped */
};

struct importer {
    const struct config *config;
    const char *name; /* of the file */
    struct hub *hub;
    struct pending pending[BATCH_EVENTS];
    unsigned count;
    uint64_t imported, repeated, refused;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
};

static void refuse(struct importer *im, uint64_t line, const char *why)
{
    im->refused++;
    fprintf(stderr, "fanfare store: %s:%llu: %s\n", im->name, (unsigned long long)line, why);
}

/* ---- Reading a line ---- */

static struct slice read_text(struct json_value event, struct slice name, struct buf *out)
{
    struct json_value value;
    if (json_find(event, name, &value) && value.kind == JSON_STRING)
        json_string_append(out, value);
    return buf_slice(out);
}

/* The names in `topics`, or the one in `topic`; they end up in one buffer, so that they are slices
 * only when all are there. False: there are too many. */
static bool read_topics(struct pending *p, struct json_value event)
{
    struct json_value value, name;
    size_t ends[HUB_MAX_EVENT_TOPICS] = {0};
    if (!json_find(event, SLICE("topics"), &value) || value.kind != JSON_ARRAY) {
        read_text(event, SLICE("topic"), &p->names);
        p->topics[0] = buf_slice(&p->names);
        p->topic_count = 1;
        return true;
    }
    struct json_iter it = json_elements(value);
    while (json_next_element(&it, &name)) {
        if (p->topic_count == HUB_MAX_EVENT_TOPICS)
            return false;
        if (name.kind == JSON_STRING)
            json_string_append(&p->names, name);
        ends[p->topic_count++] = p->names.len;
    }
    for (unsigned i = 0; i < p->topic_count; i++) {
        size_t begin = i ? ends[i - 1] : 0;
        p->topics[i] = slice_of(p->names.data + begin, ends[i] - begin);
    }
    return p->topic_count > 0;
}

/* Topics that are not durable have nothing to be imported into. NULL: all are. */
static const char *check_durable(const struct importer *im, const struct pending *p)
{
    struct topic_name name;
    const char *why;
    for (unsigned i = 0; i < p->topic_count; i++)
        if (topic_name_parse(p->topics[i], &name, &why) == 0 &&
            !storage_keeps(im->config, name.kind))
            return "its topic is of a kind that is not durable (topics.KIND.durable): there is "
                   "nothing on disk to import it into";
    return NULL;
}

static const char *make_event(const struct importer *im, struct pending *p, struct json_value event,
                              struct event_check *check)
{
    struct json_value data;
    struct event_draft draft = {.type = event_member(event, SLICE("type"))};
    if (event_is_notice(event) || !json_find(event, SLICE("data"), &data))
        return "expected an event, with topic, type and data";
    if (!read_topics(p, event))
        return "topics must be an array of 1 to 64 names";
    const char *why = check_durable(im, p);
    if (why)
        return why;
    draft.topic = p->topics[0];
    draft.more = p->topics + 1;
    draft.more_count = p->topic_count - 1;
    draft.data = data.text;
    draft.id = read_text(event, SLICE("id"), &p->id);
    draft.source = read_text(event, SLICE("source"), &p->source);
    draft.key = read_text(event, SLICE("key"), &p->key);
    if (clock_parse(event_member(event, SLICE("time")), &draft.time_ms) != 0)
        draft.time_ms = clock_wall_ms();
    if (p->names.failed || p->id.failed || p->source.failed || p->key.failed)
        return fan_error_text(FAN_E_NO_MEMORY);
    return event_draft_make(&draft, SIZE_MAX, &p->item.event, check) ? check->message : NULL;
}

static void pending_fini(struct pending *p)
{
    if (p->item.event)
        event_unref(p->item.event);
    buf_fini(&p->names);
    buf_fini(&p->id);
    buf_fini(&p->source);
    buf_fini(&p->key);
    *p = (struct pending){0};
}

/* ---- Writing them ---- */

static void on_done(struct publish_batch *batch)
{
    struct importer *im = batch->arg;
    pthread_mutex_lock(&im->lock);
    im->is_done = true;
    pthread_cond_signal(&im->done);
    pthread_mutex_unlock(&im->lock);
}

static void publish(struct importer *im, struct publish_batch *batch)
{
    im->is_done = false;
    hub_publish(im->hub, batch);
    pthread_mutex_lock(&im->lock);
    while (!im->is_done)
        pthread_cond_wait(&im->done, &im->lock);
    pthread_mutex_unlock(&im->lock);
}

/* Writes what was read. 0, or FAILED after a message when the disk does not take it. */
static int flush(struct importer *im)
{
    struct publish_item *items[BATCH_EVENTS];
    struct publish_batch batch = {.items = items, .count = im->count, .done = on_done, .arg = im};
    int code = 0;
    if (im->count == 0)
        return 0;
    for (unsigned i = 0; i < im->count; i++)
        items[i] = &im->pending[i].item;
    publish(im, &batch);
    for (unsigned i = 0; i < im->count; i++) {
        struct pending *p = &im->pending[i];
        if (p->item.error == FAN_E_IO && !code)
            code = command_error(&store_command, "%s:%llu: %s", im->name,
                                 (unsigned long long)p->line, batch.reason);
        else if (p->item.error && p->item.error != FAN_E_IO)
            refuse(im, p->line, fan_error_text(p->item.error));
        else if (!p->item.error)
            *(p->item.duplicate ? &im->repeated : &im->imported) += 1;
        pending_fini(p);
    }
    im->count = 0;
    return code;
}

static void take(struct importer *im, struct json_value event, uint64_t line)
{
    struct pending *p = &im->pending[im->count];
    struct event_check check;
    const char *why = make_event(im, p, event, &check);
    if (why) {
        refuse(im, line, why);
        pending_fini(p);
        return;
    }
    p->line = line;
    p->item.topics = p->topics;
    im->count++;
}

static bool is_ephemeral(struct json_value event)
{
    return slice_is(event_member(event, SLICE("ephemeral")), "true");
}

static int import_lines(struct importer *im, struct replay_file *file)
{
    struct json_value event;
    int code;
    while ((code = replay_file_next(file, &event)) == 0) {
        if (!is_ephemeral(event)) /* was never kept */
            take(im, event, file->line);
        if (im->count == BATCH_EVENTS && (code = flush(im)) != 0)
            return code;
    }
    int last = flush(im);
    return code == REPLAY_END ? last : FAILED;
}

/* ---- The command ---- */

static int report(const struct importer *im, bool json)
{
    struct buf out = {0};
    if (json) {
        json_begin(&out, NULL, '{');
        json_put_u64(&out, "imported", im->imported);
        json_put_u64(&out, "repeated", im->repeated);
        json_put_u64(&out, "refused", im->refused);
        json_end(&out, '}');
        buf_append_char(&out, '\n');
    } else {
        buf_printf(&out, "imported %llu, there already %llu, refused %llu\n",
                   (unsigned long long)im->imported, (unsigned long long)im->repeated,
                   (unsigned long long)im->refused);
    }
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    return written && im->refused == 0 ? DONE : FAILED;
}

static int import(struct importer *im, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    struct buf why = {0};
    struct replay_file file = {
        .command = &store_command, .name = standard ? "stdin" : path, .wake = -1};
    im->name = file.name;
    file.fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file.fd < 0)
        return command_error(&store_command, "%s: %s", path, strerror(errno));
    int code = storage_open(im->config, NULL, &im->hub, &why);
    if (code)
        code = command_error(&store_command, "%s", buf_text(&why));
    else
        code = import_lines(im, &file);
    hub_free(im->hub);
    replay_file_fini(&file);
    if (!standard)
        close(file.fd);
    buf_fini(&why);
    return code;
}

int store_import(const struct arguments *a, const struct config *config)
{
    if (a->rest_count != 2)
        return usage_error(&store_command, "import expects one FILE, or - for stdin");
    struct importer *im = memory_zero(sizeof *im);
    im->config = config;
    pthread_mutex_init(&im->lock, NULL);
    pthread_cond_init(&im->done, NULL);
    int code = import(im, a->rest[1]);
    int told = !code || im->imported ? report(im, arguments_has(a, "json")) : FAILED;
    pthread_cond_destroy(&im->done);
    pthread_mutex_destroy(&im->lock);
    memory_free(im);
    return code ? code : told;
}
