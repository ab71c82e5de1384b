/*
 * UTF-8 (RFC 3629); see utf8.h.
 *
 * A lead byte decides how many bytes follow and narrows the range of the first of them: that
 * alone keeps out overlong forms, surrogates and what lies above U+10FFFF.
 */
#include "codec/utf8.h"

#include "codec/run.h"

/* The state behind a lead byte. False: no code point begins with it. */
static bool utf8_lead(struct utf8_state *s, unsigned char lead)
{
    *s = (struct utf8_state){.low = 0x80, .high = 0xBF};
    if (lead < 0x80)
        return true;
    if (lead < 0xC2 || lead > 0xF4)
        return false;
    s->need = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    if (lead == 0xE0)
        s->low = 0xA0;
    else if (lead == 0xED)
        s->high = 0x9F;
    else if (lead == 0xF0)
        s->low = 0x90;
    else if (lead == 0xF4)
        s->high = 0x8F;
    return true;
}

/* Takes a continuation byte; false when it may not stand here. */
static bool utf8_continue(struct utf8_state *s, unsigned char c)
{
    if (c < s->low || c > s->high)
        return false;
    *s = (struct utf8_state){.need = (uint8_t)(s->need - 1), .low = 0x80, .high = 0xBF};
    return true;
}

bool utf8_feed(struct utf8_state *s, struct slice piece)
{
    if (piece.len == 0)
        return true;
    const char *p = piece.ptr;
    const char *end = p + piece.len;
    while (p < end) {
        if (s->need) {
            if (!utf8_continue(s, (unsigned char)*p++))
                return false;
            continue;
        }
        p = run_ascii(p, end);
        if (p < end && !utf8_lead(s, (unsigned char)*p++))
            return false;
    }
    return true;
}

bool utf8_valid(struct slice text)
{
    struct utf8_state s = {0};
    return utf8_feed(&s, text) && utf8_complete(&s);
}

int utf8_first_size(struct slice text)
{
    struct utf8_state s;
    if (!utf8_lead(&s, (unsigned char)text.ptr[0]))
        return 0;
    int size = 1 + s.need;
    for (size_t i = 1; s.need; i++) {
        if (i == text.len)
            return -1;
        if (!utf8_continue(&s, (unsigned char)text.ptr[i]))
            return 0;
    }
    return size;
}

size_t utf8_incomplete_tail(struct slice text)
{
    size_t most = text.len < 3 ? text.len : 3;
    for (size_t n = 1; n <= most; n++) {
        struct slice tail = slice_skip(text, text.len - n);
        if (((unsigned char)tail.ptr[0] & 0xC0) != 0x80)
            return utf8_first_size(tail) == -1 ? n : 0;
    }
    return 0;
}

/* How many bytes at the beginning of text, which is no code point, count as one error. */
static size_t invalid_size(struct slice text)
{
    struct utf8_state s;
    if (!utf8_lead(&s, (unsigned char)text.ptr[0]))
        return 1;
    size_t n = 1;
    while (n < text.len && s.need && utf8_continue(&s, (unsigned char)text.ptr[n]))
        n++;
    return n;
}

size_t utf8_valid_prefix(struct slice text, size_t *bad)
{
    *bad = 0;
    if (text.len == 0)
        return 0;
    const char *end = text.ptr + text.len;
    const char *p = text.ptr;
    while ((p = run_ascii(p, end)) < end) {
        struct slice rest = slice_of(p, (size_t)(end - p));
        int size = utf8_first_size(rest);
        if (size <= 0) {
            *bad = invalid_size(rest);
            break;
        }
        p += size;
    }
    return (size_t)(p - text.ptr);
}

void utf8_append(struct buf *out, uint32_t code_point)
{
    if (code_point < 0x80) {
        buf_append_char(out, (char)code_point);
        return;
    }
    unsigned following = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
    static const unsigned char marks[] = {0, 0xC0, 0xE0, 0xF0};
    char bytes[4];
    bytes[0] = (char)(marks[following] | code_point >> (6 * following));
    for (unsigned i = 1; i <= following; i++)
        bytes[i] = (char)(0x80 | (code_point >> (6 * (following - i)) & 0x3F));
    buf_append(out, bytes, following + 1);
}

void utf8_append_repaired(struct buf *out, struct slice text)
{
    while (text.len) {
        size_t bad;
        size_t good = utf8_valid_prefix(text, &bad);
        buf_append(out, text.ptr, good);
        if (bad)
            utf8_append(out, 0xFFFD);
        text = slice_skip(text, good + bad);
    }
}
