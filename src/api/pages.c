/* Pages, examples, and the documents that describe the interface. */
#include "api/api.h"
#include "api/embedded.h"
#include "api/openapi.h"
#include "api/page_policy.h"
#include "base/memory.h"

#define MAX_ROUTES 64

void api_openapi(struct api_request *r)
{
    const struct route_doc *list[MAX_ROUTES];
    unsigned count;
    const struct route_doc *docs = route_docs(&count);
    struct buf out = {0};
    for (unsigned i = 0; i < count && i < MAX_ROUTES; i++)
        list[i] = &docs[i];
    openapi_append(&out, list, count, r->api->version, r->api->server_url);
    http_reply_json(r->exchange, 200, &out);
}

void api_asyncapi(struct api_request *r)
{
    struct buf out = {0};
    asyncapi_append(&out, r->api->version, r->api->server_url);
    http_reply_json(r->exchange, 200, &out);
}

static void add_page_headers(struct http_exchange *x, const struct embedded_file *file,
                             const char *etag)
{
    struct buf policy = {0};
    http_add_header(x, "ETag", etag);
    http_add_header(x, "Cache-Control", "no-cache");
    if (!slice_starts(slice_from(file->media), "text/html"))
        return;
    page_policy_append(file->content, "ws: wss:", &policy);
    http_add_header(x, "Content-Security-Policy", buf_text(&policy));
    http_add_header(x, "Referrer-Policy", "no-referrer");
    buf_fini(&policy);
}

/* The compressed form has a tag of its own: it is another sequence of bytes (RFC 9110, 8.8.3). */
static void send_file(struct http_exchange *x, const struct embedded_file *file)
{
    bool compressed =
        file->gzip.len && http_header_has_token(x->request, "Accept-Encoding", "gzip");
    struct slice known = http_header_get(x->request, "If-None-Match");
    struct buf etag = {0};
    buf_printf(&etag, "%.*s%s\"", (int)strlen(file->etag) - 1, file->etag,
               compressed ? "-gzip" : "");
    add_page_headers(x, file, buf_text(&etag));
    if (file->gzip.len)
        http_add_header(x, "Vary", "Accept-Encoding");
    if (known.len && slice_is(known, buf_text(&etag))) {
        http_reply(x, 304, NULL, slice_of("", 0));
    } else if (compressed) {
        http_add_header(x, "Content-Encoding", "gzip");
        http_reply(x, 200, file->media, file->gzip);
    } else {
        http_reply(x, 200, file->media, file->content);
    }
    buf_fini(&etag);
}

static void send_path(struct api_request *r, struct slice path)
{
    const struct embedded_file *file = embedded_find(embedded_pages, path);
    if (file)
        send_file(r->exchange, file);
    else
        http_reply_error(r->exchange, 404, "not_found", "there is no page at \"%.*s\"",
                         SLICE_ARG(path));
}

void api_page(struct api_request *r)
{
    send_path(r, r->path);
}

/* For pages of other origins, too: modules are fetched with CORS. Origins that may do more are
 * named already, and a second header would void both. */
void api_client_library(struct api_request *r)
{
    static const struct slice cors = {"Access-Control-Allow-Origin", 27};
    struct slice set = buf_slice(&r->exchange->headers);
    if (!set.len || !memmem(set.ptr, set.len, cors.ptr, cors.len))
        http_add_header(r->exchange, cors.ptr, "*");
    http_add_header(r->exchange, "Cross-Origin-Resource-Policy", "cross-origin");
    send_path(r, r->path);
}

void api_root(struct api_request *r)
{
    send_path(r, SLICE("/index.html"));
}
