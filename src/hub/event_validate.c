/* Checks at publishing; see event_validate.h. */
#include "hub/event_validate.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "codec/utf8.h"
#include "fanfare/error.h"
#include "hub/event_table.h"

/* How much of a wrong value is shown, in bytes. */
#define SHOWN_VALUE 40

/* What the flat envelopes put beside the members of data. */
static const struct slice envelope_names[] = {NAME("type"), NAME("session_id"), NAME("timestamp"),
                                              NAME("offset")};

__attribute__((format(printf, 3, 4))) static int refuse(struct event_check *check,
                                                        const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(check->message, sizeof check->message, format, args);
    va_end(args);
    if (len >= (int)sizeof check->message) {
        struct slice kept = slice_of(check->message, sizeof check->message - 1);
        check->message[kept.len - utf8_incomplete_tail(kept)] = '\0';
    }
    check->field = field;
    return FAN_E_INVALID;
}

static void check_init(struct event_check *check)
{
    check->field = NULL;
    check->message[0] = '\0';
    check->warning = NULL;
    check->key = slice_of(NULL, 0);
}

/* The beginning of a text that is valid UTF-8, not cut inside a code point. */
static struct slice shown_part(struct slice text)
{
    if (text.len <= SHOWN_VALUE)
        return text;
    size_t len = SHOWN_VALUE;
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--;
    return slice_of(text.ptr, len);
}

int event_type_resolve(struct slice name, unsigned kinds, const struct event_type **type,
                       struct event_check *check)
{
    bool all_channels = kinds == TOPIC_BIT(TOPIC_CHANNEL);
    check_init(check);
    *type = NULL;
    if (name.len == 0 && !all_channels)
        return refuse(check, "type", "type is missing; only channel: topics can do without");
    if (name.len == 0 || (all_channels && slice_is(name, "event")))
        return 0;
    *type = catalogue_find(name);
    if (*type)
        return 0;
    if (catalogue_reserved(name))
        return refuse(check, "type",
                      "type '%.*s' is the name of a control message and cannot be published",
                      SLICE_ARG(name));
    if (!catalogue_name_valid(name))
        return refuse(check, "type",
                      "type must be a lower-case letter and up to 63 of a-z 0-9 _ . -, "
                      "got '%.*s'%s",
                      SLICE_ARG(shown_part(name)), name.len > SHOWN_VALUE ? "…" : "");
    return 0;
}

/* ---- One field ---- */

static bool kind_fits(const struct event_field *field, struct json_value value)
{
    switch (field->kind) {
    case EVENT_ANY:
        return true;
    case EVENT_TEXT:
        return value.kind == JSON_STRING &&
               (!(field->flags & EVENT_NOT_EMPTY) || value.text.len > 2);
    case EVENT_NUMBER:
        return value.kind == JSON_NUMBER;
    case EVENT_INTEGER:
        return value.kind == JSON_NUMBER && json_integer(value, &(int64_t){0});
    case EVENT_BOOLEAN:
        return value.kind == JSON_TRUE || value.kind == JSON_FALSE;
    case EVENT_OBJECT:
        return value.kind == JSON_OBJECT;
    case EVENT_LIST:
    case EVENT_TEXT_LIST:
        return value.kind == JSON_ARRAY;
    case EVENT_UUID:
        return value.kind == JSON_STRING;
    }
    return false;
}

static bool range_holds(const struct event_field *field, struct json_value value)
{
    if (!(field->flags & (EVENT_MINIMUM | EVENT_MAXIMUM)))
        return true;
    double number = json_number(value);
    return isfinite(number) && (!(field->flags & EVENT_MINIMUM) || number >= field->minimum) &&
           (!(field->flags & EVENT_MAXIMUM) || number <= field->maximum);
}

static bool choice_holds(const struct event_field *field, struct json_value value)
{
    struct slice plain;
    bool is_plain = json_string_plain(value, &plain);
    for (const char *const *choice = field->choices; *choice; choice++)
        if (is_plain ? slice_is(plain, *choice) : json_string_is(value, *choice))
            return true;
    return false;
}

static bool all_text(struct json_value list)
{
    struct json_iter it = json_elements(list);
    struct json_value element;
    while (json_next_element(&it, &element))
        if (element.kind != JSON_STRING)
            return false;
    return true;
}

