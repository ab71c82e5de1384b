/*
 * The thread that empties a client's spool over a WebSocket; see sender.h.
 *
 * A session is the life of one connection. Events go out as one text frame each, many frames to a
 * write. The server answers a batch with {"published": n, "failed": m}: the n + m oldest events in
 * flight are done; which ones failed was said before, by {"error": …, "line": k}, where k counts
 * the connection's events from 1.
 */
#include "client/sender.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/nice.h"
#include "base/random.h"
#include "client/answer.h"
#include "client/backoff.h"
#include "client/exchange.h"
#include "codec/websocket.h"

#define CONNECT_MS   10000
#define KEEPALIVE_MS 20000        /* silence after which we ask, and again until we give up */
#define OUT_SIZE     (256 * 1024) /* written ahead of the socket */
#define MAX_ANSWER   (4 * 1024 * 1024)
#define SOON_MS      1000 /* between attempts while somebody waits for the spool to be empty */
#define LATER_MS     1000 /* a pause that the server asked for without saying how long */

struct session {
    struct fan_client *client;
    struct stream *stream;
    struct ws_reader reader;
    struct buf out;       /* frames that are not written yet */
    uint64_t lines;       /* events sent on this connection */
    uint64_t answered;    /* how many of them were acknowledged or refused */
    uint64_t heard;       /* clock_ms of the last byte from the server */
    bool pinged;          /* and waiting for a sign of life */
    bool useful;          /* something was acknowledged */
    uint64_t pause_until; /* clock_ms: the server asked to send later */
    uint16_t close_code;  /* the server's, 0: none yet */
    struct buf why;       /* the end's reason */
    uint8_t masks[1024];  /* random, used up in steps of four bytes */
    size_t masks_left;
};

static void report(struct fan_client *c, enum fan_client_problem_kind kind, int status,
                   uint64_t tag, const char *message)
{
    struct fan_client_problem problem = {
        .kind = kind, .status = status, .tag = tag, .message = message};
    if (c->on_problem)
        c->on_problem(c->arg, &problem);
}

static bool is_stopping(struct fan_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool stopping = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return stopping;
}

/* ---- Frames out ---- */

/* A client masks each frame with fresh random bytes (RFC 6455, 5.3). */
static const uint8_t *next_mask(struct session *s)
{
    if (s->masks_left == 0) {
        random_bytes(s->masks, sizeof s->masks);
        s->masks_left = sizeof s->masks;
    }
    s->masks_left -= 4;
    return s->masks + s->masks_left;
}

static void append_frame(struct session *s, enum ws_opcode opcode, struct slice payload)
{
    uint8_t header[WS_HEADER_MAX];
    const uint8_t *mask = next_mask(s);
    size_t n = ws_header_write(header, opcode, true, false, payload.len, mask);
    buf_append(&s->out, header, n);
    size_t start = s->out.len;
    buf_append_slice(&s->out, payload);
    if (!s->out.failed)
        ws_mask(s->out.data + start, payload.len, mask, 0);
}

/* Detaches a few of the unsent events. */
static void take_unsent(struct fan_client *c, struct list *taken)
{
    list_init(taken);
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < 64 && !list_empty(&c->unsent); i++) {
        struct list *first = c->unsent.next;
        list_remove(first);
        list_append(taken, first);
    }
    pthread_mutex_unlock(&c->lock);
}

/* Turns unsent events into frames until enough is on its way. */
static void fill_out(struct session *s)
{
    struct list taken;
    while (s->out.len < OUT_SIZE && clock_ms() >= s->pause_until) {
        take_unsent(s->client, &taken);
        if (list_empty(&taken))
            return;
        LIST_EACH (link, &taken) {
            struct spooled *event = CONTAINER(link, struct spooled, link);
            event->line = ++s->lines;
            append_frame(s, WS_TEXT, slice_of(event->json, event->len));
        }
        list_take_all(&s->client->in_flight, &taken);
    }
}

static int write_out(struct session *s)
{
    size_t written = 0;
    ssize_t n = 0;
    while (written < s->out.len && n >= 0) {
        n = stream_write(s->stream, s->out.data + written, s->out.len - written);
        if (n > 0)
            written += (size_t)n;
    }
    buf_consume(&s->out, written);
    if (n >= 0 || n == FAN_E_AGAIN)
        return s->out.failed ? FAN_E_NO_MEMORY : 0;
    BUF_LITERAL(&s->why, "the connection broke");
    return (int)n;
}

