/* Light reading of frames; see bench_frames.h and RFC 6455, 5.2. */
#include "cli/bench_frames.h"

#include "codec/websocket.h"
#include "fanfare/error.h"

#define LARGEST ((uint64_t)64 * 1024 * 1024)

/* The frame at the beginning of data: its header's and its payload's length. False: more is
 * needed. */
static bool read_header(struct slice data, size_t *header, uint64_t *payload)
{
    const unsigned char *p = (const unsigned char *)data.ptr;
    if (data.len < 2)
        return false;
    unsigned length = p[1] & 0x7f;
    *header = length < 126 ? 2 : length == 126 ? 4 : 10;
    if (data.len < *header)
        return false;
    *payload = length < 126 ? length : 0;
    for (size_t i = 2; i < *header; i++)
        *payload = *payload << 8 | p[i];
    return true;
}

static int take_close(struct slice payload, struct buf *why)
{
    if (payload.len >= 2)
        buf_printf(why, "the server closed a connection: %u %.*s",
                   (unsigned)((unsigned char)payload.ptr[0] << 8 | (unsigned char)payload.ptr[1]),
                   SLICE_ARG(slice_skip(payload, 2)));
    else
        BUF_LITERAL(why, "the server closed a connection");
    return FAN_E_CLOSED;
}

/* Reads whole frames; what is left stays in *data. */
static int read_frames(struct slice *data, int (*text)(void *arg, struct slice payload), void *arg,
                       struct buf *why)
{
    size_t header;
    uint64_t length;
    while (read_header(*data, &header, &length)) {
        unsigned opcode = (unsigned char)data->ptr[0] & 0x0f;
        bool odd = !(data->ptr[0] & 0x80) || data->ptr[0] & 0x70 || data->ptr[1] & 0x80;
        if (odd || length > LARGEST) {
            BUF_LITERAL(why, "the server sent a frame that was not expected");
            return FAN_E_PROTOCOL;
        }
        if (data->len - header < length)
            break;
        struct slice payload = slice_of(data->ptr + header, (size_t)length);
        int result = 0;
        if (opcode == WS_TEXT)
            result = text(arg, payload);
        else if (opcode == WS_CLOSE)
            result = take_close(payload, why);
        if (result)
            return result;
        *data = slice_skip(*data, header + (size_t)length);
    }
    return 0;
}

int bench_frames_feed(struct bench_frames *f, struct slice data,
                      int (*text)(void *arg, struct slice payload), void *arg, struct buf *why)
{
    struct slice rest = data;
    if (f->rest.len) {
        buf_append_slice(&f->rest, data);
        if (f->rest.failed || !f->rest.data)
            return FAN_E_NO_MEMORY;
        rest = buf_slice(&f->rest);
    }
    int error = read_frames(&rest, text, arg, why);
    if (f->rest.len)
        buf_consume(&f->rest, f->rest.len - rest.len);
    else
        buf_append_slice(&f->rest, rest);
    if (f->rest.len == 0)
        buf_fini(&f->rest);
    return error ? error : f->rest.failed ? FAN_E_NO_MEMORY : 0;
}

void bench_frames_fini(struct bench_frames *f)
{
    buf_fini(&f->rest);
}
