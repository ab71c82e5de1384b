/* Keys: which ones are taken, which tokens they accept, and files that change. */
#include "tokens.h"

#include <sys/stat.h>

#include "auth/development_key.h"
#include "auth/keyring.h"
#include "fanfare/error.h"

#define CLAIMS "{\"sub\":\"alice\"}"

static struct keyring_options none(void)
{
    return (struct keyring_options){"", "", "", "", ""};
}

static struct keyring *make(struct keyring_options options)
{
    struct buf why = {0};
    struct keyring *k = keyring_new(&options, &why);
    if (!k)
        fail_msg("%s", buf_text(&why));
    buf_fini(&why);
    return k;
}

static void assert_not_made(struct keyring_options options, const char *reason)
{
    struct buf why = {0};
    assert_null(keyring_new(&options, &why));
    if (!strstr(buf_text(&why), reason))
        fail_msg("\"%s\", expected \"%s\"", buf_text(&why), reason);
    buf_fini(&why);
}

/* Verifies and frees the text; the detail of a refusal goes to `detail`. */
static enum token_problem verify(struct keyring *k, struct buf text, char detail[240])
{
    struct token token;
    struct token_refusal refusal = {0};
    enum token_problem problem = token_parse(buf_slice(&text), &token, &refusal);
    if (!problem)
        problem = keyring_verify(k, &token, &refusal);
    if (detail)
        memcpy(detail, refusal.detail, sizeof refusal.detail);
    token_fini(&token);
    buf_fini(&text);
    return problem;
}

static struct buf sign_pem(const char *pem, const char *kid)
{
    return sign_with(key_of_pem(pem), CLAIMS, kid);
}

static struct buf sign_secret(const char *secret, const char *kid)
{
    return sign_with(key_of_secret(secret), CLAIMS, kid);
}

/* ---- Keys ---- */

static void assert_no_key(const char *pem, const char *reason)
{
    struct buf why = {0};
    assert_null(key_from_pem(slice_from(pem), &why));
    assert_non_null(strstr(buf_text(&why), reason));
    buf_fini(&why);
}

static void test_pem(void **state)
{
    (void)state;
    static const struct {
        const char *private, *public;
        enum key_algorithm algorithm;
    } pairs[] = {
        {RSA_PRIVATE, RSA_PUBLIC, KEY_RS256},
        {EC_PRIVATE, EC_PUBLIC, KEY_ES256},
        {ED_PRIVATE, ED_PUBLIC, KEY_EDDSA},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct key *public = key_of_pem(pairs[i].public), *private = key_of_pem(pairs[i].private);
        struct buf token = {0};
        assert_int_equal(key_algorithm(public), pairs[i].algorithm);
        assert_int_equal(key_algorithm(private), pairs[i].algorithm);
        assert_false(key_can_sign(public));
        assert_int_equal(key_sign(public, SLICE(CLAIMS), SLICE(""), &token), FAN_E_INVALID);
        assert_int_equal(key_id(private).len, 0);
        assert_int_equal(key_sign(private, SLICE(CLAIMS), SLICE(""), &token), 0);
        assert_true(key_verify(public, buf_slice(&token)));
        assert_true(key_verify(private, buf_slice(&token)));
        token.data[token.len - 3] ^= 1;
        assert_false(key_verify(public, buf_slice(&token)));
        buf_fini(&token);
        key_free(public);
        key_free(private);
    }
    assert_no_key(SMALL_RSA_PUBLIC, "2048 bits");
    assert_no_key(P384_PUBLIC, "none of");
    assert_no_key("", "cannot be read");
    assert_no_key("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read");
}

