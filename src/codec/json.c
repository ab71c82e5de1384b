/*
 * The strict scanner (RFC 8259): one pass over the bytes, no allocation; see json.h.
 *
 * Recursive descent, bounded by JSON_MAX_DEPTH. Every function takes the position where its part
 * begins and returns the position behind it, or NULL after scan_fail. An error that stands at the
 * very end of the input means that the text is a beginning of a value: FAN_E_TRUNCATED.
 */
#include "codec/json.h"

#include "codec/run.h"
#include "codec/utf8.h"
#include "fanfare/error.h"

struct scan {
    const char *end;
    const char *at; /* where the error is */
    const char *message;
    unsigned depth;
    unsigned escapes; /* seen so far: tells whether a string had any */
};

/* The members that json_scan_object looks for. */
struct wanted {
    const struct slice *names;
    unsigned count;
    struct json_value *values;
    bool *found;
};

static const char *scan_value(struct scan *s, const char *p);

static const char *scan_fail(struct scan *s, const char *at, const char *message)
{
    s->at = at;
    s->message = message;
    return NULL;
}

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static inline bool is_digit(const char *p, const char *end)
{
    return p < end && (unsigned char)(*p - '0') < 10;
}

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- Strings ---- */

/* p is at the backslash. Lone surrogates are allowed by the grammar (8.2). */
static const char *scan_escape(struct scan *s, const char *p)
{
    s->escapes++;
    if (++p == s->end)
        return scan_fail(s, p, "unterminated string");
    if (*p != 'u')
        return memchr("\"\\/bfnrt", *p, 8)
                   ? p + 1
                   : scan_fail(s, p, "expected one of \" \\ / b f n r t u after '\\'");
    p++;
    for (int i = 0; i < 4; i++, p++)
        if (p == s->end || !is_hex_digit(*p))
            return scan_fail(s, p, "expected four hexadecimal digits after '\\u'");
    return p;
}

/* p is at a byte outside ASCII. */
static const char *scan_wide(struct scan *s, const char *p)
{
    int size = utf8_first_size(slice_of(p, (size_t)(s->end - p)));
    if (size < 0)
        return scan_fail(s, s->end, "unterminated string");
    return size > 0 ? p + size : scan_fail(s, p, "invalid UTF-8");
}

/* p is behind the opening quote. */
static const char *scan_string(struct scan *s, const char *p)
{
    for (;;) {
        p = run_json_plain(p, s->end);
        if (p == s->end)
            return scan_fail(s, p, "unterminated string");
        unsigned char c = (unsigned char)*p;
        if (c == '"')
            return p + 1;
        if (c < 0x20)
            return scan_fail(s, p, "control characters in a string must be escaped");
        p = c == '\\' ? scan_escape(s, p) : scan_wide(s, p);
        if (!p)
            return NULL;
    }
}

/* ---- Numbers and words ---- */

static const char *scan_digits(struct scan *s, const char *p)
{
    if (!is_digit(p, s->end))
        return scan_fail(s, p, "expected a digit");
    do
        p++;
    while (is_digit(p, s->end));
    return p;
}

/* p is at the sign or first digit. */
static const char *scan_number(struct scan *s, const char *p)
{
    if (*p == '-')
        p++;
    if (p < s->end && *p == '0') {
        if (is_digit(++p, s->end))
            return scan_fail(s, p, "a number must not have leading zeros");
    } else if (!(p = scan_digits(s, p))) {
        return NULL;
    }
    if (p < s->end && *p == '.' && !(p = scan_digits(s, p + 1)))
        return NULL;
    if (p < s->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < s->end && (*p == '+' || *p == '-'))
            p++;
        p = scan_digits(s, p);
    }
    return p;
}

static const char *scan_word(struct scan *s, const char *p, const char *word, const char *expected)
{
    for (; *word; word++, p++)
        if (p == s->end || *p != *word)
            return scan_fail(s, p, expected);
    return p;
}

/* ---- Objects and arrays ---- */

/* Keeps a member's value if it is wanted. first and last: the value's text. */
static void keep_wanted(const struct wanted *wanted, struct slice name, bool escaped,
                        struct json_value value)
{
    struct json_member member = {.name = name, .name_escaped = escaped};
    for (unsigned i = 0; i < wanted->count; i++) {
        if (escaped ? json_name_is(&member, wanted->names[i])
                    : slice_equal(name, wanted->names[i])) {
            wanted->values[i] = value;
            wanted->found[i] = true;
        }
    }
}

