/*
 * From a request to its handler: access rules, then the API's and the dialects' routes.
 */
#include <stdio.h>

#include "auth/permit.h"
#include "base/memory.h"
#include "config/address.h"
#include "fanfare/error.h"
#include "server/private.h"

static struct server *server_of(struct http_exchange *x)
{
    struct api *api = x->conn->worker->app->context;
    return CONTAINER(api, struct server, api);
}

/* ---- Whom it comes from ---- */

struct proxy_walk {
    const struct config *config;
    struct slice client;
};

bool server_is_trusted(const struct config *config, struct slice address)
{
    struct in6_addr parsed;
    if (config->trusted_proxies.count == 0 || network_address_parse(address, &parsed) != 0)
        return false;
    for (size_t i = 0; i < config->trusted_proxies.count; i++) {
        struct network network;
        if (network_parse(slice_from(config->trusted_proxies.items[i]), &network) == 0 &&
            network_contains(&network, &parsed))
            return true;
    }
    return false;
}

/* From the nearest hop outwards, the first one that is no trusted proxy is the client. */
static bool walk_proxy(void *arg, struct slice address)
{
    struct proxy_walk *walk = arg;
    if (!peer_is_address(address))
        return false;
    walk->client = address;
    return server_is_trusted(walk->config, address);
}

/* Behind trusted proxies the connection is counted for the client they name. A proxy usually sets
 * one of the two headers and passes the other on as the client wrote it, so both together are
 * refused. */
static bool take_forwarded_peer(struct server *s, struct http_exchange *x)
{
    struct conn *c = x->conn;
    struct worker *w = c->worker;
    const struct config *config = server_settings_now(s)->config;
    struct proxy_walk walk = {.config = config};
    struct peer *peer;
    if (config->trusted_proxies.count == 0 || !server_is_trusted(config, slice_from(c->peer->text)))
        return true;
    if (http_header_get(x->request, "Forwarded").ptr &&
        http_header_get(x->request, "X-Forwarded-For").ptr) {
        http_reply_error(x, 400, "ambiguous_forwarding",
                         "Forwarded and X-Forwarded-For came together, and only one of them can be "
                         "the proxy's: let the proxy remove the other one");
        return false;
    }
    http_forwarded_each(x->request, walk_proxy, &walk);
    if (walk.client.len == 0 || walk.client.len >= PEER_TEXT_SIZE)
        return true;
    int error = peer_take(s->shared.peers, walk.client, false,
                          (uint32_t)NET_LIMIT(w, connections_per_address), &peer);
    if (error == FAN_E_LIMIT) {
        NET_STAT(w, refused_address, 1);
        http_add_header(x, "Retry-After", "5");
        http_reply_error(x, 429, "connections_per_address",
                         "too many connections from this address "
                         "(limits.connections_per_address)");
        return false;
    }
    if (!error) {
        peer_release(s->shared.peers, c->peer);
        c->peer = peer;
    }
    return true;
}

/* ---- Access ---- */

/* Whose the request is. What is wrong with its token only counts where one is needed. */
static void identify(struct server *s, struct http_exchange *x, struct token_refusal *refusal)
{
    struct buf storage = {0};
    struct slice token = permit_find_token(x->request, &storage);
    struct identity *who = authenticator_identify(s->authenticator, token, refusal);
    if (who)
        x->principal = &who->principal;
    buf_fini(&storage);
}

static bool may_pass(struct server *s, struct http_exchange *x, struct slice path)
{
    const struct http_request *r = x->request;
    const struct identity *who = permit_identity(x);
    const struct access_request request = {
        .host = http_header_get(r, "Host"),
        .origin = http_header_get(r, "Origin"),
        .forwarded = http_is_forwarded(r),
        .handshake = r->upgrade || http_header_get(r, "Sec-WebSocket-Key").ptr,
        .changes = r->method != HTTP_GET && r->method != HTTP_HEAD && r->method != HTTP_OPTIONS,
        .health = slice_is(path, "/health"),
        .token = who && !who->anonymous,
    };
    struct access_verdict verdict = access_judge(server_settings_now(s)->access, &request);
    http_add_header(x, "X-Content-Type-Options", "nosniff");
    if (request.origin.ptr)
        http_add_header(x, "Vary", "Origin");
    if (!verdict.allowed) {
        http_reply_error(x, 403, verdict.code, "%s", verdict.message);
        return false;
    }
    if (verdict.cors) {
        buf_printf(&x->headers, "Access-Control-Allow-Origin: %.*s\r\n", SLICE_ARG(request.origin));
        http_add_header(x, "Access-Control-Allow-Credentials", "true");
        http_add_header(x, "Access-Control-Expose-Headers", "ETag, Location, Retry-After");
    }
    return true;
}

