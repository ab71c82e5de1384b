/* `fanfare config`: checks, shows and documents the configuration. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/terminal.h"
#include "codec/json.h"
#include "config/config.h"
#include "config/describe.h"
#include "config/suggest.h"
#include "fanfare/error.h"

/* This command's own switches; what else is given belongs to the configuration. */
struct request {
    bool check, print, docs, json;
    char **rest;
    int rest_count;
};

static void read_arguments(struct request *r, int argc, char **argv)
{
    const struct {
        const char *name;
        bool *on;
    } own[] = {
        {"--check", &r->check}, {"--print", &r->print}, {"--docs", &r->docs}, {"--json", &r->json}};
    r->rest = memory_zero((size_t)argc * sizeof *r->rest);
    for (int i = 1; i < argc; i++) {
        bool mine = false;
        for (size_t j = 0; j < sizeof own / sizeof own[0]; j++)
            if (strcmp(argv[i], own[j].name) == 0)
                *own[j].on = mine = true;
        if (!mine)
            r->rest[r->rest_count++] = argv[i];
    }
}

static void append_json_problems(struct buf *out, struct slice problems)
{
    struct slice line;
    bool first = true;
    BUF_LITERAL(out, "{\"ok\":false,\"problems\":[");
    while (slice_split(&problems, '\n', &line)) {
        buf_append_text(out, first ? "" : ",");
        json_append_lossy(out, line);
        first = false;
    }
    BUF_LITERAL(out, "]}\n");
}

static int report_problems(const struct request *r, int error, const struct buf *problems)
{
    struct buf out = {0};
    if (r->json) {
        append_json_problems(&out, buf_slice(problems));
        terminal_write(stdout, &out);
    } else {
        terminal_write(stderr, problems);
    }
    buf_fini(&out);
    return error == FAN_E_INVALID ? WRONG_USAGE : FAILED;
}

static void append_good(struct buf *out, const struct request *r, const struct config *config)
{
    const char *file = config_file(config);
    if (!r->json) {
        buf_printf(out, "%s: no problems\n", *file ? file : "no file");
        return;
    }
    BUF_LITERAL(out, "{\"ok\":true,\"file\":");
    if (*file)
        json_append_lossy(out, slice_from(file));
    else
        BUF_LITERAL(out, "null");
    BUF_LITERAL(out, "}\n");
}

static int check_or_print(const struct request *r)
{
    struct config *config;
    struct buf problems = {0}, out = {0};
    int code = DONE, error = config_load(&config, r->rest_count, r->rest, &problems);
    if (!error && r->check) {
        error = config_supported(config, &problems);
        if (error)
            BUF_LITERAL(&problems, "\n");
    }
    if (error) {
        code = report_problems(r, error, &problems);
    } else {
        if (r->check)
            append_good(&out, r, config);
        else
            config_append_values(&out, config, r->json);
        code = terminal_write(stdout, &out) ? DONE : FAILED;
    }
    config_free(config);
    buf_fini(&problems);
    buf_fini(&out);
    return code;
}

static int print_docs(void)
{
    struct buf out = {0};
    config_append_docs(&out);
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    return written ? DONE : FAILED;
}

/* The command knows neither what to do nor this option: most likely its name is mistyped. */
static int no_request(const struct request *r)
{
    for (int i = 0; i < r->rest_count; i++) {
        struct slice name = slice_skip(slice_from(r->rest[i]), 2);
        struct suggestion s = {.wanted = name};
        if (!slice_starts(slice_from(r->rest[i]), "--") || slice_starts(name, "config") ||
            option_find(slice_of(name.ptr, strcspn(name.ptr, "="))))
            continue;
        for (const struct command_option *o = config_command.options; o->name; o++)
            suggestion_offer(&s, o->name);
        if (s.best)
            return usage_error(&config_command, "unknown option --%.*s; did you mean --%s?",
                               SLICE_ARG(name), s.best);
    }
    return usage_error(&config_command, "expected one of --check, --print, --docs");
}

static int run(int argc, char **argv)
{
    struct request r = {0};
    int code;
    read_arguments(&r, argc, argv);
    if (r.check + r.print + r.docs != 1)
        code = no_request(&r);
    else if (r.docs && (r.rest_count || r.json))
        code = usage_error(&config_command, "--docs takes nothing else");
    else
        code = r.docs ? print_docs() : check_or_print(&r);
    memory_free(r.rest);
    return code;
}

const struct command config_command = {
    .name = "config",
    .summary = "check or show a server's configuration",
    .synopsis = (const char *const[]){"--check [--config FILE] [--json]",
                                      "--print [--config FILE] [--json] [OPTIONS of serve]",
                                      "--docs", NULL},
    .description =
        (const char *const[]){
            "Looks where `fanfare serve` would look: flags, environment, `--config FILE` or "
            "`fanfare.yaml`, defaults.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            {"check", NULL, NULL,
             "Say what is wrong, with file and line; the exit code is 1 when something is."},
            {"print", NULL, NULL,
             "Show every value in effect and where it comes from, as YAML. Secrets are not shown."},
            {"docs", NULL, NULL, "Print the reference of all options, as Markdown."},
            {"json", NULL, NULL, "Print JSON."},
            {"config", "FILE", "FANFARE_CONFIG", "The YAML file. [fanfare.yaml, if there is one]"},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare config --check --config /etc/fanfare.yaml", "Check a file before a restart"},
            {"fanfare config --print --workers 2", "See what `serve --workers 2` would do"},
            {"fanfare config --print --json", "The same for programs"},
            {0},
        },
    .run = run,
};
