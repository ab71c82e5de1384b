/*
 * A whole node in one thread, driven by a random schedule that a seed decides: several workers,
 * readers that join anywhere, leave, change filters and read slowly, history that is trimmed at any
 * moment, and in every fourth run allocations that fail.
 *
 * Beside it stands a model that knows all events and what each reader asked for. It is checked that
 * every reader gets each of its events once, in the order of the node, and nothing else; that what
 * it does not get was reported as a gap; and that what was reported as a gap was lost.
 *
 * FANFARE_SIMULATION_RUNS sets how many seeds are tried; FANFARE_SIMULATION_SEED runs one seed and
 * shows what it does.
 */
#include "simulation_model.h"

#define RUNS  2000
#define STEPS 300

/* ---- What can happen ---- */

static void do_publish(void)
{
    struct draft d = {.ephemeral = chance(10)};
    struct model_event *e = &sim.events[sim.event_count];
    char data[64], key[2] = {0}, id[32];
    if (sim.event_count == EVENTS_MAX)
        return;
    *e = (struct model_event){.type = below(3), .ephemeral = d.ephemeral, .when = sim.publishes++};
    e->topic_count = chance(25) ? 1 + below(EVENT_TOPICS) : 1;
    for (unsigned i = 0; i < e->topic_count; i++) {
        bool again = true;
        while (again) {
            again = false;
            e->topics[i] = below(TOPICS);
            for (unsigned k = 0; k < i; k++)
                again = again || e->topics[k] == e->topics[i];
        }
        d.topics[i] = topic_names[e->topics[i]];
    }
    if (chance(70))
        key[0] = e->key = (char)('a' + below(3));
    snprintf(data, sizeof data, "{\"n\":%u%.*s}", sim.event_count, (int)below(32),
             "                                ");
    snprintf(id, sizeof id, "id-%u", sim.event_count);
    d.data = data;
    d.key = key;
    d.id = chance(20) ? id : NULL;
    d.type = type_names[e->type];
    struct outcome out = publish_draft(sim.hub, &d);
    CHECK(NULL, !out.error || (sim.failing_memory && out.error == FAN_E_NO_MEMORY),
          "publishing failed: %s", fan_error_text(out.error));
    for (unsigned i = 0; !out.error && i < e->topic_count; i++) {
        e->offsets[i] = out.event->places[i].offset;
        e->epochs[i] = out.event->places[i].epoch;
    }
    if (!out.error) {
        e->seq = out.seq;
        say("publish number %u seq %llu to %s%s%s%s", sim.event_count, (unsigned long long)e->seq,
            d.topics[0], d.topics[1] ? " and " : "", d.topics[1] ? d.topics[1] : "",
            e->ephemeral ? " (ephemeral)" : "");
        sim.event_count++;
    }
    event_unref(out.event);
}

static struct model_reader *some_reader(void)
{
    struct model_reader *m = &sim.readers[below(READERS)];
    return m->r && !m->r->closed ? m : NULL;
}

static void open_reader(struct model_reader *m)
{
    *m = (struct model_reader){.worker = below(sim.workers), .filters = {WANTS_ALL}};
    m->filter_count = 1;
    m->r = reader_new(&sim.fanouts[m->worker], chance(50) ? 1 + below(400) : 1u << 20);
    m->r->stuck = chance(20);
    say("reader %d opens on worker %u, queue %llu", (int)(m - sim.readers), m->worker,
        (unsigned long long)m->r->queue_limit);
}

static void close_reader(struct model_reader *m)
{
    say("reader %d closes", (int)(m - sim.readers));
    reader_free(m->r);
    m->r = NULL;
}

/* A start that somebody could have: an offset or a cursor that he was given once. */
static struct start_point some_start(unsigned topic)
{
    unsigned kind = below(4);
    if (kind == 3)
        return (struct start_point){START_BEGINNING, 0, 0};
    if (kind == 2 && sim.event_count)
        return (struct start_point){START_CURSOR, sim.events[below(sim.event_count)].seq,
                                    hub_epoch(sim.hub)};
    for (unsigned tries = 0; kind == 1 && sim.event_count && tries < 8; tries++) {
        const struct model_event *e = &sim.events[below(sim.event_count)];
        for (unsigned i = 0; i < e->topic_count; i++)
            if (e->topics[i] == topic && !e->ephemeral)
                return (struct start_point){START_OFFSET, e->offsets[i] - below(2), e->epochs[i]};
    }
    return (struct start_point){START_NOW, 0, 0};
}

