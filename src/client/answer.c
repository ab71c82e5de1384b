/* What a server answers to published events; see answer.h. */
#include "client/answer.h"

#include "codec/json.h"

static bool find_count(struct json_value object, struct slice name, uint64_t *out)
{
    struct json_value value;
    int64_t n;
    if (!json_find(object, name, &value) || value.kind != JSON_NUMBER || !json_integer(value, &n) ||
        n < 0)
        return false;
    *out = (uint64_t)n;
    return true;
}

static bool append_text(struct buf *out, struct json_value object, struct slice name)
{
    struct json_value value;
    if (!json_find(object, name, &value) || value.kind != JSON_STRING)
        return false;
    json_string_append(out, value);
    return true;
}

/* Whether a code or a status is about the moment, not about the event. */
static bool is_passing(struct json_value object, int status)
{
    static const char *const codes[] = {
        "out_of_memory", "too_many_topics",     "rate_limited",
        "overloaded",    "storage_unavailable", "unavailable",
    };
    struct json_value code;
    if (status)
        return status == 429 || status == 503;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (json_find(object, SLICE("code"), &code) && json_string_is(code, codes[i]))
            return true;
    return false;
}

static void read_object(struct json_value object, struct answer_error *error)
{
    uint64_t n;
    if (find_count(object, SLICE("status"), &n) && n < 1000)
        error->status = (int)n;
    if (find_count(object, SLICE("retry_after"), &n) && n < 3600)
        error->retry_ms = (uint32_t)n * 1000;
    error->later = is_passing(object, error->status);
    if (append_text(&error->message, object, SLICE("message")) ||
        append_text(&error->message, object, SLICE("detail")) ||
        append_text(&error->message, object, SLICE("code")))
        return;
    buf_append_slice(&error->message, object.text);
}

bool answer_error_parse(struct slice json, struct answer_error *error)
{
    struct json_value object, value;
    *error = (struct answer_error){0};
    if (json_parse(json, &object, NULL) || object.kind != JSON_OBJECT ||
        !json_find(object, SLICE("error"), &value))
        return false;
    find_count(object, SLICE("line"), &error->line);
    if (value.kind == JSON_OBJECT)
        read_object(value, error);
    else if (value.kind == JSON_STRING)
        json_string_append(&error->message, value);
    else
        buf_append_slice(&error->message, value.text);
    return true;
}

void answer_error_fini(struct answer_error *error)
{
    buf_fini(&error->message);
}

bool answer_batch_parse(struct slice json, uint64_t *published, uint64_t *failed)
{
    struct json_value object;
    if (json_parse(json, &object, NULL) || object.kind != JSON_OBJECT)
        return false;
    *failed = 0;
    if (!find_count(object, SLICE("published"), published))
        return false;
    find_count(object, SLICE("failed"), failed);
    return true;
}
