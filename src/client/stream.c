/* Connections to servers; see stream.h. */
#include "client/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fanfare/error.h"

struct stream {
    int fd;
    SSL *tls; /* NULL: plain */
    /* TLS may need the other direction to go on (a handshake message inside a read). */
    short read_needs, write_needs; /* POLLIN, POLLOUT */
};

/* An attempt to connect, with its deadline. */
struct attempt {
    const struct stream_target *target;
    uint64_t deadline;
    struct buf *why;
};

/* ---- Waiting ---- */

static int poll_both(int fd, short events, int wake, int timeout_ms, short *got)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = wake, .events = POLLIN}};
    uint64_t start = clock_ms();
    int n, left = timeout_ms;
    while ((n = poll(fds, 2, left)) < 0 && errno == EINTR) {
        uint64_t passed = clock_ms() - start;
        if (timeout_ms >= 0)
            left = passed < (uint64_t)timeout_ms ? timeout_ms - (int)passed : 0;
    }
    *got = n > 0 ? fds[0].revents : 0;
    return n > 0 && fds[1].revents ? STREAM_WOKEN : 0;
}

int stream_wait(struct stream *s, int events, int wake, int timeout_ms)
{
    if ((events & STREAM_READABLE) && s->tls && SSL_has_pending(s->tls))
        timeout_ms = 0; /* decrypted already: the socket would not tell */
    short wanted = 0, got;
    if (events & STREAM_READABLE)
        wanted = (short)(wanted | s->read_needs);
    if (events & STREAM_WRITABLE)
        wanted = (short)(wanted | s->write_needs);
    int result = poll_both(s->fd, wanted, wake, timeout_ms, &got);
    if (got & (POLLERR | POLLHUP))
        got = (short)(got | wanted);
    if (got & s->read_needs || (s->tls && SSL_has_pending(s->tls)))
        result |= STREAM_READABLE;
    if (got & s->write_needs)
        result |= STREAM_WRITABLE;
    return result & (events | STREAM_WOKEN);
}

/* Waits for events on the attempt's socket. 0, FAN_E_CLOSED (woken), FAN_E_TIMEOUT. */
static int attempt_wait(struct attempt *a, int fd, short events)
{
    uint64_t now = clock_ms();
    short got;
    int left = now < a->deadline ? (int)(a->deadline - now) : 0;
    if (poll_both(fd, events, a->target->wake, left, &got) == STREAM_WOKEN)
        return FAN_E_CLOSED;
    if (got)
        return 0;
    BUF_LITERAL(a->why, "no answer in time");
    return FAN_E_TIMEOUT;
}

/* ---- TLS ---- */

static void tls_reason(struct buf *why)
{
    unsigned long code = ERR_get_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    buf_printf(why, "TLS: %s", text ? text : "the connection was closed");
    ERR_clear_error();
}

static SSL_CTX *tls_context(const char *ca_file, struct buf *why)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int ok = ca_file ? SSL_CTX_load_verify_locations(context, ca_file, NULL)
                     : SSL_CTX_set_default_verify_paths(context);
    if (ok != 1) {
        buf_printf(why, "%s: no certificates could be read from it",
                   ca_file ? ca_file : "the system's certificate store");
        SSL_CTX_free(context);
        ERR_clear_error();
        return NULL;
    }
    return context;
}

/* The certificate must be for the host that was asked for (RFC 9110, 4.3.4). */
static bool tls_expect_host(SSL *tls, const char *host)
{
    X509_VERIFY_PARAM *expected = SSL_get0_param(tls);
    if (X509_VERIFY_PARAM_set1_ip_asc(expected, host) == 1)
        return true;
    return SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1;
}

static int tls_handshake(struct attempt *a, struct stream *s)
{
    for (;;) {
        int result = SSL_connect(s->tls);
        if (result == 1)
            return 0;
        int need = SSL_get_error(s->tls, result), error;
        if (need != SSL_ERROR_WANT_READ && need != SSL_ERROR_WANT_WRITE)
            break;
        error = attempt_wait(a, s->fd, need == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT);
        if (error)
            return error;
    }
    long verdict = SSL_get_verify_result(s->tls);
    if (verdict != X509_V_OK) {
        buf_printf(a->why, "the server's certificate is not good: %s",
                   X509_verify_cert_error_string(verdict));
        ERR_clear_error();
        return FAN_E_DENIED;
    }
    tls_reason(a->why);
    return FAN_E_IO;
}

