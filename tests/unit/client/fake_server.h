/*
 * A server for client tests: a real socket on 127.0.0.1, and a thread that takes one connection
 * after the other and lets the test's function play the server on each.
 */
#ifndef UNIT_CLIENT_FAKE_SERVER_H
#define UNIT_CLIENT_FAKE_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "codec/websocket.h"

struct fake_server {
    int listener;
    char url[64];
    pthread_t thread;
    /* Plays connection number n (from 1) on fd, which is closed afterwards. */
    void (*play)(struct fake_server *s, int fd, int n);
    void *arg;
    atomic_int connections;
};

static void *fake_server_run(void *arg)
{
    struct fake_server *s = arg;
    int fd;
    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        int n = atomic_fetch_add(&s->connections, 1) + 1;
        s->play(s, fd, n);
        close(fd);
    }
    return NULL;
}

static inline void fake_server_start(struct fake_server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->listener, (struct sockaddr *)&address, len) < 0 || listen(s->listener, 16) < 0 ||
        getsockname(s->listener, (struct sockaddr *)&address, &len) < 0)
        abort();
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    pthread_create(&s->thread, NULL, fake_server_run, s);
}

/* The test must have made the connections end. */
static inline void fake_server_stop(struct fake_server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
}

static inline void fake_send(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += n;
        len -= (size_t)n;
    }
}

static inline void fake_send_text(int fd, const char *text)
{
    fake_send(fd, text, strlen(text));
}

/* Reads a request's head into `head`, with the NUL; false when the client went. */
static inline bool fake_read_head(int fd, char *head, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && recv(fd, head + len, 1, 0) == 1) {
        head[++len] = '\0';
        if (len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

/* Accepts the WebSocket; the head stays in `head`. */
static inline bool fake_accept(int fd, char *head, size_t size)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    char accept[29], answer[256];
    if (!fake_read_head(fd, head, size))
        return false;
    const char *key = strstr(head, name);
    if (!key)
        return false;
    key += sizeof name - 1;
    ws_accept_value(slice_of(key, strcspn(key, "\r")), accept);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n",
             accept);
    fake_send_text(fd, answer);
    return true;
}

static inline bool fake_read(int fd, void *to, size_t len)
{
    return recv(fd, to, len, MSG_WAITALL) == (ssize_t)len;
}

/* Reads one of the client's frames, which must be whole and masked; the opcode, or -1 when the
 * client went. */
static inline int fake_read_frame(int fd, struct buf *payload)
{
    uint8_t head[2], more[8], mask[4];
    if (!fake_read(fd, head, 2) || !(head[0] & 0x80) || !(head[1] & 0x80))
        return -1;
    uint64_t len = head[1] & 0x7f;
    size_t bytes = len == 126 ? 2 : len == 127 ? 8 : 0;
    if (bytes && !fake_read(fd, more, bytes))
        return -1;
    for (size_t i = 0; i < bytes; i++)
        len = (i ? len << 8 : 0) | more[i];
    buf_clear(payload);
    char *to = buf_reserve(payload, len + 1);
    if (!fake_read(fd, mask, 4) || !to || (len && !fake_read(fd, to, len)))
        return -1;
    buf_commit(payload, len);
    ws_mask(payload->data, len, mask, 0);
    return head[0] & 0x0f;
}

static inline void fake_send_frame(int fd, enum ws_opcode opcode, const char *payload, size_t len)
{
    struct buf frame = {0};
    ws_append_frame(&frame, opcode, false, slice_of(payload, len));
    fake_send(fd, frame.data, frame.len);
    buf_fini(&frame);
}

static inline void fake_send_message(int fd, const char *text)
{
    fake_send_frame(fd, WS_TEXT, text, strlen(text));
}

/* Reads until the client closes. */
static inline void fake_drain(int fd)
{
    char data[4096];
    while (recv(fd, data, sizeof data, 0) > 0)
        ;
}

#endif
