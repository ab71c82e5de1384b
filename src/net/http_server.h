/*
 * HTTP/1.1 on a connection: requests to the application, answers back, and handing the connection
 * over to another protocol. Worker's thread only.
 *
 * The application's `request` is called when a head is complete. It either answers at once, or
 * says how it wants the body, or takes the connection over. The answer may also come later, from
 * the same thread.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "codec/http.h"
#include "net/conn.h"

struct principal;
struct worker;

struct http_exchange {
    struct conn *conn;
    const struct http_request *request; /* valid until the answer is complete */
    struct principal *principal; /* whose it is, a reference; NULL: nobody's. Set by `request` */
    struct buf body;             /* the whole body, for `done`, when no `piece` is set */
    size_t body_limit;           /* largest body that is accepted (413); set before returning */
    struct buf headers; /* header lines for the answer ("Name: value\r\n"), set by anybody */
    /* Set by `request` when it does not answer at once. */
    void (*piece)(struct http_exchange *x, struct slice piece); /* NULL: the body is collected */
    void (*done)(struct http_exchange *x);                      /* the body is complete */
    void (*drained)(struct http_exchange *x); /* what was streamed has been sent; may be NULL */
    void (*abort)(struct http_exchange *x);   /* the connection ends first: release data */
    void *data;
    bool body_done, answered, streaming, chunked, keep_alive, stopped;
    bool owed;    /* the answer is sure to come, also for a peer that has sent its last byte */
    bool lasting; /* asks for a connection that stays: its refusal is worth a line in the log */
};

struct http_app {
    void (*request)(struct http_exchange *x);
    void *context; /* the application's own */
};

/* Makes a new connection speak HTTP. 0 or FAN_E_NO_MEMORY. */
int http_server_attach(struct conn *c);

/* Frees what the worker kept for its next connection. */
void http_server_fini(struct worker *w);

/* The server goes: ends a connection on which no request is being answered. */
void http_server_shutdown(struct conn *c);

/* Answers. type: the content type, NULL for none; the body is copied. */
void http_reply(struct http_exchange *x, int status, const char *type, struct slice body);

/* {"error":{"status":…,"code":…,"message":…}} */
void http_reply_error(struct http_exchange *x, int status, const char *code, const char *format,
                      ...) __attribute__((format(printf, 4, 5)));

/* JSON that was built in body; freed. A failed buffer answers 503. */
void http_reply_json(struct http_exchange *x, int status, struct buf *body);

/* An answer of unknown length: chunked, or until the end of the connection for HTTP/1.0. */
void http_stream_begin(struct http_exchange *x, int status, const char *type);
void http_stream_write(struct http_exchange *x, struct slice text);
void http_stream_end(struct http_exchange *x);

/* Stops reading the body for so long: backpressure. */
void http_pause(struct http_exchange *x, uint64_t ms);

/* Adds "name: value" to the answer's headers. */
void http_add_header(struct http_exchange *x, const char *name, const char *value);

/* Appends status line and headers (those of x, Date, and whatever is added after it, up to the
 * empty line) for an answer that the caller continues itself after http_take_over. */
void http_append_head(struct http_exchange *x, int status, struct buf *out);

/* The connection is somebody else's from here on: its ops, and its protocol pointer. The exchange
 * ends when `request` returns; bytes that were read already go to ops->data. Only from
 * `request`. */
void http_take_over(struct http_exchange *x, const struct conn_ops *ops, void *protocol);

#endif