static void answer_preflight(struct http_exchange *x)
{
    http_add_header(x, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    http_add_header(x, "Access-Control-Allow-Headers",
                    "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID");
    http_add_header(x, "Access-Control-Max-Age", "600");
    http_add_header(x, "Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    http_reply(x, 204, NULL, slice_of("", 0));
}

/* ---- Routes ---- */

/* A request on its way to its handler. */
struct visit {
    struct server *server;
    struct http_exchange *exchange;
    struct slice path;
    struct token_refusal refusal;   /* when it is nobody's */
    bool get, head, post, put, del; /* what the address takes; what stays open answers no HEAD */
};

/* False: it is nobody's, and was answered. */
static bool is_somebodys(struct visit *v)
{
    if (v->exchange->principal)
        return true;
    permit_refuse_token(v->exchange, &v->refusal);
    return false;
}

/* Decodes the path parameters; each is followed by a NUL. */
static bool decode_values(struct api_request *r, unsigned count)
{
    size_t total = 0;
    for (unsigned i = 0; i < count; i++)
        total += r->values[i].len + 1;
    if (count && !buf_reserve(&r->storage, total))
        return false;
    for (unsigned i = 0; i < count; i++) {
        size_t at = r->storage.len;
        if (http_percent_decode(r->values[i], false, &r->storage) != 0)
            return false;
        r->values[i] = slice_of(r->storage.data + at, r->storage.len - at);
        buf_append_char(&r->storage, '\0');
    }
    return !r->storage.failed;
}

static unsigned count_parameters(const char *path)
{
    unsigned n = 0;
    for (; *path; path++)
        n += *path == '{';
    return n;
}

static void bad_escape(struct http_exchange *x)
{
    http_reply_error(x, 400, "bad_path", "the path has a malformed percent escape");
}

static void call_api(struct server *s, struct http_exchange *x, const struct api_route *route,
                     struct slice path, struct slice *values)
{
    struct api_request r = {.api = &s->api, .exchange = x, .path = path};
    memcpy(r.values, values, sizeof r.values);
    if (decode_values(&r, count_parameters(route->path)))
        route->handle(&r);
    else
        bad_escape(x);
    buf_fini(&r.storage);
}

static void call_dialect(struct http_exchange *x, const struct dialect *dialect,
                         struct slice *values)
{
    struct api_request r = {.exchange = x};
    unsigned count = count_parameters(dialect->path);
    x->lasting = !dialect->claims || x->request->upgrade;
    memcpy(r.values, values, sizeof r.values);
    if (!decode_values(&r, count))
        bad_escape(x);
    else if (count && !http_identifier_valid(r.values[0]))
        http_reply_error(x, 400, "invalid_id",
                         "an id is 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -");
    else
        dialect->accept(x, count ? r.values[0] : slice_of("", 0));
    buf_fini(&r.storage);
}

static bool is_at(const struct dialect *dialect, struct slice path, struct slice *values)
{
    bool found = route_match(dialect->path, path, values, API_MAX_VALUES);
    for (const char *const *other = dialect->other_paths; !found && other && *other; other++)
        found = slice_is(path, *other);
    return found;
}

static bool try_dialects(struct visit *v)
{
    struct slice values[API_MAX_VALUES];
    const struct http_request *request = v->exchange->request;
    for (unsigned i = 0; i < dialect_count(); i++) {
        const struct dialect *dialect = dialect_at(i);
        if (!is_at(dialect, v->path, values))
            continue;
        const struct delivery_options *options = &v->server->delivery_options;
        if (dialect->claims ? !dialect->claims(request, options) : request->method != HTTP_GET) {
            v->get |= !dialect->claims;
            continue;
        }
        if (dialect->late_token || is_somebodys(v))
            call_dialect(v->exchange, dialect, values);
        return true;
    }
    return false;
}

static bool is_open(const struct api_route *route)
{
    const struct route_doc *doc = route_doc_find(route->method, route->path);
    return doc && doc->flags & ROUTE_OPEN;
}

static bool try_api(struct visit *v)
{
    struct slice values[API_MAX_VALUES];
    unsigned count;
    const struct api_route *routes = api_routes(&count);
    enum http_method method = v->exchange->request->method;
    if (method == HTTP_HEAD)
        method = HTTP_GET;
    for (unsigned i = 0; i < count; i++) {
        if (!route_match(routes[i].path, v->path, values, API_MAX_VALUES))
            continue;
        v->get |= routes[i].method == HTTP_GET;
        v->head |= routes[i].method == HTTP_GET;
        v->post |= routes[i].method == HTTP_POST;
        v->put |= routes[i].method == HTTP_PUT;
        v->del |= routes[i].method == HTTP_DELETE;
        if (routes[i].method != method)
            continue;
        if (v->exchange->principal || is_open(&routes[i]) || is_somebodys(v))
            call_api(v->server, v->exchange, &routes[i], v->path, values);
        return true;
    }
    return false;
}

/* What an endpoint of the embedding program is for is the program's affair, so that topics which
 * are open to everybody open none. */
static bool may_enter(struct visit *v)
{
    return is_somebodys(v) && permit_enter(v->exchange);
}

/* An endpoint of the embedding program comes before everything else when a WebSocket is asked for,
 * behind it otherwise. */
static bool try_endpoints(struct visit *v)
{
    struct buf decoded = {0};
    const struct endpoint *e = NULL;
    if (!v->server->endpoints)
        return false;
    bool bad = http_percent_decode(v->path, false, &decoded) != 0 || decoded.failed ||
               memchr(decoded.data, '\0', decoded.len);
    if (!bad)
        e = endpoint_find(v->server->endpoints, buf_slice(&decoded));
    v->get |= e != NULL;
    bool answers = e && v->exchange->request->method == HTTP_GET;
    if (answers && may_enter(v))
        endpoint_accept(v->exchange, e, buf_slice(&decoded));
    buf_fini(&decoded);
    return answers;
}

/* A dialect's path may have a parameter where the API has a name (/ws/status). Who asks for a
 * WebSocket means the dialect. */
static bool try_routes(struct visit *v)
{
    if (v->exchange->request->upgrade)
        return try_dialects(v) || try_api(v);
    return try_api(v) || try_dialects(v);
}

static void no_route(struct visit *v)
{
    struct http_exchange *x = v->exchange;
    if (!is_somebodys(v))
        return;
    if (v->get || v->post || v->put || v->del) {
        char list[48];
        snprintf(list, sizeof list, "%s%s%s%s%sOPTIONS", v->get ? "GET, " : "",
                 v->head ? "HEAD, " : "", v->post ? "POST, " : "", v->put ? "PUT, " : "",
                 v->del ? "DELETE, " : "");
        http_add_header(x, "Allow", list);
        http_reply_error(x, 405, "method_not_allowed", "this address does not take %s",
                         http_method_name(x->request->method));
        return;
    }
    http_reply_error(x, 404, "not_found", "there is nothing at %.*s; see /docs",
                     v->path.len > 200 ? 200 : (int)v->path.len, v->path.ptr);
}

/* The path below base_path; false when it is not below it. */
static bool strip_base(const struct server *s, struct slice *path)
{
    const char *base = s->config->base_path;
    size_t n = strlen(base);
    if (n == 0)
        return true;
    if (!slice_starts(*path, base) || (path->len > n && path->ptr[n] != '/'))
        return false;
    *path = path->len == n ? SLICE("/") : slice_skip(*path, n);
    return true;
}

/* The pages' links are relative, so /live, without the slash, would lead them beside the server. */
static bool redirect_to_base(const struct server *s, struct http_exchange *x)
{
    const struct http_request *r = x->request;
    struct buf location = {0};
    if (!s->config->base_path[0] || !slice_is(r->path, s->config->base_path) ||
        (r->method != HTTP_GET && r->method != HTTP_HEAD) || r->upgrade)
        return false;
    buf_printf(&location, "%s/%s%.*s", s->config->base_path, r->query.len ? "?" : "",
               SLICE_ARG(r->query));
    http_add_header(x, "Location", buf_text(&location));
    buf_fini(&location);
    http_reply(x, 308, NULL, slice_of("", 0));
    return true;
}

void server_request(struct http_exchange *x)
{
    struct visit v = {.server = server_of(x), .exchange = x, .path = x->request->path};
    bool inside = strip_base(v.server, &v.path);
    identify(v.server, x, &v.refusal);
    if (!may_pass(v.server, x, v.path) || !take_forwarded_peer(v.server, x))
        return;
    if (x->request->method == HTTP_OPTIONS) {
        answer_preflight(x);
        return;
    }
    if (inside && redirect_to_base(v.server, x))
        return;
    if (inside && x->request->upgrade && try_endpoints(&v))
        return;
    if (inside && try_routes(&v))
        return;
    if (inside && try_endpoints(&v))
        return;
    no_route(&v);
}