/* Whether the hub located the start where the model sees it. */
static void check_located(struct model_reader *m, const struct member *member,
                          const struct start_point *start, const struct join_result *r)
{
    uint64_t first_missed = 0;
    for (unsigned n = 0; n < sim.event_count; n++) {
        const struct model_event *e = &sim.events[n];
        int place = place_in(e, member);
        if (place < 0 || e->ephemeral)
            continue;
        bool wanted = start->kind == START_OFFSET   ? e->offsets[place] > start->offset
                      : start->kind == START_CURSOR ? e->seq > start->offset
                                                    : start->kind == START_BEGINNING;
        if (wanted && !first_missed)
            first_missed = e->offsets[place];
        if (r->reason == RESUME_OK)
            CHECK(m, wanted == (e->seq > r->position), "offset %llu is on the wrong side",
                  (unsigned long long)e->offsets[place]);
    }
    if (r->reason != RESUME_TRIMMED)
        return;
    CHECK(m, first_missed && first_missed < r->available_from, "nothing was lost");
    CHECK(m, r->missed_to == r->available_from - 1, "the loss ends elsewhere");
    CHECK(m,
          r->missed_from == first_missed || (sim.failing_memory && r->missed_from < first_missed),
          "the loss begins at %llu, not %llu", (unsigned long long)first_missed,
          (unsigned long long)r->missed_from);
}

static void do_join(void)
{
    struct model_reader *m = some_reader();
    unsigned topic = below(TOPICS);
    struct slice name = slice_from(topic_names[topic]);
    struct start_point start = some_start(topic);
    struct join_result result;
    if (!m || m->member_count == MEMBERS_MAX || subscriber_follows(&m->r->s, name))
        return;
    int error = subscriber_join(&m->r->s, name, &wire, &start, &result);
    if (error) {
        CHECK(m, sim.failing_memory && error == FAN_E_NO_MEMORY, "joining failed");
        CHECK(m, !subscriber_follows(&m->r->s, name), "a failed join joined");
        return;
    }
    bool resumes =
        start.kind != START_NOW && (result.reason == RESUME_OK || start.kind == START_BEGINNING);
    uint64_t from = resumes ? result.position : result.seq;
    say("reader %d joins %s, start %d %llu: %s, from %llu", (int)(m - sim.readers),
        topic_names[topic], (int)start.kind, (unsigned long long)start.offset,
        resume_reason_name(result.reason), (unsigned long long)from);
    struct member *member = &m->members[m->member_count++];
    *member = (struct member){.topic = topic,
                              .object = result.topic,
                              .epoch = result.epoch,
                              .from = from,
                              .base = from,
                              .when = sim.publishes};
    member->first_piece = m->r->pieces;
    member->first_gap = m->r->gap_count;
    if (start.kind != START_NOW)
        check_located(m, member, &start, &result);
    m->questions += resumes;
    m->may_replay = m->r->s.count == 1 && m->member_count == 1;
    m->sent_from = from;
    topic_unref(result.topic);
}

static void do_leave(void)
{
    struct model_reader *m = some_reader();
    if (!m || m->member_count == 0)
        return;
    struct member *member = &m->members[below(m->member_count)];
    if (member->left)
        return;
    /* What waits belongs to the stay that ends; it is looked at as such. */
    bool stuck = m->r->stuck;
    m->r->stuck = false;
    reader_take_all(m->r);
    m->r->stuck = stuck;
    check_reader(m);
    say("reader %d leaves %s", (int)(m - sim.readers), topic_names[member->topic]);
    CHECK(m, subscriber_leave(&m->r->s, slice_from(topic_names[member->topic])) == 0,
          "cannot leave");
    member->left = true;
    m->may_replay = false;
}

static void do_filter(void)
{
    struct model_reader *m = some_reader();
    unsigned kind = below(4); /* WANTS_ALL is 3; 2 stands for it as well */
    if (!m || m->filter_count == FILTERS_MAX)
        return;
    m->filters[m->filter_count++] = kind < 2 ? kind : WANTS_ALL;
    struct event_filter *filter = NULL;
    if (kind < 2) {
        filter = memory_zero(sizeof *filter);
        filter->custom = memory_zero(2 * sizeof *filter->custom);
        filter->custom[0] = memory_copy_string(slice_from(type_names[kind]));
        filter->custom[1] = memory_copy_string(slice_from(type_names[TYPE_BOTH]));
        filter->custom_count = 2;
    }
    say("reader %d filters %u", (int)(m - sim.readers), kind);
    subscriber_filter(&m->r->s, filter);
}

/* As a client asks by message: from some offset on what this connection was not sent. */
static void do_replay(void)
{
    struct model_reader *m = some_reader();
    if (!m || !m->may_replay || m->r->s.count != 1)
        return;
    struct member *member = &m->members[0];
    struct topic *topic = m->r->s.first.group->local->topic;
    struct start_point start = some_start(member->topic);
    struct join_result result;
    if (start.kind == START_NOW || start.kind == START_BEGINNING)
        return;
    hub_locate(sim.hub, topic, &start, &result);
    check_located(m, member, &start, &result);
    if (result.reason != RESUME_OK || result.position >= m->sent_from)
        return;
    subscriber_sync(&m->r->s);
    say("reader %d replays %llu to %llu", (int)(m - sim.readers),
        (unsigned long long)result.position, (unsigned long long)m->sent_from);
    if (subscriber_replay(&m->r->s, result.position, m->sent_from) == 0)
        m->questions++;
    m->replays++;
    m->sent_from = member->from = result.position;
}

