/*
 * JSON strings: escapes resolved on the way in, put in on the way out; see json.h.
 */
#include "codec/json.h"
#include "codec/run.h"
#include "codec/utf8.h"

#define REPLACEMENT 0xFFFD

/* ---- Reading: the text between the quotes of a string that json_parse has accepted ---- */

static struct slice between_quotes(struct json_value string)
{
    if (string.kind != JSON_STRING || string.text.len < 2)
        return SLICE("");
    return slice_of(string.text.ptr + 1, string.text.len - 2);
}

static uint32_t hex4(const char *p)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
        n = n << 4 | digit;
    }
    return n;
}

/* Reads "\uXXXX" (both halves of a surrogate pair); an unpaired half is U+FFFD. */
static uint32_t take_unicode_escape(struct slice *rest)
{
    uint32_t unit = hex4(rest->ptr + 2);
    *rest = slice_skip(*rest, 6);
    if (unit < 0xD800 || unit > 0xDFFF)
        return unit;
    if (unit > 0xDBFF || rest->len < 6 || rest->ptr[0] != '\\' || rest->ptr[1] != 'u')
        return REPLACEMENT;
    uint32_t low = hex4(rest->ptr + 2);
    if (low < 0xDC00 || low > 0xDFFF)
        return REPLACEMENT;
    *rest = slice_skip(*rest, 6);
    return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
}

/* Reads the escape that *rest begins with. */
static uint32_t take_escape(struct slice *rest)
{
    char c = rest->ptr[1];
    if (c == 'u')
        return take_unicode_escape(rest);
    *rest = slice_skip(*rest, 2);
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return (unsigned char)c;
    }
}

/* Splits off what stands before the next escape. */
static struct slice take_plain(struct slice *rest)
{
    const char *at = memchr(rest->ptr, '\\', rest->len);
    struct slice plain = at ? slice_of(rest->ptr, (size_t)(at - rest->ptr)) : *rest;
    *rest = slice_skip(*rest, plain.len);
    return plain;
}

void json_string_append(struct buf *out, struct json_value string)
{
    struct slice rest = between_quotes(string);
    while (rest.len) {
        buf_append_slice(out, take_plain(&rest));
        if (rest.len)
            utf8_append(out, take_escape(&rest));
    }
}

bool json_string_plain(struct json_value string, struct slice *content)
{
    if (string.kind != JSON_STRING)
        return false;
    struct slice inner = between_quotes(string);
    if (memchr(inner.ptr, '\\', inner.len))
        return false;
    *content = inner;
    return true;
}

/* Removes what `text` and the beginning of *wanted have in common; false if not all of text. */
static bool drop_prefix(struct slice *wanted, struct slice text)
{
    if (wanted->len < text.len || (text.len && memcmp(wanted->ptr, text.ptr, text.len) != 0))
        return false;
    *wanted = slice_skip(*wanted, text.len);
    return true;
}

/* Whether escaped text, escapes resolved, is `wanted`. */
static bool equals_unescaped(struct slice escaped, struct slice wanted)
{
    while (escaped.len) {
        if (!drop_prefix(&wanted, take_plain(&escaped)))
            return false;
        if (!escaped.len)
            break;
        char room[4];
        struct buf character = {.data = room, .cap = sizeof room};
        utf8_append(&character, take_escape(&escaped));
        if (!drop_prefix(&wanted, buf_slice(&character)))
            return false;
    }
    return wanted.len == 0;
}

bool json_name_is(const struct json_member *member, struct slice name)
{
    return member->name_escaped ? equals_unescaped(member->name, name)
                                : slice_equal(member->name, name);
}

bool json_string_is(struct json_value string, const char *text)
{
    return string.kind == JSON_STRING && equals_unescaped(between_quotes(string), slice_from(text));
}

/* ---- Writing ---- */

static void append_escape(struct buf *out, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btn\0fr"; /* of U+0008 to U+000D */
    unsigned char code = (unsigned char)c;
    char letter = c == '"' || c == '\\' ? c : code >= 8 && code <= 13 ? letters[code - 8] : '\0';
    if (letter) {
        buf_append(out, (char[]){'\\', letter}, 2);
        return;
    }
    buf_append(out, (char[]){'\\', 'u', '0', '0', hex[code >> 4], hex[code & 15]}, 6);
}

/* Appends text with escapes, without quotes. */
static void append_escaped(struct buf *out, struct slice text)
{
    const char *p = text.ptr;
    const char *end = p + text.len;
    while (p < end) {
        const char *run = p;
        while ((p = run_json_plain(p, end)) < end && (unsigned char)*p >= 0x80)
            p++;
        buf_append(out, run, (size_t)(p - run));
        if (p < end)
            append_escape(out, *p++);
    }
}

void json_append_string(struct buf *out, struct slice text)
{
    buf_append_char(out, '"');
    if (text.len)
        append_escaped(out, text);
    buf_append_char(out, '"');
}

void json_append_lossy(struct buf *out, struct slice text)
{
    buf_append_char(out, '"');
    while (text.len) {
        size_t bad;
        size_t good = utf8_valid_prefix(text, &bad);
        append_escaped(out, slice_of(text.ptr, good));
        if (bad)
            utf8_append(out, REPLACEMENT);
        text = slice_skip(text, good + bad);
    }
    buf_append_char(out, '"');
}
