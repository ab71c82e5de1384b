/* Packets with attachments, put together from the messages that carry them; see socketio.h. */
#include "base/memory.h"
#include "codec/socketio.h"
#include "fanfare/error.h"

struct sio_assembly {
    struct buf text;  /* of the packet */
    struct buf bytes; /* of the attachments so far, one behind the other */
    size_t ends[SIO_ATTACHMENTS_MAX];
    struct slice slices[SIO_ATTACHMENTS_MAX];
    unsigned count, wanted;
};

void sio_assembly_free(struct sio_assembly **assembly)
{
    struct sio_assembly *a = *assembly;
    *assembly = NULL;
    if (!a)
        return;
    buf_fini(&a->text);
    buf_fini(&a->bytes);
    memory_free(a);
}

static int begin(struct sio_assembly **assembly, struct slice text, unsigned wanted)
{
    struct sio_assembly *a = memory_try_alloc(sizeof *a);
    if (!a)
        return FAN_E_NO_MEMORY;
    memset(a, 0, sizeof *a);
    a->wanted = wanted;
    buf_append_slice(&a->text, text);
    *assembly = a;
    if (!a->text.failed)
        return 0;
    sio_assembly_free(assembly);
    return FAN_E_NO_MEMORY;
}

int sio_take_text(struct sio_assembly **assembly, struct slice text, struct sio_whole *whole,
                  const char **why)
{
    if (*assembly && (*assembly)->count < (*assembly)->wanted) {
        *why = "attachments were to come before the next packet";
        sio_assembly_free(assembly);
        return FAN_E_PARSE;
    }
    sio_assembly_free(assembly);
    *whole = (struct sio_whole){0};
    int error = sio_packet_parse(text, &whole->packet, why);
    if (error || whole->packet.attachments == 0)
        return error ? error : 1;
    return begin(assembly, text, whole->packet.attachments);
}

static int finish(struct sio_assembly *a, struct sio_whole *whole, const char **why)
{
    for (unsigned i = 0; i < a->count; i++) {
        size_t from = i ? a->ends[i - 1] : 0;
        a->slices[i] = slice_of(a->bytes.data ? a->bytes.data + from : "", a->ends[i] - from);
    }
    whole->attachments = a->slices;
    int error = sio_packet_parse(buf_slice(&a->text), &whole->packet, why);
    return error ? error : 1;
}

int sio_take_binary(struct sio_assembly **assembly, struct slice bytes, size_t most,
                    struct sio_whole *whole, const char **why)
{
    struct sio_assembly *a = *assembly;
    if (!a || a->count == a->wanted) {
        *why = "bytes came that no packet announced";
        return FAN_E_PARSE;
    }
    if (bytes.len > most || a->bytes.len > most - bytes.len) {
        *why = "a packet's attachments are too large together";
        sio_assembly_free(assembly);
        return FAN_E_TOO_LARGE;
    }
    buf_append_slice(&a->bytes, bytes);
    if (a->bytes.failed) {
        sio_assembly_free(assembly);
        return FAN_E_NO_MEMORY;
    }
    a->ends[a->count++] = a->bytes.len;
    return a->count == a->wanted ? finish(a, whole, why) : 0;
}
