/*
 * HTTP/1.1 requests (RFC 9112) through llhttp, and the text work around them. No I/O.
 *
 * The parser object exists while a connection speaks HTTP and is dropped at the upgrade.
 */
#ifndef CODEC_HTTP_H
#define CODEC_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define HTTP_MAX_HEADERS 100
#define HTTP_MAX_HEAD    (32 * 1024) /* request line and headers together, bytes */

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER,
};

const char *http_method_name(enum http_method method);

struct http_header {
    struct slice name, value; /* value: surrounding white space removed */
};

/* In the absolute form of a target ("GET http://host/path") the Host header's value is replaced by
 * the target's host, as RFC 9112, 3.2.2 demands. */
struct http_request {
    enum http_method method;
    struct slice target;     /* as sent: "/events?topic=a" (absolute form: the path part of it) */
    struct slice path;       /* before '?', not decoded */
    struct slice query;      /* after '?', without it; empty when there is none */
    struct slice authority;  /* of a target in the absolute form; empty in the others */
    uint64_t content_length; /* 0 without a body */
    bool has_body;           /* content-length > 0, or chunked */
    bool chunked;
    bool keep_alive;
    bool upgrade; /* Connection: upgrade and an Upgrade header were there */
    bool expect_continue;
    uint8_t minor; /* HTTP/1.minor */
    unsigned header_count;
    struct http_header headers[HTTP_MAX_HEADERS]; /* what is behind the last one is not set */
};

/* The first header of that name (case ignored); an empty slice with ptr NULL when absent. */
struct slice http_header_get(const struct http_request *r, const char *name);

/* How many headers of that name there are. */
unsigned http_header_count(const struct http_request *r, const char *name);

/* Whether a comma-separated header (all lines of it) contains the token, case ignored. */
bool http_header_has_token(const struct http_request *r, const char *name, const char *token);

struct http_parser_ops {
    /* The head is complete; the request and its slices stay valid until the parser's reset.
     * Return 0 to go on with the body, 1 to stop right behind the head (upgrade taken over). A
     * negative value stops and is returned by http_parser_feed. */
    int (*head)(void *arg, const struct http_request *request);
    /* A piece of the body, not empty, valid during the call. Not 0: stops and is returned by
     * http_parser_feed. */
    int (*body)(void *arg, struct slice piece);
    /* The request is complete. Not 0: is returned by http_parser_feed. */
    int (*done)(void *arg);
};

struct http_parser;

/* ops must outlive the parser; arg is passed to each callback. The callbacks must not free the
 * parser. NULL: no memory. */
struct http_parser *http_parser_new(const struct http_parser_ops *ops, void *arg);
void http_parser_free(struct http_parser *p);

/* As if it were new, for another connection. */
void http_parser_reuse(struct http_parser *p, void *arg);

/*
 * Takes bytes; *used says how many belonged to requests. Returns 0 when all were taken, or when a
 * request is complete: the parser then pauses behind it, so that requests that were sent in
 * advance (pipelining) wait until http_parser_resume; 1 when `head` asked to stop; or a
 * negative error with *status (400, 413, 414, 431, 501, 505; 503 for FAN_E_NO_MEMORY; 0 when a
 * callback returned the error) and *why, a sentence for the answer. After an error or a stop every
 * further call returns the same. Requests with both Content-Length and Transfer-Encoding, a
 * repeated or malformed Host (or none in 1.1), bad chunk sizes, line ends other than CRLF, white
 * space before a colon and obsolete line folding are refused (400): request smuggling.
 */
int http_parser_feed(struct http_parser *p, const char *data, size_t len, size_t *used, int *status,
                     const char **why);

/* Ready for the connection's next request. */
void http_parser_resume(struct http_parser *p);

/* Whether a request has begun and is not complete. */
bool http_parser_busy(const struct http_parser *p);

/* ---- Text of URLs and queries ---- */

/* Appends text with %XX resolved (and '+' as a space when plus_is_space). FAN_E_PARSE for a
 * malformed escape. */
int http_percent_decode(struct slice text, bool plus_is_space, struct buf *out);

/* Appends text with everything but unreserved characters (RFC 3986, 2.3) percent-encoded. */
void http_percent_encode(struct slice text, struct buf *out);

/* The decoded value of the first parameter of that name; FAN_E_NOT_FOUND, FAN_E_PARSE. */
int http_query_get(struct slice query, const char *name, struct buf *out);

/* Whether that value is this text. */
bool http_query_is(struct slice query, const char *name, const char *text);

/* Walks a query's raw name=value pairs: true and both slices (not decoded) until the end. */
bool http_query_next(struct slice *rest, struct slice *name, struct slice *value);

/* An identifier: 1 to 128 of A-Z a-z 0-9 . _ : @ / - */
bool http_identifier_valid(struct slice id);

/* The address of the nearest client outside the trusted proxies is a matter of policy; this only
 * reads: the values, last one first, of Forwarded's for= (RFC 7239) or, where there is no
 * Forwarded, of X-Forwarded-For. Calls each(arg, address) until it returns false. Brackets and
 * ports are removed; an element that names no address is "unknown", so that it breaks a chain of
 * trust. */
void http_forwarded_each(const struct http_request *r,
                         bool (*each)(void *arg, struct slice address), void *arg);

/* Whether a header says that the request came through a proxy. */
bool http_is_forwarded(const struct http_request *r);

/* "Not Found" for 404. */
const char *http_status_text(int status);

#endif
