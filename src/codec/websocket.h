/*
 * WebSocket (RFC 6455): handshake values, frames out, frames in. No I/O, any thread.
 */
#ifndef CODEC_WEBSOCKET_H
#define CODEC_WEBSOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "codec/utf8.h"

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

/* Close codes (RFC 6455, 7.4.1, and the IANA registry). */
enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL_ERROR = 1002,
    WS_CLOSE_UNSUPPORTED = 1003,
    WS_CLOSE_NO_STATUS = 1005, /* never on the wire */
    WS_CLOSE_ABNORMAL = 1006,  /* never on the wire */
    WS_CLOSE_INVALID_DATA = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_LARGE = 1009,
    WS_CLOSE_INTERNAL = 1011,
    WS_CLOSE_TRY_LATER = 1013,
    WS_CLOSE_TOKEN_EXPIRED = 4401, /* our own */
};

#define WS_HEADER_MAX 14

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key (4.2.2): 28 characters and a NUL; "" for a key that
 * is not 24 characters long, or when the digest cannot be computed. */
void ws_accept_value(struct slice key, char out[29]);

/* Whether a Sec-WebSocket-Key is the base64 of 16 bytes (4.2.1). */
bool ws_key_valid(struct slice key);

/* Writes a frame header for len payload bytes; returns its size (2, 4 or 10 without mask).
 * rsv1 marks a compressed message. mask: 4 bytes, or NULL for a server's frames. */
size_t ws_header_write(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, bool fin, bool rsv1,
                       uint64_t len, const uint8_t *mask);

/* Appends a whole unmasked frame. */
void ws_append_frame(struct buf *out, enum ws_opcode opcode, bool rsv1, struct slice payload);

/* Appends a close frame; the reason is cut to 123 bytes on a code point boundary. code 0: an
 * empty close frame. */
void ws_append_close(struct buf *out, uint16_t code, struct slice reason);

/* XORs data with the mask, beginning at mask byte `phase`. */
void ws_mask(char *data, size_t len, const uint8_t mask[4], unsigned phase);

/*
 * Frames in. The reader takes bytes as they come from the socket and calls back once for each
 * whole message and control frame. It unmasks in place (the input is changed). A message that
 * lies in the input whole and in one frame is handed out as a slice of the input without any
 * copy; only partial frames and fragmented messages are kept in `pending`, which is freed when
 * the message is done. An idle reader owns no memory.
 */
struct ws_inflate; /* codec/deflate.h */

struct ws_reader_config {
    bool client;          /* read unmasked frames, as a client does; servers refuse them */
    bool deflate;         /* permessage-deflate was agreed: RSV1 is allowed */
    uint8_t window_bits;  /* of the peer's compressor, 8–15, when deflate */
    bool peer_no_context; /* the peer starts each message anew */
    uint64_t max_message; /* bytes, after inflating; larger → WS_CLOSE_TOO_LARGE, found from the
                             header before anything is buffered */
};

struct ws_reader_ops {
    /* A whole text (valid UTF-8) or binary message. The slice is valid during the call. A
     * non-zero return stops reading and is returned by ws_reader_feed. */
    int (*message)(void *arg, enum ws_opcode opcode, struct slice payload);
    /* Ping, pong or close. For close, code is WS_CLOSE_NO_STATUS without a payload; the reason
     * is valid UTF-8; nothing is read after it. */
    int (*control)(void *arg, enum ws_opcode opcode, uint16_t code, struct slice payload);
};

struct ws_reader {
    struct ws_partial *partial; /* NULL between messages; holds what a partial one needs */
    struct ws_inflate *inflate; /* NULL until the first compressed message (peers that keep their
                                   context only) */
    bool closed;                /* a close frame was read */
};

void ws_reader_init(struct ws_reader *r);
void ws_reader_fini(struct ws_reader *r);

/* Reads all of data. Returns 0; a callback's non-zero value; or a negative fan_error
 * (PROTOCOL, TOO_LARGE, NO_MEMORY) with *close_code set to what the close frame must say
 * (1002, 1007, 1009, 1011) and *why to a sentence. Bytes after a close frame are ignored. */
int ws_reader_feed(struct ws_reader *r, const struct ws_reader_config *config,
                   const struct ws_reader_ops *ops, void *arg, char *data, size_t len,
                   uint16_t *close_code, const char **why);

/* Memory held for a partial message, in bytes. */
size_t ws_reader_held(const struct ws_reader *r);

#endif
