/* What `fanfare run` tells the server; see run_publisher.h. */
#include "cli/run_publisher.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/nice.h"
#include "codec/utf8.h"
#include "fanfare/client.h"
#include "source/output_queue.h"

#define QUEUE_SIZE   ((size_t)4 * 1024 * 1024) /* at least; see share_room */
#define BACKLOG_SIZE ((size_t)14 * 1024 * 1024)
#define ON_THE_WAY   ((size_t)2 * 1024 * 1024)
#define BATCH_MS     25  /* output is published at most this long after it was written */
#define PROGRESS_MS  100 /* between two events of progress, behind the output that told it… */
#define OVERDUE_MS   500 /* … unless so much output waits that it has to overtake */
#define ROOM_MS      10  /* a wait for the client, after which the queue is looked at again */
#define IDLE_MS      500 /* without output, how often the connection is looked at */
#define AWAY_MS      250 /* likewise while there is none, and no more room */
#define END_STEP_MS  50
#define UNREACHED_MS 1000 /* a wait at the end for a server that was never there */
#define UTF8_TAIL    3
/* A command that prints as fast as it can keeps its processors: publishing gets what is left. */
#define PUBLISHER_NICE 10

/* An event that the client has not taken yet. */
struct waiting_event {
    const char *type; /* NULL: none */
    struct buf data;
    int64_t wall_ms; /* 0: now */
};

struct run_publisher {
    struct run_publisher_options options;
    struct fan_client *client;
    struct output_queue queue;
    pthread_t thread;
    int wakeup;

    bool adds_return[2]; /* set before there is output */

    /* Set before the queue is closed, read afterwards. */
    struct run_end end;
    int wait_ms;
    bool hurry;
    uint64_t end_ms;

    pthread_mutex_t lock;
    struct buf notices; /* each: the event and the text, with NULs; under the lock, as the next */
    bool ended;

    atomic_bool given_up;
    atomic_bool unreachable, denied; /* the client's last word */
    atomic_bool outage_told, refusal_told;
    atomic_uint refused;

    /* The thread's own. */
    struct output_backlog backlog;
    struct output_piece *piece; /* the next one to publish */
    struct waiting_event waiting;
    struct buf text;
    char tails[2][UTF8_TAIL]; /* the beginning of a code point whose rest has not come yet */
    size_t tail_lens[2];
    struct progress_parser parser;
    bool has_progress; /* not published yet */
    uint64_t progress_ms;
    bool back_told;
    struct run_losses losses;
};

/* ---- Messages for the caller ---- */

static void wake_caller(struct run_publisher *p)
{
    ssize_t n = write(p->wakeup, &(uint64_t){1}, sizeof(uint64_t));
    (void)n; /* full means that it is awake already */
}

static void tell(struct run_publisher *p, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct run_publisher *p, const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&p->lock);
    buf_append(&p->notices, event, strlen(event) + 1);
    buf_vprintf(&p->notices, format, args);
    buf_append_char(&p->notices, '\0');
    pthread_mutex_unlock(&p->lock);
    va_end(args);
    wake_caller(p);
}

/* On the client's thread. */
static void on_problem(void *arg, const struct fan_client_problem *problem)
{
    struct run_publisher *p = arg;
    if (problem->kind == FAN_CLIENT_EVENT_REFUSED) {
        atomic_fetch_add(&p->refused, 1);
        if (!atomic_exchange(&p->refusal_told, true))
            tell(p, "event_refused", "the server refused an event: %s", problem->message);
        return;
    }
    bool denied = problem->kind == FAN_CLIENT_DENIED;
    atomic_store(&p->denied, denied);
    atomic_store(&p->unreachable, true);
    if (atomic_exchange(&p->outage_told, true))
        return;
    tell(p, denied ? "denied" : "unreachable",
         "%s %s: %s; the command goes on, and up to 16 MiB of its output are kept for later",
         p->options.remote->url, denied ? "refuses the connection" : "cannot be reached",
         problem->message);
}

/* Once, and never when the connection was there all the time. */
static void tell_when_back(struct run_publisher *p)
{
    struct fan_client_stats stats;
    if (!atomic_load(&p->unreachable))
        return;
    fan_client_stats(p->client, &stats);
    if (!stats.connected)
        return;
    atomic_store(&p->unreachable, false);
    atomic_store(&p->denied, false);
    if (!p->back_told)
        tell(p, "connected", "connected to %s", p->options.remote->url);
    p->back_told = true;
}

