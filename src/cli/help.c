/* --help, from the commands' tables; see help.h. */
#include "cli/help.h"

#include "cli/terminal.h"
#include "config/columns.h"
#include "config/describe.h"

static void append_title(struct buf *out, bool colours, const char *title)
{
    BUF_LITERAL(out, "\n");
    terminal_append(out, colours, STYLE_BOLD, slice_from(title));
    BUF_LITERAL(out, "\n");
}

void help_append_program(struct buf *out, bool colours)
{
    columns_append_paragraph(out, SLICE("Fanfare, the real-time layer for developer tools: "
                                        "programs publish events, browsers and tools receive "
                                        "them at once, in order, with nothing lost."));
    append_title(out, colours, "Usage:");
    BUF_LITERAL(out, "  fanfare COMMAND [OPTIONS] [ARGUMENTS]\n");
    append_title(out, colours, "Commands:");
    for (const struct command *const *c = commands; *c; c++)
        columns_append(out, (*c)->name, slice_from((*c)->summary));
    append_title(out, colours, "Environment of the client commands:");
    columns_append(out, "FANFARE_URL", SLICE("The server. [http://127.0.0.1:8000]"));
    columns_append(out, "FANFARE_TOKEN", SLICE("The token to show it."));
    columns_append(out, "FANFARE_SESSION", SLICE("The session, where a command needs one."));
    append_title(out, colours, "Start here:");
    BUF_LITERAL(out,
                "  fanfare serve                                          a server\n"
                "  fanfare sub session:demo                               what happens\n"
                "  fanfare pub session:demo greeting '{\"text\":\"hello\"}'   something happens\n"
                "\n"
                "`fanfare COMMAND --help` tells more, with examples.\n");
}

static void append_options(struct buf *out, const struct command *command)
{
    struct buf term = {0}, text = {0};
    for (const struct command_option *o = command->options; o->name; o++) {
        buf_clear(&term);
        buf_clear(&text);
        buf_printf(&term, "--%s%s%s", o->name, o->argument ? " " : "",
                   o->argument ? o->argument : "");
        buf_append_text(&text, o->help);
        if (o->environment)
            buf_printf(&text, " Also %s in the environment.", o->environment);
        columns_append(out, buf_text(&term), buf_slice(&text));
    }
    columns_append(out, "--help", SLICE("This text."));
    buf_fini(&term);
    buf_fini(&text);
}

void help_append_command(struct buf *out, const struct command *command, bool colours)
{
    buf_printf(out, "fanfare %s: %s\n", command->name, command->summary);
    append_title(out, colours, "Usage:");
    for (const char *const *form = command->synopsis; *form; form++)
        buf_printf(out, "  fanfare %s%s%s\n", command->name, **form ? " " : "", *form);
    for (const char *const *text = command->description; *text; text++) {
        BUF_LITERAL(out, "\n");
        columns_append_paragraph(out, slice_from(*text));
    }
    append_title(out, colours, "Options:");
    append_options(out, command);
    if (command->config_options)
        config_append_help(out);
    append_title(out, colours, "Examples:");
    for (const struct command_example *e = command->examples; e->line; e++)
        buf_printf(out, "  # %s\n  %s\n", e->meaning, e->line);
}
