/* base64url; see base64url.h. */
#include "codec/base64url.h"

#include "fanfare/error.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The digit's value; -1: it is none. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

size_t base64url_encode(const void *bytes, size_t n, char *out)
{
    const unsigned char *from = bytes;
    const char *begin = out;
    uint32_t bits = 0;
    unsigned count = 0; /* of bits that are in no digit yet */
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | from[i];
        for (count += 8; count >= 6; count -= 6)
            *out++ = digits[bits >> (count - 6) & 63];
    }
    if (count)
        *out++ = digits[bits << (6 - count) & 63];
    return (size_t)(out - begin);
}

int base64url_decode_into(struct slice text, void *bytes)
{
    unsigned char *to = bytes;
    uint32_t bits = 0;
    unsigned count = 0; /* of bits that are in no byte yet */
    if (text.len % 4 == 1)
        return FAN_E_PARSE;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.ptr[i]);
        if (value < 0)
            return FAN_E_PARSE;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *to++ = (unsigned char)(bits >> count);
        }
    }
    return bits & ((1u << count) - 1) ? FAN_E_PARSE : 0;
}

int base64url_decode(struct slice text, struct buf *out)
{
    size_t n = BASE64URL_BYTES(text.len);
    if (n == 0)
        return text.len ? FAN_E_PARSE : 0;
    char *room = buf_reserve(out, n);
    if (!room)
        return FAN_E_NO_MEMORY;
    int error = base64url_decode_into(text, room);
    if (!error)
        buf_commit(out, n);
    return error;
}

void base64url_append(struct buf *out, struct slice bytes)
{
    char *room = buf_reserve(out, BASE64URL_LENGTH(bytes.len));
    if (room)
        buf_commit(out, base64url_encode(bytes.ptr, bytes.len, room));
}
