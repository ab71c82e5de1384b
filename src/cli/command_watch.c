/* `fanfare watch`: publishes what a build tool writes in a project to a server. */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "codec/http.h"
#include "codec/json_writer.h"
#include "config/config.h"
#include "fanfare/client.h"
#include "fanfare/watcher.h"

#define STATUS_MS 5000

struct watch {
    struct remote remote;
    struct fan_client *client; /* NULL with --no-publish */
    const char *topic;
    struct slice session;
    bool json;
    int interrupt;
    atomic_bool ending;
};

/* ---- What exists: --list, --latest ---- */

static void append_file(struct buf *out, const char *kind, const struct fan_watcher_file *file)
{
    char time[CLOCK_TEXT_SIZE];
    clock_format(file->modified_ms, time);
    buf_printf(out, "%s  %-10s  ", time, kind);
    terminal_append_plain(out, slice_from(file->path));
    BUF_LITERAL(out, "\n");
}

static void append_file_json(struct buf *out, const struct fan_watcher_file *file)
{
    char time[CLOCK_TEXT_SIZE];
    clock_format(file->modified_ms, time);
    BUF_LITERAL(out, "{\"path\":");
    json_append_lossy(out, slice_from(file->path));
    buf_printf(out, ",\"modified\":\"%s\",\"size\":%llu}", time, (unsigned long long)file->size);
}

static void append_files(struct buf *out, const char *kind, const struct fan_watcher_files *files,
                         bool json)
{
    if (json)
        buf_printf(out, "\"%ss\":[", kind);
    for (size_t i = 0; i < files->count; i++) {
        if (json && i)
            BUF_LITERAL(out, ",");
        if (json)
            append_file_json(out, &files->files[i]);
        else
            append_file(out, kind, &files->files[i]);
    }
    if (json)
        BUF_LITERAL(out, "]");
}

static int list(const struct arguments *a)
{
    struct fan_watcher_files *checkpoints = NULL, *contexts = NULL;
    struct fan_watcher_error problem;
    const char *directory = arguments_get(a, "directory");
    bool json = arguments_has(a, "json");
    struct buf out = {0};
    if (fan_watcher_list_checkpoints(a->rest[0], directory, &checkpoints, &problem) ||
        fan_watcher_list_contexts(a->rest[0], directory, &contexts, &problem)) {
        fan_free(checkpoints);
        return command_error(&watch_command, "%s", problem.message);
    }
    buf_append_text(&out, json ? "{" : "");
    append_files(&out, "checkpoint", checkpoints, json);
    buf_append_text(&out, json ? "," : "");
    append_files(&out, "context", contexts, json);
    buf_append_text(&out, json ? "}\n" : "");
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    fan_free(checkpoints);
    fan_free(contexts);
    return written ? DONE : FAILED;
}

static int latest(const struct arguments *a)
{
    struct fan_watcher_error problem;
    struct buf out = {0};
    char *file;
    if (fan_watcher_latest_checkpoint(a->rest[0], arguments_get(a, "directory"), &file, &problem))
        return command_error(&watch_command, "%s", problem.message);
    if (!file)
        return command_error(&watch_command, "%s: no checkpoint yet", a->rest[0]);
    if (arguments_has(a, "json"))
        json_append_lossy(&out, slice_from(file));
    else
        terminal_append_plain(&out, slice_from(file));
    BUF_LITERAL(&out, "\n");
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    fan_free(file);
    return written ? DONE : FAILED;
}

/* ---- Watching ---- */

/* On the client's thread. */
static void on_problem(void *arg, const struct fan_client_problem *problem)
{
    const struct watch *w = arg;
    struct buf reason = {0};
    if (problem->kind == FAN_CLIENT_EVENT_REFUSED)
        buf_printf(&reason, "an event was refused: %s", problem->message);
    else if (problem->kind == FAN_CLIENT_DENIED)
        buf_printf(&reason, "the server refuses the connection: %s", problem->message);
    else
        remote_append_reason(&reason, &w->remote, slice_from(problem->message));
    command_error(&watch_command, "%s%s", buf_text(&reason),
                  problem->kind == FAN_CLIENT_EVENT_REFUSED ? "" : "; trying again");
    buf_fini(&reason);
}

