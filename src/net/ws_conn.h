/*
 * WebSocket (RFC 6455) on a connection: the handshake's answer, messages in and out, pings, the
 * close handshake, and the limits that hold for every client. Worker's thread only.
 */
#ifndef NET_WS_CONN_H
#define NET_WS_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "codec/websocket.h"
#include "net/conn.h"
#include "net/http_server.h"

struct ws_conn;

struct ws_ops {
    /* A whole message; binary only when `binary`. */
    void (*message)(struct ws_conn *ws, struct slice text, bool binary);
    /* All bytes of one read have been handled. May be NULL. */
    void (*batch_end)(struct ws_conn *ws);
    /* The client has sent too many messages for 30 s. */
    void (*rate_limited)(struct ws_conn *ws);
    /* As in conn_ops; may be NULL. */
    void (*drained)(struct ws_conn *ws);
    void (*closed)(struct ws_conn *ws);
    /* The server goes, and may say so several times: closes now or, when something is owed to the
     * client, soon. NULL: it is closed with 1001. */
    void (*shutdown)(struct ws_conn *ws);
    /* The client's close frame came (code 1005: without a code); `closed` follows. May be NULL. */
    void (*close_frame)(struct ws_conn *ws, uint16_t code, struct slice reason);
    /* Sends a ping of the protocol's own and returns for how many milliseconds anything may be
     * missing after it. NULL: WebSocket's pings, each awaited until the next one. */
    uint64_t (*ping)(struct ws_conn *ws);
    bool binary;          /* accept binary messages; else 1003 */
    bool limited;         /* limits.messages hold */
    uint64_t max_message; /* bytes; 0: limits.message_size */
};

struct ws_conn {
    struct conn conn;
    struct ws_reader reader;
    const struct ws_ops *ops;
    int32_t tokens;       /* messages that may still come; negative: debt */
    uint32_t tokens_ms;   /* when they were counted last (worker's clock, 32 bits) */
    uint32_t throttled_s; /* since when it is being held back; 0: it is not */
    uint32_t bad_since_s; /* window of malformed messages */
    uint8_t bad_count;
    uint8_t window_bits;     /* of the client's compressor */
    uint8_t own_window_bits; /* of ours */
    bool deflate;            /* permessage-deflate was agreed */
    bool client_no_context;
    bool close_sent;
    bool pinged; /* since the last byte that came */
};

struct ws_accept_options {
    const struct ws_ops *ops;
    bool deflate;            /* accept permessage-deflate offers */
    unsigned deflate_wishes; /* WS_DEFLATE_…, codec/deflate.h */
    const char *protocol;    /* the selected subprotocol; NULL: fanfare, when it is offered, or a
                                token's (ws_offered_token) when that is offered alone */
    void *state;             /* becomes conn.protocol */
};

/* Checks the handshake (RFC 6455, 4.2.1) and answers: 101 and true, and the connection is a
 * WebSocket when `request` returns; or the fitting refusal (400, 426) and false. */
bool ws_accept(struct http_exchange *x, const struct ws_accept_options *options);

/* The token that a client brings as subprotocol, `fanfare.token.TOKEN`, because a browser cannot
 * add headers to a handshake; ptr NULL: none. */
struct slice ws_offered_token(const struct http_request *r);

/* Queues a text message, or a message of the given opcode, as control output. */
int ws_send(struct ws_conn *ws, struct slice text);
int ws_send_opcode(struct ws_conn *ws, enum ws_opcode opcode, struct slice payload);

/* The same for an answer that may be larger than the control queue's limit. It counts for as many
 * messages as it has pages of 4 KiB. */
int ws_send_large(struct ws_conn *ws, struct slice text);

/* Queues a text or binary message, compressed where that was agreed and is worth it. For senders
 * that look themselves at how much waits (conn_waiting). */
int ws_send_message(struct ws_conn *ws, enum ws_opcode opcode, struct slice payload);

/* The same for answers to publishers, outside the control queue's limit: the caller looks at
 * conn_waiting. */
int ws_send_answer(struct ws_conn *ws, struct slice text);

/* Sends a close frame behind what is queued and waits for the client's (RFC 6455, 7.1.2). */
void ws_close(struct ws_conn *ws, uint16_t code, const char *reason);

/* The same with a text for the client that differs from the constant one for the log. */
void ws_close_text(struct ws_conn *ws, uint16_t code, const char *log_reason, struct slice text);

/* The server goes. */
void ws_shutdown(struct ws_conn *ws);

/* One more message that made no sense: 20 within 10 s close with 1008. */
void ws_bad_message(struct ws_conn *ws);

/* For a client that has no WebSocket of its own, and the limits of one: begins counting; counts
 * messages that came, and returns for how many milliseconds no more of them should be taken (at
 * most a second; ask again then with 0 messages), 0: none. */
void ws_limits_begin(struct ws_conn *ws);
uint64_t ws_limits_count(struct ws_conn *ws, unsigned messages);

static inline struct ws_conn *ws_from_conn(struct conn *c)
{
    return (struct ws_conn *)c; /* its first member */
}

/* Whether the connection speaks WebSocket. */
bool ws_is(const struct conn *c);

#endif
