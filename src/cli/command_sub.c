/* `fanfare sub`: shows the events of topics as they happen. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/event_text.h"
#include "cli/interrupt.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "cli/topic_argument.h"
#include "client/subscribe.h"
#include "codec/json.h"
#include "fanfare/error.h"

enum { ENOUGH = 1, READER_GONE = 2 };

struct sub {
    const struct remote *remote;
    bool json, colours;
    unsigned long left; /* events to show; 0: no limit */
    bool interrupted;   /* the connection broke, and was not made again yet */
};

static int on_event(void *arg, struct slice json, struct slice cursor)
{
    struct sub *s = arg;
    struct json_value event;
    struct buf out = {0};
    (void)cursor;
    bool object = json_parse(json, &event, NULL) == 0 && event.kind == JSON_OBJECT;
    bool notice = object && event_is_notice(event);
    if (s->json || !object)
        buf_printf(&out, "%.*s\n", SLICE_ARG(json));
    else if (notice)
        event_append_notice(&out, s->colours, event);
    else
        event_append_text(&out, s->colours, event);
    bool written = terminal_write(notice && !s->json ? stderr : stdout, &out);
    buf_fini(&out);
    if (!written)
        return READER_GONE;
    if (s->left && !notice && --s->left == 0)
        return ENOUGH;
    return 0;
}

static void on_state(void *arg, struct slice why, uint32_t retry_ms)
{
    struct sub *s = arg;
    struct buf reason = {0};
    if (why.len) {
        remote_append_reason(&reason, s->remote, why);
        command_error(&sub_command, "%s; trying again in %.1f s", buf_text(&reason),
                      retry_ms / 1000.0);
        buf_fini(&reason);
    } else if (s->interrupted) {
        command_error(&sub_command, "connected again");
    }
    s->interrupted = why.len > 0;
}

/* ---- The command ---- */

static int read_count(const struct arguments *a, unsigned long *count)
{
    const char *text = arguments_get(a, "count");
    char *end;
    *count = 0;
    if (!text)
        return 0;
    *count = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || *count == 0)
        return usage_error(&sub_command, "--count: expected a number above 0, got \"%s\"", text);
    return 0;
}

/* Why it ended: the server refused, or, with --no-retry, could not be reached. */
static int report_end(const struct remote *remote, int error, struct buf *why)
{
    struct buf reason = {0};
    bool refused = error == FAN_E_DENIED || error == FAN_E_INVALID;
    if (why->len == 0)
        buf_append_text(why, fan_error_text(error));
    if (refused)
        buf_printf(&reason, "%s: %s", remote->url, buf_text(why));
    else
        remote_append_reason(&reason, remote, buf_slice(why));
    command_error(&sub_command, "%s", buf_text(&reason));
    buf_fini(&reason);
    return FAILED;
}

static int follow(const struct arguments *a, const struct remote *remote, struct sub *s)
{
    struct buf why = {0};
    struct subscription subscription = {
        .url = remote->target.url,
        .token = remote->token,
        .ca_file = remote->ca_file,
        .topics = a->rest,
        .topic_count = (size_t)a->rest_count,
        .types = arguments_get(a, "types"),
        .since = arguments_get(a, "since"),
        .wake = remote->target.wake,
        .once = arguments_has(a, "no-retry"),
        .on_event = on_event,
        .on_state = on_state,
        .arg = s,
    };
    int result = subscription_run(&subscription, &why);
    int code = DONE;
    if (result == READER_GONE || (result == FAN_E_CLOSED && interrupt_reader_is_gone()))
        code = FAILED;
    else if (result < 0 && result != FAN_E_CLOSED)
        code = report_end(remote, result, &why);
    buf_fini(&why);
    return code;
}

static int run(int argc, char **argv)
{
    struct arguments a;
    struct remote remote;
    struct sub s = {0};
    int code = arguments_init(&a, &sub_command, argc, argv);
    if (!code && a.rest_count == 0)
        code = usage_error(&sub_command, "expected a TOPIC, for instance session:web");
    for (int i = 0; !code && i < a.rest_count; i++)
        code = topic_argument_check(&sub_command, a.rest[i]);
    if (!code)
        code = read_count(&a, &s.left);
    if (!code)
        code = remote_init(&remote, &a, interrupt_open_reader());
    if (!code) {
        s.remote = &remote;
        s.json = arguments_has(&a, "json");
        s.colours = terminal_has_colours(stdout);
        code = follow(&a, &remote, &s);
    }
    arguments_fini(&a);
    return code;
}

const struct command sub_command = {
    .name = "sub",
    .summary = "show the events of topics as they happen",
    .synopsis = (const char *const[]){"[OPTIONS] TOPIC…", NULL},
    .description =
        (const char *const[]){
            "Runs until Ctrl-C. When the connection breaks it is made again, with growing pauses, "
            "and continues where it was: nothing is missing and nothing comes twice. When history "
            "no longer reaches back that far, that is said on stderr.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            REMOTE_OPTIONS,
            {"since", "CURSOR", NULL, "Begin behind this position; 0: from the beginning. [now]"},
            {"types", "TYPE,…", NULL, "Show only events of these types."},
            {"count", "N", NULL, "End after this many events."},
            {"no-retry", NULL, NULL, "End when the first connection cannot be made."},
            {"json", NULL, NULL, "Print each event as one line of JSON."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare sub session:web", "Follow a session"},
            {"fanfare sub --since 0 --json session:web project:app | jq .type",
             "All of two topics since the beginning, for programs"},
            {"fanfare sub --count 1 --types run_finished session:web", "Wait for one event"},
            {0},
        },
    .run = run,
};
