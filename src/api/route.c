/* Matching request paths with route templates; see route.h. */
#include "api/route.h"

/* Whether a segment as sent is, percent-decoded, this text. */
static bool segment_is(struct slice segment, struct slice text)
{
    if (slice_equal(segment, text))
        return true;
    if (segment.len <= text.len || !memchr(segment.ptr, '%', segment.len))
        return false;
    struct buf decoded = {0};
    bool same = http_percent_decode(segment, false, &decoded) == 0 &&
                slice_equal(buf_slice(&decoded), text);
    buf_fini(&decoded);
    return same;
}

/* Takes the next segment, up to the next slash or the end; *last says that nothing follows. */
static struct slice next_segment(struct slice *rest, bool *last)
{
    const char *slash = rest->len ? memchr(rest->ptr, '/', rest->len) : NULL;
    size_t len = slash ? (size_t)(slash - rest->ptr) : rest->len;
    struct slice segment = slice_of(rest->ptr, len);
    *last = !slash;
    *rest = slice_skip(*rest, slash ? len + 1 : len);
    return segment;
}

bool route_match(const char *template, struct slice path, struct slice *values, unsigned count)
{
    struct slice wanted = slice_from(template);
    unsigned taken = 0;
    for (;;) {
        bool wanted_last, path_last;
        struct slice pattern = next_segment(&wanted, &wanted_last);
        struct slice segment = next_segment(&path, &path_last);
        bool parameter = slice_starts(pattern, "{");
        if (wanted_last != path_last || (parameter && (segment.len == 0 || taken == count)))
            return false;
        if (parameter)
            values[taken++] = segment;
        else if (!segment_is(segment, pattern))
            return false;
        if (wanted_last)
            return true;
    }
}
