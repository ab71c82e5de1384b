/*
 * Subscribers: joining, leaving, filters. What one does while it is behind is in catch_up.c.
 *
 * A subscriber with one topic and no filter stands in its group's `solo` array and gets whole
 * runs; all others stand in `picky`. Whenever that changes, the group's run is handed over first,
 * so that nobody gets frames of a time when it did not belong there.
 */
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/fanout.h"
#include "hub/fanout_private.h"

void subscriber_init(struct subscriber *s, struct fanout *f)
{
    *s = (struct subscriber){.fanout = f};
}

static bool is_picky(const struct subscriber *s)
{
    return s->count > 1 || s->filter || s->source || s->patterns;
}

void subscriber_unlink(struct subscriber *s)
{
    for (unsigned i = 0; i < s->count; i++)
        group_remove(subscriber_at(s, i));
}

void subscriber_flush(struct subscriber *s)
{
    for (unsigned i = 0; i < s->count; i++)
        group_flush(s->fanout, subscriber_at(s, i)->group);
    catch_up_leave_groups(s->fanout);
}

static bool stands_right(const struct subscription *sub, bool picky)
{
    return sub->live && sub->picky == picky;
}

int subscriber_link(struct subscriber *s)
{
    bool picky = is_picky(s);
    for (unsigned i = 0; i < s->count; i++) {
        struct subscription *sub = subscriber_at(s, i);
        if (!stands_right(sub, picky) && group_reserve(sub->group, picky) != 0)
            return FAN_E_NO_MEMORY;
    }
    for (unsigned i = 0; i < s->count; i++) {
        struct subscription *sub = subscriber_at(s, i);
        if (stands_right(sub, picky))
            continue;
        group_flush(s->fanout, sub->group);
        group_remove(sub);
        group_add(sub->group, sub, picky);
    }
    return 0;
}

static struct subscription *find(const struct subscriber *s, struct slice topic, unsigned *index)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct subscription *sub = subscriber_at(s, i);
        if (slice_equal(topic_name_slice(sub->group->local->topic), topic)) {
            *index = i;
            return sub;
        }
    }
    return NULL;
}

struct subscription *subscriber_find(const struct subscriber *s, struct slice topic)
{
    unsigned index;
    return find(s, topic, &index);
}

bool subscriber_follows(const struct subscriber *s, struct slice topic)
{
    const struct subscription *sub = subscriber_find(s, topic);
    return sub && !sub->borrowed;
}

struct subscription *subscriber_add(struct subscriber *s, struct group *g)
{
    struct subscription *sub = &s->first;
    if (s->count > 0) {
        uint32_t used = s->count - (s->first.group ? 1 : 0);
        if (used == s->more_cap) {
            uint32_t cap = s->more_cap ? s->more_cap * 2 : 4;
            void *grown = memory_try_realloc(s->more, cap * sizeof *s->more);
            if (!grown)
                return NULL;
            s->more = grown;
            s->more_cap = cap;
        }
        sub = memory_try_alloc(sizeof *sub);
        if (!sub)
            return NULL;
        s->more[used] = sub;
    }
    *sub = (struct subscription){.owner = s, .group = g};
    s->count++;
    g->members++;
    return sub;
}

/* The last one left moves into `first`: a solo subscription always stands there. */
static void move_to_first(struct subscriber *s)
{
    struct subscription *last = s->more[0];
    s->first = *last;
    if (last->live)
        (last->picky ? last->group->picky : last->group->solo)[last->index] = &s->first;
    memory_free(last);
    memory_free(s->more);
    s->more = NULL;
    s->more_cap = 0;
}

/* A group may also be there for a pattern's sake, for this turn. */
static bool has_members(const struct topic *topic, unsigned worker)
{
    const struct topic_local *local = topic->locals[worker];
    for (const struct group *g = local ? local->groups : NULL; g; g = g->next)
        if (g->members)
            return true;
    return false;
}

