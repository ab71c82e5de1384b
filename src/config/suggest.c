/* The nearest name by edit distance; see suggest.h. */
#include "config/suggest.h"

#include <ctype.h>

#define LONGEST 64

static char folded(char c)
{
    return c == '.' || c == '-' ? '_' : (char)tolower((unsigned char)c);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits (insert, remove, replace, swap of neighbours) from a to b: the restricted
 * Damerau-Levenshtein distance, with three rows. Both are at most LONGEST characters. */
static unsigned distance(struct slice a, struct slice b)
{
    unsigned rows[3][LONGEST + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = folded(a.ptr[i - 1]) == folded(b.ptr[j - 1]);
            row[j] = least(last[j - 1] + !same, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && folded(a.ptr[i - 1]) == folded(b.ptr[j - 2]) &&
                folded(a.ptr[i - 2]) == folded(b.ptr[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *reuse = before;
        before = last;
        last = row;
        row = reuse;
    }
    return last[b.len];
}

void suggestion_offer(struct suggestion *s, const char *candidate)
{
    struct slice name = slice_from(candidate);
    if (s->wanted.len == 0 || s->wanted.len > LONGEST || name.len > LONGEST)
        return;
    unsigned edits = distance(s->wanted, name);
    unsigned allowed = s->wanted.len < 4 ? 1 : s->wanted.len < 8 ? 2 : 3;
    if (edits <= allowed && (!s->best || edits < s->distance)) {
        s->best = candidate;
        s->distance = edits;
    }
}
