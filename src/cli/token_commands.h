/* The commands below `fanfare token`. Each reads its arguments behind its own name; exit codes. */
#ifndef CLI_TOKEN_COMMANDS_H
#define CLI_TOKEN_COMMANDS_H

#include "cli/arguments.h"

int token_mint(const struct arguments *a);
int token_inspect(const struct arguments *a);
int token_explain(const struct arguments *a);

#endif
