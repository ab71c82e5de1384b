/* The commands' tables in words. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "base/buf.h"
#include "cli/command.h"

/* `fanfare --help` */
void help_append_program(struct buf *out, bool colours);

/* `fanfare COMMAND --help` */
void help_append_command(struct buf *out, const struct command *command, bool colours);

/* Manual pages in man(7)'s troff: fanfare(1), and fanfare-COMMAND(1). */
void help_append_program_man(struct buf *out);
void help_append_command_man(struct buf *out, const struct command *command);

/* One command's table as a JSON object, or all of them: {"version", "commands": […]}. */
void help_append_json(struct buf *out, const struct command *command);

/* A completion script for "bash", "zsh" or "fish"; false for another shell. */
bool help_append_completion(struct buf *out, const char *shell);

#endif
