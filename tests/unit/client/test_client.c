/* The publishing client against a server on a real socket that behaves well, badly, or goes. */
#include "../test.h"
#include "client/fake_server.h"

#include "base/memory.h"
#include "codec/json.h"
#include "fanfare/client.h"

#define PATIENCE 20000

/* What the fake server and the callbacks saw; read after the client is freed or flushed. */
struct seen {
    struct fake_server server;
    pthread_mutex_t lock;
    struct buf events;   /* one line for each frame */
    struct buf problems; /* "kind status tag message" lines */
    char head[4096];     /* the last handshake */
    atomic_int unreachable, denied, refused;
};

static void note_event(struct seen *s, const struct buf *payload)
{
    pthread_mutex_lock(&s->lock);
    buf_append_slice(&s->events, buf_slice(payload));
    buf_append_char(&s->events, '\n');
    pthread_mutex_unlock(&s->lock);
}

static void on_problem(void *arg, const struct fan_client_problem *p)
{
    struct seen *s = arg;
    pthread_mutex_lock(&s->lock);
    buf_printf(&s->problems, "%d %d %d %s\n", p->kind, p->status, (int)p->tag, p->message);
    pthread_mutex_unlock(&s->lock);
    atomic_fetch_add(p->kind == FAN_CLIENT_UNREACHABLE ? &s->unreachable
                     : p->kind == FAN_CLIENT_DENIED    ? &s->denied
                                                       : &s->refused,
                     1);
}

static void start(struct seen *s, void (*play)(struct fake_server *, int, int))
{
    *s = (struct seen){.server = {.play = play, .arg = s}};
    pthread_mutex_init(&s->lock, NULL);
    fake_server_start(&s->server);
}

static struct fan_client *open_client(struct seen *s, size_t spool)
{
    struct fan_client_options options = {.url = s->server.url,
                                         .token = "tok.en",
                                         .source = "test",
                                         .spool_bytes = spool,
                                         .on_problem = on_problem,
                                         .arg = s};
    struct fan_client *client;
    char why[200];
    assert_int_equal(fan_client_new(&options, &client, why, sizeof why), 0);
    return client;
}

static void finish(struct seen *s, struct fan_client *client)
{
    fan_client_free(client);
    fake_server_stop(&s->server);
    buf_fini(&s->events);
    buf_fini(&s->problems);
    pthread_mutex_destroy(&s->lock);
}

static void wait_for(atomic_int *counter, int value)
{
    for (int i = 0; i < PATIENCE && atomic_load(counter) < value; i++)
        usleep(1000);
    assert_true(atomic_load(counter) >= value);
}

/* Acknowledges every event as it comes. */
static void play_well(struct fake_server *server, int fd, int n)
{
    struct seen *s = server->arg;
    struct buf payload = {0};
    (void)n;
    if (fake_accept(fd, s->head, sizeof s->head))
        for (int opcode; (opcode = fake_read_frame(fd, &payload)) >= 0 && opcode != WS_CLOSE;)
            if (opcode == WS_TEXT) {
                note_event(s, &payload);
                fake_send_message(fd, "{\"published\":1,\"failed\":0,\"topics\":{}}");
            }
    buf_fini(&payload);
}

