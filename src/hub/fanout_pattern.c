/*
 * Following topics by a pattern; see fanout.h.
 *
 * Live, a pattern costs a few lookups for each event: the members of its group get the frame that
 * the topic's group has. A member that falls behind, or resumes, borrows subscriptions to those of
 * the pattern's topics that have had events since, and to each further one whose event comes while
 * it still reads; catch_up.c treats them like all others. Back among the live ones it returns them.
 */
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/fanout_private.h"

/* Subscribers of one pattern in one encoding. */
struct pattern_group {
    struct pattern *pattern;
    const struct encoding *encoding;
    struct pattern_group *next;
    struct pattern_subscription **members;
    uint32_t count, cap;
};

struct pattern {
    struct pattern_group *groups;
    uint32_t prefix_len;
    char prefix[];
};

struct pattern_subscription {
    struct subscriber *owner;
    struct pattern_group *group;
    struct pattern_subscription *next; /* of the owner */
    uint64_t from;                     /* node order: events behind this belong to it */
    uint32_t index;                    /* in the group's array */
};

static struct slice pattern_key(const void *object)
{
    const struct pattern *p = object;
    return slice_of(p->prefix, p->prefix_len);
}

static struct slice prefix_of(const struct pattern_subscription *p)
{
    return pattern_key(p->group->pattern);
}

void fanout_patterns_init(struct fanout *f)
{
    map_init(&f->patterns, pattern_key);
}

void fanout_patterns_fini(struct fanout *f)
{
    map_fini(&f->patterns);
    memory_free(f->matched);
    f->matched = NULL;
}

/* ---- Live ---- */

static bool note_matched(struct fanout *f, struct pattern_group *g)
{
    if (f->matched_count == f->matched_cap) {
        uint32_t cap = f->matched_cap ? f->matched_cap * 2 : 8;
        void *grown = memory_try_realloc(f->matched, cap * sizeof(struct pattern_group *));
        if (!grown)
            return false;
        f->matched = grown;
        f->matched_cap = cap;
    }
    f->matched[f->matched_count++] = g;
    return true;
}

static void lag_members(const struct pattern_group *g, uint64_t first_dropped)
{
    for (uint32_t i = 0; i < g->count; i++)
        fanout_lag(g->members[i]->owner, first_dropped, 0);
}

void fanout_match(struct fanout *f, struct topic *topic, const struct event *e)
{
    struct slice prefix;
    f->matched_count = 0;
    for (size_t at = 0; topic_prefix_next(topic_name_slice(topic), &at, &prefix);) {
        const struct pattern *p = map_get(&f->patterns, prefix);
        for (struct pattern_group *g = p ? p->groups : NULL; g; g = g->next)
            if (!note_matched(f, g) || !group_get(f, topic, g->encoding))
                lag_members(g, e->ephemeral ? e->seq + 1 : e->seq);
    }
}

bool fanout_is_matched(const struct fanout *f, const struct encoding *encoding)
{
    for (uint32_t i = 0; i < f->matched_count; i++)
        if (f->matched[i]->encoding == encoding)
            return true;
    return false;
}

void fanout_deliver_matched(struct fanout *f, const struct group *g, const struct event *e,
                            unsigned place, const struct frames *frames)
{
    uint64_t delivered = 0;
    for (uint32_t i = 0; i < f->matched_count; i++) {
        const struct pattern_group *matched = f->matched[i];
        for (uint32_t k = 0; matched->encoding == g->encoding && k < matched->count; k++) {
            struct subscriber *s = matched->members[k]->owner;
            if (s->catch_up)
                subscriber_borrow_for(s, g->encoding, e->places[place].topic, e);
            else
                delivered += group_deliver_to(f, g, s, e, place, frames);
        }
    }
    STAT_ADD(f->stats.deliveries, delivered);
}

void fanout_lag_matched(struct fanout *f, const struct encoding *encoding, const struct event *e)
{
    for (uint32_t i = 0; i < f->matched_count; i++)
        for (uint32_t k = 0; f->matched[i]->encoding == encoding && k < f->matched[i]->count; k++) {
            struct subscriber *s = f->matched[i]->members[k]->owner;
            bool got = e->ephemeral || s->last_serial == f->serial;
            fanout_lag(s, got ? e->seq + 1 : e->seq, 0);
        }
}

void fanout_lag_patterns(struct fanout *f, uint64_t first_dropped)
{
    MAP_EACH (i, &f->patterns) {
        const struct pattern *p = f->patterns.slots[i].object;
        for (const struct pattern_group *g = p->groups; g; g = g->next)
            lag_members(g, first_dropped);
    }
}

/* ---- Borrowing ---- */

/* Position behind which the subscriber gets the topic's events by patterns other than `except`;
 * UINT64_MAX: by none. */
static uint64_t heard_from(const struct subscriber *s, struct slice topic,
                           const struct pattern_subscription *except)
{
    uint64_t from = UINT64_MAX;
    for (const struct pattern_subscription *p = s->patterns; p; p = p->next)
        if (p != except && p->from < from && slice_begins(topic, prefix_of(p)))
            from = p->from;
    return from;
}

