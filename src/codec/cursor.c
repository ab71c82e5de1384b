/* Cursors as text: base64url (RFC 4648, 5) without padding; see cursor.h. */
#include "codec/cursor.h"

#include "fanfare/error.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

static void put_u64(uint8_t out[8], uint64_t n)
{
    for (int i = 7; i >= 0; i--, n >>= 8)
        out[i] = (uint8_t)n;
}

static uint64_t get_u64(const uint8_t in[8])
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | in[i];
    return n;
}

static void encode(const uint8_t *bytes, size_t count, char *out)
{
    unsigned bits = 0;
    uint32_t held = 0;
    for (size_t i = 0; i < count; i++) {
        held = held << 8 | bytes[i];
        for (bits += 8; bits >= 6; bits -= 6)
            *out++ = alphabet[held >> (bits - 6) & 63];
    }
    if (bits)
        *out++ = alphabet[held << (6 - bits) & 63];
    *out = '\0';
}

/* Strict: the length must fit, and the bits left over must be 0, so that one position has one
 * text. */
static int decode(struct slice text, uint8_t *bytes, size_t count)
{
    if (text.len != (count * 8 + 5) / 6)
        return FAN_E_PARSE;
    unsigned bits = 0;
    uint32_t held = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_value(text.ptr[i]);
        if (digit < 0)
            return FAN_E_PARSE;
        held = held << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *bytes++ = (uint8_t)(held >> bits);
        }
    }
    return held & ((1u << bits) - 1) ? FAN_E_PARSE : 0;
}

void cursor_format(struct cursor c, char out[CURSOR_TEXT_SIZE])
{
    uint8_t bytes[16];
    put_u64(bytes, c.epoch);
    put_u64(bytes + 8, c.seq);
    encode(bytes, sizeof bytes, out);
}

int cursor_parse(struct slice text, struct cursor *c)
{
    uint8_t bytes[16];
    int result = decode(text, bytes, sizeof bytes);
    if (result == 0)
        *c = (struct cursor){.epoch = get_u64(bytes), .seq = get_u64(bytes + 8)};
    return result;
}

void epoch_format(uint64_t epoch, char out[EPOCH_TEXT_SIZE])
{
    uint8_t bytes[8];
    put_u64(bytes, epoch);
    encode(bytes, sizeof bytes, out);
}

int epoch_parse(struct slice text, uint64_t *epoch)
{
    uint8_t bytes[8];
    int result = decode(text, bytes, sizeof bytes);
    if (result == 0)
        *epoch = get_u64(bytes);
    return result;
}