void subscriber_remove(struct subscriber *s, unsigned index)
{
    struct fanout *f = s->fanout;
    struct subscription *sub = subscriber_at(s, index);
    struct group *g = sub->group;
    struct topic *topic = g->local->topic; /* kept alive by the subscription's reference */
    unsigned dialect = g->encoding->dialect;
    group_remove(sub);
    g->members--;
    s->borrowed -= sub->borrowed;
    bool had_first = s->first.group != NULL;
    s->count--;
    if (s->catch_up)
        memmove(&s->catch_up->topics[index], &s->catch_up->topics[index + 1],
                (s->count - index) * sizeof *s->catch_up->topics);
    if (sub == &s->first) {
        s->first = (struct subscription){0};
    } else {
        unsigned at = had_first ? index - 1 : index, used = s->count - (had_first ? 1 : 0);
        for (; at < used; at++)
            s->more[at] = s->more[at + 1];
        memory_free(sub);
    }
    if (s->count == 1 && !s->first.group)
        move_to_first(s);
    group_release(f, g);
    hub_leave(f->hub, f->worker, dialect, topic, !has_members(topic, f->worker));
}

void subscriber_fini(struct subscriber *s)
{
    if (!s->fanout)
        return;
    catch_up_end(s);
    subscriber_leave_patterns(s);
    while (s->count)
        subscriber_remove(s, s->count - 1);
    memory_free(s->more);
    event_filter_free(s->filter);
    memory_free(s->source);
    *s = (struct subscriber){.fanout = s->fanout};
}

/* ---- Joining and leaving ---- */

/* The new subscription is the last one. Whoever resumes, or is behind already, reads on from
 * history for all of its topics, passing over what it has of the others. */
static int start_last(struct subscriber *s, const struct start_point *start,
                      const struct join_result *result)
{
    bool resumes =
        start->kind != START_NOW && (result->reason == RESUME_OK || start->kind == START_BEGINNING);
    struct subscription *sub = subscriber_at(s, s->count - 1);
    sub->from = resumes ? result->position : result->seq;
    if (!resumes && !s->catch_up)
        return subscriber_link(s);
    uint64_t heard = subscriber_heard_from(s, topic_name_slice(result->topic));
    int error = catch_up_add(s, resumes);
    if (!error && heard != UINT64_MAX)
        catch_up_got(s, topic_name_slice(result->topic), heard, s->fanout->seq);
    return error;
}

/* It reads the topic already, for a pattern's sake: from now on also for its own. */
static int keep_borrowed(struct subscriber *s, struct subscription *sub,
                         const struct start_point *start, const struct join_result *result)
{
    struct fanout *f = s->fanout;
    struct topic *topic = sub->group->local->topic;
    struct slice name = topic_name_slice(topic);
    hub_leave(f->hub, f->worker, sub->group->encoding->dialect, topic_ref(topic), false);
    sub->borrowed = false;
    s->borrowed--;
    bool resumes =
        start->kind != START_NOW && (result->reason == RESUME_OK || start->kind == START_BEGINNING);
    uint64_t heard = subscriber_heard_from(s, name);
    if (!resumes || result->position >= sub->from)
        return 0;
    if (result->position >= heard) { /* it has that by the pattern */
        catch_up_got(s, name, 0, sub->from);
        sub->from = result->position;
        return 0;
    }
    return catch_up_extend(s, name, result->position, heard < sub->from ? heard : sub->from);
}

static int refuse_join(struct subscriber *s, struct join_result *result, unsigned dialect)
{
    struct fanout *f = s->fanout;
    hub_leave(f->hub, f->worker, dialect, result->topic, result->topic->locals[f->worker] == NULL);
    result->topic = NULL;
    return FAN_E_NO_MEMORY;
}

