/*
 * permessage-deflate (RFC 7692): negotiation, compression of whole messages, inflation.
 *
 * The server compresses each message on its own (server_no_context_takeover), so that one
 * compressed frame serves every subscriber; an offer that needs a smaller server window than 15
 * bits is declined, unless frames are not shared. No I/O; an object belongs to one thread.
 */
#ifndef CODEC_DEFLATE_H
#define CODEC_DEFLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

struct ws_deflate_agreement {
    bool on;
    bool client_no_context;     /* agreed: the client starts each message anew */
    uint8_t client_window_bits; /* 8–15 */
    uint8_t server_window_bits; /* 9–15 */
};

/* What the server wants of an agreement. */
enum {
    /* Ask the client for client_no_context_takeover: idle connections need no inflate window. */
    WS_DEFLATE_CLIENT_ANEW = 1,
    /* Accept offers that need a smaller window of the server: its frames serve one client. */
    WS_DEFLATE_ANY_WINDOW = 2,
};

/* Reads the value of Sec-WebSocket-Extensions (all such header lines joined with ", ") and picks
 * the first acceptable permessage-deflate offer. Writes the answer header's value to `answer`
 * ("" when declined). An offer with unknown, duplicate or malformed parameters is declined
 * (7.1). A syntactically broken header returns FAN_E_PROTOCOL: the handshake is refused with 400.
 * wishes: WS_DEFLATE_… */
int ws_deflate_negotiate(struct slice offers, unsigned wishes,
                         struct ws_deflate_agreement *agreement, char answer[192]);

/* A compressor that each message starts anew. level 1–9; window_bits 9–15, else 15. NULL: no
 * memory. */
struct ws_deflate;
struct ws_deflate *ws_deflate_new(int level);
struct ws_deflate *ws_deflate_new_window(int level, int window_bits);
void ws_deflate_free(struct ws_deflate *d);

/* Appends the message compressed as 7.2.1 says (raw deflate, trailing 00 00 FF FF removed). */
int ws_deflate_message(struct ws_deflate *d, struct slice message, struct buf *out);

/* An inflater with the peer's window. */
struct ws_inflate;
struct ws_inflate *ws_inflate_new(int window_bits);
void ws_inflate_free(struct ws_inflate *i);

/* Appends the inflated message (7.2.2). At most `limit` bytes: FAN_E_TOO_LARGE beyond (a small
 * bomb costs no more memory than the limit). FAN_E_PROTOCOL for broken data. reset: the next
 * message starts with an empty window. */
int ws_inflate_message(struct ws_inflate *i, struct slice payload, bool reset, size_t limit,
                       struct buf *out);

#endif
