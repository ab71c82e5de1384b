/*
 * Listeners; see listener.h.
 *
 * When no descriptor is left, accepting pauses: connections wait in the kernel's queue, those that
 * are open are served, and accepting goes on as soon as one of them closes, or a second later.
 */
#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "fanfare/error.h"
#include "net/worker.h"

#define BACKLOG          4096
#define ACCEPTS_PER_TURN 512

/* The first member tells a listener from a connection, whose first member points to its ops. */
struct listener {
    const void *mark;
    struct worker *worker;
    struct list link;
    int fd;
    bool tls, shared, paused;
};

static const char listener_mark;

bool listener_owns(const void *object)
{
    return *(const void *const *)object == &listener_mark;
}

/* ---- Opening ---- */

static int bind_tcp(const struct addrinfo *info)
{
    int one = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* accepted sockets inherit it */
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static uint16_t bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, &address.any, &size) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

/* With SO_REUSEPORT a second server on the same port would silently take half of the connections,
 * so the port is first tried without it. */
static int check_free(const struct addrinfo *info)
{
    int one = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    int result = bind(fd, info->ai_addr, info->ai_addrlen);
    int saved = errno;
    close(fd);
    errno = saved;
    return result;
}

int listener_open_tcp(const char *host, uint16_t *port, bool first, struct buf *why)
{
    char service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *info;
    snprintf(service, sizeof service, "%u", *port);
    int error = getaddrinfo(host, service, &hints, &info);
    if (error) {
        buf_printf(why, "cannot listen on %s:%u: %s", host, *port, gai_strerror(error));
        return FAN_E_ADDRESS;
    }
    int fd = first && *port && check_free(info) != 0 ? -1 : bind_tcp(info);
    if (fd < 0)
        buf_printf(why, "cannot listen on %s:%u: %s%s", host, *port, strerror(errno),
                   errno == EADDRINUSE ? " (is another server running? choose another port with "
                                         "--listen, or 0 for a free one)"
                                       : "");
    else
        *port = bound_port(fd);
    freeaddrinfo(info);
    return fd < 0 ? FAN_E_ADDRESS : fd;
}

static bool somebody_answers(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    if (fd >= 0)
        close(fd);
    return answers;
}

int listener_open_unix(const char *path, struct buf *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat old;
    if (strlen(path) >= sizeof address.sun_path) {
        buf_printf(why, "cannot listen on unix:%s: the path is longer than %zu bytes", path,
                   sizeof address.sun_path - 1);
        return FAN_E_ADDRESS;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (stat(path, &old) == 0 && S_ISSOCK(old.st_mode) && !somebody_answers(&address))
        unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0077);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
              listen(fd, BACKLOG) == 0;
    umask(mask);
    if (ok)
        return fd;
    buf_printf(why, "cannot listen on unix:%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return FAN_E_ADDRESS;
}

int listener_add(struct worker *w, int fd, bool tls, bool shared)
{
    struct listener *l = memory_zero(sizeof *l);
    l->mark = &listener_mark;
    l->worker = w;
    l->fd = fd;
    l->tls = tls;
    l->shared = shared;
    if (poller_add(&w->poller, fd, POLLER_READ, shared, l) != 0) {
        memory_free(l);
        close(fd);
        return FAN_E_IO;
    }
    list_append(&w->listeners, &l->link);
    return 0;
}

void listeners_close(struct worker *w)
{
    LIST_EACH (link, &w->listeners) {
        struct listener *l = CONTAINER(link, struct listener, link);
        if (!l->paused)
            poller_remove(&w->poller, l->fd);
        close(l->fd);
        list_remove(&l->link);
        memory_free(l);
    }
}

/* ---- Accepting ---- */

static void pause_accepting(struct listener *l, const char *why)
{
    NET_STAT(l->worker, accept_pauses, 1);
    log_warn("listen", "accepting pauses", LOG_TEXT("reason", why));
    poller_remove(&l->worker->poller, l->fd);
    l->paused = true;
}

void listeners_resume(struct worker *w)
{
    LIST_EACH (link, &w->listeners) {
        struct listener *l = CONTAINER(link, struct listener, link);
        if (l->paused && poller_add(&w->poller, l->fd, POLLER_READ, l->shared, l) == 0)
            l->paused = false;
    }
}

struct refusal {
    const char *status, *code, *message;
};

static const struct refusal server_is_full = {
    "503 Service Unavailable", "connections",
    "the server has as many connections as it may (limits.connections)"};

static const struct refusal address_is_full = {
    "429 Too Many Requests", "connections_per_address",
    "too many connections from this address (limits.connections_per_address)"};

/* A refusal that costs nothing: the connection has said nothing yet. */
static void refuse(int fd, bool tls, const char *address, const struct refusal *r)
{
    char body[256], text[512];
    log_warn("websocket", "refused", LOG_TEXT("reason", r->message), LOG_TEXT("address", address));
    if (!tls) {
        snprintf(body, sizeof body,
                 "{\"error\":{\"status\":%.3s,\"code\":\"%s\",\"message\":\"%s\"}}\n", r->status,
                 r->code, r->message);
        int n = snprintf(text, sizeof text,
                         "HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n"
                         "Retry-After: 5\r\nContent-Length: %zu\r\n\r\n%s",
                         r->status, strlen(body), body);
        ssize_t sent = send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent;
        shutdown(fd, SHUT_WR);
    }
    close(fd);
}

static void admit(struct listener *l, int fd, const struct sockaddr_storage *address)
{
    struct worker *w = l->worker;
    struct peer *peer;
    char text[PEER_TEXT_SIZE];
    uint64_t most = NET_LIMIT(w, connections);
    peer_format(address, text);
    if (most && atomic_load(&w->shared->connections) >= most) {
        NET_STAT(w, refused_limit, 1);
        refuse(fd, l->tls, text, &server_is_full);
        return;
    }
    bool exempt = w->shared->trusted && w->shared->trusted(w->shared->trusted_arg, text);
    int error = peer_take(w->shared->peers, slice_from(text), exempt,
                          (uint32_t)NET_LIMIT(w, connections_per_address), &peer);
    if (error) {
        NET_STAT(w, refused_address, 1);
        refuse(fd, l->tls, text, &address_is_full);
        return;
    }
    if (worker_add_conn(w, fd, peer, l->tls))
        NET_STAT(w, accepted, 1);
}

void listener_on_ready(void *object)
{
    struct listener *l = object;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof address;
        int fd = accept4(l->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(l, fd, &address);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            NET_STAT(l->worker, refused_descriptors, 1);
            pause_accepting(l, strerror(errno));
        }
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}
