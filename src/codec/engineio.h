/*
 * Engine.IO protocol 4: packets, payloads of HTTP long-polling, and which packets a session takes
 * in which state. No I/O, any thread.
 */
#ifndef CODEC_ENGINEIO_H
#define CODEC_ENGINEIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum eio_type {
    EIO_OPEN,
    EIO_CLOSE,
    EIO_PING,
    EIO_PONG,
    EIO_MESSAGE,
    EIO_UPGRADE,
    EIO_NOOP,
    EIO_TYPES, /* how many there are */
};

struct eio_packet {
    enum eio_type type;
    bool binary;       /* a message of bytes; on WebSocket a binary frame without a type */
    struct slice data; /* behind the type */
};

/* Stands between the packets of a payload. */
#define EIO_SEPARATOR '\x1e'

/* Most packets of one payload. */
#define EIO_PAYLOAD_PACKETS 1024

/* Reads the text of a WebSocket message. FAN_E_PARSE: it is empty or has an unknown type. */
int eio_packet_parse(struct slice text, struct eio_packet *packet);

/* Takes the next packet of a payload off *rest, which begins as the whole body with ptr not NULL
 * and ends as NULL. Bytes of a binary one are decoded into `bytes`, whose content it takes the
 * place of. 0; FAN_E_NOT_FOUND behind the last one; FAN_E_PARSE; FAN_E_NO_MEMORY. */
int eio_payload_next(struct slice *rest, struct eio_packet *packet, struct buf *bytes);

/* Appends a packet as WebSocket has it in a text frame, without the frame; not for binary ones. */
void eio_packet_append(struct buf *out, enum eio_type type, struct slice data);

/* Adds a packet to a payload: what a WebSocket frame has as its text, or the bytes of a binary
 * one. */
void eio_payload_append_text(struct buf *payload, struct slice packet);
void eio_payload_append_binary(struct buf *payload, struct slice bytes);

/* ---- Sessions ---- */

enum eio_state {
    EIO_ON_POLLING,
    EIO_PROBING, /* a WebSocket came for a session that polls */
    EIO_PROBED,  /* and its ping was answered */
    EIO_ON_WEBSOCKET,
    EIO_CLOSED,
    EIO_STATES, /* how many there are */
};

/* The state that a packet of the client leads to; the same one, mostly. False: no client may send
 * it there, and the session ends. The only ping of a client is its probe. */
bool eio_state_next(enum eio_state state, const struct eio_packet *packet, enum eio_state *next);

#endif
