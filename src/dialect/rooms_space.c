/* Namespaces, and how events look in them; see rooms_space.h. */
#include "dialect/rooms_space.h"

#include "base/memory.h"
#include "codec/engineio.h"
#include "codec/socketio.h"
#include "dialect/client.h"
#include "dialect/envelope.h"
#include "dialect/frame.h"
#include "dialect/rooms_private.h"
#include "fanfare/error.h"

/* ---- Events ---- */

/* The cursor is the same for all who get the event, so that it is encoded once for all. Only what
 * is read from history for one that went back differs. */
static void append_offset(const struct delivery *d, struct buf *out, const struct event *e)
{
    char text[ROOM_OFFSET_SIZE];
    struct room_offset offset = {.cursor = client_cursor(d, e)};
    if (e->ephemeral)
        return;
    if (d->fanout.reader) {
        const struct client *c = CONTAINER(d->fanout.reader, struct client, subscriber);
        offset.mark = room_marks_shown(room_session_of(c)->marks, offset.cursor.seq);
    }
    room_offset_format(offset, text);
    buf_append_char(out, ',');
    envelope_quoted(out, slice_from(text));
}

static void append_packet(const struct room_encoding *how, struct delivery *d, struct buf *out,
                          const struct event *e, unsigned place)
{
    buf_append_slice(out, buf_slice(&how->space->head));
    envelope_quoted(out, e->type);
    buf_append_char(out, ',');
    room_append_envelope(out, e, place, false);
    if (how->numbered)
        append_offset(d, out, e);
    buf_append_char(out, ']');
}

static void append_plain(const struct encoding *self, void *context, struct buf *out,
                         const struct event *e, unsigned place)
{
    size_t at = frame_begin(out);
    append_packet(CONTAINER(self, struct room_encoding, encoding), context, out, e, place);
    frame_end(out, at);
}

static void append_compressed(const struct encoding *self, void *context, struct buf *out,
                              const struct event *e, unsigned place)
{
    struct delivery *d = context;
    buf_clear(&d->plain);
    append_packet(CONTAINER(self, struct room_encoding, encoding), d, &d->plain, e, place);
    if (d->plain.failed)
        out->failed = true;
    else
        frame_append_compressed(d, out, buf_slice(&d->plain));
}

/* ---- The list ---- */

const struct room_space *room_space_find(const struct room_space *list, struct slice name)
{
    for (; list; list = list->next)
        if (slice_is(name, list->name))
            return list;
    return NULL;
}

static void describe_encodings(struct room_space *space)
{
    for (unsigned numbered = 0; numbered < 2; numbered++)
        for (unsigned compressed = 0; compressed < 2; compressed++)
            space->encodings[numbered][compressed] = (struct room_encoding){
                .encoding = {.name = space->name,
                             .dialect = DIALECT_ROOMS,
                             .append_as = compressed ? append_compressed : append_plain},
                .space = space,
                .numbered = numbered,
                .compressed = compressed,
            };
}

int room_space_add(struct room_space **list, struct slice name, const struct room_hooks *hooks,
                   void *arg, struct room_space **added)
{
    if (room_space_find(*list, name))
        return FAN_E_EXISTS;
    struct room_space *space = memory_zero(sizeof *space);
    space->name = memory_copy_string(name);
    space->hooks = hooks;
    space->arg = arg;
    buf_append_char(&space->head, (char)('0' + EIO_MESSAGE));
    sio_append_head(&space->head, SIO_EVENT, slice_from(space->name), NULL);
    buf_append_char(&space->head, '[');
    describe_encodings(space);
    space->next = *list;
    *list = space;
    *added = space;
    return 0;
}

void room_spaces_free(struct room_space *list)
{
    while (list) {
        struct room_space *space = list;
        list = space->next;
        buf_fini(&space->head);
        memory_free(space->name);
        memory_free(space);
    }
}
