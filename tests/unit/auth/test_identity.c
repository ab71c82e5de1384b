/* Claims and decisions: who may what, and why. */
#include "../test.h"

#include <stdio.h>

#include "auth/identity.h"

#define NOW_MS 1800000000000

static const char *const anonymous_topics[] = {"session:open-*", "user:*"};
static const char *const publish_topics[] = {"channel:*"};

static struct access_policy *policy_of(struct access_policy_options options)
{
    return access_policy_new(&options);
}

static struct identity *read_claims(const char *claims, struct access_policy_options options,
                                    struct token_refusal *refusal)
{
    struct buf text = {0};
    struct access_policy *policy = policy_of(options);
    buf_append_text(&text, claims);
    *refusal = (struct token_refusal){0};
    struct identity *who = identity_from_claims(&text, policy, NOW_MS, refusal);
    access_policy_unref(policy);
    buf_fini(&text);
    return who;
}

static struct identity *somebody(const char *claims, struct access_policy_options options)
{
    struct token_refusal refusal;
    struct identity *who = read_claims(claims, options, &refusal);
    if (!who)
        fail_msg("%s: %s", claims, refusal.detail);
    return who;
}

static void assert_refused(const char *claims, enum token_problem problem, const char *detail)
{
    struct token_refusal refusal;
    struct identity *who = read_claims(claims, (struct access_policy_options){0}, &refusal);
    if (who || refusal.problem != problem || !strstr(refusal.detail, detail))
        fail_msg("%s: %s", claims, who ? "accepted" : refusal.detail);
}

static void assert_decision(struct access_decision decision, bool allowed, const char *because)
{
    struct buf text = {0};
    access_decision_append(&text, &decision);
    if (decision.allowed != allowed || !strstr(buf_text(&text), because))
        fail_msg("%s, because %s; expected \"%s\"", decision.allowed ? "yes" : "no",
                 buf_text(&text), because);
    buf_fini(&text);
}

#define MAY_READ(who, topic, because) \
    assert_decision(identity_may_read(who, SLICE(topic)), 1, because)
#define NOT_READ(who, topic, because) \
    assert_decision(identity_may_read(who, SLICE(topic)), 0, because)
#define MAY_PUBLISH(who, topic, because) \
    assert_decision(identity_may_publish(who, SLICE(topic)), 1, because)
#define NOT_PUBLISH(who, topic, because) \
    assert_decision(identity_may_publish(who, SLICE(topic)), 0, because)

/* ---- Claims ---- */

static void test_kinds_of_claims(void **state)
{
    (void)state;
    static const struct {
        const char *claims, *detail;
    } cases[] = {
        {"{}", "sub is missing"},
        {"{\"sub\":null}", "sub is missing"},
        {"{\"sub\":1}", "sub must be a string, it is a number"},
        {"{\"sub\":\"\"}", "sub is empty"},
        {"{\"sub\":\"a\\u0000b\"}", "has a NUL"},
        {"{\"sub\":\"a\",\"rooms\":\"x\"}",
         "rooms must be a list of topic patterns, it is a string"},
        {"{\"sub\":\"a\",\"rooms\":{}}", "rooms must be a list"},
        {"{\"sub\":\"a\",\"rooms\":[null]}", "rooms must be a list of topic patterns, it is null"},
        {"{\"sub\":\"a\",\"rooms\":[\"\"]}", "no topic pattern"},
        {"{\"sub\":\"a\",\"publish\":true}", "publish must be a list"},
        {"{\"sub\":\"a\",\"execute\":1}", "execute must be true or false"},
        {"{\"sub\":\"a\",\"ai\":\"yes\"}", "ai must be true or false"},
        {"{\"sub\":\"a\",\"role\":[\"admin\"]}", "role must be a string"},
        {"{\"sub\":\"a\",\"exp\":\"soon\"}", "exp must be a number of seconds"},
        {"{\"sub\":\"a\",\"exp\":1e300}", "exp must be a time"},
        {"{\"sub\":\"a\",\"nbf\":true}", "nbf must be a number of seconds"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].claims, TOKEN_MALFORMED, cases[i].detail);
    assert_refused("{\"sub\":\"a\",\"token_type\":\"refresh\"}", TOKEN_WRONG_TYPE, "access");
    struct identity *who = somebody("{\"sub\":\"a\",\"token_type\":\"access\",\"rooms\":null,"
                                    "\"email\":\"a@b\",\"scopes\":[]}",
                                    (struct access_policy_options){0});
    assert_false(who->has_rooms);
    identity_unref(who);
}

