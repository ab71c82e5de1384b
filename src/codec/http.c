/*
 * HTTP/1.1 requests; see http.h.
 *
 * A request's head is collected in one buffer, line by line. What makes requests ambiguous between
 * two parsers in a row (bare CR or LF, folded lines, control characters, odd request lines) is
 * refused here, before llhttp sees it; then llhttp reads the whole head at once, so that its spans
 * are slices of that buffer. Where the body ends is the business of http_body.c.
 */
#include "codec/http.h"

#include <stddef.h>

/* llhttp's names for methods would collide with ours. */
#define HTTP_GET     LLHTTP_GET
#define HTTP_HEAD    LLHTTP_HEAD
#define HTTP_POST    LLHTTP_POST
#define HTTP_PUT     LLHTTP_PUT
#define HTTP_DELETE  LLHTTP_DELETE
#define HTTP_OPTIONS LLHTTP_OPTIONS
#include <llhttp.h>
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_PUT
#undef HTTP_DELETE
#undef HTTP_OPTIONS

#include "base/memory.h"
#include "codec/http_body.h"
#include "codec/http_head.h"
#include "fanfare/error.h"

/* Empty lines before a request line that are overlooked (RFC 9112, 2.2, asks for one). */
#define EMPTY_LINES 4

/* What comes at once is usually a whole head, and nothing else: grown once. */
#define USUAL_HEAD 2048

enum stage {
    STAGE_HEAD,
    STAGE_BODY,
    STAGE_COMPLETE, /* waits for http_parser_resume */
    STAGE_STOPPED,  /* `head` took the connection over */
    STAGE_BROKEN,
};

struct http_parser {
    const struct http_parser_ops *ops;
    void *arg;
    enum stage stage;
    int error; /* in STAGE_BROKEN */
    struct http_refusal refusal;

    struct buf head;
    size_t line;            /* where in head the unfinished line begins */
    const char *first_line; /* where the request line stood when it was read */
    unsigned empty_lines;
    struct http_body body;

    struct http_request request; /* the last one: most of its room for headers is never touched */
};

static int refuse(struct http_parser *p, int error, int status, const char *why)
{
    p->refusal = (struct http_refusal){status, why};
    return error;
}

static int refuse_malformed(struct http_parser *p, const char *why)
{
    return refuse(p, FAN_E_PROTOCOL, 400, why);
}

/* ---- llhttp's callbacks ---- */

static struct http_header *last_header(struct http_parser *p)
{
    return &p->request.headers[p->request.header_count - 1];
}

static int on_field(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *p = llhttp->data;
    if (p->request.header_count == HTTP_MAX_HEADERS) {
        refuse(p, FAN_E_TOO_LARGE, 431, "more than 100 headers");
        return -1;
    }
    p->request.header_count++;
    *last_header(p) = (struct http_header){slice_of(at, length), slice_of(at + length, 0)};
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *p = llhttp->data;
    last_header(p)->value = slice_trim(slice_of(at, length));
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    p->request.keep_alive = llhttp_should_keep_alive(llhttp);
    p->request.content_length = llhttp->content_length;
    p->request.chunked = llhttp->flags & F_CHUNKED;
    p->request.has_body = p->request.chunked || p->request.content_length;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
};

/* What llhttp did not like, unless a callback has said so already. */
static int refuse_by_llhttp(struct http_parser *p, const llhttp_t *llhttp)
{
    if (p->refusal.status)
        return p->refusal.status == 431 ? FAN_E_TOO_LARGE : FAN_E_PROTOCOL;
    switch (llhttp_get_errno(llhttp)) {
    case HPE_INVALID_METHOD:
        return refuse(p, FAN_E_PROTOCOL, 501, "unknown request method");
    case HPE_INVALID_HEADER_TOKEN:
        return refuse_malformed(p, "a header's name or value holds a forbidden character");
    case HPE_INVALID_CONTENT_LENGTH:
        return strstr(llhttp_get_error_reason(llhttp), "overflow")
                   ? refuse(p, FAN_E_TOO_LARGE, 413, "Content-Length is too large")
                   : refuse_malformed(p, "Content-Length is not a number");
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return refuse_malformed(p, "Content-Length is repeated or beside Transfer-Encoding");
    case HPE_INVALID_TRANSFER_ENCODING:
        return refuse_malformed(p, "Transfer-Encoding does not end with chunked");
    default:
        return refuse_malformed(p, "malformed request");
    }
}

/* ---- Head ---- */

static int finish_request(struct http_parser *p)
{
    p->stage = STAGE_COMPLETE;
    return p->ops->done(p->arg);
}

/* The request line: checked as soon as it is there, and read again when the head is complete, if
 * the buffer has moved. */
static int read_request_line(struct http_parser *p)
{
    struct slice line = buf_slice(&p->head);
    if (p->first_line == line.ptr)
        return 0;
    p->first_line = line.ptr;
    line.len = (size_t)((const char *)memchr(line.ptr, '\r', line.len) - line.ptr);
    return http_request_line_read(line, &p->request, &p->refusal) ? 0 : FAN_E_PROTOCOL;
}

/* llhttp reads the whole head, and must find its end where we did. */
static int read_headers(struct http_parser *p)
{
    llhttp_t llhttp;
    llhttp_init(&llhttp, HTTP_REQUEST, &settings);
    llhttp.data = p;
    llhttp_errno_t error = llhttp_execute(&llhttp, p->head.data, p->head.len);
    if (error != HPE_PAUSED || llhttp_get_error_pos(&llhttp) != p->head.data + p->head.len)
        return refuse_by_llhttp(p, &llhttp);
    return 0;
}

