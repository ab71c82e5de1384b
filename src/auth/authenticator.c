/* Checking tokens, and remembering them; see authenticator.h. */
#include "auth/authenticator.h"

#include <openssl/evp.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "fanfare/error.h"

#define REMEMBERED_MAX 4096
#define DIGEST_SIZE    32

/* A token that was good. Found by its digest: the token itself is kept nowhere, and looking it up
 * tells nothing by the time it takes. */
struct remembered {
    struct list link; /* oldest first */
    struct identity *who;
    unsigned char digest[DIGEST_SIZE];
};

struct authenticator {
    pthread_mutex_t configuring; /* held while files are read; before `lock` */
    pthread_mutex_t lock;        /* of what follows, for a few instructions */
    struct keyring *keys;
    struct access_policy *policy;
    struct identity *anonymous; /* NULL: everybody needs a token */
    unsigned generation;        /* of keys and policy */
    struct map remembered;
    struct list by_age;
    /* As configured, for reading the files again; under `configuring`. */
    char *secret, *public_key_file, *jwks_file, *development_key, *algorithms;
};

static struct slice digest_of(const void *object)
{
    return slice_of((const char *)((const struct remembered *)object)->digest, DIGEST_SIZE);
}

/* ---- Remembering; under the lock ---- */

static void forget(struct authenticator *a, struct remembered *r)
{
    map_remove(&a->remembered, digest_of(r));
    list_remove(&r->link);
    identity_unref(r->who);
    memory_free(r);
}

static void forget_all(struct authenticator *a)
{
    while (!list_empty(&a->by_age))
        forget(a, CONTAINER(a->by_age.next, struct remembered, link));
}

static struct identity *recall(struct authenticator *a, const unsigned char *digest)
{
    struct remembered *r = map_get(&a->remembered, slice_of((const char *)digest, DIGEST_SIZE));
    if (!r)
        return NULL;
    if (!principal_is_over(&r->who->principal))
        return identity_ref(r->who);
    forget(a, r);
    return NULL;
}

/* Two threads may have checked the same token at once: the first one's identity counts. */
static struct identity *remember(struct authenticator *a, const unsigned char *digest,
                                 struct identity *who)
{
    struct identity *known = recall(a, digest);
    struct remembered *r = known ? NULL : memory_try_alloc(sizeof *r);
    if (known) {
        identity_unref(who);
        return known;
    }
    if (!r)
        return who;
    *r = (struct remembered){.who = who};
    memcpy(r->digest, digest, DIGEST_SIZE);
    if (map_try_put(&a->remembered, r) != 0) {
        memory_free(r);
        return who;
    }
    identity_ref(who);
    list_append(&a->by_age, &r->link);
    if (a->remembered.count > REMEMBERED_MAX)
        forget(a, CONTAINER(a->by_age.next, struct remembered, link));
    return who;
}

/* ---- Configuring ---- */

bool authenticator_is_keyed(const struct keyring_options *keys)
{
    return *keys->secret || *keys->public_key_file || *keys->jwks_file;
}

static struct keyring_options own_options(const struct authenticator *a)
{
    return (struct keyring_options){
        .secret = a->secret,
        .public_key_file = a->public_key_file,
        .jwks_file = a->jwks_file,
        .development_key = a->development_key,
        .algorithms = a->algorithms,
    };
}

static void set_text(char **place, const char *text)
{
    char *copy = memory_copy_string(slice_from(text));
    memory_free(*place);
    *place = copy;
}

static void keep_options(struct authenticator *a, const struct keyring_options *o)
{
    set_text(&a->secret, o->secret);
    set_text(&a->public_key_file, o->public_key_file);
    set_text(&a->jwks_file, o->jwks_file);
    set_text(&a->development_key, o->development_key);
    set_text(&a->algorithms, o->algorithms);
}

