/* Taking tokens apart: what is refused before any signature is looked at. */
#include "tokens.h"

#include "base/memory.h"

static void assert_malformed(struct slice text, const char *detail)
{
    struct token token;
    struct token_refusal refusal = {0};
    enum token_problem problem = token_parse(text, &token, &refusal);
    token_fini(&token);
    if (problem != TOKEN_MALFORMED || !strstr(refusal.detail, detail))
        fail_msg("\"%.*s\": %s, expected \"%s\"", SLICE_ARG(text),
                 problem ? refusal.detail : "accepted", detail);
}

static void assert_parts_malformed(const char *header, const char *claims, const char *detail)
{
    struct buf text = assemble(header, claims);
    assert_malformed(buf_slice(&text), detail);
    buf_fini(&text);
}

static void test_good(void **state)
{
    (void)state;
    struct buf text = assemble("{\"alg\":\"H\\u0053256\",\"kid\":\"k 1\",\"crit\":null}",
                               " {\"sub\":\"a\",\"nested\":{\"sub\":1,\"b\":{\"sub\":2}}} ");
    struct token token;
    struct token_refusal refusal;
    struct json_value value;
    assert_int_equal(token_parse(buf_slice(&text), &token, &refusal), TOKEN_GOOD);
    assert_true(slice_is(buf_slice(&token.algorithm), "HS256"));
    assert_true(slice_is(buf_slice(&token.key_id), "k 1"));
    assert_true(token_member(&token.claims, "sub", &value));
    assert_true(json_string_is(value, "a"));
    assert_false(token_member(&token.claims, "exp", &value));
    assert_false(token_member(&token.header, "crit", &value));
    token_fini(&token);
    buf_fini(&text);
}

static void test_form(void **state)
{
    (void)state;
    static const char *const texts[] = {"", ".", "..", "a", "a.b", "a.b.c.d", "a.b.", "....."};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_malformed(slice_from(texts[i]), i == 2 ? "three parts" : "");
    assert_malformed(SLICE("e30.e30.c2ln"), "the header has no alg");
    assert_malformed(SLICE("e3=.e30.c2ln"), "the header is not base64url");
    assert_malformed(SLICE("e30.e3+.c2ln"), "the payload is not base64url");
    assert_malformed(SLICE("e30.e30.c2l="), "the signature is not base64url");
    assert_malformed(SLICE("e30.e30.\0c2ln"), "the signature is not base64url");
    assert_malformed(SLICE(" e30.e30.c2ln"), "base64url");
}

static void test_objects(void **state)
{
    (void)state;
    static const char good[] = "{\"alg\":\"HS256\"}";
    assert_parts_malformed("", "{}", "the header is not JSON");
    assert_parts_malformed("[]", "{}", "the header is not a JSON object");
    assert_parts_malformed("{\"alg\":\"HS256\"", "{}", "the header is not JSON");
    assert_parts_malformed("{\"alg\":1}", "{}", "the header's alg is no string");
    assert_parts_malformed("{\"alg\":\"\"}", "{}", "the header has no alg");
    assert_parts_malformed("{\"alg\":null}", "{}", "the header has no alg");
    assert_parts_malformed("{\"alg\":\"HS256\",\"kid\":[]}", "{}", "the header's kid is no string");
    assert_parts_malformed("{\"alg\":\"HS256\",\"crit\":[\"b64\"]}", "{}", "crit");
    assert_parts_malformed(good, "\"text\"", "the payload is not a JSON object");
    assert_parts_malformed(good, "{\"sub\":\"\xff\"}", "the payload is not JSON");
}

static void test_names_twice(void **state)
{
    (void)state;
    static const char good[] = "{\"alg\":\"HS256\"}";
    assert_parts_malformed("{\"alg\":\"none\",\"alg\":\"HS256\"}", "{}", "the header has a name");
    assert_parts_malformed(good, "{\"sub\":1,\"x\":2,\"sub\":1}", "the payload has a name twice");
    assert_parts_malformed(good, "{\"sub\":1,\"\\u0073ub\":1}", "the payload has a name twice");
    assert_parts_malformed(good, "{\"\":1,\"\":1}", "the payload has a name twice");
}

static void test_sizes(void **state)
{
    (void)state;
    struct buf claims = {0};
    BUF_LITERAL(&claims, "{");
    for (int i = 0; i < 129; i++)
        buf_printf(&claims, "%s\"n%d\":0", i ? "," : "", i);
    BUF_LITERAL(&claims, "}");
    assert_parts_malformed("{\"alg\":\"HS256\"}", buf_text(&claims), "too many members");
    buf_fini(&claims);
    char *huge = memory_alloc(TOKEN_MAX + 1);
    memset(huge, 'a', TOKEN_MAX + 1);
    assert_malformed(slice_of(huge, TOKEN_MAX + 1), "at most 8192");
    memory_free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_form),
        cmocka_unit_test(test_objects), cmocka_unit_test(test_names_twice),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