int subscriber_join(struct subscriber *s, struct slice topic, const struct encoding *encoding,
                    const struct start_point *start, struct join_result *result)
{
    struct fanout *f = s->fanout;
    int error = hub_join(f->hub, f->worker, encoding->dialect, topic, start, result);
    if (error)
        return error;
    subscriber_sync_batch(s, &result->inbox);
    struct subscription *borrowed = subscriber_find(s, topic);
    if (borrowed)
        return keep_borrowed(s, borrowed, start, result);
    struct group *g = group_get(f, result->topic, encoding);
    if (!g)
        return refuse_join(s, result, encoding->dialect);
    if (!subscriber_add(s, g)) {
        group_release(f, g);
        return refuse_join(s, result, encoding->dialect);
    }
    topic_ref(result->topic); /* hub_join's reference stays with the subscription */
    error = start_last(s, start, result);
    if (error) {
        subscriber_remove(s, s->count - 1);
        topic_unref(result->topic);
        result->topic = NULL;
    }
    return error;
}

void subscriber_had(struct subscriber *s, struct slice topic, uint64_t since)
{
    struct subscription *sub = subscriber_find(s, topic);
    if (!sub || since >= sub->from)
        return;
    if (s->catch_up)
        catch_up_got(s, topic, 0, sub->from);
    sub->from = since;
}

uint64_t subscriber_reached(const struct subscriber *s, struct slice topic)
{
    unsigned index;
    const struct catch_up *c = s->catch_up;
    if (!c || !find(s, topic, &index))
        return subscriber_position(s);
    uint64_t reached = catch_up_replays(c) ? c->live_position : c->position;
    uint64_t got = c->topics[index].got_until, from = subscriber_at(s, index)->from;
    reached = got > reached ? got : reached;
    return from > reached ? from : reached;
}

int subscriber_leave(struct subscriber *s, struct slice topic)
{
    unsigned index;
    struct subscription *sub = find(s, topic, &index);
    if (!sub || sub->borrowed)
        return FAN_E_NOT_FOUND;
    uint64_t heard = s->catch_up ? subscriber_heard_from(s, topic) : UINT64_MAX;
    if (heard == UINT64_MAX) {
        subscriber_remove(s, index);
        subscriber_settle(s);
    } else { /* what it still has to read, a pattern needs */
        sub->from = heard > sub->from ? heard : sub->from;
        sub->borrowed = true;
        s->borrowed++;
    }
    return 0;
}

void subscriber_settle(struct subscriber *s)
{
    if (s->count == 0 && !(s->catch_up && s->catch_up->held))
        catch_up_end(s);
    if (!s->catch_up)
        (void)subscriber_link(s); /* without memory it is looked at event by event, as before */
}

void subscriber_filter(struct subscriber *s, struct event_filter *filter)
{
    subscriber_sync(s);
    event_filter_free(s->filter);
    s->filter = filter;
    if (!s->catch_up && subscriber_link(s) != 0)
        s->fanout->sink->overflow_close(s->fanout->arg, s, s->fanout->seq);
}

int subscriber_speak_as(struct subscriber *s, struct slice source)
{
    if (s->source && slice_is(source, s->source))
        return 0;
    char *copy = memory_try_alloc(source.len + 1);
    if (!copy)
        return FAN_E_NO_MEMORY;
    memcpy(copy, source.ptr, source.len);
    copy[source.len] = '\0';
    memory_free(s->source);
    s->source = copy;
    return s->catch_up ? 0 : subscriber_link(s);
}

void subscriber_sync_batch(struct subscriber *s, struct inbox_batch *batch)
{
    fanout_take(s->fanout, batch);
    subscriber_flush(s);
}

void subscriber_sync(struct subscriber *s)
{
    struct inbox_batch batch;
    hub_drain(s->fanout->hub, s->fanout->worker, &batch);
    subscriber_sync_batch(s, &batch);
}

uint64_t subscriber_position(const struct subscriber *s)
{
    return s->catch_up ? s->catch_up->position : s->fanout->seq;
}
