/* Manual pages in troff, from the commands' tables; see help.h and man(7). */
#include "cli/help.h"
#include "config/options.h"

#include <ctype.h>

/* Text of a page: what troff would take for its own is escaped, `code` is set bold. */
static void append_troff(struct buf *out, const char *text)
{
    bool code = false, line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            BUF_LITERAL(out, "\\&");
        line_start = *text == '\n';
        if (*text == '`') {
            code = !code;
            buf_append_text(out, code ? "\\fB" : "\\fR");
        } else if (*text == '\\') {
            BUF_LITERAL(out, "\\e");
        } else if (*text == '-') {
            BUF_LITERAL(out, "\\-");
        } else {
            buf_append_char(out, *text);
        }
    }
}

static void append_section(struct buf *out, const char *title)
{
    buf_printf(out, ".SH %s\n", title);
}

static void append_heading(struct buf *out, const char *page, const char *summary)
{
    BUF_LITERAL(out, ".TH \"");
    for (const char *c = page; *c; c++)
        buf_append_char(out, (char)toupper((unsigned char)*c));
    BUF_LITERAL(out, "\" \"1\" \"" FANFARE_DATE "\" \"Fanfare " FANFARE_VERSION "\" \"Fanfare\"\n");
    append_section(out, "NAME");
    append_troff(out, page);
    BUF_LITERAL(out, " \\- ");
    append_troff(out, summary);
    BUF_LITERAL(out, "\n");
}

static void append_term(struct buf *out, const char *term, const char *argument)
{
    BUF_LITERAL(out, ".TP\n\\fB");
    append_troff(out, term);
    BUF_LITERAL(out, "\\fR");
    if (argument && *argument) {
        BUF_LITERAL(out, " \\fI");
        append_troff(out, argument);
        BUF_LITERAL(out, "\\fR");
    }
    BUF_LITERAL(out, "\n");
}

static void append_config_options(struct buf *out)
{
    struct buf flag = {0};
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].secret)
            continue;
        buf_clear(&flag);
        option_append_flag(&flag, &options[i]);
        append_term(out, buf_text(&flag), option_argument(&options[i]));
        append_troff(out, options[i].help);
        if (options[i].initial) {
            BUF_LITERAL(out, " Default: ");
            append_troff(out, options[i].initial);
            BUF_LITERAL(out, ".");
        }
        BUF_LITERAL(out, "\n");
    }
    buf_fini(&flag);
}

static void append_command_options(struct buf *out, const struct command *command)
{
    struct buf flag = {0};
    for (const struct command_option *o = command->options; o->name; o++) {
        buf_clear(&flag);
        buf_printf(&flag, "--%s", o->name);
        append_term(out, buf_text(&flag), o->argument);
        append_troff(out, o->help);
        if (o->environment)
            buf_printf(out, " Also \\fB%s\\fR in the environment.", o->environment);
        BUF_LITERAL(out, "\n");
    }
    append_term(out, "--help", NULL);
    BUF_LITERAL(out, "Help on the terminal.\n");
    buf_fini(&flag);
}

static void append_exit_codes(struct buf *out)
{
    append_section(out, "EXIT STATUS");
    BUF_LITERAL(out, ".TP\n0\nDone.\n.TP\n1\nFailed.\n.TP\n2\nWrong usage.\n");
}

static void append_examples(struct buf *out, const struct command *command)
{
    append_section(out, "EXAMPLES");
    for (const struct command_example *e = command->examples; e->line; e++) {
        if (e != command->examples)
            BUF_LITERAL(out, ".PP\n");
        append_troff(out, e->meaning);
        BUF_LITERAL(out, ":\n.PP\n.RS 4\n.nf\n");
        append_troff(out, e->line);
        BUF_LITERAL(out, "\n.fi\n.RE\n");
    }
}

void help_append_command_man(struct buf *out, const struct command *command)
{
    struct buf page = {0};
    buf_printf(&page, "fanfare-%s", command->name);
    append_heading(out, buf_text(&page), command->summary);
    buf_fini(&page);
    append_section(out, "SYNOPSIS");
    for (const char *const *form = command->synopsis; *form; form++) {
        buf_printf(out, "%s\\fBfanfare %s\\fR ", form == command->synopsis ? "" : ".br\n",
                   command->name);
        append_troff(out, *form);
        BUF_LITERAL(out, "\n");
    }
    append_section(out, "DESCRIPTION");
    if (!*command->description) {
        append_troff(out, command->summary);
        BUF_LITERAL(out, ".\n");
    }
    for (const char *const *text = command->description; *text; text++) {
        if (text != command->description)
            BUF_LITERAL(out, ".PP\n");
        append_troff(out, *text);
        BUF_LITERAL(out, "\n");
    }
    append_section(out, "OPTIONS");
    append_command_options(out, command);
    if (command->config_options)
        append_config_options(out);
    append_exit_codes(out);
    append_examples(out, command);
    append_section(out, "SEE ALSO");
    BUF_LITERAL(out, "\\fBfanfare\\fR(1)\n");
}

void help_append_program_man(struct buf *out)
{
    append_heading(out, "fanfare", "the real-time layer for developer tools");
    append_section(out, "SYNOPSIS");
    BUF_LITERAL(out, "\\fBfanfare\\fR \\fICOMMAND\\fR [OPTIONS] [ARGUMENTS]\n");
    append_section(out, "DESCRIPTION");
    BUF_LITERAL(out, "Programs publish events, browsers and tools receive them at once, in order, "
                     "with nothing lost, over WebSocket or Server\\-Sent Events.\n");
    append_section(out, "COMMANDS");
    for (const struct command *const *c = commands; *c; c++) {
        append_term(out, (*c)->name, NULL);
        append_troff(out, (*c)->summary);
        buf_printf(out, "; see \\fBfanfare\\-%s\\fR(1).\n", (*c)->name);
    }
    append_section(out, "ENVIRONMENT");
    append_term(out, "FANFARE_URL", NULL);
    BUF_LITERAL(out, "The server of the client commands; http://127.0.0.1:8000 when not set.\n");
    append_term(out, "FANFARE_TOKEN", NULL);
    BUF_LITERAL(out, "The token that they show it.\n");
    append_term(out, "FANFARE_SESSION", NULL);
    BUF_LITERAL(out, "The session, where a command needs one.\n");
    append_term(out, "NO_COLOR", NULL);
    BUF_LITERAL(out, "When not empty, nothing is coloured.\n");
    append_exit_codes(out);
}
