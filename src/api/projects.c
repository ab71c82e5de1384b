/*
 * /api/v1/projects: the agent platform's projects. What a change is told to others is said in the
 * same transaction.
 */
#include "api/project_store.h"
#include "auth/permit.h"
#include "base/clock.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"

#define SOURCE             "project_service"
#define PROJECT_NAME_MAX   200
#define PROJECT_URL_MAX    2048
#define PROJECT_STATUS_MAX 64

/* Rows that one page looks at: a token that may read few of many gets short pages. */
#define PAGE_ROWS 10000

/* ---- As JSON ---- */

/* Leaves the object open. */
static void put_project(struct buf *out, const struct project *p)
{
    json_begin(out, NULL, '{');
    json_put_text(out, "id", p->id);
    json_put_text(out, "project_id", p->id);
    json_put_slice(out, "project_name", buf_slice(&p->name));
    json_put_slice(out, "repository_url",
                   p->repository_url.len ? buf_slice(&p->repository_url) : slice_of(NULL, 0));
    json_put_slice(out, "status", buf_slice(&p->status));
    json_put_time(out, "created_at", p->created_ms);
    json_put_time(out, "updated_at", p->updated_ms);
    json_put_slice(out, "updated_by", buf_slice(&p->updated_by));
}

/* A number is never given twice, so that a project made again has another tag. */
static void append_tag(struct buf *out, const struct project *p)
{
    buf_printf(out, "\"%lld-%lld\"", (long long)p->number, (long long)p->version);
}

static void answer_project(struct platform_request *q, int status, const struct project *p)
{
    BUF_LITERAL(&q->headers, "ETag: ");
    append_tag(&q->headers, p);
    BUF_LITERAL(&q->headers, "\r\n");
    q->status = status;
    json_end(&q->answer, '}');
    buf_append_char(&q->answer, '\n');
}

/* Whether the condition that the request brought names this state of the project. */
static bool condition_holds(const struct platform_request *q, const struct project *p)
{
    struct buf tag = {0};
    append_tag(&tag, p);
    struct slice rest = buf_slice(&q->condition), one;
    bool found = false;
    while (!found && slice_split(&rest, ',', &one)) {
        one = slice_trim(one);
        if (slice_starts(one, "W/"))
            one = slice_skip(one, 2);
        found = slice_is(one, "*") || slice_equal(one, buf_slice(&tag));
    }
    buf_fini(&tag);
    return found;
}

/* ---- From JSON ---- */

enum { MEMBER_NAME, MEMBER_URL, MEMBER_STATUS, MEMBER_PROJECT_ID, MEMBER_ID, MEMBERS };

static const struct slice member_names[MEMBERS] = {
    [MEMBER_NAME] = {"project_name", 12},
    [MEMBER_URL] = {"repository_url", 14},
    [MEMBER_STATUS] = {"status", 6},
    [MEMBER_PROJECT_ID] = {"project_id", 10},
    [MEMBER_ID] = {"id", 2},
};

struct project_body {
    struct json_value values[MEMBERS];
    bool found[MEMBERS];
};

static bool scan_body(struct platform_request *q, struct project_body *body)
{
    struct json_error why;
    int error = json_scan_object(buf_slice(&q->body), member_names, MEMBERS, body->values,
                                 body->found, &why);
    if (error == FAN_E_INVALID)
        platform_request_refuse(q, 422, "invalid_project", "", "a project must be a JSON object");
    else if (error)
        platform_request_refuse(q, 400, "invalid_json", "", "invalid JSON at byte %zu: %s", why.at,
                                why.message);
    return !error;
}

static bool refuse_member(struct platform_request *q, int member, const char *expected)
{
    const char *name = member_names[member].ptr;
    platform_request_refuse(q, 422, "invalid_project", name, "%s must be %s", name, expected);
    return false;
}

/* Reads a text member into *to, when it is there. may_clear: null and "" empty it. *changed says
 * whether it is another one now. */
