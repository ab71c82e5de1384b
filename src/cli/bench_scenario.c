/*
 * What a benchmark does; see bench_scenario.h.
 *
 * The server's figures are taken while nothing is on its way, before the first message and after
 * the last delivery, so that all of a run's work and nothing else is in them. A short run before
 * warms up what is measured.
 */
#include "cli/bench_scenario.h"

#include <stdio.h>
#include <sys/prctl.h>

#include "base/memory.h"
#include "cli/bench_load.h"
#include "fanfare/error.h"

#define NS_PER_S   1000000000ull
#define WARM_NS    (NS_PER_S * 3 / 10)
#define RUN_NS     (NS_PER_S * 4)
#define QUICK_NS   (NS_PER_S * 8 / 10)
#define PUBLISHING 1000 /* events that are not acknowledged yet, without readers */

const struct bench_scenario bench_scenarios[] = {
    {"fanout-1", "one topic, its readers, one message at a time", 1000, 1000, 0, 1, 0},
    {"fanout-64", "the same with 64 messages in flight", 1000, 1000, 0, 64, 0},
    {"topics", "many topics with 10 readers each, 64 messages in flight", 10000, 2000, 10, 64, 0},
    {"latency", "one topic, its readers, 30 messages per second", 1000, 1000, 0, 0, 30},
    {"publish", "publishing alone, every event acknowledged", 0, 0, 0, PUBLISHING, 0},
    {"connections", "connections that are opened and then idle", 10000, 2000, 0, 0, 0},
    {0},
};

struct measure {
    const struct bench_scenario *scenario;
    const struct bench_options *options;
    const struct bench_server *server;
    struct bench_load *load;
    struct bench_result *result;
    struct buf *why;
    unsigned readers, topics;
};

unsigned bench_scenario_connections(const struct bench_scenario *s,
                                    const struct bench_options *options)
{
    if (s->readers == 0)
        return 0;
    unsigned readers = options->quick ? s->quick_readers : s->readers;
    if (options->connections)
        readers = options->connections;
    if (s->readers_each && readers >= s->readers_each)
        readers -= readers % s->readers_each; /* as many for each topic */
    return readers;
}

/* ---- Rows ---- */

/* 1,000 and the like. */
static const char *grouped(unsigned n, char text[16])
{
    if (n >= 1000000)
        snprintf(text, 16, "%u,%03u,%03u", n / 1000000, n / 1000 % 1000, n % 1000);
    else if (n >= 1000)
        snprintf(text, 16, "%u,%03u", n / 1000, n % 1000);
    else
        snprintf(text, 16, "%u", n);
    return text;
}

static void set_title(struct measure *m)
{
    char readers[16], topics[16], how[48];
    struct bench_result *r = m->result;
    if (m->scenario->rate > 0)
        snprintf(how, sizeof how, "%.0f messages/s", m->scenario->rate);
    else if (m->scenario->window == 1)
        snprintf(how, sizeof how, "one at a time");
    else
        snprintf(how, sizeof how, "%u in flight", m->scenario->window);
    if (m->readers == 0)
        snprintf(r->title, sizeof r->title, "publishing, acknowledged, %s", how);
    else if (m->scenario->window == 0 && m->scenario->rate <= 0)
        snprintf(r->title, sizeof r->title, "%s idle connections", grouped(m->readers, readers));
    else
        snprintf(r->title, sizeof r->title, "%s topic%s × %s reader%s, %s",
                 grouped(m->topics, topics), m->topics == 1 ? "" : "s",
                 grouped(m->readers / m->topics, readers), m->readers == m->topics ? "" : "s", how);
}

/* What the server used between two looks, for `count` units in `seconds`. */
static void set_cpu(struct bench_result *r, struct bench_usage before, struct bench_usage after,
                    uint64_t count, double seconds)
{
    if (before.cpu_seconds < 0 || after.cpu_seconds < 0 || count == 0)
        return;
    r->cpu_us = (after.cpu_seconds - before.cpu_seconds) * 1e6 / (double)count;
    r->server_share = (after.cpu_seconds - before.cpu_seconds) / seconds;
}

