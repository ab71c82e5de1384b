/* Opening the addresses: TCP once per worker, unix sockets once for all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "config/address.h"
#include "fanfare/error.h"
#include "net/listener.h"
#include "server/private.h"

static void add_text(struct buf *list, const char *text)
{
    buf_append_text(list, text);
    buf_append_char(list, '\0');
}

static int cannot_listen(const char *where, struct buf *why)
{
    buf_printf(why, "cannot listen on %s: %s", where, strerror(errno));
    return FAN_E_IO;
}

static int listen_unix(struct server *s, const struct address *address, struct buf *why)
{
    char url[ADDRESS_HOST_SIZE + 8];
    int fd = listener_open_unix(address->host, why);
    if (fd < 0)
        return fd;
    add_text(&s->unix_paths, address->host);
    snprintf(url, sizeof url, "unix:%s", address->host);
    add_text(&s->urls, url);
    /* Each worker has a descriptor of its own, which it may close while the others still accept. */
    for (unsigned i = 0; i < s->worker_count; i++) {
        int own = i + 1 < s->worker_count ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : fd;
        if (own < 0 || listener_add(&s->workers[i], own, false, true) != 0)
            return cannot_listen(url, why);
    }
    return 0;
}

static void note_url(struct server *s, const struct address *address, uint16_t port)
{
    char url[ADDRESS_HOST_SIZE + 24];
    bool v6 = strchr(address->host, ':') != NULL;
    snprintf(url, sizeof url, "%s://%s%s%s:%u", s->config->tls_cert[0] ? "https" : "http",
             v6 ? "[" : "", address->host, v6 ? "]" : "", port);
    add_text(&s->urls, url);
}

static int listen_tcp(struct server *s, const struct address *address, struct buf *why)
{
    uint16_t port = address->port;
    for (unsigned i = 0; i < s->worker_count; i++) {
        int fd = listener_open_tcp(address->host, &port, i == 0, why);
        if (fd < 0)
            return fd;
        if (listener_add(&s->workers[i], fd, s->config->tls_cert[0] != '\0', false) != 0)
            return cannot_listen(address->host, why);
    }
    note_url(s, address, port);
    return 0;
}

static bool is_local(const struct address *address)
{
    return address->unix_socket || peer_is_loopback(slice_from(address->host)) ||
           strcmp(address->host, "localhost") == 0;
}

int server_listen(struct server *s, struct buf *why)
{
    for (size_t i = 0; i < s->config->listen.count; i++) {
        struct address address;
        const char *text = s->config->listen.items[i];
        if (address_parse(slice_from(text), &address) != 0) {
            buf_printf(why, "%s is no address", text);
            return FAN_E_ADDRESS;
        }
        if (!is_local(&address) && !s->config->insecure && !token_is_needed(s->config)) {
            buf_printf(why,
                       "refusing to listen on %s: it can be reached from other machines, and "
                       "without a key everybody there could read and publish everything. Listen "
                       "on 127.0.0.1, set a key (JWT_SECRET_KEY; see docs/authentication.md), or "
                       "say --insecure if the network is trusted",
                       text);
            return FAN_E_DENIED;
        }
        int error =
            address.unix_socket ? listen_unix(s, &address, why) : listen_tcp(s, &address, why);
        if (error)
            return error;
    }
    return 0;
}

void server_unlink(struct server *s)
{
    for (size_t at = 0; at < s->unix_paths.len; at += strlen(s->unix_paths.data + at) + 1)
        unlink(s->unix_paths.data + at);
}
