/* One request and its response; see exchange.h. */
#include "client/exchange.h"

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/random.h"
#include "codec/websocket.h"
#include "fanfare/error.h"

/* Waits for one of the events, as long as the deadline allows. */
static int wait_for(const struct exchange *e, struct stream *s, int events)
{
    uint64_t now = clock_ms();
    if (now >= e->deadline) {
        BUF_LITERAL(e->why, "no answer in time");
        return FAN_E_TIMEOUT;
    }
    int got = stream_wait(s, events, e->target->wake, (int)(e->deadline - now));
    return got & STREAM_WOKEN ? FAN_E_CLOSED : 0;
}

static int send_all(const struct exchange *e, struct stream *s, struct slice request)
{
    while (request.len) {
        ssize_t n = stream_write(s, request.ptr, request.len);
        int error = n == FAN_E_AGAIN ? wait_for(e, s, STREAM_WRITABLE) : n < 0 ? (int)n : 0;
        if (error) {
            if (error == FAN_E_IO)
                BUF_LITERAL(e->why, "the connection broke");
            return error;
        }
        request = slice_skip(request, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

static bool is_enough(const struct response *r, bool head_only)
{
    return r->done || (head_only && r->head_done && (r->status == 200 || r->status == 101));
}

static int read_some(const struct exchange *e, struct stream *s, struct response *r,
                     struct buf *rest)
{
    char data[16384];
    size_t used;
    ssize_t n = stream_read(s, data, sizeof data);
    if (n == FAN_E_AGAIN)
        return wait_for(e, s, STREAM_READABLE);
    if (n <= 0) {
        if (n == 0 && response_finish(r) == 0) {
            r->done = true;
            return 0;
        }
        BUF_LITERAL(e->why, "the server closed the connection without an answer");
        return FAN_E_IO;
    }
    int error = response_feed(r, data, (size_t)n, &used);
    if (error == FAN_E_PROTOCOL)
        BUF_LITERAL(e->why, "the answer is not HTTP");
    if (!error && rest && used < (size_t)n)
        buf_append(rest, data + used, (size_t)n - used);
    return error;
}

int exchange_run(const struct exchange *e, struct stream *s, struct slice request,
                 struct response *response, bool head_only, struct buf *rest)
{
    int error = send_all(e, s, request);
    while (!error && !is_enough(response, head_only))
        error = read_some(e, s, response, rest);
    return error;
}

/* The key is 16 random bytes in base64 (RFC 6455, 4.1). */
static void make_key(char key[25])
{
    unsigned char nonce[16];
    random_bytes(nonce, sizeof nonce);
    EVP_EncodeBlock((unsigned char *)key, nonce, sizeof nonce);
}

static int judge_upgrade(const struct exchange *e, const struct response *r, const char *key)
{
    char expected[29];
    if (r->status != 101) {
        response_append_error(e->why, r);
        return FAN_E_DENIED;
    }
    ws_accept_value(slice_from(key), expected);
    if (strcmp(r->accept, expected) == 0)
        return 0;
    BUF_LITERAL(e->why, "the answer's Sec-WebSocket-Accept is wrong");
    return FAN_E_PROTOCOL;
}

int exchange_websocket(const struct exchange *e, struct slice target, const char *token,
                       struct stream **stream, struct buf *rest, int *status)
{
    char key[25];
    make_key(key);
    struct buf request = {0};
    request_append_head(&request, &e->target->url, "GET", target, token);
    buf_printf(&request,
               "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: %s\r\n\r\n",
               key);
    struct response response;
    response_init(&response);
    *status = 0;
    int error = stream_open(stream, e->target, e->why);
    if (!error)
        error = exchange_run(e, *stream, buf_slice(&request), &response, true, rest);
    if (!error)
        error = judge_upgrade(e, &response, key);
    *status = response.status;
    if (error) {
        stream_close(*stream);
        *stream = NULL;
    }
    response_fini(&response);
    buf_fini(&request);
    return error;
}

int exchange_request(const struct exchange *e, const char *method, struct slice target,
                     const char *token, struct slice body, struct response *response)
{
    struct stream *stream = NULL;
    struct buf request = {0};
    request_append_head(&request, &e->target->url, method, target, token);
    BUF_LITERAL(&request, "Connection: close\r\nAccept: application/json\r\n");
    if (body.ptr)
        buf_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
    BUF_LITERAL(&request, "\r\n");
    buf_append_slice(&request, body);
    int error = request.failed ? FAN_E_NO_MEMORY : stream_open(&stream, e->target, e->why);
    if (!error)
        error = exchange_run(e, stream, buf_slice(&request), response, false, NULL);
    stream_close(stream);
    buf_fini(&request);
    return error;
}