/* ---- Events done ---- */

/* The number up to which all is done: one less than the oldest event that waits. */
static void update_done(struct fan_client *c)
{
    const struct list *in_flight = &c->in_flight, *unsent = &c->unsent;
    uint64_t oldest = c->accepted + 1;
    if (!list_empty(unsent))
        oldest = CONTAINER(unsent->next, struct spooled, link)->number;
    if (!list_empty(in_flight)) {
        uint64_t sent = CONTAINER(in_flight->next, struct spooled, link)->number;
        oldest = sent < oldest ? sent : oldest;
    }
    c->done = oldest - 1;
    pthread_cond_broadcast(&c->changed);
}

/* Puts an event back where its number belongs: before those that were never sent. */
static void put_back(struct fan_client *c, struct spooled *event)
{
    struct list *before = c->unsent.next;
    while (before != &c->unsent && CONTAINER(before, struct spooled, link)->number < event->number)
        before = before->next;
    event->again = false;
    c->stats.resent++;
    list_append(before, &event->link); /* in front of `before` */
}

static void drop(struct fan_client *c, struct spooled *event)
{
    c->stats.spool_events--;
    c->stats.spool_bytes -= spooled_cost(event->len);
    if (event->refused)
        c->stats.refused++;
    else
        c->stats.acknowledged++;
    memory_free(event);
}

/* The server is done with the `count` oldest events in flight, of which `failed` failed. */
static int acknowledge(struct session *s, uint64_t count, uint64_t failed)
{
    struct fan_client *c = s->client;
    uint64_t explained = 0;
    if (count > s->lines - s->answered) {
        BUF_LITERAL(&s->why, "the server acknowledged more events than were sent");
        return FAN_E_PROTOCOL;
    }
    s->answered += count;
    pthread_mutex_lock(&c->lock);
    for (; count; count--) {
        struct spooled *event = CONTAINER(c->in_flight.next, struct spooled, link);
        explained += event->again || event->refused;
        list_remove(&event->link);
        (event->again ? put_back : drop)(c, event);
    }
    update_done(c);
    pthread_mutex_unlock(&c->lock);
    s->useful = true;
    if (failed > explained)
        report(c, FAN_CLIENT_EVENT_REFUSED, 0, 0, "the server refused events without saying why");
    return 0;
}

static struct spooled *find_line(struct fan_client *c, uint64_t line)
{
    LIST_EACH (link, &c->in_flight) {
        struct spooled *event = CONTAINER(link, struct spooled, link);
        if (event->line == line)
            return event;
    }
    return NULL;
}

/* What could not be taken now is kept and sent again. */
static void on_error(struct session *s, struct answer_error *error)
{
    struct spooled *event = find_line(s->client, error->line);
    if (error->later) {
        s->pause_until = clock_ms() + (error->retry_ms ? error->retry_ms : LATER_MS);
        if (event)
            event->again = true;
        return;
    }
    if (event)
        event->refused = true;
    report(s->client, FAN_CLIENT_EVENT_REFUSED, error->status, event ? event->tag : 0,
           buf_text(&error->message));
}

/* ---- Frames in ---- */

static int on_message(void *arg, enum ws_opcode opcode, struct slice payload)
{
    struct session *s = arg;
    uint64_t published, failed;
    struct answer_error error;
    (void)opcode;
    if (answer_batch_parse(payload, &published, &failed)) {
        if (published > UINT64_MAX - failed)
            return FAN_E_PROTOCOL;
        return acknowledge(s, published + failed, failed);
    }
    if (answer_error_parse(payload, &error)) {
        on_error(s, &error);
        answer_error_fini(&error);
    }
    return 0;
}

static int on_control(void *arg, enum ws_opcode opcode, uint16_t code, struct slice payload)
{
    struct session *s = arg;
    if (opcode == WS_PING)
        append_frame(s, WS_PONG, payload);
    if (opcode != WS_CLOSE)
        return 0;
    s->close_code = code;
    buf_printf(&s->why, "the server closed the connection (%u%s%.*s)", code,
               payload.len ? ", " : "", SLICE_ARG(payload));
    return FAN_E_CLOSED;
}

