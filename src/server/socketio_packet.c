/* What an embedding program sends, as frames; see socketio.h. */
#include "base/memory.h"
#include "codec/engineio.h"
#include "codec/utf8.h"
#include "codec/websocket.h"
#include "fanfare/error.h"
#include "server/socketio.h"

static struct program_packet *packet_try_new(void)
{
    struct program_packet *p = memory_try_alloc(sizeof *p);
    if (!p)
        return NULL;
    *p = (struct program_packet){.type = SIO_EVENT};
    atomic_init(&p->refs, 1);
    return p;
}

struct program_packet *program_packet_ref(struct program_packet *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void program_packet_unref(struct program_packet *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    buf_fini(&p->text);
    buf_fini(&p->binary);
    memory_free(p);
}

size_t program_packet_size(const struct program_packet *p)
{
    return p->text.len + p->binary.len;
}

/* The array's elements, behind the event's name where there is one. */
static void append_arguments(struct buf *out, const char *name, struct slice json)
{
    struct slice inside = slice_trim(slice_of(json.ptr + 1, json.len - 2));
    buf_append_char(out, '[');
    if (name)
        json_append_lossy(out, slice_from(name));
    if (name && inside.len)
        buf_append_char(out, ',');
    buf_append_slice(out, inside);
    buf_append_char(out, ']');
}

static void append_attachments(struct program_packet *p, const struct fan_arguments *arguments)
{
    for (size_t i = 0; i < arguments->attachment_count; i++) {
        const struct fan_attachment *a = &arguments->attachments[i];
        ws_append_frame(&p->binary, WS_BINARY, false, slice_of(a->data, a->size));
    }
}

int program_packet_new(const struct program_space *space, const char *name,
                       const struct fan_arguments *arguments, struct program_packet **packet)
{
    static const struct fan_arguments none = {"[]", 2, NULL, 0};
    const struct fan_arguments *a = arguments ? arguments : &none;
    struct slice json = slice_trim(slice_of(a->json, a->size));
    if (a->attachment_count > SIO_ATTACHMENTS_MAX ||
        !sio_arguments_valid(json, (unsigned)a->attachment_count) ||
        (name && (!utf8_valid(slice_from(name)) || sio_event_reserved(slice_from(name)))))
        return FAN_E_INVALID;
    struct program_packet *p = packet_try_new();
    if (!p)
        return FAN_E_NO_MEMORY;
    p->type = name ? SIO_EVENT : SIO_ACK;
    p->space = space->space->name;
    p->attachments = (unsigned)a->attachment_count;
    append_arguments(&p->text, name, json);
    append_attachments(p, a);
    if (p->text.failed || p->binary.failed) {
        program_packet_unref(p);
        return FAN_E_NO_MEMORY;
    }
    *packet = p;
    return 0;
}

int program_packet_message(enum fan_websocket_kind kind, struct slice data,
                           struct program_packet **packet)
{
    struct buf text = {0};
    if (kind == FAN_WEBSOCKET_TEXT && !utf8_valid(data))
        return FAN_E_INVALID;
    struct program_packet *p = packet_try_new();
    if (!p)
        return FAN_E_NO_MEMORY;
    p->raw = true;
    if (kind == FAN_WEBSOCKET_TEXT)
        eio_packet_append(&text, EIO_MESSAGE, data);
    ws_append_frame(&p->text, kind == FAN_WEBSOCKET_TEXT ? WS_TEXT : WS_BINARY, false,
                    kind == FAN_WEBSOCKET_TEXT ? buf_slice(&text) : data);
    bool failed = text.failed || p->text.failed;
    buf_fini(&text);
    if (failed) {
        program_packet_unref(p);
        return FAN_E_NO_MEMORY;
    }
    *packet = p;
    return 0;
}

void program_packet_append(const struct program_packet *p, const uint64_t *id, struct buf *out)
{
    struct buf message = {0};
    if (p->raw) {
        buf_append_slice(out, buf_slice(&p->text));
        return;
    }
    buf_append_char(&message, (char)('0' + EIO_MESSAGE));
    sio_append_binary_head(&message, p->type, p->attachments, slice_from(p->space), id);
    buf_append_slice(&message, buf_slice(&p->text));
    if (message.failed)
        out->failed = true;
    else
        ws_append_frame(out, WS_TEXT, false, buf_slice(&message));
    buf_append_slice(out, buf_slice(&p->binary));
    buf_fini(&message);
}
