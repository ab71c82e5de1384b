/* Patterns with `*`; see glob.h. */
#include "base/glob.h"

#include <ctype.h>
#include <stdint.h>

static bool same(char a, char b, bool any_case)
{
    return a == b || (any_case && tolower((unsigned char)a) == tolower((unsigned char)b));
}

bool glob_match(struct slice pattern, struct slice text, struct glob_rules rules)
{
    size_t p = 0, t = 0, star = SIZE_MAX, retry = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            retry = t;
        } else if (p < pattern.len && same(pattern.ptr[p], text.ptr[t], rules.any_case)) {
            p++;
            t++;
        } else if (star != SIZE_MAX && !(rules.barrier && text.ptr[retry] == rules.barrier)) {
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
