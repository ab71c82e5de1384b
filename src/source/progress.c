/* From output to progress: escape sequences, lines, and whom to believe; see progress.h. */
#include "source/progress.h"

#include <math.h>

#define SILENCE_MS 10000
#define ENOUGH     3 /* sightings of another count that make it the current one */
#define TOTAL_CHANGES                                                           \
    8 /* steps within which ninja may find that there are more or fewer of them \
       */
#define ESCAPE '\x1b'
#define BELL   '\a'

void progress_parser_init(struct progress_parser *p)
{
    *p = (struct progress_parser){0};
}

/* ---- Whom to believe ---- */

static bool is_complete(const struct progress_counter *c)
{
    return c->reading.completed >= c->reading.total;
}

/* Whether the reading comes from the same count, and not from its past. */
static bool continues(const struct progress_counter *c, const struct progress_reading *r)
{
    return c->reading.kind == r->kind && c->reading.total == r->total &&
           c->reading.shape == r->shape && r->completed >= c->reading.completed &&
           r->percent >= c->reading.percent;
}

/* A count whose total has changed on the way. */
static bool continues_otherwise(const struct progress_counter *c, const struct progress_reading *r)
{
    return c->reading.kind == r->kind && r->kind == PROGRESS_STEPS &&
           r->completed >= c->reading.completed &&
           r->completed - c->reading.completed <= TOTAL_CHANGES;
}

static bool equal(const struct progress_reading *a, const struct progress_reading *b)
{
    return a->kind == b->kind && a->total == b->total && a->completed == b->completed &&
           fabs(a->percent - b->percent) < 0.05;
}

static bool advance(struct progress_counter *c, const struct progress_reading *r, uint64_t now_ms)
{
    bool changed = !equal(&c->reading, r);
    c->sightings += changed;
    c->seen_ms = now_ms;
    c->reading = *r;
    return changed;
}

/* Another count than the current one: whether it shall take over. */
static bool takes_over(const struct progress_parser *p, const struct progress_reading *r,
                       uint64_t now_ms)
{
    const struct progress_counter *c = &p->current;
    if (c->reading.kind == PROGRESS_NOTHING)
        return true;
    if (is_complete(c))
        return r->kind != PROGRESS_PERCENT || c->reading.kind == PROGRESS_PERCENT;
    if (r->kind == PROGRESS_PERCENT && c->reading.kind != PROGRESS_PERCENT)
        return false;
    if (now_ms - c->seen_ms >= SILENCE_MS || c->reading.kind == PROGRESS_PERCENT)
        return true;
    return !p->has_parts && p->candidate.sightings >= ENOUGH;
}

static bool sight(struct progress_parser *p, const struct progress_reading *r, uint64_t now_ms)
{
    if (continues(&p->current, r)) {
        p->candidate = (struct progress_counter){0};
        return advance(&p->current, r, now_ms);
    }
    if (continues(&p->suspended, r)) {
        p->has_parts = true;
        p->current = p->suspended;
        p->suspended = p->candidate = (struct progress_counter){0};
        advance(&p->current, r, now_ms);
        return true;
    }
    if (continues(&p->candidate, r)) {
        advance(&p->candidate, r, now_ms);
    } else if (continues_otherwise(&p->current, r)) {
        return advance(&p->current, r, now_ms);
    } else {
        p->candidate = (struct progress_counter){.reading = *r, .seen_ms = now_ms, .sightings = 1};
    }
    if (!takes_over(p, r, now_ms))
        return false;
    p->suspended = p->current;
    if (is_complete(&p->suspended))
        p->suspended = (struct progress_counter){0};
    p->current = p->candidate;
    p->candidate = (struct progress_counter){0};
    return true;
}

/* ---- Percentages of whatever kind ---- */

static struct progress_shape *find_shape(struct progress_parser *p, uint64_t hash)
{
    struct progress_shape *oldest = &p->shapes[0];
    for (int i = 0; i < PROGRESS_SHAPES; i++) {
        if (p->shapes[i].hash == hash)
            return &p->shapes[i];
        if (p->shapes[i].used < oldest->used)
            oldest = &p->shapes[i];
    }
    *oldest = (struct progress_shape){.hash = hash, .percent = -1};
    return oldest;
}