static void test_events_arrive_in_order(void **state)
{
    (void)state;
    struct seen s;
    start(&s, play_well);
    struct fan_client *c = open_client(&s, 0);
    for (int i = 0; i < 500; i++) {
        char data[32];
        snprintf(data, sizeof data, "{\"n\":%d}", i);
        assert_int_equal(fan_client_publish(c, "session:a", "tick", data), 0);
    }
    assert_int_equal(fan_client_flush(c, PATIENCE), 0);
    struct fan_client_stats stats;
    fan_client_stats(c, &stats);
    assert_int_equal(stats.accepted, 500);
    assert_int_equal(stats.acknowledged, 500);
    assert_int_equal(stats.spool_events, 0);
    assert_int_equal(stats.spool_bytes, 0);
    assert_int_equal(stats.connects, 1);
    assert_true(stats.connected);
    assert_non_null(strstr(s.head, "GET /api/v1/publish?ack=batch HTTP/1.1\r\n"));
    assert_non_null(strstr(s.head, "\r\nAuthorization: Bearer tok.en\r\n"));
    struct slice rest = buf_slice(&s.events), line;
    for (int i = 0; slice_split(&rest, '\n', &line); i++) {
        struct json_value event, value;
        int64_t number;
        assert_int_equal(json_parse(line, &event, NULL), 0);
        assert_true(json_find(event, SLICE("id"), &value));
        assert_true(json_find(event, SLICE("source"), &value) && json_string_is(value, "test"));
        assert_true(json_find(event, SLICE("data"), &value));
        assert_true(json_find(value, SLICE("n"), &value) && json_integer(value, &number));
        assert_int_equal(number, i);
    }
    finish(&s, c);
}

/* The first connection takes three events and breaks; the second goes on. */
static void play_broken(struct fake_server *server, int fd, int n)
{
    struct seen *s = server->arg;
    struct buf payload = {0};
    if (n > 1) {
        play_well(server, fd, n);
        return;
    }
    if (fake_accept(fd, s->head, sizeof s->head))
        for (int i = 0; i < 3 && fake_read_frame(fd, &payload) == WS_TEXT; i++) {
            note_event(s, &payload);
            if (i == 0)
                fake_send_message(fd, "{\"published\":1,\"failed\":0}");
        }
    buf_fini(&payload);
}

static void test_nothing_is_lost_when_the_connection_breaks(void **state)
{
    (void)state;
    struct seen s;
    start(&s, play_broken);
    struct fan_client *c = open_client(&s, 0);
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "e%d", i);
        struct fan_client_event event = {.topic = "session:a", .type = "tick", .id = id};
        assert_int_equal(fan_client_publish_event(c, &event), 0);
    }
    assert_int_equal(fan_client_flush(c, PATIENCE), 0);
    struct fan_client_stats stats;
    fan_client_stats(c, &stats);
    assert_int_equal(stats.acknowledged, 5);
    assert_int_equal(stats.connects, 2);
    assert_true(stats.resent >= 2);
    assert_true(atomic_load(&s.unreachable) >= 1);
    /* Every event came, the last time in order. */
    const char *last = NULL;
    for (int i = 0; i < 5; i++) {
        char id[32];
        snprintf(id, sizeof id, "\"id\":\"e%d\"", i);
        const char *found = buf_text(&s.events), *at = NULL;
        while ((found = strstr(found, id)))
            at = found++;
        assert_non_null(at);
        assert_true(i < 2 || at > last);
        last = at;
    }
    finish(&s, c);
}

/* Refuses the second event for good, and asks for the third later. */
static void play_picky(struct fake_server *server, int fd, int n)
{
    struct seen *s = server->arg;
    struct buf payload = {0};
    (void)n;
    if (fake_accept(fd, s->head, sizeof s->head))
        for (int i = 1, opcode; (opcode = fake_read_frame(fd, &payload)) == WS_TEXT; i++) {
            note_event(s, &payload);
            if (i == 2)
                fake_send_message(fd, "{\"error\":{\"status\":422,\"message\":\"type: unknown\"},"
                                      "\"line\":2}");
            if (i == 3)
                fake_send_message(fd, "{\"error\":{\"code\":\"out_of_memory\"},"
                                      "\"line\":3}");
            if (i == 4)
                fake_send_message(fd, "{\"published\":2,\"failed\":2}");
            if (i == 5)
                fake_send_message(fd, "{\"published\":1,\"failed\":0}");
        }
    buf_fini(&payload);
}

