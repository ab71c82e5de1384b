/* Who may reach the server: origins, hosts, forwarding headers, and patterns of origins. */
#include "../test.h"

#include "auth/access.h"

static const char *const own_urls[] = {"https://build.example.com", "http://fanfare.lan:8080"};
static const char *const bound[] = {"192.168.1.5:8000", "[fe80::1]:8000"};
static const char *const cors[] = {"https://app.example.com", "https://*.preview.example.com",
                                   "http://10.0.0.*:3000"};

static struct access_options usual_options(void)
{
    return (struct access_options){
        .own_urls = own_urls,
        .own_url_count = sizeof own_urls / sizeof *own_urls,
        .bound = bound,
        .bound_count = sizeof bound / sizeof *bound,
        .cors = cors,
        .cors_count = sizeof cors / sizeof *cors,
    };
}

/* A WebSocket handshake to localhost; origin NULL: none. */
static struct access_request from_origin(const char *origin)
{
    return (struct access_request){
        .host = SLICE("localhost:8000"),
        .origin = slice_from(origin),
        .handshake = true,
    };
}

static struct access_verdict judge(struct access_request request)
{
    const struct access_options options = usual_options();
    struct access_rules *rules = access_rules_new(&options);
    struct access_verdict verdict = access_judge(rules, &request);
    access_rules_free(rules);
    assert_true(verdict.allowed ? !verdict.code && !verdict.message
                                : verdict.code && verdict.message);
    return verdict;
}

static void assert_refused(struct access_verdict verdict, const char *code)
{
    assert_false(verdict.allowed);
    assert_false(verdict.cors);
    assert_string_equal(verdict.code, code);
}

/* ---- Origins ---- */

static void test_own_origins(void **state)
{
    (void)state;
    static const char *const origins[] = {
        "http://localhost",
        "http://localhost:5173",
        "http://LOCALHOST:1",
        "http://127.0.0.1",
        "http://127.0.0.1:65535",
        "https://build.example.com",
        "HTTPS://Build.Example.COM",
        "http://fanfare.lan:8080",
        "http://192.168.1.5:8000",
        "https://192.168.1.5:8000",
        "http://[fe80::1]:8000",
        "https://app.example.com",
        "https://a.preview.example.com",
        "https://a.b.preview.example.com",
        "http://10.0.0.17:3000",
    };
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
        struct access_verdict verdict = judge(from_origin(origins[i]));
        if (!verdict.allowed || !verdict.cors)
            fail_msg("%s: refused", origins[i]);
    }
}

static void test_foreign_origins(void **state)
{
    (void)state;
    static const char *const origins[] = {
        "",
        "http://",
        "localhost",
        "http://localhost.evil.example",
        "http://localhost:80.evil.example",
        "http://localhost:",
        "http://localhost:8000/",
        "http://localhost:80@evil.example",
        "http://localhost@evil.example",
        "http://localhosts",
        "http://evil-localhost",
        "http://sub.localhost",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.10",
        "http://127.0.0.1:80a",
        "ftp://localhost",
        "https://evil.example",
        "https://build.example.com.evil.example",
        "https://build.example.com:8443",
        "http://build.example.com",
        "https://xbuild.example.com",
        "http://fanfare.lan",
        "http://192.168.1.5",
        "https://evil.example/a.preview.example.com",
        "https://preview.example.com",
        "http://10.0.0.17:30000",
    };
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
        struct access_verdict verdict = judge(from_origin(origins[i]));
        if (verdict.allowed)
            fail_msg("%s: allowed", origins[i]);
        assert_refused(verdict, "origin");
        assert_non_null(strstr(verdict.message, "cors_origins"));
    }
}

/* Reading without a handshake is for everybody, but no foreign page sees the answer. */
static void test_what_origins_are_asked_for(void **state)
{
    (void)state;
    struct access_request request = from_origin("https://evil.example");
    request.handshake = false;
    struct access_verdict verdict = judge(request);
    assert_true(verdict.allowed);
    assert_false(verdict.cors);
    request.changes = true;
    assert_refused(judge(request), "origin");
    request.handshake = true;
    assert_refused(judge(request), "origin");
    verdict = judge(from_origin(NULL)); /* no browser: a program of this machine */
    assert_true(verdict.allowed);
    assert_false(verdict.cors);
}

