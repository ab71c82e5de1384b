/* Topics from the catalogue's routes; see event_route.h. */
#include "hub/event_route.h"

#include <stdio.h>

#include "fanfare/error.h"

static int refuse(struct event_check *check, const char *field, const char *why)
{
    check->field = field;
    snprintf(check->message, sizeof check->message, "%s %s", field, why);
    return FAN_E_INVALID;
}

static void append_lower(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        buf_append_char(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
    }
}

/* The value that a route's id comes from; false: there is none, so the route leads nowhere. */
static bool find_id(const struct event_route *route, struct slice data, struct buf *id)
{
    struct json_value value;
    if (!json_find((struct json_value){JSON_OBJECT, data}, slice_from(route->field), &value) ||
        value.kind != JSON_STRING)
        return false;
    json_string_append(id, value);
    return id->len > 0;
}

static int append_topic(const struct event_route *route, struct slice id, struct buf *names,
                        struct event_check *check)
{
    size_t at = names->len;
    struct topic_name parsed;
    const char *why;
    if (route->kind == TOPIC_USER) {
        if (topic_user_append(names, id) != 0)
            return refuse(check, route->field, "is too long for the name of a user's topic");
    } else {
        topic_name_append(names, (struct topic_name){route->kind, slice_of("", 0)});
        append_lower(names, id);
    }
    struct slice name = slice_of(names->data + at, names->len - at);
    if (!names->failed && topic_name_parse(name, &parsed, &why) != 0)
        return refuse(check, route->field, why);
    buf_append_char(names, '\0');
    return 0;
}

static int follow(const struct event_route *route, struct slice data, struct buf *names,
                  unsigned *count, struct event_check *check)
{
    struct buf id = {0};
    int error = 0;
    if (!route->field) {
        BUF_LITERAL(names, "global\0");
        ++*count;
    } else if (find_id(route, data, &id)) {
        error = append_topic(route, buf_slice(&id), names, check);
        *count += error == 0;
    }
    buf_fini(&id);
    return error;
}

int event_route(const struct event_type *type, struct slice data, struct buf *names,
                unsigned *count, struct event_check *check)
{
    int error = 0;
    *count = 0;
    for (unsigned i = 0; !error && i < type->route_count; i++)
        if (!type->routes[i].otherwise || *count == 0)
            error = follow(&type->routes[i], data, names, count, check);
    if (!error && *count == 0)
        error = refuse(check, type->routes[0].field, "is needed when no topic is named");
    return error;
}
