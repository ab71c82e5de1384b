/* `fanfare top`: what a server is doing, live on a terminal or as snapshots. */
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/interrupt.h"
#include "cli/screen.h"
#include "cli/terminal.h"
#include "cli/top_fetch.h"
#include "cli/top_live.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"

#define INTERVAL_MS     1000
#define INTERVAL_MIN_MS 100

struct top {
    struct remote remote;
    struct top_view view;
    int interval_ms;
    bool json, stream;
};

/* ---- Snapshots ---- */

static void append_json(struct buf *out, const struct top *t, const struct top_sample *now,
                        const struct top_rates *rates)
{
    size_t count;
    const struct top_topic **topics = top_view_select(&t->view, now, &count);
    top_append_json(out, now, rates, t->remote.url, topics, count);
    memory_free(topics);
}

static bool print_sample(struct top *t, const struct top_sample *before,
                         const struct top_sample *now)
{
    struct buf out = {0};
    struct top_rates rates = top_rates_between(before, now);
    if (t->json)
        append_json(&out, t, now, &rates);
    else
        top_view_append(&out, &t->view, now, &rates, "");
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    return written;
}

/* Waits for the next look; false: interrupted. */
static bool pause_before_next(const struct top *t)
{
    struct pollfd end = {.fd = t->remote.target.wake, .events = POLLIN};
    return poll(&end, 1, t->interval_ms) == 0;
}

/* One snapshot. Rates need two looks. */
static int print_once(struct top *t, struct top_sample *first)
{
    struct top_sample second = {0};
    struct buf why = {0};
    int code = DONE, error = FAN_E_CLOSED;
    if (pause_before_next(t))
        error = top_fetch(&t->remote, &second, &why);
    if (!error)
        code = print_sample(t, first, &second) ? DONE : FAILED;
    else if (error != FAN_E_CLOSED)
        code = command_error(&top_command, "%s", buf_text(&why));
    top_sample_fini(&second);
    buf_fini(&why);
    return code;
}

/* A line that says why there is no sample just now. */
static bool print_problem(const struct top *t, struct buf *why)
{
    struct buf out = {0};
    json_begin(&out, NULL, '{');
    json_put_time(&out, "time", clock_wall_ms());
    json_put_text(&out, "url", t->remote.url);
    json_put_name(&out, "error");
    json_append_lossy(&out, buf_slice(why));
    json_end(&out, '}');
    BUF_LITERAL(&out, "\n");
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    return written;
}

/* Snapshots until Ctrl-C. `before` is taken over. */
static int print_stream(struct top *t, struct top_sample *before)
{
    bool written = print_sample(t, NULL, before), interrupted = false;
    while (written && !interrupted && pause_before_next(t)) {
        struct top_sample now;
        struct buf why = {0};
        int error = top_fetch(&t->remote, &now, &why);
        interrupted = error == FAN_E_CLOSED;
        if (!error) {
            written = print_sample(t, before, &now);
            top_sample_fini(before);
            *before = now;
        } else {
            written = interrupted || print_problem(t, &why);
            top_sample_fini(&now);
        }
        buf_fini(&why);
    }
    return written ? DONE : FAILED;
}

static int print_snapshots(struct top *t, struct top_sample *first)
{
    t->remote.target.wake = interrupt_open();
    t->view.rows = t->view.columns = 0;
    return t->stream ? print_stream(t, first) : print_once(t, first);
}

/* ---- The command ---- */

static int read_options(struct top *t, const struct arguments *a)
{
    const char *interval = arguments_get(a, "interval"), *sort = arguments_get(a, "sort");
    const char *filter = arguments_get(a, "filter");
    t->interval_ms = INTERVAL_MS;
    if (a->rest_count)
        return usage_error(&top_command, "unexpected argument \"%s\"; for one topic: --filter %s",
                           a->rest[0], a->rest[0]);
    if (interval &&
        (!arguments_time(interval, &t->interval_ms) || t->interval_ms < INTERVAL_MIN_MS))
        return usage_error(&top_command,
                           "--interval: expected a time of 100ms or more such as 2s, got \"%s\"",
                           interval);
    if (sort && !top_sort_parse(sort, &t->view.sort))
        return usage_error(&top_command,
                           "--sort: expected rate, subscribers, offset or topic, got \"%s\"", sort);
    if (filter && strlen(filter) > TOP_FILTER_MAX)
        return usage_error(&top_command, "--filter: expected at most %d characters",
                           TOP_FILTER_MAX);
    if (filter)
        snprintf(t->view.filter, sizeof t->view.filter, "%s", filter);
    t->json = arguments_has(a, "json");
    t->stream = t->json && interval && !arguments_has(a, "once");
    return remote_init(&t->remote, a, -1);
}

static int top(struct top *t, bool live)
{
    struct top_sample first = {0};
    struct buf why = {0};
    int code = DONE;
    t->view.url = t->remote.url;
    t->view.help = true;
    t->view.colours = terminal_has_colours(stdout);
    if (top_fetch(&t->remote, &first, &why) != 0)
        code = command_error(&top_command, "%s", buf_text(&why));
    else if (live)
        code = top_live(&t->remote, &t->view, &first, t->interval_ms);
    else
        code = print_snapshots(t, &first);
    top_sample_fini(&first);
    buf_fini(&why);
    return code;
}

static int run(int argc, char **argv)
{
    struct arguments a;
    struct top t = {0};
    int code = arguments_init(&a, &top_command, argc, argv);
    if (!code)
        code = read_options(&t, &a);
    if (!code)
        code = top(&t, screen_possible() && !t.json && !arguments_has(&a, "once"));
    arguments_fini(&a);
    return code;
}

const struct command top_command = {
    .name = "top",
    .summary = "what a server is doing, live",
    .synopsis = (const char *const[]){"[OPTIONS]", NULL},
    .description =
        (const char *const[]){
            "On a terminal: its topics with subscribers, rates and offsets, and the server's "
            "connections, events, deliveries and memory, drawn anew every second. Keys: q quits; "
            "e, u, o, t sort by events/s, subscribers, offset, topic; r reverses; / filters; "
            "space pauses. When the server goes away it says so and waits until it is back.",
            "When stdout is no terminal, or with `--once` or `--json`, it prints one snapshot; its "
            "rates are those of one interval. `--json --interval TIME` prints snapshots until "
            "Ctrl-C, each on one line.",
            "The server's own figures need `/metrics`, which it shows to its own machine only, "
            "unless `metrics.public` is set.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            REMOTE_OPTIONS,
            {"interval", "TIME", NULL, "The time between two looks, 100ms at least. [1s]"},
            {"sort", "rate|subscribers|offset|topic", NULL, "What topics are sorted by. [rate]"},
            {"filter", "TEXT", NULL, "Only topics whose name contains this; case is ignored."},
            {"once", NULL, NULL, "Print one snapshot."},
            {"json", NULL, NULL, "Print JSON."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare top", "Watch the server on this machine"},
            {"fanfare top --once --filter session:", "The sessions, once"},
            {"fanfare top --json --interval 5s | jq .totals.events_per_second",
             "A figure every five seconds, for programs"},
            {0},
        },
    .run = run,
};