static void tell_size(struct run_publisher *p, uint64_t bytes, const char *event,
                      const char *sentence)
{
    struct buf size = {0};
    run_event_append_size(&size, bytes);
    tell(p, event, sentence, buf_text(&size));
    buf_fini(&size);
}

/* ---- Events ---- */

/* Hands the waiting event to the client. False when that has no room. */
static bool send_waiting(struct run_publisher *p)
{
    struct waiting_event *w = &p->waiting;
    char time[CLOCK_TEXT_SIZE];
    clock_format(w->wall_ms ? w->wall_ms : clock_wall_ms(), time);
    const struct fan_client_event event = {
        .topic = p->options.topic, .type = w->type, .data = buf_text(&w->data), .time = time};
    if (fan_client_publish_event(p->client, &event) == FAN_E_LIMIT)
        return false;
    w->type = NULL;
    return true;
}

/* An empty buffer for the data of the next event. */
static struct buf *next_event(struct run_publisher *p, const char *type, int64_t wall_ms)
{
    p->waiting.type = type;
    p->waiting.wall_ms = wall_ms;
    buf_clear(&p->waiting.data);
    return &p->waiting.data;
}

static void make_gap_notice(struct run_publisher *p, struct output_piece *piece)
{
    run_event_gap(next_event(p, "terminal_output", piece->wall_ms), piece->left_out, piece->stream);
    piece->left_out = 0;
    p->tail_lens[0] = p->tail_lens[1] = 0;
    size_t rest = 0; /* of a code point whose beginning was left out */
    while (rest < piece->len && rest < UTF8_TAIL && (piece->data[rest] & 0xC0) == 0x80)
        rest++;
    memmove(piece->data, piece->data + rest, piece->len - rest);
    piece->len -= rest;
}

static void append_piece(struct buf *out, const struct output_piece *piece, bool adds_return)
{
    struct slice rest = slice_of(piece->data, piece->len);
    const char *newline;
    while (adds_return && rest.len && (newline = memchr(rest.ptr, '\n', rest.len))) {
        buf_append(out, rest.ptr, (size_t)(newline - rest.ptr));
        BUF_LITERAL(out, "\r\n");
        rest = slice_skip(rest, (size_t)(newline - rest.ptr) + 1);
    }
    buf_append_slice(out, rest);
}

/* The piece as an event, without the code point that it ends inside. */
static void make_output(struct run_publisher *p, const struct output_piece *piece)
{
    char *tail = p->tails[piece->stream];
    size_t *tail_len = &p->tail_lens[piece->stream];
    buf_clear(&p->text);
    buf_append(&p->text, tail, *tail_len);
    append_piece(&p->text, piece, p->adds_return[piece->stream]);
    struct slice text = buf_slice(&p->text);
    *tail_len = utf8_incomplete_tail(text);
    text.len -= *tail_len;
    if (*tail_len)
        memcpy(tail, text.ptr + text.len, *tail_len);
    if (text.len)
        run_event_output(next_event(p, "terminal_output", piece->wall_ms), text, piece->stream,
                         p->options.name);
}

/* A code point that never became whole. */
static bool make_tail(struct run_publisher *p)
{
    for (unsigned i = 0; i < 2; i++) {
        if (p->tail_lens[i] == 0)
            continue;
        run_event_output(next_event(p, "terminal_output", 0),
                         slice_of(p->tails[i], p->tail_lens[i]), i, p->options.name);
        p->tail_lens[i] = 0;
        return true;
    }
    return false;
}

static void make_progress(struct run_publisher *p)
{
    struct progress progress;
    p->has_progress = false;
    p->progress_ms = clock_ms();
    if (progress_parser_get(&p->parser, &progress))
        run_event_progress(next_event(p, "build_progress", 0), &progress);
}

/* ---- The thread ---- */

/* Makes the next event, if there is one to make. */
static bool make_next(struct run_publisher *p)
{
    if (!p->piece)
        p->piece = output_backlog_take(&p->backlog);
    if (p->has_progress && clock_ms() - p->progress_ms >= (p->piece ? OVERDUE_MS : PROGRESS_MS)) {
        make_progress(p);
        return true;
    }
    if (!p->piece)
        return false;
    if (p->piece->left_out) {
        make_gap_notice(p, p->piece);
        return true;
    }
    make_output(p, p->piece);
    memory_free(p->piece);
    p->piece = NULL;
    return true;
}

