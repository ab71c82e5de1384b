/* URLs of servers; see url.h. */
#include "client/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "fanfare/error.h"

static const struct scheme {
    const char *prefix;
    bool tls;
} schemes[] = {{"http://", false}, {"https://", true}, {"ws://", false}, {"wss://", true}};

static int refuse(struct buf *why, const char *text, const char *reason)
{
    buf_printf(why, "\"%.200s\": %s; expected http://HOST:PORT, https://HOST or unix:PATH", text,
               reason);
    return FAN_E_INVALID;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool copy(struct slice from, char *to, size_t size)
{
    if (from.len >= size)
        return false;
    memcpy(to, from.ptr, from.len);
    to[from.len] = '\0';
    return true;
}

/* HOST, HOST:PORT, [v6] or [v6]:PORT. */
static bool read_authority(struct slice text, struct url *url)
{
    const char *default_port = url->tls ? "443" : "80";
    bool brackets = slice_starts(text, "[");
    const char *end = text.len ? memchr(text.ptr, brackets ? ']' : ':', text.len) : NULL;
    struct slice host = slice_of(text.ptr, end ? (size_t)(end - text.ptr) : text.len);
    struct slice port = slice_skip(text, host.len + (brackets ? 1 : 0));
    if (brackets) {
        if (!end)
            return false;
        host = slice_skip(host, 1);
    }
    if (port.len && port.ptr[0] != ':')
        return false;
    port = port.len ? slice_skip(port, 1) : slice_from(default_port);
    if (host.len == 0 || port.len == 0 || !copy(host, url->host, sizeof url->host) ||
        !copy(port, url->port, sizeof url->port) || strspn(url->port, "0123456789") != port.len)
        return false;
    long number = strtol(url->port, NULL, 10);
    bool standard = strcmp(url->port, default_port) == 0;
    snprintf(url->authority, sizeof url->authority, "%s%s%s%s%s", brackets ? "[" : "", url->host,
             brackets ? "]" : "", standard ? "" : ":", standard ? "" : url->port);
    return number > 0 && number < 65536;
}

static int read_unix(const char *text, struct url *url, struct buf *why)
{
    url->unix_socket = true;
    strcpy(url->authority, "localhost");
    size_t most = sizeof((struct sockaddr_un *)0)->sun_path;
    struct slice path = slice_from(text + 5);
    if (path.len == 0 || path.len >= most || !copy(path, url->host, sizeof url->host))
        return refuse(why, text, "the socket's path is empty or too long");
    return 0;
}

int url_parse(const char *text, struct url *url, struct buf *why)
{
    *url = (struct url){0};
    struct slice rest = slice_from(text);
    if (slice_starts(rest, "unix:"))
        return read_unix(text, url, why);
    size_t known = 0;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0] && !known; i++)
        if (slice_starts(rest, schemes[i].prefix)) {
            known = strlen(schemes[i].prefix);
            url->tls = schemes[i].tls;
        }
    if (!known && strstr(text, "://"))
        return refuse(why, text, "unknown scheme");
    rest = slice_skip(rest, known);
    size_t authority = strcspn(rest.ptr, "/");
    struct slice base = slice_skip(rest, authority);
    while (base.len && base.ptr[base.len - 1] == '/')
        base.len--;
    if (!is_printable(text) || strpbrk(text, "?#@\\\"<>"))
        return refuse(why, text, "it has characters that a server's URL cannot have");
    if (!read_authority(slice_of(rest.ptr, authority), url))
        return refuse(why, text, "no valid host and port");
    if (!copy(base, url->base, sizeof url->base))
        return refuse(why, text, "the path is too long");
    return 0;
}
