/* JSON Schemas of catalogue fields; see event_schema.h. */
#include "api/event_schema.h"

#include "api/embedded.h"

static const char *const type_names[] = {
    [EVENT_TEXT] = "string",     [EVENT_NUMBER] = "number", [EVENT_INTEGER] = "integer",
    [EVENT_BOOLEAN] = "boolean", [EVENT_OBJECT] = "object", [EVENT_LIST] = "array",
    [EVENT_TEXT_LIST] = "array", [EVENT_UUID] = "string",
};

/* A field that is not required may be null. */
static void put_type(struct buf *out, const struct event_field *field)
{
    if (field->kind == EVENT_ANY)
        return;
    if (field->flags & EVENT_REQUIRED) {
        json_put_text(out, "type", type_names[field->kind]);
        return;
    }
    json_begin(out, "type", '[');
    json_put_text(out, NULL, type_names[field->kind]);
    json_put_text(out, NULL, "null");
    json_end(out, ']');
}

static void put_choices(struct buf *out, const struct event_field *field)
{
    bool open = field->flags & EVENT_OPEN_CHOICES;
    if (!field->choices)
        return;
    json_begin(out, open ? "examples" : "enum", '[');
    for (const char *const *choice = field->choices; *choice; choice++)
        json_put_text(out, NULL, *choice);
    if (!open && !(field->flags & EVENT_REQUIRED))
        json_put_text(out, NULL, NULL);
    json_end(out, ']');
}

static void put_fields(struct buf *out, const struct event_field *fields, unsigned count);

static void put_members(struct buf *out, const struct event_field *field)
{
    bool list = field->kind == EVENT_LIST;
    if (!field->member_count)
        return;
    if (list) {
        json_begin(out, "items", '{');
        json_put_text(out, "type", "object");
    }
    put_fields(out, field->members, field->member_count);
    if (list)
        json_end(out, '}');
}

static void put_field(struct buf *out, const struct event_field *field)
{
    json_begin(out, field->name.ptr, '{');
    put_type(out, field);
    put_members(out, field);
    if (field->kind == EVENT_TEXT_LIST)
        json_put_raw(out, "items", SLICE("{\"type\":\"string\"}"));
    if (field->kind == EVENT_UUID)
        json_put_text(out, "format", "uuid");
    if (field->flags & EVENT_NOT_EMPTY)
        json_put_u64(out, "minLength", 1);
    if (field->flags & EVENT_MINIMUM)
        json_put_number(out, "minimum", field->minimum);
    if (field->flags & EVENT_MAXIMUM)
        json_put_number(out, "maximum", field->maximum);
    put_choices(out, field);
    json_put_text(out, "description", field->meaning);
    json_end(out, '}');
}

/* The members `properties` and `required`. */
static void put_fields(struct buf *out, const struct event_field *fields, unsigned count)
{
    json_begin(out, "properties", '{');
    for (unsigned i = 0; i < count; i++)
        put_field(out, &fields[i]);
    json_end(out, '}');
    json_begin(out, "required", '[');
    for (unsigned i = 0; i < count; i++)
        if (fields[i].flags & EVENT_REQUIRED)
            json_put_text(out, NULL, fields[i].name.ptr);
    json_end(out, ']');
}

void event_schema_put(struct buf *out, const char *name, const struct event_field *fields,
                      unsigned count, const char *description, const char *example)
{
    json_begin(out, name, '{');
    json_put_text(out, "type", "object");
    if (description)
        json_put_text(out, "description", description);
    put_fields(out, fields, count);
    if (example) {
        json_begin(out, "examples", '[');
        json_put_raw(out, NULL, slice_from(example));
        json_end(out, ']');
    }
    json_end(out, '}');
}

static void put_type_schema(struct buf *out, const char *kind, const struct event_type *type)
{
    struct buf name = {0};
    buf_printf(&name, "%s_%s", kind, type->name.ptr);
    event_schema_put(out, buf_text(&name), type->fields, type->field_count, type->meaning,
                     type->example);
    buf_fini(&name);
}

void schemas_put_members(struct buf *out)
{
    struct json_iter it =
        json_members((struct json_value){JSON_OBJECT, slice_trim(embedded_schemas[0].content)});
    struct json_member member;
    while (json_next_member(&it, &member)) {
        json_put_name_slice(out, member.name);
        json_append_compact(out, member.value);
    }
    for (unsigned i = 0; i < catalogue_count(); i++)
        put_type_schema(out, "event", catalogue_at(i));
    for (unsigned i = 0; i < catalogue_channel_count(); i++)
        put_type_schema(out, "channel", catalogue_channel_at(i));
}
