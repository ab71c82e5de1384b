/* The program: finds the command, answers --help, and runs it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/help.h"
#include "cli/terminal.h"
#include "config/suggest.h"

const struct command *const commands[] = {
    &serve_command, &pub_command,    &sub_command,     &run_command,        &replay_command,
    &top_command,   &bench_command,  &watch_command,   &checkpoint_command, &token_command,
    &store_command, &config_command, &version_command, &help_command,       NULL,
};

const struct command *command_find(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static int print_help(const struct command *command, FILE *stream)
{
    struct buf text = {0};
    bool colours = terminal_has_colours(stream);
    if (command)
        help_append_command(&text, command, colours);
    else
        help_append_program(&text, colours);
    bool written = terminal_write(stream, &text);
    buf_fini(&text);
    return written ? DONE : FAILED;
}

/* Whether --help stands among a command's own arguments. */
static bool asks_for_help(const struct command *command, int argc, char **argv)
{
    int own = arguments_own(command, argc, argv);
    for (int i = 1; i < own; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int unknown_command(const char *name)
{
    struct suggestion s = {.wanted = slice_from(name)};
    for (const struct command *const *c = commands; *c; c++)
        suggestion_offer(&s, (*c)->name);
    fprintf(stderr, "fanfare: there is no command \"%s\"", name);
    if (s.best)
        fprintf(stderr, "; did you mean \"fanfare %s\"?", s.best);
    fputs("\nTry: fanfare --help\n", stderr);
    return WRONG_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(NULL, stderr);
        return WRONG_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_help(NULL, stdout);
    if (strcmp(name, "--version") == 0)
        name = argv[1] = (char *)"version";
    const struct command *command = command_find(name);
    if (!command)
        return unknown_command(name);
    if (asks_for_help(command, argc - 1, argv + 1))
        return print_help(command, stdout);
    return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    /* A reader that goes away (`fanfare sub … | head`) is seen as a failed write. */
    signal(SIGPIPE, SIG_IGN);
    int code = run(argc, argv);
    if (fflush(stdout) != 0 && code == DONE) {
        if (errno != EPIPE)
            perror("fanfare: output");
        code = FAILED;
    }
    return code;
}