/* Whether a percentage is believed by now. One that was complete may begin anew. */
static bool is_progress(struct progress_parser *p, const struct progress_reading *r)
{
    struct progress_shape *shape = find_shape(p, r->shape);
    bool first = shape->percent < 0;
    shape->used = ++p->sightings;
    if (!first && r->percent < shape->percent) {
        shape->fell |= shape->percent < 99;
        shape->rises = 0;
    } else if (!first && r->percent > shape->percent) {
        shape->rises++;
    }
    shape->percent = r->percent;
    return !shape->fell && shape->rises >= (r->plausible ? 1 : 2);
}

/* ---- Lines ---- */

static bool sight_rust_tests(struct progress_parser *p, uint64_t now_ms)
{
    const struct progress_reading r = {
        .kind = PROGRESS_RUST_TESTS, .total = p->tests_total, .completed = p->tests_ended};
    return p->tests_ended <= p->tests_total && sight(p, &r, now_ms);
}

/* Lines that mean something only together with others. */
static bool take_note(struct progress_parser *p, const struct progress_reading *r, uint64_t now_ms)
{
    struct progress_reading done = p->current.reading;
    switch (r->kind) {
    case PROGRESS_PYTEST_COLLECTED:
        p->tests_found = r->total;
        return false;
    case PROGRESS_RUST_TESTS_RUN:
        p->tests_total = r->total;
        p->tests_ended = 0;
        return false;
    case PROGRESS_RUST_TEST_ENDED:
        p->tests_ended++;
        return sight_rust_tests(p, now_ms);
    case PROGRESS_CARGO_FINISHED:
        if (done.kind != PROGRESS_CARGO)
            return false;
        done.completed = done.total;
        return advance(&p->current, &done, now_ms);
    default:
        return false;
    }
}

/* pytest tells a percentage; with the number of tests it tells how many are done. A count at the
 * end of a line is pytest's when it is of that number. */
static bool count_tests(const struct progress_parser *p, struct progress_reading *r)
{
    if (p->tests_found && r->total == 100) {
        r->total = p->tests_found;
        r->completed = (uint32_t)lround(r->percent * p->tests_found / 100);
    }
    r->percent = 0;
    return r->total == 100 || r->total == p->tests_found;
}

/* whole: the line's end has come; until then nothing is counted that would count again. */
static bool take_line(struct progress_parser *p, struct slice line, bool redrawn, bool whole,
                      uint64_t now_ms)
{
    struct progress_reading r;
    if (p->alternate_screen || !progress_read_line(line, redrawn, &r))
        return false;
    if (r.kind >= PROGRESS_CARGO_FINISHED)
        return whole && take_note(p, &r, now_ms);
    if (r.kind == PROGRESS_PYTEST && !count_tests(p, &r))
        return false;
    if (r.kind == PROGRESS_PERCENT && !is_progress(p, &r))
        return false;
    return sight(p, &r, now_ms);
}

/* A line whose end has not come yet. Its last number may go on. */
static bool take_beginning(struct progress_parser *p, const struct progress_stream *s,
                           uint64_t now_ms)
{
    bool ready = s->len && !(s->line[s->len - 1] >= '0' && s->line[s->len - 1] <= '9');
    return ready && take_line(p, slice_of(s->line, s->len), s->redrawn, false, now_ms);
}

static bool end_line(struct progress_parser *p, struct progress_stream *s, bool redrawn,
                     uint64_t now_ms)
{
    bool changed =
        s->len && take_line(p, slice_of(s->line, s->len), redrawn || s->redrawn, true, now_ms);
    s->len = 0;
    s->redrawn = redrawn;
    return changed;
}

static void add_to_line(struct progress_stream *s, struct slice text)
{
    size_t room = sizeof s->line - s->len, n = text.len < room ? text.len : room;
    memcpy(s->line + s->len, text.ptr, n);
    s->len += n;
}

/* ---- Escape sequences (ECMA-48) ---- */

static bool is_alternate_screen(struct slice parameters)
{
    return slice_is(parameters, "?1049") || slice_is(parameters, "?1047") ||
           slice_is(parameters, "?47");
}

