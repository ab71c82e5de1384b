/* A server inside a program: its life, its options, publishing, and what is refused. */
#include "../test.h"

#include <signal.h>

#include "fanfare/broadcast.h"
#include "server/embedding.h"

/* ---- Options ---- */

static int try_option(const char *name, const char *value, struct fan_server_error *error)
{
    const struct fan_server_option options[] = {{"log.level", "off"}, {name, value}};
    struct fan_server *server = (struct fan_server *)options; /* must be overwritten */
    int code = fan_server_new(&(struct fan_server_options){options, 2}, &server, error);
    assert_true(code == 0 || server == NULL);
    fan_server_free(server);
    return code;
}

static void test_wrong_options_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *message;
    } cases[] = {
        {"limits.mesages", "5",
         "unknown option \"limits.mesages\" (did you mean "
         "\"limits.messages\"?)"},
        {"", "5", "unknown option \"\""},
        {"limits.queue", "much", "limits.queue: expected"},
        {"limits.queue", NULL, "limits.queue: needs a value, got NULL"},
        {"workers", "1000000", "workers: expected"},
        {"listen", "nowhere", "listen: expected"},
        {"drain", "soon", "drain: expected"},
        {"tls.cert", "cert.pem", "tls.cert: tls.cert needs tls.key as well"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fan_server_error error = {""};
        assert_int_equal(try_option(cases[i].name, cases[i].value, &error), FAN_E_INVALID);
        if (strncmp(error.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: \"%s\"", cases[i].name, error.message);
        assert_null(strchr(error.message, '\n'));
    }
}

static void test_every_mistake_has_a_line(void **state)
{
    (void)state;
    const struct fan_server_option options[] = {
        {"log.level", "off"}, {"nothing", "1"}, {"workers", "x"}, {"demo", "perhaps"}};
    struct fan_server_error error;
    struct fan_server *server;
    assert_int_equal(fan_server_new(&(struct fan_server_options){options, 4}, &server, &error),
                     FAN_E_INVALID);
    const char *second = strchr(error.message, '\n');
    assert_non_null(second);
    assert_int_equal(strncmp(second + 1, "workers: ", 9), 0);
    assert_non_null(strstr(second, "\ndemo: "));
}

static void test_what_the_build_cannot_do_is_unsupported(void **state)
{
    (void)state;
    struct fan_server_error error;
    assert_int_equal(try_option("engine", "redis", &error), FAN_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "Redis"));
}

static void test_errors_need_not_be_taken(void **state)
{
    (void)state;
    assert_int_equal(try_option("nothing", "1", NULL), FAN_E_INVALID);
    fan_server_free(NULL);
}

/* The environment is another program's business. */
static void test_environment_is_not_read(void **state)
{
    (void)state;
    setenv("FANFARE_LISTEN", "nonsense", 1);
    setenv("REDIS_URL", "redis://127.0.0.1", 1);
    fan_server_free(make_server(NULL, 0));
    unsetenv("FANFARE_LISTEN");
    unsetenv("REDIS_URL");
}

static void test_list_takes_a_pair_for_each_item(void **state)
{
    (void)state;
    const struct fan_server_option extra[] = {{"listen", "127.0.0.1:0"}};
    struct fan_server *server = make_server(extra, 1);
    start_server(server);
    assert_non_null(fan_server_url(server, 0));
    assert_non_null(fan_server_url(server, 1));
    assert_null(fan_server_url(server, 2));
    assert_string_not_equal(fan_server_url(server, 0), fan_server_url(server, 1));
    fan_server_free(server);
}

/* ---- Life ---- */

static void test_life(void **state)
{
    (void)state;
    struct fan_server_error error;
    struct fan_server *server = make_server(NULL, 0);
    assert_null(fan_server_url(server, 0));
    assert_int_equal(fan_server_publish(server, "session:a", "x", "{}", 2, &error), FAN_E_CLOSED);
    assert_string_equal(error.message, "the server is not running: call fan_server_start first");
    assert_int_equal(fan_server_stop(server), 0); /* nothing to stop */
    start_server(server);
    assert_int_equal(strncmp(fan_server_url(server, 0), "http://127.0.0.1:", 17), 0);
    assert_int_equal(fan_server_start(server, &error), FAN_E_EXISTS);
    assert_string_equal(error.message, "the server is running already");
    assert_int_equal(fan_server_publish(server, "session:a", "x", "{}", 2, &error), 0);
    assert_int_equal(fan_server_stop(server), 0);
    assert_int_equal(fan_server_stop(server), 0);
    assert_int_equal(fan_server_publish(server, "session:a", "x", "{}", 2, &error), FAN_E_CLOSED);
    assert_string_equal(error.message, "the server has been stopped");
    assert_int_equal(fan_server_start(server, &error), FAN_E_EXISTS);
    assert_string_equal(error.message,
                        "a server is started once: make a new one with fan_server_new");
    fan_server_free(server);
}

