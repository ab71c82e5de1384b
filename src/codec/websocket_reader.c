/*
 * WebSocket frames in (RFC 6455, 5; RFC 7692, 6); see websocket.h.
 *
 * Most messages arrive in one frame that lies in the input whole: those take the short way
 * (read_whole_frame), which neither copies nor allocates. Everything else goes through a
 * ws_partial: the beginning of a header, the beginning of a frame, a message of which fragments
 * are missing, or several of these at once (a control frame cut in two between two fragments).
 *
 * Text is checked as it comes, so that an error is found in mid-frame (8.1). What a frame header
 * announces is compared with the limit at once, but memory grows only with the bytes that came.
 *
 * Before a callback is called, nothing in the reader refers to what is handed out: a callback may
 * release the reader, if it then returns non-zero.
 */
#include "base/memory.h"
#include "codec/deflate.h"
#include "codec/websocket.h"
#include "fanfare/error.h"

struct frame {
    enum ws_opcode opcode;
    bool fin;
    bool rsv1;
    bool masked;
    uint8_t mask[4];
    uint64_t len;
};

#define CONTROL_MAX 125 /* 5.5 */

struct ws_partial {
    uint8_t header[WS_HEADER_MAX];
    uint8_t header_len; /* bytes of it that came; 0 between frames and in a payload */

    bool in_frame; /* the header is complete, the payload is not */
    struct frame frame;
    uint64_t got;              /* bytes of the payload that came */
    char control[CONTROL_MAX]; /* of a control frame the payload so far */

    bool in_message; /* a data frame has begun, the message is not complete */
    bool compressed;
    enum ws_opcode opcode; /* WS_TEXT or WS_BINARY */
    struct utf8_state utf8;
    struct buf message; /* compressed as it came */
};

/* One call of ws_reader_feed. */
struct feed {
    struct ws_reader *reader;
    const struct ws_reader_config *config;
    const struct ws_reader_ops *ops;
    void *arg;
    char *data; /* not read yet */
    size_t len;
    uint16_t *close_code;
    const char **why;
};

static void drop_partial(struct ws_reader *r)
{
    if (!r->partial)
        return;
    buf_fini(&r->partial->message);
    memory_free(r->partial);
    r->partial = NULL;
}

/* The connection cannot go on: what the close frame must say. */
static int fail(struct feed *f, int error, enum ws_close_code code, const char *why)
{
    drop_partial(f->reader);
    *f->close_code = (uint16_t)code;
    *f->why = why;
    return error;
}

static int fail_protocol(struct feed *f, const char *why)
{
    return fail(f, FAN_E_PROTOCOL, WS_CLOSE_PROTOCOL_ERROR, why);
}

static int fail_data(struct feed *f, const char *why)
{
    return fail(f, FAN_E_PROTOCOL, WS_CLOSE_INVALID_DATA, why);
}

static int fail_memory(struct feed *f)
{
    return fail(f, FAN_E_NO_MEMORY, WS_CLOSE_INTERNAL, "out of memory");
}

static int fail_too_large(struct feed *f)
{
    return fail(f, FAN_E_TOO_LARGE, WS_CLOSE_TOO_LARGE, "the message is larger than allowed");
}

static bool is_control(enum ws_opcode opcode)
{
    return opcode >= WS_CLOSE;
}

static bool in_message(const struct feed *f)
{
    return f->reader->partial && f->reader->partial->in_message;
}

/* ---- Headers ---- */

static int check_first_byte(struct feed *f, uint8_t byte)
{
    enum ws_opcode opcode = byte & 0x0F;
    bool fin = byte & 0x80;
    if (byte & 0x30)
        return fail_protocol(f, "reserved header bits are set");
    if ((opcode > WS_BINARY && opcode < WS_CLOSE) || opcode > WS_PONG)
        return fail_protocol(f, "unknown opcode");
    if (is_control(opcode) && !fin)
        return fail_protocol(f, "a control frame is fragmented");
    if (byte & 0x40) {
        if (!f->config->deflate)
            return fail_protocol(f, "RSV1 is set, but no compression was agreed");
        if (opcode != WS_TEXT && opcode != WS_BINARY) /* RFC 7692, 6.1 */
            return fail_protocol(f, "RSV1 is set on a frame that does not begin a message");
    }
    if (opcode == WS_CONTINUATION && !in_message(f))
        return fail_protocol(f, "a continuation frame without a message to continue");
    if ((opcode == WS_TEXT || opcode == WS_BINARY) && in_message(f))
        return fail_protocol(f, "a new message begins before the last fragment of another");
    return 0;
}

