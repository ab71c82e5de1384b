/* What the texts of single options must look like; see checks.h. */
#include "config/checks.h"

#include <ctype.h>

#include "codec/http.h"
#include "codec/socketio.h"
#include "config/address.h"
#include "config/config.h"
#include "fanfare/error.h"
#include "hub/topic_pattern.h"

static int refuse(struct buf *expected, const char *text)
{
    buf_append_text(expected, text);
    return FAN_E_INVALID;
}

int check_listen(struct slice text, struct buf *expected)
{
    struct address address;
    if (address_parse(text, &address))
        return refuse(expected, "HOST:PORT, [V6]:PORT or unix:PATH (at most 107 bytes of PATH)");
    return 0;
}

static bool is_clean(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
            return false;
    return text.len > 0;
}

/* scheme://host[:port] with no path: what a browser calls an origin (RFC 6454, 6.2). */
int check_public_url(struct slice text, struct buf *expected)
{
    size_t scheme = slice_starts(text, "https://") ? 8 : slice_starts(text, "http://") ? 7 : 0;
    struct slice rest = slice_skip(text, scheme);
    bool ok = scheme && is_clean(rest) && rest.len < 300 && !memchr(rest.ptr, '/', rest.len) &&
              !memchr(rest.ptr, '?', rest.len) && !memchr(rest.ptr, '#', rest.len) &&
              !memchr(rest.ptr, '@', rest.len) && rest.ptr[0] != ':';
    if (!ok)
        return refuse(expected, "http://HOST[:PORT] or https://HOST[:PORT], without a path");
    return 0;
}

int check_base_path(struct slice text, struct buf *expected)
{
    bool ok =
        text.len == 0 || (is_clean(text) && text.len > 1 && text.ptr[0] == '/' &&
                          text.ptr[1] != '/' && text.ptr[text.len - 1] != '/' &&
                          !memchr(text.ptr, '?', text.len) && !memchr(text.ptr, '#', text.len));
    if (!ok)
        return refuse(expected, "a path such as /live, without a slash at its end");
    return 0;
}

int check_identifier(struct slice text, struct buf *expected)
{
    if (text.len && !http_identifier_valid(text))
        return refuse(expected, "1 to 128 characters of A-Z a-z 0-9 . _ : @ / -");
    return 0;
}

int check_watch(struct slice text, struct buf *expected)
{
    struct slice path = text, session = {0};
    const char *equals = text.len ? memrchr(text.ptr, '=', text.len) : NULL;
    if (equals) {
        path.len = (size_t)(equals - text.ptr);
        session = slice_skip(text, path.len + 1);
    }
    if (path.len == 0 || (equals && !http_identifier_valid(session)))
        return refuse(expected, "PATH or PATH=SESSION, where a session is 1 to 128 characters of "
                                "A-Z a-z 0-9 . _ : @ / -");
    return 0;
}

int check_directory_name(struct slice text, struct buf *expected)
{
    if (text.len == 0 || slice_is(text, ".") || slice_is(text, "..") ||
        memchr(text.ptr, '/', text.len))
        return refuse(expected, "the name of a directory, not a path");
    return 0;
}

/* An origin, a pattern of them, "*" or "null"; custom schemes are allowed (desktop programs). */
int check_origin(struct slice text, struct buf *expected)
{
    if (slice_is(text, "*") || slice_is(text, "null"))
        return 0;
    const char *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
    size_t scheme = colon ? (size_t)(colon - text.ptr) : 0;
    struct slice host = slice_skip(text, scheme + 3);
    bool ok = scheme && isalpha((unsigned char)text.ptr[0]) && is_clean(text) &&
              slice_starts(slice_skip(text, scheme), "://") && !memchr(host.ptr, '/', host.len);
    if (!ok)
        return refuse(expected, "an origin such as https://app.example.com (no path), "
                                "https://*.example.com, * or null");
    return 0;
}

int check_namespace(struct slice text, struct buf *expected)
{
    if (!sio_namespace_valid(text))
        return refuse(expected, "a namespace such as /builds: a slash first, at most 128 "
                                "characters, none of them a comma, a question mark or a space");
    return 0;
}

int check_network(struct slice text, struct buf *expected)
{
    struct network network;
    if (network_parse(text, &network))
        return refuse(expected, "an address such as 10.0.0.1 or a network such as 10.0.0.0/8");
    return 0;
}

int check_topic_pattern(struct slice text, struct buf *expected)
{
    if (!topic_pattern_valid(text))
        return refuse(expected, "a pattern of topics such as session:* or project:abc");
    return 0;
}

int check_algorithms(struct slice text, struct buf *expected)
{
    static const char *const known[] = {"HS256", "RS256", "ES256", "EdDSA"};
    struct slice name;
    while (slice_split(&text, ',', &name)) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found |= slice_is(slice_trim(name), known[i]);
        if (!found)
            return refuse(expected, "HS256, RS256, ES256 or EdDSA, several with commas between");
    }
    return 0;
}
