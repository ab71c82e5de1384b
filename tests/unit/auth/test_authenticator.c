/* From tokens to identities: remembered, forgotten, renewed, by many threads at once. */
#include "tokens.h"

#include <pthread.h>

#include "auth/authenticator.h"
#include "base/clock.h"

static struct authenticator_options options_of(const char *secret)
{
    return (struct authenticator_options){.keys = {.secret = secret,
                                                   .public_key_file = "",
                                                   .jwks_file = "",
                                                   .development_key = "",
                                                   .algorithms = ""}};
}

static struct authenticator *make(const char *secret)
{
    const struct authenticator_options options = options_of(secret);
    struct buf why = {0};
    struct authenticator *a = authenticator_new(&options, &why);
    assert_non_null(a);
    buf_fini(&why);
    return a;
}

static struct buf token_of(const char *claims)
{
    return sign_with(key_of_secret(SECRET), claims, "");
}

static struct identity *identify(struct authenticator *a, struct buf *token,
                                 enum token_problem expected)
{
    struct token_refusal refusal = {0};
    struct identity *who = authenticator_identify(a, buf_slice(token), &refusal);
    assert_int_equal(refusal.problem, expected);
    assert_int_equal(who != NULL, expected == TOKEN_GOOD);
    return who;
}

static void test_one_identity_for_a_token(void **state)
{
    (void)state;
    struct authenticator *a = make(SECRET);
    struct buf token = token_of("{\"sub\":\"alice\"}"), other = token_of("{\"sub\":\"bob\"}");
    struct identity *first = identify(a, &token, TOKEN_GOOD);
    struct identity *second = identify(a, &token, TOKEN_GOOD);
    struct identity *bob = identify(a, &other, TOKEN_GOOD);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, bob);
    assert_string_equal(first->principal.name, "alice");
    assert_ptr_equal(first->authenticator, a);
    identity_unref(first);
    identity_unref(second);
    identity_unref(bob);
    buf_fini(&token);
    buf_fini(&other);
    authenticator_free(a);
}

static void test_no_token(void **state)
{
    (void)state;
    struct authenticator *keyed = make(SECRET), *open = make("");
    static const char *const texts[] = {"", "null"};
    for (int i = 0; i < 2; i++) {
        struct buf text = {0};
        buf_append_text(&text, texts[i]);
        identify(keyed, &text, TOKEN_MISSING);
        struct identity *who = identify(open, &text, TOKEN_GOOD);
        assert_true(who->anonymous);
        identity_unref(who);
        buf_fini(&text);
    }
    authenticator_free(keyed);
    authenticator_free(open);
}

/* Remembered or not, its time ends. */
static void test_remembered_until_it_expires(void **state)
{
    (void)state;
    struct authenticator *a = make(SECRET);
    char claims[80];
    int64_t until_ms = clock_wall_ms() + 300;
    snprintf(claims, sizeof claims, "{\"sub\":\"alice\",\"exp\":%.3f}",
             (double)(until_ms - TOKEN_LEEWAY_MS) / 1000);
    struct buf token = token_of(claims);
    identity_unref(identify(a, &token, TOKEN_GOOD));
    while (clock_wall_ms() < until_ms + 2)
        ;
    identify(a, &token, TOKEN_EXPIRED);
    buf_fini(&token);
    authenticator_free(a);
}

static void test_configuring_forgets(void **state)
{
    (void)state;
    struct authenticator *a = make(SECRET);
    struct buf token = token_of("{\"sub\":\"alice\"}"), why = {0};
    struct identity *who = identify(a, &token, TOKEN_GOOD);
    struct authenticator_options options = options_of(SECRET "-two");
    assert_int_equal(authenticator_configure(a, &options, &why), 0);
    identify(a, &token, TOKEN_BAD_SIGNATURE);
    assert_true(identity_may_read(who, SLICE("session:a")).allowed); /* who is there stays */
    options = options_of(SECRET);
    options.keys.jwks_file = "/nowhere/jwks.json";
    assert_int_not_equal(authenticator_configure(a, &options, &why), 0);
    identify(a, &token, TOKEN_BAD_SIGNATURE);
    options.keys.jwks_file = "";
    options.policy.strict = true;
    assert_int_equal(authenticator_configure(a, &options, &why), 0);
    struct identity *strict = identify(a, &token, TOKEN_GOOD);
    assert_false(identity_may_read(strict, SLICE("session:a")).allowed);
    identity_unref(strict);
    identity_unref(who);
    buf_fini(&token);
    buf_fini(&why);
    authenticator_free(a);
}

