/*
 * POST /api/v1/publish: one event, or a stream of them as NDJSON.
 *
 * A stream is taken in as it comes, a line at a time, and answered as it goes; what a client does
 * not read of the answer stops the reading of its body.
 */
#include <stdio.h>

#include "api/api.h"
#include "api/intake.h"
#include "api/publish_options.h"
#include "auth/permit.h"
#include "base/memory.h"
#include "fanfare/error.h"

/* Room for what stands around data in one event. */
#define ENVELOPE_MAX 65536

/* ---- One event ---- */

/* On the stack while the engine answers at once. */
struct single {
    struct http_exchange *exchange;
    struct intake intake;
    struct buf out;
};

static void answer_single(void *arg, struct slice line)
{
    struct single *s = arg;
    buf_append_slice(&s->out, line);
}

static void reply_single(struct single *s)
{
    struct http_exchange *x = s->exchange;
    int status = s->intake.status;
    intake_fini(&s->intake);
    buf_append_char(&s->out, '\n');
    if (status == 503)
        buf_printf(&x->headers, "Retry-After: %d\r\n", PUBLISH_RETRY_AFTER_S);
    http_reply_json(x, status, &s->out);
}

/* The exchange is over with the answer, and the next one may begin in it. */
static void single_settled(void *arg)
{
    struct single s = *(struct single *)arg;
    memory_free(arg);
    s.exchange->data = NULL;
    s.exchange->abort = NULL;
    reply_single(&s);
}

static const struct intake_ops single_ops = {answer_single, single_settled};

static void abort_single(struct http_exchange *x)
{
    struct single *s = x->data;
    x->data = NULL;
    intake_fini(&s->intake);
    buf_fini(&s->out);
    memory_free(s);
}

static void await_single(const struct single *s)
{
    struct single *waiting = memory_alloc(sizeof *waiting);
    struct http_exchange *x = s->exchange;
    *waiting = *s;
    intake_moved(&waiting->intake, waiting);
    x->data = waiting;
    x->owed = true;
    x->abort = abort_single;
    buf_fini(&x->body);
}

static void publish_one(struct http_exchange *x, bool early)
{
    struct api *api = x->conn->worker->app->context;
    struct single s = {.exchange = x};
    if (!api_may_publish(api, x, 1))
        return;
    intake_init(&s.intake, api, x->conn, permit_identity(x), ACK_EACH, &single_ops, &s);
    s.intake.early = early;
    intake_add(&s.intake, buf_slice(&x->body));
    if (intake_flush(&s.intake))
        reply_single(&s);
    else
        await_single(&s);
}

static void publish_single(struct http_exchange *x)
{
    publish_one(x, false);
}

static void publish_single_early(struct http_exchange *x)
{
    publish_one(x, true);
}

/* ---- A stream ---- */

struct stream {
    struct http_exchange *exchange;
    struct intake intake;
    struct buf line; /* the beginning of a line whose end has not come */
    bool skipping;   /* the line is too long: its rest is passed over */
    bool ending;     /* all has come: the sum is owed */
    size_t max_line;
};

static void answer_stream(void *arg, struct slice line)
{
    struct stream *s = arg;
    struct buf text = {0};
    buf_append_slice(&text, line);
    buf_append_char(&text, '\n');
    http_stream_write(s->exchange, buf_slice(&text));
    buf_fini(&text);
}

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t' && line.ptr[i] != '\r')
            return false;
    return true;
}

static void take_line(struct stream *s, struct slice line)
{
    if (is_blank(line))
        s->intake.line++; /* it counts, but is no event */
    else
        intake_add(&s->intake, line);
}

static void too_long(struct stream *s)
{
    struct publish_failure failure = {.status = 413, .code = "too_large"};
    snprintf(failure.message, sizeof failure.message,
             "the line is longer than the %zu bytes of data and %d bytes around it that are "
             "accepted",
             s->intake.max_data, ENVELOPE_MAX);
    intake_add_failure(&s->intake, &failure);
    s->skipping = true;
    buf_fini(&s->line);
}

static void keep(struct stream *s, struct slice rest)
{
    if (s->skipping)
        return;
    if (s->line.len + rest.len > s->max_line) {
        too_long(s);
        return;
    }
    buf_append_slice(&s->line, rest);
    if (s->line.failed)
        conn_close(s->exchange->conn, "out of memory");
}