/* One event as a line that `fanfare pub -` takes. A reader that has gone ends the command, see
 * wait_for_end. */
static void print_event(const struct watch *w, const char *type, struct slice data)
{
    struct buf out = {0};
    json_begin(&out, NULL, '{');
    json_put_text(&out, "topic", w->topic);
    json_put_text(&out, "type", type);
    json_put_raw(&out, "data", data);
    json_end(&out, '}');
    BUF_LITERAL(&out, "\n");
    terminal_write(stdout, &out);
    buf_fini(&out);
}

/* Waits while the spool is full, so that the watcher reports what the files have become by then
 * instead of every step in between. */
static void publish_event(struct watch *w, const char *type, const char *data, size_t len)
{
    const struct fan_client_event event = {.topic = w->topic, .type = type, .data = data};
    int error;
    while ((error = fan_client_publish_event(w->client, &event)) == FAN_E_LIMIT &&
           !atomic_load(&w->ending))
        fan_client_wait_room(w->client, len, 1000);
    if (error)
        command_error(&watch_command, "an event was dropped: %s", fan_error_text(error));
}

/* On the watcher's thread. */
static void on_event(void *arg, const char *type, const char *data, size_t len)
{
    struct watch *w = arg;
    if (w->json)
        print_event(w, type, slice_of(data, len));
    if (w->client)
        publish_event(w, type, data, len);
}

static bool last_checkpoint_is(struct slice status, const char *checkpoint_id)
{
    struct json_value state, last, id;
    if (json_parse(status, &state, NULL) || state.kind != JSON_OBJECT ||
        !json_find(state, SLICE("last_checkpoint"), &last))
        return false;
    if (last.kind == JSON_OBJECT &&
        (json_find(last, SLICE("checkpoint_id"), &id) || json_find(last, SLICE("id"), &id)))
        last = id;
    return json_string_is(last, checkpoint_id);
}

/* Asks the server once, at start. When it cannot be asked the checkpoint is published: better
 * twice than never. */
static bool has_checkpoint(void *arg, const char *checkpoint_id)
{
    struct watch *w = arg;
    struct buf target = {0}, why = {0};
    struct response response;
    struct exchange e = {
        .target = &w->remote.target, .deadline = clock_ms() + STATUS_MS, .why = &why};
    response_init(&response);
    BUF_LITERAL(&target, "/api/build/status/");
    http_percent_encode(w->session, &target);
    int error = exchange_request(&e, "GET", buf_slice(&target), w->remote.token, (struct slice){0},
                                 &response);
    bool known = !error && response.status == 200 &&
                 last_checkpoint_is(buf_slice(&response.body), checkpoint_id);
    response_fini(&response);
    buf_fini(&target);
    buf_fini(&why);
    return known;
}

/* Waits for Ctrl-C, and with --json also for the reader's end: who started this command as the
 * source of its events may have died. */
static void wait_for_end(const struct watch *w)
{
    char byte[128];
    struct pollfd ends[2] = {{.fd = w->interrupt, .events = POLLIN},
                             {.fd = w->json ? STDOUT_FILENO : -1}};
    while (poll(ends, 2, -1) < 0)
        ;
    ssize_t n = read(w->interrupt, byte, sizeof byte);
    (void)n; /* the signal, if any, is taken; which one does not matter */
}

static int watch_until_end(struct watch *w, const struct arguments *a)
{
    struct fan_watcher *watcher;
    struct fan_watcher_error problem;
    struct fan_watcher_options options = {
        .path = a->rest[0],
        .directory = arguments_get(a, "directory"),
        .arg = w,
        .event = on_event,
        .has_checkpoint = w->client ? has_checkpoint : NULL,
        .force_polling = arguments_has(a, "poll"),
    };
    if (fan_watcher_new(&options, &watcher, &problem))
        return command_error(&watch_command, "%s", problem.message);
    fprintf(stderr, "watching %s for %s%s%s\n", a->rest[0], w->topic, w->client ? " on " : "",
            w->client ? w->remote.url : "");
    wait_for_end(w);
    atomic_store(&w->ending, true);
    fan_watcher_free(watcher);
    if (w->client && fan_client_flush(w->client, STATUS_MS))
        return command_error(&watch_command, "some events did not reach the server");
    return DONE;
}