static void test_jwk(void **state)
{
    (void)state;
    static const struct {
        const char *json, *reason; /* NULL: good */
    } cases[] = {
        {"{\"kty\":\"oct\",\"k\":\"c2VjcmV0c2VjcmV0\",\"kid\":\"a\"}", NULL},
        {"{\"kty\":\"oct\",\"k\":\"c2VjcmV0c2VjcmV0\",\"use\":\"enc\"}", "use"},
        {"{\"kty\":\"oct\",\"k\":\"c2VjcmV0c2VjcmV0\",\"alg\":\"HS512\"}", "alg"},
        {"{\"kty\":\"oct\"}", "cannot be read"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", ""},
        {"{}", "cannot be read"},
        {"[]", "cannot be read"},
        {"{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf why = {0};
        struct key *key = key_from_jwk(slice_from(cases[i].json), &why);
        assert_int_equal(key != NULL, cases[i].reason == NULL);
        if (cases[i].reason && !strstr(buf_text(&why), cases[i].reason))
            fail_msg("%s: %s", cases[i].json, buf_text(&why));
        key_free(key);
        buf_fini(&why);
    }
}

/* ---- Tokens ---- */

static void test_secret(void **state)
{
    (void)state;
    struct keyring_options options = none();
    char detail[240];
    options.secret = SECRET;
    struct keyring *k = make(options);
    assert_false(keyring_is_weak(k));
    assert_int_equal(verify(k, sign_secret(SECRET, ""), NULL), TOKEN_GOOD);
    assert_int_equal(verify(k, sign_secret(SECRET, "whatever"), NULL), TOKEN_GOOD);
    assert_int_equal(verify(k, sign_secret(SECRET "x", ""), detail), TOKEN_BAD_SIGNATURE);
    assert_string_equal(detail, "the signature is not that of the configured key");
    assert_int_equal(verify(k, sign_pem(RSA_PRIVATE, ""), detail), TOKEN_BAD_SIGNATURE);
    assert_string_equal(detail,
                        "the token's algorithm RS256 does not count here (accepted: HS256)");
    static const char *const others[] = {"none", "None", "HS384", "hs256", "HS256 ", "RS256"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char header[64];
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", others[i]);
        assert_int_equal(verify(k, assemble(header, CLAIMS), NULL), TOKEN_BAD_SIGNATURE);
    }
    keyring_unref(k);
    options.secret = "short";
    k = make(options);
    assert_true(keyring_is_weak(k));
    keyring_unref(k);
}

/* The text of a public key must not become a secret. */
static void test_confusion(void **state)
{
    (void)state;
    char path[] = "/tmp/fanfare-test-key-XXXXXX";
    struct keyring_options options = none();
    close(mkstemp(path));
    write_file(path, RSA_PUBLIC);
    options.public_key_file = path;
    struct keyring *k = make(options);
    assert_int_equal(verify(k, sign_pem(RSA_PRIVATE, ""), NULL), TOKEN_GOOD);
    assert_int_equal(verify(k, sign_secret(RSA_PUBLIC, ""), NULL), TOKEN_BAD_SIGNATURE);
    assert_int_equal(verify(k, sign_pem(EC_PRIVATE, ""), NULL), TOKEN_BAD_SIGNATURE);
    keyring_unref(k);
    options.secret = SECRET; /* both kinds at once, each for its own */
    k = make(options);
    assert_int_equal(keyring_count(k), 2);
    assert_int_equal(verify(k, sign_secret(SECRET, ""), NULL), TOKEN_GOOD);
    assert_int_equal(verify(k, sign_secret(RSA_PUBLIC, ""), NULL), TOKEN_BAD_SIGNATURE);
    keyring_unref(k);
    options.algorithms = "RS256";
    k = make(options);
    assert_int_equal(verify(k, sign_secret(SECRET, ""), NULL), TOKEN_BAD_SIGNATURE);
    assert_int_equal(verify(k, sign_pem(RSA_PRIVATE, ""), NULL), TOKEN_GOOD);
    keyring_unref(k);
    unlink(path);
}

static void test_refused_options(void **state)
{
    (void)state;
    char path[] = "/tmp/fanfare-test-key-XXXXXX";
    close(mkstemp(path));
    struct keyring_options options = none();
    options.secret = "\n" RSA_PUBLIC;
    assert_not_made(options, "(jwt.key) holds a PEM file's text");
    options.secret = SECRET;
    options.algorithms = "HS256,RS256";
    assert_not_made(options, "jwt.algorithm has RS256, but there is no key for it");
    options.algorithms = "HS512";
    assert_not_made(options, "got \"HS512\"");
    options = none();
    options.public_key_file = "/nowhere/key.pem";
    assert_not_made(options, "cannot read /nowhere/key.pem");
    options.public_key_file = path;
    assert_not_made(options, "holds no usable public key in PEM");
    options = none();
    options.jwks_file = path;
    static const struct {
        const char *text, *reason;
    } sets[] = {
        {"", "invalid JSON at byte 0"},
        {"[]", "a list \"keys\""},
        {"{\"keys\":{}}", "a list \"keys\""},
        {"{\"keys\":[]}", "has no usable key"},
        {"{\"keys\":[{\"kty\":\"X\"}]}", "has no usable key; of the last one"},
    };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        write_file(path, sets[i].text);
        assert_not_made(options, sets[i].reason);
    }
    unlink(path);
}

/* ---- Sets ---- */

#define OCT(kid, k) "{\"kty\":\"oct\",\"kid\":\"" kid "\",\"k\":\"" k "\"}"

static void test_set(void **state)
{
    (void)state;
    char path[] = "/tmp/fanfare-test-jwks-XXXXXX", detail[240];
    struct keyring_options options = none();
    close(mkstemp(path));
    options.jwks_file = path;
    /* "first" and "second" in base64url */
    write_file(path, "{\"keys\":[" OCT("1", "Zmlyc3Q") "," OCT("2", "c2Vjb25k") ",7]}");
    struct keyring *k = make(options);
    assert_int_equal(keyring_count(k), 2);
    assert_int_equal(verify(k, sign_secret("first", "1"), NULL), TOKEN_GOOD);
    assert_int_equal(verify(k, sign_secret("second", "2"), NULL), TOKEN_GOOD);
    assert_int_equal(verify(k, sign_secret("second", ""), NULL), TOKEN_GOOD);
    assert_int_equal(verify(k, sign_secret("second", "1"), detail), TOKEN_BAD_SIGNATURE);
    assert_int_equal(verify(k, sign_secret("first", "3"), detail), TOKEN_BAD_SIGNATURE);
    assert_string_equal(detail, "no key has the token's kid");
    assert_false(keyring_became_stale(k));
    write_file(path, "{\"keys\":[" OCT("3", "dGhpcmQ") "]}");
    assert_true(keyring_became_stale(k));
    assert_false(keyring_became_stale(k)); /* said once */
    struct keyring *fresh = make(options);
    assert_int_equal(verify(fresh, sign_secret("third", "3"), NULL), TOKEN_GOOD);
    assert_int_equal(verify(fresh, sign_secret("first", "1"), NULL), TOKEN_BAD_SIGNATURE);
    unlink(path);
    assert_true(keyring_became_stale(fresh));
    keyring_unref(k);
    keyring_unref(fresh);
}

/* ---- The development key ---- */

static void test_development_key(void **state)
{
    (void)state;
    char directory[] = "/tmp/fanfare-test-data-XXXXXX", inside[64], path[80], detail[240];
    struct keyring_options options = none();
    struct buf secret = {0}, again = {0}, why = {0};
    struct stat s;
    assert_non_null(mkdtemp(directory));
    snprintf(inside, sizeof inside, "%s/a/b", directory);
    snprintf(path, sizeof path, "%s/dev.key", inside);
    options.development_key = path;
    struct keyring *k = make(options);
    assert_int_equal(keyring_count(k), 0);
    assert_int_equal(verify(k, sign_secret(SECRET, ""), detail), TOKEN_BAD_SIGNATURE);
    assert_non_null(strstr(detail, "no JWT_SECRET_KEY configured"));
    assert_int_equal(development_key_need(inside, &secret, &why), 0);
    assert_int_equal(secret.len, 43);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_int_equal(development_key_need(inside, &again, &why), 0);
    assert_string_equal(buf_text(&secret), buf_text(&again));
    assert_true(keyring_became_stale(k));
    keyring_unref(k);
    k = make(options);
    assert_int_equal(verify(k, sign_secret(buf_text(&secret), ""), NULL), TOKEN_GOOD);
    keyring_unref(k);
    chmod(path, 0640);
    buf_clear(&again);
    assert_int_equal(development_key_read(path, &again, &why), FAN_E_DENIED);
    assert_non_null(strstr(buf_text(&why), "chmod 600"));
    write_file(path, " \n");
    chmod(path, 0600);
    buf_clear(&again);
    assert_int_equal(development_key_read(path, &again, &why), FAN_E_INVALID);
    buf_fini(&secret);
    buf_fini(&again);
    buf_fini(&why);
    unlink(path);
    rmdir(inside);
    snprintf(inside, sizeof inside, "%s/a", directory);
    rmdir(inside);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pem),
        cmocka_unit_test(test_jwk),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_confusion),
        cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_development_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