static int feed(struct session *s, char *data, size_t len)
{
    static const struct ws_reader_config config = {.client = true, .max_message = MAX_ANSWER};
    static const struct ws_reader_ops ops = {.message = on_message, .control = on_control};
    uint16_t close_code;
    const char *why = NULL;
    int error = ws_reader_feed(&s->reader, &config, &ops, s, data, len, &close_code, &why);
    if (error && s->why.len == 0)
        buf_append_text(&s->why, why ? why : "the server broke the protocol");
    return error;
}

static int read_in(struct session *s)
{
    char data[16384];
    for (;;) {
        ssize_t n = stream_read(s->stream, data, sizeof data);
        if (n == FAN_E_AGAIN)
            return 0;
        if (n <= 0) {
            BUF_LITERAL(&s->why, "the connection broke");
            return FAN_E_IO;
        }
        s->heard = clock_ms();
        s->pinged = false;
        int error = feed(s, data, (size_t)n);
        if (error)
            return error;
    }
}

/* ---- A connection's life ---- */

/* How long to wait for the socket: until the next keep-alive step or the end of a pause. 0 when
 * there is something to send at once. */
static int session_patience(struct session *s)
{
    struct fan_client *c = s->client;
    uint64_t now = clock_ms(), until = s->heard + KEEPALIVE_MS * (s->pinged ? 2 : 1);
    bool paused = now < s->pause_until;
    if (paused && s->pause_until < until)
        until = s->pause_until;
    pthread_mutex_lock(&c->lock);
    bool ready = !list_empty(&c->unsent) && !paused && s->out.len < OUT_SIZE;
    c->asleep = !ready && !paused && s->out.len < OUT_SIZE;
    pthread_mutex_unlock(&c->lock);
    return ready ? 0 : until > now ? (int)(until - now) : 0;
}

static void drain_wake(int wake)
{
    uint64_t count;
    ssize_t n = read(wake, &count, sizeof count);
    (void)n; /* the count does not matter, only that it is taken */
}

static int keep_alive(struct session *s)
{
    uint64_t silence = clock_ms() - s->heard;
    if (!s->pinged && silence >= KEEPALIVE_MS) {
        append_frame(s, WS_PING, SLICE(""));
        s->pinged = true;
    } else if (s->pinged && silence >= 2 * KEEPALIVE_MS) {
        BUF_LITERAL(&s->why, "the server has gone silent");
        return FAN_E_TIMEOUT;
    }
    return 0;
}

static int session_turn(struct session *s)
{
    fill_out(s);
    int error = write_out(s);
    if (error)
        return error;
    int events = STREAM_READABLE | (s->out.len ? STREAM_WRITABLE : 0);
    int got = stream_wait(s->stream, events, s->client->target.wake, session_patience(s));
    if (got & STREAM_WOKEN)
        drain_wake(s->client->target.wake);
    if (is_stopping(s->client))
        return FAN_E_CLOSED;
    error = got & STREAM_READABLE ? read_in(s) : 0;
    return error ? error : keep_alive(s);
}

/* Everything in flight is sent again on the next connection, in front of the rest. */
static void rewind_in_flight(struct fan_client *c)
{
    pthread_mutex_lock(&c->lock);
    c->stats.connected = false;
    c->asleep = false;
    while (!list_empty(&c->in_flight)) {
        struct spooled *event = CONTAINER(c->in_flight.prev, struct spooled, link);
        list_remove(&event->link);
        (event->refused ? drop : put_back)(c, event);
    }
    update_done(c);
    pthread_mutex_unlock(&c->lock);
}

/* The server closed with 1009: one event is larger than it allows, which sending again would not
 * change. The largest in flight is taken for it. */
static void refuse_largest(struct fan_client *c)
{
    struct spooled *largest = NULL;
    LIST_EACH (link, &c->in_flight) {
        struct spooled *event = CONTAINER(link, struct spooled, link);
        if (!largest || event->len > largest->len)
            largest = event;
    }
    if (!largest)
        return;
    largest->refused = true;
    report(c, FAN_CLIENT_EVENT_REFUSED, 413, largest->tag, "larger than the server allows");
}