/* ---- Runs ---- */

static struct bench_plan make_plan(const struct measure *m, bool warm_up)
{
    struct bench_plan plan = {.window = m->scenario->window, .rate = m->scenario->rate};
    plan.duration_ns = m->options->quick ? QUICK_NS : RUN_NS;
    if (warm_up) {
        plan.duration_ns = WARM_NS;
        plan.window = plan.window ? plan.window : 1;
        plan.rate = 0;
    } else {
        plan.messages = m->options->messages;
    }
    return plan;
}

static int publish(struct measure *m, bool warm_up, struct bench_outcome *out)
{
    struct bench_plan plan = make_plan(m, warm_up);
    return m->readers ? bench_load_run(m->load, &plan, out, m->why)
                      : bench_load_publish(m->load, &plan, out, m->why);
}

static int run_messages(struct measure *m)
{
    struct bench_outcome warm = {0}, out = {0};
    struct bench_result *r = m->result;
    int error = m->readers ? bench_load_open(m->load, m->readers, m->topics, m->why) : 0;
    if (!error)
        error = publish(m, true, &warm);
    if (error)
        return error;
    out.latency = m->scenario->rate > 0 ? memory_zero(sizeof *out.latency) : NULL;
    struct bench_usage before = bench_server_usage(m->server);
    error = publish(m, false, &out);
    struct bench_usage after = bench_server_usage(m->server);
    uint64_t count = m->readers ? out.deliveries : out.messages;
    r->unit = m->readers ? "delivery" : "event";
    r->messages = out.messages;
    r->deliveries = out.deliveries;
    r->per_second = (double)count / out.seconds;
    r->load_share = out.cpu_seconds / out.seconds;
    set_cpu(r, before, after, count, out.seconds);
    if (out.latency) {
        r->p50_ms = (double)histogram_at(out.latency, 0.50) / 1e6;
        r->p99_ms = (double)histogram_at(out.latency, 0.99) / 1e6;
    }
    memory_free(out.latency);
    return error;
}

static int run_connections(struct measure *m)
{
    struct bench_outcome out = {0};
    struct bench_result *r = m->result;
    struct bench_usage before = bench_server_usage(m->server);
    int error = bench_load_connect_timed(m->load, m->readers, m->topics, &out, m->why);
    struct bench_usage after = bench_server_usage(m->server);
    if (error)
        return error;
    r->unit = "handshake";
    r->per_second = (double)m->readers / out.seconds;
    r->load_share = out.cpu_seconds / out.seconds;
    set_cpu(r, before, after, m->readers, out.seconds);
    if (before.resident_bytes > 0 && after.resident_bytes > before.resident_bytes)
        r->bytes_each = (after.resident_bytes - before.resident_bytes) / (double)m->readers;
    return 0;
}

int bench_scenario_run(const struct bench_scenario *s, const struct bench_options *options,
                       const struct bench_server *server, struct bench_result *result,
                       struct buf *why)
{
    struct measure m = {s, options, server, NULL, result, why, 0, 1};
    *result = (struct bench_result){.name = s->name,
                                    .cpu_us = -1,
                                    .per_second = -1,
                                    .p50_ms = -1,
                                    .p99_ms = -1,
                                    .bytes_each = -1,
                                    .server_share = -1,
                                    .load_share = -1};
    m.readers = bench_scenario_connections(s, options);
    if (s->readers_each && m.readers >= s->readers_each)
        m.topics = m.readers / s->readers_each;
    bool idle = s->window == 0 && s->rate <= 0;
    if (idle && m.readers > 100)
        m.topics = 100;
    set_title(&m);
    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul); /* messages leave when they are due */
    int error = bench_load_new(&m.load, &server->remote, options->size, why);
    if (!error)
        error = idle ? run_connections(&m) : run_messages(&m);
    bench_load_free(m.load);
    return error;
}
