/* `fanfare pub`: publishes one event over HTTP, or a stream of them (see pub_stream.c). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/pub_stream.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "cli/topic_argument.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "fanfare/error.h"

#define MAX_DATA  ((size_t)64 * 1024 * 1024)
#define ANSWER_MS 10000

static int read_stdin(struct buf *text)
{
    for (;;) {
        char *room = buf_reserve(text, 65536);
        ssize_t n = room ? read(STDIN_FILENO, room, 65536) : -1;
        if (n == 0)
            return 0;
        if (n < 0 || text->len > MAX_DATA)
            return command_error(&pub_command, "stdin: %s",
                                 n < 0 ? "cannot be read" : "more than 64 MiB");
        buf_commit(text, (size_t)n);
    }
}

static int check_data(struct slice text)
{
    struct json_value value;
    struct json_error problem;
    unsigned line, column;
    if (json_parse(text, &value, &problem)) {
        json_locate(text, problem.at, &line, &column);
        return command_error(&pub_command, "the data is not JSON: %s (line %u, column %u)",
                             problem.message, line, column);
    }
    if (value.kind != JSON_OBJECT)
        return command_error(&pub_command, "the data must be a JSON object, it is %s",
                             json_kind_name(value.kind));
    return 0;
}

/* ,"name":"text" where the option is given. */
static int append_text(struct buf *body, const struct arguments *a, const char *name)
{
    const char *text = arguments_get(a, name);
    if (text && !utf8_valid(slice_from(text)))
        return usage_error(&pub_command, "--%s: expected text in UTF-8", name);
    if (text) {
        buf_printf(body, ",\"%s\":", name);
        json_append_string(body, slice_from(text));
    }
    return 0;
}

static int append_event(struct buf *body, const struct arguments *a, struct slice data)
{
    static const char *const texts[] = {"id", "key", "source", "time"};
    if (!utf8_valid(slice_from(a->rest[0])) || !utf8_valid(slice_from(a->rest[1])))
        return usage_error(&pub_command, "topic and type must be text in UTF-8");
    BUF_LITERAL(body, "{\"topic\":");
    json_append_string(body, slice_from(a->rest[0]));
    BUF_LITERAL(body, ",\"type\":");
    json_append_string(body, slice_from(a->rest[1]));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (append_text(body, a, texts[i]))
            return WRONG_USAGE;
    if (arguments_has(a, "ephemeral"))
        BUF_LITERAL(body, ",\"ephemeral\":true");
    BUF_LITERAL(body, ",\"data\":");
    buf_append_slice(body, data);
    BUF_LITERAL(body, "}");
    return body->failed ? command_error(&pub_command, "out of memory") : 0;
}

/* The answer for people: "session:abc: offset 41". */
static void append_place(struct buf *out, struct slice answer, const char *topic)
{
    struct json_value object, offset;
    terminal_append_plain(out, slice_from(topic));
    bool has_offset = json_parse(answer, &object, NULL) == 0 && object.kind == JSON_OBJECT &&
                      json_find(object, SLICE("offset"), &offset) && offset.kind == JSON_NUMBER;
    if (has_offset)
        buf_printf(out, ": offset %.*s\n", SLICE_ARG(offset.text));
    else
        BUF_LITERAL(out, ": delivered, not kept\n");
}

static int report_answer(const struct arguments *a, const struct response *response)
{
    struct buf out = {0};
    int code = DONE;
    bool json = arguments_has(a, "json");
    if (response->status != 200) {
        response_append_error(&out, response);
        code = command_error(&pub_command, "refused (%d): %s", response->status, buf_text(&out));
    } else if (json) {
        buf_append_slice(&out, buf_slice(&response->body));
        if (out.len == 0 || out.data[out.len - 1] != '\n')
            BUF_LITERAL(&out, "\n");
    } else {
        append_place(&out, buf_slice(&response->body), a->rest[0]);
    }
    if (code == DONE && !terminal_write(stdout, &out))
        code = FAILED;
    buf_fini(&out);
    return code;
}

static int publish_one(const struct arguments *a, int timeout_ms)
{
    struct remote remote;
    struct buf data = {0}, body = {0};
    struct response response;
    response_init(&response);
    int code = remote_init(&remote, a, -1);
    if (!code && a->rest_count == 2)
        BUF_LITERAL(&data, "{}");
    else if (!code && strcmp(a->rest[2], "-") == 0)
        code = read_stdin(&data);
    else if (!code)
        buf_append_text(&data, a->rest[2]);
    if (!code)
        code = check_data(buf_slice(&data));
    if (!code)
        code = append_event(&body, a, buf_slice(&data));
    if (!code)
        code = remote_request(&remote, &pub_command, "POST", SLICE("/api/v1/publish"),
                              buf_slice(&body), timeout_ms, &response);
    if (!code)
        code = report_answer(a, &response);
    response_fini(&response);
    buf_fini(&data);
    buf_fini(&body);
    return code;
}

static int run_parsed(const struct arguments *a)
{
    bool stream = a->rest_count == 1 && strcmp(a->rest[0], "-") == 0;
    const char *timeout = arguments_get(a, "timeout");
    int timeout_ms = stream ? 60000 : ANSWER_MS;
    if (timeout && !arguments_time(timeout, &timeout_ms))
        return usage_error(&pub_command, "--timeout: expected a time such as 30s, got \"%s\"",
                           timeout);
    if (stream)
        return pub_stream(a, timeout_ms);
    if (a->rest_count < 2 || a->rest_count > 3)
        return usage_error(&pub_command, "expected TOPIC TYPE [JSON], or - for events from stdin");
    int code = topic_argument_check(&pub_command, a->rest[0]);
    return code ? code : publish_one(a, timeout_ms);
}

static int run(int argc, char **argv)
{
    struct arguments a;
    int code = arguments_init(&a, &pub_command, argc, argv);
    if (!code)
        code = run_parsed(&a);
    arguments_fini(&a);
    return code;
}

const struct command pub_command = {
    .name = "pub",
    .summary = "publish events to a server",
    .synopsis = (const char *const[]){"[OPTIONS] TOPIC TYPE [JSON|-]", "[OPTIONS] -", NULL},
    .description =
        (const char *const[]){
            "Publishes one event, whose data is a JSON object (`-`: read from stdin), and prints "
            "the offset that it got.",
            "With `-` alone, reads events from stdin, one JSON object with topic, type and data on "
            "each line, and publishes them as they come, over one WebSocket. When the connection "
            "breaks, what was not acknowledged is sent again, and published once. Lines that are "
            "refused are named on stderr; the exit code is 1 when there was any.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            REMOTE_OPTIONS,
            {"id", "ID", NULL, "The event's id: the same id is published once within 10 minutes."},
            {"key", "KEY", NULL,
             "What it is the newest state of, for readers that want only that."},
            {"source", "NAME", NULL, "Where it comes from."},
            {"time", "TIME", NULL, "When it happened, RFC 3339. [now]"},
            {"ephemeral", NULL, NULL, "Deliver it, but do not keep it."},
            {"timeout", "TIME", NULL,
             "Give up after this time without an answer; 0: never. [10s, for a stream 60s]"},
            {"json", NULL, NULL, "Print JSON."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare pub session:web build_progress '{\"total\":10,\"completed\":3}'",
             "Publish one event"},
            {"date +'{\"now\":\"%T\"}' | fanfare pub session:web tick -", "Data from stdin"},
            {"tail -f events.ndjson | fanfare pub -",
             "A stream of events: {\"topic\":\"session:web\",\"type\":\"tick\",\"data\":{}}"},
            {0},
        },
    .run = run,
};