static bool read_member(struct platform_request *q, const struct project_body *body, int member,
                        const char *expected, size_t most, bool may_clear, struct buf *to,
                        bool *changed)
{
    struct buf text = {0};
    *changed = false;
    if (!body->found[member])
        return true;
    struct json_value value = body->values[member];
    if (value.kind == JSON_STRING)
        json_string_append(&text, value);
    if ((value.kind != JSON_STRING && !(may_clear && value.kind == JSON_NULL)) || text.len > most ||
        (text.len == 0 && !may_clear)) {
        buf_fini(&text);
        return refuse_member(q, member, expected);
    }
    *changed = !slice_equal(buf_slice(&text), buf_slice(to));
    buf_fini(to);
    *to = text;
    return true;
}

/* The fields that the body gives, and which of them are new. */
static bool read_fields(struct platform_request *q, const struct project_body *body,
                        struct project *p, bool changed[MEMBERS])
{
    return read_member(q, body, MEMBER_NAME, "a string of 1 to 200 bytes", PROJECT_NAME_MAX, false,
                       &p->name, &changed[MEMBER_NAME]) &&
           read_member(q, body, MEMBER_URL, "a string of at most 2048 bytes, or null",
                       PROJECT_URL_MAX, true, &p->repository_url, &changed[MEMBER_URL]) &&
           read_member(q, body, MEMBER_STATUS, "a string of 1 to 64 bytes", PROJECT_STATUS_MAX,
                       false, &p->status, &changed[MEMBER_STATUS]);
}

/* The id that the body names under either of its names, if any; it is the path's, or the new
 * project's. */
static bool read_body_id(struct platform_request *q, const struct project_body *body, bool fresh)
{
    for (int member = MEMBER_PROJECT_ID; member <= MEMBER_ID; member++) {
        struct slice text;
        char id[UUID_SIZE];
        if (!body->found[member])
            continue;
        if (!json_string_plain(body->values[member], &text) || !platform_parse_id(text, id))
            return refuse_member(q, member, "a UUID");
        if (!fresh && strcmp(id, q->id) != 0)
            return refuse_member(q, member, "the same as in the path, or left out");
        memcpy(q->id, id, sizeof id);
        fresh = false;
    }
    return true;
}

/* ---- Steps ---- */

static const char *user_name(const struct platform_request *q)
{
    return q->who ? q->who->principal.name : "anonymous";
}

static void touch(const struct platform_request *q, struct project *p)
{
    p->updated_ms = clock_wall_ms();
    buf_clear(&p->updated_by);
    buf_append_text(&p->updated_by, user_name(q));
}

/* Of `project:<id>`. */
static void append_topic(struct buf *out, const char *id)
{
    topic_name_append(out, (struct topic_name){TOPIC_PROJECT, slice_from(id)});
}

static bool find(struct platform_request *q, struct platform_db *db, struct project *p)
{
    int error = project_find(db, q->id, p);
    if (error == FAN_E_NOT_FOUND)
        platform_request_refuse(q, 404, "not_found", "", "there is no project %s", q->id);
    else if (error)
        platform_request_failed(q, db);
    return !error;
}

static bool check_condition(struct platform_request *q, const struct project *p)
{
    if (q->condition.len == 0 || condition_holds(q, p))
        return true;
    platform_request_refuse(q, 412, "changed_meanwhile", "",
                            "the project has changed since it was read (If-Match): read it again");
    return false;
}

static bool begin(struct platform_request *q, struct platform_db *db)
{
    if (platform_db_begin(db) == 0)
        return true;
    platform_request_failed(q, db);
    return false;
}

/* ---- Making ---- */

static bool insert(struct platform_request *q, struct platform_db *db, struct project *p)
{
    int error = project_insert(db, p);
    if (error == FAN_E_EXISTS)
        platform_request_refuse(q, 409, "exists", "project_id", "there is a project %s", p->id);
    else if (error == FAN_E_LIMIT)
        platform_request_refuse(q, 409, "too_many_projects", "",
                                "there are %d projects already, as many as there may be",
                                PROJECTS_MAX);
    else if (error)
        platform_request_failed(q, db);
    return !error;
}

