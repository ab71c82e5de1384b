/* Publishing and counting; see bench_load.h. */
#include "cli/bench_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/bench_load_private.h"
#include "client/answer.h"
#include "codec/websocket.h"
#include "fanfare/error.h"

/* Numbers of constant width, so that a message's number stands where the last one's stood. */
#define NUMBER_BASE  1000000000ull       /* 10 digits */
#define TIME_BASE    1000000000000000ull /* 16 digits */
#define NUMBER_KEY   "\"bench\":"
#define NUMBER_WIDTH 10
#define TIME_KEY     ",\"due\":"

#define OUTGOING_MAX  ((size_t)1024 * 1024) /* unsent bytes that stop publishing */
#define LOOK_NS       20000000ull
#define STALL_SECONDS 10 /* without a delivery: the run has failed */

/* ---- What readers get ---- */

static uint64_t read_number(const char *at)
{
    uint64_t n = 0;
    for (int i = 0; i < NUMBER_WIDTH; i++)
        n = n * 10 + (uint64_t)(at[i] - '0');
    return n - NUMBER_BASE;
}

/* Where the message's number begins; NULL: it is none of ours. */
static const char *find_number(struct bench_load *l, struct slice payload)
{
    const size_t key = sizeof NUMBER_KEY - 1, needed = key + NUMBER_WIDTH + 32;
    if (l->number_at + needed <= payload.len &&
        memcmp(payload.ptr + l->number_at, NUMBER_KEY, key) == 0)
        return payload.ptr + l->number_at + key;
    const char *at = memmem(payload.ptr, payload.len, NUMBER_KEY, key);
    if (!at || (size_t)(payload.ptr + payload.len - at) < needed)
        return NULL;
    l->number_at = (size_t)(at - payload.ptr);
    return at + key;
}

static int wrong_message(struct bench_connection *c, uint64_t number)
{
    buf_printf(c->load->why,
               "a reader of topic %u got message %llu where %llu had to come: a delivery was lost, "
               "doubled or misplaced",
               c->topic, (unsigned long long)number, (unsigned long long)c->next);
    return FAN_E_PROTOCOL;
}

static void add_latency(struct bench_load *l, const char *number)
{
    uint64_t due = strtoull(number + NUMBER_WIDTH + sizeof TIME_KEY - 1, NULL, 10) - TIME_BASE;
    uint64_t now = l->read_ns % TIME_BASE;
    histogram_add(l->latency, now > due ? now - due : 0);
}

int bench_on_reader(void *arg, struct slice payload)
{
    struct bench_connection *c = arg;
    struct bench_load *l = c->load;
    const char *at = find_number(l, payload);
    if (!at) {
        l->opened += !c->greeted;
        c->greeted = true;
        return 0;
    }
    uint64_t number = read_number(at);
    if (number != c->next)
        return wrong_message(c, number);
    c->next += l->topics;
    l->deliveries++;
    l->completed += --l->missing[number % BENCH_IN_FLIGHT] == 0;
    if (l->latency)
        add_latency(l, at);
    return 0;
}

/* ---- What the publisher gets: acknowledgements, errors ---- */

int bench_on_publisher(void *arg, struct slice payload)
{
    struct bench_connection *c = arg;
    struct answer_error error;
    uint64_t published, failed;
    if (answer_batch_parse(payload, &published, &failed) && failed == 0) {
        c->load->completed += published;
        return 0;
    }
    if (answer_error_parse(payload, &error)) {
        buf_printf(c->load->why, "the server refused an event: %s", buf_text(&error.message));
        answer_error_fini(&error);
    } else {
        BUF_LITERAL(c->load->why, "the server's answer to an event was not understood");
    }
    return FAN_E_DENIED;
}

/* ---- Publishing ---- */

/* {"topic":…,"type":"bench","data":{…}} up to the padding; *data is where the data begins. */
static size_t write_message(const struct bench_load *l, uint64_t due_ns, char *text, size_t size,
                            size_t *data)
{
    unsigned topic = l->topics ? (unsigned)(l->published % l->topics) : 0;
    *data = (size_t)snprintf(
        text, size, "{\"topic\":\"session:bench-%s-%u\",\"type\":\"bench\",\"data\":", l->run,
        topic);
    return *data + (size_t)snprintf(text + *data, size - *data,
                                    "{" NUMBER_KEY "%llu" TIME_KEY "%llu,\"pad\":\"",
                                    (unsigned long long)(NUMBER_BASE + l->published),
                                    (unsigned long long)(TIME_BASE + due_ns % TIME_BASE));
}

static void append_message(struct bench_load *l, uint64_t due_ns)
{
    static const uint8_t no_mask[4] = {0}; /* so that the text stays as it is */
    uint8_t header[WS_HEADER_MAX];
    char text[256];
    size_t data, len = write_message(l, due_ns, text, sizeof text, &data);
    size_t used = len - data + strlen("\"}");
    size_t pad = l->size > used ? l->size - used : 0;
    size_t n = ws_header_write(header, WS_TEXT, true, false, len + pad + strlen("\"}}"), no_mask);
    buf_append(&l->outgoing, header, n);
    buf_append(&l->outgoing, text, len);
    char *room = buf_reserve(&l->outgoing, pad);
    if (room) {
        memset(room, 'x', pad);
        buf_commit(&l->outgoing, pad);
    }
    BUF_LITERAL(&l->outgoing, "\"}}");
    l->published++;
}