static int check_second_byte(struct feed *f, uint8_t first, uint8_t second)
{
    bool masked = second & 0x80;
    if (!masked && !f->config->client)
        return fail_protocol(f, "a frame from a client is not masked"); /* 5.1 */
    if (masked && f->config->client)
        return fail_protocol(f, "a frame from the server is masked");
    if (is_control(first & 0x0F) && (second & 0x7F) > CONTROL_MAX)
        return fail_protocol(f, "a control frame is longer than 125 bytes");
    return 0;
}

static uint64_t get_big_endian(const uint8_t *in, unsigned bytes)
{
    uint64_t n = 0;
    while (bytes--)
        n = n << 8 | *in++;
    return n;
}

/* "The minimal number of bytes MUST be used to encode the length" (5.2). */
static int check_length(struct feed *f, uint8_t code, uint64_t len)
{
    if (len >> 63)
        return fail_protocol(f, "a frame length has its highest bit set");
    if ((code == 126 && len < 126) || (code == 127 && len <= UINT16_MAX))
        return fail_protocol(f, "a frame length is not written in its shortest form");
    return 0;
}

/* How many bytes a message may have on the wire. Data that does not compress grows a little: with
 * the fixed Huffman code, the worst an honest compressor chooses, by an eighth. */
static uint64_t wire_limit(const struct ws_reader_config *config, bool compressed)
{
    uint64_t most = config->max_message;
    return compressed && most < UINT64_MAX / 2 ? most + most / 8 + 64 : most;
}

static int check_size(struct feed *f, const struct frame *frame)
{
    if (is_control(frame->opcode))
        return 0;
    const struct ws_partial *p = in_message(f) ? f->reader->partial : NULL;
    uint64_t limit = wire_limit(f->config, p ? p->compressed : frame->rsv1);
    uint64_t held = p ? p->message.len : 0;
    return held > limit || frame->len > limit - held ? fail_too_large(f) : 0;
}

/* Reads the header that begins at h. Returns its size, 0 when the n bytes do not hold all of it,
 * or an error as soon as a byte shows it. */
static int read_header(struct feed *f, const uint8_t *h, size_t n, struct frame *frame)
{
    int result = n >= 1 ? check_first_byte(f, h[0]) : 0;
    if (result == 0 && n >= 2)
        result = check_second_byte(f, h[0], h[1]);
    if (result || n < 2)
        return result;
    uint8_t code = h[1] & 0x7F;
    unsigned extended = code == 126 ? 2 : code == 127 ? 8 : 0;
    if (n < 2 + extended)
        return 0;
    *frame = (struct frame){
        .opcode = h[0] & 0x0F,
        .fin = h[0] & 0x80,
        .rsv1 = h[0] & 0x40,
        .masked = h[1] & 0x80,
        .len = extended ? get_big_endian(h + 2, extended) : code,
    };
    result = check_length(f, code, frame->len);
    if (result == 0)
        result = check_size(f, frame);
    size_t size = 2 + extended + (frame->masked ? 4 : 0);
    if (result || n < size)
        return result;
    if (frame->masked)
        memcpy(frame->mask, h + 2 + extended, 4);
    return (int)size;
}

/* ---- Control frames (5.5) ---- */

static bool close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int deliver_close(struct feed *f, struct slice payload)
{
    uint16_t code = WS_CLOSE_NO_STATUS;
    struct slice reason = slice_skip(payload, 2);
    if (payload.len == 1)
        return fail_protocol(f, "a close frame has a payload of one byte");
    if (payload.len >= 2) {
        code = (uint16_t)get_big_endian((const uint8_t *)payload.ptr, 2);
        if (!close_code_valid(code))
            return fail_protocol(f, "a close frame has a code that must not be sent");
        if (!utf8_valid(reason))
            return fail_data(f, "the reason in a close frame is not valid UTF-8");
    }
    f->reader->closed = true;
    drop_partial(f->reader);
    return f->ops->control(f->arg, WS_CLOSE, code, reason);
}

static int deliver_control(struct feed *f, enum ws_opcode opcode, struct slice payload)
{
    if (opcode == WS_CLOSE)
        return deliver_close(f, payload);
    return f->ops->control(f->arg, opcode, 0, payload);
}

