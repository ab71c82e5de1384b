/*
 * The addresses in Forwarded (RFC 7239) and X-Forwarded-For; see http.h.
 *
 * Elements are read from the right: what proxies of one's own have added stands there and is well
 * formed, and nothing that a client wrote on the left, an open quote for instance, can change how
 * it is read.
 */
#include "codec/http.h"

/* Splits off what stands behind the last separator outside quotes; white space removed. */
static struct slice take_last(struct slice *rest, char separator, bool quotes)
{
    bool quoted = false;
    size_t at = rest->len;
    while (at > 0 && (quoted || rest->ptr[at - 1] != separator)) {
        at--;
        quoted ^= quotes && rest->ptr[at] == '"';
    }
    struct slice last = slice_trim(slice_skip(*rest, at));
    rest->len = at ? at - 1 : 0;
    return last;
}

/* "[2001:db8::1]:80", "192.0.2.1:80", with or without port and brackets, to the address alone. */
static struct slice bare_address(struct slice node)
{
    if (node.len && node.ptr[0] == '[') {
        const char *end = memchr(node.ptr, ']', node.len);
        return end ? slice_of(node.ptr + 1, (size_t)(end - node.ptr) - 1) : SLICE("unknown");
    }
    const char *colon = memchr(node.ptr, ':', node.len);
    bool one_colon = colon && !memchr(colon + 1, ':', node.len - (size_t)(colon + 1 - node.ptr));
    if (one_colon)
        node.len = (size_t)(colon - node.ptr);
    return node.len ? node : SLICE("unknown");
}

static struct slice unquoted(struct slice text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return slice_of(text.ptr + 1, text.len - 2);
    return text;
}

/* The address in one element of Forwarded: the value of its for= pair. */
static struct slice forwarded_for(struct slice element)
{
    while (element.len) {
        struct slice pair = take_last(&element, ';', true);
        struct slice name;
        if (slice_split(&pair, '=', &name) && slice_is_nocase(slice_trim(name), "for"))
            return bare_address(unquoted(slice_trim(pair)));
    }
    return SLICE("unknown");
}

void http_forwarded_each(const struct http_request *r,
                         bool (*each)(void *arg, struct slice address), void *arg)
{
    bool standard = http_header_count(r, "Forwarded") > 0;
    const char *name = standard ? "Forwarded" : "X-Forwarded-For";
    for (unsigned i = r->header_count; i-- > 0;) {
        struct slice rest = r->headers[i].value;
        if (!slice_is_nocase(r->headers[i].name, name))
            continue;
        while (rest.len) {
            struct slice element = take_last(&rest, ',', standard);
            if (element.len == 0)
                continue; /* the list rule allows empty elements */
            if (!each(arg, standard ? forwarded_for(element) : bare_address(unquoted(element))))
                return;
        }
    }
}

bool http_is_forwarded(const struct http_request *r)
{
    static const char *const names[] = {"Forwarded", "X-Forwarded-For", "X-Forwarded-Host",
                                        "X-Forwarded-Proto", "X-Real-IP"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (http_header_get(r, names[i]).ptr)
            return true;
    return false;
}
