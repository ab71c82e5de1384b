/* The commands below `fanfare store`. Each reads its arguments behind its own name; exit codes. */
#ifndef CLI_STORE_COMMANDS_H
#define CLI_STORE_COMMANDS_H

#include "cli/arguments.h"
#include "config/config.h"
#include "engine/store_offline.h"

int store_check(const struct arguments *a, const struct config *config);
int store_stats(const struct arguments *a, const struct config *config);
int store_export(const struct arguments *a, const struct config *config);
int store_import(const struct arguments *a, const struct config *config);

/* Opens the database of the configuration's data directory. 0, or FAILED after a message. Close it
 * with store_offline_close in any case. */
int store_open_data(struct store_offline *store, const struct config *config);

/* Whether the topic is named behind the command, with `*` for any characters; all are when none is.
 */
bool store_topic_is_wanted(const struct arguments *a, struct slice topic);

#endif
