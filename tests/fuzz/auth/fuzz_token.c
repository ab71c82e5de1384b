/*
 * Tokens: whatever is sent, taking it apart and reading its claims ends orderly; what is accepted
 * has one reading. The input's first byte chooses: a whole token, or the claims of one whose
 * signature is good.
 */
#include "../fuzz.h"

#include "auth/identity.h"
#include "auth/token.h"
#include "codec/base64url.h"
#include "hub/topic_name.h"

#define NOW_MS 1800000000000

static void check_identity(const struct identity *who)
{
    struct topic_name topic;
    struct slice own = buf_slice(&who->user_topic);
    FUZZ_CHECK(topic_name_parse(own, &topic, NULL) == 0 && topic.kind == TOPIC_USER);
    FUZZ_CHECK(identity_may_read(who, own).allowed);
    FUZZ_CHECK(identity_may_read(who, SLICE("global")).allowed);
    FUZZ_CHECK(who->admin || !identity_may_read(who, SLICE("user:~")).allowed);
    identity_may_publish(who, SLICE("session:a"));
}

static void try_claims(struct slice text)
{
    struct token token;
    struct token_refusal refusal = {0};
    struct buf whole = {0};
    BUF_LITERAL(&whole, "eyJhbGciOiJIUzI1NiJ9.");
    base64url_append(&whole, text);
    BUF_LITERAL(&whole, ".c2ln");
    if (token_parse(buf_slice(&whole), &token, &refusal) == TOKEN_GOOD) {
        struct access_policy *policy = access_policy_new(&(struct access_policy_options){0});
        struct identity *who = identity_from_claims(&token.claims, policy, NOW_MS, &refusal);
        FUZZ_CHECK(slice_equal(buf_slice(&token.claims), text));
        FUZZ_CHECK(who || (refusal.problem && refusal.detail[0]));
        if (who)
            check_identity(who);
        identity_unref(who);
        access_policy_unref(policy);
    }
    token_fini(&token);
    buf_fini(&whole);
}

static void try_token(struct slice text)
{
    struct token token;
    struct token_refusal refusal = {0};
    if (token_parse(text, &token, &refusal) == TOKEN_GOOD)
        FUZZ_CHECK(token.algorithm.len > 0);
    else
        FUZZ_CHECK(refusal.problem == TOKEN_MALFORMED && refusal.detail[0]);
    token_fini(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    uint8_t choice;
    if (!fuzz_take(&input, 1, &choice))
        return 0;
    char *copy = fuzz_copy(input);
    (choice & 1 ? try_claims : try_token)(slice_of(copy, input.len));
    free(copy);
    return 0;
}