static void end_line(struct stream *s, struct slice part)
{
    if (s->skipping) {
        s->skipping = false;
        return;
    }
    if (s->line.len == 0 && part.len <= s->max_line) {
        take_line(s, part);
        return;
    }
    keep(s, part);
    if (s->skipping) {
        s->skipping = false;
        return;
    }
    take_line(s, buf_slice(&s->line));
    if (s->line.cap > ENVELOPE_MAX)
        buf_fini(&s->line);
    else
        buf_clear(&s->line);
}

static void wait_for_quota(struct stream *s, uint64_t before)
{
    uint64_t wait_ms = api_publish_quota(s->intake.api, s->intake.who, s->intake.line - before);
    if (wait_ms)
        http_pause(s->exchange, wait_ms);
}

static void take_lines(struct stream *s, struct slice rest)
{
    while (rest.len) {
        const char *newline = memchr(rest.ptr, '\n', rest.len);
        if (!newline) {
            keep(s, rest);
            break;
        }
        size_t n = (size_t)(newline - rest.ptr);
        end_line(s, slice_of(rest.ptr, n));
        rest = slice_skip(rest, n + 1);
    }
}

static void free_stream(struct http_exchange *x)
{
    struct stream *s = x->data;
    intake_fini(&s->intake);
    buf_fini(&s->line);
    memory_free(s);
    x->data = NULL;
}

static void give_sum(struct http_exchange *x)
{
    struct stream *s = x->data;
    struct buf sum = {0};
    intake_append_sum(&s->intake, &sum);
    buf_append_char(&sum, '\n');
    http_stream_write(x, buf_slice(&sum));
    buf_fini(&sum);
    free_stream(x);
    x->abort = NULL;
    http_stream_end(x);
}

static void end_stream(struct http_exchange *x)
{
    struct stream *s = x->data;
    if (intake_flush(&s->intake))
        give_sum(x);
    else
        s->ending = x->owed = true;
}

static void stream_settled(void *arg)
{
    struct stream *s = arg;
    if (s->ending && intake_is_idle(&s->intake))
        give_sum(s->exchange);
}

static const struct intake_ops stream_ops = {answer_stream, stream_settled};

/* Nobody can bring a fresh token in the middle of a request. */
static void end_with_token(struct http_exchange *x)
{
    struct stream *s = x->data;
    struct publish_failure failure = {.status = 401,
                                      .code = token_problem_code(TOKEN_EXPIRED),
                                      .message = "the token has expired: what follows was not "
                                                 "published"};
    intake_add_failure(&s->intake, &failure);
    x->stopped = true;
    end_stream(x);
}

static void on_piece(struct http_exchange *x, struct slice piece)
{
    struct stream *s = x->data;
    uint64_t before = s->intake.line;
    if (x->principal && principal_is_over(x->principal)) {
        end_with_token(x);
        return;
    }
    take_lines(s, piece);
    intake_flush(&s->intake);
    wait_for_quota(s, before);
}

static void on_done(struct http_exchange *x)
{
    struct stream *s = x->data;
    if (s->line.len && !s->skipping)
        end_line(s, slice_of("", 0)); /* the last newline is optional */
    end_stream(x);
}

static void begin_stream(struct api_request *r, const struct publish_options *options)
{
    struct http_exchange *x = r->exchange;
    struct stream *s = memory_zero(sizeof *s);
    s->exchange = x;
    intake_init(&s->intake, r->api, x->conn, permit_identity(x), options->ack, &stream_ops, s);
    s->intake.early = options->early;
    s->intake.lines = true;
    s->intake.sum_topics = true;
    s->max_line = s->intake.max_data + ENVELOPE_MAX;
    x->data = s;
    x->piece = on_piece;
    x->done = on_done;
    x->abort = free_stream;
    http_stream_begin(x, 200, "application/x-ndjson");
}

/* ---- The route ---- */

void api_publish(struct api_request *r)
{
    struct http_exchange *x = r->exchange;
    struct slice type = http_header_get(x->request, "Content-Type"), media;
    struct publish_options options = {.ack = ACK_BATCH};
    if (!permit_publish_somewhere(x) || !publish_options_read(x, &options))
        return;
    if (slice_split(&type, ';', &media) &&
        slice_is_nocase(slice_trim(media), "application/x-ndjson")) {
        if (api_may_publish(r->api, x, 0))
            begin_stream(r, &options);
        return;
    }
    x->body_limit = api_message_size(r->api) + ENVELOPE_MAX;
    x->done = options.early ? publish_single_early : publish_single;
}