static struct access_verdict judge_null(const char *listed)
{
    const struct access_options options = {.cors = &listed, .cors_count = 1};
    struct access_rules *rules = access_rules_new(&options);
    struct access_request request = from_origin("null");
    struct access_verdict verdict = access_judge(rules, &request);
    access_rules_free(rules);
    return verdict;
}

static void test_null_origin(void **state)
{
    (void)state;
    assert_refused(judge(from_origin("null")), "origin");
    assert_non_null(strstr(judge(from_origin("null")).message, "list \"null\""));
    assert_refused(judge_null("*"), "origin"); /* a pattern does not stand for it */
    assert_refused(judge_null("nul*"), "origin");
    assert_true(judge_null("null").allowed);
    assert_true(judge_null("null").cors);
}

static void test_everything_but_null(void **state)
{
    (void)state;
    const char *const all[] = {"http://*", "https://*"};
    const struct access_options options = {.cors = all, .cors_count = 2};
    struct access_rules *rules = access_rules_new(&options);
    struct access_request request = from_origin("https://any.example:8443");
    assert_true(access_judge(rules, &request).cors);
    request.origin = SLICE("https://any.example/path");
    assert_false(access_judge(rules, &request).allowed);
    access_rules_free(rules);
}

/* ---- Hosts ---- */

static void test_own_hosts(void **state)
{
    (void)state;
    static const char *const hosts[] = {
        "localhost",      "LocalHost:8000",    "127.0.0.1",        "127.0.0.1:1",
        "[::1]",          "[::1]:8000",        "192.168.1.5:8000", "[fe80::1]:8000",
        "[FE80::1]:8000", "build.example.com", "fanfare.lan:8080",
    };
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct access_verdict verdict =
            judge((struct access_request){.host = slice_from(hosts[i])});
        if (!verdict.allowed)
            fail_msg("%s: refused", hosts[i]);
    }
}

/* A foreign name that was made to resolve to 127.0.0.1 is refused, also for reading. */
static void test_foreign_hosts(void **state)
{
    (void)state;
    static const char *const hosts[] = {
        "",
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "localhost:8000.evil.example",
        "localhost:",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "::1",
        "[::1",
        "[::1]8000",
        "192.168.1.5",
        "192.168.1.5:80000",
        "build.example.com.evil.example",
        "build.example.com:8443",
        "fanfare.lan",
    };
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct access_request request = {.host = slice_from(hosts[i])};
        struct access_verdict verdict = judge(request);
        if (verdict.allowed)
            fail_msg("%s: allowed", hosts[i]);
        assert_refused(verdict, "host");
    }
    assert_refused(judge((struct access_request){0}), "host"); /* no Host at all */
}

/* An origin of ours does not excuse a host that is not. */
static void test_host_comes_before_origin(void **state)
{
    (void)state;
    struct access_request request = from_origin("http://localhost:8000");
    request.host = SLICE("evil.example");
    assert_refused(judge(request), "host");
}

/* ---- Forwarding, health ---- */

static void test_forwarded(void **state)
{
    (void)state;
    struct access_request request = from_origin(NULL);
    request.forwarded = true;
    assert_refused(judge(request), "forwarded");
    struct access_options options = usual_options();
    options.insecure = true;
    struct access_rules *rules = access_rules_new(&options);
    assert_true(access_judge(rules, &request).allowed);
    request.host = SLICE("evil.example"); /* the other checks remain */
    assert_refused(access_judge(rules, &request), "host");
    access_rules_free(rules);
}

static void test_health_answers_everybody(void **state)
{
    (void)state;
    struct access_request request = from_origin("https://evil.example");
    request.host = SLICE("10.1.2.3:8000");
    request.forwarded = request.changes = request.health = true;
    struct access_verdict verdict = judge(request);
    assert_true(verdict.allowed);
    assert_false(verdict.cors);
}

/* ---- Rules and patterns ---- */

