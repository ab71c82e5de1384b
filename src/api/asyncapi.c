/*
 * The AsyncAPI 3.0 document; see openapi.h.
 *
 * An endpoint is a row of `endpoints`; its messages are the event types usual on its topics, in
 * its envelope, and its dialect's control messages.
 */
#include "api/event_schema.h"
#include "api/openapi.h"

struct endpoint {
    const char *key;
    const char *dialect; /* of its control messages; NULL: none */
    const char *address;
    const char *title;
    const char *description;
    const char *parameter; /* in the address; NULL: none */
    unsigned topics;       /* whose events it carries (TOPIC_BIT) */
    const char *envelope;  /* schema of what stands beside an event's data */
    const char *control;   /* schema of what stands beside the fields of other messages */
    bool in_data;          /* fields stand in data, not beside it; those of other messages, too,
                              when control says so */
    bool flat_calls;       /* but for what clients send */
    bool by_channel;       /* its events are those of the channels, whatever their type */
};

static const struct endpoint endpoints[] = {
    {"build", "build", "/api/build/stream/{session_id}", "Build monitoring",
     "The events of one build session, flat: the members of data stand beside type, session_id, "
     "timestamp and offset. Custom event types come in the same way.",
     "session_id", TOPIC_BIT(TOPIC_SESSION), "BuildEnvelope", "ControlMessage", .in_data = false},
    {"ide", "ide", "/ws/{session_id}", "Web IDE sessions",
     "The events of one session, their fields in data, as those of all other messages. Custom "
     "event "
     "types come in the same way.",
     "session_id", TOPIC_BIT(TOPIC_SESSION), "IdeEnvelope", "IdeEnvelope", .in_data = true},
    {"channels", "channels", "/ws", "Channels",
     "The events of any channels. On those without a description here data is anything.", NULL,
     TOPIC_BIT(TOPIC_CHANNEL), "ChannelEnvelope", "ControlMessage", .in_data = true,
     .by_channel = true},
    {"rooms", "rooms", "/socket.io/", "Rooms",
     "Socket.IO, namespaces /ws and /. `type` is the event's name, and an event of the server has "
     "this as its argument; what a client sends has the other fields.",
     NULL, TOPIC_BIT(TOPIC_PROJECT) | TOPIC_BIT(TOPIC_AGENT) | TOPIC_BIT(TOPIC_GLOBAL),
     "RoomEnvelope", "ControlMessage", .in_data = true, .flat_calls = true},
};

#define ENDPOINTS (sizeof endpoints / sizeof *endpoints)

/* The events that it carries: of types, or of channels. */
static unsigned event_count(const struct endpoint *endpoint)
{
    return endpoint->by_channel ? catalogue_channel_count() : catalogue_count();
}

static const struct event_type *event_at(const struct endpoint *endpoint, unsigned i)
{
    return endpoint->by_channel ? catalogue_channel_at(i) : catalogue_at(i);
}

/* A name that is a message of the dialect's own is described as that. */
static bool carries(const struct endpoint *endpoint, const struct event_type *type)
{
    unsigned count;
    const struct control_message *messages = control_messages(&count);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(messages[i].dialect, endpoint->dialect) == 0 && !messages[i].from_client &&
            slice_equal(messages[i].name, type->name))
            return false;
    return endpoint->topics & type->topics;
}

static bool speaks(const struct endpoint *endpoint, const struct control_message *message)
{
    return endpoint->dialect && message->meaning &&
           strcmp(message->dialect, endpoint->dialect) == 0;
}

/* What follows the name of a client's message in keys where an event has the same name. */
static const char *suffix_of(const struct control_message *message)
{
    return message->from_client && catalogue_find(message->name) ? "_from_client" : "";
}

/* An endpoint's member `name` that refers to the message in the components. */
static void put_component_reference(struct buf *out, const struct endpoint *endpoint,
                                    struct slice name, const char *suffix)
{
    struct buf key = {0};
    buf_printf(&key, "%s%s", name.ptr, suffix);
    json_put_name(out, buf_text(&key));
    buf_printf(out, "{\"$ref\":\"#/components/messages/%s.%s\"}", endpoint->key, buf_text(&key));
    buf_fini(&key);
}