static int session_open(struct session *s, int *status)
{
    struct fan_client *c = s->client;
    struct buf rest = {0};
    struct exchange e = {.target = &c->target, .deadline = clock_ms() + CONNECT_MS, .why = &s->why};
    int error = exchange_websocket(&e, SLICE("/api/v1/publish?ack=batch"), c->token, &s->stream,
                                   &rest, status);
    if (!error) {
        pthread_mutex_lock(&c->lock);
        c->stats.connected = true;
        c->stats.connects++;
        pthread_mutex_unlock(&c->lock);
        s->heard = clock_ms();
        error = rest.len ? feed(s, rest.data, rest.len) : 0;
    }
    buf_fini(&rest);
    return error;
}

static void session_close(struct session *s)
{
    if (s->stream && s->out.len == 0) {
        append_frame(s, WS_CLOSE, SLICE("\x03\xe8")); /* 1000 */
        write_out(s);
    }
    stream_close(s->stream);
    ws_reader_fini(&s->reader);
    buf_fini(&s->out);
    buf_fini(&s->why);
}

/* Whether trying again is mostly useless: the server, or we, do not trust the other. What a server
 * says while it starts or is overloaded (5xx, 429) passes. */
static bool is_denied(const struct session *s, int error, int status)
{
    if (s->close_code >= 4000)
        return true;
    return error == FAN_E_DENIED && status < 500 && status != 429 && status != 408;
}

/* An outage is reported once, and again when its reason changes. */
static void report_outage(struct session *s, bool denied, int status)
{
    struct fan_client *c = s->client;
    const char *why = buf_text(&s->why);
    if (!s->useful && strncmp(c->reported, why, sizeof c->reported - 1) == 0)
        return;
    snprintf(c->reported, sizeof c->reported, "%s", why);
    report(c, denied ? FAN_CLIENT_DENIED : FAN_CLIENT_UNREACHABLE, status, 0, why);
}

/* One connection from its opening to its end. Returns whether it was of use, so that the next
 * attempt need not wait long. */
static bool session_run(struct fan_client *c)
{
    struct session s = {.client = c};
    ws_reader_init(&s.reader);
    int status, error = session_open(&s, &status);
    while (!error)
        error = session_turn(&s);
    if (s.close_code == WS_CLOSE_TOO_LARGE)
        refuse_largest(c);
    if (!is_stopping(c)) {
        if (s.why.len == 0)
            buf_append_text(&s.why, fan_error_text(error));
        report_outage(&s, is_denied(&s, error, status), status);
    }
    bool useful = s.useful;
    session_close(&s);
    rewind_in_flight(c);
    return useful;
}

static struct timespec after(struct timespec now, uint32_t ms)
{
    uint64_t ns = (uint64_t)now.tv_nsec + ms % 1000 * 1000000ull;
    now.tv_sec += (time_t)(ms / 1000 + ns / 1000000000u);
    now.tv_nsec = (long)(ns % 1000000000u);
    return now;
}

/* Waits before the next attempt, unless the client is being freed. Not long while somebody waits
 * for the spool to be emptied. */
static void pause_for(struct fan_client *c, uint32_t ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const struct timespec until = after(now, ms), soon = after(now, ms < SOON_MS ? ms : SOON_MS);
    pthread_mutex_lock(&c->lock);
    while (!c->stopping &&
           pthread_cond_timedwait(&c->changed, &c->lock, c->flushing ? &soon : &until) == 0)
        ;
    pthread_mutex_unlock(&c->lock);
}

/* Waits until there is something to send: an idle client makes no connection. */
static void await_work(struct fan_client *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->stopping && list_empty(&c->unsent))
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

void *sender_run(void *arg)
{
    struct fan_client *c = arg;
    if (c->nice > 0)
        nice_thread(c->nice);
    struct backoff backoff = {.first_ms = 250, .most_ms = 15000};
    for (await_work(c); !is_stopping(c); await_work(c)) {
        if (session_run(c))
            backoff_reset(&backoff);
        if (!is_stopping(c))
            pause_for(c, backoff_next(&backoff));
    }
    return NULL;
}