/* Publishes as much as the client takes. False when it takes no more. */
static bool publish_all(struct run_publisher *p)
{
    for (;;) {
        if (p->waiting.type && !send_waiting(p))
            return false;
        if (!make_next(p))
            return true;
    }
}

/* What the backlog has no need of the queue may use: on a busy machine it fills while this thread
 * waits for its turn. */
static void share_room(struct run_publisher *p)
{
    size_t used = p->backlog.cost < BACKLOG_SIZE ? p->backlog.cost : BACKLOG_SIZE;
    size_t free_room = BACKLOG_SIZE - used;
    output_queue_set_limit(&p->queue, free_room > QUEUE_SIZE ? free_room : QUEUE_SIZE);
}

static void take_in(struct run_publisher *p, struct list *pieces)
{
    uint64_t now = clock_ms();
    LIST_EACH (link, pieces) {
        struct output_piece *piece = CONTAINER(link, struct output_piece, link);
        list_remove(link);
        p->has_progress |=
            progress_parser_feed(&p->parser, piece->stream, slice_of(piece->data, piece->len), now);
        output_backlog_add(&p->backlog, piece);
    }
}

/* How long to wait for output. */
static int patience(struct run_publisher *p, bool room)
{
    if (!room)
        return atomic_load(&p->unreachable) ? AWAY_MS : 0;
    return p->has_progress ? PROGRESS_MS : IDLE_MS;
}

static void run_queue(struct run_publisher *p)
{
    struct list pieces;
    bool room = true;
    list_init(&pieces);
    while (output_queue_take(&p->queue, BATCH_MS, patience(p, room), &pieces)) {
        take_in(p, &pieces);
        room = publish_all(p);
        share_room(p);
        if (!room && !atomic_load(&p->unreachable))
            fan_client_wait_room(p->client, p->waiting.data.len + 256, ROOM_MS);
        tell_when_back(p);
    }
}

/* Whether waiting for the server, after the command's end, is over. */
static bool is_over(struct run_publisher *p)
{
    struct fan_client_stats stats;
    fan_client_stats(p->client, &stats);
    tell_when_back(p);
    bool absent = stats.connects == 0 && atomic_load(&p->unreachable);
    uint64_t wait = (uint64_t)p->wait_ms;
    if (absent && p->hurry && wait > UNREACHED_MS)
        wait = UNREACHED_MS;
    return atomic_load(&p->given_up) || atomic_load(&p->denied) || clock_ms() - p->end_ms >= wait;
}

/* Hands the waiting event to the client, waiting for room. False when the time is over. */
static bool deliver(struct run_publisher *p)
{
    while (p->waiting.type && !send_waiting(p)) {
        if (is_over(p))
            return false;
        fan_client_flush(p->client, END_STEP_MS);
    }
    return true;
}

static bool deliver_rest(struct run_publisher *p)
{
    while (!publish_all(p)) {
        if (is_over(p))
            return false;
        fan_client_flush(p->client, END_STEP_MS);
    }
    while (make_tail(p))
        if (!deliver(p))
            return false;
    if (p->has_progress) {
        make_progress(p);
        if (!deliver(p))
            return false;
    }
    run_event_finished(next_event(p, "run_finished", 0), &p->end);
    return deliver(p);
}

static bool await_acknowledgement(struct run_publisher *p)
{
    while (fan_client_flush(p->client, END_STEP_MS))
        if (is_over(p))
            return false;
    return true;
}

static void sum_losses(struct run_publisher *p)
{
    struct run_losses *l = &p->losses;
    struct fan_client_stats stats;
    fan_client_stats(p->client, &stats);
    l->left_out = p->backlog.left_out;
    l->refused = atomic_load(&p->refused);
    if (!l->delivered)
        l->undelivered = p->backlog.bytes + (p->piece ? p->piece->len : 0) + stats.spool_bytes;
}

static void tell_losses(struct run_publisher *p)
{
    const struct run_losses *l = &p->losses;
    if (l->left_out)
        tell_size(p, l->left_out, "left_out",
                  "%s of output were left out: the server did not take them in time");
    if (!l->delivered)
        tell_size(p, l->undelivered, "undelivered",
                  "the server did not take the last events, about %s, in time");
    if (l->refused > 1)
        tell(p, "events_refused", "the server refused %u events in all", l->refused);
}

static void *publisher_run(void *arg)
{
    struct run_publisher *p = arg;
    nice_thread(PUBLISHER_NICE);
    run_queue(p);
    p->losses.delivered = deliver_rest(p) && await_acknowledgement(p);
    sum_losses(p);
    tell_losses(p);
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    pthread_mutex_unlock(&p->lock);
    wake_caller(p);
    return NULL;
}