/* An operation's element that refers to the message of the channel. */
static void put_channel_reference(struct buf *out, const struct endpoint *endpoint,
                                  struct slice name, const char *suffix)
{
    json_put_name(out, NULL);
    buf_printf(out, "{\"$ref\":\"#/channels/%s/messages/%s%s\"}", endpoint->key, name.ptr, suffix);
}

typedef void put_reference_fn(struct buf *out, const struct endpoint *endpoint, struct slice name,
                              const char *suffix);

/* References to the messages that the server sends, or to those that it takes. */
static void put_references(struct buf *out, const struct endpoint *endpoint, bool from_client,
                           put_reference_fn *put)
{
    unsigned count;
    const struct control_message *messages = control_messages(&count);
    for (unsigned i = 0; i < count; i++)
        if (speaks(endpoint, &messages[i]) && messages[i].from_client == from_client)
            put(out, endpoint, messages[i].name, suffix_of(&messages[i]));
    for (unsigned i = 0; !from_client && i < event_count(endpoint); i++)
        if (carries(endpoint, event_at(endpoint, i)))
            put(out, endpoint, event_at(endpoint, i)->name, "");
}

static void put_channel(struct buf *out, const struct endpoint *endpoint)
{
    json_begin(out, endpoint->key, '{');
    json_put_text(out, "address", endpoint->address);
    json_put_text(out, "title", endpoint->title);
    json_put_text(out, "description", endpoint->description);
    if (endpoint->parameter) {
        json_begin(out, "parameters", '{');
        json_put_name(out, endpoint->parameter);
        BUF_LITERAL(out, "{\"description\":\"1 to 128 characters of A-Z a-z 0-9 . _ : @ / -\"}");
        json_end(out, '}');
    }
    json_begin(out, "messages", '{');
    put_references(out, endpoint, true, put_component_reference);
    put_references(out, endpoint, false, put_component_reference);
    json_end(out, '}');
    json_end(out, '}');
}

/* The actions are the server's. */
static void put_operation(struct buf *out, const struct endpoint *endpoint, bool from_client)
{
    struct buf name = {0};
    buf_printf(&name, "%s.%s", endpoint->key, from_client ? "receive" : "send");
    json_begin(out, buf_text(&name), '{');
    json_put_text(out, "action", from_client ? "receive" : "send");
    json_put_name(out, "channel");
    buf_printf(out, "{\"$ref\":\"#/channels/%s\"}", endpoint->key);
    json_begin(out, "messages", '[');
    put_references(out, endpoint, from_client, put_channel_reference);
    json_end(out, ']');
    json_end(out, '}');
    buf_fini(&name);
}

/* Writes the beginning of the message up to its payload, which the caller writes. */
static void begin_message(struct buf *out, const struct endpoint *endpoint, struct slice name,
                          const char *suffix, const char *summary)
{
    struct buf key = {0};
    buf_printf(&key, "%s.%s%s", endpoint->key, name.ptr, suffix);
    json_begin(out, buf_text(&key), '{');
    json_put_text(out, "name", name.ptr);
    json_put_text(out, "summary", summary);
    json_put_text(out, "contentType", "application/json");
    buf_fini(&key);
}

/* The type, or the channel, which has one value in each message. */
static void put_type_schema(struct buf *out, const char *member, struct slice name)
{
    json_put_name(out, NULL);
    buf_printf(out, "{\"properties\":{\"%s\":{\"const\":\"%s\"}}}", member, name.ptr);
}

static void put_event_message(struct buf *out, const struct endpoint *endpoint,
                              const struct event_type *type)
{
    begin_message(out, endpoint, type->name, "", type->meaning);
    json_begin(out, "payload", '{');
    json_begin(out, "allOf", '[');
    json_put_name(out, NULL);
    buf_printf(out, "{\"$ref\":\"#/components/schemas/%s\"}", endpoint->envelope);
    put_type_schema(out, endpoint->by_channel ? "channel" : "type", type->name);
    json_put_name(out, NULL);
    buf_printf(out, "%s{\"$ref\":\"#/components/schemas/%s_%s\"}%s",
               endpoint->in_data ? "{\"properties\":{\"data\":" : "",
               endpoint->by_channel ? "channel" : "event", type->name.ptr,
               endpoint->in_data ? "}}" : "");
    json_end(out, ']');
    json_end(out, '}');
    json_end(out, '}');
}

