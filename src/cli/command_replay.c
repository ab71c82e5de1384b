/* `fanfare replay`: plays again what history or a recording holds. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/event_text.h"
#include "cli/interrupt.h"
#include "cli/replay_pace.h"
#include "cli/replay_sink.h"
#include "cli/replay_source.h"
#include "cli/topic_argument.h"
#include "codec/utf8.h"

struct replay {
    struct remote remote;
    const char *topic; /* NULL: all that are in the file */
    const char *from;  /* a file, "-" for stdin; NULL: the server's history */
    const char *to;    /* NULL: print */
    bool json;
    struct replay_pace pace;
    struct replay_history history;
    struct replay_file file;
    struct replay_printer printer;
    struct replay_publisher publisher;
};

/* ---- Playing ---- */

/* Waits until ms after begun_ms. 0 or REPLAY_INTERRUPTED. */
static int wait_until(const struct replay *r, uint64_t begun_ms, double ms)
{
    struct pollfd wake = {.fd = r->remote.target.wake, .events = POLLIN};
    uint64_t due = begun_ms + (uint64_t)ms, now;
    do {
        now = clock_ms();
        uint64_t left = due > now ? due - now : 0;
        if (poll(&wake, 1, left < 3600000 ? (int)left : 3600000) > 0)
            return REPLAY_INTERRUPTED;
    } while (clock_ms() < due);
    return 0;
}

/* When it happened; what says no time follows at once. */
static double due_of(struct replay *r, struct json_value event)
{
    int64_t time_ms;
    if (clock_parse(event_member(event, SLICE("time")), &time_ms) != 0)
        return r->pace.due_ms;
    return replay_pace_next(&r->pace, time_ms);
}

static int next_event(struct replay *r, struct json_value *event)
{
    int code;
    do
        code =
            r->from ? replay_file_next(&r->file, event) : replay_history_next(&r->history, event);
    while (!code && r->from && r->topic &&
           !slice_is(event_member(*event, SLICE("topic")), r->topic));
    return code;
}

static int play(struct replay *r)
{
    struct json_value event;
    uint64_t begun_ms = clock_ms();
    int code;
    while ((code = next_event(r, &event)) == 0) {
        code = wait_until(r, begun_ms, due_of(r, event));
        if (!code)
            code = r->to ? replay_publish(&r->publisher, event) : replay_print(&r->printer, event);
        if (code)
            break;
    }
    return code == REPLAY_END || code == REPLAY_INTERRUPTED ? DONE : code;
}

static int play_to_topic(struct replay *r)
{
    int code = replay_publisher_init(&r->publisher, &r->remote, r->to);
    if (code)
        return code;
    code = play(r);
    int end = replay_publisher_end(&r->publisher, r->json);
    replay_publisher_fini(&r->publisher);
    return code ? code : end;
}

static int play_to_stdout(struct replay *r)
{
    replay_printer_init(&r->printer, r->json);
    int code = play(r);
    replay_printer_fini(&r->printer);
    return code;
}

static int open_file(struct replay *r)
{
    bool standard = strcmp(r->from, "-") == 0;
    r->file.name = standard ? "stdin" : r->from;
    r->file.command = &replay_command;
    r->file.wake = r->remote.target.wake;
    r->file.fd = standard ? STDIN_FILENO : open(r->from, O_RDONLY | O_CLOEXEC);
    if (r->file.fd < 0)
        return command_error(&replay_command, "%s: %s", r->from, strerror(errno));
    return 0;
}

static int replay(struct replay *r)
{
    int code = r->from ? open_file(r) : 0;
    r->history.remote = &r->remote;
    r->history.topic = r->topic;
    if (!code)
        code = r->to ? play_to_topic(r) : play_to_stdout(r);
    if (r->from && r->file.fd > STDIN_FILENO)
        close(r->file.fd);
    replay_file_fini(&r->file);
    replay_history_fini(&r->history);
    return code;
}

/* ---- The command ---- */

static int read_pace(struct replay *r, const struct arguments *a)
{
    const char *speed = arguments_get(a, "speed"), *idle = arguments_get(a, "max-idle");
    int max_idle_ms = -1;
    r->pace.speed = 1;
    if (speed && !replay_speed_parse(speed, &r->pace.speed))
        return usage_error(&replay_command,
                           "--speed: expected how many times as fast, such as 2 or 0.5 (0.001 to "
                           "1000000), or max, got \"%s\"",
                           speed);
    if (idle && !arguments_time(idle, &max_idle_ms))
        return usage_error(&replay_command, "--max-idle: expected a time such as 2s, got \"%s\"",
                           idle);
    r->pace.max_idle_ms = max_idle_ms;
    return 0;
}