static int tls_start(struct attempt *a, struct stream *s)
{
    SSL_CTX *context = tls_context(a->target->ca_file, a->why);
    if (!context)
        return FAN_E_INVALID;
    s->tls = SSL_new(context);
    SSL_CTX_free(context); /* the SSL keeps a reference */
    if (!s->tls || SSL_set_fd(s->tls, s->fd) != 1 ||
        !tls_expect_host(s->tls, a->target->url.host)) {
        tls_reason(a->why);
        return FAN_E_NO_MEMORY;
    }
    return tls_handshake(a, s);
}

/* ---- Connecting ---- */

static int connect_socket(struct attempt *a, const struct sockaddr *address, socklen_t len,
                          int *out)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int failure = fd < 0 || (connect(fd, address, len) < 0 && errno != EINPROGRESS) ? errno : 0;
    int error = failure ? FAN_E_IO : attempt_wait(a, fd, POLLOUT);
    socklen_t size = sizeof failure;
    if (!error && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure)
        error = FAN_E_IO;
    if (failure)
        buf_append_text(a->why, strerror(failure));
    if (error && fd >= 0)
        close(fd);
    *out = error ? -1 : fd;
    return error;
}

static int connect_unix(struct attempt *a, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(a->target->url.host);
    memcpy(address.sun_path, a->target->url.host, len < sizeof address.sun_path ? len : 0);
    return connect_socket(a, (struct sockaddr *)&address, sizeof address, fd);
}

/* Tries each address of the host in the resolver's order; the last one's failure is reported. */
static int connect_tcp(struct attempt *a, int *fd)
{
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    const struct url *url = &a->target->url;
    int failure = getaddrinfo(url->host, url->port, &hints, &found);
    if (failure == EAI_BADFLAGS || failure == EAI_NONAME || failure == EAI_ADDRFAMILY) {
        hints.ai_flags = 0; /* a machine that has only loopback addresses */
        failure = getaddrinfo(url->host, url->port, &hints, &found);
    }
    if (failure) {
        buf_append_text(a->why, gai_strerror(failure));
        return FAN_E_ADDRESS;
    }
    a->deadline = clock_ms() + a->target->timeout_ms;
    int error = FAN_E_ADDRESS;
    for (struct addrinfo *i = found; i && error && error != FAN_E_CLOSED; i = i->ai_next) {
        buf_clear(a->why);
        error = connect_socket(a, i->ai_addr, i->ai_addrlen, fd);
    }
    freeaddrinfo(found);
    if (!error)
        setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return error;
}

int stream_open(struct stream **stream, const struct stream_target *target, struct buf *why)
{
    struct attempt a = {.target = target, .deadline = clock_ms() + target->timeout_ms, .why = why};
    struct stream *s = memory_zero(sizeof *s);
    s->fd = -1;
    s->read_needs = POLLIN;
    s->write_needs = POLLOUT;
    int error = (target->url.unix_socket ? connect_unix : connect_tcp)(&a, &s->fd);
    if (!error && target->url.tls)
        error = tls_start(&a, s);
    if (error) {
        stream_close(s);
        s = NULL;
    }
    *stream = s;
    return error;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    if (s->tls) {
        SSL_shutdown(s->tls); /* says goodbye; the answer is not waited for */
        SSL_free(s->tls);
        ERR_clear_error();
    }
    if (s->fd >= 0)
        close(s->fd);
    memory_free(s);
}

/* ---- Bytes ---- */

/* What a TLS call's result means; *needs is what must happen before it can go on. */
static ssize_t tls_result(struct stream *s, int result, short *needs, short otherwise)
{
    int error = SSL_get_error(s->tls, result);
    *needs = otherwise;
    switch (error) {
    case SSL_ERROR_WANT_READ:
        *needs = POLLIN;
        return FAN_E_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *needs = POLLOUT;
        return FAN_E_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        ERR_clear_error();
        return FAN_E_IO;
    }
}

static int bounded(size_t size)
{
    return size > 1 << 20 ? 1 << 20 : (int)size;
}

ssize_t stream_read(struct stream *s, char *data, size_t size)
{
    if (s->tls) {
        int n = SSL_read(s->tls, data, bounded(size));
        return n > 0 ? n : tls_result(s, n, &s->read_needs, POLLIN);
    }
    ssize_t n = recv(s->fd, data, size, 0);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? FAN_E_AGAIN : FAN_E_IO;
}

ssize_t stream_write(struct stream *s, const char *data, size_t size)
{
    if (size == 0)
        return 0;
    if (s->tls) {
        int n = SSL_write(s->tls, data, bounded(size));
        if (n > 0)
            return n;
        ssize_t result = tls_result(s, n, &s->write_needs, POLLOUT);
        return result ? result : FAN_E_CLOSED;
    }
    ssize_t n = send(s->fd, data, size, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? FAN_E_AGAIN : FAN_E_IO;
}
