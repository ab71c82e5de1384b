/* `fanfare version`: which version this is and what it can do. */
#include "cli/arguments.h"
#include "cli/features.h"
#include "cli/terminal.h"
#include "codec/json.h"

static void append_json(struct buf *out, const struct feature *features)
{
    BUF_LITERAL(out, "{\"version\":\"" FANFARE_VERSION "\"");
    for (int i = 0; features && i < FEATURE_COUNT; i++) {
        buf_printf(out,
                   "%s{\"name\":\"%s\",\"available\":%s,\"detail\":", i ? "," : ",\"features\":[",
                   features[i].name, features[i].here ? "true" : "false");
        json_append_lossy(out, slice_from(features[i].detail));
        BUF_LITERAL(out, ",\"hint\":");
        json_append_lossy(out, slice_from(features[i].hint));
        BUF_LITERAL(out, "}");
    }
    buf_append_text(out, features ? "]}\n" : "}\n");
}

static void append_text(struct buf *out, const struct feature *features)
{
    bool colours = terminal_has_colours(stdout);
    BUF_LITERAL(out, "fanfare " FANFARE_VERSION "\n");
    for (int i = 0; features && i < FEATURE_COUNT; i++) {
        const struct feature *f = &features[i];
        terminal_append(out, colours, f->here ? STYLE_GREEN : STYLE_YELLOW,
                        slice_from(f->here ? "  yes " : "  no  "));
        buf_printf(out, "%-14s %s", f->name, f->detail);
        if (!f->here && *f->hint)
            buf_printf(out, " (%s)", f->hint);
        BUF_LITERAL(out, "\n");
    }
}

static int run(int argc, char **argv)
{
    struct arguments a;
    struct feature features[FEATURE_COUNT];
    struct buf out = {0};
    int code = arguments_init(&a, &version_command, argc, argv);
    if (code == 0 && a.rest_count)
        code = usage_error(&version_command, "unexpected argument \"%s\"", a.rest[0]);
    if (code == 0) {
        bool all = arguments_has(&a, "features");
        if (all)
            features_find(features);
        (arguments_has(&a, "json") ? append_json : append_text)(&out, all ? features : NULL);
        code = terminal_write(stdout, &out) ? DONE : FAILED;
    }
    buf_fini(&out);
    arguments_fini(&a);
    return code;
}

const struct command version_command = {
    .name = "version",
    .summary = "which version this is and what it can do",
    .synopsis = (const char *const[]){"[--features] [--json]", NULL},
    .description = (const char *const[]){NULL},
    .options =
        (const struct command_option[]){
            {"features", NULL, NULL,
             "Also show what this build and machine can do, and what to install for the rest."},
            {"json", NULL, NULL, "Print JSON."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare version --features", "Is io_uring in use?"},
            {0},
        },
    .run = run,
};