static void test_refusals(void **state)
{
    (void)state;
    struct seen s;
    start(&s, play_picky);
    struct fan_client *c = open_client(&s, 0);
    for (uint64_t tag = 1; tag <= 4; tag++) {
        struct fan_client_event event = {.topic = "session:a", .type = "tick", .tag = tag};
        assert_int_equal(fan_client_publish_event(c, &event), 0);
    }
    assert_int_equal(fan_client_flush(c, PATIENCE), 0);
    struct fan_client_stats stats;
    fan_client_stats(c, &stats);
    assert_int_equal(stats.acknowledged, 3);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.resent, 1);
    assert_string_equal(buf_text(&s.problems), "2 422 2 type: unknown\n");
    finish(&s, c);
}

static void play_unauthorized(struct fake_server *server, int fd, int n)
{
    struct seen *s = server->arg;
    if (n > 1) {
        play_well(server, fd, n);
    } else if (fake_read_head(fd, s->head, sizeof s->head)) {
        fake_send_text(fd, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 38\r\n\r\n"
                           "{\"error\":{\"message\":\"a token needed\"}}");
        fake_drain(fd);
    }
}

static void test_denied(void **state)
{
    (void)state;
    struct seen s;
    start(&s, play_unauthorized);
    struct fan_client *c = open_client(&s, 0);
    assert_int_equal(fan_client_publish(c, "session:a", "tick", NULL), 0);
    assert_int_equal(fan_client_flush(c, PATIENCE), 0); /* it tried again */
    assert_string_equal(buf_text(&s.problems), "1 401 0 a token needed\n");
    finish(&s, c);
}

/* Takes nothing until the test has let it. */
static atomic_int gate;

static void play_late(struct fake_server *server, int fd, int n)
{
    while (!atomic_load(&gate))
        usleep(1000);
    play_well(server, fd, n);
}

static void test_spool_is_bounded(void **state)
{
    (void)state;
    struct seen s;
    atomic_store(&gate, 0);
    start(&s, play_late);
    struct fan_client *c = open_client(&s, 8192);
    uint64_t accepted = 0, refused = 0;
    for (int i = 0; i < 200; i++) {
        int error = fan_client_publish(c, "session:a", "tick", NULL);
        assert_true(error == 0 || error == FAN_E_LIMIT);
        accepted += error == 0;
        refused += error != 0;
    }
    assert_true(accepted > 10 && refused > 10);
    struct fan_client_stats stats;
    fan_client_stats(c, &stats);
    assert_int_equal(stats.accepted, accepted);
    assert_int_equal(stats.refused_full, refused);
    assert_true(stats.spool_bytes <= 8192);
    assert_int_equal(fan_client_flush(c, 20), FAN_E_TIMEOUT);
    assert_int_equal(fan_client_wait_room(c, 4000, 20), FAN_E_TIMEOUT);
    assert_int_equal(fan_client_wait_room(c, 9000, 20), FAN_E_TOO_LARGE);
    char *large = memory_zero(10000);
    memset(large, 'x', 9999);
    memcpy(large, "{\"x\":\"", 6);
    memcpy(large + 9997, "\"}", 2);
    assert_int_equal(fan_client_publish(c, "session:a", "tick", large), FAN_E_TOO_LARGE);
    memory_free(large);
    atomic_store(&gate, 1);
    assert_int_equal(fan_client_wait_room(c, 4000, PATIENCE), 0);
    assert_int_equal(fan_client_flush(c, PATIENCE), 0);
    fan_client_stats(c, &stats);
    assert_int_equal(stats.acknowledged, accepted);
    finish(&s, c);
}

