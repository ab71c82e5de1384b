/* Identities and what they may do; see identity.h. */
#include "auth/identity.h"

#include "base/memory.h"
#include "hub/topic_pattern.h"

/* ---- Life ---- */

void identity_free(struct principal *principal)
{
    struct identity *who = identity_of(principal);
    access_policy_unref(who->policy);
    buf_fini(&who->user_topic);
    buf_fini(&who->patterns);
    if (!who->anonymous)
        memory_free((char *)who->principal.name);
    memory_free(who);
}

struct identity *identity_anonymous(struct access_policy *policy)
{
    struct identity *who = memory_zero(sizeof *who);
    principal_init(&who->principal, "anonymous", 0, identity_free);
    who->anonymous = true;
    who->policy = access_policy_ref(policy);
    return who;
}

/* ---- Decisions ---- */

static struct access_decision yes(const char *because)
{
    return (struct access_decision){.allowed = true, .because = because};
}

static struct access_decision no(const char *because)
{
    return (struct access_decision){.because = because};
}

static struct access_decision yes_by(const char *because, const char *pattern)
{
    return (struct access_decision){.allowed = true, .because = because, .pattern = pattern};
}

/* The pattern among a claim's texts, `count` of them behind the first `skip`; NULL: none. */
static const char *find_claimed(const struct identity *who, size_t skip, size_t count,
                                struct slice topic)
{
    const char *at = who->patterns.data;
    for (size_t i = 0; i < skip + count; i++, at += strlen(at) + 1)
        if (i >= skip && topic_pattern_match(slice_from(at), topic))
            return at;
    return NULL;
}

/* What is decided without looking at the topic. False: nothing is. */
static bool decide_early(const struct identity *who, struct access_decision *decision)
{
    if (!who)
        *decision = no("no token was shown");
    else if (who->anonymous && who->policy->open)
        *decision = yes("the server is in the open mode");
    else if (who->admin)
        *decision = yes("the claim role is admin");
    else
        return false;
    return true;
}

struct access_decision identity_may_read(const struct identity *who, struct slice topic)
{
    struct access_decision decision;
    if (decide_early(who, &decision))
        return decision;
    if (slice_starts(topic, "user:"))
        return slice_equal(topic, buf_slice(&who->user_topic))
                   ? yes("it is the user's own topic")
                   : no("other users' topics are read by admins only");
    const struct access_policy *policy = who->policy;
    const char *pattern = topic_pattern_find(policy->anonymous, policy->anonymous_count, topic);
    if (pattern)
        return yes_by("access.anonymous has ", pattern);
    if (who->anonymous)
        return no("it needs a token");
    if (slice_is(topic, "global"))
        return yes("every user reads global");
    if (who->has_rooms) {
        pattern = find_claimed(who, 0, who->rooms_count, topic);
        return pattern ? yes_by("the claim rooms has ", pattern)
                       : no("no pattern of the claim rooms fits it");
    }
    return policy->strict ? no("there is no claim rooms, and access.default is strict")
                          : yes("there is no claim rooms, and access.default is reference");
}

struct access_decision identity_may_publish(const struct identity *who, struct slice topic)
{
    struct access_decision decision;
    if (decide_early(who, &decision))
        return decision;
    if (who->anonymous)
        return no("it needs a token");
    const char *pattern = find_claimed(who, who->rooms_count, who->publish_count, topic);
    if (pattern)
        return yes_by("the claim publish has ", pattern);
    pattern = topic_pattern_find(who->policy->publish, who->policy->publish_count, topic);
    if (pattern)
        return yes_by("access.publish has ", pattern);
    return no(who->publish_count ? "no pattern of the claim publish fits it"
                                 : "there is no claim publish");
}

struct access_decision identity_may_publish_somewhere(const struct identity *who)
{
    struct access_decision decision;
    if (decide_early(who, &decision))
        return decision;
    if (who->anonymous)
        return no("it needs a token");
    return who->publish_count || who->policy->publish_count ? yes("there is a claim publish")
                                                            : no("there is no claim publish");
}

static struct access_decision may_run(const struct identity *who, bool claim, bool rule,
                                      const char *by_claim, const char *by_rule,
                                      const char *refused)
{
    struct access_decision decision;
    if (decide_early(who, &decision))
        return decision;
    if (who->anonymous)
        return no("it needs a token");
    return claim ? yes(by_claim) : rule ? yes(by_rule) : no(refused);
}

struct access_decision identity_may_execute(const struct identity *who)
{
    return may_run(who, who && who->may_execute, who && who->policy->execute,
                   "the claim execute is true", "access.execute is on",
                   "there is no claim execute");
}

struct access_decision identity_may_use_ai(const struct identity *who)
{
    return may_run(who, who && who->may_ai, who && who->policy->ai, "the claim ai is true",
                   "access.ai is on", "there is no claim ai");
}

struct access_decision identity_may_administer(const struct identity *who)
{
    struct access_decision decision;
    if (decide_early(who, &decision))
        return decision;
    return no(who->anonymous ? "it needs a token" : "it is for admins only");
}

void access_decision_append(struct buf *out, const struct access_decision *decision)
{
    buf_append_text(out, decision->because);
    if (decision->pattern)
        buf_printf(out, "\"%s\"", decision->pattern);
}