static void test_free_stops(void **state)
{
    (void)state;
    struct fan_server *server = make_server(NULL, 0);
    start_server(server);
    int fd = connect_to(server);
    fan_server_free(server);
    char byte;
    assert_false(read_exactly(fd, &byte, 1));
    close(fd);
}

static int start_on(const char *listen, struct fan_server_error *error)
{
    const struct fan_server_option options[] = {
        {"listen", listen}, {"log.level", "off"}, {"engine", "memory"}};
    struct fan_server *server;
    assert_int_equal(fan_server_new(&(struct fan_server_options){options, 3}, &server, NULL), 0);
    int code = fan_server_start(server, error);
    assert_null(fan_server_url(server, 0));
    assert_int_equal(fan_server_publish(server, "session:a", "x", "{}", 2, NULL), FAN_E_CLOSED);
    fan_server_free(server);
    return code;
}

static void test_addresses_that_cannot_be(void **state)
{
    (void)state;
    struct fan_server_error error;
    struct fan_server *first = make_server(NULL, 0);
    start_server(first);
    const char *taken = strstr(fan_server_url(first, 0), "//") + 2;
    assert_int_equal(start_on(taken, &error), FAN_E_ADDRESS);
    assert_non_null(strstr(error.message, taken));
    assert_int_equal(start_on("0.0.0.0:0", &error), FAN_E_DENIED);
    assert_non_null(strstr(error.message, "refusing to listen on 0.0.0.0:0"));
    fan_server_free(first);
}

static void test_watching_what_is_not_there(void **state)
{
    (void)state;
    const struct fan_server_option extra[] = {{"watch", "/nonexistent=main"}};
    struct fan_server_error error;
    struct fan_server *server = make_server(extra, 1);
    assert_int_equal(fan_server_start(server, &error), FAN_E_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nonexistent"));
    fan_server_free(server);
}

static void test_servers_do_not_meet(void **state)
{
    (void)state;
    struct fan_server *one = make_server(NULL, 0), *two = make_server(NULL, 0);
    start_server(one);
    start_server(two);
    assert_string_not_equal(fan_server_url(one, 0), fan_server_url(two, 0));
    fan_server_free(one);
    assert_int_equal(fan_server_publish(two, "session:a", "x", "{}", 2, NULL), 0);
    fan_server_free(two);
}

static void read_handlers(struct sigaction handlers[32])
{
    for (int i = 1; i < 32; i++)
        sigaction(i, NULL, &handlers[i]);
}

static void test_signals_stay_the_programs(void **state)
{
    (void)state;
    struct sigaction before[32], during[32];
    sigset_t mask_before, mask_during;
    read_handlers(before);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    struct fan_server *server = make_server(NULL, 0);
    start_server(server);
    read_handlers(during);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_during);
    for (int i = 1; i < 32; i++) {
        assert_ptr_equal(before[i].sa_handler, during[i].sa_handler);
        assert_int_equal(sigismember(&mask_before, i), sigismember(&mask_during, i));
    }
    fan_server_free(server);
}

/* ---- Publishing ---- */

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *topic, *type, *data;
        int code;
        const char *message;
    } cases[] = {
        {NULL, "x", "{}", FAN_E_INVALID, "topic is missing: "},
        {"nowhere", "x", "{}", FAN_E_INVALID, "topic \"nowhere\": "},
        {"session:a b", "x", "{}", FAN_E_INVALID, "topic \"session:a b\": "},
        {"session:a", NULL, "{}", FAN_E_INVALID, "type"},
        {"session:a", "Not A Type", "{}", FAN_E_INVALID, "type"},
        {"session:a", "connect_error", "{}", FAN_E_INVALID, "type"},
        {"session:a", "x", "", FAN_E_PARSE, "data: invalid JSON at byte 0: "},
        {"session:a", "x", "{\"a\":1,}", FAN_E_PARSE, "data: invalid JSON at byte 7: "},
        {"session:a", "x", "{}, \"topic\":\"session:b\"", FAN_E_PARSE,
         "data: invalid JSON at byte 2: "},
        {"session:a", "x", "[1]", FAN_E_INVALID, "data must be an object, got "},
        {"session:a", "component_update", "{\"component_id\":\"a\",\"progress\":140}",
         FAN_E_INVALID, "progress must be "},
        {"session:a", "component_update", "{\"component_id\":\"a\",\"offset\":1}", FAN_E_INVALID,
         "offset"},
    };
    struct fan_server *server = make_server(NULL, 0);
    start_server(server);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fan_server_error error = {""};
        int code = fan_server_publish(server, cases[i].topic, cases[i].type, cases[i].data,
                                      strlen(cases[i].data), &error);
        if (code != cases[i].code ||
            strncmp(error.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%zu: %d \"%s\"", i, code, error.message);
    }
    fan_server_free(server);
}