/* The first connections answer with what no server should. */
static void play_nonsense(struct fake_server *server, int fd, int n)
{
    struct seen *s = server->arg;
    struct buf payload = {0};
    if (n == 1) {
        fake_read_head(fd, s->head, sizeof s->head);
        fake_send_text(fd, "SSH-2.0-OpenSSH_9.2\r\n");
    } else if (n == 2) {
        fake_read_head(fd, s->head, sizeof s->head);
        fake_send_text(fd, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Accept: wrong\r\n\r\n");
    } else if (n == 3 && fake_accept(fd, s->head, sizeof s->head)) {
        fake_read_frame(fd, &payload);
        fake_send_message(fd, "{\"published\":18446744073709551615,\"failed\":7}");
        fake_send_message(fd, "{\"published\":99}");
        fake_drain(fd);
    } else if (n == 4 && fake_accept(fd, s->head, sizeof s->head)) {
        fake_send(fd, "\x81\x85xxxxhello", 11); /* masked: a server must not */
        fake_drain(fd);
    } else {
        play_well(server, fd, n);
    }
    buf_fini(&payload);
}

static void test_nonsense_is_survived(void **state)
{
    (void)state;
    struct seen s;
    start(&s, play_nonsense);
    struct fan_client *c = open_client(&s, 0);
    assert_int_equal(fan_client_publish(c, "session:a", "tick", NULL), 0);
    assert_int_equal(fan_client_flush(c, PATIENCE), 0);
    if (atomic_load(&s.unreachable) != 4)
        fail_msg("%s", buf_text(&s.problems));
    assert_non_null(strstr(buf_text(&s.problems), "not HTTP"));
    assert_non_null(strstr(buf_text(&s.problems), "Sec-WebSocket-Accept"));
    assert_non_null(strstr(buf_text(&s.problems), "acknowledged more events"));
    finish(&s, c);
}

/* Closes with 1009 until the large event is gone; answers a ping in between. */
static void play_small(struct fake_server *server, int fd, int n)
{
    struct seen *s = server->arg;
    struct buf payload = {0};
    if (n > 1) {
        play_well(server, fd, n);
        return;
    }
    if (fake_accept(fd, s->head, sizeof s->head)) {
        fake_send_frame(fd, WS_PING, "hi", 2);
        for (int opcode; (opcode = fake_read_frame(fd, &payload)) >= 0;)
            if (opcode == WS_PONG)
                note_event(s, &payload);
            else if (opcode == WS_TEXT && payload.len > 2000)
                break;
        fake_send_frame(fd, WS_CLOSE, "\x03\xf1", 2);
        fake_drain(fd);
    }
    buf_fini(&payload);
}

static void test_too_large_is_dropped_not_repeated(void **state)
{
    (void)state;
    struct seen s;
    char large[4000] = "{\"x\":\"";
    start(&s, play_small);
    struct fan_client *c = open_client(&s, 0);
    memset(large + 6, 'x', 3000);
    memcpy(large + 3006, "\"}", 3);
    assert_int_equal(fan_client_publish(c, "session:a", "small", NULL), 0);
    struct fan_client_event event = {
        .topic = "session:a", .type = "large", .data = large, .tag = 7};
    assert_int_equal(fan_client_publish_event(c, &event), 0);
    assert_int_equal(fan_client_publish(c, "session:a", "small", NULL), 0);
    assert_int_equal(fan_client_flush(c, PATIENCE), 0);
    struct fan_client_stats stats;
    fan_client_stats(c, &stats);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.acknowledged, 2);
    assert_non_null(strstr(buf_text(&s.problems), "2 413 7 "));
    assert_null(strstr(buf_text(&s.events), "large"));
    finish(&s, c);
}

