/* `fanfare store stats`: how much is on disk. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "cli/store_commands.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "codec/cursor.h"
#include "codec/json_writer.h"

static const struct table_column columns[] = {{"TOPIC", false}, {"EVENTS", true}, {"FIRST", true},
                                              {"LAST", true},   {"RUNS", true},   {"KiB", true},
                                              {"OLDEST", false}};

struct stats {
    const struct arguments *arguments;
    struct buf json;
    struct table table;
    uint64_t topics, events, bytes;
    int64_t oldest_ms;
};

static void add_json(struct buf *out, const struct stored_log *log)
{
    char epoch[EPOCH_TEXT_SIZE];
    epoch_format(log->epoch, epoch);
    json_begin(out, NULL, '{');
    json_put_slice(out, "topic", log->name);
    json_put_text(out, "epoch", epoch);
    json_put_u64(out, "events", log->events);
    json_put_u64(out, "first_offset", log->first_offset);
    json_put_u64(out, "offset", log->offset);
    json_put_u64(out, "runs", log->runs);
    json_put_u64(out, "bytes", log->bytes);
    json_put_time(out, "oldest", log->oldest_ms);
    json_put_time(out, "newest", log->newest_ms);
    json_end(out, '}');
}

static void add_row(struct table *t, const struct stored_log *log)
{
    char oldest[CLOCK_TEXT_SIZE] = "";
    if (log->oldest_ms)
        clock_format(log->oldest_ms, oldest);
    table_add(t, log->name);
    table_add_format(t, "%" PRIu64, log->events);
    table_add_format(t, "%" PRIu64, log->first_offset);
    table_add_format(t, "%" PRIu64, log->offset);
    table_add_format(t, "%" PRIu64, log->runs);
    table_add_format(t, "%" PRIu64, (log->bytes + 1023) / 1024);
    table_add(t, slice_from(oldest));
}

static void add(void *arg, const struct stored_log *log)
{
    struct stats *s = arg;
    if (!store_topic_is_wanted(s->arguments, log->name))
        return;
    s->topics++;
    s->events += log->events;
    s->bytes += log->bytes;
    if (log->oldest_ms && (!s->oldest_ms || log->oldest_ms < s->oldest_ms))
        s->oldest_ms = log->oldest_ms;
    add_json(&s->json, log);
    add_row(&s->table, log);
}

/* Of DIRECTORY/fanfare.db and what stands behind its name; 0: it is not there. */
static uint64_t file_size(struct store_offline *store, const char *suffix)
{
    struct buf path = {0};
    struct stat st;
    buf_printf(&path, "%s%s", buf_text(&store->path), suffix);
    uint64_t size = stat(buf_text(&path), &st) == 0 ? (uint64_t)st.st_size : 0;
    buf_fini(&path);
    return size;
}

static void append_json(struct buf *out, const struct stats *s, struct store_offline *store)
{
    json_begin(out, NULL, '{');
    json_put_text(out, "path", buf_text(&store->path));
    json_put_u64(out, "file_bytes", file_size(store, ""));
    json_put_u64(out, "log_bytes", file_size(store, "-wal"));
    json_put_u64(out, "topic_count", s->topics);
    json_put_u64(out, "events", s->events);
    json_put_u64(out, "event_bytes", s->bytes);
    json_put_time(out, "oldest", s->oldest_ms);
    json_put_raw(out, "topics", buf_slice(&s->json));
    json_end(out, '}');
    buf_append_char(out, '\n');
}

static void append_table(struct buf *out, const struct stats *s, struct store_offline *store)
{
    buf_printf(out, "%s: %" PRIu64 " KiB, write-ahead log %" PRIu64 " KiB\n",
               buf_text(&store->path), (file_size(store, "") + 1023) / 1024,
               (file_size(store, "-wal") + 1023) / 1024);
    buf_printf(out, "%" PRIu64 " topics, %" PRIu64 " events of %" PRIu64 " KiB\n", s->topics,
               s->events, (s->bytes + 1023) / 1024);
    if (s->topics)
        table_append(out, &s->table, terminal_has_colours(stdout), 0, 0, (unsigned)s->topics);
}

int store_stats(const struct arguments *a, const struct config *config)
{
    struct store_offline store;
    struct stats s = {.arguments = a};
    struct buf out = {0}, why = {0};
    table_init(&s.table, columns, sizeof columns / sizeof *columns);
    json_begin(&s.json, NULL, '[');
    int code = store_open_data(&store, config);
    if (!code && store_offline_topics(&store, add, &s, &why) != 0)
        code = command_error(&store_command, "%s", buf_text(&why));
    json_end(&s.json, ']');
    if (!code) {
        (arguments_has(a, "json") ? append_json : append_table)(&out, &s, &store);
        code = terminal_write(stdout, &out) ? DONE : FAILED;
    }
    store_offline_close(&store);
    table_fini(&s.table);
    buf_fini(&s.json);
    buf_fini(&out);
    buf_fini(&why);
    return code;
}