uint64_t subscriber_heard_from(const struct subscriber *s, struct slice topic)
{
    return heard_from(s, topic, NULL);
}

bool subscriber_hears(const struct subscriber *s, struct slice topic)
{
    return subscriber_follows(s, topic) || heard_from(s, topic, NULL) != UINT64_MAX;
}

static const struct group *newest_group(const struct fanout *f, const struct topic *topic)
{
    const struct topic_local *local = topic->locals[f->worker];
    return local ? local->groups : NULL;
}

/* A borrowed subscription, the last one. Frames of the group may be on their way to its members
 * just now: where this fails only one that was made for it is taken back. FAN_E_NO_MEMORY. */
static int borrow(struct subscriber *s, struct topic *topic, const struct encoding *encoding,
                  uint64_t from)
{
    struct fanout *f = s->fanout;
    const struct group *before = newest_group(f, topic);
    struct group *g = group_get(f, topic, encoding);
    struct subscription *sub = g ? subscriber_add(s, g) : NULL;
    if (!sub) {
        if (g && g != before && g == newest_group(f, topic))
            group_release(f, g);
        return FAN_E_NO_MEMORY;
    }
    hub_follow(f->hub, f->worker, encoding->dialect, topic);
    sub->from = from;
    sub->borrowed = true;
    s->borrowed++;
    return 0;
}

int subscriber_borrow_since(struct subscriber *s, uint64_t position)
{
    int error = 0;
    for (const struct pattern_subscription *p = s->patterns; p && !error; p = p->next) {
        struct topic_array array = {0};
        uint64_t from = p->from > position ? p->from : position;
        error = hub_topics_since(s->fanout->hub, prefix_of(p), from, &array);
        for (unsigned i = 0; i < array.count && !error; i++) {
            struct subscription *sub = subscriber_find(s, topic_name_slice(array.topics[i]));
            if (!sub)
                error = borrow(s, array.topics[i], p->group->encoding, from);
            else if (sub->from > from) /* what came by the pattern before it was followed itself */
                sub->from = from;
        }
        topic_array_fini(&array);
    }
    return error;
}

void subscriber_borrow_for(struct subscriber *s, const struct encoding *encoding,
                           struct topic *topic, const struct event *e)
{
    struct fanout *f = s->fanout;
    if (e->ephemeral || subscriber_find(s, topic_name_slice(topic)))
        return;
    if (borrow(s, topic, encoding, e->seq - 1) != 0 || catch_up_add(s, false) != 0)
        f->sink->overflow_close(f->arg, s, s->catch_up->position);
}

void subscriber_return_borrowed(struct subscriber *s)
{
    for (unsigned i = s->count; s->borrowed && i > 0; i--)
        if (subscriber_at(s, i - 1)->borrowed)
            subscriber_remove(s, i - 1);
}

/* Those that no pattern needs any more. */
static void return_unneeded(struct subscriber *s)
{
    for (unsigned i = s->count; s->borrowed && i > 0; i--) {
        const struct subscription *sub = subscriber_at(s, i - 1);
        if (sub->borrowed &&
            heard_from(s, topic_name_slice(sub->group->local->topic), NULL) == UINT64_MAX)
            subscriber_remove(s, i - 1);
    }
}

/* ---- Resuming ---- */

/* One of the pattern's topics is read from the position on. What the subscriber has of it in other
 * ways it does not get again. */
static int resume_topic(struct subscriber *s, const struct pattern_subscription *p,
                        struct topic *topic)
{
    struct slice name = topic_name_slice(topic);
    const struct subscription *sub = subscriber_find(s, name);
    uint64_t heard = heard_from(s, name, p);
    if (sub && (sub->from <= p->from || heard <= p->from))
        return 0;
    if (sub)
        return catch_up_extend(s, name, p->from, heard < sub->from ? heard : sub->from);
    if (heard <= p->from)
        return 0;
    int error = borrow(s, topic, p->group->encoding, p->from);
    if (!error)
        error = catch_up_add(s, true);
    if (!error && heard != UINT64_MAX)
        catch_up_got(s, name, heard, s->fanout->seq);
    return error;
}

static int resume_pattern(struct subscriber *s, const struct pattern_subscription *p)
{
    struct topic_array array = {0};
    int error = hub_topics_since(s->fanout->hub, prefix_of(p), p->from, &array);
    for (unsigned i = 0; i < array.count && !error; i++)
        error = resume_topic(s, p, array.topics[i]);
    topic_array_fini(&array);
    return error;
}

/* ---- Joining and leaving ---- */

static struct pattern *need_pattern(struct fanout *f, struct slice prefix)
{
    struct pattern *p = map_get(&f->patterns, prefix);
    if (p)
        return p;
    p = memory_try_alloc(sizeof *p + prefix.len);
    if (!p)
        return NULL;
    *p = (struct pattern){.prefix_len = (uint32_t)prefix.len};
    memcpy(p->prefix, prefix.ptr, prefix.len);
    if (map_try_put(&f->patterns, p) != 0) {
        memory_free(p);
        return NULL;
    }
    return p;
}

