/* Following topics of a server; see subscribe.h. */
#include "client/subscribe.h"

#include <poll.h>

#include "base/clock.h"
#include "client/backoff.h"
#include "client/event_reader.h"
#include "client/exchange.h"
#include "codec/http.h"
#include "fanfare/error.h"

#define CONNECT_MS    10000
#define SILENCE_MS    45000 /* the server sends a comment every 15 s */
#define LARGEST_EVENT ((size_t)80 * 1024 * 1024)

struct following {
    const struct subscription *options;
    struct stream_target target;
    struct event_reader reader;
    struct backoff backoff;
    struct buf *why;
    bool connected; /* at least once */

    /* Of the connection at hand. */
    struct response response;
    bool streaming;
};

static int on_event(void *arg, struct slice name, struct slice data)
{
    struct following *f = arg;
    (void)name;
    backoff_reset(&f->backoff);
    return f->options->on_event(f->options->arg, data, buf_slice(&f->reader.id));
}

static void append_parameter(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s%s=", out->len && memchr(out->data, '?', out->len) ? "&" : "?", name);
    http_percent_encode(slice_from(value), out);
}

static void append_request(struct following *f, struct buf *out)
{
    const struct subscription *o = f->options;
    struct buf target = {0};
    BUF_LITERAL(&target, "/events");
    for (size_t i = 0; i < o->topic_count; i++)
        append_parameter(&target, "topic", o->topics[i]);
    if (o->types)
        append_parameter(&target, "types", o->types);
    if (f->reader.id.len)
        append_parameter(&target, "since", buf_text(&f->reader.id));
    else if (o->since)
        append_parameter(&target, "since", o->since);
    request_append_head(out, &f->target.url, "GET", buf_slice(&target), o->token);
    BUF_LITERAL(out, "Accept: text/event-stream\r\nCache-Control: no-store\r\n\r\n");
    buf_fini(&target);
}

/* Reads events until the connection ends. */
static int follow(struct following *f, struct stream *s, struct response *r)
{
    char data[16384];
    size_t used;
    while (!r->done) {
        ssize_t n = stream_read(s, data, sizeof data);
        if (n == FAN_E_AGAIN) {
            int got = stream_wait(s, STREAM_READABLE, f->target.wake, SILENCE_MS);
            if (got & STREAM_WOKEN)
                return FAN_E_CLOSED;
            if (got == 0) {
                BUF_LITERAL(f->why, "the server has gone silent");
                return FAN_E_IO;
            }
            continue;
        }
        int error = n > 0 ? response_feed(r, data, (size_t)n, &used) : FAN_E_IO;
        if (error) {
            if (n <= 0)
                BUF_LITERAL(f->why, "the connection ended");
            return error;
        }
    }
    BUF_LITERAL(f->why, "the server ended the stream");
    return FAN_E_IO;
}

/* What a response other than a stream of events means. */
static int judge(struct following *f, const struct response *r)
{
    if (r->status == 200 && slice_starts(slice_from(r->content_type), "text/event-stream"))
        return 0;
    if (r->status == 200) {
        BUF_LITERAL(f->why, "the answer is not a stream of events: is this a Fanfare server?");
        return FAN_E_INVALID;
    }
    response_append_error(f->why, r);
    if (r->status == 401 || r->status == 403)
        return FAN_E_DENIED;
    return r->status >= 400 && r->status < 500 && r->status != 429 && r->status != 408
               ? FAN_E_INVALID
               : FAN_E_UNAVAILABLE;
}

/* The head is there: from here on the body is a stream of events, or the attempt has failed. */
static int begin_stream(struct following *f)
{
    int error = f->streaming ? 0 : judge(f, &f->response);
    if (!error && !f->streaming) {
        f->streaming = f->connected = true;
        f->options->on_state(f->options->arg, SLICE(""), 0);
    }
    return error;
}

static int on_body(void *arg, struct slice piece)
{
    struct following *f = arg;
    int error = begin_stream(f);
    return error ? error : event_reader_feed(&f->reader, piece);
}

/* One connection from its opening to its end. */
static int follow_once(struct following *f)
{
    struct stream *stream = NULL;
    struct buf request = {0};
    response_init(&f->response);
    f->response.on_body = on_body;
    f->response.arg = f;
    f->streaming = false;
    event_reader_restart(&f->reader);
    append_request(f, &request);
    int error = stream_open(&stream, &f->target, f->why);
    if (!error) {
        struct exchange e = {
            .target = &f->target, .deadline = clock_ms() + CONNECT_MS, .why = f->why};
        error = exchange_run(&e, stream, buf_slice(&request), &f->response, true, NULL);
    }
    if (!error)
        error = begin_stream(f);
    if (!error)
        error = follow(f, stream, &f->response);
    stream_close(stream);
    response_fini(&f->response);
    buf_fini(&request);
    return error;
}

/* Whether trying again can help. */
static bool is_passing(int error)
{
    return error == FAN_E_IO || error == FAN_E_TIMEOUT || error == FAN_E_ADDRESS ||
           error == FAN_E_PROTOCOL || error == FAN_E_TRUNCATED || error == FAN_E_UNAVAILABLE;
}

/* Waits before the next attempt; true: woken. */
static bool pause_for(struct following *f, uint32_t ms)
{
    struct pollfd wake = {.fd = f->target.wake, .events = POLLIN};
    uint64_t until = clock_ms() + ms, now;
    while ((now = clock_ms()) < until)
        if (poll(&wake, 1, (int)(until - now)) > 0)
            return true;
    return false;
}

int subscription_run(const struct subscription *o, struct buf *why)
{
    struct following f = {
        .options = o,
        .target = {.url = o->url, .ca_file = o->ca_file, .wake = o->wake, .timeout_ms = CONNECT_MS},
        .backoff = {.first_ms = 250, .most_ms = 15000},
        .why = why,
    };
    event_reader_init(&f.reader, LARGEST_EVENT);
    f.reader.on_event = on_event;
    f.reader.arg = &f;
    int error;
    for (;;) {
        buf_clear(why);
        error = follow_once(&f);
        if (!is_passing(error) || (o->once && !f.connected))
            break;
        if (f.reader.retry_ms >= 100 && f.reader.retry_ms <= f.backoff.most_ms)
            f.backoff.first_ms = f.reader.retry_ms;
        uint32_t ms = backoff_next(&f.backoff);
        o->on_state(o->arg, buf_slice(why), ms);
        if (pause_for(&f, ms)) {
            error = FAN_E_CLOSED;
            break;
        }
    }
    event_reader_fini(&f.reader);
    return error;
}
