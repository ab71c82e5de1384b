/* The list of endpoints, and the way from a request to a connection; see endpoint.h. */
#include "server/endpoint.h"

#include "base/memory.h"
#include "codec/deflate.h"
#include "fanfare/error.h"
#include "net/worker.h"

/* ---- The list ---- */

/* "a token" of RFC 7230, 3.2.6, as RFC 6455, 4.1, has it. */
static bool is_token(const char *text)
{
    static const char separators[] = "()<>@,;:\\\"/[]?={} \t";
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p >= 127 || strchr(separators, *p))
            return false;
    return *text != '\0';
}

static int check_path(const char *path, struct buf *why)
{
    const char *star = path ? strchr(path, '*') : NULL;
    if (!path || path[0] != '/') {
        buf_printf(why, "an endpoint's path begins with '/', got \"%s\"", path ? path : "");
        return FAN_E_INVALID;
    }
    if (star && (star[1] || star[-1] != '/')) {
        buf_printf(why, "a '*' may only stand at a path's end, behind a '/', got \"%s\"", path);
        return FAN_E_INVALID;
    }
    return 0;
}

static int check_protocols(const char *const *protocols, struct buf *why)
{
    for (; protocols && *protocols; protocols++)
        if (!is_token(*protocols)) {
            buf_printf(why, "a subprotocol is a token such as \"chat.v1\", got \"%s\"", *protocols);
            return FAN_E_INVALID;
        }
    return 0;
}

static bool is_taken(const struct endpoint *list, const char *path, size_t len, bool below)
{
    for (; list; list = list->next)
        if (list->below == below && slice_is(slice_of(path, len), list->path))
            return true;
    return false;
}

static char **copy_protocols(const char *const *protocols)
{
    size_t n = 0;
    if (!protocols)
        return NULL;
    while (protocols[n])
        n++;
    char **copies = memory_zero((n + 1) * sizeof *copies);
    for (size_t i = 0; i < n; i++)
        copies[i] = memory_copy_string(slice_from(protocols[i]));
    return copies;
}

int endpoint_add(struct endpoint **list, const char *path,
                 const struct fan_websocket_handler *handler, void *arg, struct buf *why)
{
    int error = check_path(path, why);
    if (!error)
        error = check_protocols(handler->protocols, why);
    if (error)
        return error;
    size_t len = strcspn(path, "*");
    bool below = path[len] == '*';
    if (is_taken(*list, path, len, below)) {
        buf_printf(why, "there is an endpoint at \"%s\" already", path);
        return FAN_E_EXISTS;
    }
    struct endpoint *e = memory_zero(sizeof *e);
    *e = (struct endpoint){
        .next = *list,
        .ops = websocket_ops,
        .handler = *handler,
        .arg = arg,
        .protocols = copy_protocols(handler->protocols),
        .path = memory_copy_string(slice_of(path, len)),
        .below = below,
    };
    e->ops.binary = handler->binary;
    e->ops.max_message = handler->max_message;
    *list = e;
    return 0;
}

void endpoints_free(struct endpoint *list)
{
    while (list) {
        struct endpoint *e = list;
        list = e->next;
        for (char **p = e->protocols; p && *p; p++)
            memory_free(*p);
        memory_free(e->protocols);
        memory_free(e->path);
        memory_free(e);
    }
}

const struct endpoint *endpoint_find(const struct endpoint *list, struct slice path)
{
    const struct endpoint *best = NULL;
    for (const struct endpoint *e = list; e; e = e->next) {
        if (!e->below && slice_is(path, e->path))
            return e;
        if (e->below && slice_starts(path, e->path) &&
            (!best || strlen(e->path) > strlen(best->path)))
            best = e;
    }
    return best;
}

/* ---- Handshakes ---- */

/* Subprotocols are compared with their case, as clients compare the answer. */
static bool is_offered(const struct http_request *r, const char *protocol)
{
    for (unsigned i = 0; i < r->header_count; i++) {
        struct slice rest = r->headers[i].value, element;
        if (!slice_is_nocase(r->headers[i].name, "Sec-WebSocket-Protocol"))
            continue;
        while (slice_split(&rest, ',', &element))
            if (slice_is(slice_trim(element), protocol))
                return true;
    }
    return false;
}

static const char *select_protocol(const struct http_request *r, const struct endpoint *e)
{
    for (char **p = e->protocols; p && *p; p++)
        if (is_offered(r, *p))
            return *p;
    return is_offered(r, "fanfare") ? "fanfare" : NULL;
}

void endpoint_accept(struct http_exchange *x, const struct endpoint *e, struct slice path)
{
    const char *protocol = select_protocol(x->request, e);
    struct fan_websocket *ws = websocket_new(x, e, path, protocol);
    x->lasting = true;
    if (!ws) {
        NET_STAT(x->conn->worker, no_memory, 1);
        http_reply_error(x, 503, "out_of_memory", "not enough memory for this connection");
        return;
    }
    const struct ws_accept_options options = {
        .ops = &e->ops,
        .deflate = e->handler.deflate,
        .deflate_wishes =
            WS_DEFLATE_ANY_WINDOW | (e->handler.client_context ? 0 : WS_DEFLATE_CLIENT_ANEW),
        .protocol = protocol,
        .state = ws,
    };
    if (ws_accept(x, &options))
        websocket_open(ws, x->principal);
    else
        fan_websocket_unref(ws);
}
