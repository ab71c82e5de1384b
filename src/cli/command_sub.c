/* `fanfare sub`: shows the events of topics as they happen. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "client/subscribe.h"
#include "codec/json.h"
#include "fanfare/error.h"

enum { ENOUGH = 1, READER_GONE = 2 };

struct sub {
    bool json, colours;
    unsigned long left; /* events to show; 0: no limit */
    bool interrupted;   /* the connection broke, and was not made again yet */
};

/* ---- One event for people: time, topic, offset, type, data ---- */

static struct slice text_member(struct json_value event, struct slice name)
{
    struct json_value value;
    struct slice text = SLICE("");
    if (!json_find(event, name, &value) || value.kind == JSON_NULL)
        return text;
    if (value.kind != JSON_STRING)
        return value.text;
    return json_string_plain(value, &text) ? text : value.text;
}

static void append_part(struct buf *out, const struct sub *s, enum style style, struct slice text)
{
    if (text.len == 0)
        return;
    terminal_append(out, s->colours, style, text);
    BUF_LITERAL(out, " ");
}

static void append_event(struct buf *out, const struct sub *s, struct json_value event)
{
    struct slice time = text_member(event, SLICE("time"));
    struct slice offset = text_member(event, SLICE("offset"));
    struct slice type = text_member(event, SLICE("type"));
    bool bad = slice_is(type, "error");
    if (time.len == 24) /* the time of day is enough for people */
        time = slice_of(time.ptr + 11, 12);
    append_part(out, s, STYLE_DIM, time);
    append_part(out, s, STYLE_CYAN, text_member(event, SLICE("topic")));
    if (offset.len) {
        struct buf number = {0};
        buf_printf(&number, "#%.*s", SLICE_ARG(offset));
        append_part(out, s, STYLE_DIM, buf_slice(&number));
        buf_fini(&number);
    }
    append_part(out, s, bad ? STYLE_RED : STYLE_BOLD, type);
    terminal_append_plain(out, text_member(event, SLICE("data")));
    BUF_LITERAL(out, "\n");
}

/* Not an event, which has data, but word of the stream itself: history no longer reaches back, or
 * the token has expired. */
static bool is_notice(struct json_value event)
{
    struct json_value data;
    return !json_find(event, SLICE("data"), &data);
}

static void show_notice(const struct sub *s, struct json_value event)
{
    struct buf out = {0};
    terminal_append(&out, s->colours, STYLE_YELLOW, text_member(event, SLICE("type")));
    BUF_LITERAL(&out, " ");
    terminal_append_plain(&out, event.text);
    BUF_LITERAL(&out, "\n");
    terminal_write(stderr, &out);
    buf_fini(&out);
}

static int on_event(void *arg, struct slice json, struct slice cursor)
{
    struct sub *s = arg;
    struct json_value event;
    struct buf out = {0};
    (void)cursor;
    bool object = json_parse(json, &event, NULL) == 0 && event.kind == JSON_OBJECT;
    bool notice = object && is_notice(event);
    if (s->json || !object)
        buf_printf(&out, "%.*s\n", SLICE_ARG(json));
    else if (notice)
        show_notice(s, event);
    else
        append_event(&out, s, event);
    bool written = terminal_write(stdout, &out);
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
    if (why.len)
        command_error(&sub_command, "no connection: %.*s; trying again in %.1f s", SLICE_ARG(why),
                      retry_ms / 1000.0);
    else if (s->interrupted)
        command_error(&sub_command, "connected again");
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
    if (result == READER_GONE)
        code = FAILED;
    else if (result < 0 && result != FAN_E_CLOSED)
        code = command_error(&sub_command, "%s: %s", remote->url,
                             why.len ? buf_text(&why) : fan_error_text(result));
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
    if (!code)
        code = read_count(&a, &s.left);
    if (!code)
        code = remote_init(&remote, &a, interrupt_open());
    if (!code) {
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
