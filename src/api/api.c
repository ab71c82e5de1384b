/* The API's routes and what their handlers share; see api.h. */
#include "api/api.h"

#include <stdio.h>

#include "base/clock.h"
#include "fanfare/error.h"

static const struct api_route routes[] = {
    {HTTP_POST, "/api/v1/publish", api_publish},
    {HTTP_GET, "/api/v1/publish", api_publish_socket},
    {HTTP_GET, "/api/v1/topics", api_topics},
    {HTTP_GET, "/api/v1/topics/{topic}/history", api_history},
    {HTTP_GET, "/api/v1/topics/{topic}/presence", api_presence},
    {HTTP_GET, "/api/build/sessions", api_sessions},
    {HTTP_GET, "/api/build/status/{session_id}", api_status},
    {HTTP_POST, "/demo/send-update", api_demo},
    {HTTP_GET, "/ws/status", api_ide_status},
    {HTTP_GET, "/ws/sessions/{session_id}/connections", api_ide_connections},
    {HTTP_POST, "/api/v1/execution/execute", api_no_sandbox},
    {HTTP_POST, "/api/v1/execution/execute/websocket", api_no_sandbox},
    {HTTP_GET, "/api/v1/execution/languages", api_no_sandbox},
    {HTTP_GET, "/api/v1/execution/{execution_id}", api_no_sandbox},
    {HTTP_DELETE, "/api/v1/execution/{execution_id}", api_no_sandbox},
    {HTTP_POST, "/api/v1/execution/{execution_id}/input", api_no_sandbox},
    {HTTP_POST, "/api/v1/sessions/{session_id}/ai/chat", api_no_model},
    {HTTP_GET, "/api/v1/projects", api_projects},
    {HTTP_POST, "/api/v1/projects", api_project_create},
    {HTTP_GET, "/api/v1/projects/{project_id}", api_project},
    {HTTP_PUT, "/api/v1/projects/{project_id}", api_project_update},
    {HTTP_DELETE, "/api/v1/projects/{project_id}", api_project_delete},
    {HTTP_GET, "/api/v1/agents/{agent_id}/status", api_agent_status},
    {HTTP_PUT, "/api/v1/agents/{agent_id}/status", api_agent_status_set},
    {HTTP_GET, "/api/v1/workflows/{workflow_id}/progress", api_workflow},
    {HTTP_POST, "/api/v1/workflows/{workflow_id}/progress", api_workflow_set},
    {HTTP_GET, "/api/v1/ai/suggestions", api_suggestions},
    {HTTP_POST, "/api/v1/ai/suggestions", api_suggestion_add},
    {HTTP_POST, "/webhooks/github", api_github},
    {HTTP_GET, "/api/v1/websocket/stats", api_websocket_stats},
    {HTTP_GET, "/health", api_health},
    {HTTP_GET, "/metrics", api_metrics},
    {HTTP_GET, "/openapi.json", api_openapi},
    {HTTP_GET, "/asyncapi.json", api_asyncapi},
    {HTTP_GET, "/icon.svg", api_page},
    {HTTP_GET, "/assets/{file}", api_page},
    {HTTP_GET, "/fanfare.js", api_client_library},
    {HTTP_GET, "/docs", api_page},
    {HTTP_GET, "/docs/{file}", api_page},
    {HTTP_GET, "/examples/{file}", api_page},
    {HTTP_GET, "/", api_root},
};

const struct api_route *api_routes(unsigned *count)
{
    *count = sizeof routes / sizeof *routes;
    return routes;
}

#define SECOND_NS 1000000000u

/* A token bucket as one number: the time at which the bucket will be full again. */
uint64_t api_publish_quota(struct api *api, struct identity *who, uint64_t n)
{
    uint64_t rate = atomic_load_explicit(&api->publish_limit, memory_order_relaxed);
    if (rate == 0 || !who)
        return 0;
    uint64_t now = clock_ns(), cost = n * SECOND_NS / rate;
    uint64_t ready = atomic_load(&who->publish_ready_ns), next = ready;
    while (n) {
        next = (ready > now ? ready : now) + cost;
        if (atomic_compare_exchange_weak(&who->publish_ready_ns, &ready, next))
            break;
    }
    uint64_t allowed = now + SECOND_NS; /* a burst of one second */
    return next > allowed ? (next - allowed) / 1000000 + 1 : 0;
}

bool api_may_publish(struct api *api, struct http_exchange *x, uint64_t n)
{
    struct identity *who = identity_of(x->principal);
    char seconds[24];
    uint64_t wait_ms = api_publish_quota(api, who, 0);
    if (wait_ms <= 1000) {
        api_publish_quota(api, who, n);
        return true;
    }
    snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)(wait_ms + 999) / 1000);
    http_add_header(x, "Retry-After", seconds);
    http_reply_error(x, 429, "rate_limited",
                     "more events than limits.publish allows; try again later");
    return false;
}

bool api_query_number(struct api_request *r, const char *name, uint64_t min, uint64_t max,
                      uint64_t *value)
{
    struct buf text = {0};
    uint64_t n = 0;
    int error = http_query_get(r->exchange->request->query, name, &text);
    if (error == FAN_E_NOT_FOUND)
        return true;
    bool ok = !error && text.len > 0 && text.len <= 18;
    for (size_t i = 0; ok && i < text.len; i++) {
        ok = text.data[i] >= '0' && text.data[i] <= '9';
        n = n * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (ok && n >= min && n <= max)
        *value = n;
    else
        http_reply_error(r->exchange, 422, "invalid_parameter",
                         "%s must be a whole number from %llu to %llu, got \"%.*s\"", name,
                         (unsigned long long)min, (unsigned long long)max,
                         text.len > 40 ? 40 : (int)text.len, text.data ? text.data : "");
    buf_fini(&text);
    return r->exchange->answered ? false : true;
}
