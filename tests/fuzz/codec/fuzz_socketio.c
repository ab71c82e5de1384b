/* Payloads of Engine.IO, and their messages as packets of Socket.IO with attachments. */
#include "../fuzz.h"

#include "codec/engineio.h"
#include "codec/socketio.h"
#include "fanfare/error.h"

/* What was accepted has only attachments that are there, and can be written and read again. */
static void check_packet(const struct sio_packet *p)
{
    struct buf out = {0};
    struct sio_packet again;
    const char *why;
    FUZZ_CHECK(p->attachments <= SIO_ATTACHMENTS_MAX && p->space.len >= 1);
    if (p->attachments == 0 && p->type < SIO_BINARY_EVENT) {
        sio_append_head(&out, p->type, p->space, p->has_id ? &p->id : NULL);
        buf_append_slice(&out, p->data.text);
        FUZZ_CHECK(sio_packet_parse(buf_slice(&out), &again, &why) == 0);
        FUZZ_CHECK(slice_equal(again.space, p->space) && again.id == p->id);
        FUZZ_CHECK(slice_equal(again.data.text, p->data.text));
    }
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(slice_of((const char *)data, size));
    struct slice rest = slice_of(copy, size);
    struct sio_assembly *assembly = NULL;
    struct sio_whole whole;
    struct eio_packet packet;
    enum eio_state state = EIO_ON_WEBSOCKET;
    struct buf bytes = {0};
    const char *why;
    while (eio_payload_next(&rest, &packet, &bytes) == 0) {
        if (!eio_state_next(state, &packet, &state) || packet.type != EIO_MESSAGE)
            continue;
        int result = packet.binary ? sio_take_binary(&assembly, packet.data, 4096, &whole, &why)
                                   : sio_take_text(&assembly, packet.data, &whole, &why);
        if (result == 1)
            check_packet(&whole.packet);
        FUZZ_CHECK(result == 1 || result == 0 || result == FAN_E_PARSE ||
                   result == FAN_E_TOO_LARGE);
    }
    sio_assembly_free(&assembly);
    buf_fini(&bytes);
    free(copy);
    return 0;
}
