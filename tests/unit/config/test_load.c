/* Where values come from and what is refused: flags, environment, file, defaults, reloading. */
#include "../test.h"

#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/describe.h"
#include "config/options.h"
#include "fanfare/error.h"

static char directory[] = "/tmp/fanfare-config-XXXXXX";

/* Each test starts without a file and without our variables. */
static int setup(void **state)
{
    (void)state;
    unlink("fanfare.yaml");
    struct buf name = {0};
    for (size_t i = 0; i < option_count; i++) {
        buf_clear(&name);
        option_append_environment(&name, &options[i]);
        unsetenv(buf_text(&name));
        if (options[i].environment)
            unsetenv(options[i].environment);
    }
    unsetenv("FANFARE_CONFIG");
    buf_fini(&name);
    return 0;
}

static int enter_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int leave_directory(void **state)
{
    (void)state;
    unlink("fanfare.yaml");
    unlink("other.yaml");
    return chdir("/") == 0 && rmdir(directory) == 0 ? 0 : -1;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

#define ARGS(...)                                                                   \
    (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *[]) \
    {                                                                               \
        __VA_ARGS__                                                                 \
    }

static struct config *load_good(int count, const char *const *args)
{
    struct config *config;
    struct buf problems = {0};
    int error = config_load(&config, count, (char *const *)args, &problems);
    if (error)
        print_error("%s", buf_text(&problems));
    assert_int_equal(error, 0);
    assert_int_equal(problems.len, 0);
    buf_fini(&problems);
    return config;
}

/* Expects the error and that the problems contain the text. */
static void expect_problem(int error, const char *text, int count, const char *const *args)
{
    struct config *config = (void *)1;
    struct buf problems = {0};
    assert_int_equal(config_load(&config, count, (char *const *)args, &problems), error);
    assert_null(config);
    if (!strstr(buf_text(&problems), text))
        fail_msg("expected \"%s\" in:\n%s", text, buf_text(&problems));
    assert_int_equal(problems.data[problems.len - 1], '\n');
    buf_fini(&problems);
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *c = load_good(0, NULL);
    assert_int_equal(c->listen.count, 1);
    assert_string_equal(c->listen.items[0], "127.0.0.1:8000");
    assert_int_equal(c->engine, CONFIG_ENGINE_SQLITE);
    assert_true(c->workers >= 1);
    assert_int_equal(c->limits.messages, 5000);
    assert_int_equal(c->limits.message_size, 1024 * 1024);
    assert_int_equal(c->limits.handshake_ms, 10000);
    assert_int_equal(c->topics[CONFIG_SESSION].count, 100000);
    assert_int_equal(c->topics[CONFIG_SESSION].age_ms, 7ull * 24 * 3600 * 1000);
    assert_int_equal(c->topics[CONFIG_SESSION].bytes, 64 * 1024 * 1024);
    assert_int_equal(c->topics[CONFIG_USER].count, 500);
    assert_false(c->topics[CONFIG_CHANNEL].durable);
    assert_int_equal(c->topics[CONFIG_CHANNEL].age_ms, 600000);
    assert_int_equal(c->latest_channels.count, 2);
    assert_int_equal(c->memory_limit, 256 * 1024 * 1024);
    assert_string_equal(c->tls_cert, "");
    assert_string_equal(c->watch_directory, ".buildrunner");
    assert_true(c->demo);
    assert_string_equal(config_file(c), "");
    config_free(c);
}

static void test_precedence(void **state)
{
    (void)state;
    write_file("fanfare.yaml", "drain: 1s\nping_interval: 2s\nlimits: {queue: 32K}\nworkers: 3\n");
    setenv("FANFARE_PING_INTERVAL", "3s", 1);
    setenv("FANFARE_LIMITS_QUEUE", "33K", 1);
    setenv("FANFARE_WORKERS", "", 1); /* empty: not set */
    struct config *c = load_good(ARGS("--limits-queue", "34K", "--insecure", "--no-demo"));
    assert_int_equal(c->drain_ms, 1000);
    assert_int_equal(c->ping_interval_ms, 3000);
    assert_int_equal(c->limits.queue, 34 * 1024);
    assert_int_equal(c->workers, 3);
    assert_true(c->insecure);
    assert_false(c->demo);
    assert_string_equal(config_file(c), "fanfare.yaml");
    struct buf text = {0};
    config_append_values(&text, c, false);
    assert_non_null(strstr(buf_text(&text), "# fanfare.yaml:1\n"));
    assert_non_null(strstr(buf_text(&text), "# FANFARE_PING_INTERVAL\n"));
    assert_non_null(strstr(buf_text(&text), "# --limits-queue\n"));
    buf_fini(&text);
    config_free(c);
}

static void test_lists_replace_each_other(void **state)
{
    (void)state;
    write_file("fanfare.yaml", "listen: [127.0.0.1:1, 127.0.0.1:2]\ncors_origins: http://a.b\n");
    setenv("CORS_ORIGINS", "[\"https://a.example\", \"https://b.example\"]", 1);
    struct config *c = load_good(ARGS("--listen=[::1]:80", "--listen", "unix:/tmp/x,y.sock"));
    assert_int_equal(c->listen.count, 2);
    assert_string_equal(c->listen.items[0], "[::1]:80");
    assert_string_equal(c->listen.items[1], "unix:/tmp/x,y.sock");
    assert_int_equal(c->cors_origins.count, 2);
    assert_string_equal(c->cors_origins.items[1], "https://b.example");
    config_free(c);
    setenv("CORS_ORIGINS", " http://x.example , vscode-webview://y ,", 1);
    setenv("FANFARE_LISTEN", "[::1]:81,localhost:82", 1);
    c = load_good(0, NULL);
    assert_int_equal(c->cors_origins.count, 2);
    assert_string_equal(c->cors_origins.items[0], "http://x.example");
    assert_int_equal(c->listen.count, 2);
    assert_string_equal(c->listen.items[0], "[::1]:81");
    setenv("FANFARE_CORS_ORIGINS", "https://ours.example", 1);
    config_free(c);
    c = load_good(0, NULL);
    assert_string_equal(c->cors_origins.items[0], "https://ours.example");
    config_free(c);
}

static void test_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {
        {"65536", 65536}, {"64K", 65536}, {"64KiB", 65536}, {"64kb", 65536}, {"1G", 1u << 30},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct config *c = load_good(ARGS("--limits-queue", sizes[i].text));
        assert_int_equal(c->limits.queue, sizes[i].bytes);
        config_free(c);
    }
    static const struct {
        const char *text;
        uint64_t ms;
    } times[] = {{"500ms", 500}, {"5", 5000}, {"0", 0}, {"10m", 600000}, {"1h", 3600000}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct config *c = load_good(ARGS("--drain", times[i].text));
        assert_int_equal(c->drain_ms, times[i].ms);
        config_free(c);
    }
    static const char *const wrong[] = {"", "s", "-1", "1.5s", "5 s", "99999999999999999999", "1w"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_problem(FAN_E_INVALID, "--drain: expected a time such as",
                       ARGS("--drain", wrong[i]));
}

static void test_wrong_flags(void **state)
{
    (void)state;
    expect_problem(FAN_E_INVALID, "unknown option --lisen (did you mean --listen?)",
                   ARGS("--lisen", "x"));
    expect_problem(FAN_E_INVALID, "--workers: needs a value\n", ARGS("--workers"));
    expect_problem(FAN_E_INVALID,
                   "--workers: needs a value; if --drain is it, write --workers=--drain\n",
                   ARGS("--workers", "--drain", "1s"));
    expect_problem(FAN_E_INVALID, "--workers: expected a whole number from 0 to 64, got \"300\"",
                   ARGS("--workers=300"));
    expect_problem(FAN_E_INVALID, "unexpected argument \"x\"", ARGS("x"));
    expect_problem(FAN_E_INVALID, "unknown option --no-workers", ARGS("--no-workers"));
    expect_problem(FAN_E_INVALID, "--engine: expected memory, sqlite or redis, got \"disk\"",
                   ARGS("--engine", "disk"));
    expect_problem(FAN_E_INVALID, "set JWT_SECRET_KEY in the environment",
                   ARGS("--jwt-key", "hush"));
    expect_problem(FAN_E_INVALID, "--listen: expected HOST:PORT", ARGS("--listen", "8000"));
    expect_problem(FAN_E_INVALID, "--watch: expected PATH", ARGS("--watch", "/x=a b"));
    expect_problem(FAN_E_INVALID, "--trusted-proxies: expected an address",
                   ARGS("--trusted-proxies", "10.0.0.1/8"));
    expect_problem(FAN_E_INVALID, "--public-url: expected http",
                   ARGS("--public-url", "https://a.example/path"));
    expect_problem(FAN_E_INVALID, "--base-path: expected a path", ARGS("--base-path", "/x/"));
}

static void test_wrong_environment(void **state)
{
    (void)state;
    setenv("FANFARE_LOG_LEVEL", "loud", 1);
    expect_problem(FAN_E_PARSE, "FANFARE_LOG_LEVEL: expected debug, info, warn, error or off", 0,
                   NULL);
    unsetenv("FANFARE_LOG_LEVEL");
    setenv("CORS_ORIGINS", "[\"https://a\", 5]", 1);
    expect_problem(FAN_E_PARSE, "CORS_ORIGINS: ", 0, NULL);
}

static void test_values_that_belong_together(void **state)
{
    (void)state;
    expect_problem(FAN_E_PARSE, "--tls-cert: tls.cert needs tls.key", ARGS("--tls-cert", "a.pem"));
    expect_problem(FAN_E_PARSE, "--tls-key: tls.key needs tls.cert", ARGS("--tls-key", "a.pem"));
    expect_problem(FAN_E_PARSE, "--limits-burst: limits.burst must be at least",
                   ARGS("--limits-burst", "10"));
    struct config *c = load_good(ARGS("--limits-messages", "20000"));
    assert_int_equal(c->limits.burst, 20000); /* the default follows */
    config_free(c);
}

static void test_missing_file(void **state)
{
    (void)state;
    expect_problem(FAN_E_NOT_FOUND, "nowhere.yaml: cannot be read: No such file",
                   ARGS("--config", "nowhere.yaml"));
    expect_problem(FAN_E_IO, "/: cannot be read: Is a directory", ARGS("--config", "/"));
    write_file("other.yaml", "workers: 7\n");
    write_file("fanfare.yaml", "workers: 8\n");
    struct config *c = load_good(ARGS("--config", "other.yaml"));
    assert_int_equal(c->workers, 7);
    config_free(c);
    setenv("FANFARE_CONFIG", "other.yaml", 1);
    c = load_good(0, NULL);
    assert_int_equal(c->workers, 7);
    config_free(c);
}

static void test_secrets_are_never_printed(void **state)
{
    (void)state;
    setenv("JWT_SECRET_KEY", "hush-hush", 1);
    setenv("REDIS_URL", "redis://user:hush@host", 1);
    struct config *c = load_good(0, NULL);
    assert_string_equal(c->jwt.key, "hush-hush");
    assert_int_equal(c->engine, CONFIG_ENGINE_REDIS);
    struct buf text = {0};
    config_append_values(&text, c, false);
    config_append_values(&text, c, true);
    assert_null(strstr(buf_text(&text), "hush"));
    buf_clear(&text);
    assert_int_equal(config_supported(c, &text), FAN_E_UNSUPPORTED);
    assert_non_null(strstr(buf_text(&text), "REDIS_URL: this build has no Redis engine"));
    assert_null(strstr(buf_text(&text), "hush"));
    buf_fini(&text);
    config_free(c);
}

static void test_what_is_printed_can_be_read(void **state)
{
    (void)state;
    struct config *c =
        load_good(ARGS("--listen", "[::1]:80", "--watch", "/a b=x", "--watch", "\"q\"",
                       "--log-file", "- x # y", "--topics-user-age", "90m", "--limits-queue",
                       "1048577", "--cors-origins", "*", "--session", "true"));
    struct buf text = {0}, again = {0};
    config_append_values(&text, c, false);
    write_file("other.yaml", buf_text(&text));
    struct config *back = load_good(ARGS("--config", "other.yaml"));
    buf_clear(&text);
    config_append_values(&text, c, true);
    config_append_values(&again, back, true);
    /* Only the origins differ. */
    for (size_t i = 0; i < option_count; i++)
        if (options[i].type == OPTION_LIST || options[i].type == OPTION_STRING)
            assert_non_null(strstr(buf_text(&again), options[i].name));
    assert_string_equal(back->listen.items[0], "[::1]:80");
    assert_string_equal(back->watch.items[0], "/a b=x");
    assert_string_equal(back->watch.items[1], "\"q\"");
    assert_string_equal(back->log.file, "- x # y");
    assert_int_equal(back->topics[CONFIG_USER].age_ms, 90 * 60000);
    assert_int_equal(back->limits.queue, 1048577);
    assert_string_equal(back->session, "true");
    buf_fini(&text);
    buf_fini(&again);
    config_free(c);
    config_free(back);
}

static void test_reload(void **state)
{
    (void)state;
    write_file("fanfare.yaml", "limits.messages: 100\nworkers: 2\nlisten: [127.0.0.1:1]\n");
    struct config *old = load_good(ARGS("--drain", "1s")), *fresh;
    write_file("fanfare.yaml", "limits.messages: 200\nworkers: 3\nlisten: [127.0.0.1:2]\n");
    struct buf kept = {0}, problems = {0};
    assert_int_equal(config_reload(old, &fresh, &kept, &problems), 0);
    assert_int_equal(fresh->limits.messages, 200);
    assert_int_equal(fresh->workers, 2);
    assert_string_equal(fresh->listen.items[0], "127.0.0.1:1");
    assert_int_equal(fresh->drain_ms, 1000);
    assert_string_equal(buf_text(&kept), "listen cannot be changed while the server runs\n"
                                         "workers cannot be changed while the server runs\n");
    config_free(old);
    write_file("fanfare.yaml", "workers: [\n");
    struct config *none;
    assert_int_equal(config_reload(fresh, &none, &kept, &problems), FAN_E_PARSE);
    assert_null(none);
    assert_non_null(strstr(buf_text(&problems), "fanfare.yaml:2: not YAML"));
    buf_fini(&kept);
    buf_fini(&problems);
    config_free(fresh);
}

static void test_watch_items(void **state)
{
    (void)state;
    struct slice path, session;
    config_watch_split("/a=b/c=web", &path, &session);
    assert_true(slice_is(path, "/a=b/c"));
    assert_true(slice_is(session, "web"));
    config_watch_split(".", &path, &session);
    assert_true(slice_is(path, ".") && session.len == 0);
    struct buf name = {0};
    config_session_of_directory("/no/such/My project!", &name);
    assert_string_equal(buf_text(&name), "My-project-");
    buf_clear(&name);
    config_session_of_directory(".", &name);
    assert_string_equal(buf_text(&name), strrchr(directory, '/') + 1);
    buf_clear(&name);
    config_session_of_directory("/", &name);
    assert_string_equal(buf_text(&name), "root");
    buf_fini(&name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_defaults, setup),
        cmocka_unit_test_setup(test_precedence, setup),
        cmocka_unit_test_setup(test_lists_replace_each_other, setup),
        cmocka_unit_test_setup(test_units, setup),
        cmocka_unit_test_setup(test_wrong_flags, setup),
        cmocka_unit_test_setup(test_wrong_environment, setup),
        cmocka_unit_test_setup(test_values_that_belong_together, setup),
        cmocka_unit_test_setup(test_missing_file, setup),
        cmocka_unit_test_setup(test_secrets_are_never_printed, setup),
        cmocka_unit_test_setup(test_what_is_printed_can_be_read, setup),
        cmocka_unit_test_setup(test_reload, setup),
        cmocka_unit_test_setup(test_watch_items, setup),
    };
    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
