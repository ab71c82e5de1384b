/* Start positions; see resume.h. */
#include "dialect/resume.h"

#include "codec/cursor.h"
#include "codec/http.h"
#include "fanfare/error.h"

int resume_from_cursor(struct slice text, struct start_point *start)
{
    struct cursor c;
    if (cursor_parse(text, &c) != 0)
        return FAN_E_INVALID;
    *start = (struct start_point){START_CURSOR, c.seq, c.epoch};
    return 0;
}

static int parse_number(struct slice text, uint64_t *n)
{
    *n = 0;
    if (text.len == 0 || text.len > 15)
        return FAN_E_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return FAN_E_INVALID;
        *n = *n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    return 0;
}

/* An epoch that cannot be one of ours is simply another one. */
static uint64_t epoch_or_none(struct slice text)
{
    uint64_t epoch;
    return epoch_parse(text, &epoch) == 0 ? epoch : 0;
}

int resume_from_query(struct slice query, struct start_point *start)
{
    struct buf value = {0};
    int error = http_query_get(query, "cursor", &value), result = 0;
    *start = (struct start_point){0};
    if (error != FAN_E_NOT_FOUND) {
        result = error ? FAN_E_INVALID : resume_from_cursor(buf_slice(&value), start);
        buf_fini(&value);
        return result;
    }
    buf_clear(&value);
    error = http_query_get(query, "since", &value);
    if (error != FAN_E_NOT_FOUND) {
        uint64_t offset;
        result = error ? FAN_E_INVALID : parse_number(buf_slice(&value), &offset);
        buf_clear(&value);
        error = http_query_get(query, "epoch", &value);
        if (!result && error == FAN_E_NOT_FOUND && offset == 0)
            start->kind = START_BEGINNING; /* as in event streams */
        else if (!result && error)
            result = FAN_E_INVALID;
        else if (!result)
            *start = (struct start_point){START_OFFSET, offset, epoch_or_none(buf_slice(&value))};
    }
    buf_fini(&value);
    return result;
}

int resume_from_message(struct json_value message, const char *offset_name,
                        struct start_point *start)
{
    struct json_value cursor, epoch, offset;
    struct slice text;
    int64_t number;
    if (json_find(message, SLICE("cursor"), &cursor)) {
        if (cursor.kind != JSON_STRING || !json_string_plain(cursor, &text))
            return FAN_E_INVALID;
        return resume_from_cursor(text, start);
    }
    if (!json_find(message, SLICE("epoch"), &epoch) || epoch.kind != JSON_STRING ||
        !json_string_plain(epoch, &text))
        return FAN_E_INVALID;
    if (!json_find(message, slice_from(offset_name), &offset) || offset.kind != JSON_NUMBER ||
        !json_integer(offset, &number) || number < 0)
        return FAN_E_INVALID;
    *start = (struct start_point){START_OFFSET, (uint64_t)number, epoch_or_none(text)};
    return 0;
}