/* Takes over what is given; NULL leaves what is there. */
static void replace(struct authenticator *a, struct keyring *keys, struct access_policy *policy,
                    struct identity *anonymous)
{
    pthread_mutex_lock(&a->lock);
    struct keyring *old_keys = keys ? a->keys : NULL;
    struct access_policy *old_policy = policy ? a->policy : NULL;
    struct identity *old_anonymous = policy ? a->anonymous : NULL;
    if (keys)
        a->keys = keys;
    if (policy) {
        a->policy = policy;
        a->anonymous = anonymous;
    }
    a->generation++;
    forget_all(a);
    pthread_mutex_unlock(&a->lock);
    keyring_unref(old_keys);
    access_policy_unref(old_policy);
    identity_unref(old_anonymous);
}

static int configure(struct authenticator *a, const struct authenticator_options *o,
                     struct buf *why)
{
    struct access_policy_options rules = o->policy;
    struct keyring *keys = keyring_new(&o->keys, why);
    struct identity *anonymous = NULL;
    if (!keys)
        return FAN_E_INVALID;
    rules.open = !authenticator_is_keyed(&o->keys);
    struct access_policy *policy = access_policy_new(&rules);
    if (rules.open || rules.anonymous_count) {
        anonymous = identity_anonymous(policy);
        anonymous->authenticator = a;
    }
    keep_options(a, &o->keys);
    replace(a, keys, policy, anonymous);
    return 0;
}

int authenticator_configure(struct authenticator *a, const struct authenticator_options *options,
                            struct buf *why)
{
    pthread_mutex_lock(&a->configuring);
    int error = configure(a, options, why);
    pthread_mutex_unlock(&a->configuring);
    return error;
}

struct authenticator *authenticator_new(const struct authenticator_options *options,
                                        struct buf *why)
{
    struct authenticator *a = memory_zero(sizeof *a);
    pthread_mutex_init(&a->configuring, NULL);
    pthread_mutex_init(&a->lock, NULL);
    map_init(&a->remembered, digest_of);
    list_init(&a->by_age);
    if (authenticator_configure(a, options, why) == 0)
        return a;
    authenticator_free(a);
    return NULL;
}

void authenticator_free(struct authenticator *a)
{
    if (!a)
        return;
    forget_all(a);
    map_fini(&a->remembered);
    keyring_unref(a->keys);
    access_policy_unref(a->policy);
    identity_unref(a->anonymous);
    memory_free(a->secret);
    memory_free(a->public_key_file);
    memory_free(a->jwks_file);
    memory_free(a->development_key);
    memory_free(a->algorithms);
    pthread_mutex_destroy(&a->lock);
    pthread_mutex_destroy(&a->configuring);
    memory_free(a);
}

bool authenticator_is_weak(struct authenticator *a)
{
    pthread_mutex_lock(&a->lock);
    bool weak = keyring_is_weak(a->keys);
    pthread_mutex_unlock(&a->lock);
    return weak;
}

static struct keyring *take_keys(struct authenticator *a)
{
    pthread_mutex_lock(&a->lock);
    struct keyring *keys = keyring_ref(a->keys);
    pthread_mutex_unlock(&a->lock);
    return keys;
}

/* Whether there are other keys now. */
static bool refresh(struct authenticator *a)
{
    struct keyring *old = take_keys(a), *fresh = NULL;
    struct buf why = {0};
    bool stale = keyring_became_stale(old);
    if (stale) {
        const struct keyring_options options = own_options(a);
        fresh = keyring_new(&options, &why);
    }
    if (fresh) {
        log_info("auth", "keys read anew", LOG_U64("keys", keyring_count(fresh)));
        replace(a, fresh, NULL, NULL);
    } else if (stale) {
        log_error("auth", "the keys in force stay", LOG_SLICE("reason", buf_slice(&why)));
    }
    keyring_unref(old);
    buf_fini(&why);
    return fresh != NULL;
}

bool authenticator_refresh(struct authenticator *a)
{
    pthread_mutex_lock(&a->configuring);
    bool other = refresh(a);
    pthread_mutex_unlock(&a->configuring);
    return other;
}