/* A movement of the cursor ends a line as a carriage return does; colours do not. */
static bool end_control_sequence(struct progress_parser *p, struct progress_stream *s, char final,
                                 uint64_t now_ms)
{
    if (final == 'h' || final == 'l') {
        if (is_alternate_screen(slice_of(s->parameters, s->parameters_len)))
            p->alternate_screen = final == 'h';
        return false;
    }
    return strchr("ABEFGHJf", final) && end_line(p, s, true, now_ms);
}

static bool escape_byte(struct progress_parser *p, struct progress_stream *s, char c,
                        uint64_t now_ms)
{
    switch (s->escape) {
    case PROGRESS_ESCAPE:
        s->parameters_len = 0;
        s->escape = c == '['                          ? PROGRESS_CONTROL_SEQUENCE
                    : c != '\0' && strchr("]PX^_", c) ? PROGRESS_STRING
                                                      : PROGRESS_TEXT;
        return false;
    case PROGRESS_CONTROL_SEQUENCE:
        if (c >= '@' && c <= '~') {
            s->escape = PROGRESS_TEXT;
            return end_control_sequence(p, s, c, now_ms);
        }
        if (s->parameters_len < sizeof s->parameters)
            s->parameters[s->parameters_len++] = c;
        return false;
    case PROGRESS_STRING:
        s->escape = c == BELL ? PROGRESS_TEXT : c == ESCAPE ? PROGRESS_STRING_END : s->escape;
        return false;
    case PROGRESS_STRING_END:
        s->escape = c == '\\' ? PROGRESS_TEXT : PROGRESS_STRING;
        return false;
    case PROGRESS_TEXT:
        break;
    }
    return false;
}

/* The plain text at the beginning of bytes. */
static size_t plain_length(struct slice bytes)
{
    size_t n = 0;
    while (n < bytes.len && bytes.ptr[n] != '\n' && bytes.ptr[n] != '\r' && bytes.ptr[n] != ESCAPE)
        n++;
    return n;
}

/* One byte that is not plain text. "\r\n" ends a line, a lone "\r" begins to overwrite it. */
static bool control_byte(struct progress_parser *p, struct progress_stream *s, char c,
                         uint64_t now_ms)
{
    if (s->escape != PROGRESS_TEXT)
        return escape_byte(p, s, c, now_ms);
    if (c == ESCAPE) {
        s->escape = PROGRESS_ESCAPE;
        return false;
    }
    s->after_return = c == '\r';
    return c == '\n' && end_line(p, s, false, now_ms);
}

bool progress_parser_feed(struct progress_parser *p, unsigned stream, struct slice bytes,
                          uint64_t now_ms)
{
    struct progress_stream *s = &p->streams[stream];
    bool changed = false;
    while (bytes.len) {
        size_t n = s->escape == PROGRESS_TEXT ? plain_length(bytes) : 0;
        if (n && s->after_return) {
            s->after_return = false;
            changed |= end_line(p, s, true, now_ms);
        }
        if (s->len == 0 && n < bytes.len && bytes.ptr[n] == '\n') { /* a whole line: no copy */
            size_t len = n < PROGRESS_LINE_SIZE ? n : PROGRESS_LINE_SIZE;
            changed |= take_line(p, slice_of(bytes.ptr, len), s->redrawn, true, now_ms);
            s->redrawn = false;
        } else {
            add_to_line(s, slice_of(bytes.ptr, n));
        }
        bytes = slice_skip(bytes, n);
        if (bytes.len) {
            changed |= control_byte(p, s, bytes.ptr[0], now_ms);
            bytes = slice_skip(bytes, 1);
        }
    }
    return take_beginning(p, s, now_ms) || changed;
}

bool progress_parser_get(const struct progress_parser *p, struct progress *progress)
{
    const struct progress_reading *r = &p->current.reading;
    if (r->kind == PROGRESS_NOTHING)
        return false;
    bool counted = r->total != 100 || r->percent == 0;
    double percent = counted ? 100.0 * r->completed / r->total : r->percent;
    *progress = (struct progress){
        .total = r->total, .completed = r->completed, .percent = round(percent * 10) / 10};
    return true;
}
