/* `fanfare help`: help by name, manual pages, completion scripts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/complete.h"
#include "cli/help.h"
#include "cli/terminal.h"
#include "config/suggest.h"

/* Writes DIR/NAME.1; the command's page, or the program's. */
static int write_page(const char *directory, const struct command *command)
{
    struct buf path = {0}, text = {0};
    buf_printf(&path, "%s/fanfare%s%s.1", directory, command ? "-" : "",
               command ? command->name : "");
    if (command)
        help_append_command_man(&text, command);
    else
        help_append_program_man(&text);
    FILE *file = fopen(buf_text(&path), "w");
    bool written = file && terminal_write(file, &text);
    if (file && fclose(file) != 0)
        written = false;
    int code =
        written ? DONE : command_error(&help_command, "%s: %s", buf_text(&path), strerror(errno));
    buf_fini(&path);
    buf_fini(&text);
    return code;
}

static int write_all_pages(const char *directory)
{
    int code = write_page(directory, NULL);
    for (const struct command *const *c = commands; *c && code == DONE; c++)
        code = write_page(directory, *c);
    return code;
}

static int unknown_command(const char *name)
{
    struct suggestion s = {.wanted = slice_from(name)};
    for (const struct command *const *c = commands; *c; c++)
        suggestion_offer(&s, (*c)->name);
    if (s.best)
        return usage_error(&help_command, "there is no command \"%s\"; did you mean \"%s\"?", name,
                           s.best);
    return usage_error(&help_command, "there is no command \"%s\"", name);
}

/* For completion scripts: words that come from a line that is being typed. */
static int print_candidates(const struct arguments *a)
{
    struct buf text = {0};
    complete_append(&text, a->rest, a->rest_count);
    bool written = terminal_write(stdout, &text);
    buf_fini(&text);
    return written ? DONE : FAILED;
}

static int print_text(const struct arguments *a)
{
    const char *name = a->rest_count ? a->rest[0] : NULL;
    const char *shell = arguments_get(a, "completion");
    const struct command *command = name ? command_find(name) : NULL;
    bool colours = terminal_has_colours(stdout), manual = arguments_has(a, "man");
    struct buf text = {0};
    if (name && !command)
        return unknown_command(name);
    if (shell) {
        if (!help_append_completion(&text, shell))
            return usage_error(&help_command, "\"%s\": expected bash, zsh or fish", shell);
    } else if (arguments_has(a, "json")) {
        help_append_json(&text, command);
    } else if (manual && command) {
        help_append_command_man(&text, command);
    } else if (manual) {
        help_append_program_man(&text);
    } else if (command) {
        help_append_command(&text, command, colours);
    } else {
        help_append_program(&text, colours);
    }
    bool written = terminal_write(stdout, &text);
    buf_fini(&text);
    return written ? DONE : FAILED;
}

static int run(int argc, char **argv)
{
    struct arguments a;
    int code = arguments_init(&a, &help_command, argc, argv);
    bool candidates = code == 0 && arguments_has(&a, "complete");
    if (code == 0 && a.rest_count > 1 && !candidates)
        code = usage_error(&help_command, "expected one command's name at most");
    if (code == 0 && arguments_has(&a, "man-pages"))
        code = write_all_pages(arguments_get(&a, "man-pages"));
    else if (candidates)
        code = print_candidates(&a);
    else if (code == 0)
        code = print_text(&a);
    arguments_fini(&a);
    return code;
}

const struct command help_command = {
    .name = "help",
    .summary = "help on a command, manual pages and shell completion",
    .synopsis = (const char *const[]){"[--man|--json] [COMMAND]", "--man-pages DIR",
                                      "--completion bash|zsh|fish", "--complete -- WORD…", NULL},
    .description = (const char *const[]){"Prints what `fanfare COMMAND --help` prints, or the same "
                                         "as a manual page or as JSON, and completion scripts.",
                                         NULL},
    .options =
        (const struct command_option[]){
            {"man", NULL, NULL, "Print the manual page, in troff."},
            {"man-pages", "DIR", NULL, "Write the pages of all commands into a directory."},
            {"json", NULL, NULL, "Print the tables of the commands as JSON."},
            {"completion", "bash|zsh|fish", NULL, "Print the completion script of a shell."},
            {"complete", NULL, NULL,
             "Print what the last word, as far as it is typed, can become; completion scripts ask "
             "this. Topics and sessions come from the server, if it answers at once."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare help pub", "What pub can do"},
            {"fanfare help --man serve | man -l -", "Read the manual page of serve"},
            {"fanfare help --completion bash > ~/.local/share/bash-completion/completions/fanfare",
             "Complete commands and options in bash"},
            {0},
        },
    .run = run,
};
