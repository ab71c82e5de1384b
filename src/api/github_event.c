/* Pull requests and issues as GitHub tells them; see github_event.h. */
#include "api/github_event.h"

#include "api/repository_url.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"

/* A field of the data, and where it stands in the payload's object. */
struct source_field {
    const char *name;
    const char *path[2]; /* a member, and one within it */
};

struct github_event {
    const char *name;   /* as GitHub has it */
    const char *object; /* the payload's member that it is about */
    const char *id_field, *created, *updated, *closed;
    const char *const *closing; /* actions after which it is closed; ends with NULL */
    struct source_field fields[8];
};

static const char *const pull_request_ends[] = {"closed", NULL};
static const char *const issue_ends[] = {"closed", "deleted", "transferred", NULL};

static const struct github_event events[] = {
    {.name = "pull_request",
     .object = "pull_request",
     .id_field = "pr_id",
     .created = "pr.created",
     .updated = "pr.updated",
     .closed = "pr.closed",
     .closing = pull_request_ends,
     .fields = {{"title", {"title", NULL}},
                {"description", {"body", NULL}},
                {"author", {"user", "login"}},
                {"branch", {"head", "ref"}},
                {"github_url", {"html_url", NULL}},
                {"created_at", {"created_at", NULL}}}},
    {.name = "issues",
     .object = "issue",
     .id_field = "issue_id",
     .created = "issue.created",
     .updated = "issue.updated",
     .closed = "issue.closed",
     .closing = issue_ends,
     .fields = {{"title", {"title", NULL}},
                {"description", {"body", NULL}},
                {"assigned_to", {"assignee", "login"}},
                {"updated_at", {"updated_at", NULL}}}},
};

const struct github_event *github_event_find(struct slice name)
{
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (slice_is(name, events[i].name))
            return &events[i];
    return NULL;
}

/* A member, or one within it; false when it is not there. */
static bool find(struct json_value object, const char *first, const char *second,
                 struct json_value *value)
{
    if (object.kind != JSON_OBJECT || !json_find(object, slice_from(first), value))
        return false;
    struct json_value outer = *value;
    return !second || (outer.kind == JSON_OBJECT && json_find(outer, slice_from(second), value));
}

/* The number under which people know it. */
static bool find_number(const struct github_event *kind, struct json_value payload, int64_t *number)
{
    struct json_value value;
    return find(payload, kind->object, "number", &value) && value.kind == JSON_NUMBER &&
           json_integer(value, number);
}

const char *github_event_type(const struct github_event *kind, struct json_value payload)
{
    struct json_value action;
    int64_t number;
    if (!find(payload, "action", NULL, &action) || !find_number(kind, payload, &number))
        return NULL;
    if (json_string_is(action, "opened"))
        return kind->created;
    for (const char *const *end = kind->closing; *end; end++)
        if (json_string_is(action, *end))
            return kind->closed;
    return kind->updated;
}

static void put_text(struct buf *data, const char *name, struct json_value value)
{
    struct buf text = {0};
    if (value.kind != JSON_STRING)
        return;
    json_string_append(&text, value);
    json_put_slice(data, name, slice_of(text.len ? text.data : "", text.len));
    buf_fini(&text);
}

/* A pull request that was merged is closed, too; "merged" says more. */
static void put_status(const struct github_event *kind, struct json_value payload, struct buf *data)
{
    struct json_value value;
    if (find(payload, kind->object, "merged", &value) && value.kind == JSON_TRUE)
        json_put_text(data, "status", "merged");
    else if (find(payload, kind->object, "state", &value))
        put_text(data, "status", value);
}

void github_event_append(const struct github_event *kind, struct json_value payload,
                         const char *project_id, struct buf *data)
{
    struct json_value object = {0}, value;
    int64_t number = 0;
    find_number(kind, payload, &number);
    find(payload, kind->object, NULL, &object);
    json_begin(data, NULL, '{');
    json_put_name(data, kind->id_field);
    buf_printf(data, "\"%lld\"", (long long)number);
    json_put_text(data, "project_id", project_id);
    for (const struct source_field *field = kind->fields; field->name; field++)
        if (find(object, field->path[0], field->path[1], &value))
            put_text(data, field->name, value);
    put_status(kind, payload, data);
    json_end(data, '}');
}

int github_event_repository(struct json_value payload, struct buf *out)
{
    static const char *const names[] = {"html_url", "clone_url", "ssh_url"};
    struct json_value value;
    int error = FAN_E_INVALID;
    for (size_t i = 0; error && i < sizeof names / sizeof *names; i++) {
        struct buf url = {0};
        if (find(payload, "repository", names[i], &value) && value.kind == JSON_STRING) {
            json_string_append(&url, value);
            error = repository_url_append(out, buf_slice(&url));
        }
        buf_fini(&url);
    }
    return error;
}
