/* `fanfare checkpoint`: reads a checkpoint file, with its progress worked out. */
#include <stdio.h>

#include "cli/arguments.h"
#include "cli/terminal.h"
#include "fanfare/checkpoint.h"

struct show {
    const struct fan_checkpoint *checkpoint;
    struct buf out;
    bool colours;
};

static enum style status_style(const char *status)
{
    if (strcmp(status, "failed") == 0)
        return STYLE_RED;
    if (strcmp(status, "completed") == 0)
        return STYLE_GREEN;
    return strcmp(status, "in_progress") == 0 ? STYLE_YELLOW : STYLE_DIM;
}

static void append_status(struct show *s, const char *status)
{
    terminal_append(&s->out, s->colours, status_style(status), slice_from(status));
}

/* "phase     build_1"; left out when there is nothing to say. */
static void append_row(struct show *s, const char *label, const char *text)
{
    if (!*text)
        return;
    buf_printf(&s->out, "%-11s", label);
    terminal_append_plain(&s->out, slice_from(text));
    BUF_LITERAL(&s->out, "\n");
}

static void append_stats(struct show *s, const char *label, struct fan_checkpoint_stats stats)
{
    if (stats.total)
        buf_printf(&s->out,
                   "%-11s%zu: %zu completed, %zu in progress, %zu pending, %zu failed; %.1f %%\n",
                   label, stats.total, stats.completed, stats.in_progress, stats.pending,
                   stats.failed, stats.completion_percentage);
}

static void append_summary(struct show *s)
{
    const struct fan_checkpoint *c = s->checkpoint;
    const char *written = fan_checkpoint_written_status(c), *error = fan_checkpoint_error_text(c);
    struct fan_checkpoint_progress overall = fan_checkpoint_overall_progress(c);
    terminal_append(&s->out, s->colours, STYLE_BOLD, slice_from(fan_checkpoint_id(c)));
    BUF_LITERAL(&s->out, "\n");
    append_row(s, "phase", fan_checkpoint_phase(c));
    BUF_LITERAL(&s->out, "status     ");
    append_status(s, overall.status);
    if (*written) {
        BUF_LITERAL(&s->out, " (written: ");
        terminal_append_plain(&s->out, slice_from(written));
        BUF_LITERAL(&s->out, ")");
    }
    buf_printf(&s->out, "\nprogress   %.1f %%; tasks completed: %zu, files created: %zu\n",
               overall.completion_percentage, overall.tasks_completed, overall.files_created);
    append_row(s, "error", error ? error : "");
    append_row(s, "time", fan_checkpoint_timestamp(c));
    append_stats(s, "components", fan_checkpoint_component_stats(c));
    append_stats(s, "features", fan_checkpoint_feature_stats(c));
}

static void append_part(struct show *s, const struct fan_checkpoint_part *part)
{
    size_t width = strlen(part->status);
    buf_printf(&s->out, "%5.1f %%  ", part->progress);
    append_status(s, part->status);
    buf_printf(&s->out, "%*s  ", width < 11 ? (int)(11 - width) : 0, "");
    terminal_append_plain(&s->out, slice_from(part->id));
    BUF_LITERAL(&s->out, "\n");
}

static void append_components(struct show *s)
{
    for (size_t i = 0; i < fan_checkpoint_component_count(s->checkpoint); i++)
        append_part(s, fan_checkpoint_component(s->checkpoint, i));
}

static void append_features(struct show *s)
{
    for (size_t i = 0; i < fan_checkpoint_feature_count(s->checkpoint); i++)
        append_part(s, fan_checkpoint_feature(s->checkpoint, i));
}

static void append_names(struct show *s, const char *label, size_t count,
                         const char *(*name)(const struct fan_checkpoint *checkpoint, size_t index))
{
    if (count)
        buf_printf(&s->out, "\n%s\n", label);
    for (size_t i = 0; i < count; i++) {
        BUF_LITERAL(&s->out, "  ");
        terminal_append_plain(&s->out, slice_from(name(s->checkpoint, i)));
        BUF_LITERAL(&s->out, "\n");
    }
}

