/*
 * The commands of the program. Each is one table: its arguments' parser, --help, the manual page
 * and the shell completions come from it.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/* Exit codes of every command (run passes on its command's own). */
enum { DONE = 0, FAILED = 1, WRONG_USAGE = 2 };

struct command_option {
    const char *name;        /* without "--"; NULL ends a table */
    const char *argument;    /* NULL: a switch */
    const char *environment; /* counts when the option is not given; NULL: none */
    const char *help;        /* sentences */
};

struct command_example {
    const char *line; /* NULL ends a table */
    const char *meaning;
};

struct command {
    const char *name;
    const char *summary;            /* a phrase, without a full stop */
    const char *const *synopsis;    /* what follows the name, one for each form; NULL ends */
    const char *const *description; /* paragraphs; NULL ends */
    const struct command_option *options;
    const struct command_example *examples;
    bool config_options; /* takes all options of a server's configuration, too */
    bool runs_another;   /* the first argument that is no option begins another command */

    /* argv[0] is the command's name. Returns the exit code. */
    int (*run)(int argc, char **argv);
};

/* NULL-terminated, in the order of the help. */
extern const struct command *const commands[];

/* NULL when there is none. */
const struct command *command_find(const char *name);

extern const struct command serve_command, pub_command, sub_command, run_command, watch_command,
    checkpoint_command, config_command, version_command, help_command;
extern const struct command token_command, store_command, top_command, replay_command,
    bench_command;

#endif
