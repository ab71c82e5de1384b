/* Socket.IO packets; see socketio.h. */
#include "codec/socketio.h"

#include "fanfare/error.h"

/* What the data of a packet may be. */
enum shape { NO_DATA, OBJECT_OR_NONE, EVENT_LIST, LIST, OBJECT_OR_TEXT };

static const struct {
    enum shape shape;
    bool attachments, id;
} rules[SIO_TYPES] = {
    [SIO_CONNECT] = {OBJECT_OR_NONE, false, false},
    [SIO_DISCONNECT] = {NO_DATA, false, false},
    [SIO_EVENT] = {EVENT_LIST, false, true},
    [SIO_ACK] = {LIST, false, true},
    [SIO_CONNECT_ERROR] = {OBJECT_OR_TEXT, false, false},
    [SIO_BINARY_EVENT] = {EVENT_LIST, true, true},
    [SIO_BINARY_ACK] = {LIST, true, true},
};

/* Names with which a client's library speaks to its own program. */
static const char *const own_names[] = {
    "connect",     "connect_error",  "disconnect", "disconnecting",
    "newListener", "removeListener", NULL};

/* ---- Reading ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at the front of *rest. False: none, or more than 15. */
static bool take_number(struct slice *rest, uint64_t *number)
{
    size_t n = 0;
    *number = 0;
    for (; n < rest->len && n < 16 && is_digit(rest->ptr[n]); n++)
        *number = *number * 10 + (uint64_t)(rest->ptr[n] - '0');
    *rest = slice_skip(*rest, n);
    return n > 0 && n < 16;
}

static int fail(const char **why, const char *text)
{
    *why = text;
    return FAN_E_PARSE;
}

static int take_attachments(struct slice *rest, struct sio_packet *packet, const char **why)
{
    uint64_t n;
    if (!take_number(rest, &n) || rest->len == 0 || rest->ptr[0] != '-')
        return fail(why, "a binary packet begins with the number of its attachments and a '-'");
    *rest = slice_skip(*rest, 1);
    if (n > SIO_ATTACHMENTS_MAX)
        return fail(why, "a packet may have 64 attachments");
    packet->attachments = (unsigned)n;
    return 0;
}

static int take_namespace(struct slice *rest, struct sio_packet *packet, const char **why)
{
    packet->space = SLICE("/");
    if (rest->len == 0 || rest->ptr[0] != '/')
        return 0;
    const char *end = memchr(rest->ptr, ',', rest->len);
    struct slice space = slice_of(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);
    *rest = end ? slice_skip(*rest, space.len + 1) : slice_of("", 0);
    const char *query = memchr(space.ptr, '?', space.len);
    if (query)
        space.len = (size_t)(query - space.ptr);
    if (space.len > SIO_NAMESPACE_MAX)
        return fail(why, "a namespace has at most 128 characters");
    packet->space = space;
    return 0;
}

bool sio_namespace_valid(struct slice name)
{
    if (name.len == 0 || name.len > SIO_NAMESPACE_MAX || name.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == ',' || name.ptr[i] == '?')
            return false;
    return true;
}

static bool is_own_name(struct json_value name)
{
    for (const char *const *own = own_names; *own; own++)
        if (json_string_is(name, *own))
            return true;
    return false;
}

bool sio_event_reserved(struct slice name)
{
    for (const char *const *own = own_names; *own; own++)
        if (slice_is(name, *own))
            return true;
    return false;
}

static bool is_event(struct json_value data)
{
    struct json_iter it = json_elements(data);
    struct json_value name;
    if (!json_next_element(&it, &name))
        return false;
    return name.kind == JSON_NUMBER || (name.kind == JSON_STRING && !is_own_name(name));
}

static bool has_shape(struct json_value data, enum shape shape)
{
    switch (shape) {
    case NO_DATA:
        return data.text.len == 0;
    case OBJECT_OR_NONE:
        return data.text.len == 0 || data.kind == JSON_OBJECT;
    case EVENT_LIST:
        return data.kind == JSON_ARRAY && is_event(data);
    case LIST:
        return data.kind == JSON_ARRAY;
    case OBJECT_OR_TEXT:
        return data.kind == JSON_OBJECT || data.kind == JSON_STRING;
    }
    return false;
}

