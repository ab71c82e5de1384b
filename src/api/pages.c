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

static void add_page_headers(struct http_exchange *x, const struct embedded_file *file)
{
    struct buf policy = {0};
    http_add_header(x, "ETag", file->etag);
    http_add_header(x, "Cache-Control", "no-cache");
    if (!slice_starts(slice_from(file->media), "text/html"))
        return;
    page_policy_append(file->content, "ws: wss:", &policy);
    http_add_header(x, "Content-Security-Policy", buf_text(&policy));
    http_add_header(x, "Referrer-Policy", "no-referrer");
    buf_fini(&policy);
}

static void send_file(struct http_exchange *x, const struct embedded_file *file)
{
    struct slice known = http_header_get(x->request, "If-None-Match");
    add_page_headers(x, file);
    if (known.len && slice_is(known, file->etag))
        http_reply(x, 304, NULL, slice_of("", 0));
    else
        http_reply(x, 200, file->media, file->content);
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

void api_root(struct api_request *r)
{
    send_path(r, SLICE("/index.html"));
}
