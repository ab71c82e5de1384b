/* The arguments of one call of a command, read by its table. */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "cli/command.h"

struct arguments {
    const struct command *command;
    const char **values; /* the last value of each option; NULL: not given */
    char **rest;         /* what is no option, in order */
    int rest_count;
};

/* How many of the arguments, argv[0] counted, are the command's own: those up to "--", and for a
 * command that runs another one up to that. */
int arguments_own(const struct command *command, int argc, char **argv);

/* Reads argv[1]…; options and other arguments may be mixed, "--" ends the options (and the other
 * command, where one is run). Returns 0, or
 * WRONG_USAGE after a message on stderr; free it with arguments_fini in any case. The texts stay
 * those of argv. */
int arguments_init(struct arguments *a, const struct command *command, int argc, char **argv);
void arguments_fini(struct arguments *a);

/* The option's value, else its environment variable's, else NULL. "" for a switch that is on. */
const char *arguments_get(const struct arguments *a, const char *option);
bool arguments_has(const struct arguments *a, const char *option);

/* Says what is wrong, and where the help is, on stderr. Returns WRONG_USAGE. */
int usage_error(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says why the command failed, on stderr. Returns FAILED. */
int command_error(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads "500ms", "30s", "10m"; false when it is none. */
bool arguments_time(const char *text, int *ms);

#endif