/* ---- Messages ---- */

static int deliver_plain(struct feed *f, enum ws_opcode opcode, struct slice payload)
{
    return f->ops->message(f->arg, opcode, payload);
}

/* The inflater for the next message. One that keeps its window belongs to the reader; else it is
 * made for this message only, as an idle connection must not hold a window for nothing. */
static struct ws_inflate *inflater_get(struct feed *f)
{
    if (f->config->peer_no_context)
        return ws_inflate_new(f->config->window_bits);
    if (!f->reader->inflate)
        f->reader->inflate = ws_inflate_new(f->config->window_bits);
    return f->reader->inflate;
}

static int fail_inflate(struct feed *f, int error)
{
    if (error == FAN_E_TOO_LARGE)
        return fail_too_large(f);
    return error == FAN_E_NO_MEMORY ? fail_memory(f)
                                    : fail_data(f, "a compressed message is broken");
}

static int deliver_compressed(struct feed *f, enum ws_opcode opcode, struct slice payload)
{
    struct buf plain = {0};
    struct ws_inflate *inflater = inflater_get(f);
    if (!inflater)
        return fail_memory(f);
    size_t limit = f->config->max_message < SIZE_MAX ? (size_t)f->config->max_message : SIZE_MAX;
    int result = ws_inflate_message(inflater, payload, false, limit, &plain);
    if (f->config->peer_no_context)
        ws_inflate_free(inflater);
    if (result)
        result = fail_inflate(f, result);
    else if (opcode == WS_TEXT && !utf8_valid(buf_slice(&plain)))
        result = fail_data(f, "a text message is not valid UTF-8");
    else
        result = deliver_plain(f, opcode, buf_slice(&plain));
    buf_fini(&plain);
    return result;
}

/* The last fragment of the message in the partial is there. */
static int finish_message(struct feed *f)
{
    struct ws_partial *p = f->reader->partial;
    if (p->opcode == WS_TEXT && !p->compressed && !utf8_complete(&p->utf8))
        return fail_data(f, "a text message ends inside a UTF-8 sequence");
    enum ws_opcode opcode = p->opcode;
    bool compressed = p->compressed;
    struct buf message = p->message;
    p->message = (struct buf){0};
    drop_partial(f->reader);
    int result = compressed ? deliver_compressed(f, opcode, buf_slice(&message))
                            : deliver_plain(f, opcode, buf_slice(&message));
    buf_fini(&message);
    return result;
}

/* Takes a piece, unmasked already, of the message in the partial. */
static int take_piece(struct feed *f, struct slice piece)
{
    struct ws_partial *p = f->reader->partial;
    if (p->opcode == WS_TEXT && !p->compressed && !utf8_feed(&p->utf8, piece))
        return fail_data(f, "a text message is not valid UTF-8");
    buf_append_slice(&p->message, piece);
    return p->message.failed ? fail_memory(f) : 0;
}

/* ---- Frames ---- */

static struct ws_partial *partial_get(struct ws_reader *r)
{
    if (!r->partial) {
        r->partial = memory_try_alloc(sizeof *r->partial);
        if (r->partial)
            *r->partial = (struct ws_partial){0};
    }
    return r->partial;
}

static char *take_input(struct feed *f, size_t n)
{
    char *taken = f->data;
    f->data += n;
    f->len -= n;
    return taken;
}

/* A data frame begins: it opens a message or continues one. */
static int begin_data_frame(struct feed *f, const struct frame *frame)
{
    struct ws_partial *p = partial_get(f->reader);
    if (!p)
        return fail_memory(f);
    if (frame->opcode != WS_CONTINUATION) {
        p->in_message = true;
        p->opcode = frame->opcode;
        p->compressed = frame->rsv1;
    }
    return 0;
}

/* The frame lies in the input whole. */
static int read_whole_frame(struct feed *f, const struct frame *frame)
{
    char *data = take_input(f, (size_t)frame->len);
    struct slice payload = slice_of(data, (size_t)frame->len);
    if (frame->masked)
        ws_mask(data, payload.len, frame->mask, 0);
    if (is_control(frame->opcode))
        return deliver_control(f, frame->opcode, payload);
    if (frame->fin && frame->opcode != WS_CONTINUATION) {
        if (frame->rsv1)
            return deliver_compressed(f, frame->opcode, payload);
        if (frame->opcode == WS_TEXT && !utf8_valid(payload))
            return fail_data(f, "a text message is not valid UTF-8");
        return deliver_plain(f, frame->opcode, payload);
    }
    int result = begin_data_frame(f, frame);
    if (result == 0)
        result = take_piece(f, payload);
    return result == 0 && frame->fin ? finish_message(f) : result;
}

