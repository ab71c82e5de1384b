/*
 * From claims to identities; see identity_from_claims.
 *
 * A claim of the wrong kind refuses the whole token. To leave it out would be to guess what was
 * meant, and with `rooms` the guess would be wider than the claim.
 */
#include <math.h>

#include "auth/identity.h"
#include "auth/token.h"
#include "base/memory.h"
#include "hub/topic_name.h"
#include "hub/topic_pattern.h"

/* Patterns of one claim. */
#define PATTERNS_MAX 256

struct reading {
    const struct buf *claims;
    const struct access_policy *policy;
    struct token_refusal *refusal;
    struct identity *who;
    struct buf subject;
    int64_t now_ms, not_before_ms;
};

static bool refuse(struct reading *r, enum token_problem problem, const char *what)
{
    token_refuse(r->refusal, problem, "%s", what);
    return false;
}

static bool wrong_kind(struct reading *r, const char *name, const char *expected,
                       struct json_value value)
{
    token_refuse(r->refusal, TOKEN_MALFORMED, "the claim %s must be %s, it is %s", name, expected,
                 json_kind_name(value.kind));
    return false;
}

/* Seconds since 1970, perhaps with a fraction (RFC 7519, 2: NumericDate). */
static bool read_time(struct reading *r, const char *name, int64_t *ms)
{
    struct json_value value;
    if (!token_member(r->claims, name, &value))
        return true;
    if (value.kind != JSON_NUMBER)
        return wrong_kind(r, name, "a number of seconds", value);
    double seconds = json_number(value);
    if (!isfinite(seconds) || fabs(seconds) > 253402300799.0) /* the year 9999 */
        return wrong_kind(r, name, "a time", value);
    *ms = (int64_t)(seconds * 1000);
    if (*ms == 0)
        *ms = 1; /* 0 says that there is none */
    return true;
}

static bool read_flag(struct reading *r, const char *name, bool *flag)
{
    struct json_value value;
    if (!token_member(r->claims, name, &value))
        return true;
    *flag = value.kind == JSON_TRUE;
    return *flag || value.kind == JSON_FALSE || wrong_kind(r, name, "true or false", value);
}

static bool add_pattern(struct reading *r, const char *name, struct json_value element)
{
    struct buf *out = &r->who->patterns;
    size_t at = out->len;
    if (element.kind != JSON_STRING)
        return wrong_kind(r, name, "a list of topic patterns", element);
    json_string_append(out, element);
    if (!topic_pattern_valid(slice_skip(buf_slice(out), at))) {
        token_refuse(r->refusal, TOKEN_MALFORMED,
                     "the claim %s has what is no topic pattern (\"session:*\" is one)", name);
        return false;
    }
    buf_append_char(out, '\0');
    return true;
}

static bool read_patterns(struct reading *r, const char *name, bool *there, size_t *count)
{
    struct json_value list, element;
    *there = token_member(r->claims, name, &list);
    if (!*there)
        return true;
    if (list.kind != JSON_ARRAY)
        return wrong_kind(r, name, "a list of topic patterns", list);
    struct json_iter it = json_elements(list);
    for (; json_next_element(&it, &element); ++*count) {
        if (*count == PATTERNS_MAX) {
            token_refuse(r->refusal, TOKEN_MALFORMED, "the claim %s has more than %d patterns",
                         name, PATTERNS_MAX);
            return false;
        }
        if (!add_pattern(r, name, element))
            return false;
    }
    return true;
}

static bool read_subject(struct reading *r)
{
    struct json_value value;
    if (!token_member(r->claims, "sub", &value))
        return refuse(r, TOKEN_MALFORMED, "the claim sub is missing");
    if (value.kind != JSON_STRING)
        return wrong_kind(r, "sub", "a string", value);
    json_string_append(&r->subject, value);
    if (!r->subject.len || memchr(r->subject.data, '\0', r->subject.len))
        return refuse(r, TOKEN_MALFORMED, "the claim sub is empty or has a NUL");
    if (topic_user_append(&r->who->user_topic, buf_slice(&r->subject)) != 0)
        return refuse(r, TOKEN_MALFORMED, "the claim sub is too long for a topic of its own");
    return true;
}

