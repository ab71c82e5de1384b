/*
 * /metrics in the Prometheus text format (0.0.4) and the server's part of /health, from one table.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/json_writer.h"
#include "server/private.h"

/* Everything that is counted, of all workers together. */
struct totals {
    struct hub_stats hub;
    struct engine_status engine;
#define X(name) uint64_t name;
    NET_COUNTERS(X)
    FANOUT_COUNTERS(X)
#undef X
    uint64_t compressed, connections, unusual, lost, uptime_s;
};

#define LOAD(from, field) atomic_load_explicit(&(from)->field, memory_order_relaxed)

static void add_worker(struct totals *t, const struct net_stats *net,
                       const struct fanout_stats *fanout)
{
#define X(name) t->name += LOAD(net, name);
    NET_COUNTERS(X)
#undef X
#define X(name) t->name += LOAD(fanout, name);
    FANOUT_COUNTERS(X)
#undef X
}

static void collect(struct server *s, struct totals *t)
{
    *t = (struct totals){0};
    hub_stats(s->hub, &t->hub);
    hub_engine_status(s->hub, &t->engine);
    for (unsigned i = 0; i < s->worker_count; i++) {
        const struct delivery *d = s->workers[i].context;
        add_worker(t, &s->workers[i].stats, &d->fanout.stats);
        t->compressed += LOAD(d, compressed);
    }
    t->connections = LOAD(&s->shared, connections);
    t->unusual = LOAD(&s->api, unusual);
    t->lost = LOAD(&s->api, lost);
    t->uptime_s = (clock_ms() - s->api.started_ms) / 1000;
}

#define COUNTER   "counter"
#define GAUGE     "gauge"
#define AT(field) offsetof(struct totals, field)