static int connect_client(struct watch *w)
{
    char why[256];
    struct fan_client_options options = {
        .url = w->remote.url,
        .token = w->remote.token,
        .ca_file = w->remote.ca_file,
        .source = "watch",
        .on_problem = on_problem,
        .arg = w,
    };
    if (fan_client_new(&options, &w->client, why, sizeof why))
        return command_error(&watch_command, "%s", why);
    return 0;
}

static int watch(const struct arguments *a, struct buf *topic)
{
    struct watch w = {.topic = buf_text(topic),
                      .session = slice_skip(buf_slice(topic), 8),
                      .json = arguments_has(a, "json")};
    bool publish = !arguments_has(a, "no-publish");
    if (!publish && !w.json)
        return usage_error(&watch_command, "--no-publish: expected --json with it; nothing else "
                                           "would be done with the events");
    int code = remote_init(&w.remote, a, -1);
    if (code)
        return code;
    w.interrupt = interrupt_open();
    code = publish ? connect_client(&w) : 0;
    if (code)
        return code;
    code = watch_until_end(&w, a);
    fan_client_free(w.client);
    return code;
}

static int watch_project(const struct arguments *a)
{
    struct buf topic = {0};
    const char *session = arguments_get(a, "session");
    if (session && !http_identifier_valid(slice_from(session)))
        return usage_error(&watch_command,
                           "--session: expected 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -");
    BUF_LITERAL(&topic, "session:");
    if (session)
        buf_append_text(&topic, session);
    else
        config_session_of_directory(a->rest[0], &topic);
    int code = watch(a, &topic);
    buf_fini(&topic);
    return code;
}

static int run(int argc, char **argv)
{
    struct arguments a;
    int code = arguments_init(&a, &watch_command, argc, argv);
    if (!code && a.rest_count != 1)
        code = usage_error(&watch_command, "expected the PATH of one project");
    else if (!code && arguments_has(&a, "list"))
        code = list(&a);
    else if (!code && arguments_has(&a, "latest"))
        code = latest(&a);
    else if (!code)
        code = watch_project(&a);
    arguments_fini(&a);
    return code;
}

const struct command watch_command = {
    .name = "watch",
    .summary = "publish what a build tool writes in a project",
    .synopsis = (const char *const[]){"[OPTIONS] PATH", "PATH --json --no-publish",
                                      "PATH --list|--latest [--json]", NULL},
    .description =
        (const char *const[]){
            "Watches `.buildrunner/checkpoints`, `context` and `artifacts` in the project and "
            "publishes what changes there to a session of a server, until Ctrl-C. Directories that "
            "are missing are waited for. `fanfare serve --watch` does the same inside the server.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            {"session", "ID", "FANFARE_SESSION", "The session. [the directory's name]"},
            {"directory", "NAME", NULL, "The directory in the project. [.buildrunner]"},
            {"poll", NULL, NULL,
             "Look at intervals, for file systems that do not report changes (network)."},
            {"list", NULL, NULL, "Only list the checkpoint and context files, newest first."},
            {"latest", NULL, NULL, "Only print the path of the newest checkpoint."},
            {"json", NULL, NULL,
             "Print each event, too, a line of JSON as `fanfare pub -` takes it; ends when the "
             "reader has gone. With --list and --latest: print those as JSON."},
            {"no-publish", NULL, NULL, "With --json: only print the events, and need no server."},
            REMOTE_OPTIONS,
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare watch . --session web", "Publish this project's checkpoints"},
            {"fanfare watch . --json --no-publish | jq -c 'select(.type == \"error\")'",
             "Have a program of your own do something with the events"},
            {"fanfare checkpoint \"$(fanfare watch . --latest)\" --summary",
             "How far is the newest one?"},
            {0},
        },
    .run = run,
};
