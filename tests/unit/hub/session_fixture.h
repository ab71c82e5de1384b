/* A session state to fold events into, and looking at what it shows. */
#ifndef UNIT_HUB_SESSION_FIXTURE_H
#define UNIT_HUB_SESSION_FIXTURE_H

#include "../test.h"

#include <stdio.h>

#include "base/memory.h"
#include "hub/session_state.h"

#define NOON 1767268800000 /* 2026-01-01T12:00:00Z */

static inline void fold(struct session_state *state, const char *type, const char *data)
{
    struct json_value value;
    assert_int_equal(json_parse(slice_from(data), &value, NULL), 0);
    session_state_fold(state, catalogue_find(slice_from(type)), value.text, NOON);
}

static inline struct json_value shown_json(const struct session_state *state, struct buf *out)
{
    struct json_value value;
    buf_clear(out);
    session_state_append_json(state, SLICE("abc"), 2, out);
    assert_int_equal(json_parse(buf_slice(out), &value, NULL), 0);
    return value;
}

/* The member at a path like "overall_progress.status" is this JSON. */
static inline void assert_shown(const struct session_state *state, const char *path,
                                const char *expected)
{
    struct buf out = {0};
    struct json_value value = shown_json(state, &out);
    struct slice rest = slice_from(path), name;
    while (slice_split(&rest, '.', &name))
        assert_true(json_find(value, name, &value));
    struct slice shown = value.text;
    if (!slice_is(shown, expected))
        fail_msg("%s is %.*s, not %s", path, SLICE_ARG(shown), expected);
    buf_fini(&out);
}

#endif
