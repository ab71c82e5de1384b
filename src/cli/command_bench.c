/* `fanfare bench`: the main figures of this machine, with one command. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/bench_report.h"
#include "cli/terminal.h"
#include "config/suggest.h"

#define FILES_BESIDE   100 /* of the server, beside its connections */
#define DATA_MIN       100
#define DATA_MAX       60000
#define CONNECTION_MAX 50000
#define MESSAGES_MAX   10000000
#define RESULTS_MAX    16

struct bench {
    struct bench_options options;
    const char *wanted; /* names of scenarios, separated by commas; NULL: all */
    bool json, own_server, progress;
    struct remote remote;
    struct bench_cores cores;
    struct bench_setting setting;
    double others; /* what other programs had of the machine; below 0: not known */
    struct bench_result results[RESULTS_MAX];
    unsigned result_count;
};

/* ---- Running ---- */

static bool is_wanted(const struct bench *b, const char *name)
{
    struct slice rest = slice_from(b->wanted), one;
    if (!b->wanted)
        return true;
    while (slice_split(&rest, ',', &one))
        if (slice_is(slice_trim(one), name))
            return true;
    return false;
}

/* On a terminal: what goes on just now, on a line that vanishes. */
static void show_progress(const struct bench *b, const char *text)
{
    if (b->progress)
        fprintf(stderr, "\r\x1b[K%s%s", text, *text ? "…" : "");
}

/* Runs one scenario on a fresh server, or on the one that was named. */
static int run_on_server(struct bench *b, const struct bench_scenario *s, struct buf *why)
{
    struct bench_server server = {.remote = b->remote};
    int error = b->own_server ? bench_server_start(&server, b->cores, why) : 0;
    if (!error)
        error = bench_setting_find(&b->setting, &server, b->cores, why);
    if (!error)
        error = bench_scenario_run(s, &b->options, &server, &b->results[b->result_count], why);
    if (!error)
        b->result_count++;
    bench_server_stop(&server);
    return error;
}

/* Fewer connections than the scenario wants, when the system allows no more and nobody asked for a
 * number. */
static int limit_connections(struct bench *b, const struct bench_scenario *s,
                             struct bench_options *options)
{
    unsigned wanted = bench_scenario_connections(s, options);
    uint64_t files = bench_raise_files(wanted + FILES_BESIDE);
    if (files >= wanted + FILES_BESIDE)
        return 0;
    unsigned possible = files > FILES_BESIDE ? (unsigned)files - FILES_BESIDE : 0;
    if (b->options.connections || possible < 100)
        return command_error(&bench_command,
                             "%u connections need %u open files and the limit is %llu: raise it "
                             "(ulimit -n %u), or use --connections %u",
                             wanted, wanted + FILES_BESIDE, (unsigned long long)files,
                             wanted + FILES_BESIDE, possible);
    fprintf(stderr,
            "fanfare bench: %s with %u connections instead of %u: the limit of open files is %llu "
            "(ulimit -n)\n",
            s->name, possible, wanted, (unsigned long long)files);
    options->connections = possible;
    return 0;
}

static int run_scenario(struct bench *b, const struct bench_scenario *s)
{
    struct buf why = {0};
    struct bench_options all = b->options;
    int code = limit_connections(b, s, &b->options);
    show_progress(b, s->purpose);
    if (!code && run_on_server(b, s, &why) != 0) {
        show_progress(b, "");
        code = command_error(&bench_command, "%s: %s", s->name, buf_text(&why));
    }
    b->options = all;
    buf_fini(&why);
    return code;
}

static int report(const struct bench *b)
{
    struct buf out = {0};
    if (b->json) {
        bench_append_json(&out, &b->setting, &b->options, b->others, b->results, b->result_count);
    } else {
        bench_append_setting(&out, &b->setting);
        BUF_LITERAL(&out, "\n");
        bench_append_table(&out, b->results, b->result_count, terminal_has_colours(stdout));
        bench_append_others(&out, b->others);
    }
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    return written ? DONE : FAILED;
}

static int bench(struct bench *b)
{
    int code = DONE;
    b->cores = bench_cores_take();
    if (!b->own_server)
        b->cores.server = -1; /* where it runs is not ours to say */
    b->progress = isatty(STDERR_FILENO) && !b->json;
    struct bench_machine before = bench_machine_now();
    for (const struct bench_scenario *s = bench_scenarios; s->name && !code; s++)
        if (is_wanted(b, s->name))
            code = run_scenario(b, s);
    show_progress(b, "");
    b->others = b->own_server ? bench_machine_others(before, bench_machine_now()) : -1;
    if (b->result_count && report(b) != DONE)
        code = FAILED;
    return code;
}

