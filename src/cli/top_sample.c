/* One look at a server; see top_sample.h. */
#include "cli/top_sample.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/memory.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"

#define TOPICS_MAX 200000 /* what the table can hold; a server has its own limit below that */

void top_sample_fini(struct top_sample *s)
{
    buf_fini(&s->topics_text);
    buf_fini(&s->health_text);
    memory_free(s->topics);
    *s = (struct top_sample){0};
}

/* ---- /health ---- */

static struct slice text_of(struct json_value object, struct slice name)
{
    struct json_value value;
    struct slice text = {0};
    if (json_find(object, name, &value) && value.kind == JSON_STRING)
        json_string_plain(value, &text);
    return text;
}

static uint64_t number_of(struct json_value object, struct slice name)
{
    struct json_value value;
    int64_t n = 0;
    if (json_find(object, name, &value) && value.kind == JSON_NUMBER)
        json_integer(value, &n);
    return n > 0 ? (uint64_t)n : 0;
}

static void take_text(struct buf *to, struct buf *from)
{
    buf_fini(to);
    *to = *from;
    *from = (struct buf){0};
}

int top_read_health(struct top_sample *s, struct buf *text)
{
    struct json_value health, engine;
    take_text(&s->health_text, text);
    if (json_parse(buf_slice(&s->health_text), &health, NULL) || health.kind != JSON_OBJECT)
        return FAN_E_PARSE;
    s->version = text_of(health, SLICE("version"));
    s->status = text_of(health, SLICE("status"));
    s->flush = text_of(health, SLICE("flush"));
    s->engine = SLICE("");
    if (json_find(health, SLICE("engine"), &engine) && engine.kind == JSON_OBJECT)
        s->engine = text_of(engine, SLICE("name"));
    s->uptime_s = number_of(health, SLICE("uptime"));
    s->workers = number_of(health, SLICE("workers"));
    s->connections = number_of(health, SLICE("connections"));
    return s->version.len && s->status.len ? 0 : FAN_E_PARSE;
}

/* ---- /api/v1/topics ---- */

static size_t count_elements(struct json_value list)
{
    struct json_value element;
    size_t count = 0;
    struct json_iter it = json_elements(list);
    while (count < TOPICS_MAX && json_next_element(&it, &element))
        count++;
    return count;
}

static void read_topic(struct top_topic *t, struct json_value object)
{
    struct json_value rate;
    *t = (struct top_topic){.name = SLICE(""), .json = object.text};
    if (object.kind != JSON_OBJECT)
        return;
    t->name = text_of(object, SLICE("topic"));
    t->subscribers = number_of(object, SLICE("subscribers"));
    t->offset = number_of(object, SLICE("offset"));
    if (json_find(object, SLICE("rate"), &rate) && rate.kind == JSON_NUMBER)
        t->rate = json_number(rate);
}

int top_read_topics(struct top_sample *s, struct buf *text)
{
    struct json_value answer, list, element;
    take_text(&s->topics_text, text);
    if (json_parse(buf_slice(&s->topics_text), &answer, NULL) || answer.kind != JSON_OBJECT ||
        !json_find(answer, SLICE("topics"), &list) || list.kind != JSON_ARRAY)
        return FAN_E_PARSE;
    size_t count = count_elements(list);
    memory_free(s->topics);
    s->topics = memory_zero((count + 1) * sizeof *s->topics);
    s->topic_count = 0;
    struct json_iter it = json_elements(list);
    while (s->topic_count < count && json_next_element(&it, &element))
        read_topic(&s->topics[s->topic_count++], element);
    return 0;
}

/* ---- /metrics ---- */

#define FIGURE(metric, field)                       \
    {                                               \
        metric, offsetof(struct top_figures, field) \
    }

static const struct {
    const char *metric;
    size_t at;
} figures[] = {
    FIGURE("fanfare_connections", connections),
    FIGURE("fanfare_subscriptions", subscriptions),
    FIGURE("fanfare_topics", topics),
    FIGURE("fanfare_published_total", published),
    FIGURE("fanfare_ephemeral_total", ephemeral),
    FIGURE("fanfare_deliveries_total", deliveries),
    FIGURE("fanfare_received_bytes_total", received_bytes),
    FIGURE("fanfare_output_bytes_total", output_bytes),
    FIGURE("fanfare_slow_readers_total", slow_readers),
    FIGURE("fanfare_gaps_total", gaps),
    FIGURE("fanfare_connections_refused_total", refused),
    FIGURE("fanfare_history_events", history_events),
    FIGURE("fanfare_history_bytes", history_bytes),
    FIGURE("process_resident_memory_bytes", resident_bytes),
    FIGURE("process_cpu_seconds_total", cpu_seconds),
};

