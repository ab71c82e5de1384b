/*
 * The parser's own checks of a request's head (RFC 9112), apart from what llhttp does. Only http.c
 * uses them. No I/O, any thread.
 */
#ifndef CODEC_HTTP_HEAD_H
#define CODEC_HTTP_HEAD_H

#include "codec/http.h"

/* Why a request is refused: the answer's status and a sentence (static). */
struct http_refusal {
    int status;
    const char *why;
};

/* tchar (RFC 9110, 5.6.2) */
bool http_is_token_char(char c);

/* All of the following return false with *refusal filled when the request must be refused. */

/* No control characters but those of line ends, and tabs. */
bool http_bytes_check(struct slice bytes, struct http_refusal *refusal);

/* A whole line ends with CRLF and holds no other CR (2.2); the line end is cut off. */
bool http_line_check(struct slice *line, struct http_refusal *refusal);

/* A header's line begins with its name and a colon: not folded, no white space between (5.1). */
bool http_header_line_check(struct slice line, struct http_refusal *refusal);

/* Reads "METHOD SP target SP HTTP/1.x" (3) into the request's method, target, path, query and
 * minor: slices of the line. */
bool http_request_line_read(struct slice line, struct http_request *request,
                            struct http_refusal *refusal);

/* What the headers say together; fills in upgrade and expect_continue. Everything else of the
 * request is set. */
bool http_head_check(struct http_request *request, struct http_refusal *refusal);

#endif
