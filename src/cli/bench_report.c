/* The figures of a benchmark; see bench_report.h. */
#include "cli/bench_report.h"

#include "cli/table.h"
#include "cli/terminal.h"
#include "codec/json_writer.h"

/* Figures of a build for debugging are no figures. */
#ifdef __OPTIMIZE__
#define BUILD ""
#else
#define BUILD "; THIS PROGRAM IS NOT OPTIMISED: its figures mean nothing"
#endif

#define OTHERS_MATTER 0.1

static void append_plain(struct buf *out, const char *text)
{
    terminal_append_plain(out, slice_from(text));
}

void bench_append_setting(struct buf *out, const struct bench_setting *s)
{
    BUF_LITERAL(out, "fanfare ");
    append_plain(out, s->version);
    BUF_LITERAL(out, ", engine ");
    append_plain(out, s->engine);
    BUF_LITERAL(out, ", flush ");
    append_plain(out, s->flush);
    buf_printf(out, ", %llu worker%s%s\n", (unsigned long long)s->workers,
               s->workers == 1 ? "" : "s", BUILD);
    append_plain(out, s->processor);
    buf_printf(out, ", %ld core%s, ", s->cores, s->cores == 1 ? "" : "s");
    append_plain(out, s->kernel);
    BUF_LITERAL(out, ", TCP ");
    append_plain(out, s->congestion);
    if (s->pinned.server >= 0)
        buf_printf(out, "; server on core %d, load on core %d\n", s->pinned.server, s->pinned.load);
    else if (s->pinned.load >= 0)
        buf_printf(out, "; load on core %d, the server where it is\n", s->pinned.load);
    else
        BUF_LITERAL(out, "; server and load share the cores\n");
}

void bench_append_others(struct buf *out, double share)
{
    if (share >= OTHERS_MATTER)
        buf_printf(out,
                   "Other programs used %.0f %% of this machine meanwhile: RATE, P50 and P99 are "
                   "theirs as much as the server's.\n",
                   share * 100);
}

/* ---- The table ---- */

/* "–" for what was not measured. */
static void add_figure(struct table *table, double figure, const char *format)
{
    struct buf cell = {0};
    if (figure < 0)
        BUF_LITERAL(&cell, "–");
    else
        buf_printf(&cell, format, figure);
    table_add(table, buf_slice(&cell));
    buf_fini(&cell);
}

static void add_rate(struct table *table, double rate)
{
    if (rate >= 100000)
        table_add_format(table, "%.0fk/s", rate / 1000);
    else
        table_add_format(table, "%.0f/s", rate);
}

static void add_row(struct table *table, const struct bench_result *r)
{
    table_add(table, slice_from(r->title));
    table_add(table, slice_from(r->unit));
    add_figure(table, r->cpu_us, "%.2f µs");
    add_rate(table, r->per_second);
    add_figure(table, r->p50_ms, "%.2f ms");
    add_figure(table, r->p99_ms, "%.2f ms");
    add_figure(table, r->bytes_each, "%.0f B");
    add_figure(table, r->server_share < 0 ? -1 : r->server_share * 100, "%.0f %%");
    add_figure(table, r->load_share < 0 ? -1 : r->load_share * 100, "%.0f %%");
}

void bench_append_table(struct buf *out, const struct bench_result *results, unsigned count,
                        bool colours)
{
    static const struct table_column columns[] = {
        {"SCENARIO", false}, {"OF A", false},  {"SERVER CPU", true}, {"RATE", true}, {"P50", true},
        {"P99", true},       {"MEMORY", true}, {"SERVER", true},     {"LOAD", true}};
    struct table table;
    table_init(&table, columns, 9);
    for (unsigned i = 0; i < count; i++)
        add_row(&table, &results[i]);
    table_append(out, &table, colours, 0, 0, count);
    table_fini(&table);
    BUF_LITERAL(out,
                "SERVER CPU is the figure to compare: the server's processor time, user and "
                "system, for one delivery.\n"
                "It holds also where LOAD is near 100 % and limits RATE. P50 and P99 count from "
                "when a message was due.\n");
}

/* ---- JSON ---- */

static void put_figure(struct buf *out, const char *name, double figure)
{
    if (figure < 0)
        json_put_text(out, name, NULL);
    else
        json_put_number(out, name, (double)(int64_t)(figure * 1000 + 0.5) / 1000);
}

static void put_text(struct buf *out, const char *name, const char *text)
{
    json_put_name(out, name);
    json_append_lossy(out, slice_from(text));
}

static void append_result(struct buf *out, const struct bench_result *r)
{
    json_begin(out, NULL, '{');
    json_put_text(out, "name", r->name);
    json_put_text(out, "title", r->title);
    json_put_text(out, "unit", r->unit);
    put_figure(out, "server_cpu_us", r->cpu_us);
    put_figure(out, "per_second", r->per_second);
    put_figure(out, "p50_ms", r->p50_ms);
    put_figure(out, "p99_ms", r->p99_ms);
    put_figure(out, "bytes_each", r->bytes_each);
    put_figure(out, "server_cpu_share", r->server_share);
    put_figure(out, "load_cpu_share", r->load_share);
    json_put_u64(out, "messages", r->messages);
    json_put_u64(out, "deliveries", r->deliveries);
    json_end(out, '}');
}

static void append_setting_json(struct buf *out, const struct bench_setting *s)
{
    json_begin(out, "server", '{');
    put_text(out, "version", s->version);
    put_text(out, "engine", s->engine);
    put_text(out, "flush", s->flush);
    json_put_u64(out, "workers", s->workers);
    json_end(out, '}');
    json_begin(out, "machine", '{');
    put_text(out, "processor", s->processor);
    json_put_number(out, "cores", (double)s->cores);
    put_text(out, "kernel", s->kernel);
    put_text(out, "tcp_congestion_control", s->congestion);
    put_figure(out, "server_core", s->pinned.server);
    put_figure(out, "load_core", s->pinned.load);
    json_end(out, '}');
}

void bench_append_json(struct buf *out, const struct bench_setting *setting,
                       const struct bench_options *options, double others,
                       const struct bench_result *results, unsigned count)
{
    json_begin(out, NULL, '{');
    append_setting_json(out, setting);
    json_put_bool(out, "quick", options->quick);
    json_put_u64(out, "size", options->size);
    put_figure(out, "other_programs_share", others);
    json_begin(out, "scenarios", '[');
    for (unsigned i = 0; i < count; i++)
        append_result(out, &results[i]);
    json_end(out, ']');
    json_end(out, '}');
    BUF_LITERAL(out, "\n");
}
