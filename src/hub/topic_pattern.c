/* Patterns of topics; see topic_pattern.h. */
#include "hub/topic_pattern.h"

#include "base/glob.h"
#include "hub/topic_name.h"

bool topic_pattern_match(struct slice pattern, struct slice topic)
{
    return glob_match(pattern, topic, (struct glob_rules){0});
}

bool topic_pattern_valid(struct slice pattern)
{
    static const char others[] = "._:@/-%*";
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && (!c || !strchr(others, c)))
            return false;
    }
    return pattern.len > 0 && pattern.len <= TOPIC_NAME_MAX;
}

const char *topic_pattern_find(char *const *patterns, size_t count, struct slice topic)
{
    for (size_t i = 0; i < count; i++)
        if (topic_pattern_match(slice_from(patterns[i]), topic))
            return patterns[i];
    return NULL;
}
