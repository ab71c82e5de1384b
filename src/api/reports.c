/*
 * What agents, workflows and models report: an agent's status, a workflow's progress, a suggestion.
 * The newest report of each id is kept. A report says what is new: what it leaves out stays as it
 * was, so that the event shows the whole.
 */
#include "api/platform_request.h"
#include "api/report_store.h"
#include "auth/permit.h"
#include "base/clock.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"
#include "hub/event_route.h"

#define LIST_BYTES (4u << 20) /* of one page; the rest is asked for with after */

/* A kind of report. */
struct report_kind {
    const char *name;     /* in the database */
    const char *id_field; /* in the data */
    const char *source;   /* of its events */
    const char *type;     /* of its events; by_status: when no status says otherwise */
    bool by_status;       /* the status decides about the type */
    bool only_changes;    /* a report that says nothing new is not published */
};

static const struct report_kind agents = {
    .name = "agent",
    .id_field = "agent_id",
    .source = "agent_service",
    .type = "agent.status_changed",
    .only_changes = true,
};

static const struct report_kind workflows = {
    .name = "workflow",
    .id_field = "workflow_id",
    .source = "workflow_service",
    .type = "workflow.progress",
    .by_status = true,
};

static const struct report_kind suggestions = {
    .name = "suggestion",
    .id_field = "suggestion_id",
    .source = "ai_service",
    .type = "ai.suggestion",
};

static const struct report_kind *kind_of(const struct platform_request *q)
{
    return q->arg;
}

/* ---- Data ---- */

static bool parse_body(struct platform_request *q, struct json_value *body)
{
    struct json_error why;
    int error = json_parse(buf_slice(&q->body), body, &why);
    if (error)
        platform_request_refuse(q, 400, "invalid_json", "", "invalid JSON at byte %zu: %s", why.at,
                                why.message);
    else if (body->kind != JSON_OBJECT)
        platform_request_refuse(q, 422, "invalid_event", "", "a report must be a JSON object");
    return !q->failure.status;
}

/* The id that the body names, if it does: the path's, or that of a new report. */
static bool read_id(struct platform_request *q, struct json_value body)
{
    const char *field = kind_of(q)->id_field;
    bool fresh = q->id[0] == '\0';
    struct json_value value;
    struct slice text;
    char id[UUID_SIZE];
    if (!json_find(body, slice_from(field), &value)) {
        if (fresh)
            platform_make_id(q->id);
        return true;
    }
    if (!json_string_plain(value, &text) || !platform_parse_id(text, id))
        platform_request_refuse(q, 422, "invalid_event", field, "%s must be a UUID", field);
    else if (!fresh && strcmp(id, q->id) != 0)
        platform_request_refuse(q, 422, "invalid_event", field,
                                "%s must be the same as in the path, or left out", field);
    memcpy(q->id, id, sizeof id);
    return !q->failure.status;
}

/* A member stands twice: the last one counts. */
static bool is_last(struct json_value object, const struct json_member *member)
{
    struct json_value last;
    return member->name_escaped || !json_find(object, member->name, &last) ||
           last.text.ptr == member->value.text.ptr;
}

static void put_member(struct buf *out, const struct json_member *member)
{
    json_put_name(out, NULL);
    buf_append_char(out, '"');
    buf_append_slice(out, member->name); /* escaped as it stood */
    BUF_LITERAL(out, "\":");
    json_append_compact(out, member->value);
}

/* Appends what is new over what was, the id first. Returns whether something is new. */
static bool merge(const struct platform_request *q, struct json_value old, struct json_value fresh,
                  struct buf *out)
{
    struct slice id_field = slice_from(kind_of(q)->id_field);
    struct json_iter it = json_members(old);
    struct json_member member;
    struct json_value value;
    bool news = false;
    json_begin(out, NULL, '{');
    json_put_text(out, id_field.ptr, q->id);
    while (json_next_member(&it, &member))
        if (!slice_equal(member.name, id_field) && !json_find(fresh, member.name, &value))
            put_member(out, &member);
    it = json_members(fresh);
    while (json_next_member(&it, &member)) {
        if (slice_equal(member.name, id_field) || !is_last(fresh, &member))
            continue;
        news |= !json_find(old, member.name, &value) || !slice_equal(value.text, member.value.text);
        put_member(out, &member);
    }
    json_end(out, '}');
    return news;
}

/* Of workflows: cancelled ones have failed to come to their end. */
static const char *type_of(const struct report_kind *kind, struct slice data)
{
    static const char *const types[][2] = {{"pending", "workflow.started"},
                                           {"running", "workflow.progress"},
                                           {"completed", "workflow.completed"},
                                           {"failed", "workflow.failed"},
                                           {"cancelled", "workflow.failed"}};
    struct json_value status;
    if (!kind->by_status ||
        !json_find((struct json_value){JSON_OBJECT, data}, SLICE("status"), &status))
        return kind->type;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (json_string_is(status, types[i][0]))
            return types[i][1];
    return kind->type;
}

/* The checks that publishing makes, too, and its topics. Here they name the field. */
static bool check(struct platform_request *q, const char *type, struct slice data,
                  struct buf *topics)
{
    const struct event_type *row = catalogue_find(slice_from(type));
    struct event_check check = {.time_ms = clock_wall_ms()};
    struct buf replacement = {0};
    unsigned count;
    int error = event_validate(row, data, &replacement, &check);
    if (!error)
        error = event_route(row, data, topics, &count, &check);
    buf_fini(&replacement);
    if (error)
        platform_request_refuse(q, 422, "invalid_event", check.field ? check.field : "", "%s",
                                check.message);
    return !error;
}

