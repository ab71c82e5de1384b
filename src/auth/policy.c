/* Policies; see policy.h. */
#include "auth/policy.h"

#include "base/memory.h"

static char **copy_list(const char *const *items, size_t count)
{
    char **copy = memory_zero((count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = memory_copy_string(slice_from(items[i]));
    return copy;
}

static void free_list(char **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memory_free(items[i]);
    memory_free(items);
}

struct access_policy *access_policy_new(const struct access_policy_options *o)
{
    struct access_policy *p = memory_zero(sizeof *p);
    atomic_init(&p->refs, 1);
    p->open = o->open;
    p->strict = o->strict;
    p->execute = o->execute;
    p->ai = o->ai;
    p->anonymous = copy_list(o->anonymous, o->anonymous_count);
    p->anonymous_count = o->anonymous_count;
    p->publish = copy_list(o->publish, o->publish_count);
    p->publish_count = o->publish_count;
    p->issuer = memory_copy_string(slice_from(o->issuer ? o->issuer : ""));
    p->audience = memory_copy_string(slice_from(o->audience ? o->audience : ""));
    return p;
}

struct access_policy *access_policy_ref(struct access_policy *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void access_policy_unref(struct access_policy *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_list(p->anonymous, p->anonymous_count);
    free_list(p->publish, p->publish_count);
    memory_free(p->issuer);
    memory_free(p->audience);
    memory_free(p);
}