static void do_read(void)
{
    struct model_reader *m = some_reader();
    if (!m)
        return;
    if (chance(15))
        m->r->stuck = !m->r->stuck;
    if (chance(30) && m->r->queue_count)
        m->r->begun = true;
    reader_take(m->r, chance(50) ? 1 + below(3) : READER_QUEUE_MAX);
}

static void do_turn_part(void)
{
    struct fanout *f = &sim.fanouts[below(sim.workers)];
    unsigned part = below(4);
    say("worker %d part %u", (int)(f - sim.fanouts), part);
    if (part == 0)
        fanout_drain(f);
    else if (part == 1)
        fanout_deliver(f);
    else if (part == 2)
        fanout_read_history(f);
    else
        turn(f);
}

static void do_tick(void)
{
    pass_time(chance(5) ? 700000 : below(20000));
    hub_tick(sim.hub);
}

static void do_open_or_close(void)
{
    struct model_reader *m = &sim.readers[below(READERS)];
    if (!m->r)
        open_reader(m);
    else if (chance(20) || m->r->closed)
        close_reader(m);
}

static void do_something(void)
{
    unsigned what = below(100);
    if (what < 40)
        do_publish();
    else if (what < 60)
        do_turn_part();
    else if (what < 72)
        do_read();
    else if (what < 82)
        do_join();
    else if (what < 86)
        do_leave();
    else if (what < 90)
        do_open_or_close();
    else if (what < 93)
        do_filter();
    else if (what < 97)
        do_replay();
    else
        do_tick();
}

/* ---- A run ---- */

static struct hub_config some_config(void)
{
    struct hub_config config = roomy(sim.workers);
    for (int kind = 0; kind < TOPIC_KINDS; kind++) {
        struct topic_limits *limits = &config.kinds[kind];
        limits->count = chance(60) ? 1 + below(20) : 100000;
        limits->age_ms = chance(30) ? 1 + below(60000) : 0;
        limits->bytes = chance(20) ? 1000 + below(5000) : 0;
        limits->slow = chance(10) ? SLOW_DISCONNECT : SLOW_CATCH_UP;
    }
    if (chance(20))
        config.memory_limit = 4000 + below(20000);
    return config;
}

static void open_node(void)
{
    sim.random = sim.seed * 0x9e3779b97f4a7c15u + 1;
    sim.failing_memory = sim.seed % 4 == 3;
    sim.step = sim.event_count = sim.publishes = 0;
    sim.workers = 1 + below(WORKERS_MAX);
    struct hub_config config = some_config();
    sim.hub = hub_new(&config);
    for (unsigned w = 0; w < sim.workers; w++)
        fanout_init(&sim.fanouts[w], sim.hub, w, &fake_sink, &sim.sink);
    memset(sim.readers, 0, sizeof sim.readers);
}

static void close_node(void)
{
    for (unsigned i = 0; i < READERS; i++)
        if (sim.readers[i].r)
            close_reader(&sim.readers[i]);
    for (unsigned w = 0; w < sim.workers; w++)
        fanout_fini(&sim.fanouts[w]);
    hub_free(sim.hub);
}

static void check_readers(void)
{
    for (unsigned i = 0; i < READERS; i++)
        check_reader(&sim.readers[i]);
}

/* Turns until nobody has anything left. */
static void come_to_rest(void)
{
    bool busy = true;
    for (unsigned rounds = 0; busy; rounds++) {
        CHECK(NULL, rounds < 1000, "it never comes to rest");
        busy = false;
        for (unsigned w = 0; w < sim.workers; w++)
            busy |= turn(&sim.fanouts[w]);
        for (unsigned i = 0; i < READERS; i++) {
            struct reader *r = sim.readers[i].r;
            if (!r)
                continue;
            r->stuck = false;
            busy |= r->queue_count > 0;
            reader_take_all(r);
        }
        check_readers();
    }
}

static void run(uint64_t seed)
{
    sim.seed = seed;
    open_node();
    for (; sim.step < STEPS; sim.step++) {
        if (sim.failing_memory && chance(10))
            memory_fail_nth(1 + below(12));
        do_something();
        memory_fail_nth(0);
        check_readers();
    }
    come_to_rest();
    /* Everybody is live again, whatever happened. */
    for (unsigned i = 0; i < 2 * TOPICS; i++)
        do_publish();
    come_to_rest();
    for (unsigned i = 0; i < READERS; i++)
        check_end(&sim.readers[i]);
    close_node();
}

static void test_random_schedules(void **state)
{
    (void)state;
    const char *seed = getenv("FANFARE_SIMULATION_SEED");
    const char *count = getenv("FANFARE_SIMULATION_RUNS");
    sim.verbose = seed != NULL;
    if (seed) {
        run(strtoull(seed, NULL, 10));
        return;
    }
    uint64_t runs = count ? strtoull(count, NULL, 10) : RUNS;
    for (uint64_t i = 0; i < runs; i++)
        run(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_schedules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
