/*
 * A fan-out whose sink is memory: readers with a bounded queue each, that take as much as the test
 * lets them. The sink does what the one for connections does: what it cannot queue makes the
 * subscriber lag, and what waits and has not begun is dropped then.
 */
#ifndef FANOUT_FIXTURE_H
#define FANOUT_FIXTURE_H

#include "hub_fixture.h"

#include "hub/fanout.h"

/* How an event looks on this wire: the object itself, and bytes that make it as long as its data,
 * so that runs grow. */
struct wire_frame {
    uint64_t seq, offset;
    uint64_t position; /* what whoever got it would come back with; 0: not asked for */
    uint32_t place, padding;
    const struct topic *topic; /* to be compared only */
    uint32_t number;           /* from data: {"n":…} */
    bool ephemeral;
};

struct received {
    struct wire_frame frame;
    unsigned piece; /* which of all that were ever queued */
    uint64_t order; /* of the reader's receptions and reports together */
};

struct reported_gap {
    const struct topic *topic;
    uint64_t from, to, order;
    const char *reason;
};

struct queued {
    struct bytes *bytes;
    uint32_t offset, length;
    uint64_t first_seq;
    unsigned piece;
    bool history;
};

#define READER_QUEUE_MAX 512

struct reader {
    struct subscriber s;
    struct queued queue[READER_QUEUE_MAX];
    unsigned queue_count, pieces;
    uint64_t queue_bytes, queue_limit; /* bytes; a first piece always fits */
    bool stuck;                        /* takes nothing from its queue */
    bool begun;                        /* the queue's first piece cannot be dropped any more */
    bool closed;                       /* the fan-out gave it up */
    uint64_t closed_at;
    struct received *got;
    unsigned got_count, got_cap;
    struct reported_gap gaps[512];
    unsigned gap_count;
    unsigned caught_up, lags;
    uint64_t missed; /* of the last caught_up */
    uint64_t order;
    const struct bytes *last_run; /* of the last solo delivery */
    unsigned runs;
};

/* ---- The wire ---- */

static inline uint32_t number_of(const struct event *e)
{
    struct slice data = slice_skip(e->data, strlen("{\"n\":"));
    uint32_t n = 0;
    for (size_t i = 0; i < data.len && data.ptr[i] >= '0' && data.ptr[i] <= '9'; i++)
        n = n * 10 + (uint32_t)(data.ptr[i] - '0');
    return n;
}

static inline void append_frame(void *context, struct buf *out, const struct event *e,
                                unsigned place)
{
    struct wire_frame frame;
    memset(&frame, 0, sizeof frame);
    frame.seq = e->seq;
    frame.position = context ? fanout_position(context, e) : 0;
    frame.offset = e->places[place].offset;
    frame.place = place;
    frame.padding = (uint32_t)e->data.len;
    frame.topic = e->places[place].topic;
    frame.number = number_of(e);
    frame.ephemeral = e->ephemeral;
    buf_append(out, &frame, sizeof frame);
    buf_append_slice(out, e->data);
}

static const struct encoding wire = {.name = "wire", .dialect = 0, .append = append_frame};
static const struct encoding other_wire = {.name = "other", .dialect = 1, .append = append_frame};

static inline void take_frames(struct reader *r, struct slice frames, unsigned piece)
{
    while (frames.len) {
        struct wire_frame frame;
        assert_true(frames.len >= sizeof frame);
        memcpy(&frame, frames.ptr, sizeof frame);
        frames = slice_skip(frames, sizeof frame + frame.padding);
        if (r->got_count == r->got_cap) {
            r->got_cap = r->got_cap ? r->got_cap * 2 : 64;
            r->got = memory_realloc(r->got, r->got_cap * sizeof *r->got);
        }
        r->got[r->got_count++] = (struct received){frame, piece, r->order++};
    }
}

/* ---- The queue, as a connection has one ---- */

static inline uint64_t drop_queued(struct reader *r, uint64_t *first_seq)
{
    unsigned kept = r->begun && r->queue_count ? 1 : 0;
    uint64_t dropped = 0;
    for (unsigned i = kept; i < r->queue_count; i++) {
        if (r->queue[i].history && !r->closed) {
            r->queue[kept++] = r->queue[i];
            continue;
        }
        if (dropped == 0 || r->queue[i].first_seq < *first_seq)
            *first_seq = r->queue[i].first_seq;
        dropped += r->queue[i].length;
        bytes_unref(r->queue[i].bytes);
    }
    r->queue_count = kept;
    r->queue_bytes -= dropped;
    return dropped;
}

static inline bool enqueue(struct reader *r, const struct frames *frames)
{
    bool fits = r->queue_count == 0 || (r->queue_bytes + frames->length <= r->queue_limit &&
                                        r->queue_count < READER_QUEUE_MAX);
    if (!fits)
        return false;
    r->queue[r->queue_count++] =
        (struct queued){bytes_ref(frames->bytes), frames->offset, frames->length,
                        frames->first_seq,        r->pieces++,    frames->history};
    r->queue_bytes += frames->length;
    return true;
}

/* Takes up to n pieces from the queue. */
static inline void reader_take(struct reader *r, unsigned n)
{
    unsigned taken = 0;
    if (r->stuck)
        return;
    for (; taken < n && taken < r->queue_count; taken++) {
        const struct queued *q = &r->queue[taken];
        take_frames(r, slice_of(q->bytes->data + q->offset, q->length), q->piece);
        r->queue_bytes -= q->length;
        bytes_unref(q->bytes);
    }
    memmove(r->queue, r->queue + taken, (r->queue_count - taken) * sizeof *r->queue);
    r->queue_count -= taken;
    if (taken)
        r->begun = false;
    if (taken && r->queue_count == 0)
        subscriber_drained(&r->s);
}

