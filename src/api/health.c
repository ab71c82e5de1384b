/* How the server is: for probes (health) and for Prometheus (metrics). */
#include "api/api.h"
#include "auth/permit.h"
#include "base/clock.h"

void api_health(struct api_request *r)
{
    struct api *api = r->api;
    struct buf out = {0};
    bool draining = atomic_load(&api->shared->draining);
    buf_printf(&out, "{\"status\":\"%s\",\"version\":\"%s\",\"uptime\":%llu,\"connections\":%llu",
               draining ? "draining" : "healthy", api->version,
               (unsigned long long)((clock_ms() - api->started_ms) / 1000),
               (unsigned long long)atomic_load(&api->shared->connections));
    api->host.health(api->host.arg, &out);
    BUF_LITERAL(&out, "}\n");
    http_reply_json(r->exchange, draining ? 503 : 200, &out);
}

/* A proxy on this machine makes others look local. */
static bool may_see_metrics(const struct api_request *r)
{
    const struct http_exchange *x = r->exchange;
    const struct identity *who = permit_identity(x);
    return r->api->metrics_public || (x->conn->peer->local && !http_is_forwarded(x->request)) ||
           (who && who->admin);
}

void api_metrics(struct api_request *r)
{
    struct http_exchange *x = r->exchange;
    struct buf out = {0};
    if (!may_see_metrics(r)) {
        http_reply_error(x, 403, "forbidden",
                         "metrics are for this machine and for admins only, unless metrics.public "
                         "is set");
        return;
    }
    r->api->host.metrics(r->api->host.arg, &out);
    if (out.failed)
        http_reply_error(x, 503, "out_of_memory", "not enough memory");
    else
        http_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&out));
    buf_fini(&out);
}
