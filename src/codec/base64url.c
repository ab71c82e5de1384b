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

int base64url_decode(struct slice text, struct buf *out)
{
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
            buf_append_char(out, (char)(bits >> count & 0xff));
        }
    }
    if (bits & ((1u << count) - 1))
        return FAN_E_PARSE;
    return out->failed ? FAN_E_NO_MEMORY : 0;
}

void base64url_append(struct buf *out, struct slice bytes)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (unsigned char)bytes.ptr[i];
        for (count += 8; count >= 6; count -= 6)
            buf_append_char(out, digits[bits >> (count - 6) & 63]);
    }
    if (count)
        buf_append_char(out, digits[bits << (6 - count) & 63]);
}
