/* Frames built in place; see frame.h. */
#include "dialect/frame.h"

#include "codec/deflate.h"
#include "codec/websocket.h"
#include "dialect/client.h"

/* Most payloads have 126 to 65,535 bytes; for them nothing is moved. */
#define USUAL_HEADER 4

size_t frame_begin(struct buf *out)
{
    size_t at = out->len;
    buf_append(out, "\0\0\0\0", USUAL_HEADER);
    return at;
}

void frame_end(struct buf *out, size_t begun)
{
    uint8_t header[WS_HEADER_MAX];
    if (out->failed)
        return;
    size_t payload = out->len - begun - USUAL_HEADER;
    size_t size = ws_header_write(header, WS_TEXT, true, false, payload, NULL);
    if (size > USUAL_HEADER && !buf_reserve(out, size - USUAL_HEADER))
        return;
    if (size != USUAL_HEADER)
        memmove(out->data + begun + size, out->data + begun + USUAL_HEADER, payload);
    memcpy(out->data + begun, header, size);
    out->len = begun + size + payload;
}

void frame_append_compressed(struct delivery *d, struct buf *out, struct slice payload)
{
    struct buf small = {0};
    if (!d->compressor && payload.len >= d->options->deflate_threshold)
        d->compressor = ws_deflate_new(d->options->deflate_level);
    if (payload.len < d->options->deflate_threshold || !d->compressor ||
        ws_deflate_message(d->compressor, payload, &small) != 0 || small.len >= payload.len) {
        ws_append_frame(out, WS_TEXT, false, payload);
    } else {
        ws_append_frame(out, WS_TEXT, true, buf_slice(&small));
        atomic_fetch_add_explicit(&d->compressed, 1, memory_order_relaxed);
    }
    buf_fini(&small);
}

void frame_append_event(struct buf *out, const struct event *e, unsigned place,
                        append_event_fn *append)
{
    size_t at = frame_begin(out);
    append(out, e, place);
    frame_end(out, at);
}

void frame_append_event_compressed(struct delivery *d, struct buf *out, const struct event *e,
                                   unsigned place, append_event_fn *append)
{
    buf_clear(&d->plain);
    append(&d->plain, e, place);
    if (d->plain.failed)
        out->failed = true;
    else
        frame_append_compressed(d, out, buf_slice(&d->plain));
}