int bench_send(struct bench_load *l)
{
    while (l->outgoing.len) {
        ssize_t n = write(l->publisher.fd, l->outgoing.data, l->outgoing.len);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            buf_printf(l->why, "the publisher's connection: %s", strerror(errno));
            return FAN_E_IO;
        }
        if (n < 0)
            break;
        buf_consume(&l->outgoing, (size_t)n);
    }
    bench_connection_want_write(&l->publisher, l->outgoing.len > 0);
    return 0;
}

/* ---- A run ---- */

struct run {
    struct bench_load *load;
    const struct bench_plan *plan;
    uint64_t first; /* the number of its first message */
    uint64_t begun_ns;
    uint32_t readers_each; /* of a topic; 0: acknowledgements are counted instead */
};

/* When message n of the run has to leave in open loop. */
static uint64_t due_ns(const struct run *r, uint64_t n)
{
    return r->begun_ns + (uint64_t)((double)n * 1e9 / r->plan->rate);
}

static bool may_publish(const struct run *r, uint64_t now_ns)
{
    const struct bench_load *l = r->load;
    uint64_t n = l->published - r->first;
    if (r->plan->messages ? n >= r->plan->messages : now_ns - r->begun_ns >= r->plan->duration_ns)
        return false;
    if (l->outgoing.len >= OUTGOING_MAX || l->missing[l->published % BENCH_IN_FLIGHT])
        return false;
    if (r->plan->rate > 0)
        return now_ns >= due_ns(r, n);
    return l->published - l->completed < r->plan->window;
}

static int publish_some(struct run *r)
{
    struct bench_load *l = r->load;
    uint64_t now = clock_ns();
    while (may_publish(r, now)) {
        l->missing[l->published % BENCH_IN_FLIGHT] = r->readers_each;
        append_message(l, r->plan->rate > 0 ? due_ns(r, l->published - r->first) : now);
    }
    return l->outgoing.len ? bench_send(l) : 0;
}

static bool is_done(const struct run *r, uint64_t now_ns)
{
    const struct bench_load *l = r->load;
    uint64_t n = l->published - r->first;
    bool all =
        r->plan->messages ? n >= r->plan->messages : now_ns - r->begun_ns >= r->plan->duration_ns;
    return all && l->completed == l->published;
}

/* Until there is something to publish, or it is time to look at the clock. */
static uint64_t time_to_wait(const struct run *r, uint64_t now_ns)
{
    if (r->plan->rate <= 0)
        return LOOK_NS;
    uint64_t due = due_ns(r, r->load->published - r->first);
    uint64_t left = due > now_ns ? due - now_ns : 0;
    return left < LOOK_NS ? left : LOOK_NS;
}

static int stalled(const struct run *r)
{
    buf_printf(r->load->why, "%llu messages were not delivered within %d s",
               (unsigned long long)(r->load->published - r->load->completed), STALL_SECONDS);
    return FAN_E_TIMEOUT;
}

static int go(struct run *r)
{
    struct bench_load *l = r->load;
    uint64_t progress_ns = clock_ns(), now = progress_ns, before = l->deliveries + l->completed;
    int error = 0;
    r->begun_ns = now;
    while (!error && !is_done(r, now)) {
        error = publish_some(r);
        if (!error)
            error = bench_wait(l, time_to_wait(r, now));
        now = clock_ns();
        if (l->deliveries + l->completed != before)
            progress_ns = now;
        before = l->deliveries + l->completed;
        if (!error && now - progress_ns > STALL_SECONDS * 1000000000ull)
            error = stalled(r);
    }
    return error;
}

static double cpu_seconds(void)
{
    struct timespec used = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static int run(struct run *r, struct bench_outcome *out, struct buf *why)
{
    struct bench_load *l = r->load;
    l->why = why;
    int error = bench_load_publisher(l, why);
    uint64_t deliveries = l->deliveries;
    double cpu = cpu_seconds();
    l->latency = out->latency;
    r->first = l->published;
    if (!error)
        error = go(r);
    out->messages = l->published - r->first;
    out->deliveries = l->deliveries - deliveries;
    out->seconds = (double)(clock_ns() - r->begun_ns) / 1e9;
    out->cpu_seconds = cpu_seconds() - cpu;
    l->latency = NULL;
    return error;
}

int bench_load_run(struct bench_load *l, const struct bench_plan *plan, struct bench_outcome *out,
                   struct buf *why)
{
    struct run r = {.load = l, .plan = plan, .readers_each = l->reader_count / l->topics};
    return run(&r, out, why);
}

int bench_load_publish(struct bench_load *l, const struct bench_plan *plan,
                       struct bench_outcome *out, struct buf *why)
{
    struct run r = {.load = l, .plan = plan};
    return run(&r, out, why);
}

int bench_load_connect_timed(struct bench_load *l, unsigned readers, unsigned topics,
                             struct bench_outcome *out, struct buf *why)
{
    uint64_t begun = clock_ns();
    double cpu = cpu_seconds();
    int error = bench_load_open(l, readers, topics, why);
    out->seconds = (double)(clock_ns() - begun) / 1e9;
    out->cpu_seconds = cpu_seconds() - cpu;
    return error;
}