static struct pattern_group *need_group(struct pattern *p, const struct encoding *encoding)
{
    struct pattern_group *g = p->groups;
    while (g && g->encoding != encoding)
        g = g->next;
    if (g)
        return g;
    g = memory_try_alloc(sizeof *g);
    if (!g)
        return NULL;
    *g = (struct pattern_group){.pattern = p, .encoding = encoding, .next = p->groups};
    p->groups = g;
    return g;
}

/* Frees group and pattern when nobody needs them. */
static void release(struct fanout *f, struct pattern *p, struct pattern_group *g)
{
    if (g && g->count == 0) {
        struct pattern_group **at = &p->groups;
        while (*at != g)
            at = &(*at)->next;
        *at = g->next;
        memory_free(g->members);
        memory_free(g);
        f->matched_count = 0;
    }
    if (p && !p->groups) {
        map_remove(&f->patterns, pattern_key(p));
        memory_free(p);
    }
}

/* NULL: no memory. */
static struct pattern_subscription *add(struct subscriber *s, struct slice prefix,
                                        const struct encoding *encoding)
{
    struct fanout *f = s->fanout;
    struct pattern *p = need_pattern(f, prefix);
    struct pattern_group *g = p ? need_group(p, encoding) : NULL;
    struct pattern_subscription *sub = g ? memory_try_alloc(sizeof *sub) : NULL;
    if (sub && g->count == g->cap) {
        uint32_t cap = g->cap ? g->cap * 2 : 4;
        void *grown = memory_try_realloc(g->members, cap * sizeof(struct pattern_subscription *));
        if (grown) {
            g->members = grown;
            g->cap = cap;
        } else {
            memory_free(sub);
            sub = NULL;
        }
    }
    if (!sub) {
        release(f, p, g);
        return NULL;
    }
    *sub = (struct pattern_subscription){
        .owner = s, .group = g, .next = s->patterns, .index = g->count};
    g->members[g->count++] = sub;
    s->patterns = sub;
    s->pattern_count++;
    return sub;
}

static void remove_pattern(struct subscriber *s, struct pattern_subscription **at)
{
    struct fanout *f = s->fanout;
    struct pattern_subscription *sub = *at;
    struct pattern_group *g = sub->group;
    struct pattern_subscription *last = g->members[--g->count];
    g->members[sub->index] = last;
    last->index = sub->index;
    *at = sub->next;
    s->pattern_count--;
    hub_pattern_leave(f->hub, f->worker, pattern_key(g->pattern));
    release(f, g->pattern, g);
    memory_free(sub);
}

static struct pattern_subscription **find(struct subscriber *s, struct slice prefix)
{
    struct pattern_subscription **at = &s->patterns;
    while (*at && !slice_equal(prefix_of(*at), prefix))
        at = &(*at)->next;
    return at;
}

int subscriber_join_pattern(struct subscriber *s, struct slice prefix,
                            const struct encoding *encoding, const struct start_point *start,
                            struct pattern_result *out)
{
    struct fanout *f = s->fanout;
    *out = (struct pattern_result){0};
    if (*find(s, prefix))
        return FAN_E_EXISTS;
    int error = hub_pattern_join(f->hub, f->worker, prefix, start, out);
    if (error)
        return error;
    subscriber_sync_batch(s, &out->inbox);
    struct pattern_subscription *p = add(s, prefix, encoding);
    if (!p) {
        hub_pattern_leave(f->hub, f->worker, prefix);
        return FAN_E_NO_MEMORY;
    }
    p->from = out->position;
    if (out->position < out->seq)
        error = resume_pattern(s, p);
    if (!error && !s->catch_up)
        error = subscriber_link(s);
    if (error)
        subscriber_leave_pattern(s, prefix);
    return error;
}

int subscriber_leave_pattern(struct subscriber *s, struct slice prefix)
{
    struct pattern_subscription **at = find(s, prefix);
    if (!*at)
        return FAN_E_NOT_FOUND;
    remove_pattern(s, at);
    return_unneeded(s);
    subscriber_settle(s);
    return 0;
}

void subscriber_leave_patterns(struct subscriber *s)
{
    while (s->patterns)
        remove_pattern(s, &s->patterns);
}

bool subscriber_follows_pattern(const struct subscriber *s, struct slice prefix)
{
    return *find((struct subscriber *)s, prefix) != NULL;
}

void subscriber_each(const struct subscriber *s,
                     void (*use)(void *arg, struct slice name, bool pattern), void *arg)
{
    for (unsigned i = 0; i < s->count; i++)
        if (!subscriber_at(s, i)->borrowed)
            use(arg, topic_name_slice(subscriber_at(s, i)->group->local->topic), false);
    for (const struct pattern_subscription *p = s->patterns; p; p = p->next)
        use(arg, prefix_of(p), true);
}