static void test_no_rules(void **state)
{
    (void)state;
    struct access_rules *rules = access_rules_new(&(struct access_options){0});
    struct access_request request = from_origin("http://localhost:3000");
    assert_true(access_judge(rules, &request).cors);
    request.origin = SLICE("https://localhost:3000");
    assert_false(access_judge(rules, &request).allowed);
    access_rules_free(rules);
    access_rules_free(NULL);
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"*", "anything:80", true},
        {"*", "a/b", false},
        {"**", "ab", true},
        {"a*", "a", true},
        {"a*", "ba", false},
        {"*a", "aaa", true},
        {"*a", "aab", false},
        {"a*b*c", "a1b2b3c", true},
        {"a*b*c", "abcb", false},
        {"a*b*c", "a/bc", false},
        {"a*b*/c", "abb/c", true},
        {"*/*", "a/b", true},
        {"*/*", "a/b/c", false},
        {"*/", "a/", true},
        {"http://*", "http://a.example", true},
        {"http://*", "http://a.example/b", false},
        {"http*", "http://a", false},
        {"A", "a", true},
        {"https://*.Example", "https://app.example", true},
        {"a?", "ab", false},
        {"a.b", "axb", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (access_pattern_match(slice_from(cases[i].pattern), slice_from(cases[i].text)) !=
            cases[i].matches)
            fail_msg("%s, %s", cases[i].pattern, cases[i].text);
    assert_true(access_pattern_match(SLICE("*"), slice_of(NULL, 0)));
}

/* Many stars take time that grows with the product of the lengths, not with a power of them. */
static void test_pattern_of_many_stars(void **state)
{
    (void)state;
    char pattern[201], text[2001];
    for (size_t i = 0; i < 200; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    pattern[200] = '\0';
    memset(text, 'a', 1999);
    text[1999] = 'b';
    text[2000] = '\0';
    assert_false(access_pattern_match(slice_from(pattern), slice_from(text)));
}

/* ---- With a key ---- */

static struct access_verdict judge_keyed(struct access_request request, bool named)
{
    struct access_options options = usual_options();
    options.keyed = true;
    if (!named)
        options.own_url_count = 0;
    struct access_rules *rules = access_rules_new(&options);
    struct access_verdict verdict = access_judge(rules, &request);
    access_rules_free(rules);
    return verdict;
}

static void test_key_origins(void **state)
{
    (void)state;
    assert_refused(judge_keyed(from_origin("http://localhost:5173"), true), "origin");
    assert_refused(judge_keyed(from_origin("http://127.0.0.1"), true), "origin");
    assert_true(judge_keyed(from_origin("https://build.example.com"), true).cors);
    assert_true(judge_keyed(from_origin("http://192.168.1.5:8000"), true).cors);
}

static void test_key_hosts_and_proxies(void **state)
{
    (void)state;
    struct access_request request = from_origin(NULL);
    request.host = SLICE("rebound.example");
    request.forwarded = true;
    assert_true(judge_keyed(request, false).allowed);
    assert_refused(judge_keyed(request, true), "host");
    request.host = SLICE("build.example.com");
    assert_true(judge_keyed(request, true).allowed);
}

/* Any site can make its origin `null`, but not a good token. */
static void test_null_with_a_token(void **state)
{
    (void)state;
    struct access_request request = from_origin("null");
    assert_refused(judge(request), "origin");
    request.token = true;
    assert_true(judge(request).cors);
    assert_true(judge_keyed(request, true).cors);
    request.origin = SLICE("https://evil.example");
    assert_refused(judge_keyed(request, true), "origin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_origins),
        cmocka_unit_test(test_foreign_origins),
        cmocka_unit_test(test_what_origins_are_asked_for),
        cmocka_unit_test(test_null_origin),
        cmocka_unit_test(test_everything_but_null),
        cmocka_unit_test(test_own_hosts),
        cmocka_unit_test(test_foreign_hosts),
        cmocka_unit_test(test_host_comes_before_origin),
        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_health_answers_everybody),
        cmocka_unit_test(test_no_rules),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_pattern_of_many_stars),
        cmocka_unit_test(test_key_origins),
        cmocka_unit_test(test_key_hosts_and_proxies),
        cmocka_unit_test(test_null_with_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