static void test_json_events(void **state)
{
    (void)state;
    struct seen s;
    start(&s, play_well);
    struct fan_client *c = open_client(&s, 0);
    static const char *const good[] = {
        "{\"topic\":\"session:a\",\"type\":\"t\"}",
        " {\"id\":\"mine\",\"source\":\"me\"} ",
        "{ }",
        "{\"id\":\"mine\"}",
    };
    char why[200];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(fan_client_publish_json(c, good[i], strlen(good[i]), 1, why, sizeof why),
                         0);
    static const char *const bad[] = {"", "{", "[]", "5", "{\"a\":}", "{} x", "nonsense"};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(fan_client_publish_json(c, bad[i], strlen(bad[i]), 1, why, sizeof why),
                         FAN_E_PARSE);
        assert_non_null(strstr(why, "at byte "));
    }
    assert_int_equal(fan_client_flush(c, PATIENCE), 0);
    struct slice rest = buf_slice(&s.events), line;
    for (int i = 0; slice_split(&rest, '\n', &line); i++) {
        struct json_value event, id, source;
        assert_int_equal(json_parse(line, &event, NULL), 0);
        assert_true(json_find(event, SLICE("id"), &id));
        assert_true(json_find(event, SLICE("source"), &source));
        assert_int_equal(json_string_is(id, "mine"), i == 1 || i == 3);
        assert_true(json_string_is(source, i == 1 ? "me" : "test"));
    }
    assert_int_equal(fan_client_publish(c, "", "t", NULL), FAN_E_INVALID);
    assert_int_equal(fan_client_publish(c, "a", "", NULL), FAN_E_INVALID);
    assert_int_equal(fan_client_publish(c, "\xff", "t", NULL), FAN_E_INVALID);
    assert_int_equal(fan_client_publish(c, "a", "\xff", NULL), FAN_E_INVALID);
    assert_int_equal(fan_client_publish(c, "a", "t", "[]"), FAN_E_PARSE);
    finish(&s, c);
}

static void test_options_are_checked(void **state)
{
    (void)state;
    struct fan_client *c = (void *)1;
    char why[200];
    static const struct fan_client_options wrong[] = {
        {.url = NULL},
        {.url = "ftp://x"},
        {.url = "http://"},
        {.url = "http://host:99999"},
        {.url = "http://a b"},
        {.url = "http://user@host"},
        {.url = "unix:"},
        {.url = "http://[::1"},
        {.url = "http://x", .token = "a\r\nb"},
        {.url = "http://x", .ca_file = "/no/such/file"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(fan_client_new(&wrong[i], &c, why, sizeof why), FAN_E_INVALID);
        assert_null(c);
        assert_true(strlen(why) > 10);
    }
    fan_client_free(NULL);
}

/* Freeing does not wait for a server that never answers, nor for a pause between attempts. */
static void play_mute(struct fake_server *server, int fd, int n)
{
    (void)server, (void)n;
    fake_drain(fd);
}

static void test_free_does_not_wait(void **state)
{
    (void)state;
    struct seen s;
    start(&s, play_mute);
    struct fan_client *c = open_client(&s, 0);
    assert_int_equal(fan_client_publish(c, "a", "t", NULL), 0);
    wait_for(&s.server.connections, 1);
    finish(&s, c);
    pthread_mutex_init(&s.lock, NULL);
    c = open_client(&s, 0); /* nobody listens any more */
    assert_int_equal(fan_client_publish(c, "a", "t", NULL), 0);
    wait_for(&s.unreachable, 1);
    struct fan_client_stats stats;
    fan_client_stats(c, &stats);
    assert_false(stats.connected);
    assert_int_equal(stats.spool_events, 1);
    fan_client_free(c);
    pthread_mutex_destroy(&s.lock);
    buf_fini(&s.problems);
}

static void *publish_many(void *arg)
{
    for (int i = 0; i < 2000; i++)
        while (fan_client_publish(arg, "session:a", "tick", "{\"x\":1}") == FAN_E_LIMIT)
            fan_client_wait_room(arg, 100, PATIENCE);
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    struct seen s;
    pthread_t threads[4];
    start(&s, play_well);
    struct fan_client *c = open_client(&s, 65536);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, publish_many, c);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fan_client_flush(c, PATIENCE), 0);
    struct fan_client_stats stats;
    fan_client_stats(c, &stats);
    assert_int_equal(stats.acknowledged, 8000);
    finish(&s, c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_arrive_in_order),
        cmocka_unit_test(test_nothing_is_lost_when_the_connection_breaks),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_denied),
        cmocka_unit_test(test_spool_is_bounded),
        cmocka_unit_test(test_nonsense_is_survived),
        cmocka_unit_test(test_too_large_is_dropped_not_repeated),
        cmocka_unit_test(test_json_events),
        cmocka_unit_test(test_options_are_checked),
        cmocka_unit_test(test_free_does_not_wait),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
