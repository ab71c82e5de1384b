/* POST /demo/send-update: one realistic update of each type, to see something happen. */
#include <stdio.h>

#include "api/api.h"
#include "api/intake.h"
#include "auth/permit.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "codec/json_writer.h"
#include "fanfare/broadcast.h"
#include "fanfare/error.h"

static const char *const component_names[] = {"auth_service", "api_server",  "web_client",
                                              "database",     "worker_pool", "search_index"};

struct demo {
    struct api *api;
    struct http_exchange *exchange;
    struct intake intake;
};

/* The publisher's side of the typed broadcast functions, for this process. */
static int publish(void *context, const char *topic, const char *type, const char *data,
                   size_t size)
{
    struct demo *demo = context;
    struct buf event = {0};
    json_begin(&event, NULL, '{');
    json_put_text(&event, "topic", topic);
    json_put_text(&event, "type", type);
    json_put_text(&event, "source", "demo");
    json_put_raw(&event, "data", slice_of(data, size));
    json_end(&event, '}');
    intake_add(&demo->intake, buf_slice(&event));
    buf_fini(&event);
    return 0;
}

static void send_update(struct demo *demo, const char *session)
{
    static const char output[] = "[12:00:01] \x1b[32mCompiling\x1b[0m src/auth/session.c\r\n";
    static const char content[] = "int session_open(void);\n";
    const struct fan_publisher to = {publish, demo};
    unsigned step = (unsigned)(random_u64() % 10);
    const char *component = component_names[step % 6];
    char id[48];
    const char *tasks[] = {"configure", "compile"}, *files[] = {"src/auth/session.c"};
    snprintf(id, sizeof id, "checkpoint_demo_%llu", (unsigned long long)clock_wall_ms());
    fan_broadcast_component_update(&to, session, component, step == 9 ? "completed" : "in_progress",
                                   step == 9 ? 100 : 10.0 * step + 4.5, "{\"demo\":true}");
    fan_broadcast_feature_update(&to, session, "single_sign_on", "in_progress", 10.0 * step, NULL);
    fan_broadcast_terminal_output(&to, session, output, sizeof output - 1, "stdout", "builder");
    fan_broadcast_checkpoint_update(&to, session, id, "build_demo", tasks, 2, files, 1, NULL);
    fan_broadcast_build_progress(&to, session, 10, step, 10.0 * step);
    fan_broadcast_file_change(&to, session, "src/auth/session.c", "modified", content,
                              sizeof content - 1);
    fan_broadcast_error(&to, session, "demo: undefined reference to `session_close'", "link", NULL);
}

struct session_list {
    struct buf names; /* each with a NUL */
    unsigned dialect, count;
};

static bool collect(void *arg, const struct topic_info *info)
{
    struct session_list *list = arg;
    if (info->kind != TOPIC_SESSION || info->subscribers_of[list->dialect] == 0)
        return true;
    buf_append_slice(&list->names, slice_skip(info->name, strlen("session:")));
    buf_append_char(&list->names, '\0');
    list->count++;
    return !list->names.failed;
}

static void send_to_watched(struct demo *demo)
{
    struct session_list list = {.dialect = demo->api->build_dialect};
    hub_each_topic(demo->api->hub, collect, &list);
    const char *name = list.names.data;
    for (unsigned i = 0; !list.names.failed && i < list.count; i++, name += strlen(name) + 1)
        send_update(demo, name);
    if (list.count == 0)
        send_update(demo, "demo");
    buf_fini(&list.names);
}

/* ---- The answer ---- */

static void demo_free(struct demo *demo)
{
    intake_fini(&demo->intake);
    memory_free(demo);
}

static void on_abort(struct http_exchange *x)
{
    demo_free(x->data);
    x->data = NULL;
}

static void on_refused(void *arg, struct slice line)
{
    (void)arg; /* the number of those that were not is told */
    (void)line;
}

static void reply(void *arg)
{
    struct demo *demo = arg;
    struct http_exchange *x = demo->exchange;
    struct buf out = {0};
    if (!intake_is_idle(&demo->intake))
        return;
    x->data = NULL;
    x->abort = NULL;
    buf_printf(&out, "{\"status\":\"sent\",\"published\":%llu}\n",
               (unsigned long long)demo->intake.published);
    demo_free(demo);
    http_reply_json(x, 200, &out);
}

static const struct intake_ops demo_ops = {on_refused, reply};

/* session: NULL for all that are watched. */
static void begin(struct http_exchange *x, const char *session)
{
    struct demo *demo = memory_zero(sizeof *demo);
    demo->api = x->conn->worker->app->context;
    demo->exchange = x;
    x->data = demo;
    x->abort = on_abort;
    x->owed = true;
    intake_init(&demo->intake, demo->api, x->conn, permit_identity(x), ACK_NONE, &demo_ops, demo);
    if (session)
        send_update(demo, session);
    else
        send_to_watched(demo);
    if (intake_flush(&demo->intake))
        reply(demo);
}

static void run_demo(struct http_exchange *x)
{
    struct buf session = {0};
    int error = http_query_get(x->request->query, "session", &session);
    if (error == FAN_E_NOT_FOUND)
        begin(x, NULL);
    else if (error || !http_identifier_valid(buf_slice(&session)))
        http_reply_error(x, 400, "invalid_session",
                         "a session id is 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -");
    else
        begin(x, buf_text(&session));
    buf_fini(&session);
}

/* Most of a body, which says nothing and is read to its end. */
#define BODY_MAX 65536

void api_demo(struct api_request *r)
{
    struct http_exchange *x = r->exchange;
    if (!r->api->demo_allowed) {
        http_reply_error(x, 403, "forbidden", "demo updates are turned off (option demo)");
        return;
    }
    if (!permit_administer(x))
        return;
    x->body_limit = BODY_MAX;
    x->done = run_demo;
}
