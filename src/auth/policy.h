/*
 * What the configuration allows whom, beside the claims of tokens. Immutable after it is made,
 * counted; any thread.
 */
#ifndef AUTH_POLICY_H
#define AUTH_POLICY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct access_policy_options {
    bool open;                    /* no key: whoever shows no token may do all */
    bool strict;                  /* access.default */
    const char *const *anonymous; /* topic patterns: read without a token */
    size_t anonymous_count;
    const char *const *publish; /* topic patterns: published to with any good token */
    size_t publish_count;
    bool execute, ai;              /* allowed with any good token */
    const char *issuer, *audience; /* what iss and aud must be; "": anything */
};

struct access_policy {
    atomic_uint refs;
    bool open, strict, execute, ai;
    char **anonymous, **publish;
    size_t anonymous_count, publish_count;
    char *issuer, *audience;
};

struct access_policy *access_policy_new(const struct access_policy_options *options);
struct access_policy *access_policy_ref(struct access_policy *policy);
void access_policy_unref(struct access_policy *policy); /* NULL is allowed */

#endif
