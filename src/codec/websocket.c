/* WebSocket handshake values and frames out; see websocket.h. */
#include "codec/websocket.h"

#include <openssl/evp.h>
#include <pthread.h>

/* ---- Handshake ---- */

/* Looked up once; each use by name would search OpenSSL's providers again. */
static const EVP_MD *sha1_digest;

static void fetch_sha1(void)
{
    sha1_digest = EVP_MD_fetch(NULL, "SHA1", NULL);
}

void ws_accept_value(struct slice key, char out[29])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* 4.2.2, item 5.4 */
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char text[24 + sizeof guid - 1];
    unsigned char digest[EVP_MAX_MD_SIZE];
    out[0] = '\0';
    if (key.len != 24)
        return;
    memcpy(text, key.ptr, key.len);
    memcpy(text + key.len, guid, sizeof guid - 1);
    pthread_once(&once, fetch_sha1);
    if (sha1_digest && EVP_Digest(text, sizeof text, digest, NULL, sha1_digest, NULL))
        EVP_EncodeBlock((unsigned char *)out, digest, 20);
}

bool ws_key_valid(struct slice key)
{
    if (key.len != 24 || key.ptr[22] != '=' || key.ptr[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.ptr[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '/'))
            return false;
    }
    return true;
}

/* ---- Frames out (5.2) ---- */

static void put_big_endian(uint8_t *out, uint64_t n, unsigned bytes)
{
    while (bytes--) {
        out[bytes] = (uint8_t)n;
        n >>= 8;
    }
}

size_t ws_header_write(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, bool fin, bool rsv1,
                       uint64_t len, const uint8_t *mask)
{
    size_t size = 2;
    uint8_t masked = mask ? 0x80 : 0;
    out[0] = (uint8_t)((fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode);
    if (len < 126) {
        out[1] = (uint8_t)(masked | len);
    } else if (len <= UINT16_MAX) {
        out[1] = masked | 126;
        put_big_endian(out + 2, len, 2);
        size = 4;
    } else {
        out[1] = masked | 127;
        put_big_endian(out + 2, len, 8);
        size = 10;
    }
    if (mask) {
        memcpy(out + size, mask, 4);
        size += 4;
    }
    return size;
}

void ws_append_frame(struct buf *out, enum ws_opcode opcode, bool rsv1, struct slice payload)
{
    uint8_t header[WS_HEADER_MAX];
    size_t size = ws_header_write(header, opcode, true, rsv1, payload.len, NULL);
    if (!buf_reserve(out, size + payload.len))
        return; /* failed: not half a frame */
    buf_append(out, header, size);
    buf_append_slice(out, payload);
}

void ws_append_close(struct buf *out, uint16_t code, struct slice reason)
{
    char payload[125];
    if (code == 0) {
        ws_append_frame(out, WS_CLOSE, false, SLICE(""));
        return;
    }
    if (reason.len > sizeof payload - 2) {
        reason.len = sizeof payload - 2;
        reason.len -= utf8_incomplete_tail(reason);
    }
    put_big_endian((uint8_t *)payload, code, 2);
    if (reason.len)
        memcpy(payload + 2, reason.ptr, reason.len);
    ws_append_frame(out, WS_CLOSE, false, slice_of(payload, 2 + reason.len));
}

/* ---- Masking (5.3) ---- */

void ws_mask(char *data, size_t len, const uint8_t mask[4], unsigned phase)
{
    uint8_t turned[8];
    for (unsigned i = 0; i < 8; i++)
        turned[i] = mask[(phase + i) & 3];
    uint64_t pattern;
    memcpy(&pattern, turned, sizeof pattern);
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, data + i, sizeof word);
        word ^= pattern;
        memcpy(data + i, &word, sizeof word);
    }
    for (; i < len; i++)
        data[i] = (char)(data[i] ^ turned[i & 7]);
}