/* One series, "name{labels} value": series of one name are added up. */
static void read_series(struct top_figures *f, struct slice line)
{
    char number[64];
    struct slice value = line, name = {0};
    slice_split(&value, ' ', &name);
    const char *brace = memchr(name.ptr, '{', name.len);
    if (brace)
        name.len = (size_t)(brace - name.ptr);
    if (value.len == 0 || value.len >= sizeof number)
        return;
    memcpy(number, value.ptr, value.len);
    number[value.len] = '\0';
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        double sum;
        if (!slice_is(name, figures[i].metric))
            continue;
        memcpy(&sum, (char *)f + figures[i].at, sizeof sum);
        sum += strtod(number, NULL);
        memcpy((char *)f + figures[i].at, &sum, sizeof sum);
    }
}

void top_read_metrics(struct top_sample *s, struct slice text)
{
    struct slice line;
    s->figures = (struct top_figures){0};
    s->has_figures = true;
    while (slice_split(&text, '\n', &line))
        if (line.len && line.ptr[0] != '#')
            read_series(&s->figures, line);
}

/* ---- Between two samples ---- */

static double per_second(double before, double now, double seconds)
{
    return now > before ? (now - before) / seconds : 0;
}

struct top_rates top_rates_between(const struct top_sample *before, const struct top_sample *now)
{
    struct top_rates r = {0};
    if (!before || !before->has_figures || !now->has_figures || now->at_ms <= before->at_ms)
        return r;
    const struct top_figures *a = &before->figures, *b = &now->figures;
    if (now->uptime_s < before->uptime_s || b->cpu_seconds < a->cpu_seconds)
        return r; /* the server was started again: its counters began anew */
    double seconds = (double)(now->at_ms - before->at_ms) / 1000;
    r.known = true;
    r.events = per_second(a->published + a->ephemeral, b->published + b->ephemeral, seconds);
    r.deliveries = per_second(a->deliveries, b->deliveries, seconds);
    r.received_bytes = per_second(a->received_bytes, b->received_bytes, seconds);
    r.output_bytes = per_second(a->output_bytes, b->output_bytes, seconds);
    r.cpu = per_second(a->cpu_seconds, b->cpu_seconds, seconds);
    return r;
}

/* ---- JSON ---- */

/* Two decimals are enough for rates. */
static void put_rate(struct buf *out, const char *name, bool known, double rate)
{
    if (known)
        json_put_number(out, name, (double)(int64_t)(rate * 100 + 0.5) / 100);
    else
        json_put_text(out, name, NULL);
}

static void append_totals(struct buf *out, const struct top_sample *s,
                          const struct top_rates *rates)
{
    const struct top_figures *f = &s->figures;
    json_begin(out, "totals", '{');
    put_rate(out, "events_per_second", rates->known, rates->events);
    put_rate(out, "deliveries_per_second", rates->known, rates->deliveries);
    put_rate(out, "received_bytes_per_second", rates->known, rates->received_bytes);
    put_rate(out, "output_bytes_per_second", rates->known, rates->output_bytes);
    put_rate(out, "cpu", rates->known, rates->cpu);
    if (s->has_figures) {
        json_put_number(out, "events", f->published + f->ephemeral);
        json_put_number(out, "deliveries", f->deliveries);
        json_put_number(out, "subscriptions", f->subscriptions);
        json_put_number(out, "slow_readers", f->slow_readers);
        json_put_number(out, "gaps", f->gaps);
        json_put_number(out, "connections_refused", f->refused);
        json_put_number(out, "history_events", f->history_events);
        json_put_number(out, "history_bytes", f->history_bytes);
        json_put_number(out, "resident_bytes", f->resident_bytes);
    }
    json_end(out, '}');
}

void top_append_json(struct buf *out, const struct top_sample *s, const struct top_rates *rates,
                     const char *url, const struct top_topic *const *topics, size_t topic_count)
{
    struct json_value health;
    json_begin(out, NULL, '{');
    json_put_time(out, "time", s->wall_ms);
    json_put_text(out, "url", url);
    if (json_parse(buf_slice(&s->health_text), &health, NULL) == 0)
        json_put_raw(out, "health", health.text);
    append_totals(out, s, rates);
    json_begin(out, "topics", '[');
    for (size_t i = 0; i < topic_count; i++)
        json_put_raw(out, NULL, topics[i]->json);
    json_end(out, ']');
    json_end(out, '}');
    BUF_LITERAL(out, "\n");
}