/* ---- Identifying ---- */

/* What a token is judged by, taken together. */
struct judges {
    struct keyring *keys;
    struct access_policy *policy;
    unsigned generation;
};

static struct identity *judge(struct authenticator *a, const struct judges *j, struct slice text,
                              struct token_refusal *refusal)
{
    struct token token;
    struct identity *who = NULL;
    if (token_parse(text, &token, refusal) == TOKEN_GOOD &&
        keyring_verify(j->keys, &token, refusal) == TOKEN_GOOD)
        who = identity_from_claims(&token.claims, j->policy, clock_wall_ms(), refusal);
    token_fini(&token);
    if (who)
        who->authenticator = a;
    return who;
}

/* The known identity; or NULL and the judges. */
static struct identity *recall_or_take(struct authenticator *a, const unsigned char *digest,
                                       struct judges *j)
{
    pthread_mutex_lock(&a->lock);
    struct identity *who = recall(a, digest);
    if (!who)
        *j = (struct judges){keyring_ref(a->keys), access_policy_ref(a->policy), a->generation};
    pthread_mutex_unlock(&a->lock);
    return who;
}

static struct identity *try_token(struct authenticator *a, struct slice text,
                                  const unsigned char *digest, struct token_refusal *refusal)
{
    struct judges j;
    struct identity *who = recall_or_take(a, digest, &j);
    if (who)
        return who;
    who = judge(a, &j, text, refusal);
    pthread_mutex_lock(&a->lock);
    if (who && a->generation == j.generation)
        who = remember(a, digest, who);
    pthread_mutex_unlock(&a->lock);
    keyring_unref(j.keys);
    access_policy_unref(j.policy);
    return who;
}

/* A key that was made or rotated a moment ago counts at once. */
static struct identity *identify_token(struct authenticator *a, struct slice text,
                                       struct token_refusal *refusal)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (!EVP_Digest(text.ptr, text.len, digest, NULL, EVP_sha256(), NULL)) {
        token_refuse(refusal, TOKEN_MALFORMED, "not enough memory to check it");
        return NULL;
    }
    struct identity *who = try_token(a, text, digest, refusal);
    if (!who && refusal->problem == TOKEN_BAD_SIGNATURE && authenticator_refresh(a))
        who = try_token(a, text, digest, refusal);
    return who;
}

static struct identity *identify_nobody(struct authenticator *a, struct token_refusal *refusal)
{
    pthread_mutex_lock(&a->lock);
    struct identity *who = a->anonymous ? identity_ref(a->anonymous) : NULL;
    pthread_mutex_unlock(&a->lock);
    if (!who)
        token_refuse(refusal, TOKEN_MISSING,
                     "send one as \"Authorization: Bearer TOKEN\", as ?token=, or as the "
                     "WebSocket subprotocol fanfare.token.TOKEN");
    return who;
}

struct identity *authenticator_identify(struct authenticator *a, struct slice token,
                                        struct token_refusal *refusal)
{
    return token.len == 0 || slice_is(token, "null") ? identify_nobody(a, refusal)
                                                     : identify_token(a, token, refusal);
}

struct identity *authenticator_renew(const struct identity *who, struct slice token,
                                     struct token_refusal *refusal)
{
    struct identity *fresh = NULL;
    if (!who || !who->authenticator || token.len == 0)
        token_refuse(refusal, TOKEN_MISSING, "a fresh token is expected in token");
    else
        fresh = identify_token(who->authenticator, token, refusal);
    if (!fresh)
        return NULL;
    if (!who->anonymous && strcmp(fresh->principal.name, who->principal.name) == 0)
        return fresh;
    identity_unref(fresh);
    token_refuse(refusal, TOKEN_MALFORMED, "it is another user's; this connection is %s",
                 who->anonymous ? "nobody's" : "not theirs");
    return NULL;
}
