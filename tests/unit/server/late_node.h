/* A server whose engine is done later (late_engine.h), and clients of it. */
#ifndef UNIT_SERVER_LATE_NODE_H
#define UNIT_SERVER_LATE_NODE_H

#include "../test.h"

#include "../late_engine.h"
#include "config/config.h"
#include "server/embedding.h"
#include "server/private.h"

struct late_node {
    struct config *config;
    struct server *server;
    struct late_engine *engine;
    uv_loop_t loop;
    uv_async_t going;
    pthread_t thread;
    struct buf url;
    bool at_once; /* the loop ends without a drain */
    bool gone;    /* its thread has ended */
};

static inline void node_go(uv_async_t *async)
{
    struct late_node *n = async->data;
    if (n->at_once)
        uv_stop(&n->loop);
    else
        server_drain(n->server);
}

static inline void node_drained(void *arg)
{
    struct late_node *n = arg;
    uv_stop(&n->loop);
}

static inline void *node_run(void *arg)
{
    struct late_node *n = arg;
    uv_run(&n->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* Its engine is done with nothing until it is allowed to. */
static inline struct late_node *node_start(void)
{
    /* Without an engine on disk nothing else is kept there either. */
    static const struct config_pair pairs[] = {{"listen", "127.0.0.1:0"},
                                               {"log.level", "off"},
                                               {"drain", "0s"},
                                               {"workers", "2"},
                                               {"engine", "memory"}};
    struct late_node *n = memory_zero(sizeof *n);
    struct buf why = {0};
    n->engine = late_engine_new(true);
    const struct server_owner owner = {
        .loop = &n->loop, .drained = node_drained, .arg = n, .engine = &n->engine->engine};
    if (config_from_pairs(&n->config, pairs, sizeof pairs / sizeof *pairs, &why) != 0 ||
        server_configure_log(n->config, &why) != 0)
        fail_msg("%s", buf_text(&why));
    assert_int_equal(uv_loop_init(&n->loop), 0);
    uv_async_init(&n->loop, &n->going, node_go);
    n->going.data = n;
    n->server = server_new(n->config);
    if (server_start(n->server, &owner, &why) != 0)
        fail_msg("%s", buf_text(&why));
    server_append_url(n->server, 0, &n->url);
    assert_int_equal(pthread_create(&n->thread, NULL, node_run, n), 0);
    return n;
}

/* Begins to go down. */
static inline void node_drain(struct late_node *n)
{
    uv_async_send(&n->going);
}

static inline void node_await_drained(struct late_node *n)
{
    pthread_join(n->thread, NULL);
    n->gone = true;
}

/* The server is going to be stopped without a drain. */
static inline void node_end_loop(struct late_node *n)
{
    n->at_once = true;
    node_drain(n);
    node_await_drained(n);
}

static inline void node_close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    uv_close(handle, NULL);
}

/* All that waits is stored first. */
static inline void node_end(struct late_node *n)
{
    late_let_go(n->engine);
    if (!n->gone) {
        node_drain(n);
        node_await_drained(n);
    }
    server_stop(n->server);
    uv_walk(&n->loop, node_close_handle, NULL);
    uv_run(&n->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&n->loop), 0);
    server_free(n->server);
    config_free(n->config);
    buf_fini(&n->url);
    memory_free(n);
}

/* The topic's last offset. */
static inline uint64_t node_offset(struct late_node *n, const char *topic)
{
    struct topic_page page = {0};
    hub_topic_page(n->server->hub, slice_from(topic), UINT64_MAX - 1, 0, 0, NULL, &page);
    return page.offset;
}

/* ---- Clients ---- */

static inline int node_connect(struct late_node *n)
{
    return connect_to_url(buf_text(&n->url));
}

static inline int node_websocket(struct late_node *n, const char *path)
{
    char head[2048];
    int fd = node_connect(n);
    upgrade(fd, path, "", head);
    assert_non_null(strstr(head, " 101 "));
    return fd;
}

static inline void say(int fd, const char *text)
{
    send_frame(fd, WS_TEXT, text, strlen(text));
}

/* The next text message contains that. */
static inline void expect(int fd, const char *part)
{
    struct buf payload = {0};
    int first = read_frame(fd, &payload);
    if (first != 0x81 || !strstr(buf_text(&payload), part))
        fail_msg("%x \"%s\" instead of \"%s\"", (unsigned)first, buf_text(&payload), part);
    buf_fini(&payload);
}

/* Nothing has come: there is nothing that it could be the answer to. */
static inline void expect_silence(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 0);
}

static inline void post(int fd, const char *target, const char *type, const char *body)
{
    struct buf request = {0};
    buf_printf(&request,
               "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\nContent-Length: "
               "%zu\r\n\r\n%s",
               target, type, strlen(body), body);
    write_all(fd, request.data, request.len);
    buf_fini(&request);
}

/* Reads up to the end of that text; all of it stands in `into`. */
static inline void read_until(int fd, const char *end, struct buf *into)
{
    char c;
    buf_clear(into);
    while (into->len < strlen(end) ||
           memcmp(into->data + into->len - strlen(end), end, strlen(end)))
        if (read_exactly(fd, &c, 1))
            buf_append_char(into, c);
        else
            fail_msg("\"%s\" ended before \"%s\"", buf_text(into), end);
}

/* The next answer has all of it, with that at its end. */
static inline void expect_answer(int fd, const char *const *parts, const char *end)
{
    struct buf answer = {0};
    read_until(fd, end, &answer);
    for (; *parts; parts++)
        if (!strstr(buf_text(&answer), *parts))
            fail_msg("no \"%s\" in \"%s\"", *parts, buf_text(&answer));
    buf_fini(&answer);
}

#define EXPECT_ANSWER(fd, end, ...) expect_answer(fd, (const char *const[]){__VA_ARGS__, NULL}, end)

#endif
