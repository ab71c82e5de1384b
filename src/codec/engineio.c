/* Engine.IO; see engineio.h. */
#include "codec/engineio.h"

#include "codec/base64.h"
#include "fanfare/error.h"

/* ---- Packets ---- */

int eio_packet_parse(struct slice text, struct eio_packet *packet)
{
    if (text.len == 0 || text.ptr[0] < '0' || text.ptr[0] >= '0' + EIO_TYPES)
        return FAN_E_PARSE;
    *packet = (struct eio_packet){
        .type = (enum eio_type)(text.ptr[0] - '0'),
        .data = slice_skip(text, 1),
    };
    return 0;
}

void eio_packet_append(struct buf *out, enum eio_type type, struct slice data)
{
    buf_append_char(out, (char)('0' + type));
    buf_append_slice(out, data);
}

/* ---- Payloads ---- */

static struct slice take_text(struct slice *rest)
{
    const char *end = memchr(rest->ptr, EIO_SEPARATOR, rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    struct slice text = slice_of(rest->ptr, len);
    *rest = end ? slice_of(end + 1, rest->len - len - 1) : slice_of(NULL, 0);
    return text;
}

int eio_payload_next(struct slice *rest, struct eio_packet *packet, struct buf *bytes)
{
    if (!rest->ptr)
        return FAN_E_NOT_FOUND;
    struct slice text = take_text(rest);
    if (text.len == 0 || text.ptr[0] != 'b')
        return eio_packet_parse(text, packet);
    buf_clear(bytes);
    int error = base64_decode(slice_skip(text, 1), bytes);
    *packet = (struct eio_packet){EIO_MESSAGE, true, buf_slice(bytes)};
    return error;
}

static void separate(struct buf *payload)
{
    if (payload->len)
        buf_append_char(payload, EIO_SEPARATOR);
}

void eio_payload_append_text(struct buf *payload, struct slice packet)
{
    separate(payload);
    buf_append_slice(payload, packet);
}

void eio_payload_append_binary(struct buf *payload, struct slice bytes)
{
    separate(payload);
    buf_append_char(payload, 'b');
    base64_append(payload, bytes);
}

/* ---- Sessions ---- */

/* One more than the state that follows; 0: the packet has no place there. */
#define TO(state) ((state) + 1)

static const unsigned char moves[EIO_STATES][EIO_TYPES] = {
    [EIO_ON_POLLING] = {[EIO_CLOSE] = TO(EIO_CLOSED),
                        [EIO_PONG] = TO(EIO_ON_POLLING),
                        [EIO_MESSAGE] = TO(EIO_ON_POLLING)},
    [EIO_PROBING] = {[EIO_CLOSE] = TO(EIO_CLOSED), [EIO_PING] = TO(EIO_PROBED)},
    [EIO_PROBED] = {[EIO_CLOSE] = TO(EIO_CLOSED), [EIO_UPGRADE] = TO(EIO_ON_WEBSOCKET)},
    [EIO_ON_WEBSOCKET] = {[EIO_CLOSE] = TO(EIO_CLOSED),
                          [EIO_PONG] = TO(EIO_ON_WEBSOCKET),
                          [EIO_MESSAGE] = TO(EIO_ON_WEBSOCKET)},
};

bool eio_state_next(enum eio_state state, const struct eio_packet *packet, enum eio_state *next)
{
    unsigned move = moves[state][packet->type];
    if (!move || (packet->type == EIO_PING && !slice_is(packet->data, "probe")))
        return false;
    *next = (enum eio_state)(move - 1);
    return true;
}
