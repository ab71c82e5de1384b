/*
 * The JSON scanner. What is accepted can be walked, written compactly and read again with the
 * same result; what is refused names a position inside the text.
 */
#include "../fuzz.h"

#include <math.h>

#include "codec/json.h"
#include "codec/utf8.h"
#include "fanfare/error.h"

static void check_string(struct json_value value)
{
    struct buf content = {0};
    struct buf written = {0};
    struct buf lossy = {0};
    struct json_value again;
    struct slice plain;
    json_string_append(&content, value);
    FUZZ_CHECK(utf8_valid(buf_slice(&content)));
    if (json_string_plain(value, &plain))
        FUZZ_CHECK(slice_equal(plain, buf_slice(&content)));
    if (!memchr(content.data ? content.data : "", 0, content.len))
        FUZZ_CHECK(json_string_is(value, buf_text(&content)));
    json_append_string(&written, buf_slice(&content));
    json_append_lossy(&lossy, buf_slice(&content));
    FUZZ_CHECK(slice_equal(buf_slice(&written), buf_slice(&lossy)));
    FUZZ_CHECK(json_parse(buf_slice(&written), &again, NULL) == 0 && again.kind == JSON_STRING);
    buf_clear(&lossy);
    json_string_append(&lossy, again);
    FUZZ_CHECK(slice_equal(buf_slice(&lossy), buf_slice(&content)));
    buf_fini(&content);
    buf_fini(&written);
    buf_fini(&lossy);
}

static void check_number(struct json_value value)
{
    double number = json_number(value);
    char *copy = memcpy(calloc(1, value.text.len + 1), value.text.ptr, value.text.len);
    FUZZ_CHECK(number == strtod(copy, NULL));
    free(copy);
    int64_t integer;
    if (json_integer(value, &integer))
        FUZZ_CHECK((double)integer == number);
    if (!isfinite(number))
        return;
    struct buf out = {0};
    struct json_value again;
    json_append_number(&out, number);
    FUZZ_CHECK(json_parse(buf_slice(&out), &again, NULL) == 0 && json_number(again) == number);
    buf_fini(&out);
}

static void walk(struct json_value value, unsigned depth)
{
    struct json_value again;
    FUZZ_CHECK(depth <= JSON_MAX_DEPTH);
    FUZZ_CHECK(depth > 3 || json_parse(value.text, &again, NULL) == 0);
    FUZZ_CHECK(depth > 3 || (again.kind == value.kind && slice_equal(again.text, value.text)));
    if (value.kind == JSON_STRING)
        check_string(value);
    if (value.kind == JSON_NUMBER)
        check_number(value);
    struct json_iter members = json_members(value);
    struct json_member member;
    while (json_next_member(&members, &member)) {
        struct json_value found;
        FUZZ_CHECK(member.name_escaped == (memchr(member.name.ptr, '\\', member.name.len) != NULL));
        if (depth <= 3 && !member.name_escaped)
            FUZZ_CHECK(json_find(value, member.name, &found));
        walk(member.value, depth + 1);
    }
    struct json_iter elements = json_elements(value);
    while (json_next_element(&elements, &again))
        walk(again, depth + 1);
}

static void check_compact(struct json_value value)
{
    struct buf once = {0};
    struct buf twice = {0};
    struct json_value again;
    json_append_compact(&once, value);
    FUZZ_CHECK(once.len <= value.text.len);
    FUZZ_CHECK(json_parse(buf_slice(&once), &again, NULL) == 0 && again.kind == value.kind);
    json_append_compact(&twice, again);
    FUZZ_CHECK(slice_equal(buf_slice(&once), buf_slice(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
}

/* A container's text is accepted as a whole only. */
static void check_prefixes(struct json_value value)
{
    struct json_value part;
    for (size_t n = 0; n < value.text.len && n < 300; n++)
        FUZZ_CHECK(json_parse(slice_of(value.text.ptr, n), &part, NULL) == FAN_E_TRUNCATED);
}

static void check_scan(struct slice text, int result, const struct json_error *error)
{
    const struct slice names[] = {SLICE("topic"), SLICE("data"), SLICE("a"), SLICE("")};
    struct json_value values[4], value, found_value;
    bool found[4];
    struct json_error scan_error;
    int scanned = json_scan_object(text, names, 4, values, found, &scan_error);
    bool object = result == 0 && json_parse(text, &value, NULL) == 0 && value.kind == JSON_OBJECT;
    FUZZ_CHECK(scanned == (result ? result : object ? 0 : FAN_E_INVALID));
    if (result)
        FUZZ_CHECK(scan_error.at == error->at && scan_error.message == error->message);
    for (int i = 0; object && i < 4; i++) {
        FUZZ_CHECK(json_find(value, names[i], &found_value) == found[i]);
        if (found[i])
            FUZZ_CHECK(found_value.text.ptr == values[i].text.ptr &&
                       found_value.text.len == values[i].text.len &&
                       found_value.kind == values[i].kind);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(slice_of((const char *)data, size));
    struct slice text = slice_of(copy, size);
    struct json_value value;
    struct json_error error = {0};
    unsigned line, column;
    int result = json_parse(text, &value, &error);
    check_scan(text, result, &error);
    if (result == 0) {
        walk(value, 1);
        check_compact(value);
        if (value.kind == JSON_OBJECT || value.kind == JSON_ARRAY)
            check_prefixes(value);
    } else {
        FUZZ_CHECK(error.message && error.at <= size);
        FUZZ_CHECK((result == FAN_E_TRUNCATED) == (error.at == size));
        json_locate(text, error.at, &line, &column);
        FUZZ_CHECK(line >= 1 && column >= 1);
    }
    struct buf lossy = {0};
    json_append_lossy(&lossy, text);
    FUZZ_CHECK(json_parse(buf_slice(&lossy), &value, NULL) == 0);
    buf_fini(&lossy);
    free(copy);
    return 0;
}