/* An offset, as `fanfare sub` shows it, or a cursor. */
static int read_since(struct replay *r, const struct arguments *a)
{
    const char *since = arguments_get(a, "since");
    if (!since)
        return 0;
    if (r->from)
        return usage_error(&replay_command, "--since is for a server's history, not for --from");
    if (!*since)
        return usage_error(&replay_command, "--since: expected an offset or a cursor");
    if (strspn(since, "0123456789") != strlen(since))
        r->history.cursor = since;
    else if (strlen(since) > 15)
        return usage_error(&replay_command, "--since: no offset is as large as %s", since);
    else
        for (const char *c = since; *c; c++)
            r->history.since = r->history.since * 10 + (uint64_t)(*c - '0');
    return 0;
}

static int read_options(struct replay *r, const struct arguments *a)
{
    r->topic = a->rest_count ? a->rest[0] : NULL;
    r->from = arguments_get(a, "from");
    r->to = arguments_get(a, "to");
    r->json = arguments_has(a, "json");
    if (a->rest_count > 1)
        return usage_error(&replay_command, "expected one TOPIC, got \"%s\" too", a->rest[1]);
    if (!r->topic && !r->from)
        return usage_error(&replay_command, "expected a TOPIC, for instance session:web, or --from "
                                            "FILE");
    if (r->to && r->topic && !r->from && strcmp(r->to, r->topic) == 0)
        return usage_error(&replay_command,
                           "--to: expected another topic than the one that is played");
    if (r->to && !utf8_valid(slice_from(r->to)))
        return usage_error(&replay_command, "--to: expected text in UTF-8");
    int code = read_pace(r, a);
    if (!code)
        code = read_since(r, a);
    if (!code && r->topic)
        code = topic_argument_check(&replay_command, r->topic);
    if (!code && r->to)
        code = topic_argument_check(&replay_command, r->to);
    return code ? code : remote_init(&r->remote, a, -1);
}

static int run(int argc, char **argv)
{
    struct arguments a;
    struct replay r = {0};
    int code = arguments_init(&a, &replay_command, argc, argv);
    if (!code)
        code = read_options(&r, &a);
    if (!code) {
        r.remote.target.wake = interrupt_open_reader();
        code = replay(&r);
    }
    arguments_fini(&a);
    return code;
}

const struct command replay_command = {
    .name = "replay",
    .summary = "play again what history or a recording holds",
    .synopsis = (const char *const[]){"[OPTIONS] TOPIC", "[OPTIONS] --from FILE|- [TOPIC]", NULL},
    .description =
        (const char *const[]){
            "Prints the events that the server keeps of a topic as `fanfare sub` does, with the "
            "pauses that were between them. On a terminal the output of terminals is written as it "
            "is, as if one sat there. It ends with the newest event there was at the beginning.",
            "With `--to` it publishes the events anew to another topic, so that the web page or "
            "any other reader can follow them there; they get ids and times of their own.",
            "`--from` reads a recording: one event as JSON on each line, as `fanfare sub --json` "
            "writes them; a TOPIC then chooses among those that are in it.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            {"speed", "N|max", NULL, "How many times as fast; max: without any pause. [1]"},
            {"max-idle", "TIME", NULL,
             "Make pauses of the recording no longer than this, before --speed counts."},
            {"since", "OFFSET|CURSOR", NULL, "Begin behind this event. [0, the beginning]"},
            {"to", "TOPIC", NULL, "Publish to this topic instead of printing."},
            {"from", "FILE", NULL, "Play a recording instead of the server's history; -: stdin."},
            {"json", NULL, NULL, "Print each event as one line of JSON."},
            REMOTE_OPTIONS,
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare replay --speed 4 --max-idle 2s session:web",
             "See a build again, four times as fast"},
            {"fanfare replay --to session:demo2 session:web", "Play it to the web page"},
            {"fanfare sub --json --since 0 session:web > build.ndjson", "Record"},
            {"fanfare replay --from build.ndjson --to session:again", "Play the recording"},
            {0},
        },
    .run = run,
};