/* RFC 9562, 4: 8-4-4-4-12 hexadecimal digits, of either case. */
static bool uuid_holds(struct json_value value)
{
    struct slice text;
    if (!json_string_plain(value, &text) || text.len != 36)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = text.ptr[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return true;
}

static void write_expected(const struct event_field *field, struct buf *out)
{
    static const char *const words[] = {
        [EVENT_ANY] = "any value",         [EVENT_TEXT] = "a string",
        [EVENT_NUMBER] = "a number",       [EVENT_INTEGER] = "a whole number",
        [EVENT_BOOLEAN] = "true or false", [EVENT_OBJECT] = "an object",
        [EVENT_LIST] = "a list",           [EVENT_TEXT_LIST] = "a list of strings",
        [EVENT_UUID] = "a UUID",
    };
    bool strict = field->choices && !(field->flags & EVENT_OPEN_CHOICES);
    if (strict) {
        BUF_LITERAL(out, "one of");
        for (const char *const *choice = field->choices; *choice; choice++)
            buf_printf(out, "%s %s", choice == field->choices ? "" : ",", *choice);
        return;
    }
    buf_append_text(out, field->flags & EVENT_NOT_EMPTY ? "a string that is not empty"
                                                        : words[field->kind]);
    unsigned range = field->flags & (EVENT_MINIMUM | EVENT_MAXIMUM);
    if (range == (EVENT_MINIMUM | EVENT_MAXIMUM))
        buf_printf(out, " from %g to %g", field->minimum, field->maximum);
    else if (range == EVENT_MINIMUM)
        buf_printf(out, " of at least %g", field->minimum);
    else if (range == EVENT_MAXIMUM)
        buf_printf(out, " of at most %g", field->maximum);
}

static int refuse_value(const struct event_field *field, const struct json_value *value,
                        struct event_check *check)
{
    struct buf expected = {0};
    write_expected(field, &expected);
    const char *name = field->name.ptr, *text = buf_text(&expected);
    if (value) {
        struct slice shown = shown_part(value->text);
        refuse(check, name, "%s must be %s, got %.*s%s", name, text, SLICE_ARG(shown),
               shown.len < value->text.len ? "…" : "");
    } else {
        refuse(check, name, "%s is missing: it must be %s", name, text);
    }
    buf_fini(&expected);
    return FAN_E_INVALID;
}

/* Position of the member's name in a list of names that lie `stride` bytes apart; -1: none. */
static int find_name(const struct json_member *member, const struct slice *first, size_t stride,
                     unsigned count)
{
    const char *at = (const char *)first;
    for (unsigned i = 0; i < count; i++, at += stride) {
        const struct slice *name = (const struct slice *)(const void *)at;
        if (member->name_escaped ? json_name_is(member, *name) : slice_equal(member->name, *name))
            return (int)i;
    }
    return -1;
}

static int check_members(const struct event_field *field, struct json_value value,
                         struct event_check *check);

/* A value other than null. */
static int check_value(const struct event_field *field, struct json_value value,
                       struct event_check *check)
{
    bool fits = kind_fits(field, value);
    if (fits && (field->kind == EVENT_NUMBER || field->kind == EVENT_INTEGER))
        fits = range_holds(field, value);
    else if (fits && field->kind == EVENT_TEXT_LIST)
        fits = all_text(value);
    else if (fits && field->kind == EVENT_UUID)
        fits = uuid_holds(value);
    if (fits && field->choices && !choice_holds(field, value)) {
        fits = field->flags & EVENT_OPEN_CHOICES;
        if (fits)
            check->warning = field->name.ptr;
    }
    if (!fits)
        return refuse_value(field, &value, check);
    return field->members ? check_members(field, value, check) : 0;
}

/* An object within data. What goes wrong in it is told with the way to it. */
static int check_object(const struct event_field *fields, unsigned count, struct json_value object,
                        struct event_check *check)
{
    uint32_t found = 0;
    struct json_iter it = json_members(object);
    struct json_member member;
    while (json_next_member(&it, &member)) {
        int i = find_name(&member, &fields->name, sizeof *fields, count);
        if (i < 0)
            continue;
        found &= ~(1u << i);
        if (member.value.kind == JSON_NULL)
            continue;
        found |= 1u << i;
        int error = check_value(&fields[i], member.value, check);
        if (error)
            return error;
    }
    for (unsigned i = 0; i < count; i++)
        if (fields[i].flags & EVENT_REQUIRED && !(found >> i & 1))
            return refuse_value(&fields[i], NULL, check);
    return 0;
}

static int refuse_within(const char *name, int index, struct event_check *check)
{
    char inner[sizeof check->message];
    memcpy(inner, check->message, sizeof inner);
    if (index < 0)
        return refuse(check, name, "%s.%s", name, inner);
    return refuse(check, name, "%s[%d].%s", name, index, inner);
}

static int check_members(const struct event_field *field, struct json_value value,
                         struct event_check *check)
{
    const char *name = field->name.ptr;
    if (value.kind == JSON_OBJECT) {
        int error = check_object(field->members, field->member_count, value, check);
        return error ? refuse_within(name, -1, check) : 0;
    }
    struct json_iter it = json_elements(value);
    struct json_value element;
    for (int i = 0; json_next_element(&it, &element); i++) {
        if (element.kind != JSON_OBJECT)
            return refuse(check, name, "%s[%d] must be an object, got %s", name, i,
                          json_kind_name(element.kind));
        if (check_object(field->members, field->member_count, element, check) != 0)
            return refuse_within(name, i, check);
    }
    return 0;
}

/* ---- All members ---- */

static int envelope_name(const struct json_member *member)
{
    return find_name(member, envelope_names, sizeof *envelope_names,
                     sizeof envelope_names / sizeof *envelope_names);
}

/* Position among the type's fields; -1: none. */
static int find_field(const struct event_type *type, const struct json_member *member)
{
    return type->field_count
               ? find_name(member, &type->fields->name, sizeof *type->fields, type->field_count)
               : -1;
}

static int check_member(const struct event_type *type, const struct json_member *member,
                        struct event_members *members, struct event_check *check)
{
    int i = find_field(type, member);
    if (i < 0) {
        int envelope = type->any_names ? -1 : envelope_name(member);
        if (envelope < 0)
            return 0;
        const char *name = envelope_names[envelope].ptr;
        return refuse(check, name,
                      "%s cannot stand in the data of %s: the envelope has a field of that name",
                      name, type->name.ptr);
    }
    const struct event_field *field = &type->fields[i];
    members->values[i] = member->value;
    if (member->value.kind == JSON_NULL) {
        members->found &= ~(1u << i);
        return field->flags & EVENT_REQUIRED ? refuse_value(field, &member->value, check) : 0;
    }
    members->found |= 1u << i;
    return check_value(field, member->value, check);
}

static void set_key(const struct event_type *type, const struct event_members *members,
                    struct event_check *check)
{
    if (!type->key_field)
        return;
    check->key = slice_of(members->data.ptr, 0);
    for (unsigned i = 0; *type->key_field && i < type->field_count; i++) {
        if (!(members->found >> i & 1) || !slice_is(type->fields[i].name, type->key_field))
            continue;
        struct slice text = members->values[i].text;
        bool quoted = members->values[i].kind == JSON_STRING;
        check->key = quoted ? slice_of(text.ptr + 1, text.len - 2) : text;
    }
}

int event_validate(const struct event_type *type, struct slice data, struct buf *replacement,
                   struct event_check *check)
{
    check_init(check);
    if (!type)
        return 0;
    struct event_members members;
    members.data = data;
    members.found = 0;
    struct json_iter it = json_members((struct json_value){JSON_OBJECT, data});
    struct json_member member;
    while (json_next_member(&it, &member)) {
        int result = check_member(type, &member, &members, check);
        if (result != 0)
            return result;
    }
    for (unsigned i = 0; i < type->field_count; i++)
        if (type->fields[i].flags & EVENT_REQUIRED && !(members.found >> i & 1))
            return refuse_value(&type->fields[i], NULL, check);
    set_key(type, &members, check);
    return type->finish ? type->finish(type, &members, replacement, check) : 0;
}

uint32_t event_channel_bit(struct topic_name name)
{
    if (name.kind != TOPIC_CHANNEL)
        return 0;
    for (unsigned i = 0; i < catalogue_channel_count(); i++)
        if (slice_equal(catalogue_channel_at(i)->name, name.id))
            return 1u << i;
    return 0;
}

int event_validate_channels(uint32_t channels, struct slice data, struct buf *replacement,
                            struct event_check *check)
{
    struct slice key = slice_of(NULL, 0); /* the first channel's: it lies in data as it came */
    int error = 0;
    check_init(check);
    for (unsigned i = 0; i < catalogue_channel_count() && !error; i++) {
        struct buf changed = {0};
        if (!(channels >> i & 1))
            continue;
        error = event_validate(catalogue_channel_at(i), data, &changed, check);
        if (!replacement->len && !key.ptr)
            key = check->key;
        if (changed.len) {
            buf_fini(replacement);
            *replacement = changed;
            data = buf_slice(replacement);
        } else {
            buf_fini(&changed);
        }
    }
    check->key = key;
    return error;
}

bool event_needs_nesting(const struct event_type *type, struct slice data)
{
    if (type && !type->any_names)
        return false;
    struct json_iter it = json_members((struct json_value){JSON_OBJECT, data});
    struct json_member member;
    while (json_next_member(&it, &member))
        if (envelope_name(&member) >= 0)
            return true;
    return false;
}

/* ---- Checks that span fields ---- */

/* Copies data without the members of the fields in `without`, and without the last brace. */
static void copy_members(const struct event_type *type, struct slice data, uint32_t without,
                         struct buf *out)
{
    struct json_iter it = json_members((struct json_value){JSON_OBJECT, data});
    struct json_member member;
    BUF_LITERAL(out, "{");
    while (json_next_member(&it, &member)) {
        int i = find_field(type, &member);
        if (i >= 0 && without >> i & 1)
            continue;
        if (out->len > 1)
            BUF_LITERAL(out, ",");
        BUF_LITERAL(out, "\"");
        buf_append_slice(out, member.name);
        BUF_LITERAL(out, "\":");
        buf_append_slice(out, member.value.text);
    }
}

int event_finish_progress(const struct event_type *type, const struct event_members *members,
                          struct buf *replacement, struct event_check *check)
{
    enum { TOTAL, COMPLETED, PERCENT };
    double total = json_number(members->values[TOTAL]);
    double completed = json_number(members->values[COMPLETED]);
    if (completed > total)
        return refuse(check, "completed", "completed must be a number from 0 to total (%g), got %g",
                      total, completed);
    if (members->found >> PERCENT & 1)
        return 0;
    uint64_t tenths = total > 0 ? (uint64_t)llround(completed / total * 1000) : 0;
    copy_members(type, members->data, 1u << PERCENT, replacement);
    BUF_LITERAL(replacement, ",\"percent\":");
    buf_append_u64(replacement, tenths / 10);
    if (tenths % 10)
        buf_append(replacement, (char[]){'.', (char)('0' + tenths % 10)}, 2);
    BUF_LITERAL(replacement, "}");
    return replacement->failed ? FAN_E_NO_MEMORY : 0;
}

int event_finish_timestamp(const struct event_type *type, const struct event_members *members,
                           struct buf *replacement, struct event_check *check)
{
    char text[CLOCK_TEXT_SIZE];
    unsigned i = 0;
    while (!slice_is(type->fields[i].name, "timestamp"))
        i++;
    if (members->found >> i & 1)
        return 0;
    clock_format(check->time_ms, text);
    copy_members(type, members->data, 1u << i, replacement);
    if (replacement->len > 1)
        BUF_LITERAL(replacement, ",");
    buf_printf(replacement, "\"timestamp\":\"%s\"}", text);
    return replacement->failed ? FAN_E_NO_MEMORY : 0;
}

/* Whether a string's content, escapes resolved, has more bytes than that; -1: no memory. */
static int longer_than(struct json_value string, size_t limit)
{
    if (string.text.len - 2 <= limit)
        return 0;
    struct slice plain;
    if (json_string_plain(string, &plain))
        return 1;
    struct buf content = {0};
    json_string_append(&content, string);
    int longer = content.failed ? -1 : content.len > limit;
    buf_fini(&content);
    return longer;
}

int event_finish_longest(const struct event_type *type, const struct event_members *members,
                         struct buf *replacement, struct event_check *check)
{
    (void)check;
    uint32_t without = 0;
    for (unsigned i = 0; i < type->field_count; i++) {
        if (!type->fields[i].longest || !(members->found >> i & 1))
            continue;
        int longer = longer_than(members->values[i], type->fields[i].longest);
        if (longer < 0)
            return FAN_E_NO_MEMORY;
        if (longer)
            without |= 1u << i;
    }
    if (!without)
        return 0;
    for (unsigned i = 0; i < type->field_count; i++)
        if (slice_is(type->fields[i].name, "truncated"))
            without |= 1u << i;
    copy_members(type, members->data, without, replacement);
    if (replacement->len > 1)
        BUF_LITERAL(replacement, ",");
    BUF_LITERAL(replacement, "\"truncated\":true}");
    return replacement->failed ? FAN_E_NO_MEMORY : 0;
}
