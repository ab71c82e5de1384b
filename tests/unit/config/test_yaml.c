/* The YAML reader: what is accepted, and that every problem names its line. */
#include "../test.h"

#include "config/loading.h"

/* Reads the text into a fresh configuration; problems go to `out`. */
static struct config *read_text(const char *text, struct buf *out)
{
    struct config *c = config_defaults();
    struct problems problems = {.out = out};
    yaml_read(c, "f", slice_from(text), &problems);
    return c;
}

static void expect(const char *text, const char *problem)
{
    struct buf out = {0};
    config_free(read_text(text, &out));
    if (strcmp(buf_text(&out), problem) != 0)
        fail_msg("for:\n%s\nexpected: %s\ngot: %s", text, problem, buf_text(&out));
    buf_fini(&out);
}

static void test_forms(void **state)
{
    (void)state;
    struct buf out = {0};
    struct config *c = read_text("# comment\n"
                                 "limits:\n"
                                 "  messages: 7\n"
                                 "  queue: \"64K\"\n"
                                 "limits.burst: 8\n"
                                 "topics: {session: {age: 1d, slow: latest}, user.count: 3}\n"
                                 "watch: /a=b\n"
                                 "watch.directory: .x\n"
                                 "listen:\n"
                                 "  - 127.0.0.1:1\n"
                                 "  - '[::1]:2'\n"
                                 "cors_origins: 'https://a, https://b'\n"
                                 "insecure: yes\n"
                                 "deflate:\n",
                                 &out);
    assert_string_equal(buf_text(&out), "");
    assert_int_equal(c->limits.messages, 7);
    assert_int_equal(c->limits.queue, 65536);
    assert_int_equal(c->limits.burst, 8);
    assert_int_equal(c->topics[CONFIG_SESSION].age_ms, 86400000);
    assert_int_equal(c->topics[CONFIG_SESSION].slow, CONFIG_SLOW_LATEST);
    assert_int_equal(c->topics[CONFIG_USER].count, 3);
    assert_string_equal(c->watch.items[0], "/a=b");
    assert_string_equal(c->watch_directory, ".x");
    assert_string_equal(c->listen.items[1], "[::1]:2");
    assert_int_equal(c->cors_origins.count, 2);
    assert_true(c->insecure);
    config_free(c);
    buf_fini(&out);
}

static void test_empty(void **state)
{
    (void)state;
    expect("", "");
    expect("# only a comment\n", "");
    expect("---\n", "");
    expect("listen: []\n", "");
}

static void test_problems(void **state)
{
    (void)state;
    expect("\nlimit: 5\n", "f:2: unknown key \"limit\" (did you mean \"limits\"?)\n");
    expect("limits: {mesages: 5}\n",
           "f:1: unknown key \"limits.mesages\" (did you mean \"limits.messages\"?)\n");
    expect("base-path: /x\n", "f:1: unknown key \"base-path\" (did you mean \"base_path\"?)\n");
    expect("xyzzy: 5\n", "f:1: unknown key \"xyzzy\"\n");
    expect("workers: 1\nworkers: 2\n", "f:2: workers stands twice, first on line 1\n");
    expect("limits: {}\ndrain: 1s\nlimits: {}\n", "f:3: limits stands twice, first on line 1\n");
    expect("limits: {queue: 64K}\nlimits.queue: 64K\n",
           "f:2: limits.queue stands twice, first on line 1\n");
    expect("workers: many\n", "f:1: workers: expected a whole number from 0 to 64, got \"many\"\n");
    expect("workers: [1]\n", "f:1: workers: expected a whole number from 0 to 64, got a list\n");
    expect("workers:\n", "f:1: workers: expected a whole number from 0 to 64, got nothing\n");
    expect("limits: 5\n", "f:1: limits: expected a section, got a text\n");
    expect("listen: {a: b}\n", "f:1: listen: expected a list of texts, got a section\n");
    expect("listen:\n - 127.0.0.1:1\n - [a]\n",
           "f:2: listen: expected a list of texts, but item 2 is a list\n");
    expect("- a\n", "f:1: expected lines of \"key: value\", got a list\n");
    expect("just text\n", "f:1: expected lines of \"key: value\", got a text\n");
    expect("[a]: b\n", "f:1: expected the name of an option, got a list\n");
    expect("drain: 1s\n---\ndrain: 2s\n", "f:3: expected one document, found a second\n");
    expect("jwt.key: \"a\\0b\"\n", "f:1: jwt.key: expected text in UTF-8 without NUL bytes\n");
}

static void test_syntax(void **state)
{
    (void)state;
    struct buf out = {0};
    config_free(read_text("drain: 1s\nlisten: [a\nb: c\n", &out));
    assert_true(slice_starts(buf_slice(&out), "f:3: not YAML: "));
    buf_clear(&out);
    config_free(read_text("a: \xff\n", &out));
    assert_true(slice_starts(buf_slice(&out), "f: not UTF-8 text: "));
    buf_fini(&out);
}

/* Nodes that contain themselves, and documents that multiply, end soon. */
static void test_aliases(void **state)
{
    (void)state;
    expect("&a limits: {queue: 64K}\n", "");
    expect("topics: &t {session: *t}\n", "f:1: unknown key \"topics.session.session\"\n");
    expect("demo: &x true\ninsecure: *x\n", "");
}

static void test_many_problems_are_cut(void **state)
{
    (void)state;
    struct buf text = {0}, out = {0};
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "wrong%d: 1\n", i);
    config_free(read_text(buf_text(&text), &out));
    unsigned lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.data[i] == '\n';
    assert_int_equal(lines, CONFIG_MAX_PROBLEMS);
    buf_fini(&text);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),    cmocka_unit_test(test_empty),
        cmocka_unit_test(test_problems), cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_aliases),  cmocka_unit_test(test_many_problems_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
