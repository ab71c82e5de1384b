/*
 * The model of the simulation: all events, what each reader asked for and what it got, and the
 * checks of what comes against that.
 */
#ifndef SIMULATION_MODEL_H
#define SIMULATION_MODEL_H

#include "fanout_fixture.h"

#define EVENTS_MAX   600
#define TOPICS       7
#define READERS      6
#define WORKERS_MAX  3
#define MEMBERS_MAX  64
#define FILTERS_MAX  64
#define EVENT_TOPICS 3

static const char *const topic_names[TOPICS] = {
    "session:a", "session:b", "project:c", "channel:search", "channel:files", "global", "user:u",
};
#define LATEST_TOPIC 3

/* Filters: everything, or one of the first two types, and always the third. */
static const char *const type_names[] = {"odd", "even", "both"};
enum { TYPE_BOTH = 2, WANTS_ALL = 3 };

struct model_event {
    uint64_t seq;
    unsigned when; /* number of the publish */
    unsigned type, topic_count;
    unsigned topics[EVENT_TOPICS];
    uint64_t offsets[EVENT_TOPICS], epochs[EVENT_TOPICS];
    char key; /* 0: none */
    bool ephemeral;
};

/* A stay of a reader in a topic. */
struct member {
    unsigned topic;
    const struct topic *object;
    uint64_t epoch;
    uint64_t from;        /* node order: entitled to what comes behind it */
    uint64_t base;        /* the same when it joined; a replay may have lowered `from` since */
    uint64_t last;        /* the newest that came in order */
    unsigned when;        /* number of the first publish behind the join */
    unsigned first_piece; /* what was queued before does not count for the order */
    unsigned first_gap;   /* and what was told before belongs to an earlier stay */
    bool left;
};

struct model_reader {
    struct reader *r;
    unsigned worker;
    struct member members[MEMBERS_MAX];
    unsigned member_count;
    unsigned filters[FILTERS_MAX], filter_count;
    unsigned checked, gaps_checked; /* how many of r->got and r->gaps */
    uint8_t got[EVENTS_MAX];
    bool was_behind;
    unsigned questions, replays; /* resumes and replays together; replays */
    uint64_t sent_from;
    bool may_replay;
};

static struct {
    uint64_t seed, random;
    bool verbose, failing_memory;
    unsigned step;
    struct hub *hub;
    unsigned workers;
    struct fanout fanouts[WORKERS_MAX];
    struct fake_sink sink;
    struct model_event events[EVENTS_MAX];
    unsigned event_count, publishes;
    struct model_reader readers[READERS];
} sim;

/* ---- Chance ---- */

static inline unsigned below(unsigned n)
{
    sim.random ^= sim.random << 13;
    sim.random ^= sim.random >> 7;
    sim.random ^= sim.random << 17;
    return (unsigned)((sim.random >> 11) % n);
}

