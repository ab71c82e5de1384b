/* docs/events.md, generated from the event catalogue; see openapi.h. */
#include "api/openapi.h"
#include "hub/catalogue.h"

static const char *const kind_names[] = {
    [EVENT_ANY] = "anything",    [EVENT_TEXT] = "string",
    [EVENT_NUMBER] = "number",   [EVENT_INTEGER] = "integer",
    [EVENT_BOOLEAN] = "boolean", [EVENT_OBJECT] = "object",
    [EVENT_LIST] = "list",       [EVENT_TEXT_LIST] = "list of strings",
    [EVENT_UUID] = "UUID",
};

static void put_choices(struct buf *out, const struct event_field *field)
{
    for (const char *const *choice = field->choices; choice && *choice; choice++)
        buf_printf(out, "%s`%s`", choice == field->choices ? ": " : ", ", *choice);
    if (field->flags & EVENT_OPEN_CHOICES)
        buf_append_text(out, " (others pass as they are)");
}

static void put_range(struct buf *out, const struct event_field *field)
{
    unsigned range = field->flags & (EVENT_MINIMUM | EVENT_MAXIMUM);
    if (range == (EVENT_MINIMUM | EVENT_MAXIMUM))
        buf_printf(out, ", %g to %g", field->minimum, field->maximum);
    else if (range == EVENT_MINIMUM)
        buf_printf(out, ", at least %g", field->minimum);
    else if (range == EVENT_MAXIMUM)
        buf_printf(out, ", at most %g", field->maximum);
}

/* What is in an object, or in each object of a list. */
static void put_members(struct buf *out, const struct event_field *field)
{
    if (field->member_count)
        buf_append_text(out, field->kind == EVENT_LIST ? " of objects: " : ": ");
    for (unsigned i = 0; i < field->member_count; i++) {
        const struct event_field *member = &field->members[i];
        buf_printf(out, "%s`%s`%s %s", i ? ", " : "", member->name.ptr,
                   member->flags & EVENT_REQUIRED ? " (required)" : "", kind_names[member->kind]);
        if (member->choices || member->member_count)
            BUF_LITERAL(out, " (");
        put_choices(out, member);
        put_members(out, member);
        if (member->choices || member->member_count)
            BUF_LITERAL(out, ")");
    }
}

static void put_fields(struct buf *out, const struct event_field *fields, unsigned count)
{
    if (count == 0)
        return;
    BUF_LITERAL(out, "\n| Field | Value | Meaning |\n| --- | --- | --- |\n");
    for (unsigned i = 0; i < count; i++) {
        const struct event_field *field = &fields[i];
        buf_printf(out, "| `%s`%s | %s", field->name.ptr,
                   field->flags & EVENT_REQUIRED ? " (required)" : "", kind_names[field->kind]);
        if (field->flags & EVENT_NOT_EMPTY)
            BUF_LITERAL(out, ", not empty");
        put_range(out, field);
        put_choices(out, field);
        put_members(out, field);
        buf_printf(out, " | %s |\n", field->meaning);
    }
}

/* "Without a topic it goes to `project:<project_id>` and `user:<updated_by>`." */
static void put_routes(struct buf *out, const struct event_type *type)
{
    for (unsigned i = 0; i < type->route_count; i++) {
        const struct event_route *route = &type->routes[i];
        buf_append_text(out, i == 0             ? " Without a topic it goes to"
                             : route->otherwise ? ", else to"
                                                : " and");
        if (route->field)
            buf_printf(out, " `%s:<%s>`", topic_kind_name(route->kind), route->field);
        else
            buf_printf(out, " `%s`", topic_kind_name(route->kind));
    }
    if (type->route_count)
        BUF_LITERAL(out, ".");
}

