/*
 * Socket.IO protocol 5: packets as the text of Engine.IO messages, and their attachments.
 *
 * A packet's data stays JSON text: nothing is built of it, so that members of any name
 * (`__proto__`) are bytes like others. No I/O, any thread.
 */
#ifndef CODEC_SOCKETIO_H
#define CODEC_SOCKETIO_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/json.h"

enum sio_type {
    SIO_CONNECT,
    SIO_DISCONNECT,
    SIO_EVENT,
    SIO_ACK,
    SIO_CONNECT_ERROR,
    SIO_BINARY_EVENT,
    SIO_BINARY_ACK,
    SIO_TYPES, /* how many there are */
};

#define SIO_ATTACHMENTS_MAX 64
#define SIO_NAMESPACE_MAX   128

struct sio_packet {
    enum sio_type type;
    struct slice space; /* the namespace, "/" when none is named; without what follows a '?' */
    bool has_id;
    uint64_t id; /* of the acknowledgement */
    unsigned attachments;
    struct json_value data; /* JSON_NULL: none */
};

/* Reads a packet. Checks what its type says about its data: an event is an array that begins with
 * a name (a string that is none of the client library's own, or a number), an acknowledgement an
 * array, an attachment's placeholder has the number of an attachment. Slices are of text. 0;
 * FAN_E_PARSE with *why, a sentence (static). */
int sio_packet_parse(struct slice text, struct sio_packet *packet, const char **why);

/* Whether a namespace may be called so: a '/', then no ',' '?', spaces or control characters, at
 * most SIO_NAMESPACE_MAX in all. */
bool sio_namespace_valid(struct slice name);

/* Appends a packet up to its data, which follows as JSON: `2/ws,7`. */
void sio_append_head(struct buf *out, enum sio_type type, struct slice space, const uint64_t *id);

/* The same for an event or acknowledgement with attachments, which changes its type; 0: none. */
void sio_append_binary_head(struct buf *out, enum sio_type type, unsigned attachments,
                            struct slice space, const uint64_t *id);

/* Whether the text is a JSON array whose placeholders stand for that many attachments. */
bool sio_arguments_valid(struct slice json, unsigned attachments);

/* Whether a client's library speaks to its own program by events of that name. */
bool sio_event_reserved(struct slice name);

/* ---- Attachments ---- */

/* Puts packets with attachments together. An idle one owns no memory. */
struct sio_assembly;

struct sio_whole {
    struct sio_packet packet;
    const struct slice *attachments; /* as many as packet.attachments */
};

/* Takes the text of an Engine.IO message. Returns 1 with *whole (valid until the next call), 0 when
 * attachments are still to come; FAN_E_PARSE with *why; FAN_E_NO_MEMORY. *assembly begins as
 * NULL. */
int sio_take_text(struct sio_assembly **assembly, struct slice text, struct sio_whole *whole,
                  const char **why);

/* The same for a binary message. Also FAN_E_TOO_LARGE when all of them together exceed `most`
 * bytes. */
int sio_take_binary(struct sio_assembly **assembly, struct slice bytes, size_t most,
                    struct sio_whole *whole, const char **why);

/* Forgets what has come so far. */
void sio_assembly_free(struct sio_assembly **assembly);

#endif