/* Text that may be missing; *is says whether it is this one. */
static bool compare_text(struct reading *r, const char *name, const char *text, bool *there,
                         bool *is)
{
    struct json_value value;
    *there = token_member(r->claims, name, &value);
    *is = *there && json_string_is(value, text);
    return !*there || value.kind == JSON_STRING || wrong_kind(r, name, "a string", value);
}

static bool read_roles(struct reading *r)
{
    bool there, is_access;
    if (!compare_text(r, "role", "admin", &there, &r->who->admin) ||
        !compare_text(r, "token_type", "access", &there, &is_access))
        return false;
    if (there && !is_access)
        return refuse(r, TOKEN_WRONG_TYPE, "the claim token_type must be \"access\"");
    return true;
}

/* aud is a text or a list of them (RFC 7519, 4.1.3). */
static bool has_audience(struct json_value value, const char *wanted)
{
    struct json_value element;
    if (value.kind != JSON_ARRAY)
        return json_string_is(value, wanted);
    struct json_iter it = json_elements(value);
    while (json_next_element(&it, &element))
        if (json_string_is(element, wanted))
            return true;
    return false;
}

static bool check_issuer(struct reading *r)
{
    struct json_value value;
    if (*r->policy->issuer &&
        (!token_member(r->claims, "iss", &value) || !json_string_is(value, r->policy->issuer)))
        return refuse(r, TOKEN_BAD_SIGNATURE, "the claim iss is not jwt.issuer");
    if (*r->policy->audience &&
        (!token_member(r->claims, "aud", &value) || !has_audience(value, r->policy->audience)))
        return refuse(r, TOKEN_BAD_SIGNATURE, "the claim aud does not have jwt.audience");
    return true;
}

static bool check_times(struct reading *r)
{
    if (r->who->expires_ms && r->now_ms >= r->who->expires_ms + TOKEN_LEEWAY_MS)
        return refuse(r, TOKEN_EXPIRED, "its time (exp) is over");
    if (r->not_before_ms && r->now_ms + TOKEN_LEEWAY_MS < r->not_before_ms)
        return refuse(r, TOKEN_NOT_YET_VALID, "its time (nbf) has not come");
    return true;
}

static bool read_claims(struct reading *r)
{
    struct identity *who = r->who;
    bool has_publish;
    return read_subject(r) && read_roles(r) &&
           read_patterns(r, "rooms", &who->has_rooms, &who->rooms_count) &&
           read_patterns(r, "publish", &has_publish, &who->publish_count) &&
           read_flag(r, "execute", &who->may_execute) && read_flag(r, "ai", &who->may_ai) &&
           read_time(r, "exp", &who->expires_ms) && read_time(r, "nbf", &r->not_before_ms) &&
           check_issuer(r) && check_times(r);
}

struct identity *identity_from_claims(const struct buf *claims, struct access_policy *policy,
                                      int64_t now_ms, struct token_refusal *refusal)
{
    struct reading r = {.claims = claims, .policy = policy, .refusal = refusal, .now_ms = now_ms};
    r.who = memory_zero(sizeof *r.who);
    r.who->policy = access_policy_ref(policy);
    bool ok = read_claims(&r);
    int64_t until_ms = r.who->expires_ms ? r.who->expires_ms + TOKEN_LEEWAY_MS : 0;
    principal_init(&r.who->principal, memory_copy_string(buf_slice(&r.subject)), until_ms,
                   identity_free);
    buf_fini(&r.subject);
    if (ok && !r.who->patterns.failed && !r.who->user_topic.failed)
        return r.who;
    identity_unref(r.who);
    return NULL;
}