static void put_type(struct buf *out, const struct event_type *type)
{
    buf_printf(out, "\n### `%s`\n\n%s", type->name.ptr, type->meaning);
    if (type->short_names[0]) {
        BUF_LITERAL(out, " In filters also");
        for (const char *const *name = type->short_names; *name; name++)
            buf_printf(out, "%s `%s`", name == type->short_names ? "" : ",", *name);
        BUF_LITERAL(out, ".");
    }
    if (type->key_field && *type->key_field)
        buf_printf(out, " The newest per `%s` stands for the older ones.", type->key_field);
    else if (type->key_field)
        BUF_LITERAL(out, " The newest stands for the older ones.");
    put_routes(out, type);
    BUF_LITERAL(out, "\n");
    put_fields(out, type->fields, type->field_count);
    buf_printf(out, "\n```json\n%s\n```\n", type->example);
}

static void put_control_messages(struct buf *out, const char *dialect, bool from_client)
{
    unsigned count;
    const struct control_message *messages = control_messages(&count);
    for (unsigned i = 0; i < count; i++) {
        const struct control_message *message = &messages[i];
        if (strcmp(message->dialect, dialect) != 0 || message->from_client != from_client ||
            !message->meaning)
            continue;
        buf_printf(out, "\n#### `%s`\n\n%s\n", message->name.ptr, message->meaning);
        put_fields(out, message->fields, message->field_count);
    }
}

static bool stands_before(const struct control_message *messages, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (slice_equal(messages[k].name, messages[i].name))
            return true;
    return false;
}

static void put_reserved(struct buf *out)
{
    unsigned count;
    const struct control_message *messages = control_messages(&count);
    const char *separator = "";
    BUF_LITERAL(out, "\n## Reserved names\n\nThese are control messages of a dialect or belong to "
                     "Socket.IO; an event of such a type is refused (422):\n\n");
    for (unsigned i = 0; i < count; i++) {
        if (!catalogue_reserved(messages[i].name) || stands_before(messages, i))
            continue;
        buf_printf(out, "%s`%s`", separator, messages[i].name.ptr);
        separator = ", ";
    }
    BUF_LITERAL(out, ".\n");
}

static void put_dialect(struct buf *out, const char *dialect)
{
    buf_printf(out, "\n## Control messages of the `%s` dialect\n\n### From the client\n", dialect);
    put_control_messages(out, dialect, true);
    BUF_LITERAL(out, "\n### From the server\n");
    put_control_messages(out, dialect, false);
}

static void put_section(struct buf *out, const char *title, const char *introduction)
{
    buf_printf(out, "\n## %s\n%s", title, introduction);
    for (unsigned i = 0; i < catalogue_count(); i++) {
        const struct event_type *type = catalogue_at(i);
        if (strcmp(type->section ? type->section : "Build sessions", title) == 0)
            put_type(out, type);
    }
}

void events_doc_append(struct buf *out)
{
    BUF_LITERAL(
        out, "<!-- Generated from the event catalogue by `make docs`. "
             "-->\n# Events\n\n"
             "An event has a type and `data`, a JSON object. The types below are checked when "
             "they are published: what does not fit is refused with 422 and a message that names "
             "the field and what was expected. Fields that are not required may be left out or "
             "null; other fields pass as they are. In build sessions `type`, `session_id`, "
             "`timestamp` and `offset`, which the envelope has, cannot be fields.\n\n"
             "Any other name of the form `[a-z][a-z0-9_.-]{0,63}` is a custom type and passes "
             "unchecked. Where data of other than build sessions has a field of the envelope, flat "
             "envelopes have it nested under `data`.\n");
    put_section(out, "Build sessions", "");
    put_section(out, "Web IDE sessions", "");
    put_section(
        out, "Rooms",
        "\nWho publishes them names the topics, or none: then each goes where it belongs. A route "
        "whose field is not there leads nowhere.\n");
    put_section(out, "Channels",
                "\nChannels have any names. What is published to one of these, of whatever custom "
                "type or without one, is checked:\n");
    for (unsigned i = 0; i < catalogue_channel_count(); i++)
        put_type(out, catalogue_channel_at(i));
    put_dialect(out, "build");
    put_dialect(out, "ide");
    put_dialect(out, "channels");
    put_dialect(out, "rooms");
    put_reserved(out);
}