/* ---- For the main thread ---- */

static int start_thread(struct run_publisher *p)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&p->thread, NULL, publisher_run, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static void publisher_destroy(struct run_publisher *p)
{
    fan_client_free(p->client);
    output_queue_fini(&p->queue);
    output_backlog_fini(&p->backlog);
    memory_free(p->piece);
    buf_fini(&p->waiting.data);
    buf_fini(&p->text);
    buf_fini(&p->notices);
    pthread_mutex_destroy(&p->lock);
    if (p->wakeup >= 0)
        close(p->wakeup);
    memory_free(p);
}

struct run_publisher *run_publisher_new(const struct run_publisher_options *options, char *why,
                                        size_t why_size)
{
    struct run_publisher *p = memory_zero(sizeof *p);
    p->options = *options;
    p->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&p->lock, NULL);
    output_queue_init(&p->queue, BACKLOG_SIZE);
    output_backlog_init(&p->backlog, BACKLOG_SIZE);
    const struct fan_client_options client = {
        .url = options->remote->url,
        .token = options->remote->token,
        .ca_file = options->remote->ca_file,
        .source = "run",
        .spool_bytes = ON_THE_WAY,
        .nice = PUBLISHER_NICE,
        .on_problem = on_problem,
        .arg = p,
    };
    if (fan_client_new(&client, &p->client, why, why_size) == 0) {
        if (p->wakeup >= 0 && start_thread(p) == 0)
            return p;
        snprintf(why, why_size, "the system has no thread to give");
    }
    publisher_destroy(p);
    return NULL;
}

/* Nothing is in the client yet, so there is room. */
static void publish(struct run_publisher *p, const char *type, struct buf *data, int64_t wall_ms)
{
    char time[CLOCK_TEXT_SIZE];
    clock_format(wall_ms, time);
    const struct fan_client_event event = {
        .topic = p->options.topic, .type = type, .data = buf_text(data), .time = time};
    fan_client_publish_event(p->client, &event);
    buf_fini(data);
}

void run_publisher_begin(struct run_publisher *p, const struct run_beginning *beginning,
                         const struct run_output_form *form)
{
    struct buf data = {0};
    memcpy(p->adds_return, form->adds_return, sizeof p->adds_return);
    run_event_started(&data, beginning);
    publish(p, "run_started", &data, form->wall_ms);
}

void run_publisher_fail(struct run_publisher *p, const char *message)
{
    struct buf data = {0};
    run_event_failed(&data, message);
    publish(p, "error", &data, clock_wall_ms());
}

void run_publisher_output(struct run_publisher *p, unsigned stream, struct slice bytes)
{
    output_queue_append(&p->queue, stream, bytes);
}

void run_publisher_end(struct run_publisher *p, const struct run_end *end, int wait_ms, bool hurry)
{
    p->end = *end;
    p->wait_ms = wait_ms;
    p->hurry = hurry;
    p->end_ms = clock_ms();
    output_queue_close(&p->queue); /* hands what was set above to the thread */
}

void run_publisher_give_up(struct run_publisher *p)
{
    atomic_store(&p->given_up, true);
}

int run_publisher_wakeup(const struct run_publisher *p)
{
    return p->wakeup;
}

bool run_publisher_notices(struct run_publisher *p, run_publisher_notice *notice, void *arg)
{
    uint64_t count;
    struct buf taken = {0};
    ssize_t n = read(p->wakeup, &count, sizeof count);
    (void)n; /* that it is taken matters, not the count */
    pthread_mutex_lock(&p->lock);
    if (notice) {
        taken = p->notices;
        p->notices = (struct buf){0};
    }
    bool ended = p->ended;
    pthread_mutex_unlock(&p->lock);
    struct slice rest = buf_slice(&taken), event, text;
    while (slice_split(&rest, '\0', &event) && slice_split(&rest, '\0', &text))
        notice(arg, event.ptr, text);
    buf_fini(&taken);
    return ended;
}

void run_publisher_losses(const struct run_publisher *p, struct run_losses *losses)
{
    *losses = p->losses;
}

bool run_publisher_join(struct run_publisher *p)
{
    pthread_join(p->thread, NULL);
    return p->losses.delivered;
}

void run_publisher_free(struct run_publisher *p)
{
    publisher_destroy(p);
}
