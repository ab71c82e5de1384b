/* The connections of a load; see bench_load.h. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/bench_load_private.h"
#include "fanfare/error.h"

#define OPENING_AT_ONCE 256
#define OPEN_SECONDS    15
#define NS_PER_S        1000000000ull

/* The nonce of RFC 6455, 1.3: this client trusts the server's answer. */
#define UPGRADE                                                                  \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* ---- The server's address ---- */

static int find_tcp(struct bench_load *l, const struct url *url, struct buf *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int failure = getaddrinfo(url->host, url->port, &hints, &found);
    if (failure) {
        buf_printf(why, "%s: %s", url->host, gai_strerror(failure));
        return FAN_E_ADDRESS;
    }
    memcpy(&l->address, found->ai_addr, found->ai_addrlen);
    l->address_size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int find_address(struct bench_load *l, const struct url *url, struct buf *why)
{
    struct sockaddr_un *local = (struct sockaddr_un *)&l->address;
    if (url->tls) {
        BUF_LITERAL(why, "expected an http:// URL: the load speaks no TLS");
        return FAN_E_UNSUPPORTED;
    }
    if (!url->unix_socket)
        return find_tcp(l, url, why);
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, url->host, strnlen(url->host, sizeof local->sun_path - 1));
    l->address_size = sizeof *local;
    return 0;
}

int bench_load_new(struct bench_load **load, const struct remote *remote, unsigned size,
                   struct buf *why)
{
    struct bench_load *l = memory_zero(sizeof *l);
    *load = l;
    l->remote = remote;
    l->size = size;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->publisher.load = l;
    random_text(l->run, 10);
    l->incoming = memory_alloc(BENCH_READ_SIZE);
    l->missing = memory_zero(BENCH_IN_FLIGHT * sizeof *l->missing);
    int error = l->epoll < 0 ? FAN_E_IO : find_address(l, &remote->target.url, why);
    if (error) {
        bench_load_free(l);
        *load = NULL;
    }
    return error;
}

/* ---- One connection ---- */

static int io_error(struct bench_connection *c, const char *what)
{
    buf_printf(c->load->why, "%s: %s", what, strerror(errno));
    return FAN_E_IO;
}

void bench_connection_want_write(struct bench_connection *c, bool wanted)
{
    struct epoll_event event = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0u), .data.ptr = c};
    if (c->writes != wanted)
        epoll_ctl(c->load->epoll, EPOLL_CTL_MOD, c->fd, &event);
    c->writes = wanted;
}

static int begin(struct bench_connection *c, struct buf *why)
{
    struct bench_load *l = c->load;
    int on = 1;
    l->why = why;
    c->fd = socket(l->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return io_error(c, "a connection");
    c->state = BENCH_CONNECTING;
    c->writes = true;
    if (l->address.ss_family != AF_UNIX)
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (struct sockaddr *)&l->address, l->address_size) != 0 &&
        errno != EINPROGRESS)
        return io_error(c, "a connection");
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) ? io_error(c, "epoll") : 0;
}

/* So that ports are free again at once: 10,000 connections in TIME_WAIT are a third of all there
 * are. */
static void disconnect(struct bench_connection *c)
{
    struct linger reset = {.l_onoff = 1};
    if (c->state != BENCH_CLOSED) {
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(c->fd);
    }
    c->state = BENCH_CLOSED;
    bench_frames_fini(&c->frames);
}

static int ask_for_upgrade(struct bench_connection *c)
{
    struct bench_load *l = c->load;
    struct buf target = {0}, request = {0};
    if (c == &l->publisher)
        buf_printf(&target, "/api/v1/publish?ack=%s", l->reader_count ? "none" : "batch");
    else
        buf_printf(&target, "/api/build/stream/bench-%s-%u", l->run, c->topic);
    request_append_head(&request, &l->remote->target.url, "GET", buf_slice(&target),
                        l->remote->token);
    BUF_LITERAL(&request, UPGRADE);
    ssize_t n = write(c->fd, request.data, request.len);
    bool sent = n == (ssize_t)request.len; /* a fresh socket has room for it */
    buf_fini(&target);
    buf_fini(&request);
    if (!sent)
        return io_error(c, "a handshake");
    c->state = BENCH_UPGRADING;
    bench_connection_want_write(c, false);
    return 0;
}

