/* web/client/src/events.ts: the event catalogue as TypeScript, for the client library; see
 * openapi.h. */
#include "api/openapi.h"
#include "hub/catalogue.h"

static const char *const kind_types[] = {
    [EVENT_ANY] = "unknown",     [EVENT_TEXT] = "string",
    [EVENT_NUMBER] = "number",   [EVENT_INTEGER] = "number",
    [EVENT_BOOLEAN] = "boolean", [EVENT_OBJECT] = "Record<string, unknown>",
    [EVENT_LIST] = "unknown[]",  [EVENT_TEXT_LIST] = "string[]",
    [EVENT_UUID] = "string",
};

/* "component_update" becomes "ComponentUpdateData". */
static void put_interface_name(struct buf *out, struct slice name)
{
    bool upper = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = c >= 'a' && c <= 'z';
        if (letter || (c >= '0' && c <= '9'))
            buf_append_char(out, letter && upper ? (char)(c - 'a' + 'A') : c);
        upper = !letter;
    }
    BUF_LITERAL(out, "Data");
}

/* Open choices are shown to editors, and take any other text. */
static void put_field_type(struct buf *out, const struct event_field *field)
{
    for (const char *const *choice = field->choices; choice && *choice; choice++)
        buf_printf(out, "%s'%s'", choice == field->choices ? "" : " | ", *choice);
    if (!field->choices)
        buf_append_text(out, kind_types[field->kind]);
    else if (field->flags & EVENT_OPEN_CHOICES)
        BUF_LITERAL(out, " | (string & {})");
    if (!(field->flags & EVENT_REQUIRED) && field->kind != EVENT_ANY)
        BUF_LITERAL(out, " | null");
}

static void put_type(struct buf *out, const struct event_type *type)
{
    buf_printf(out, "\n/** %s */\nexport interface ", type->meaning);
    put_interface_name(out, type->name);
    BUF_LITERAL(out, " {\n");
    for (unsigned i = 0; i < type->field_count; i++) {
        const struct event_field *field = &type->fields[i];
        buf_printf(out, "    /** %s */\n    %s%s: ", field->meaning, field->name.ptr,
                   field->flags & EVENT_REQUIRED ? "" : "?");
        put_field_type(out, field);
        BUF_LITERAL(out, ";\n");
    }
    BUF_LITERAL(out, "    [more: string]: unknown;\n}\n");
}

void events_types_append(struct buf *out)
{
    BUF_LITERAL(out, "/* Generated from the event catalogue by `make docs`. */\n");
    for (unsigned i = 0; i < catalogue_count(); i++)
        put_type(out, catalogue_at(i));
    BUF_LITERAL(out, "\n/** The data of each event type. Declare your own types here, too. */\n"
                     "export interface EventData {\n");
    for (unsigned i = 0; i < catalogue_count(); i++) {
        buf_printf(out, "    '%s': ", catalogue_at(i)->name.ptr);
        put_interface_name(out, catalogue_at(i)->name);
        BUF_LITERAL(out, ";\n");
    }
    BUF_LITERAL(out, "}\n");
}