/* ---- Reporting ---- */

/* What is known of it so far; an empty object when it is new. */
static bool find_old(struct platform_request *q, struct platform_db *db, struct buf *storage,
                     struct json_value *old)
{
    int64_t updated_ms;
    int error = report_find(db, kind_of(q)->name, q->id, storage, &updated_ms);
    *old = (struct json_value){JSON_OBJECT, SLICE("{}")};
    if (!error)
        old->text = buf_slice(storage);
    if (error && error != FAN_E_NOT_FOUND)
        platform_request_failed(q, db);
    return !q->failure.status;
}

/* Rights are asked for the first topic, the thing's own: that others hear of it is the table's
 * decision, not the reporter's. */
static void take(struct platform_request *q, struct platform_db *db, struct slice data, bool news)
{
    const struct report_kind *kind = kind_of(q);
    const char *type = type_of(kind, data);
    struct buf topics = {0};
    if (check(q, type, data, &topics) && platform_may_publish(q, slice_from(topics.data)) &&
        (news || !kind->only_changes)) {
        if (report_put(db, kind->name, q->id, data, clock_wall_ms()) != 0)
            platform_request_failed(q, db);
        else
            platform_publish(q, type, kind->source, data, slice_of(NULL, 0));
    }
    buf_fini(&topics);
}

static void run_report(struct platform_request *q, struct platform_db *db)
{
    struct json_value body, old;
    struct buf storage = {0};
    if (!parse_body(q, &body) || !read_id(q, body))
        return;
    if (platform_db_begin(db) != 0) {
        platform_request_failed(q, db);
        return;
    }
    if (find_old(q, db, &storage, &old)) {
        bool news = merge(q, old, body, &q->answer);
        take(q, db, buf_slice(&q->answer), news || !storage.len);
    }
    platform_end(q, db);
    buf_fini(&storage);
    buf_append_char(&q->answer, '\n');
    q->status = kind_of(q) == &suggestions ? 201 : 200;
}

/* ---- Reading ---- */

/* Whether the data's first topic, which its right is asked of, may be read. */
static struct access_decision may_read(const struct platform_request *q, struct slice data,
                                       struct buf *topics)
{
    struct event_check check;
    unsigned count;
    buf_clear(topics);
    if (event_route(catalogue_find(slice_from(kind_of(q)->type)), data, topics, &count, &check) !=
        0)
        return (struct access_decision){.because = "it belongs nowhere"};
    return identity_may_read(q->who, slice_from(topics->data));
}

static void run_find(struct platform_request *q, struct platform_db *db)
{
    struct buf topics = {0};
    int64_t updated_ms;
    int error = report_find(db, kind_of(q)->name, q->id, &q->answer, &updated_ms);
    if (error == FAN_E_NOT_FOUND)
        platform_request_refuse(q, 404, "not_found", "", "nothing is known of %s %s",
                                kind_of(q)->name, q->id);
    else if (error)
        platform_request_failed(q, db);
    else if (may_read(q, buf_slice(&q->answer), &topics).allowed)
        q->status = 200;
    else
        platform_may_read(q, topics.len ? slice_from(topics.data) : SLICE("global"));
    buf_fini(&topics);
    buf_append_char(&q->answer, '\n');
}

struct report_list {
    struct platform_request *request;
    struct buf topics;
    uint64_t count;
    int64_t last;
    bool more;
};

static bool add_report(void *arg, int64_t number, struct slice data, int64_t updated_ms)
{
    struct report_list *list = arg;
    struct platform_request *q = list->request;
    (void)updated_ms;
    list->more = list->count == q->page.limit || q->answer.len > LIST_BYTES;
    if (list->more)
        return false;
    list->last = number;
    if (may_read(q, data, &list->topics).allowed) {
        json_put_raw(&q->answer, NULL, data);
        list->count++;
    }
    return !q->answer.failed;
}

static void run_list(struct platform_request *q, struct platform_db *db)
{
    struct report_list list = {.request = q};
    platform_request_begin_list(q, "suggestions");
    if (report_each(db, kind_of(q)->name, (int64_t)q->page.after, add_report, &list) != 0)
        platform_request_failed(q, db);
    platform_request_end_list(q, list.more, list.last);
    buf_fini(&list.topics);
}

/* ---- Routes ---- */

static void start(struct api_request *r, const struct report_kind *kind, platform_run *run)
{
    char id[UUID_SIZE] = "";
    if (kind != &suggestions && !platform_read_id(r, kind->id_field, id))
        return;
    struct platform_request *q = platform_request_new(r, run);
    q->arg = kind;
    memcpy(q->id, id, sizeof id);
    platform_request_start(q);
}

static void start_report(struct api_request *r, const struct report_kind *kind)
{
    if (permit_publish_somewhere(r->exchange) && api_may_publish(r->api, r->exchange, 1))
        start(r, kind, run_report);
}

void api_agent_status(struct api_request *r)
{
    start(r, &agents, run_find);
}

void api_agent_status_set(struct api_request *r)
{
    start_report(r, &agents);
}

void api_workflow(struct api_request *r)
{
    start(r, &workflows, run_find);
}

void api_workflow_set(struct api_request *r)
{
    start_report(r, &workflows);
}

void api_suggestions(struct api_request *r)
{
    struct platform_page page;
    if (!platform_read_page(r, &page))
        return;
    struct platform_request *q = platform_request_new(r, run_list);
    q->arg = &suggestions;
    q->page = page;
    platform_request_start(q);
}

void api_suggestion_add(struct api_request *r)
{
    start_report(r, &suggestions);
}
