/* The parser's own checks of a request's head; see http_head.h. */
#include "codec/http_head.h"

static bool refuse(struct http_refusal *refusal, int status, const char *why)
{
    *refusal = (struct http_refusal){status, why};
    return false;
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A bit for each of the 128 ASCII characters: the letters, the digits, and !#$%&'*+-.^_`|~ */
bool http_is_token_char(char c)
{
    static const uint32_t allowed[] = {0, 0x03FF6CFA, 0xC7FFFFFE, 0x57FFFFFF};
    unsigned char u = (unsigned char)c;
    return u < 128 && (allowed[u / 32] >> u % 32 & 1);
}

/* ---- Bytes and lines ---- */

bool http_bytes_check(struct slice bytes, struct http_refusal *refusal)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7F)
            return refuse(refusal, 400, "a control character in the request's head");
    }
    return true;
}

bool http_line_check(struct slice *line, struct http_refusal *refusal)
{
    const char *cr = memchr(line->ptr, '\r', line->len);
    if (!cr || cr != line->ptr + line->len - 2)
        return refuse(refusal, 400, "a line does not end with CRLF");
    line->len -= 2;
    return true;
}

bool http_header_line_check(struct slice line, struct http_refusal *refusal)
{
    size_t n = 0;
    while (n < line.len && http_is_token_char(line.ptr[n]))
        n++;
    if (n && n < line.len && line.ptr[n] == ':')
        return true;
    bool blank = n < line.len && (line.ptr[n] == ' ' || line.ptr[n] == '\t');
    return refuse(refusal, 400,
                  !blank   ? "a header's line does not begin with a name and a colon"
                  : n == 0 ? "a header is folded over several lines"
                           : "white space between a header's name and its colon");
}

/* ---- Request line ---- */

static enum http_method method_of(struct slice name)
{
    for (enum http_method m = HTTP_GET; m < HTTP_OTHER; m++)
        if (slice_is(name, http_method_name(m))) /* methods are case-sensitive */
            return m;
    return HTTP_OTHER;
}

static bool read_version(struct slice version, struct http_request *r, struct http_refusal *refusal)
{
    if (version.len != 8 || !slice_starts(version, "HTTP/") || version.ptr[6] != '.' ||
        (unsigned char)(version.ptr[5] - '0') > 9 || (unsigned char)(version.ptr[7] - '0') > 9)
        return refuse(refusal, 400, "the request line does not end with HTTP/1.1");
    if (version.ptr[5] != '1' || version.ptr[7] > '1')
        return refuse(refusal, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    r->minor = (uint8_t)(version.ptr[7] - '0');
    return true;
}

/* The length of "http://host" in the absolute form (3.2.2); 0 in the other forms. */
static size_t origin_size(struct slice target)
{
    size_t scheme = strncasecmp(target.ptr, "http://", 7 < target.len ? 7 : target.len) == 0    ? 7
                    : strncasecmp(target.ptr, "https://", 8 < target.len ? 8 : target.len) == 0 ? 8
                                                                                                : 0;
    if (scheme == 0 || target.len <= scheme)
        return 0;
    size_t n = scheme;
    while (n < target.len && target.ptr[n] != '/' && target.ptr[n] != '?')
        n++;
    return n;
}

static bool read_target(struct slice target, struct http_request *r, struct http_refusal *refusal)
{
    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.ptr[i] <= ' ' || (unsigned char)target.ptr[i] >= 0x7F ||
            target.ptr[i] == '#')
            return refuse(refusal, 400, "a forbidden character in the request target");
    size_t origin = origin_size(target);
    size_t scheme =
        origin ? (size_t)((const char *)memchr(target.ptr, ':', origin) - target.ptr) : 0;
    r->authority = origin ? slice_of(target.ptr + scheme + 3, origin - scheme - 3) : SLICE("");
    r->target = slice_skip(target, origin);
    const char *mark = memchr(r->target.ptr, '?', r->target.len);
    size_t path_size = mark ? (size_t)(mark - r->target.ptr) : r->target.len;
    r->path = slice_of(r->target.ptr, path_size);
    r->query = slice_skip(r->target, path_size + 1);
    if (origin && path_size == 0)
        r->path = SLICE("/");
    if ((r->path.len && r->path.ptr[0] == '/') ||
        (slice_is(r->path, "*") && r->method == HTTP_OPTIONS))
        return true;
    return refuse(refusal, 400, "the request target does not begin with '/'");
}

