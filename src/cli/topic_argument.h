/* Topics as people type them. */
#ifndef CLI_TOPIC_ARGUMENT_H
#define CLI_TOPIC_ARGUMENT_H

#include "cli/command.h"

/* A bare name that can be no topic: most likely a session's, and then the message says so. Returns
 * 0, or WRONG_USAGE after it. What is wrong with other names the server tells. */
int topic_argument_check(const struct command *command, const char *text);

#endif
