/* Sockets and users as notes; see rooms_notes.h. */
#include "dialect/rooms_notes.h"

#include "base/memory.h"
#include "codec/json_writer.h"
#include "dialect/rooms_private.h"
#include "fanfare/error.h"

/* ---- Away ---- */

struct sent_note {
    struct note note;
    char text[];
};

static void free_sent(struct note *note)
{
    memory_free(CONTAINER(note, struct sent_note, note));
}

void room_note_send(struct hub *hub, const char *kind, struct slice key, struct slice value)
{
    size_t length = strlen(kind);
    struct sent_note *n = memory_try_alloc(sizeof *n + length + key.len + value.len);
    if (!n)
        return; /* what was kept before stays */
    memcpy(n->text, kind, length);
    memcpy(n->text + length, key.ptr, key.len);
    if (value.len)
        memcpy(n->text + length + key.len, value.ptr, value.len);
    n->note = (struct note){
        .name = slice_of(n->text, length + key.len),
        .value = slice_of(n->text + length + key.len, value.len),
        .done = free_sent,
    };
    hub_keep(hub, &n->note);
}

/* ---- As JSON ---- */

void room_note_append_socket(struct buf *out, const struct room_socket *socket, int64_t until_ms)
{
    struct slice room;
    uint64_t since;
    json_begin(out, NULL, '{');
    json_put_text(out, "id", socket->id);
    json_put_text(out, "space", socket->space->name);
    json_put_name(out, "user");
    json_append_lossy(out, socket->user);
    json_put_u64(out, "until", (uint64_t)until_ms);
    json_begin(out, "rooms", '[');
    for (size_t at = 0; room_next(&socket->rooms, &at, &since, &room);) {
        json_put_slice(out, NULL, room);
        json_put_u64(out, NULL, since);
    }
    json_end(out, ']');
    room_marks_append(socket->marks, out);
    json_end(out, '}');
}

void room_note_append_user(struct buf *out, uint64_t position, int64_t now_ms)
{
    json_begin(out, NULL, '{');
    json_put_u64(out, "position", position);
    json_put_u64(out, "at", (uint64_t)now_ms);
    json_end(out, '}');
}

/* ---- Back ---- */

static int read_rooms(struct json_value list, struct buf *rooms)
{
    struct json_iter it = json_elements(list);
    struct json_value name, number;
    while (json_next_element(&it, &name)) {
        struct slice room;
        int64_t since;
        if (name.kind != JSON_STRING || !json_string_plain(name, &room) ||
            !json_next_element(&it, &number) || number.kind != JSON_NUMBER ||
            !json_integer(number, &since) || since < 0)
            return FAN_E_PARSE;
        room_put(rooms, (uint64_t)since, room);
    }
    return rooms->failed ? FAN_E_NO_MEMORY : 0;
}

static int64_t integer(struct json_value object, const char *name)
{
    struct json_value value = message_member(object, name);
    int64_t n;
    return value.kind == JSON_NUMBER && json_integer(value, &n) && n >= 0 ? n : -1;
}

int room_note_read_socket(struct slice text, const struct room_space *spaces,
                          struct room_socket *socket, struct buf *user, int64_t *until_ms)
{
    struct json_value object, rooms, name;
    *socket = (struct room_socket){0};
    if (json_parse(text, &object, NULL) != 0 || object.kind != JSON_OBJECT)
        return FAN_E_PARSE;
    struct slice id = message_text(object, "id"), space = message_text(object, "space");
    rooms = message_member(object, "rooms");
    name = message_member(object, "user");
    *until_ms = integer(object, "until");
    if (id.len != ROOM_ID_SIZE - 1 || !space.ptr || name.kind != JSON_STRING || *until_ms < 0 ||
        rooms.kind != JSON_ARRAY)
        return FAN_E_PARSE;
    socket->space = room_space_find(spaces, space);
    if (!socket->space)
        return FAN_E_NOT_FOUND;
    memcpy(socket->id, id.ptr, id.len);
    json_string_append(user, name);
    int error = read_rooms(rooms, &socket->rooms);
    if (!error)
        error = room_marks_read(object, &socket->marks);
    if (error)
        room_socket_fini(socket);
    return error;
}

int room_note_read_user(struct slice text, uint64_t *position, int64_t *at_ms)
{
    struct json_value object;
    if (json_parse(text, &object, NULL) != 0 || object.kind != JSON_OBJECT)
        return FAN_E_PARSE;
    int64_t n = integer(object, "position");
    *at_ms = integer(object, "at");
    *position = (uint64_t)n;
    return n < 0 || *at_ms < 0 ? FAN_E_PARSE : 0;
}