bool http_request_line_read(struct slice line, struct http_request *request,
                            struct http_refusal *refusal)
{
    struct slice method, target;
    struct slice rest = line;
    if (!slice_split(&rest, ' ', &method) || !slice_split(&rest, ' ', &target) || method.len == 0 ||
        target.len == 0)
        return refuse(refusal, 400, "the first line is no HTTP request");
    for (size_t i = 0; i < method.len; i++)
        if (!http_is_token_char(method.ptr[i]))
            return refuse(refusal, 400, "the first line is no HTTP request");
    request->method = method_of(method);
    if (!read_version(rest, request, refusal))
        return false;
    if (slice_is(method, "CONNECT"))
        return refuse(refusal, 501, "CONNECT is not supported");
    return read_target(target, request, refusal);
}

/* ---- Headers ---- */

static bool is_port(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return true;
}

/* uri-host [ ":" port ] (RFC 9112, 3.2; RFC 3986, 3.2.2) */
static bool host_valid(struct slice host)
{
    size_t n = 0;
    if (host.len && host.ptr[0] == '[') {
        for (n = 1; n < host.len && host.ptr[n] != ']'; n++)
            if (!is_alphanumeric(host.ptr[n]) && host.ptr[n] != ':' && host.ptr[n] != '.')
                return false;
        if (n++ == host.len)
            return false;
    } else {
        while (n < host.len &&
               (is_alphanumeric(host.ptr[n]) || strchr("-._~%!$&'()*+,;=", host.ptr[n])))
            n++;
    }
    return n == host.len || (host.ptr[n] == ':' && is_port(slice_skip(host, n + 1)));
}

/* In the absolute form the target names the host, and what the Host header says does not count
 * (3.2.2). */
static void take_host_of_target(struct http_request *r)
{
    for (unsigned i = 0; i < r->header_count; i++)
        if (r->authority.len && slice_is_nocase(r->headers[i].name, "Host"))
            r->headers[i].value = r->authority;
}

static bool check_host(struct http_request *r, struct http_refusal *refusal)
{
    unsigned count = http_header_count(r, "Host");
    if (count > 1)
        return refuse(refusal, 400, "more than one Host header");
    if (count == 0 && r->minor > 0)
        return refuse(refusal, 400, "the Host header is missing");
    take_host_of_target(r);
    if (count && !host_valid(http_header_get(r, "Host")))
        return refuse(refusal, 400, "the Host header is malformed");
    return true;
}

/* How long the body is must be beyond doubt (6.1, 6.3). */
static bool check_framing(const struct http_request *r, struct http_refusal *refusal)
{
    unsigned codings = http_header_count(r, "Transfer-Encoding");
    if (codings == 0)
        return true;
    if (http_header_count(r, "Content-Length"))
        return refuse(refusal, 400, "both Content-Length and Transfer-Encoding");
    if (r->minor == 0)
        return refuse(refusal, 400, "Transfer-Encoding in an HTTP/1.0 request");
    if (!r->chunked)
        return refuse(refusal, 400, "Transfer-Encoding does not end with chunked");
    if (codings > 1 || !slice_is_nocase(http_header_get(r, "Transfer-Encoding"), "chunked"))
        return refuse(refusal, 501, "only the transfer coding chunked is supported");
    return true;
}

bool http_head_check(struct http_request *request, struct http_refusal *refusal)
{
    if (!check_host(request, refusal) || !check_framing(request, refusal))
        return false;
    request->upgrade = http_header_has_token(request, "Connection", "upgrade") &&
                       http_header_count(request, "Upgrade") > 0;
    request->expect_continue =
        request->minor > 0 && slice_is_nocase(http_header_get(request, "Expect"), "100-continue");
    return true;
}