static void put_control_fields(struct buf *out, const struct endpoint *endpoint,
                               const struct control_message *message)
{
    bool in_data = endpoint->in_data && !endpoint->by_channel &&
                   !(endpoint->flat_calls && message->from_client);
    if (in_data) {
        json_begin(out, NULL, '{');
        json_begin(out, "properties", '{');
    }
    event_schema_put(out, in_data ? "data" : NULL, message->fields, message->field_count, NULL,
                     NULL);
    if (in_data) {
        json_end(out, '}');
        json_end(out, '}');
    }
}

static void put_control_message(struct buf *out, const struct endpoint *endpoint,
                                const struct control_message *message)
{
    begin_message(out, endpoint, message->name, suffix_of(message), message->meaning);
    json_begin(out, "payload", '{');
    json_begin(out, "allOf", '[');
    json_put_name(out, NULL);
    buf_printf(out, "{\"$ref\":\"#/components/schemas/%s\"}",
               message->from_client ? "ControlMessage" : endpoint->control);
    put_type_schema(out, "type", message->name);
    put_control_fields(out, endpoint, message);
    json_end(out, ']');
    json_end(out, '}');
    json_end(out, '}');
}

static void put_messages(struct buf *out, const struct endpoint *endpoint)
{
    unsigned count;
    const struct control_message *messages = control_messages(&count);
    for (unsigned i = 0; i < count; i++)
        if (speaks(endpoint, &messages[i]))
            put_control_message(out, endpoint, &messages[i]);
    for (unsigned i = 0; i < event_count(endpoint); i++)
        if (carries(endpoint, event_at(endpoint, i)))
            put_event_message(out, endpoint, event_at(endpoint, i));
}

/* https://host:1/base → host:1, wss, /base */
static void put_server(struct buf *out, const char *server_url)
{
    struct slice rest = slice_from(server_url), host = rest;
    bool tls = slice_starts(rest, "https://");
    const char *scheme = strstr(server_url, "://");
    if (scheme)
        rest = slice_from(scheme + 3);
    slice_split(&rest, '/', &host);
    json_begin(out, "servers", '{');
    json_begin(out, "here", '{');
    json_put_slice(out, "host", host);
    json_put_text(out, "protocol", tls ? "wss" : "ws");
    if (rest.len) {
        json_put_name(out, "pathname");
        buf_printf(out, "\"/%.*s\"", SLICE_ARG(rest));
    }
    json_end(out, '}');
    json_end(out, '}');
}

void asyncapi_append(struct buf *out, const char *version, const char *server_url)
{
    json_begin(out, NULL, '{');
    json_put_text(out, "asyncapi", "3.0.0");
    json_begin(out, "info", '{');
    json_put_text(out, "title", "Fanfare");
    json_put_text(out, "version", version);
    json_put_text(out, "description", "The messages of the real-time layer for developer tools.");
    json_end(out, '}');
    json_put_text(out, "defaultContentType", "application/json");
    put_server(out, server_url);
    json_begin(out, "channels", '{');
    for (unsigned i = 0; i < ENDPOINTS; i++)
        put_channel(out, &endpoints[i]);
    json_end(out, '}');
    json_begin(out, "operations", '{');
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        put_operation(out, &endpoints[i], true);
        put_operation(out, &endpoints[i], false);
    }
    json_end(out, '}');
    json_begin(out, "components", '{');
    json_begin(out, "schemas", '{');
    schemas_put_members(out);
    json_end(out, '}');
    json_begin(out, "messages", '{');
    for (unsigned i = 0; i < ENDPOINTS; i++)
        put_messages(out, &endpoints[i]);
    json_end(out, '}');
    json_end(out, '}');
    json_end(out, '}');
}
