/*
 * Keys, with rhonabwy; see key.h.
 *
 * rhonabwy can fetch keys over the network that a token or a key names (jku, x5u): it is told not
 * to everywhere, and the keys that a token brings along are not looked at.
 */
#include "auth/key.h"

#include <pthread.h>
#include <rhonabwy.h>

#include "base/memory.h"
#include "fanfare/error.h"

#define RSA_BITS_MIN 2048

struct key {
    jwk_t *jwk;     /* to check with */
    jwk_t *signing; /* to sign with; NULL: it cannot */
    char *id;       /* "": none */
    enum key_algorithm algorithm;
};

static const struct {
    const char *name;
    jwa_alg alg;
    const char *type, *curve; /* of the JSON Web Key */
} algorithms[KEY_ALGORITHMS] = {
    [KEY_HS256] = {"HS256", R_JWA_ALG_HS256, "oct", NULL},
    [KEY_RS256] = {"RS256", R_JWA_ALG_RS256, "RSA", NULL},
    [KEY_ES256] = {"ES256", R_JWA_ALG_ES256, "EC", "P-256"},
    [KEY_EDDSA] = {"EdDSA", R_JWA_ALG_EDDSA, "OKP", "Ed25519"},
};

const char *key_algorithm_name(enum key_algorithm algorithm)
{
    return algorithms[algorithm].name;
}

bool key_algorithm_find(struct slice name, enum key_algorithm *algorithm)
{
    for (unsigned i = 0; i < KEY_ALGORITHMS; i++)
        if (slice_is(name, algorithms[i].name)) {
            *algorithm = (enum key_algorithm)i;
            return true;
        }
    return false;
}

static void start_library(void)
{
    r_global_init();
}

static void need_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_library);
}

/* ---- Making ---- */

static bool property_is(jwk_t *jwk, const char *name, const char *wanted)
{
    const char *text = r_jwk_get_property_str(jwk, name);
    return text && strcmp(text, wanted) == 0;
}

static bool find_algorithm(jwk_t *jwk, enum key_algorithm *out)
{
    for (unsigned i = 0; i < KEY_ALGORITHMS; i++)
        if (property_is(jwk, "kty", algorithms[i].type) &&
            (!algorithms[i].curve || property_is(jwk, "crv", algorithms[i].curve))) {
            *out = (enum key_algorithm)i;
            return true;
        }
    return false;
}

/* What keeps the key from being used; NULL: nothing. */
static const char *check(jwk_t *jwk, enum key_algorithm *algorithm)
{
    unsigned bits = 0;
    int type = r_jwk_key_type(jwk, &bits, R_FLAG_IGNORE_REMOTE);
    if (!find_algorithm(jwk, algorithm))
        return "it is none of: a secret, RSA, EC with the curve P-256, Ed25519";
    if (type == R_KEY_TYPE_NONE)
        return "it is incomplete or broken";
    if (*algorithm == KEY_RS256 && bits < RSA_BITS_MIN)
        return "an RSA key must have 2048 bits at least";
    if (r_jwk_get_property_str(jwk, "use") && !property_is(jwk, "use", "sig"))
        return "it is not for signatures (use)";
    if (r_jwk_get_property_str(jwk, "alg") && !property_is(jwk, "alg", algorithms[*algorithm].name))
        return "it is for another algorithm (alg)";
    return NULL;
}

/* Splits a private key into both halves. */
static bool take_halves(struct key *key, jwk_t *jwk)
{
    int type = r_jwk_key_type(jwk, NULL, R_FLAG_IGNORE_REMOTE);
    bool secret = type & R_KEY_TYPE_SYMMETRIC, private = type & R_KEY_TYPE_PRIVATE;
    if (secret || private)
        key->signing = r_jwk_copy(jwk);
    if (!private) {
        key->jwk = r_jwk_copy(jwk);
        return key->jwk != NULL;
    }
    return r_jwk_init(&key->jwk) == RHN_OK &&
           r_jwk_extract_pubkey(jwk, key->jwk, R_FLAG_IGNORE_REMOTE) == RHN_OK;
}