static bool read_new(struct platform_request *q, struct project *p)
{
    struct project_body body = {0};
    bool changed[MEMBERS];
    struct buf topic = {0};
    buf_append_text(&p->status, "active");
    if (!scan_body(q, &body) || !read_fields(q, &body, p, changed))
        return false;
    if (!body.found[MEMBER_NAME])
        return refuse_member(q, MEMBER_NAME, "there: a string of 1 to 200 bytes");
    platform_make_id(q->id);
    if (!read_body_id(q, &body, true))
        return false;
    memcpy(p->id, q->id, sizeof p->id);
    append_topic(&topic, p->id);
    bool may = platform_may_publish(q, buf_slice(&topic));
    buf_fini(&topic);
    return may;
}

static void run_create(struct platform_request *q, struct platform_db *db)
{
    struct project p = {0};
    if (read_new(q, &p) && begin(q, db)) {
        touch(q, &p);
        p.created_ms = p.updated_ms;
        if (insert(q, db, &p)) {
            buf_printf(&q->headers, "Location: %s/api/v1/projects/%s\r\n", q->api->server_url,
                       p.id);
            put_project(&q->answer, &p);
            answer_project(q, 201, &p);
        }
        platform_end(q, db);
    }
    project_fini(&p);
}

void api_project_create(struct api_request *r)
{
    if (permit_publish_somewhere(r->exchange) && api_may_publish(r->api, r->exchange, 1))
        platform_request_start(platform_request_new(r, run_create));
}

/* ---- Reading ---- */

static void run_read(struct platform_request *q, struct platform_db *db)
{
    struct project p;
    if (find(q, db, &p)) {
        put_project(&q->answer, &p);
        answer_project(q, 200, &p);
        if (q->condition.len && condition_holds(q, &p)) {
            q->status = 304;
            buf_fini(&q->answer);
        }
    }
    project_fini(&p);
}

struct project_list {
    struct platform_request *request;
    struct buf topic;
    uint64_t count, rows;
    int64_t last; /* number of the last one that was looked at */
    bool more;    /* there are others behind it */
};

static bool add_project(void *arg, const struct project *p)
{
    struct project_list *list = arg;
    struct platform_request *q = list->request;
    list->more = list->count == q->page.limit || list->rows == PAGE_ROWS;
    if (list->more)
        return false;
    list->rows++;
    list->last = p->number;
    buf_clear(&list->topic);
    append_topic(&list->topic, p->id);
    if (identity_may_read(q->who, buf_slice(&list->topic)).allowed) {
        put_project(&q->answer, p);
        json_end(&q->answer, '}');
        list->count++;
    }
    return !q->answer.failed;
}

static void run_list(struct platform_request *q, struct platform_db *db)
{
    struct project_list list = {.request = q};
    platform_request_begin_list(q, "projects");
    if (project_each(db, (int64_t)q->page.after, add_project, &list) != 0)
        platform_request_failed(q, db);
    platform_request_end_list(q, list.more, list.last);
    buf_fini(&list.topic);
}

/* Whether the path's project may be read, or published to. */
static bool permit_project(struct http_exchange *x, const char *id, bool change)
{
    struct buf topic = {0};
    append_topic(&topic, id);
    bool may = change ? permit(x, identity_may_publish(permit_identity(x), buf_slice(&topic)),
                               "publish to", buf_slice(&topic))
                      : permit_read(x, buf_slice(&topic));
    buf_fini(&topic);
    return may;
}

static void start(struct api_request *r, platform_run *run, bool change)
{
    char id[UUID_SIZE];
    if (!platform_read_id(r, "project_id", id) || !permit_project(r->exchange, id, change) ||
        (change && !api_may_publish(r->api, r->exchange, 1)))
        return;
    struct platform_request *q = platform_request_new(r, run);
    memcpy(q->id, id, sizeof id);
    platform_request_start(q);
}