static inline bool chance(unsigned percent)
{
    return below(100) < percent;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void say(const char *format, ...)
{
    va_list args;
    if (!sim.verbose)
        return;
    va_start(args, format);
    printf("%4u  ", sim.step);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

static inline void wrong(const struct model_reader *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void wrong(const struct model_reader *m, const char *format, ...)
{
    char text[256];
    va_list args;
    memory_fail_nth(0);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fail_msg("FANFARE_SIMULATION_SEED=%llu, step %u, reader %d: %s", (unsigned long long)sim.seed,
             sim.step, m ? (int)(m - sim.readers) : -1, text);
}

#define CHECK(m, condition, ...)   \
    do {                           \
        if (!(condition))          \
            wrong(m, __VA_ARGS__); \
    } while (0)

/* ---- The model ---- */

/* The place of the event in the member's topic, or -1. */
static inline int place_in(const struct model_event *e, const struct member *member)
{
    for (unsigned i = 0; i < e->topic_count; i++)
        if (e->topics[i] == member->topic && e->epochs[i] == member->epoch)
            return (int)i;
    return -1;
}

static inline bool entitled(const struct model_event *e, const struct member *member)
{
    if (place_in(e, member) < 0)
        return false;
    return e->ephemeral ? e->when >= member->when : e->seq > member->from;
}

static inline bool passes(unsigned filter, const struct model_event *e)
{
    return filter == WANTS_ALL || e->type == filter || e->type == TYPE_BOTH;
}

static inline bool passes_some(const struct model_reader *m, const struct model_event *e)
{
    for (unsigned i = 0; i < m->filter_count; i++)
        if (passes(m->filters[i], e))
            return true;
    return false;
}

static inline bool passes_all(const struct model_reader *m, const struct model_event *e)
{
    for (unsigned i = 0; i < m->filter_count; i++)
        if (!passes(m->filters[i], e))
            return false;
    return true;
}

static inline struct member *active_member(struct model_reader *m, const struct topic *object)
{
    for (unsigned i = 0; i < m->member_count; i++)
        if (!m->members[i].left && m->members[i].object == object)
            return &m->members[i];
    return NULL;
}

static inline bool touches_latest(const struct model_event *e)
{
    for (unsigned i = 0; i < e->topic_count; i++)
        if (e->topics[i] == LATEST_TOPIC)
            return true;
    return false;
}

/* How often the reader may get the event: once, and once more for each stay that it has ended. */
static inline unsigned most_often(const struct model_reader *m, const struct model_event *e)
{
    unsigned n = 1;
    for (unsigned i = 0; i < m->member_count; i++)
        n += m->members[i].left && entitled(e, &m->members[i]);
    return n;
}

/* A replay of one topic may bring an event before others of a topic that resumes behind it. */
static inline void check_order(struct model_reader *m, const struct model_event *e, unsigned piece)
{
    if (e->topic_count > 1 && m->replays)
        return;
    for (unsigned i = 0; i < m->member_count; i++) {
        struct member *member = &m->members[i];
        if (member->left || piece < member->first_piece || place_in(e, member) < 0 ||
            e->ephemeral || e->seq <= member->base || touches_latest(e))
            continue;
        CHECK(m, e->seq > member->last, "%s: event %llu behind %llu", topic_names[member->topic],
              (unsigned long long)e->seq, (unsigned long long)member->last);
        member->last = e->seq;
    }
}

static inline void check_frame(struct model_reader *m, const struct received *got)
{
    const struct wire_frame *frame = &got->frame;
    CHECK(m, frame->number < sim.event_count, "an event that nobody published");
    const struct model_event *e = &sim.events[frame->number];
    bool member = false;
    say("reader %d: event %llu", (int)(m - sim.readers), (unsigned long long)e->seq);
    for (unsigned i = 0; i < m->member_count; i++)
        member = member || entitled(e, &m->members[i]);
    CHECK(m, member, "event %llu (number %u) is not for it", (unsigned long long)e->seq,
          frame->number);
    CHECK(m, passes_some(m, e), "event %llu was filtered out", (unsigned long long)e->seq);
    CHECK(m, frame->seq == e->seq && frame->offset == e->offsets[frame->place],
          "event %llu is shown in a wrong place", (unsigned long long)e->seq);
    CHECK(m, ++m->got[frame->number] <= most_often(m, e), "event %llu (number %u) came twice",
          (unsigned long long)e->seq, frame->number);
    check_order(m, e, got->piece);
}

static inline const struct model_event *event_at(const struct member *member, uint64_t offset)
{
    for (unsigned n = 0; n < sim.event_count; n++) {
        int place = place_in(&sim.events[n], member);
        if (place >= 0 && !sim.events[n].ephemeral && sim.events[n].offsets[place] == offset)
            return &sim.events[n];
    }
    return NULL;
}

/* The log of what was trimmed may be incomplete where memory failed: its answers are too low then.
 */
static inline void check_trimmed_gap(struct model_reader *m, const struct member *member,
                                     const struct reported_gap *gap)
{
    for (uint64_t offset = gap->from; offset <= gap->to; offset++) {
        const struct model_event *e = event_at(member, offset);
        CHECK(m, e, "a gap names offset %llu, which never was", (unsigned long long)offset);
        if (e->topic_count > 1 || sim.failing_memory)
            continue;
        CHECK(m, e->seq > member->from, "a gap names offset %llu, from before its start",
              (unsigned long long)offset);
        CHECK(m, m->got[e - sim.events] < most_often(m, e),
              "a gap names offset %llu of %s, which it got", (unsigned long long)offset,
              topic_names[member->topic]);
    }
}

static inline void check_gap(struct model_reader *m, const struct reported_gap *gap)
{
    const struct member *member = active_member(m, gap->topic);
    CHECK(m, member, "a gap in a topic that it does not follow");
    say("reader %d: gap %s %llu to %llu %s", (int)(m - sim.readers), topic_names[member->topic],
        (unsigned long long)gap->from, (unsigned long long)gap->to, gap->reason);
    if (strcmp(gap->reason, "superseded") == 0) {
        CHECK(m, member->topic == LATEST_TOPIC, "superseded in a topic of another policy");
        return;
    }
    uint64_t first = hub_first_offset(sim.hub, (struct topic *)(uintptr_t)gap->topic);
    CHECK(m, gap->to < first, "a gap ends at %llu, but %llu is still there",
          (unsigned long long)gap->to, (unsigned long long)first);
    check_trimmed_gap(m, member, gap);
}

/* Looks at what has come since the last time. */
static inline void check_reader(struct model_reader *m)
{
    if (!m->r)
        return;
    m->was_behind = m->was_behind || m->r->s.catch_up || m->r->lags;
    while (m->checked < m->r->got_count || m->gaps_checked < m->r->gap_count) {
        const struct received *got = &m->r->got[m->checked];
        const struct reported_gap *gap = &m->r->gaps[m->gaps_checked];
        bool is_gap = m->checked == m->r->got_count ||
                      (m->gaps_checked < m->r->gap_count && gap->order < got->order);
        if (is_gap) {
            check_gap(m, gap);
            m->gaps_checked++;
        } else {
            check_frame(m, got);
            m->checked++;
        }
    }
}

/* ---- What is true at the end ---- */

static inline bool gap_covers(const struct model_reader *m, const struct member *member,
                              uint64_t offset)
{
    for (unsigned i = member->first_gap; i < m->r->gap_count; i++) {
        const struct reported_gap *gap = &m->r->gaps[i];
        if (gap->topic == member->object && offset >= gap->from && offset <= gap->to)
            return true;
    }
    return false;
}

/* Whether a gap of this topic told of the event, or one of a topic that was joined before: what the
 * reader knows to have lost there does not come again. */
static inline bool is_told(const struct model_reader *m, const struct model_event *e,
                           const struct member *member)
{
    for (const struct member *one = m->members; one <= member; one++)
        if (entitled(e, one) && gap_covers(m, one, e->offsets[place_in(e, one)]))
            return true;
    return false;
}

static inline void check_missing(struct model_reader *m, const struct model_event *e)
{
    for (unsigned i = 0; i < m->member_count; i++) {
        const struct member *member = &m->members[i];
        if (member->left || !entitled(e, member))
            continue;
        if (e->ephemeral)
            CHECK(m, m->was_behind || sim.failing_memory, "ephemeral event number %u is missing",
                  (unsigned)(e - sim.events));
        else
            CHECK(m, is_told(m, e, member), "event %llu (number %u, %s) is missing and in no gap",
                  (unsigned long long)e->seq, (unsigned)(e - sim.events),
                  topic_names[member->topic]);
    }
}

/* What a gap named did not come later either. */
static inline void check_gaps_again(struct model_reader *m)
{
    for (unsigned i = 0; i < m->r->gap_count; i++) {
        const struct reported_gap *gap = &m->r->gaps[i];
        const struct member *member = active_member(m, gap->topic);
        if (member && i >= member->first_gap && strcmp(gap->reason, "trimmed") == 0)
            check_trimmed_gap(m, member, gap);
    }
}

static inline void check_end(struct model_reader *m)
{
    if (!m->r || m->r->closed)
        return;
    CHECK(m, !m->r->s.catch_up, "still behind when all is quiet");
    CHECK(m, m->r->caught_up <= m->questions, "more answers than questions");
    for (unsigned n = 0; n < sim.event_count; n++)
        if (m->got[n] == 0 && passes_all(m, &sim.events[n]))
            check_missing(m, &sim.events[n]);
    check_gaps_again(m);
}

#endif