/* Rows of the same name follow each other and differ in their labels. */
static const struct metric {
    const char *name, *type, *labels, *help;
    size_t at;
} metrics[] = {
    {"fanfare_uptime_seconds", GAUGE, "", "Time since the server was started.", AT(uptime_s)},
    {"fanfare_connections", GAUGE, "", "Open connections, all protocols.", AT(connections)},
    {"fanfare_connections_accepted_total", COUNTER, "", "Connections let in.", AT(accepted)},
    {"fanfare_connections_closed_total", COUNTER, "", "Connections that ended.", AT(closed)},
    {"fanfare_connections_refused_total", COUNTER, "{reason=\"connections\"}",
     "Connections refused, by reason.", AT(refused_limit)},
    {"fanfare_connections_refused_total", COUNTER, "{reason=\"connections_per_address\"}", "",
     AT(refused_address)},
    {"fanfare_connections_refused_total", COUNTER, "{reason=\"descriptors\"}", "",
     AT(refused_descriptors)},
    {"fanfare_accept_pauses_total", COUNTER, "",
     "Times that accepting paused because descriptors were used up.", AT(accept_pauses)},
    {"fanfare_handshake_timeouts_total", COUNTER, "", "Requests that did not come in time.",
     AT(handshake_timeouts)},
    {"fanfare_keepalive_closed_total", COUNTER, "", "Connections closed for not answering pings.",
     AT(keepalive_closed)},
    {"fanfare_http_requests_total", COUNTER, "", "HTTP requests, handshakes included.",
     AT(http_requests)},
    {"fanfare_websocket_upgrades_total", COUNTER, "", "WebSocket handshakes that succeeded.",
     AT(websocket_upgrades)},
    {"fanfare_messages_received_total", COUNTER, "", "WebSocket messages from clients.",
     AT(messages_in)},
    {"fanfare_rate_limited_total", COUNTER, "",
     "Times that a client was not read because of limits.messages.", AT(rate_limited)},
    {"fanfare_received_bytes_total", COUNTER, "", "Bytes read from connections.", AT(bytes_in)},
    {"fanfare_output_bytes_total", COUNTER, "",
     "Bytes made for connections: answers as they are queued, events once per connection.",
     AT(bytes_out)},
    {"fanfare_backlogged_total", COUNTER, "",
     "Times that a socket took no more and its output waited.", AT(backlogged)},
    {"fanfare_control_overflows_total", COUNTER, "",
     "Connections closed because their control queue was full.", AT(control_overflows)},
    {"fanfare_out_of_memory_total", COUNTER, "",
     "Connections or requests ended because an allocation failed.", AT(no_memory)},
    {"fanfare_published_total", COUNTER, "", "Events accepted and numbered.", AT(hub.published)},
    {"fanfare_ephemeral_total", COUNTER, "", "Ephemeral events accepted.", AT(hub.ephemeral)},
    {"fanfare_duplicates_total", COUNTER, "",
     "Publishes answered from an earlier one of the same id.", AT(hub.duplicates)},
    {"fanfare_publish_refused_total", COUNTER, "", "Events that the hub could not accept.",
     AT(hub.refused)},
    {"fanfare_publish_lost_total", COUNTER, "",
     "Events that were accepted before they were stored, and then could not be.", AT(lost)},
    {"fanfare_unusual_status_total", COUNTER, "", "Events with a status outside the usual ones.",
     AT(unusual)},
    {"fanfare_encoded_bytes_total", COUNTER, "", "Bytes of these frames.", AT(encoded_bytes)},
    {"fanfare_compressed_frames_total", COUNTER, "", "Frames sent compressed.", AT(compressed)},
    {"fanfare_deliveries_total", COUNTER, "", "Frames handed to connections.", AT(deliveries)},
    {"fanfare_slow_readers_total", COUNTER, "",
     "Times that a subscriber fell behind and went over to reading history.", AT(lagged)},
    {"fanfare_history_reads_total", COUNTER, "", "Pieces of history read for subscribers.",
     AT(history_reads)},
    {"fanfare_gaps_total", COUNTER, "", "Gaps reported to subscribers.", AT(gaps)},
    {"fanfare_dropped_bytes_total", COUNTER, "{reason=\"catch_up\"}",
     "Bytes dropped from the queues of slow readers, to be read again from history.",
     AT(dropped_bytes)},
    {"fanfare_dropped_events_total", COUNTER, "{reason=\"superseded\"}",
     "Deliveries that did not happen, by reason.", AT(dropped_superseded)},
    {"fanfare_dropped_events_total", COUNTER, "{reason=\"ephemeral\"}", "", AT(dropped_ephemeral)},
    {"fanfare_slow_readers_closed_total", COUNTER, "",
     "Slow readers closed because of the policy `disconnect` or for want of memory.",
     AT(overflow_closed)},
    {"fanfare_inbox_overflows_total", COUNTER, "",
     "Times that a worker fell so far behind that it read on from history.",
     AT(hub.inbox_overflows)},
    {"fanfare_topics", GAUGE, "", "Topics in memory.", AT(hub.topics)},
    {"fanfare_topics_dropped_total", COUNTER, "", "Idle topics dropped.", AT(hub.topics_dropped)},
    {"fanfare_subscriptions", GAUGE, "", "Connections times topics they follow.",
     AT(hub.subscriptions)},
    {"fanfare_history_events", GAUGE, "", "Events kept.", AT(hub.events_kept)},
    {"fanfare_history_bytes", GAUGE, "", "Bytes of events and states kept.", AT(hub.bytes_kept)},
    {"fanfare_trimmed_events_total", COUNTER, "{reason=\"count\"}",
     "Events that history dropped, by reason.", AT(hub.trimmed_count)},
    {"fanfare_trimmed_events_total", COUNTER, "{reason=\"age\"}", "", AT(hub.trimmed_age)},
    {"fanfare_trimmed_events_total", COUNTER, "{reason=\"bytes\"}", "", AT(hub.trimmed_bytes)},
    {"fanfare_trimmed_events_total", COUNTER, "{reason=\"memory\"}", "", AT(hub.trimmed_memory)},
    {"fanfare_idempotency_ids", GAUGE, "", "Event ids remembered.", AT(hub.idempotency_entries)},
    {"fanfare_store_events_total", COUNTER, "",
     "Events written to the disk, once for each of their durable topics.", AT(engine.events)},
    {"fanfare_store_runs_total", COUNTER, "",
     "Rows that they were written in: consecutive events of a topic.", AT(engine.runs)},
    {"fanfare_store_failures_total", COUNTER, "", "Writes to the disk that failed.",
     AT(engine.failures)},
    {"fanfare_store_damaged_total", COUNTER, "",
     "Times that events on the disk were found damaged, and were not served.", AT(engine.damaged)},
    {"fanfare_store_reads_total", COUNTER, "",
     "Runs of events read from the disk for history that memory does not reach.", AT(engine.reads)},
    {"fanfare_store_queued_bytes", GAUGE, "", "Bytes of events that wait to be written.",
     AT(engine.queued_bytes)},
    {"fanfare_store_log_bytes", GAUGE, "",
     "Bytes in the write-ahead log: what was written and is not in the database yet.",
     AT(engine.log_bytes)},
};

static uint64_t clients_of(const struct delivery *d, unsigned dialect)
{
    return LOAD(d, clients[dialect]);
}