/* ---- Placeholders ---- */

/* {"_placeholder":true,"num":N}: 0; FAN_E_NOT_FOUND for other objects, FAN_E_PARSE for a number
 * that no attachment has. */
static int check_placeholder(struct json_value object, unsigned attachments)
{
    struct json_value mark, number;
    int64_t n;
    if (!json_find(object, SLICE("_placeholder"), &mark) || mark.kind != JSON_TRUE)
        return FAN_E_NOT_FOUND;
    if (!json_find(object, SLICE("num"), &number) || number.kind != JSON_NUMBER ||
        !json_integer(number, &n) || n < 0 || n >= (int64_t)attachments)
        return FAN_E_PARSE;
    return 0;
}

/* JSON is at most JSON_MAX_DEPTH deep. */
static bool placeholders_fit(struct json_value value, unsigned attachments)
{
    struct json_member member;
    struct json_value element;
    if (value.kind == JSON_OBJECT) {
        int error = check_placeholder(value, attachments);
        if (error != FAN_E_NOT_FOUND)
            return error == 0;
        for (struct json_iter it = json_members(value); json_next_member(&it, &member);)
            if (!placeholders_fit(member.value, attachments))
                return false;
    } else if (value.kind == JSON_ARRAY) {
        for (struct json_iter it = json_elements(value); json_next_element(&it, &element);)
            if (!placeholders_fit(element, attachments))
                return false;
    }
    return true;
}

bool sio_arguments_valid(struct slice json, unsigned attachments)
{
    struct json_value data;
    return json_parse(json, &data, NULL) == 0 && data.kind == JSON_ARRAY &&
           placeholders_fit(data, attachments);
}

static int read_data(struct slice rest, struct sio_packet *packet, const char **why)
{
    packet->data = (struct json_value){JSON_NULL, {"", 0}};
    if (rest.len && json_parse(rest, &packet->data, NULL) != 0)
        return fail(why, "a packet's data is JSON");
    if (!has_shape(packet->data, rules[packet->type].shape))
        return fail(why, "a packet's data is not what its type says");
    if (packet->attachments && !placeholders_fit(packet->data, packet->attachments))
        return fail(why, "a placeholder has a number that no attachment has");
    return 0;
}

int sio_packet_parse(struct slice text, struct sio_packet *packet, const char **why)
{
    *packet = (struct sio_packet){0};
    if (text.len == 0 || text.ptr[0] < '0' || text.ptr[0] >= '0' + SIO_TYPES)
        return fail(why, "a packet begins with its type, a digit from 0 to 6");
    packet->type = (enum sio_type)(text.ptr[0] - '0');
    struct slice rest = slice_skip(text, 1);
    int error = rules[packet->type].attachments ? take_attachments(&rest, packet, why) : 0;
    if (!error)
        error = take_namespace(&rest, packet, why);
    if (!error && rest.len && is_digit(rest.ptr[0])) {
        packet->has_id = true;
        if (!take_number(&rest, &packet->id) || !rules[packet->type].id)
            return fail(why, "an acknowledgement's id is a number of up to 15 digits, and only "
                             "events and acknowledgements have one");
    }
    return error ? error : read_data(rest, packet, why);
}

/* ---- Writing ---- */

static void append_space(struct buf *out, struct slice space, const uint64_t *id)
{
    if (!slice_is(space, "/")) {
        buf_append_slice(out, space);
        buf_append_char(out, ',');
    }
    if (id)
        buf_append_u64(out, *id);
}

void sio_append_head(struct buf *out, enum sio_type type, struct slice space, const uint64_t *id)
{
    buf_append_char(out, (char)('0' + type));
    append_space(out, space, id);
}

void sio_append_binary_head(struct buf *out, enum sio_type type, unsigned attachments,
                            struct slice space, const uint64_t *id)
{
    enum sio_type binary = type == SIO_ACK ? SIO_BINARY_ACK : SIO_BINARY_EVENT;
    buf_append_char(out, (char)('0' + (attachments ? binary : type)));
    if (attachments) {
        buf_append_u64(out, attachments);
        buf_append_char(out, '-');
    }
    append_space(out, space, id);
}
