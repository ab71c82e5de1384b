/* The option table in words: help, the reference page, and the values in effect. No I/O. */
#ifndef CONFIG_DESCRIBE_H
#define CONFIG_DESCRIBE_H

#include "config/options.h"

/* The options of `fanfare serve --help`, by group. */
void config_append_help(struct buf *out);

/* docs/configuration.md */
void config_append_docs(struct buf *out);

/* Every value in effect with its origin, as a YAML file that would give the same; as a JSON object
 * {key: {value, origin}} when json. Secrets are only said to be set. */
void config_append_values(struct buf *out, const struct config *config, bool json);

#endif
