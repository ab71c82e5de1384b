/* The configuration that `fanfare serve` would have here, for commands that work on what a server
 * keeps. */
#ifndef CLI_SERVER_CONFIG_H
#define CLI_SERVER_CONFIG_H

#include "cli/arguments.h"
#include "config/config.h"

/* Reads it as `fanfare serve` does, with the command's own --config and --data. `engine`, where it
 * is not NULL, takes the place of what the configuration says. Returns 0 and *config, to be freed
 * with config_free; or FAILED after a message. */
int server_config_load(const struct arguments *a, const char *engine, struct config **config);

#endif