static void assert_renewed(const struct identity *who, const char *claims,
                           enum token_problem expected)
{
    struct token_refusal refusal = {0};
    struct buf token = token_of(claims);
    struct identity *fresh = authenticator_renew(who, buf_slice(&token), &refusal);
    assert_int_equal(refusal.problem, expected);
    identity_unref(fresh);
    buf_fini(&token);
}

static void test_renewing(void **state)
{
    (void)state;
    struct authenticator *a = make(SECRET), *open = make("");
    struct buf token = token_of("{\"sub\":\"alice\"}"), none = {0};
    struct identity *who = identify(a, &token, TOKEN_GOOD);
    struct identity *nobody = identify(open, &none, TOKEN_GOOD);
    struct token_refusal refusal;
    assert_renewed(who, "{\"sub\":\"alice\",\"rooms\":[]}", TOKEN_GOOD);
    assert_renewed(who, "{\"sub\":\"alicf\"}", TOKEN_MALFORMED);
    assert_renewed(who, "{\"sub\":\"alice\",\"exp\":1}", TOKEN_EXPIRED);
    assert_renewed(nobody, "{\"sub\":\"anonymous\"}", TOKEN_BAD_SIGNATURE);
    assert_renewed(NULL, "{\"sub\":\"alice\"}", TOKEN_MISSING);
    assert_null(authenticator_renew(who, SLICE(""), &refusal));
    assert_int_equal(refusal.problem, TOKEN_MISSING);
    identity_unref(nobody);
    identity_unref(who);
    buf_fini(&token);
    authenticator_free(a);
    authenticator_free(open);
}

/* ---- Many at once ---- */

#define THREADS 4
#define ROUNDS  3000

struct crowd {
    struct authenticator *authenticator;
    struct buf tokens[8];
};

static void *ask(void *arg)
{
    struct crowd *crowd = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct token_refusal refusal;
        struct identity *who = authenticator_identify(crowd->authenticator,
                                                      buf_slice(&crowd->tokens[i % 8]), &refusal);
        assert_non_null(who);
        identity_unref(who);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct crowd crowd = {.authenticator = make(SECRET)};
    const struct authenticator_options options = options_of(SECRET);
    pthread_t threads[THREADS];
    for (int i = 0; i < 8; i++) {
        char claims[40];
        snprintf(claims, sizeof claims, "{\"sub\":\"user%d\"}", i);
        crowd.tokens[i] = token_of(claims);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, ask, &crowd);
    for (int i = 0; i < 50; i++) {
        struct buf why = {0};
        assert_int_equal(authenticator_configure(crowd.authenticator, &options, &why), 0);
        authenticator_refresh(crowd.authenticator);
        buf_fini(&why);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 8; i++)
        buf_fini(&crowd.tokens[i]);
    authenticator_free(crowd.authenticator);
}

/* More tokens than are remembered: the oldest go. */
static void test_many_tokens(void **state)
{
    (void)state;
    struct authenticator *a = make(SECRET);
    for (int i = 0; i < 5000; i++) {
        char claims[40];
        snprintf(claims, sizeof claims, "{\"sub\":\"user%d\"}", i);
        struct buf token = token_of(claims);
        identity_unref(identify(a, &token, TOKEN_GOOD));
        buf_fini(&token);
    }
    authenticator_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_identity_for_a_token),
        cmocka_unit_test(test_no_token),
        cmocka_unit_test(test_remembered_until_it_expires),
        cmocka_unit_test(test_configuring_forgets),
        cmocka_unit_test(test_renewing),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_many_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