static inline void reader_take_all(struct reader *r)
{
    reader_take(r, READER_QUEUE_MAX);
}

/* ---- The sink ---- */

struct fake_sink {
    unsigned wakes;
    bool taking; /* readers that are not stuck take everything at once */
};

static inline struct reader *reader_of(struct subscriber *s)
{
    return CONTAINER(s, struct reader, s);
}

static inline bool give(struct reader *r, const struct frames *frames)
{
    uint64_t first = frames->first_seq;
    if (r->closed)
        return true;
    if (enqueue(r, frames))
        return true;
    r->lags++;
    uint64_t dropped = drop_queued(r, &first);
    fanout_lag(&r->s, first, dropped);
    return false;
}

static inline void sink_deliver(void *arg, struct subscription *const *members, unsigned count,
                                const struct frames *frames)
{
    (void)arg;
    for (unsigned i = 0; i < count; i++) {
        struct reader *r = CONTAINER(members[i], struct reader, s.first);
        assert_ptr_equal(members[i], &r->s.first);
        r->last_run = frames->bytes;
        r->runs++;
        if (!r->s.catch_up)
            give(r, frames);
    }
}

static inline bool sink_deliver_one(void *arg, struct subscriber *s, const struct frames *frames)
{
    struct reader *r = reader_of(s);
    (void)arg;
    /* A piece of history comes only when nothing waits; that is why it always fits. */
    assert_true(frames->history == (s->catch_up != NULL));
    assert_true(!frames->history || r->closed || r->queue_count == 0);
    return give(r, frames);
}

static inline bool sink_ready(void *arg, struct subscriber *s)
{
    struct reader *r = reader_of(s);
    (void)arg;
    return !r->closed && r->queue_count == 0;
}

static inline void sink_caught_up(void *arg, struct subscriber *s, uint64_t missed)
{
    struct reader *r = reader_of(s);
    (void)arg;
    r->caught_up++;
    r->missed = missed;
}

static inline void sink_gap(void *arg, struct subscriber *s, struct topic *topic, uint64_t from,
                            uint64_t to, const char *reason)
{
    struct reader *r = reader_of(s);
    (void)arg;
    assert_true(r->gap_count < sizeof r->gaps / sizeof *r->gaps);
    assert_true(from >= 1 && from <= to);
    /* A connection sends the pieces before it first. */
    r->gaps[r->gap_count++] = (struct reported_gap){topic, from, to, r->order++, reason};
}

static inline void sink_overflow_close(void *arg, struct subscriber *s, uint64_t position)
{
    struct reader *r = reader_of(s);
    uint64_t unused;
    (void)arg;
    r->closed = true;
    r->closed_at = position;
    drop_queued(r, &unused);
}

static inline void sink_wake(void *arg)
{
    ((struct fake_sink *)arg)->wakes++;
}

static const struct fanout_sink fake_sink = {
    .deliver = sink_deliver,
    .deliver_one = sink_deliver_one,
    .ready = sink_ready,
    .caught_up = sink_caught_up,
    .gap = sink_gap,
    .overflow_close = sink_overflow_close,
    .wake = sink_wake,
};

/* ---- Readers ---- */

static inline struct reader *reader_new(struct fanout *f, uint64_t queue_limit)
{
    struct reader *r = memory_zero(sizeof *r);
    r->queue_limit = queue_limit;
    subscriber_init(&r->s, f);
    return r;
}

static inline void reader_free(struct reader *r)
{
    uint64_t unused;
    r->begun = false;
    r->closed = true;
    drop_queued(r, &unused);
    subscriber_fini(&r->s);
    memory_free(r->got);
    memory_free(r);
}

/* The result's topic is released; it lives on while it is followed. */
static inline struct join_result join_at(struct reader *r, const char *topic,
                                         struct start_point start)
{
    struct join_result result;
    assert_int_equal(subscriber_join(&r->s, slice_from(topic), &wire, &start, &result), 0);
    topic_unref(result.topic);
    return result;
}

static inline struct join_result join(struct reader *r, const char *topic)
{
    return join_at(r, topic, (struct start_point){START_NOW, 0, 0});
}

/* ---- Turns ---- */

/* What a loop turn does. */
static inline bool turn(struct fanout *f)
{
    fanout_drain(f);
    fanout_deliver(f);
    return fanout_read_history(f);
}

/* Turns until nothing is left to do; the reader takes what it gets. */
static inline void settle(struct fanout *f, struct reader *r)
{
    for (unsigned i = 0; i < 1000; i++) {
        bool more = turn(f);
        bool waited = r && r->queue_count > 0 && !r->stuck;
        if (r)
            reader_take_all(r);
        if (!more && !waited && list_empty(&f->reading) && list_empty(&f->dirty))
            return;
    }
    fail_msg("the fan-out never comes to rest");
}

/* The numbers of all that was received, "1 2 3". */
static inline const char *numbers(const struct reader *r)
{
    static char text[4096];
    size_t at = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < r->got_count && at < sizeof text - 16; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%u", i ? " " : "",
                               r->got[i].frame.number);
    return text;
}

/* publish_n(h, n, .topics = {…}): an event with that number in its data. */
#define publish_n(h, n, ...)                                                 \
    do {                                                                     \
        char data_[32];                                                      \
        snprintf(data_, sizeof data_, "{\"n\":%u}", (unsigned)(n));          \
        assert_int_equal(publish((h), .data = data_, __VA_ARGS__).error, 0); \
    } while (0)

#endif
