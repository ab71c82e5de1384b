/* Patterns of topics; see topic_pattern.h. */
#include "hub/topic_pattern.h"

#include <stdint.h>

#include "hub/topic_name.h"

bool topic_pattern_match(struct slice pattern, struct slice topic)
{
    size_t p = 0, t = 0, star = SIZE_MAX, retry = 0;
    while (t < topic.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            retry = t;
        } else if (p < pattern.len && pattern.ptr[p] == topic.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
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
