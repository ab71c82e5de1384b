/* One form for a repository's addresses; see repository_url.h. */
#include "api/repository_url.h"

#include "fanfare/error.h"

/* Takes the text up to the first of the characters away from the front; false: none of them is
 * there, and nothing is taken. The character goes, too. */
static bool take_until(struct slice *rest, const char *stops, struct slice *taken)
{
    for (size_t i = 0; i < rest->len; i++)
        if (strchr(stops, rest->ptr[i]) && rest->ptr[i]) {
            *taken = slice_of(rest->ptr, i);
            *rest = slice_skip(*rest, i + 1);
            return true;
        }
    return false;
}

static bool ends_with(struct slice text, const char *end)
{
    size_t n = strlen(end);
    return text.len >= n && slice_is_nocase(slice_of(text.ptr + text.len - n, n), end);
}

/* Query, fragment, slashes and `.git` at the end say nothing about which repository it is. */
static struct slice trim_path(struct slice path)
{
    struct slice whole = path, part;
    if (take_until(&whole, "?#", &part))
        path = part;
    while (path.len && path.ptr[0] == '/')
        path = slice_skip(path, 1);
    while (ends_with(path, "/"))
        path.len--;
    if (ends_with(path, ".git"))
        path.len -= strlen(".git");
    return path;
}

static struct slice trim_host(struct slice authority, const char *scheme_port)
{
    struct slice rest = authority, user;
    while (take_until(&rest, "@", &user))
        authority = rest;
    if (scheme_port && ends_with(authority, scheme_port))
        authority.len -= strlen(scheme_port);
    if (authority.len > 4 && slice_is_nocase(slice_of(authority.ptr, 4), "www."))
        authority = slice_skip(authority, 4);
    return authority;
}

static const char *port_of(struct slice scheme)
{
    static const char *const ports[][2] = {
        {"https", ":443"}, {"http", ":80"}, {"ssh", ":22"}, {"git", ":9418"}};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        if (slice_is_nocase(scheme, ports[i][0]))
            return ports[i][1];
    return NULL;
}

/* Splits into host and path: with a scheme, or as scp writes it (git@host:path), or host/path. */
static bool split(struct slice url, struct slice *host, struct slice *path)
{
    const char *colons = url.len ? memmem(url.ptr, url.len, "://", 3) : NULL;
    struct slice rest = url;
    const char *port = NULL;
    if (colons) {
        struct slice scheme = slice_of(url.ptr, (size_t)(colons - url.ptr));
        rest = slice_skip(url, scheme.len + 3);
        port = port_of(scheme);
    }
    if (!take_until(&rest, colons ? "/" : ":/", host))
        return false;
    *path = rest;
    *host = trim_host(*host, port);
    return true;
}

static void append_lower(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        buf_append_char(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
    }
}

int repository_url_append(struct buf *out, struct slice url)
{
    struct slice host, path;
    if (!split(slice_trim(url), &host, &path))
        return FAN_E_INVALID;
    path = trim_path(path);
    if (!host.len || !path.len)
        return FAN_E_INVALID;
    append_lower(out, host);
    buf_append_char(out, '/');
    append_lower(out, path);
    return 0;
}
