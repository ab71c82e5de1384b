/* The OpenAPI 3.1 document; see openapi.h. */
#include "api/openapi.h"

#include "api/event_schema.h"

static const char *const places[] = {
    [IN_PATH] = "path", [IN_QUERY] = "query", [IN_HEADER] = "header"};

static void put_parameter(struct buf *out, const struct route_parameter *parameter)
{
    json_begin(out, NULL, '{');
    json_put_text(out, "name", parameter->name);
    json_put_text(out, "in", places[parameter->in]);
    json_put_bool(out, "required", parameter->required);
    json_put_text(out, "description", parameter->description);
    json_begin(out, "schema", '{');
    if (parameter->repeatable) {
        json_put_text(out, "type", "array");
        json_begin(out, "items", '{');
    }
    json_put_text(out, "type", parameter->type);
    if (parameter->repeatable)
        json_end(out, '}');
    json_end(out, '}');
    json_end(out, '}');
}

/* Writes the member `content`, of one media type or two; schema NULL: text. */
static void put_content(struct buf *out, const char *const *media, const char *schema)
{
    json_begin(out, "content", '{');
    for (; *media; media++) {
        json_begin(out, *media, '{');
        json_begin(out, "schema", '{');
        if (schema) {
            json_put_name(out, "$ref");
            buf_printf(out, "\"#/components/schemas/%s\"", schema);
        } else {
            json_put_text(out, "type", "string");
        }
        json_end(out, '}');
        json_end(out, '}');
    }
    json_end(out, '}');
}

static void put_answer(struct buf *out, const struct route_answer *answer)
{
    json_put_name(out, NULL);
    buf_printf(out, "\"%d\":", answer->status);
    json_begin(out, NULL, '{');
    json_put_text(out, "description", answer->description);
    if (answer->media)
        put_content(out, (const char *const[]){answer->media, NULL}, answer->schema);
    json_end(out, '}');
}

static void put_answers(struct buf *out, const struct route_doc *route)
{
    static const struct route_answer unauthorized = {401, "application/json", "Error",
                                                     "A good token is needed."};
    static const struct route_answer forbidden = {403, "application/json", "Error",
                                                  "The token, origin or host does not allow it."};
    json_begin(out, "responses", '{');
    for (unsigned i = 0; i < route->answer_count; i++)
        put_answer(out, &route->answers[i]);
    if (!(route->flags & ROUTE_OPEN)) {
        put_answer(out, &unauthorized);
        put_answer(out, &forbidden);
    }
    json_end(out, '}');
}

static void put_operation(struct buf *out, const struct route_doc *route)
{
    char method[16] = "";
    const char *name = http_method_name(route->method);
    for (size_t i = 0; i < sizeof method - 1 && name[i]; i++)
        method[i] = (char)(name[i] | 0x20);
    json_begin(out, method, '{');
    json_put_text(out, "operationId", route->id);
    json_begin(out, "tags", '[');
    json_put_text(out, NULL, route->tag);
    json_end(out, ']');
    json_put_text(out, "summary", route->summary);
    if (route->description)
        json_put_text(out, "description", route->description);
    json_begin(out, "parameters", '[');
    for (unsigned i = 0; i < route->parameter_count; i++)
        put_parameter(out, &route->parameters[i]);
    json_end(out, ']');
    if (route->request_media[0]) {
        json_begin(out, "requestBody", '{');
        json_put_bool(out, "required", true);
        put_content(out, route->request_media, route->request_schema);
        json_end(out, '}');
    }
    put_answers(out, route);
    if (route->flags & ROUTE_OPEN)
        json_put_raw(out, "security", SLICE("[]"));
    if (route->flags & ROUTE_WEBSOCKET)
        json_put_bool(out, "x-websocket", true);
    if (route->flags & ROUTE_STREAM)
        json_put_bool(out, "x-stream", true);
    json_end(out, '}');
}

/* Routes of one path stand together, where the first of them is. */
static void put_paths(struct buf *out, const struct route_doc *const *routes, unsigned count)
{
    json_begin(out, "paths", '{');
    for (unsigned i = 0; i < count; i++) {
        bool seen = false;
        for (unsigned j = 0; j < i && !seen; j++)
            seen = strcmp(routes[j]->path, routes[i]->path) == 0;
        if (seen)
            continue;
        json_begin(out, routes[i]->path, '{');
        for (unsigned j = i; j < count; j++)
            if (strcmp(routes[j]->path, routes[i]->path) == 0)
                put_operation(out, routes[j]);
        json_end(out, '}');
    }
    json_end(out, '}');
}

static void put_tags(struct buf *out, const struct route_doc *const *routes, unsigned count)
{
    json_begin(out, "tags", '[');
    for (unsigned i = 0; i < count; i++) {
        bool seen = false;
        for (unsigned j = 0; j < i && !seen; j++)
            seen = strcmp(routes[j]->tag, routes[i]->tag) == 0;
        if (seen)
            continue;
        json_begin(out, NULL, '{');
        json_put_text(out, "name", routes[i]->tag);
        json_end(out, '}');
    }
    json_end(out, ']');
}

static void put_components(struct buf *out)
{
    json_begin(out, "components", '{');
    json_begin(out, "schemas", '{');
    schemas_put_members(out);
    json_end(out, '}');
    json_put_raw(out, "securitySchemes",
                 SLICE("{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\","
                       "\"bearerFormat\":\"JWT\",\"description\":\"Needed once the server has a "
                       "key; `fanfare token mint` makes one.\"}}"));
    json_end(out, '}');
}

void openapi_append(struct buf *out, const struct route_doc *const *routes, unsigned count,
                    const char *version, const char *server_url)
{
    json_begin(out, NULL, '{');
    json_put_text(out, "openapi", "3.1.0");
    json_begin(out, "info", '{');
    json_put_text(out, "title", "Fanfare");
    json_put_text(out, "version", version);
    json_put_text(out, "summary", "The real-time layer for developer tools.");
    json_end(out, '}');
    json_begin(out, "servers", '[');
    json_begin(out, NULL, '{');
    json_put_text(out, "url", server_url);
    json_end(out, '}');
    json_end(out, ']');
    json_put_raw(out, "security", SLICE("[{},{\"token\":[]}]"));
    put_tags(out, routes, count);
    put_paths(out, routes, count);
    put_components(out);
    json_end(out, '}');
}
