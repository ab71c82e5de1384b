/* Patterns of topics, in claims and in the configuration. No I/O, any thread. */
#ifndef HUB_TOPIC_PATTERN_H
#define HUB_TOPIC_PATTERN_H

#include <stdbool.h>

#include "base/slice.h"

/* Whether topic matches a pattern in which `*` stands for any characters, also none. */
bool topic_pattern_match(struct slice pattern, struct slice topic);

/* Whether it may be a pattern of topics: a topic's characters and `*`, at most as long as the
 * longest topic. */
bool topic_pattern_valid(struct slice pattern);

/* The first of the patterns that the topic matches; NULL: none. */
const char *topic_pattern_find(char *const *patterns, size_t count, struct slice topic);

#endif
