/*
 * Where a request's body ends, and what of the bytes is content (RFC 9112, 6 and 7.1). Only http.c
 * uses it. No I/O, any thread.
 */
#ifndef CODEC_HTTP_BODY_H
#define CODEC_HTTP_BODY_H

#include "codec/http_head.h"

enum http_body_state {
    BODY_LENGTH, /* content of a known length */
    BODY_SIZE_FIRST,
    BODY_SIZE,
    BODY_EXTENSION,
    BODY_SIZE_LF,
    BODY_CHUNK,
    BODY_CHUNK_CR,
    BODY_CHUNK_LF,
    BODY_TRAILER_START,
    BODY_TRAILER_NAME,
    BODY_TRAILER_VALUE,
    BODY_TRAILER_LF,
    BODY_END_LF,
    BODY_COMPLETE,
};

struct http_body {
    enum http_body_state state;
    uint64_t left; /* content bytes until the end of the body or chunk */
    unsigned digits;
    uint64_t content;
    uint64_t framing; /* bytes of chunk sizes, extensions and trailers */
};

/* length: of a body that is not chunked. */
void http_body_init(struct http_body *b, bool chunked, uint64_t length);

/* Takes bytes from *rest until there is a piece of content (*piece, a slice of the input; empty
 * when there is none), the input is used up, or the body is complete (b->state). Chunk extensions
 * and trailers are read over. False with *refusal filled: malformed. */
bool http_body_next(struct http_body *b, struct slice *rest, struct slice *piece,
                    struct http_refusal *refusal);

#endif