static void test_too_many_patterns(void **state)
{
    (void)state;
    struct buf claims = {0};
    BUF_LITERAL(&claims, "{\"sub\":\"a\",\"rooms\":[\"x\"");
    for (int i = 0; i < 256; i++)
        BUF_LITERAL(&claims, ",\"x\"");
    BUF_LITERAL(&claims, "]}");
    assert_refused(buf_text(&claims), TOKEN_MALFORMED, "more than 256");
    buf_fini(&claims);
}

static void assert_time(const char *name, double seconds, enum token_problem problem)
{
    char claims[80];
    struct token_refusal refusal;
    snprintf(claims, sizeof claims, "{\"sub\":\"a\",\"%s\":%.3f}", name, seconds);
    struct identity *who = read_claims(claims, (struct access_policy_options){0}, &refusal);
    assert_int_equal(refusal.problem, problem);
    identity_unref(who);
}

static void test_times(void **state)
{
    (void)state;
    const double now = NOW_MS / 1000.0;
    assert_time("exp", now + 1, TOKEN_GOOD);
    assert_time("exp", now - 4.9, TOKEN_GOOD);
    assert_time("exp", now - 5, TOKEN_EXPIRED);
    assert_time("exp", 0, TOKEN_EXPIRED);
    assert_time("exp", -1, TOKEN_EXPIRED);
    assert_time("nbf", now + 5, TOKEN_GOOD);
    assert_time("nbf", now + 5.1, TOKEN_NOT_YET_VALID);
    assert_time("iat", now + 1000, TOKEN_GOOD);
    struct identity *who =
        somebody("{\"sub\":\"a\",\"exp\":1800000001.5}", (struct access_policy_options){0});
    assert_int_equal(who->expires_ms, 1800000001500);
    assert_int_equal(who->principal.until_ms, 1800000006500);
    identity_unref(who);
    who = somebody("{\"sub\":\"a\"}", (struct access_policy_options){0});
    assert_int_equal(who->principal.until_ms, 0);
    identity_unref(who);
}

static void test_issuer_and_audience(void **state)
{
    (void)state;
    const struct access_policy_options options = {.issuer = "me", .audience = "you"};
    struct token_refusal refusal;
    identity_unref(somebody("{\"sub\":\"a\",\"iss\":\"me\",\"aud\":\"you\"}", options));
    identity_unref(somebody("{\"sub\":\"a\",\"iss\":\"me\",\"aud\":[1,\"you\"]}", options));
    assert_null(read_claims("{\"sub\":\"a\",\"iss\":\"me\"}", options, &refusal));
    assert_null(read_claims("{\"sub\":\"a\",\"iss\":\"me\",\"aud\":[]}", options, &refusal));
    assert_null(read_claims("{\"sub\":\"a\",\"iss\":\"I\",\"aud\":\"you\"}", options, &refusal));
    assert_null(read_claims("{\"sub\":\"a\",\"aud\":\"you\"}", options, &refusal));
}

/* ---- Reading ---- */

static void test_reading_with_rooms(void **state)
{
    (void)state;
    struct identity *who =
        somebody("{\"sub\":\"al ice\",\"rooms\":[\"session:*\",\"user:*\",\"project:x\"],"
                 "\"publish\":[\"agent:*\"]}",
                 (struct access_policy_options){0});
    MAY_READ(who, "session:a", "the claim rooms has \"session:*\"");
    MAY_READ(who, "project:x", "\"project:x\"");
    NOT_READ(who, "project:xy", "no pattern of the claim rooms fits it");
    NOT_READ(who, "agent:a", "no pattern");
    MAY_READ(who, "global", "every user");
    MAY_READ(who, "user:al%20ice", "own topic");
    NOT_READ(who, "user:bob", "admins only");
    identity_unref(who);
}

static void test_reading_without_rooms(void **state)
{
    (void)state;
    struct identity *who = somebody("{\"sub\":\"a\"}", (struct access_policy_options){0});
    MAY_READ(who, "session:a", "access.default is reference");
    NOT_READ(who, "user:b", "admins only");
    identity_unref(who);
    const struct access_policy_options strict = {
        .strict = true, .anonymous = anonymous_topics, .anonymous_count = 2};
    who = somebody("{\"sub\":\"a\"}", strict);
    NOT_READ(who, "session:a", "access.default is strict");
    MAY_READ(who, "session:open-1", "access.anonymous has \"session:open-*\"");
    MAY_READ(who, "global", "every user");
    MAY_READ(who, "user:a", "own topic");
    identity_unref(who);
    who = somebody("{\"sub\":\"a\",\"role\":\"admin\",\"rooms\":[]}", strict);
    MAY_READ(who, "session:a", "role is admin");
    MAY_READ(who, "user:b", "role is admin");
    identity_unref(who);
}

