/* What `fanfare top` shows; see top_view.h. */
#include "cli/top_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/table.h"
#include "cli/terminal.h"

#define HEAD_LINES 5 /* above the topics: three of the server, an empty one, the titles */

static const char *const sort_names[TOP_SORT_COUNT] = {"rate", "subscribers", "offset", "topic"};

bool top_sort_parse(const char *text, enum top_sort *sort)
{
    for (int i = 0; i < TOP_SORT_COUNT; i++)
        if (strcmp(text, sort_names[i]) == 0) {
            *sort = (enum top_sort)i;
            return true;
        }
    return false;
}

/* ---- Numbers ---- */

static void append_scaled(struct buf *out, double number, double step, const char *const *units)
{
    while (number >= step * 0.9995 && units[1]) {
        number /= step;
        units++;
    }
    bool whole = number >= 99.95 || number == (double)(int64_t)number;
    buf_printf(out, whole ? "%.0f%s" : "%.1f%s", number, *units);
}

void top_append_number(struct buf *out, double number)
{
    static const char *const units[] = {"", "k", "M", "G", "T", NULL};
    append_scaled(out, number, 1000, units);
}

void top_append_bytes(struct buf *out, double bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", NULL};
    append_scaled(out, bytes, 1024, units);
}

static void append_duration(struct buf *out, uint64_t seconds)
{
    unsigned long long s = seconds;
    if (s >= 86400)
        buf_printf(out, "%llud %lluh", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        buf_printf(out, "%lluh %llum", s / 3600, s / 60 % 60);
    else if (s >= 60)
        buf_printf(out, "%llum %llus", s / 60, s % 60);
    else
        buf_printf(out, "%llus", s);
}

/* ---- The server ---- */

static void append_line(struct buf *out, const struct top_view *v, struct buf *line)
{
    table_append_cut(out, buf_slice(line), v->columns ? v->columns : line->len);
    BUF_LITERAL(out, "\n");
    buf_clear(line);
}

static void append_rate(struct buf *out, bool known, double rate, const char *unit)
{
    if (known)
        top_append_number(out, rate);
    else
        BUF_LITERAL(out, "–");
    buf_append_text(out, unit);
}

static void append_server(struct buf *out, const struct top_view *v, const struct top_sample *s)
{
    struct buf line = {0};
    BUF_LITERAL(&line, "fanfare ");
    terminal_append_plain(&line, s->version);
    buf_printf(&line, " at %s   ", v->url);
    terminal_append_plain(&line, s->status);
    BUF_LITERAL(&line, ", up ");
    append_duration(&line, s->uptime_s);
    BUF_LITERAL(&line, "   engine ");
    terminal_append_plain(&line, s->engine);
    BUF_LITERAL(&line, ", flush ");
    terminal_append_plain(&line, s->flush);
    buf_printf(&line, ", %llu worker%s", (unsigned long long)s->workers,
               s->workers == 1 ? "" : "s");
    append_line(out, v, &line);
    buf_fini(&line);
}

static void append_traffic(struct buf *out, const struct top_view *v, const struct top_sample *s,
                           const struct top_rates *r)
{
    struct buf line = {0};
    append_rate(&line, r->known, r->events, " events/s   ");
    append_rate(&line, r->known, r->deliveries, " deliveries/s   in ");
    if (r->known) {
        top_append_bytes(&line, r->received_bytes);
        BUF_LITERAL(&line, "/s, out ");
        top_append_bytes(&line, r->output_bytes);
        buf_printf(&line, "/s   cpu %.0f %%", r->cpu * 100);
    } else {
        BUF_LITERAL(&line, "–, out –   cpu –");
    }
    append_line(out, v, &line);
    buf_printf(&line, "%llu connections, ", (unsigned long long)s->connections);
    if (!s->has_figures) {
        BUF_LITERAL(&line, "the rest of the figures is for the server's own machine only");
    } else {
        buf_printf(&line, "%.0f subscriptions, %zu topics   memory ", s->figures.subscriptions,
                   s->topic_count);
        top_append_bytes(&line, s->figures.resident_bytes);
        BUF_LITERAL(&line, ", history ");
        top_append_bytes(&line, s->figures.history_bytes);
        BUF_LITERAL(&line, "   slow readers ");
        top_append_number(&line, s->figures.slow_readers);
        BUF_LITERAL(&line, ", gaps ");
        top_append_number(&line, s->figures.gaps);
    }
    append_line(out, v, &line);
    buf_fini(&line);
}

/* ---- Topics ---- */

static bool contains(struct slice text, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= text.len; i++)
        if (strncasecmp(text.ptr + i, part, n) == 0)
            return true;
    return false;
}