/* The head of the answer; what stands behind it are frames. */
static int read_head(struct bench_connection *c, struct slice data,
                     int (*text)(void *arg, struct slice payload))
{
    struct buf *head = &c->frames.rest;
    buf_append_slice(head, data);
    const char *end = memmem(head->data, head->len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (!slice_starts(buf_slice(head), "HTTP/1.1 101")) {
        struct slice rest = buf_slice(head), line = {0};
        slice_split(&rest, '\r', &line);
        buf_printf(c->load->why, "the server refused a handshake: %.*s", SLICE_ARG(line));
        return FAN_E_DENIED;
    }
    c->state = BENCH_OPEN;
    buf_consume(head, (size_t)(end + 4 - head->data));
    return bench_frames_feed(&c->frames, (struct slice){0}, text, c, c->load->why);
}

static int read_some(struct bench_connection *c, int (*text)(void *arg, struct slice payload))
{
    struct bench_load *l = c->load;
    ssize_t n = read(c->fd, l->incoming, BENCH_READ_SIZE);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : io_error(c, "a connection");
    if (n == 0) {
        BUF_LITERAL(l->why, "the server closed a connection");
        return FAN_E_CLOSED;
    }
    if (l->latency)
        l->read_ns = clock_ns();
    struct slice data = slice_of(l->incoming, (size_t)n);
    if (c->state == BENCH_UPGRADING)
        return read_head(c, data, text);
    return bench_frames_feed(&c->frames, data, text, c, l->why);
}

static int take_event(struct bench_connection *c, uint32_t events,
                      int (*text)(void *arg, struct slice payload))
{
    int failure = 0, error = 0;
    socklen_t size = sizeof failure;
    if (c->state == BENCH_CONNECTING) {
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure) {
            errno = failure;
            return io_error(c, "a connection");
        }
        return events & EPOLLOUT ? ask_for_upgrade(c) : 0;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        error = read_some(c, text);
    if (!error && (events & EPOLLOUT) && c == &c->load->publisher)
        error = bench_send(c->load);
    return error;
}

/* ---- All of them ---- */

void bench_load_free(struct bench_load *l)
{
    if (!l)
        return;
    for (unsigned i = 0; i < l->reader_count; i++)
        disconnect(&l->readers[i]);
    disconnect(&l->publisher);
    if (l->epoll >= 0)
        close(l->epoll);
    buf_fini(&l->outgoing);
    memory_free(l->readers);
    memory_free(l->missing);
    memory_free(l->incoming);
    memory_free(l);
}

int bench_wait(struct bench_load *l, uint64_t timeout_ns)
{
    struct epoll_event events[512];
    struct timespec timeout = {(time_t)(timeout_ns / NS_PER_S), (long)(timeout_ns % NS_PER_S)};
    int n = epoll_pwait2(l->epoll, events, 512, &timeout, NULL), error = 0;
    for (int i = 0; i < n && !error; i++) {
        struct bench_connection *c = events[i].data.ptr;
        error = take_event(c, events[i].events,
                           c == &l->publisher ? bench_on_publisher : bench_on_reader);
    }
    return error;
}

static int too_slow(struct bench_load *l, const char *what)
{
    buf_printf(l->why, "%s took longer than %d s", what, OPEN_SECONDS);
    return FAN_E_TIMEOUT;
}

int bench_load_open(struct bench_load *l, unsigned readers, unsigned topics, struct buf *why)
{
    uint64_t deadline = clock_ns() + OPEN_SECONDS * NS_PER_S;
    unsigned begun = 0;
    int error = 0;
    l->why = why;
    l->readers = memory_zero((readers + 1) * sizeof *l->readers);
    l->topics = topics;
    while (!error && l->opened < readers) {
        for (; !error && begun < readers && begun - l->opened < OPENING_AT_ONCE; begun++) {
            struct bench_connection *c = &l->readers[l->reader_count++];
            *c = (struct bench_connection){
                .load = l, .topic = begun % topics, .next = begun % topics};
            error = begin(c, why);
        }
        if (!error)
            error = bench_wait(l, NS_PER_S / 10);
        if (!error && clock_ns() > deadline)
            error = too_slow(l, "opening the readers");
    }
    return error;
}

int bench_load_publisher(struct bench_load *l, struct buf *why)
{
    uint64_t deadline = clock_ns() + OPEN_SECONDS * NS_PER_S;
    int error = l->publisher.state == BENCH_CLOSED ? begin(&l->publisher, why) : 0;
    while (!error && l->publisher.state != BENCH_OPEN) {
        error = bench_wait(l, NS_PER_S / 10);
        if (!error && clock_ns() > deadline)
            error = too_slow(l, "the publisher's handshake");
    }
    return error;
}
