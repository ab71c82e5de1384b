/* What GitHub's webhooks become, and their signatures. */
#include "../test.h"

#include "api/github_event.h"
#include "api/webhook_signature.h"
#include "fanfare/error.h"

#define ID "550e8400-e29b-41d4-a716-446655440000"

static struct json_value parse(const char *text)
{
    struct json_value value;
    assert_int_equal(json_parse(slice_from(text), &value, NULL), 0);
    return value;
}

static void assert_event(const char *name, const char *payload, const char *type, const char *data)
{
    const struct github_event *kind = github_event_find(slice_from(name));
    struct buf out = {0};
    assert_non_null(kind);
    const char *found = github_event_type(kind, parse(payload));
    assert_non_null(found);
    assert_string_equal(found, type);
    github_event_append(kind, parse(payload), ID, &out);
    assert_string_equal(buf_text(&out), data);
    buf_fini(&out);
}

static void test_pull_requests(void **state)
{
    (void)state;
    assert_event("pull_request",
                 "{\"action\":\"opened\",\"pull_request\":{\"number\":3,\"title\":\"T \\u00e9\","
                 "\"body\":\"B\",\"user\":{\"login\":\"ada\"},\"head\":{\"ref\":\"fix\"},"
                 "\"html_url\":\"https://github.com/a/b/pull/3\",\"state\":\"open\","
                 "\"created_at\":\"2026-01-31T12:00:00Z\",\"merged\":false}}",
                 "pr.created",
                 "{\"pr_id\":\"3\",\"project_id\":\"" ID "\",\"title\":\"T \xc3\xa9\","
                 "\"description\":\"B\",\"author\":\"ada\",\"branch\":\"fix\","
                 "\"github_url\":\"https://github.com/a/b/pull/3\","
                 "\"created_at\":\"2026-01-31T12:00:00Z\",\"status\":\"open\"}");
    assert_event("pull_request",
                 "{\"action\":\"closed\",\"pull_request\":{\"number\":3,\"state\":\"closed\","
                 "\"merged\":true}}",
                 "pr.closed", "{\"pr_id\":\"3\",\"project_id\":\"" ID "\",\"status\":\"merged\"}");
    assert_event("pull_request",
                 "{\"action\":\"synchronize\",\"pull_request\":{\"number\":3,\"body\":null,"
                 "\"user\":null,\"head\":5}}",
                 "pr.updated", "{\"pr_id\":\"3\",\"project_id\":\"" ID "\"}");
}

static void test_issues(void **state)
{
    (void)state;
    assert_event("issues",
                 "{\"action\":\"opened\",\"issue\":{\"number\":7,\"title\":\"T\",\"body\":\"\","
                 "\"state\":\"open\",\"assignee\":{\"login\":\"bob\"},"
                 "\"updated_at\":\"2026-01-31T12:00:00Z\"}}",
                 "issue.created",
                 "{\"issue_id\":\"7\",\"project_id\":\"" ID "\",\"title\":\"T\","
                 "\"description\":\"\",\"assigned_to\":\"bob\","
                 "\"updated_at\":\"2026-01-31T12:00:00Z\",\"status\":\"open\"}");
    static const char *const closing[] = {"closed", "deleted", "transferred"};
    for (int i = 0; i < 3; i++) {
        struct buf payload = {0};
        buf_printf(&payload, "{\"action\":\"%s\",\"issue\":{\"number\":7,\"assignee\":null}}",
                   closing[i]);
        assert_event("issues", buf_text(&payload), "issue.closed",
                     "{\"issue_id\":\"7\",\"project_id\":\"" ID "\"}");
        buf_fini(&payload);
    }
    assert_event("issues", "{\"action\":\"labeled\",\"issue\":{\"number\":7}}", "issue.updated",
                 "{\"issue_id\":\"7\",\"project_id\":\"" ID "\"}");
}

static void test_what_is_none(void **state)
{
    (void)state;
    const struct github_event *kind = github_event_find(SLICE("issues"));
    static const char *const none[] = {"{}",
                                       "{\"action\":\"opened\"}",
                                       "{\"action\":\"opened\",\"issue\":5}",
                                       "{\"action\":\"opened\",\"issue\":{\"number\":\"7\"}}",
                                       "{\"action\":\"opened\",\"pull_request\":{\"number\":7}}",
                                       "{\"issue\":{\"number\":7}}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(github_event_type(kind, parse(none[i])));
    assert_null(github_event_find(SLICE("push")));
    assert_null(github_event_find(SLICE("ping")));
    assert_null(github_event_find(SLICE("")));
}

static void assert_repository(const char *payload, int error, const char *expected)
{
    struct buf out = {0};
    assert_int_equal(github_event_repository(parse(payload), &out), error);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void test_repositories(void **state)
{
    (void)state;
    assert_repository("{\"repository\":{\"html_url\":\"https://github.com/A/B\"}}", 0,
                      "github.com/a/b");
    assert_repository("{\"repository\":{\"html_url\":null,\"ssh_url\":\"git@github.com:a/b.git\"}}",
                      0, "github.com/a/b");
    assert_repository("{\"repository\":{\"html_url\":\"x\"}}", FAN_E_INVALID, "");
    assert_repository("{\"repository\":\"https://github.com/a/b\"}", FAN_E_INVALID, "");
    assert_repository("{}", FAN_E_INVALID, "");
}

/* ---- Signatures: the example of GitHub's documentation ---- */

#define GOOD "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

static bool holds(const char *text, const char *secret, const char *const *pieces)
{
    struct webhook_signature *s = webhook_signature_new(slice_from(text), secret);
    assert_non_null(s);
    for (; *pieces; pieces++)
        webhook_signature_add(s, slice_from(*pieces));
    bool result = webhook_signature_holds(s);
    webhook_signature_free(s);
    return result;
}

static void test_signatures(void **state)
{
    (void)state;
    const char *secret = "It's a Secret to Everybody";
    assert_true(holds(GOOD, secret, (const char *const[]){"Hello, World!", NULL}));
    assert_true(holds(GOOD, secret, (const char *const[]){"Hel", "", "lo, World!", NULL}));
    assert_false(holds(GOOD, secret, (const char *const[]){"Hello, World", NULL}));
    assert_false(holds(GOOD, secret, (const char *const[]){NULL}));
    assert_false(holds(GOOD, "another", (const char *const[]){"Hello, World!", NULL}));
    char changed[] = GOOD;
    changed[sizeof changed - 2] = '8';
    assert_false(holds(changed, secret, (const char *const[]){"Hello, World!", NULL}));
}

static void test_malformed_signatures(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "sha256=",
        "sha1=757107ea0eb2509fc211221cce984b8a37570b6d",
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e177",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1x",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(webhook_signature_new(slice_from(bad[i]), "secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pull_requests), cmocka_unit_test(test_issues),
        cmocka_unit_test(test_what_is_none),  cmocka_unit_test(test_repositories),
        cmocka_unit_test(test_signatures),    cmocka_unit_test(test_malformed_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
