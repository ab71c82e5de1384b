/*
 * Walking values that json_parse has accepted: no checks are repeated here; see json.h.
 */
#include "codec/json.h"
#include "codec/run.h"

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* p is at the opening quote; the result behind the closing one. */
static const char *skip_string(const char *p, const char *end, bool *escaped)
{
    p++;
    *escaped = false;
    while ((p = run_json_quoted(p, end)) < end && *p == '\\') {
        *escaped = true;
        p += 2;
    }
    return p + 1;
}

/* p is at a bracket; the result behind its partner. */
static const char *skip_nested(const char *p, const char *end)
{
    size_t depth = 0;
    bool escaped;
    do {
        switch (*p) {
        case '"':
            p = skip_string(p, end, &escaped);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            break;
        default:
            break;
        }
        p++;
    } while (depth);
    return p;
}

static const char *skip_scalar(const char *p, const char *end)
{
    while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' && *p != '\n' &&
           *p != '\r' && *p != '\t')
        p++;
    return p;
}

/* Reads the value at p, the result is behind it. */
static const char *take_value(const char *p, const char *end, struct json_value *value)
{
    const char *first = p;
    bool escaped;
    switch (*p) {
    case '"':
        value->kind = JSON_STRING;
        p = skip_string(p, end, &escaped);
        break;
    case '{':
    case '[':
        value->kind = *p == '{' ? JSON_OBJECT : JSON_ARRAY;
        p = skip_nested(p, end);
        break;
    default:
        value->kind = *p == 't'   ? JSON_TRUE
                      : *p == 'f' ? JSON_FALSE
                      : *p == 'n' ? JSON_NULL
                                  : JSON_NUMBER;
        p = skip_scalar(p, end);
        break;
    }
    value->text = slice_of(first, (size_t)(p - first));
    return p;
}

/* What stands between the brackets; nothing for a value of another kind. */
static struct json_iter inside(struct json_value value, enum json_kind kind)
{
    if (value.kind != kind || value.text.len < 2)
        return (struct json_iter){"", ""};
    const char *end = value.text.ptr + value.text.len - 1;
    return (struct json_iter){skip_space(value.text.ptr + 1, end), end};
}

/* Behind a value: moves to the next one, over the comma. */
static void advance(struct json_iter *it, const char *p)
{
    p = skip_space(p, it->end);
    if (p < it->end)
        p = skip_space(p + 1, it->end);
    it->at = p;
}

struct json_iter json_members(struct json_value object)
{
    return inside(object, JSON_OBJECT);
}

bool json_next_member(struct json_iter *it, struct json_member *member)
{
    if (it->at >= it->end)
        return false;
    const char *name = it->at + 1;
    const char *p = skip_string(it->at, it->end, &member->name_escaped);
    member->name = slice_of(name, (size_t)(p - 1 - name));
    p = skip_space(p, it->end);
    p = skip_space(p + 1, it->end);
    advance(it, take_value(p, it->end, &member->value));
    return true;
}

struct json_iter json_elements(struct json_value array)
{
    return inside(array, JSON_ARRAY);
}

bool json_next_element(struct json_iter *it, struct json_value *element)
{
    if (it->at >= it->end)
        return false;
    advance(it, take_value(it->at, it->end, element));
    return true;
}

bool json_find(struct json_value object, struct slice name, struct json_value *value)
{
    struct json_iter it = json_members(object);
    struct json_member member;
    bool found = false;
    while (json_next_member(&it, &member)) {
        if (json_name_is(&member, name)) {
            *value = member.value;
            found = true;
        }
    }
    return found;
}

void json_append_compact(struct buf *out, struct json_value value)
{
    const char *p = value.text.ptr;
    const char *end = p + value.text.len;
    bool escaped;
    while (p < end) {
        const char *run = p;
        while (p < end && *p != ' ' && *p != '\n' && *p != '\r' && *p != '\t')
            p = *p == '"' ? skip_string(p, end, &escaped) : p + 1;
        buf_append(out, run, (size_t)(p - run));
        p = skip_space(p, end);
    }
}

unsigned json_count(struct slice array)
{
    struct json_value value, element;
    unsigned count = 0;
    if (json_parse(array, &value, NULL) != 0 || value.kind != JSON_ARRAY)
        return 0;
    struct json_iter it = json_elements(value);
    while (json_next_element(&it, &element))
        count++;
    return count;
}