/* The empty line behind the headers has come. */
static int finish_head(struct http_parser *p)
{
    int result = read_headers(p);
    if (result)
        return result;
    if (read_request_line(p) || !http_head_check(&p->request, &p->refusal))
        return FAN_E_PROTOCOL;
    result = p->ops->head(p->arg, &p->request);
    if (result > 0)
        p->stage = STAGE_STOPPED;
    if (result)
        return result;
    http_body_init(&p->body, p->request.chunked, p->request.content_length);
    p->stage = STAGE_BODY;
    return p->request.has_body ? 0 : finish_request(p);
}

/* A whole line stands in the buffer from p->line on. */
static int finish_line(struct http_parser *p)
{
    struct slice line = slice_skip(buf_slice(&p->head), p->line);
    if (!http_line_check(&line, &p->refusal))
        return FAN_E_PROTOCOL;
    if (p->line == 0) {
        if (line.len == 0) {
            buf_clear(&p->head);
            return ++p->empty_lines > EMPTY_LINES
                       ? refuse_malformed(p, "empty lines before the request")
                       : 0;
        }
        if (read_request_line(p))
            return FAN_E_PROTOCOL;
    } else if (line.len == 0) {
        return finish_head(p);
    } else if (!http_header_line_check(line, &p->refusal)) {
        return FAN_E_PROTOCOL;
    }
    p->line = p->head.len;
    return 0;
}

/* Takes bytes up to the end of a line; *used says how many. */
static int feed_head(struct http_parser *p, struct slice data, size_t *used)
{
    const char *newline = memchr(data.ptr, '\n', data.len);
    size_t n = newline ? (size_t)(newline - data.ptr) + 1 : data.len;
    size_t room = HTTP_MAX_HEAD - p->head.len;
    bool fits = n <= room;
    n = fits ? n : room;
    *used = n;
    if (!http_bytes_check(slice_of(data.ptr, n), &p->refusal))
        return FAN_E_PROTOCOL;
    if (!fits && p->line == 0)
        return refuse(p, FAN_E_TOO_LARGE, 414, "the request line is longer than 32 KiB");
    if (!fits)
        return refuse(p, FAN_E_TOO_LARGE, 431, "the headers are larger than 32 KiB");
    if (p->head.cap == 0 && data.len <= USUAL_HEAD)
        buf_reserve(&p->head, data.len);
    buf_append(&p->head, data.ptr, n);
    if (p->head.failed)
        return refuse(p, FAN_E_NO_MEMORY, 503, "out of memory");
    return newline ? finish_line(p) : 0;
}

/* ---- Body ---- */

static int feed_body(struct http_parser *p, struct slice data, size_t *used)
{
    struct slice rest = data;
    struct slice piece;
    if (!http_body_next(&p->body, &rest, &piece, &p->refusal))
        return FAN_E_PROTOCOL;
    *used = data.len - rest.len;
    int result = piece.len ? p->ops->body(p->arg, piece) : 0;
    return result == 0 && p->body.state == BODY_COMPLETE ? finish_request(p) : result;
}

/* ---- Interface ---- */

static void init(struct http_parser *p, const struct http_parser_ops *ops, void *arg)
{
    memset(p, 0, offsetof(struct http_parser, request.headers));
    p->ops = ops;
    p->arg = arg;
    p->head.limit = HTTP_MAX_HEAD;
}

struct http_parser *http_parser_new(const struct http_parser_ops *ops, void *arg)
{
    struct http_parser *p = memory_try_alloc(sizeof *p);
    if (p)
        init(p, ops, arg);
    return p;
}

void http_parser_reuse(struct http_parser *p, void *arg)
{
    buf_fini(&p->head);
    init(p, p->ops, arg);
}

void http_parser_free(struct http_parser *p)
{
    if (!p)
        return;
    buf_fini(&p->head);
    memory_free(p);
}

int http_parser_feed(struct http_parser *p, const char *data, size_t len, size_t *used, int *status,
                     const char **why)
{
    int result = p->stage == STAGE_BROKEN ? p->error : p->stage == STAGE_STOPPED ? 1 : 0;
    *used = 0;
    while (result == 0 && *used < len && p->stage != STAGE_COMPLETE) {
        struct slice rest = slice_of(data + *used, len - *used);
        size_t taken = 0;
        result = p->stage == STAGE_BODY ? feed_body(p, rest, &taken) : feed_head(p, rest, &taken);
        *used += taken;
    }
    if (result < 0) {
        p->stage = STAGE_BROKEN;
        p->error = result;
        *status = p->refusal.status;
        *why = p->refusal.why ? p->refusal.why : fan_error_text(result);
    }
    return result;
}

void http_parser_resume(struct http_parser *p)
{
    if (p->stage != STAGE_COMPLETE)
        return;
    buf_fini(&p->head);
    p->stage = STAGE_HEAD;
    p->request.header_count = 0;
    p->line = 0;
    p->first_line = NULL;
    p->empty_lines = 0;
}

bool http_parser_busy(const struct http_parser *p)
{
    return p->stage == STAGE_BODY || (p->stage == STAGE_HEAD && p->head.len > 0);
}