static enum json_kind kind_of(char first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/* One name:value pair; p is at the name's opening quote, the result behind the value. */
static inline const char *scan_member(struct scan *s, const char *p, const struct wanted *wanted)
{
    unsigned escapes = s->escapes;
    const char *name = p + 1;
    const char *name_end = scan_string(s, name);
    if (!name_end)
        return NULL;
    bool escaped = s->escapes != escapes;
    p = skip_space(name_end, s->end);
    if (p == s->end || *p != ':')
        return scan_fail(s, p, "expected ':' after the member's name");
    const char *value = skip_space(p + 1, s->end);
    p = scan_value(s, value);
    if (p && wanted)
        keep_wanted(wanted, slice_of(name, (size_t)(name_end - 1 - name)), escaped,
                    (struct json_value){kind_of(*value), slice_of(value, (size_t)(p - value))});
    return p;
}

/* p is behind the '{'; the result behind the '}'. */
static inline const char *scan_members(struct scan *s, const char *p, const struct wanted *wanted)
{
    p = skip_space(p, s->end);
    if (p < s->end && *p == '}')
        return p + 1;
    const char *expected = "expected a member's name in quotes or '}'";
    for (;;) {
        if (p == s->end || *p != '"')
            return scan_fail(s, p, expected);
        p = scan_member(s, p, wanted);
        if (!p)
            return NULL;
        p = skip_space(p, s->end);
        if (p < s->end && *p == '}')
            return p + 1;
        if (p == s->end || *p != ',')
            return scan_fail(s, p, "expected ',' or '}'");
        p = skip_space(p + 1, s->end);
        expected = "expected a member's name in quotes";
    }
}

/* p is behind the '['; the result behind the ']'. */
static const char *scan_elements(struct scan *s, const char *p)
{
    p = skip_space(p, s->end);
    if (p == s->end)
        return scan_fail(s, p, "expected a value or ']'");
    if (*p == ']')
        return p + 1;
    for (;;) {
        p = scan_value(s, p);
        if (!p)
            return NULL;
        p = skip_space(p, s->end);
        if (p < s->end && *p == ']')
            return p + 1;
        if (p == s->end || *p != ',')
            return scan_fail(s, p, "expected ',' or ']'");
        p = skip_space(p + 1, s->end);
    }
}

static const char *scan_nested(struct scan *s, const char *p)
{
    if (++s->depth > JSON_MAX_DEPTH)
        return scan_fail(s, p, "nested deeper than 128 levels");
    const char *behind = *p == '{' ? scan_members(s, p + 1, NULL) : scan_elements(s, p + 1);
    s->depth--;
    return behind;
}

/* p is at the value's first byte: no white space before it. */
static const char *scan_value(struct scan *s, const char *p)
{
    if (p == s->end)
        return scan_fail(s, p, "expected a value");
    switch (*p) {
    case '"':
        return scan_string(s, p + 1);
    case '{':
    case '[':
        return scan_nested(s, p);
    case 't':
        return scan_word(s, p, "true", "expected 'true'");
    case 'f':
        return scan_word(s, p, "false", "expected 'false'");
    case 'n':
        return scan_word(s, p, "null", "expected 'null'");
    default:
        return *p == '-' || is_digit(p, s->end) ? scan_number(s, p)
                                                : scan_fail(s, p, "expected a value");
    }
}

/* ---- Whole texts ---- */

_Static_assert(JSON_MAX_DEPTH == 128, "the message in scan_nested names the depth");

static int report(const struct scan *s, struct slice text, struct json_error *error)
{
    if (error)
        *error = (struct json_error){(size_t)(s->at - text.ptr), s->message};
    return s->at == s->end ? FAN_E_TRUNCATED : FAN_E_PARSE;
}

/* Nothing but white space may follow the value that ends at p (NULL: it is broken already). */
static int finish(struct scan *s, struct slice text, const char *p, struct json_error *error)
{
    if (!p)
        return report(s, text, error);
    p = skip_space(p, s->end);
    if (p == s->end)
        return 0;
    scan_fail(s, p, "expected nothing more after the value");
    return report(s, text, error);
}

/* What an empty slice may hold in place of a pointer must not reach pointer arithmetic. */
static struct slice never_null(struct slice text)
{
    return text.ptr ? text : SLICE("");
}

int json_parse(struct slice text, struct json_value *value, struct json_error *error)
{
    text = never_null(text);
    struct scan s = {.end = text.ptr + text.len};
    const char *first = skip_space(text.ptr, s.end);
    const char *behind = scan_value(&s, first);
    int result = finish(&s, text, behind, error);
    if (result == 0)
        *value = (struct json_value){kind_of(*first), slice_of(first, (size_t)(behind - first))};
    return result;
}

/* A text that does not begin as an object: either broken, or of the wrong kind. */
static int refuse_other_kind(struct slice text, const char *first, struct json_error *error)
{
    struct json_value value;
    int result = json_parse(text, &value, error);
    if (result)
        return result;
    if (error)
        *error = (struct json_error){(size_t)(first - text.ptr), "expected an object"};
    return FAN_E_INVALID;
}

int json_scan_object(struct slice text, const struct slice *names, unsigned count,
                     struct json_value *values, bool *found, struct json_error *error)
{
    text = never_null(text);
    struct scan s = {.end = text.ptr + text.len, .depth = 1};
    const struct wanted wanted = {names, count, values, found};
    for (unsigned i = 0; i < count; i++)
        found[i] = false;
    const char *first = skip_space(text.ptr, s.end);
    if (first == s.end || *first != '{')
        return refuse_other_kind(text, first, error);
    return finish(&s, text, scan_members(&s, first + 1, &wanted), error);
}

void json_locate(struct slice text, size_t at, unsigned *line, unsigned *column)
{
    *line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < at && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            ++*line;
            line_start = i + 1;
        }
    }
    *column = (unsigned)((at < text.len ? at : text.len) - line_start) + 1;
}

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",        [JSON_FALSE] = "false",     [JSON_TRUE] = "true",
        [JSON_NUMBER] = "a number",  [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",
        [JSON_OBJECT] = "an object",
    };
    return names[kind];
}