static void append_all(struct show *s)
{
    const struct fan_checkpoint *c = s->checkpoint;
    append_summary(s);
    if (fan_checkpoint_component_count(c))
        BUF_LITERAL(&s->out, "\ncomponents\n");
    append_components(s);
    if (fan_checkpoint_feature_count(c))
        BUF_LITERAL(&s->out, "\nfeatures\n");
    append_features(s);
    append_names(s, "tasks completed", fan_checkpoint_task_count(c), fan_checkpoint_task);
    append_names(s, "files created", fan_checkpoint_file_count(c), fan_checkpoint_file);
}

/* What can be asked for; the first is the default. */
static const struct part {
    const char *option;
    char *(*json)(const struct fan_checkpoint *checkpoint);
    void (*append)(struct show *show);
} parts[] = {
    {NULL, fan_checkpoint_json, append_all},
    {"summary", fan_checkpoint_summary, append_summary},
    {"components", fan_checkpoint_component_updates, append_components},
    {"features", fan_checkpoint_feature_updates, append_features},
};

static int print(const struct fan_checkpoint *checkpoint, const struct part *part, bool json)
{
    struct show s = {.checkpoint = checkpoint, .colours = terminal_has_colours(stdout)};
    if (json) {
        char *text = part->json(checkpoint);
        if (!text)
            return command_error(&checkpoint_command, "out of memory");
        buf_append_text(&s.out, text);
        BUF_LITERAL(&s.out, "\n");
        fan_free(text);
    } else {
        part->append(&s);
    }
    bool written = terminal_write(stdout, &s.out);
    buf_fini(&s.out);
    return written ? DONE : FAILED;
}

/* The one part that was asked for; NULL: two were. */
static const struct part *find_part(const struct arguments *a)
{
    const struct part *found = &parts[0];
    for (size_t i = 1; i < sizeof parts / sizeof parts[0]; i++) {
        if (!arguments_has(a, parts[i].option))
            continue;
        if (found != &parts[0])
            return NULL;
        found = &parts[i];
    }
    return found;
}

static int read_and_print(const struct arguments *a)
{
    struct fan_checkpoint *checkpoint;
    struct fan_checkpoint_error error;
    const struct part *part = find_part(a);
    if (a->rest_count != 1)
        return usage_error(&checkpoint_command, "expected one FILE");
    if (!part)
        return usage_error(&checkpoint_command,
                           "expected at most one of --summary, --components, --features");
    if (fan_checkpoint_parse_file(a->rest[0], &checkpoint, &error))
        return command_error(&checkpoint_command, "%s", error.message);
    int code = print(checkpoint, part, arguments_has(a, "json"));
    fan_checkpoint_free(checkpoint);
    return code;
}

static int run(int argc, char **argv)
{
    struct arguments a;
    int code = arguments_init(&a, &checkpoint_command, argc, argv);
    if (!code)
        code = read_and_print(&a);
    arguments_fini(&a);
    return code;
}

const struct command checkpoint_command = {
    .name = "checkpoint",
    .summary = "read a checkpoint file",
    .synopsis = (const char *const[]){"FILE [--summary|--components|--features] [--json]", NULL},
    .description =
        (const char *const[]){
            "Reads a checkpoint that a build tool wrote, with its progress worked out. A file that "
            "is not whole or not right is refused, with file, line and column.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            {"summary", NULL, NULL, "Print only phase, status and progress."},
            {"components", NULL, NULL, "Print only the components."},
            {"features", NULL, NULL, "Print only the features."},
            {"json", NULL, NULL, "Print JSON."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare checkpoint .buildrunner/checkpoints/checkpoint_1.json --summary",
             "How far is the build?"},
            {"fanfare checkpoint checkpoint_1.json --components --json | jq '.[].status'",
             "The components, for programs"},
            {0},
        },
    .run = run,
};
