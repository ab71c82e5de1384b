/* Signatures of webhooks; see webhook_signature.h. */
#include "api/webhook_signature.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/memory.h"

#define DIGEST_SIZE 32

struct webhook_signature {
    EVP_MAC_CTX *mac;
    unsigned char wanted[DIGEST_SIZE];
    bool failed;
};

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool read_digest(struct slice text, unsigned char out[DIGEST_SIZE])
{
    if (!slice_starts(text, "sha256="))
        return false;
    text = slice_skip(text, strlen("sha256="));
    if (text.len != 2 * (size_t)DIGEST_SIZE)
        return false;
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        int high = digit_value(text.ptr[2 * i]), low = digit_value(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

static EVP_MAC_CTX *begin_mac(const char *secret)
{
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    if (mac && !EVP_MAC_init(mac, (const unsigned char *)secret, strlen(secret), parameters)) {
        EVP_MAC_CTX_free(mac);
        mac = NULL;
    }
    return mac;
}

struct webhook_signature *webhook_signature_new(struct slice text, const char *secret)
{
    unsigned char wanted[DIGEST_SIZE];
    if (!read_digest(text, wanted))
        return NULL;
    EVP_MAC_CTX *mac = begin_mac(secret);
    if (!mac)
        return NULL;
    struct webhook_signature *s = memory_zero(sizeof *s);
    s->mac = mac;
    memcpy(s->wanted, wanted, sizeof wanted);
    return s;
}

void webhook_signature_add(struct webhook_signature *s, struct slice piece)
{
    if (piece.len && !EVP_MAC_update(s->mac, (const unsigned char *)piece.ptr, piece.len))
        s->failed = true;
}

bool webhook_signature_holds(struct webhook_signature *s)
{
    unsigned char digest[DIGEST_SIZE];
    size_t size = 0;
    return !s->failed && EVP_MAC_final(s->mac, digest, &size, sizeof digest) &&
           size == sizeof digest && CRYPTO_memcmp(digest, s->wanted, sizeof digest) == 0;
}

void webhook_signature_free(struct webhook_signature *s)
{
    if (!s)
        return;
    EVP_MAC_CTX_free(s->mac);
    memory_free(s);
}
