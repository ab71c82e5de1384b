/* Origin, host and forwarding checks: who may reach the server without a token. */
#include "../test.h"

#include "auth/access.h"

static const char *const own_urls[] = {"https://build.example.org", "http://other.example:8080"};
static const char *const bound[] = {"127.0.0.1:8000", "[::1]:8000"};
static const char *const cors[] = {"https://*.example.com", "vscode-webview://*",
                                   "https://one.example.net"};

static struct access_rules *rules;

static int open_rules(void **state)
{
    (void)state;
    const struct access_options options = {.own_urls = own_urls,
                                           .own_url_count = 2,
                                           .bound = bound,
                                           .bound_count = 2,
                                           .cors = cors,
                                           .cors_count = 3};
    rules = access_rules_new(&options);
    return 0;
}

static int close_rules(void **state)
{
    (void)state;
    access_rules_free(rules);
    return 0;
}

static struct access_verdict judge_host(const char *host)
{
    return access_judge(rules, &(struct access_request){.host = slice_from(host)});
}

static void assert_refused(struct access_verdict verdict, const char *code)
{
    assert_false(verdict.allowed);
    assert_string_equal(verdict.code, code);
    assert_true(strlen(verdict.message) > 20);
    assert_false(verdict.cors);
}

static void test_hosts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "localhost", "localhost:1", "LocalHost:8000",    "127.0.0.1",         "127.0.0.1:65535",
        "[::1]",     "[::1]:8000",  "build.example.org", "BUILD.example.org", "other.example:8080",
    };
    static const char *const bad[] = {
        "",
        "evil.example",
        "localhost.evil.example",
        "localhost:",
        "localhost:8x",
        "127.0.0.1.nip.io",
        "127.0.0.2",
        "[::1].evil.example",
        "other.example",
        "build.example.org:8000",
        "xlocalhost",
        "localhost:80:80",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(judge_host(good[i]).allowed);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(judge_host(bad[i]), "host");
    assert_refused(access_judge(rules, &(struct access_request){0}), "host");
}

static struct access_verdict judge_origin(const char *origin, bool handshake, bool changes)
{
    return access_judge(rules, &(struct access_request){.host = SLICE("localhost:8000"),
                                                        .origin = slice_from(origin),
                                                        .handshake = handshake,
                                                        .changes = changes});
}

static void test_own_origins(void **state)
{
    (void)state;
    static const char *const own[] = {
        "http://localhost",          "http://localhost:5173",     "http://127.0.0.1:3000",
        "https://build.example.org", "http://other.example:8080", "http://[::1]:8000",
        "https://127.0.0.1:8000",    "https://a.example.com",     "vscode-webview://1abc2",
        "https://one.example.net",
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        for (unsigned kind = 0; kind < 4; kind++) {
            struct access_verdict verdict = judge_origin(own[i], kind & 1, kind & 2);
            assert_true(verdict.allowed);
            assert_true(verdict.cors);
        }
}

static void test_other_origins(void **state)
{
    (void)state;
    static const char *const others[] = {
        "https://evil.example",
        "https://localhost",
        "http://localhost.evil.example",
        "http://localhost:80.evil.example",
        "http://build.example.org",
        "https://build.example.org.evil.example",
        "https://example.com",
        "https://a.example.com.evil.example",
        "https://evil.example/.example.com",
        "http://a.example.com",
        "https://one.example.net:444",
        "null",
        "",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_refused(judge_origin(others[i], true, false), "origin");
        assert_refused(judge_origin(others[i], false, true), "origin");
        struct access_verdict reads = judge_origin(others[i], false, false);
        assert_true(reads.allowed);
        assert_false(reads.cors);
    }
}

/* No pattern stands for a page that was opened from a file; its name in the list does. */
static void test_null(void **state)
{
    (void)state;
    static const char *const any[] = {"*"}, *const null[] = {"null"};
    struct access_options options = {.cors = any, .cors_count = 1};
    access_rules_free(rules);
    rules = access_rules_new(&options);
    assert_refused(judge_origin("null", true, false), "origin");
    assert_non_null(strstr(judge_origin("null", true, false).message, "cors_origins"));
    assert_false(judge_origin("null", false, false).cors);
    access_rules_free(rules);
    options.cors = null;
    rules = access_rules_new(&options);
    assert_true(judge_origin("null", true, true).allowed);
    assert_true(judge_origin("null", true, true).cors);
}

static void test_forwarded(void **state)
{
    (void)state;
    struct access_request request = {.host = SLICE("localhost"), .forwarded = true};
    assert_refused(access_judge(rules, &request), "forwarded");
    const struct access_options options = {.insecure = true};
    access_rules_free(rules);
    rules = access_rules_new(&options);
    assert_true(access_judge(rules, &request).allowed);
}

static void test_health_answers_everybody(void **state)
{
    (void)state;
    const struct access_request request = {.host = SLICE("10.0.0.1"),
                                           .origin = SLICE("https://evil.example"),
                                           .forwarded = true,
                                           .health = true};
    struct access_verdict verdict = access_judge(rules, &request);
    assert_true(verdict.allowed);
    assert_false(verdict.cors);
}

static void assert_match(const char *pattern, const char *text, bool expected)
{
    assert_int_equal(access_pattern_match(slice_from(pattern), slice_from(text)), expected);
}

static void test_patterns(void **state)
{
    (void)state;
    assert_match("", "", true);
    assert_match("", "a", false);
    assert_match("abc", "abc", true);
    assert_match("abc", "abcd", false);
    assert_match("abcd", "abc", false);
    assert_match("*", "", true);
    assert_match("*", "anything.at:all", true);
    assert_match("*", "a/b", false);
    assert_match("*/*", "a/b", true);
    assert_match("a*c", "abbbc", true);
    assert_match("a*c", "ac", true);
    assert_match("a*c", "ab/c", false);
    assert_match("a*b*c", "aXbYbZc", true);
    assert_match("a*b*c", "aXcYb", false);
    assert_match("**x", "aax", true);
    assert_match("x**", "xaa", true);
    assert_match("*ab", "aab", true);
    assert_match("*.example.com", ".example.com", true);
    assert_match("*x/*z", "xx/z", true);
    assert_match("http://*:*", "http://h:1", true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rules, close_rules)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hosts),    TEST(test_own_origins), TEST(test_other_origins),
        TEST(test_null),     TEST(test_forwarded),   TEST(test_health_answers_everybody),
        TEST(test_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
