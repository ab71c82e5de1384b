/*
 * What the tests of embedded servers share: a server on a free port, a blocking WebSocket client,
 * and waiting for what other threads do.
 */
#ifndef UNIT_SERVER_EMBEDDING_H
#define UNIT_SERVER_EMBEDDING_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "codec/websocket.h"
#include "fanfare/server.h"

#define PATIENCE_MS 20000

/* Makes a server that listens on a free port of this machine and logs nothing; `extra` come
 * behind that. */
static inline struct fan_server *make_server(const struct fan_server_option *extra, size_t count)
{
    struct fan_server_option options[16] = {{"listen", "127.0.0.1:0"},
                                            {"log.level", "off"},
                                            {"drain", "0s"},
                                            {"workers", "2"},
                                            {"engine", "memory"}};
    struct fan_server_error error;
    struct fan_server *server;
    if (count)
        memcpy(options + 5, extra, count * sizeof *extra);
    if (fan_server_new(&(struct fan_server_options){options, 5 + count}, &server, &error) != 0)
        fail_msg("%s", error.message);
    return server;
}

static inline void start_server(struct fan_server *server)
{
    struct fan_server_error error;
    if (fan_server_start(server, &error) != 0)
        fail_msg("%s", error.message);
}

/* Waits until the condition holds, looking every millisecond. */
#define WAIT_FOR(condition)                                          \
    do {                                                             \
        for (int left_ = PATIENCE_MS; !(condition); left_--) {       \
            if (left_ == 0)                                          \
                fail_msg("waited in vain for %s", #condition);       \
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); \
        }                                                            \
    } while (0)

static inline void write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            fail_msg("cannot write to the server");
        at += n;
        len -= (size_t)n;
    }
}

static inline int connect_to_url(const char *url)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *port = strrchr(url, ':');
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(port + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail_msg("cannot connect");
    return fd;
}

static inline int connect_to(const struct fan_server *server)
{
    return connect_to_url(fan_server_url(server, 0));
}

/* Reads exactly len bytes; false when the server ends the connection before. */
static inline bool read_exactly(int fd, void *data, size_t len)
{
    char *at = data;
    while (len) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, PATIENCE_MS) != 1)
            fail_msg("the server sends nothing");
        ssize_t n = recv(fd, at, len, 0);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* Asks for a WebSocket; head gets the answer. `headers` are lines, each with its end. */
static inline void upgrade(int fd, const char *path, const char *headers, char head[2048])
{
    char request[1024];
    size_t len = 0;
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
             path, headers);
    write_all(fd, request, strlen(request));
    memset(head, 0, 2048);
    while (!strstr(head, "\r\n\r\n") && len < 2047 && read_exactly(fd, head + len, 1))
        len++;
}

static inline int open_websocket(const struct fan_server *server, const char *path,
                                 const char *headers, char head[2048])
{
    int fd = connect_to(server);
    upgrade(fd, path, headers, head);
    return fd;
}

static inline void send_frame(int fd, enum ws_opcode opcode, const void *data, size_t len)
{
    static const uint8_t mask[4] = {0};
    uint8_t header[WS_HEADER_MAX];
    size_t size = ws_header_write(header, opcode, true, false, len, mask);
    write_all(fd, header, size);
    write_all(fd, data, len);
}

/* Reads a frame into the buffer; returns its first byte, or -1 at the end. */
static inline int read_frame(int fd, struct buf *payload)
{
    uint8_t header[2], more[8];
    uint64_t len = 0;
    buf_clear(payload);
    if (!read_exactly(fd, header, 2))
        return -1;
    len = header[1];
    size_t extra = len == 126 ? 2 : len == 127 ? 8 : 0;
    if (!read_exactly(fd, more, extra))
        return -1;
    for (size_t i = 0; i < extra; i++)
        len = (i ? len << 8 : 0) | more[i];
    char *room = buf_reserve(payload, len + 1);
    if (!read_exactly(fd, room, len))
        return -1;
    buf_commit(payload, len);
    return header[0];
}

#endif
