/* Cursors as text: base64url (RFC 4648, 5) without padding; see cursor.h. */
#include "codec/cursor.h"

#include "codec/base64url.h"
#include "fanfare/error.h"

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
    out[base64url_encode(bytes, count, out)] = '\0';
}

static int decode(struct slice text, uint8_t *bytes, size_t count)
{
    return text.len == BASE64URL_LENGTH(count) ? base64url_decode_into(text, bytes) : FAN_E_PARSE;
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
