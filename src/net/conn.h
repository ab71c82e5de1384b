/*
 * A connection: a socket, what is spoken on it, and what waits to be sent.
 *
 * Output is one ordered queue of segments of two classes, each with a limit of its own: control
 * (answers, acks, pongs; never dropped, overflow closes the connection) and events (overflow is
 * the fan-out's business: it drops what has not begun and reads on from history). An idle
 * connection has no queue, no buffers and no timer object besides its place in the wheel.
 *
 * Closing has steps: conn_close marks it (at any time, also from its own callbacks); at the end of
 * the loop turn `closed` is called, the descriptor is closed and the memory given back.
 * Everything belongs to the worker's thread.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/slice.h"
#include "base/wheel.h"

struct conn;
struct login;
struct worker;
struct tls_session;
struct peer;

struct conn_ops {
    const char *name;
    /* Bytes came. data may be changed. */
    void (*data)(struct conn *c, char *data, size_t len);
    /* The peer sent its last byte: the connection is closed then, unless this holds it (conn_hold)
     * because something is still owed. */
    void (*end)(struct conn *c);
    /* All that was queued has been given to the kernel. */
    void (*drained)(struct conn *c);
    /* The timer set with conn_timer fired. */
    void (*timer)(struct conn *c);
    /* The control queue is full: say so if possible, and close. NULL: it is just closed. */
    void (*overflow)(struct conn *c);
    /* Of a connection without a socket: something waits, at the end of a turn; conn_take. */
    void (*collect)(struct conn *c);
    /* Last call: release what belongs to the protocol. */
    void (*closed)(struct conn *c);
};

enum conn_state {
    CONN_OPEN,
    CONN_FINISHING, /* nothing more is read for the protocol; closes when all is sent */
    CONN_LINGERING, /* all sent, our side shut down; waits for the peer's end */
    CONN_CLOSED,    /* waits for the end of the turn */
};

enum out_class {
    OUT_CONTROL,
    OUT_EVENTS,
    OUT_HISTORY, /* events that were read from history: counted as events, never dropped */
    OUT_SEALED,  /* TLS records: before everything that is sealed later, never dropped */
};

struct conn {
    const struct conn_ops *ops;
    struct worker *worker;
    struct out_queue *out;   /* NULL: nothing waits */
    struct tls_session *tls; /* NULL: plain */
    struct peer *peer;
    struct login *login;      /* NULL: nobody's; login.h */
    void *protocol;           /* of ops, while it needs something allocated */
    const char *close_reason; /* for the log; a constant */
    struct wheel_timer timer;
    uint64_t id;        /* unique in the process */
    int fd;             /* -1: it has no socket, worker_add_unbound */
    uint32_t index;     /* in worker->conns */
    uint32_t batch;     /* flush batch in which a send of it stands */
    uint32_t last_read; /* seconds of the worker's clock */
    uint32_t last_sent;
    uint8_t state;    /* enum conn_state */
    bool blocked;     /* waits until the socket takes bytes again */
    bool dirty;       /* in worker->dirty */
    bool paused;      /* not reading */
    bool held;        /* not reading either: conn_hold */
    bool ended;       /* the peer has sent its last byte */
    bool attached;    /* its descriptor is registered with the flush stage */
    bool watched;     /* registered with the poller */
    uint8_t interest; /* what the poller watches it for */
    uint8_t in_batch; /* enum out_class of what stands in the batch: of all, the most important */
};

#define OUT_CONTROL_MAX (64u * 1024)
#define OUT_LARGE_MAX   (1024u * 1024)

/* A connection that is to end when all is sent is given up when nothing left for so long. */
#define CONN_FINISH_MS 10000

/* Queues bytes for sending at the end of this turn; takes a reference. Returns 0; FAN_E_CLOSED;
 * FAN_E_NO_MEMORY (the connection is closed); FAN_E_LIMIT: control: the connection is closed
 * (for WebSockets with 1013), events: nothing was queued, see conn_drop_events. first_seq: of the
 * first event in the segment. Events are always accepted while no others wait. */
int conn_send(struct conn *c, enum out_class kind, struct bytes *bytes, uint32_t offset,
              uint32_t length, uint64_t first_seq);

/* The same for text that is copied. */
int conn_send_copy(struct conn *c, struct slice text);

/* For an answer that may be larger than the control queue's limit. It is not counted there, so that
 * small answers behind it find room; the connection is closed like one whose control queue
 * overflows when OUT_LARGE_MAX bytes of such answers wait already. */
int conn_send_large(struct conn *c, struct slice text);

/* For bodies of HTTP answers and answers to publishers, whose senders look at conn_waiting
 * themselves: not counted. */
int conn_send_body(struct conn *c, struct slice body);

/* Removes the event segments that have not begun. Returns their bytes, and in *first_seq the
 * first event that is gone; 0 bytes and *first_seq unchanged when there were none. */
uint64_t conn_drop_events(struct conn *c, uint64_t *first_seq);

/* The first event that waits, 0 when the rest of a frame does. False: none waits. */
bool conn_oldest_event(const struct conn *c, uint64_t *seq);

/* Gives what waits to the socket at once, as far as it takes it, or, where there is none, to
 * `collect`. */
void conn_offer(struct conn *c);

/* Moves what waits of a connection without a socket to the end of out; then it is drained. */
void conn_take(struct conn *c, struct buf *out);

/* All bytes waiting. */
uint64_t conn_waiting(const struct conn *c);

/* Whether bytes wait and some left within about the last `ms` milliseconds: the peer still reads.
 */
bool conn_is_moving(const struct conn *c, uint64_t ms);

/* Sends one shared buffer to a connection with nothing else waiting, in this turn's batch, or
 * queues it as events. For the fan-out. Returns as conn_send. */
int conn_send_run(struct conn *c, struct bytes *bytes, uint32_t offset, uint32_t length,
                  uint64_t first_seq);

/* Stops reading for the protocol, sends what waits, shuts down, closes. */
void conn_finish(struct conn *c, const char *reason);

/* Closes without waiting. reason: a constant, for the log; the first one counts. */
void conn_close(struct conn *c, const char *reason);

static inline bool conn_is_open(const struct conn *c)
{
    return c->state == CONN_OPEN;
}

/* One timer per connection; fires once. */
void conn_timer(struct conn *c, uint64_t delay_ms);
void conn_timer_stop(struct conn *c);

/* Stops and starts reading. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* The same for a reason of its own: enough of what the peer sent is still being worked off. It is
 * read again when neither this nor a pause stands against it. */
void conn_hold(struct conn *c);
void conn_release(struct conn *c);

/* ---- For the worker ---- */

void conn_on_ready(struct conn *c, unsigned ready);

/* Begins its work: reads what has come already, then registers with the poller. */
void conn_begin(struct conn *c);

/* Gives what waits to the kernel. */
void conn_flush(struct conn *c);

/* The remainder of a send in the batch that the kernel did not take: `sent` bytes went, or
 * a negative errno. */
void conn_sent(struct conn *c, struct bytes *bytes, uint32_t offset, uint32_t length, int sent);

/* Closes the descriptor and frees the queue. */
void conn_fini(struct conn *c);

#endif
