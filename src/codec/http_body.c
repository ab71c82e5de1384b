/*
 * Request bodies; see http_body.h.
 *
 * The chunked coding is read here and not by llhttp: its version 8 takes a bare LF for the end of
 * a trailer section and refuses quoted extension values. Every line end must be CRLF, and the
 * framing may not cost much more than the content.
 */
#include "codec/http_body.h"

/* What sizes, extensions and trailers may take. */
#define FRAMING_ALLOWED(content) (16 * 1024 + 8 * (content))

#define SIZE_DIGITS 16 /* of 64 bits */

void http_body_init(struct http_body *b, bool chunked, uint64_t length)
{
    *b = (struct http_body){
        .state = chunked  ? BODY_SIZE_FIRST
                 : length ? BODY_LENGTH
                          : BODY_COMPLETE,
        .left = length,
    };
}

static bool refuse(struct http_refusal *refusal, const char *why)
{
    *refusal = (struct http_refusal){400, why};
    return false;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool take_size(struct http_body *b, char c, struct http_refusal *refusal)
{
    int digit = hex_value(c);
    if (digit < 0 && b->state == BODY_SIZE && (c == '\r' || c == ';')) {
        b->state = c == '\r' ? BODY_SIZE_LF : BODY_EXTENSION;
        return true;
    }
    if (digit < 0)
        return refuse(refusal, "a chunk's size is not a hexadecimal number");
    if (b->state == BODY_SIZE_FIRST)
        b->left = b->digits = 0;
    if (++b->digits > SIZE_DIGITS)
        return refuse(refusal, "a chunk's size has more than 16 digits");
    b->left = b->left << 4 | (uint64_t)digit;
    b->state = BODY_SIZE;
    return true;
}

/* Text up to the end of the line: an extension or a trailer's value. */
static bool take_text(struct http_body *b, char c, enum http_body_state behind,
                      struct http_refusal *refusal)
{
    if (c == '\r')
        b->state = behind;
    else if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7F)
        return refuse(refusal, "a control character between chunks");
    return true;
}

static bool take_trailer_name(struct http_body *b, char c, struct http_refusal *refusal)
{
    bool first = b->state == BODY_TRAILER_START;
    if (first && c == '\r')
        b->state = BODY_END_LF;
    else if (!first && c == ':')
        b->state = BODY_TRAILER_VALUE;
    else if (http_is_token_char(c))
        b->state = BODY_TRAILER_NAME;
    else
        return refuse(refusal, "a malformed trailer behind the last chunk");
    return true;
}

static bool take_exactly(struct http_body *b, char c, char expected, enum http_body_state behind,
                         struct http_refusal *refusal)
{
    if (c != expected)
        return refuse(refusal, "a line or chunk does not end with CRLF");
    b->state = behind;
    return true;
}

static bool take_framing(struct http_body *b, char c, struct http_refusal *refusal)
{
    if (++b->framing > FRAMING_ALLOWED(b->content))
        return refuse(refusal, "more chunk framing than content");
    switch (b->state) {
    case BODY_SIZE_FIRST:
    case BODY_SIZE:
        return take_size(b, c, refusal);
    case BODY_EXTENSION:
        return take_text(b, c, BODY_SIZE_LF, refusal);
    case BODY_SIZE_LF:
        return take_exactly(b, c, '\n', b->left ? BODY_CHUNK : BODY_TRAILER_START, refusal);
    case BODY_CHUNK_CR:
        return take_exactly(b, c, '\r', BODY_CHUNK_LF, refusal);
    case BODY_CHUNK_LF:
        return take_exactly(b, c, '\n', BODY_SIZE_FIRST, refusal);
    case BODY_TRAILER_START:
    case BODY_TRAILER_NAME:
        return take_trailer_name(b, c, refusal);
    case BODY_TRAILER_VALUE:
        return take_text(b, c, BODY_TRAILER_LF, refusal);
    case BODY_TRAILER_LF:
        return take_exactly(b, c, '\n', BODY_TRAILER_START, refusal);
    default:
        return take_exactly(b, c, '\n', BODY_COMPLETE, refusal);
    }
}

static struct slice take_content(struct http_body *b, struct slice *rest)
{
    struct slice piece = *rest;
    if (piece.len > b->left)
        piece.len = (size_t)b->left;
    *rest = slice_skip(*rest, piece.len);
    b->left -= piece.len;
    b->content += piece.len;
    if (b->left == 0)
        b->state = b->state == BODY_LENGTH ? BODY_COMPLETE : BODY_CHUNK_CR;
    return piece;
}

bool http_body_next(struct http_body *b, struct slice *rest, struct slice *piece,
                    struct http_refusal *refusal)
{
    *piece = slice_of(rest->ptr, 0);
    while (rest->len && b->state != BODY_COMPLETE) {
        if (b->state == BODY_LENGTH || b->state == BODY_CHUNK) {
            *piece = take_content(b, rest);
            return true;
        }
        if (!take_framing(b, rest->ptr[0], refusal))
            return false;
        *rest = slice_skip(*rest, 1);
    }
    return true;
}
