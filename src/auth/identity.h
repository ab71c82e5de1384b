/*
 * Who somebody is and what they may do: made of a token's claims and the configuration's rules,
 * asked for each topic. Immutable but for its quota, counted, shared by all connections and
 * requests of one token; any thread.
 */
#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H

#include <stdatomic.h>

#include "auth/policy.h"
#include "auth/refusal.h"
#include "base/buf.h"
#include "net/login.h"

/* Clocks differ: a token counts this much longer, and earlier. */
#define TOKEN_LEEWAY_MS 5000

struct authenticator;

struct identity {
    struct principal principal; /* its name is the token's sub, "anonymous" without one */
    bool anonymous, admin;
    atomic_uint_least64_t publish_ready_ns; /* limits.publish: when the next event may come */
    struct authenticator *authenticator; /* who made it; NULL: a test or a command. Outlives it */
    int64_t expires_ms;                  /* the token's exp, wall clock; 0: none */

    struct access_policy *policy;
    bool may_execute, may_ai, has_rooms;
    struct buf user_topic; /* user:<sub>; empty for anonymous */
    struct buf patterns;   /* the texts of the next two, each with a NUL */
    size_t rooms_count, publish_count;
};

/* Of its principal. */
void identity_free(struct principal *principal);

/* Somebody without a token. Never NULL. */
struct identity *identity_anonymous(struct access_policy *policy);

/*
 * From the claims of a token whose signature is good (a JSON object without repeated names).
 * now_ms: the wall clock; its times are judged by it. NULL with *refusal filled: a claim is of the
 * wrong kind (malformed), it is not its time, or no access token.
 */
struct identity *identity_from_claims(const struct buf *claims, struct access_policy *policy,
                                      int64_t now_ms, struct token_refusal *refusal);

static inline struct identity *identity_ref(struct identity *who)
{
    principal_ref(&who->principal);
    return who;
}

static inline void identity_unref(struct identity *who)
{
    if (who)
        principal_unref(&who->principal);
}

/* All principals are identities; NULL stays NULL. */
static inline struct identity *identity_of(struct principal *p)
{
    return (struct identity *)p; /* its first member */
}

/* ---- Decisions ---- */

struct access_decision {
    bool allowed;
    const char *because; /* a phrase: "the claim rooms has " */
    const char *pattern; /* which stands behind it in quotes; NULL: none */
};

/* topic: a valid topic's name. NULL for who: nobody, who may nothing. */
struct access_decision identity_may_read(const struct identity *who, struct slice topic);
struct access_decision identity_may_publish(const struct identity *who, struct slice topic);
struct access_decision identity_may_execute(const struct identity *who);
struct access_decision identity_may_use_ai(const struct identity *who);

/* Whether there may be any topic that it may publish to. */
struct access_decision identity_may_publish_somewhere(const struct identity *who);

/* All that is for admins, and in the open mode for those without a token. */
struct access_decision identity_may_administer(const struct identity *who);

/* Appends the decision's phrase. */
void access_decision_append(struct buf *out, const struct access_decision *decision);

#endif
