/* Reading headers, URLs and queries; see http.h. */
#include "codec/http.h"
#include "fanfare/error.h"

const char *http_method_name(enum http_method method)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
        [HTTP_PUT] = "PUT",     [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
        [HTTP_OTHER] = "OTHER",
    };
    return names[method];
}

static const struct {
    int status;
    const char *text;
} status_texts[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < sizeof status_texts / sizeof *status_texts; i++)
        if (status_texts[i].status == status)
            return status_texts[i].text;
    return "Unknown";
}

/* ---- Headers ---- */

/* Whether a header, whose name is never empty, is this one. Most differ in length or in the first
 * letter. */
static bool is_named(const struct http_header *h, struct slice name)
{
    return h->name.len == name.len && ((h->name.ptr[0] ^ name.ptr[0]) & ~0x20) == 0 &&
           strncasecmp(h->name.ptr, name.ptr, name.len) == 0;
}

struct slice http_header_get(const struct http_request *r, const char *name)
{
    struct slice wanted = slice_from(name);
    for (unsigned i = 0; i < r->header_count; i++)
        if (is_named(&r->headers[i], wanted))
            return r->headers[i].value;
    return slice_of(NULL, 0);
}

unsigned http_header_count(const struct http_request *r, const char *name)
{
    struct slice wanted = slice_from(name);
    unsigned count = 0;
    for (unsigned i = 0; i < r->header_count; i++)
        count += is_named(&r->headers[i], wanted);
    return count;
}

bool http_header_has_token(const struct http_request *r, const char *name, const char *token)
{
    struct slice wanted = slice_from(name);
    for (unsigned i = 0; i < r->header_count; i++) {
        if (!is_named(&r->headers[i], wanted))
            continue;
        struct slice rest = r->headers[i].value;
        struct slice element;
        while (slice_split(&rest, ',', &element))
            if (slice_is_nocase(slice_trim(element), token))
                return true;
    }
    return false;
}

/* ---- Percent-encoding (RFC 3986, 2.1) ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Takes one character, decoded; -1 for a malformed escape. text is not empty. */
static int take_decoded(struct slice *text, bool plus_is_space)
{
    char c = text->ptr[0];
    if (c != '%') {
        *text = slice_skip(*text, 1);
        return c == '+' && plus_is_space ? ' ' : (unsigned char)c;
    }
    int high = text->len >= 3 ? hex_value(text->ptr[1]) : -1;
    int low = text->len >= 3 ? hex_value(text->ptr[2]) : -1;
    if (high < 0 || low < 0)
        return -1;
    *text = slice_skip(*text, 3);
    return high << 4 | low;
}

int http_percent_decode(struct slice text, bool plus_is_space, struct buf *out)
{
    while (text.len) {
        int c = take_decoded(&text, plus_is_space);
        if (c < 0)
            return FAN_E_PARSE;
        buf_append_char(out, (char)c);
    }
    return out->failed ? FAN_E_NO_MEMORY : 0;
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void http_percent_encode(struct slice text, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        unsigned char code = (unsigned char)c;
        if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~')
            buf_append_char(out, c);
        else
            buf_append(out, (char[]){'%', hex[code >> 4], hex[code & 15]}, 3);
    }
}

/* ---- Queries ---- */

bool http_query_next(struct slice *rest, struct slice *name, struct slice *value)
{
    struct slice pair = {0};
    do {
        if (!slice_split(rest, '&', &pair))
            return false;
    } while (pair.len == 0);
    const char *equals = memchr(pair.ptr, '=', pair.len);
    *name = slice_of(pair.ptr, equals ? (size_t)(equals - pair.ptr) : pair.len);
    *value = slice_skip(pair, name->len + 1);
    return true;
}

/* Whether text, decoded, is `name`. */
static bool decodes_to(struct slice text, const char *name)
{
    for (; text.len; name++) {
        int c = take_decoded(&text, true);
        if (c <= 0 || *name != (char)c)
            return false;
    }
    return *name == '\0';
}

int http_query_get(struct slice query, const char *name, struct buf *out)
{
    struct slice found, value;
    while (http_query_next(&query, &found, &value))
        if (decodes_to(found, name))
            return http_percent_decode(value, true, out);
    return FAN_E_NOT_FOUND;
}

bool http_query_is(struct slice query, const char *name, const char *text)
{
    struct buf value = {0};
    bool is = http_query_get(query, name, &value) == 0 && slice_is(buf_slice(&value), text);
    buf_fini(&value);
    return is;
}

bool http_identifier_valid(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!is_alphanumeric(c) && c != '.' && c != '_' && c != ':' && c != '@' && c != '/' &&
            c != '-')
            return false;
    }
    return id.len >= 1 && id.len <= 128;
}