/* The payload of the partial's frame is complete. */
static int finish_frame(struct feed *f)
{
    struct ws_partial *p = f->reader->partial;
    p->in_frame = false;
    if (!is_control(p->frame.opcode))
        return p->frame.fin ? finish_message(f) : 0;
    char payload[CONTROL_MAX];
    size_t len = (size_t)p->frame.len;
    enum ws_opcode opcode = p->frame.opcode;
    memcpy(payload, p->control, len);
    if (!p->in_message)
        drop_partial(f->reader);
    return deliver_control(f, opcode, slice_of(payload, len));
}

/* Takes what the input holds of the partial's frame. */
static int continue_frame(struct feed *f)
{
    struct ws_partial *p = f->reader->partial;
    uint64_t missing = p->frame.len - p->got;
    size_t n = missing < f->len ? (size_t)missing : f->len;
    char *data = take_input(f, n);
    if (p->frame.masked)
        ws_mask(data, n, p->frame.mask, (unsigned)(p->got & 3));
    if (is_control(p->frame.opcode)) {
        memcpy(p->control + p->got, data, n);
    } else {
        int result = take_piece(f, slice_of(data, n));
        if (result)
            return result;
    }
    p->got += n;
    return p->got == p->frame.len ? finish_frame(f) : 0;
}

/* A header is complete and read; its payload follows in the input, whole or not. */
static int begin_frame(struct feed *f, const struct frame *frame)
{
    if (frame->len <= f->len)
        return read_whole_frame(f, frame);
    struct ws_partial *p = partial_get(f->reader);
    if (!p)
        return fail_memory(f);
    p->in_frame = true;
    p->frame = *frame;
    p->got = 0;
    int result = is_control(frame->opcode) ? 0 : begin_data_frame(f, frame);
    return result == 0 ? continue_frame(f) : result;
}

/* Adds bytes to the header that began in an earlier input, one at a time: there are few. */
static int continue_header(struct feed *f)
{
    struct ws_partial *p = f->reader->partial;
    while (f->len) {
        p->header[p->header_len++] = (uint8_t)*take_input(f, 1);
        struct frame frame;
        int size = read_header(f, p->header, p->header_len, &frame);
        if (size < 0)
            return size;
        if (size > 0) {
            p->header_len = 0;
            if (!p->in_message && frame.len <= f->len)
                drop_partial(f->reader);
            return begin_frame(f, &frame);
        }
    }
    return 0;
}

/* Between frames. */
static int read_frame(struct feed *f)
{
    struct frame frame;
    int size = read_header(f, (const uint8_t *)f->data, f->len, &frame);
    if (size < 0)
        return size;
    if (size > 0) {
        take_input(f, (size_t)size);
        return begin_frame(f, &frame);
    }
    struct ws_partial *p = partial_get(f->reader);
    if (!p)
        return fail_memory(f);
    p->header_len = (uint8_t)f->len;
    memcpy(p->header, take_input(f, f->len), p->header_len);
    return 0;
}

static int read_some(struct feed *f)
{
    const struct ws_partial *p = f->reader->partial;
    if (p && p->in_frame)
        return continue_frame(f);
    if (p && p->header_len)
        return continue_header(f);
    return read_frame(f);
}

/* ---- Interface ---- */

void ws_reader_init(struct ws_reader *r)
{
    *r = (struct ws_reader){0};
}

void ws_reader_fini(struct ws_reader *r)
{
    drop_partial(r);
    ws_inflate_free(r->inflate);
    r->inflate = NULL;
}

int ws_reader_feed(struct ws_reader *r, const struct ws_reader_config *config,
                   const struct ws_reader_ops *ops, void *arg, char *data, size_t len,
                   uint16_t *close_code, const char **why)
{
    struct feed f = {r, config, ops, arg, data, len, close_code, why};
    int result = 0;
    while (result == 0 && f.len && !r->closed)
        result = read_some(&f);
    return result;
}

size_t ws_reader_held(const struct ws_reader *r)
{
    return r->partial ? sizeof *r->partial + r->partial->message.cap : 0;
}