/* ---- The command ---- */

static int read_number(const struct arguments *a, const char *option, uint64_t min, uint64_t max,
                       uint64_t *number)
{
    const char *text = arguments_get(a, option);
    char *end;
    if (!text)
        return 0;
    *number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || *number < min || *number > max)
        return usage_error(&bench_command,
                           "--%s: expected a whole number from %llu to %llu, got \"%s\"", option,
                           (unsigned long long)min, (unsigned long long)max, text);
    return 0;
}

static int check_scenario(struct slice name)
{
    struct suggestion s = {.wanted = name};
    for (const struct bench_scenario *b = bench_scenarios; b->name; b++) {
        if (slice_is(name, b->name))
            return 0;
        suggestion_offer(&s, b->name);
    }
    return usage_error(&bench_command, "--scenario: there is no \"%.*s\"%s%s%s", SLICE_ARG(name),
                       s.best ? "; did you mean \"" : "", s.best ? s.best : "",
                       s.best ? "\"?" : "");
}

static int read_options(struct bench *b, const struct arguments *a)
{
    uint64_t connections = 0, size = 200;
    b->options.quick = arguments_has(a, "quick");
    b->json = arguments_has(a, "json");
    b->wanted = arguments_get(a, "scenario");
    b->own_server = !arguments_get(a, "url");
    if (a->rest_count)
        return usage_error(&bench_command, "unexpected argument \"%s\"; for one part: --scenario",
                           a->rest[0]);
    struct slice rest = slice_from(b->wanted), one;
    while (b->wanted && slice_split(&rest, ',', &one))
        if (check_scenario(slice_trim(one)))
            return WRONG_USAGE;
    if (read_number(a, "connections", 1, CONNECTION_MAX, &connections) ||
        read_number(a, "messages", 1, MESSAGES_MAX, &b->options.messages) ||
        read_number(a, "size", DATA_MIN, DATA_MAX, &size))
        return WRONG_USAGE;
    b->options.connections = (unsigned)connections;
    b->options.size = (unsigned)size;
    int code = b->own_server ? 0 : remote_init(&b->remote, a, -1);
    if (!code && b->remote.target.url.tls)
        code = usage_error(&bench_command, "--url: expected http:// or unix:, the load has no TLS");
    return code;
}

static int run(int argc, char **argv)
{
    struct arguments a;
    struct bench b = {0};
    int code = arguments_init(&a, &bench_command, argc, argv);
    if (!code)
        code = read_options(&b, &a);
    if (!code)
        code = bench(&b);
    arguments_fini(&a);
    return code;
}

const struct command bench_command = {
    .name = "bench",
    .summary = "measure fan-out, latency and memory on this machine",
    .synopsis = (const char *const[]){"[OPTIONS]", NULL},
    .description =
        (const char *const[]){
            "Starts a server of its own for each scenario (engine memory, one worker, a free port) "
            "on one core, and puts load on it from another. Every delivery is checked: one that is "
            "lost, doubled or out of order ends the run with exit code 1. Takes about half a "
            "minute, with `--quick` about ten seconds.",
            "Scenarios: `fanout-1` (1 topic, 1,000 readers, one message at a time), `fanout-64` "
            "(64 in flight), `topics` (1,000 topics with 10 readers each), `latency` (30 messages "
            "per second to 1,000 readers), `publish` (events acknowledged, no readers), "
            "`connections` (10,000 handshakes, and memory while they are idle).",
            "Figures of different machines, kernels or runs beside other work cannot be compared: "
            "repeat, and compare what ran side by side. With `--url` the events stay in that "
            "server's history, in sessions called bench-….",
            NULL,
        },
    .options =
        (const struct command_option[]){
            {"quick", NULL, NULL, "Shorter runs, and fewer connections."},
            {"scenario", "fanout-1|fanout-64|topics|latency|publish|connections,…", NULL,
             "Only this one, or several separated by commas."},
            {"connections", "N", NULL, "Readers, or idle connections. [what the scenario says]"},
            {"messages", "N", NULL, "Publish so many, instead of for a time."},
            {"size", "BYTES", NULL, "Data of an event, 100 to 60000. [200]"},
            {"url", "URL", NULL, "Measure this server instead of one of its own."},
            {"token", "TOKEN", "FANFARE_TOKEN", "The token to show it."},
            {"json", NULL, NULL, "Print JSON."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare bench", "All figures"},
            {"fanfare bench --quick --scenario fanout-1,latency", "Two of them, soon"},
            {"fanfare bench --json | jq '.scenarios[] | {name, server_cpu_us}'", "For programs"},
            {0},
        },
    .run = run,
};