static void test_too_large(void **state)
{
    (void)state;
    const struct fan_server_option extra[] = {{"limits.message_size", "1KiB"}};
    struct fan_server *server = make_server(extra, 1);
    struct fan_server_error error;
    char data[2048];
    start_server(server);
    snprintf(data, sizeof data, "{\"a\":\"%01500d\"}", 1);
    assert_int_equal(fan_server_publish(server, "session:a", "x", data, strlen(data), &error),
                     FAN_E_TOO_LARGE);
    assert_string_equal(error.message,
                        "data has 1508 bytes; at most 1024 are accepted (limits.message_size)");
    fan_server_free(server);
}

/* What a client of the session gets, up to and with the message that contains `marker`. */
static void read_until(int fd, const char *marker, struct buf *all)
{
    struct buf payload = {0};
    do {
        if (read_frame(fd, &payload) < 0)
            fail_msg("the connection ended");
        buf_append_slice(all, buf_slice(&payload));
        buf_append_char(all, '\n');
    } while (!strstr(buf_text(&payload), marker));
    buf_fini(&payload);
}

static void test_events_arrive(void **state)
{
    (void)state;
    struct fan_server *server = make_server(NULL, 0);
    struct buf got = {0};
    char head[2048];
    start_server(server);
    int fd = open_websocket(server, "/api/build/stream/abc", "", head);
    const struct fan_publisher to = fan_server_publisher(server);
    assert_int_equal(fan_broadcast_component_update(&to, "abc", "auth", "in_progress", 45.5, NULL),
                     0);
    assert_int_equal(fan_broadcast_build_progress(&to, "abc", 4, 1, -1), 0);
    assert_int_equal(fan_broadcast_build_progress(&to, "abc", 4, 5, -1), FAN_E_INVALID);
    assert_int_equal(
        fan_server_publish(server, "session:abc", "lint.done", " {\"type\":1} ", 12, NULL), 0);
    assert_int_equal(fan_server_publish(server, "session:abc", "empty", NULL, 0, NULL), 0);
    read_until(fd, "\"empty\"", &got);
    const char *text = buf_text(&got);
    assert_non_null(strstr(text, "\"offset\":1,\"component_id\":\"auth\",\"status\":\"in_progress\""
                                 ",\"progress\":45.5"));
    assert_non_null(strstr(text, "\"percent\":25"));
    assert_non_null(strstr(text, "\"type\":\"lint.done\""));
    assert_non_null(strstr(text, "\"data\":{\"type\":1}"));
    assert_non_null(strstr(text, "\"offset\":4"));
    buf_fini(&got);
    close(fd);
    fan_server_free(server);
}

/* ---- Threads ---- */

struct crowd {
    struct fan_server *server;
    atomic_int published, refused;
};

static void *publish_many(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < 20000; i++) {
        int code = fan_server_publish(crowd->server, "session:abc", "tick", "{\"n\":1}", 7, NULL);
        if (code == FAN_E_CLOSED) {
            atomic_fetch_add(&crowd->refused, 1);
            break;
        }
        assert_int_equal(code, 0);
        atomic_fetch_add(&crowd->published, 1);
    }
    return NULL;
}

static void test_stopping_amid_publishers(void **state)
{
    (void)state;
    struct crowd crowd = {.server = make_server(NULL, 0)};
    pthread_t threads[3];
    char head[2048];
    start_server(crowd.server);
    int fd = open_websocket(crowd.server, "/api/build/stream/abc", "", head);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, publish_many, &crowd);
    WAIT_FOR(atomic_load(&crowd.published) > 100);
    shutdown(fd, SHUT_RDWR); /* a client that goes in the middle raises nothing */
    fan_server_stop(crowd.server);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    close(fd);
    fan_server_free(crowd.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_options_are_named),
        cmocka_unit_test(test_every_mistake_has_a_line),
        cmocka_unit_test(test_what_the_build_cannot_do_is_unsupported),
        cmocka_unit_test(test_errors_need_not_be_taken),
        cmocka_unit_test(test_environment_is_not_read),
        cmocka_unit_test(test_list_takes_a_pair_for_each_item),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_free_stops),
        cmocka_unit_test(test_addresses_that_cannot_be),
        cmocka_unit_test(test_watching_what_is_not_there),
        cmocka_unit_test(test_servers_do_not_meet),
        cmocka_unit_test(test_signals_stay_the_programs),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_events_arrive),
        cmocka_unit_test(test_stopping_amid_publishers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
