/*
 * What clients say about filters and positions, in messages and in URLs: the first byte chooses.
 * A filter that was accepted must show as valid JSON, and taking names from it must not fail.
 */
#include "../fuzz.h"

#include "dialect/resume.h"
#include "dialect/type_filter.h"

static void check_shown(const struct event_filter *filter)
{
    struct buf out = {0};
    struct json_value value;
    buf_append_char(&out, '{');
    type_filter_append(&out, filter);
    buf_append_char(&out, '}');
    FUZZ_CHECK(!out.failed && json_parse(buf_slice(&out), &value, NULL) == 0);
    buf_fini(&out);
}

static void try_filter(struct slice text)
{
    struct json_value list;
    struct type_filter_error why = {{0}};
    struct event_filter *filter, *rest;
    if (json_parse(text, &list, NULL) != 0)
        return;
    if (type_filter_parse(list, &filter, &why) != 0) {
        FUZZ_CHECK(why.message[0]);
        return;
    }
    check_shown(filter);
    FUZZ_CHECK(type_filter_remove(filter, list, &rest, &why) == 0);
    check_shown(rest);
    event_filter_free(rest);
    event_filter_free(filter);
}

static void try_filter_text(struct slice text)
{
    struct type_filter_error why = {{0}};
    struct event_filter *filter;
    if (type_filter_parse_text(text, &filter, &why) != 0)
        return;
    check_shown(filter);
    event_filter_free(filter);
}

static void try_resume(struct slice text)
{
    struct json_value message;
    struct start_point start;
    resume_from_query(text, &start);
    resume_from_cursor(text, &start);
    if (json_parse(text, &message, NULL) == 0 && message.kind == JSON_OBJECT)
        resume_from_message(message, "offset", &start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    uint8_t choice;
    if (!fuzz_take(&input, 1, &choice))
        return 0;
    char *copy = fuzz_copy(input);
    struct slice text = slice_of(copy, input.len);
    if (choice % 3 == 0)
        try_filter(text);
    else if (choice % 3 == 1)
        try_filter_text(text);
    else
        try_resume(text);
    free(copy);
    return 0;
}