static void test_reading_without_token(void **state)
{
    (void)state;
    struct access_policy *policy = policy_of(
        (struct access_policy_options){.anonymous = anonymous_topics, .anonymous_count = 2});
    struct identity *who = identity_anonymous(policy);
    access_policy_unref(policy);
    assert_string_equal(who->principal.name, "anonymous");
    MAY_READ(who, "session:open-1", "access.anonymous");
    NOT_READ(who, "session:a", "it needs a token");
    NOT_READ(who, "global", "it needs a token");
    NOT_READ(who, "user:anonymous", "admins only");
    NOT_PUBLISH(who, "session:open-1", "it needs a token");
    assert_decision(identity_may_publish_somewhere(who), false, "token");
    assert_decision(identity_may_execute(who), false, "token");
    assert_decision(identity_may_administer(who), false, "token");
    identity_unref(who);
    NOT_READ((struct identity *)NULL, "session:open-1", "no token was shown");
    NOT_PUBLISH((struct identity *)NULL, "session:open-1", "no token was shown");
}

static void test_open_mode(void **state)
{
    (void)state;
    const struct access_policy_options open = {.open = true};
    struct access_policy *policy = policy_of(open);
    struct identity *who = identity_anonymous(policy);
    access_policy_unref(policy);
    MAY_READ(who, "user:bob", "open mode");
    MAY_PUBLISH(who, "global", "open mode");
    assert_decision(identity_may_administer(who), true, "open mode");
    identity_unref(who);
    who = somebody("{\"sub\":\"a\",\"rooms\":[]}", open);
    NOT_READ(who, "session:a", "rooms"); /* who shows a token is held to it */
    NOT_PUBLISH(who, "session:a", "no claim publish");
    identity_unref(who);
}

/* ---- The rest ---- */

static void test_publishing(void **state)
{
    (void)state;
    const struct access_policy_options rule = {.publish = publish_topics, .publish_count = 1};
    struct identity *who = somebody("{\"sub\":\"a\",\"rooms\":[\"agent:*\"],"
                                    "\"publish\":[\"session:*\",\"user:bob\"]}",
                                    rule);
    MAY_PUBLISH(who, "session:x", "the claim publish has \"session:*\"");
    MAY_PUBLISH(who, "user:bob", "\"user:bob\"");
    MAY_PUBLISH(who, "channel:x", "access.publish has \"channel:*\"");
    NOT_PUBLISH(who, "agent:x", "no pattern of the claim publish fits it");
    NOT_PUBLISH(who, "user:a", "no pattern");
    assert_decision(identity_may_publish_somewhere(who), true, "");
    identity_unref(who);
    who = somebody("{\"sub\":\"a\"}", (struct access_policy_options){0});
    NOT_PUBLISH(who, "session:x", "there is no claim publish");
    assert_decision(identity_may_publish_somewhere(who), false, "there is no claim publish");
    identity_unref(who);
}

static void test_running(void **state)
{
    (void)state;
    struct identity *who = somebody("{\"sub\":\"a\",\"execute\":true,\"ai\":false}",
                                    (struct access_policy_options){0});
    assert_decision(identity_may_execute(who), true, "the claim execute is true");
    assert_decision(identity_may_use_ai(who), false, "there is no claim ai");
    identity_unref(who);
    who = somebody("{\"sub\":\"a\"}", (struct access_policy_options){.execute = true, .ai = true});
    assert_decision(identity_may_execute(who), true, "access.execute is on");
    assert_decision(identity_may_use_ai(who), true, "access.ai is on");
    assert_decision(identity_may_administer(who), false, "admins only");
    identity_unref(who);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_of_claims),
        cmocka_unit_test(test_too_many_patterns),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_issuer_and_audience),
        cmocka_unit_test(test_reading_with_rooms),
        cmocka_unit_test(test_reading_without_rooms),
        cmocka_unit_test(test_reading_without_token),
        cmocka_unit_test(test_open_mode),
        cmocka_unit_test(test_publishing),
        cmocka_unit_test(test_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