static int by_name(const struct top_topic *a, const struct top_topic *b)
{
    size_t n = a->name.len < b->name.len ? a->name.len : b->name.len;
    int order = n ? memcmp(a->name.ptr, b->name.ptr, n) : 0;
    return order ? order : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

/* Largest first; what is equal stands by name. */
static int compare(const void *left, const void *right, void *arg)
{
    const struct top_view *v = (const struct top_view *)arg;
    const struct top_topic *a = *(const struct top_topic *const *)left;
    const struct top_topic *b = *(const struct top_topic *const *)right;
    int order = 0;
    if (v->sort == TOP_BY_RATE)
        order = (a->rate < b->rate) - (a->rate > b->rate);
    else if (v->sort == TOP_BY_SUBSCRIBERS)
        order = (a->subscribers < b->subscribers) - (a->subscribers > b->subscribers);
    else if (v->sort == TOP_BY_OFFSET)
        order = (a->offset < b->offset) - (a->offset > b->offset);
    if (order == 0)
        order = by_name(a, b);
    return v->reverse ? -order : order;
}

const struct top_topic **top_view_select(const struct top_view *v, const struct top_sample *s,
                                         size_t *count)
{
    const struct top_topic **shown = memory_alloc((s->topic_count + 1) * sizeof *shown);
    *count = 0;
    for (size_t i = 0; i < s->topic_count; i++)
        if (contains(s->topics[i].name, v->filter))
            shown[(*count)++] = &s->topics[i];
    qsort_r(shown, *count, sizeof *shown, compare, (void *)v);
    return shown;
}

static void add_row(struct table *table, const struct top_topic *t)
{
    struct buf rate = {0};
    top_append_number(&rate, t->rate);
    table_add(table, t->name);
    table_add_format(table, "%llu", (unsigned long long)t->subscribers);
    table_add(table, buf_slice(&rate));
    table_add_format(table, "%llu", (unsigned long long)t->offset);
    buf_fini(&rate);
}

/* Keeps the scroll position where there is something to see. */
static unsigned visible_rows(struct top_view *v, size_t topics)
{
    if (!v->rows)
        return (unsigned)topics;
    unsigned rows = v->rows > HEAD_LINES + 1 ? v->rows - HEAD_LINES - 1 : 0;
    size_t most = topics > rows ? topics - rows : 0;
    if (v->scroll > most)
        v->scroll = (unsigned)most;
    return rows;
}

static void append_topics(struct buf *out, struct top_view *v, const struct top_sample *s)
{
    static const struct table_column columns[] = {
        {"TOPIC", false}, {"SUBSCRIBERS", true}, {"EVENTS/S", true}, {"OFFSET", true}};
    struct table table;
    size_t count;
    const struct top_topic **shown = top_view_select(v, s, &count);
    table_init(&table, columns, 4);
    unsigned rows = visible_rows(v, count), skip = v->rows ? v->scroll : 0;
    for (size_t i = skip; i < count && i - skip < rows; i++)
        add_row(&table, shown[i]);
    table_append(out, &table, v->colours, v->columns, 0, rows);
    if (count == 0 && (rows || !v->rows))
        buf_append_text(out, s->topic_count ? "no topic's name contains the filter\n"
                                            : "no topics yet\n");
    table_fini(&table);
    memory_free(shown);
}

/* ---- The last line, and all of it ---- */

static const char keys_line[] =
    "q quit   e/u/o/t sort by events/s, subscribers, offset, topic   r reverse   / filter   "
    "↑↓ scroll   space pause";

static void append_foot(struct buf *out, const struct top_view *v, const char *problem)
{
    struct buf line = {0}, shown = {0};
    enum style style = STYLE_DIM;
    if (v->typing) {
        buf_printf(&line, "filter: %s_   Enter keeps it, Esc drops it", v->filter);
        style = STYLE_BOLD;
    } else if (*problem) {
        buf_append_text(&line, problem);
        style = STYLE_YELLOW;
    } else {
        if (v->paused)
            BUF_LITERAL(&line, "PAUSED   ");
        if (*v->filter)
            buf_printf(&line, "filter: %s   ", v->filter);
        buf_append_text(&line, v->help ? keys_line : "q quit   h keys");
    }
    table_append_cut(&shown, buf_slice(&line), v->columns);
    terminal_append(out, v->colours, style, buf_slice(&shown));
    buf_fini(&line);
    buf_fini(&shown);
}

static unsigned count_lines(const struct buf *text)
{
    unsigned lines = 0;
    for (size_t i = 0; i < text->len; i++)
        lines += text->data[i] == '\n';
    return lines;
}

void top_view_append(struct buf *out, struct top_view *v, const struct top_sample *sample,
                     const struct top_rates *rates, const char *problem)
{
    struct buf text = {0};
    if (sample) {
        append_server(&text, v, sample);
        append_traffic(&text, v, sample, rates);
        BUF_LITERAL(&text, "\n");
        append_topics(&text, v, sample);
    }
    if (v->rows) {
        for (unsigned lines = count_lines(&text); lines + 1 < v->rows; lines++)
            BUF_LITERAL(&text, "\n");
        append_foot(&text, v, problem);
    }
    buf_append_slice(out, buf_slice(&text));
    buf_fini(&text);
}
