/* Topic names; see topic_name.h. */
#include "hub/topic_name.h"

#include "codec/http.h"
#include "fanfare/error.h"

#define ID_RULE "must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -"

/* `refused` is what a bad id of this kind is answered with. */
static const struct {
    struct slice name;
    const char *refused;
} kinds[TOPIC_KINDS] = {
    [TOPIC_SESSION] = {{"session", 7}, "the id after 'session:' " ID_RULE},
    [TOPIC_PROJECT] = {{"project", 7}, "the id after 'project:' " ID_RULE},
    [TOPIC_AGENT] = {{"agent", 5}, "the id after 'agent:' " ID_RULE},
    [TOPIC_USER] = {{"user", 4},
                    "the id after 'user:' must be 1 to 384 characters of A-Z a-z 0-9 . _ : @ / -, "
                    "all others percent-encoded (%20)"},
    [TOPIC_CHANNEL] = {{"channel", 7}, "the name after 'channel:' " ID_RULE},
    [TOPIC_GLOBAL] = {{"global", 6}, "'global' takes no id"},
};

static const char unknown_kind[] = "a topic is session:<id>, project:<id>, agent:<id>, user:<id>, "
                                   "channel:<name> or global";

const char *topic_kind_name(enum topic_kind kind)
{
    return kinds[kind].name.ptr;
}

bool topic_kind_find(struct slice name, enum topic_kind *kind)
{
    for (unsigned i = 0; i < TOPIC_KINDS; i++)
        if (slice_equal(name, kinds[i].name)) {
            *kind = (enum topic_kind)i;
            return true;
        }
    return false;
}

static bool identifier_char(char c)
{
    return http_identifier_valid(slice_of(&c, 1));
}

/* The value of a capital hexadecimal digit, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Escapes must be canonical (capital digits, only where one is needed), or one user would have
 * several topics. */
static bool user_id_valid(struct slice id)
{
    if (id.len == 0 || id.len > TOPIC_USER_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] != '%') {
            if (!identifier_char(id.ptr[i]))
                return false;
            continue;
        }
        if (id.len - i < 3)
            return false;
        int high = hex_value(id.ptr[i + 1]), low = hex_value(id.ptr[i + 2]);
        if (high < 0 || low < 0 || identifier_char((char)(high * 16 + low)))
            return false;
        i += 2;
    }
    return true;
}

static bool id_valid(enum topic_kind kind, struct slice id)
{
    return kind == TOPIC_USER ? user_id_valid(id) : http_identifier_valid(id);
}

static int refuse(const char **why, const char *text)
{
    if (why)
        *why = text;
    return FAN_E_INVALID;
}

int topic_name_parse(struct slice text, struct topic_name *name, const char **why)
{
    struct slice rest = text, kind;
    if (!slice_split(&rest, ':', &kind) || !topic_kind_find(kind, &name->kind))
        return refuse(why, unknown_kind);
    bool has_id = kind.len < text.len;
    if (name->kind == TOPIC_GLOBAL ? has_id : !has_id || !id_valid(name->kind, rest))
        return refuse(why, kinds[name->kind].refused);
    name->id = rest;
    return 0;
}

void topic_name_append(struct buf *out, struct topic_name name)
{
    buf_append_slice(out, kinds[name.kind].name);
    if (name.kind == TOPIC_GLOBAL)
        return;
    BUF_LITERAL(out, ":");
    buf_append_slice(out, name.id);
}

static size_t encoded_size(struct slice subject)
{
    size_t size = 0;
    for (size_t i = 0; i < subject.len; i++)
        size += identifier_char(subject.ptr[i]) ? 1 : 3;
    return size;
}

int topic_user_append(struct buf *out, struct slice subject)
{
    static const char digits[] = "0123456789ABCDEF";
    if (subject.len == 0)
        return FAN_E_INVALID;
    if (subject.len > TOPIC_USER_ID_MAX || encoded_size(subject) > TOPIC_USER_ID_MAX)
        return FAN_E_TOO_LARGE;
    BUF_LITERAL(out, "user:");
    for (size_t i = 0; i < subject.len; i++) {
        unsigned char c = (unsigned char)subject.ptr[i];
        if (identifier_char((char)c))
            buf_append_char(out, (char)c);
        else
            buf_append(out, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
    return 0;
}

bool topic_prefix_next(struct slice name, size_t *at, struct slice *prefix)
{
    const char separator = *at == 0 ? ':' : '/';
    const char *found = *at < name.len ? memchr(name.ptr + *at, separator, name.len - *at) : NULL;
    if (!found || found + 1 == name.ptr + name.len)
        return false;
    *at = (size_t)(found - name.ptr) + 1;
    *prefix = slice_of(name.ptr, *at);
    return true;
}