void api_projects(struct api_request *r)
{
    struct platform_page page;
    if (!platform_read_page(r, &page))
        return;
    struct platform_request *q = platform_request_new(r, run_list);
    q->page = page;
    platform_request_start(q);
}

void api_project(struct api_request *r)
{
    start(r, run_read, false);
}

/* ---- Changing ---- */

static void put_changes(struct buf *out, const struct project *p, const bool changed[MEMBERS])
{
    json_begin(out, "changes", '{');
    if (changed[MEMBER_NAME])
        json_put_slice(out, "project_name", buf_slice(&p->name));
    if (changed[MEMBER_URL])
        json_put_slice(out, "repository_url",
                       p->repository_url.len ? buf_slice(&p->repository_url) : slice_of(NULL, 0));
    if (changed[MEMBER_STATUS])
        json_put_slice(out, "status", buf_slice(&p->status));
    json_end(out, '}');
}

static bool publish_updated(struct platform_request *q, const struct project *p,
                            const bool changed[MEMBERS])
{
    struct buf data = {0};
    json_begin(&data, NULL, '{');
    json_put_text(&data, "project_id", p->id);
    json_put_slice(&data, "project_name", buf_slice(&p->name));
    json_put_slice(&data, "repository_url",
                   p->repository_url.len ? buf_slice(&p->repository_url) : slice_of(NULL, 0));
    json_put_slice(&data, "status", buf_slice(&p->status));
    json_put_slice(&data, "updated_by", buf_slice(&p->updated_by));
    put_changes(&data, p, changed);
    json_end(&data, '}');
    bool done = platform_publish(q, "project.updated", SOURCE, buf_slice(&data), slice_of(NULL, 0));
    buf_fini(&data);
    return done;
}

/* Changes what is new, and tells it; what is not new is no change, and nobody is told. */
static void update(struct platform_request *q, struct platform_db *db, struct project *p,
                   const bool changed[MEMBERS])
{
    bool any = changed[MEMBER_NAME] || changed[MEMBER_URL] || changed[MEMBER_STATUS];
    if (any) {
        touch(q, p);
        if (project_update(db, p) != 0)
            platform_request_failed(q, db);
        else
            publish_updated(q, p, changed);
    }
    put_project(&q->answer, p);
    put_changes(&q->answer, p, changed);
    answer_project(q, 200, p);
}

static void run_update(struct platform_request *q, struct platform_db *db)
{
    struct project_body body = {0};
    struct project p = {0};
    bool changed[MEMBERS] = {false};
    if (!scan_body(q, &body) || !read_body_id(q, &body, false) || !begin(q, db))
        return;
    if (find(q, db, &p) && check_condition(q, &p) && read_fields(q, &body, &p, changed))
        update(q, db, &p, changed);
    platform_end(q, db);
    project_fini(&p);
}

void api_project_update(struct api_request *r)
{
    start(r, run_update, true);
}

static bool publish_deleted(struct platform_request *q)
{
    struct buf data = {0};
    json_begin(&data, NULL, '{');
    json_put_text(&data, "project_id", q->id);
    json_put_text(&data, "deleted_by", user_name(q));
    json_end(&data, '}');
    bool done = platform_publish(q, "project.deleted", SOURCE, buf_slice(&data), slice_of(NULL, 0));
    buf_fini(&data);
    return done;
}

static void run_delete(struct platform_request *q, struct platform_db *db)
{
    struct project p = {0};
    if (!begin(q, db))
        return;
    if (find(q, db, &p) && check_condition(q, &p)) {
        if (project_delete(db, q->id) != 0)
            platform_request_failed(q, db);
        else if (publish_deleted(q))
            q->status = 204;
    }
    platform_end(q, db);
    project_fini(&p);
}

void api_project_delete(struct api_request *r)
{
    start(r, run_delete, true);
}