static uint64_t encoded_by(const struct delivery *d, unsigned dialect)
{
    return LOAD(d, fanout.stats.encoded[dialect]);
}

uint64_t server_clients(void *arg, struct buf *out)
{
    struct server *s = arg;
    uint64_t all = 0;
    for (unsigned k = 0; k < dialect_count(); k++) {
        uint64_t n = 0;
        for (unsigned i = 0; i < s->worker_count; i++)
            n += clients_of(s->workers[i].context, dialect_at(k)->index);
        json_put_u64(out, dialect_at(k)->name, n);
        all += n;
    }
    return all;
}

/* One row for each dialect. */
static void append_by_dialect(struct server *s, struct buf *out, const char *name, const char *type,
                              const char *help,
                              uint64_t (*value)(const struct delivery *d, unsigned dialect))
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    for (unsigned k = 0; k < dialect_count(); k++) {
        uint64_t n = 0;
        for (unsigned i = 0; i < s->worker_count; i++)
            n += value(s->workers[i].context, dialect_at(k)->index);
        buf_printf(out, "%s{dialect=\"%s\"} %llu\n", name, dialect_at(k)->name,
                   (unsigned long long)n);
    }
}

static void append_commits(const struct engine_status *engine, struct buf *out)
{
    buf_printf(out,
               "# HELP fanfare_store_commit_seconds Time that commits to the disk took.\n"
               "# TYPE fanfare_store_commit_seconds summary\n"
               "fanfare_store_commit_seconds_sum %llu.%06llu\n"
               "fanfare_store_commit_seconds_count %llu\n",
               (unsigned long long)(engine->commit_us / 1000000),
               (unsigned long long)(engine->commit_us % 1000000),
               (unsigned long long)engine->commits);
}

/* Resident memory in bytes; 0 where the system does not tell. */
static uint64_t resident_bytes(void)
{
    char line[128], *second = NULL;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fgets(line, sizeof line, file))
        second = strchr(line, ' ');
    if (file)
        fclose(file);
    return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* The process, under the names that all Prometheus exporters give it. */
static void append_process(struct buf *out)
{
    struct timespec used = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    buf_printf(out,
               "# HELP process_cpu_seconds_total Processor time used, user and system.\n"
               "# TYPE process_cpu_seconds_total counter\n"
               "process_cpu_seconds_total %lld.%06ld\n",
               (long long)used.tv_sec, used.tv_nsec / 1000);
    buf_printf(out,
               "# HELP process_resident_memory_bytes Resident memory.\n"
               "# TYPE process_resident_memory_bytes gauge\n"
               "process_resident_memory_bytes %llu\n",
               (unsigned long long)resident_bytes());
}

void server_metrics(void *arg, struct buf *out)
{
    struct server *s = arg;
    struct totals totals;
    const char *last = "";
    collect(s, &totals);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        const struct metric *m = &metrics[i];
        uint64_t value;
        memcpy(&value, (const char *)&totals + m->at, sizeof value);
        if (strcmp(m->name, last) != 0)
            buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, m->type);
        buf_printf(out, "%s%s %llu\n", m->name, m->labels, (unsigned long long)value);
        last = m->name;
    }
    append_by_dialect(s, out, "fanfare_clients", GAUGE, "Clients connected, by dialect.",
                      clients_of);
    append_by_dialect(s, out, "fanfare_encoded_frames_total", COUNTER,
                      "Frames built, once per event and encoding, by dialect.", encoded_by);
    append_commits(&totals.engine, out);
    append_process(out);
}

static void append_engine(struct server *s, struct buf *out)
{
    struct engine_status status;
    hub_engine_status(s->hub, &status);
    if (!status.reason[0] && status.damaged)
        snprintf(status.reason, sizeof status.reason, "%s",
                 "a part of the database is damaged and is not served: see the log, and "
                 "`fanfare store check`");
    buf_printf(out, ",\"engine\":{\"name\":\"%s\",\"status\":\"%s\"", hub_engine_name(s->hub),
               status.reason[0] ? "degraded" : "ok");
    if (status.reason[0]) {
        BUF_LITERAL(out, ",\"reason\":");
        json_append_string(out, slice_from(status.reason));
    }
    buf_append_char(out, '}');
}

void server_health(void *arg, struct buf *out)
{
    struct server *s = arg;
    append_engine(s, out);
    buf_printf(out, ",\"flush\":\"%s\",\"workers\":%u", s->workers[0].flush->ops->name,
               s->worker_count);
    buf_printf(out, ",\"tls\":%s,\"sources\":[", server_settings_now(s)->tls ? "true" : "false");
    server_watch_health(s, out);
    buf_append_char(out, ']');
}
