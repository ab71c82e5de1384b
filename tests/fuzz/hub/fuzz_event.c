/*
 * Events as peers send them: lines of a type, a space and data. What passes the check must pass it
 * again unchanged, and must fold to a state that is valid JSON and survives a snapshot; what does
 * not pass must still fold without harm (an old log may hold it).
 */
#include <assert.h>
#include <stdint.h>

#include "codec/utf8.h"
#include "hub/event_validate.h"
#include "hub/session_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The clock's start would read as "no event yet". */
#define TIME 1767268800123

static void assert_object(struct slice text)
{
    struct json_value value;
    assert(json_parse(text, &value, NULL) == 0 && value.kind == JSON_OBJECT);
}

static void publish(struct session_state *checked, struct session_state *unchecked,
                    struct slice name, struct slice data)
{
    const struct event_type *type;
    struct event_check check;
    struct buf replacement = {0}, again = {0};
    if (event_type_resolve(name, TOPIC_BIT(TOPIC_SESSION), &type, &check) != 0) {
        assert(utf8_valid(slice_from(check.message)) || !utf8_valid(name));
        return;
    }
    assert(type || catalogue_name_valid(name));
    session_state_fold(unchecked, type, data, TIME);
    event_needs_nesting(NULL, data);
    if (event_validate(type, data, &replacement, &check) == 0) {
        struct slice accepted = replacement.len ? buf_slice(&replacement) : data;
        assert_object(accepted);
        assert(event_validate(type, accepted, &again, &check) == 0 && again.len == 0);
        assert(!type || type->any_names || !event_needs_nesting(NULL, accepted));
        session_state_fold(checked, type, accepted, TIME);
    } else {
        assert(check.field && check.message[0] && utf8_valid(slice_from(check.message)));
    }
    buf_fini(&replacement);
    buf_fini(&again);
}

static void compare_with_snapshot(const struct session_state *state)
{
    struct buf shown = {0}, snapshot = {0}, loaded_shown = {0};
    session_state_append_json(state, SLICE("s"), 1, &shown);
    assert_object(buf_slice(&shown));
    session_state_append_snapshot(state, &snapshot);
    struct session_state *loaded = session_state_try_load(buf_slice(&snapshot));
    assert(loaded);
    session_state_append_json(loaded, SLICE("s"), 1, &loaded_shown);
    assert(slice_equal(buf_slice(&shown), buf_slice(&loaded_shown)));
    session_state_free(loaded);
    buf_fini(&shown);
    buf_fini(&snapshot);
    buf_fini(&loaded_shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of((const char *)data, size), line, name;
    struct session_state *checked = session_state_try_new(), *unchecked = session_state_try_new();
    while (slice_split(&rest, '\n', &line)) {
        struct json_value value;
        if (slice_split(&line, ' ', &name) && json_parse(line, &value, NULL) == 0 &&
            value.kind == JSON_OBJECT)
            publish(checked, unchecked, name, value.text);
    }
    compare_with_snapshot(checked);
    struct buf shown = {0};
    session_state_append_json(unchecked, SLICE("s"), 1, &shown);
    assert_object(buf_slice(&shown));
    buf_fini(&shown);
    /* Any object may stand where a snapshot is expected. */
    session_state_free(session_state_try_load(slice_of((const char *)data, size)));
    session_state_free(checked);
    session_state_free(unchecked);
    return 0;
}