/* Takes the library's key over. */
static struct key *finish(jwk_t *jwk, bool imported, struct buf *why)
{
    enum key_algorithm algorithm;
    const char *wrong = imported ? check(jwk, &algorithm) : "it cannot be read";
    struct key *key = NULL;
    if (!wrong) {
        const char *id = r_jwk_get_property_str(jwk, "kid");
        key = memory_zero(sizeof *key);
        key->algorithm = algorithm;
        key->id = memory_copy_string(slice_from(id ? id : ""));
        if (!take_halves(key, jwk)) {
            wrong = "it cannot be read";
            key_free(key);
            key = NULL;
        }
    }
    if (wrong)
        buf_append_text(why, wrong);
    r_jwk_free(jwk);
    return key;
}

static jwk_t *new_jwk(void)
{
    jwk_t *jwk = NULL;
    need_library();
    return r_jwk_init(&jwk) == RHN_OK ? jwk : NULL;
}

struct key *key_from_secret(struct slice secret, struct buf *why)
{
    jwk_t *jwk = new_jwk();
    bool ok = jwk && secret.len &&
              r_jwk_import_from_symmetric_key(jwk, (const unsigned char *)secret.ptr, secret.len) ==
                  RHN_OK;
    return finish(jwk, ok, why);
}

struct key *key_from_pem(struct slice pem, struct buf *why)
{
    static const int types[] = {R_X509_TYPE_PUBKEY, R_X509_TYPE_PRIVKEY, R_X509_TYPE_CERTIFICATE};
    jwk_t *jwk = new_jwk();
    bool ok = false;
    for (int i = 0; jwk && !ok && i < 3; i++)
        ok = r_jwk_import_from_pem_der(jwk, types[i], R_FORMAT_PEM, (const unsigned char *)pem.ptr,
                                       pem.len) == RHN_OK;
    /* The library makes a kid of the key's digest; a PEM file has none. */
    if (ok)
        r_jwk_delete_property_str(jwk, "kid");
    return finish(jwk, ok, why);
}

struct key *key_from_jwk(struct slice json, struct buf *why)
{
    jwk_t *jwk = new_jwk();
    char *text = memory_copy_string(json);
    bool ok = jwk && r_jwk_import_from_json_str(jwk, text) == RHN_OK;
    memory_free(text);
    return finish(jwk, ok, why);
}

void key_free(struct key *key)
{
    if (!key)
        return;
    r_jwk_free(key->jwk);
    r_jwk_free(key->signing);
    memory_free(key->id);
    memory_free(key);
}

enum key_algorithm key_algorithm(const struct key *key)
{
    return key->algorithm;
}

struct slice key_id(const struct key *key)
{
    return slice_from(key->id);
}

bool key_can_sign(const struct key *key)
{
    return key->signing != NULL;
}

/* ---- Using ---- */

bool key_verify(const struct key *key, struct slice token)
{
    jws_t *jws = NULL;
    bool good = r_jws_init(&jws) == RHN_OK &&
                r_jws_advanced_compact_parsen(jws, token.ptr, token.len, R_PARSE_NONE,
                                              R_FLAG_IGNORE_REMOTE) == RHN_OK &&
                r_jws_get_alg(jws) == algorithms[key->algorithm].alg &&
                r_jws_verify_signature(jws, key->jwk, R_FLAG_IGNORE_REMOTE) == RHN_OK;
    r_jws_free(jws);
    return good;
}

int key_sign(const struct key *key, struct slice claims, struct slice id, struct buf *out)
{
    jws_t *jws = NULL;
    char *kid = memory_copy_string(id.len ? id : key_id(key)), *text = NULL;
    if (key->signing && r_jws_init(&jws) == RHN_OK &&
        r_jws_set_payload(jws, (const unsigned char *)claims.ptr, claims.len) == RHN_OK &&
        r_jws_set_alg(jws, algorithms[key->algorithm].alg) == RHN_OK &&
        r_jws_set_header_str_value(jws, "typ", "JWT") == RHN_OK &&
        (!*kid || r_jws_set_header_str_value(jws, "kid", kid) == RHN_OK))
        text = r_jws_serialize(jws, key->signing, R_FLAG_IGNORE_REMOTE);
    if (text)
        buf_append_text(out, text);
    r_free(text);
    r_jws_free(jws);
    memory_free(kid);
    return text ? 0 : FAN_E_INVALID;
}
