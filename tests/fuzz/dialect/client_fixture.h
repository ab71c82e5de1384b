/*
 * A client without a connection, for fuzzing what clients send: each line of the input is a
 * message. Whatever it is, the answer must be one JSON object (or there is none), and all that was
 * published must arrive at the fan-out.
 */
#ifndef FUZZ_CLIENT_FIXTURE_H
#define FUZZ_CLIENT_FIXTURE_H

#include "../fuzz.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "dialect/session.h"
#include "net/flush.h"

static void publish_now(struct engine *engine, struct publish_batch *batch)
{
    hub_accept(engine->hub, batch);
    batch->done(batch);
}

static void keep_engine(struct engine *engine)
{
    (void)engine;
}

static const struct engine_ops engine_ops = {
    .name = "fuzz", .publish = publish_now, .free = keep_engine};

/* A presence that is asked for is answered at the end, when the client may be gone. */
struct asked {
    void *token;
    void (*done)(void *token, struct buf *array);
};

static struct asked asked[64];
static unsigned asked_count;

static void note_presence(void *arg, struct worker *w, struct slice topic, void *token,
                          void (*done)(void *token, struct buf *array))
{
    (void)arg;
    (void)w;
    FUZZ_CHECK(topic.len > 0 && asked_count < 64);
    asked[asked_count++] = (struct asked){token, done};
}

static void answer_presence(void)
{
    while (asked_count) {
        struct asked *a = &asked[--asked_count];
        struct buf array = {0};
        BUF_LITERAL(&array, "[{\"connection_id\":\"conn-0\"}]");
        a->done(a->token, &array);
        buf_fini(&array);
    }
}

struct fuzz_client {
    struct hub *hub;
    struct engine engine;
    struct net_shared shared;
    struct delivery_options options;
    struct flush flush;
    struct worker worker;
    struct client *client;
};

/* Sends nowhere: its connection counts as closed. */
static inline void fuzz_client_open(struct fuzz_client *f, const struct dialect *dialect)
{
    struct hub_config config = {.memory_limit = 1 << 20,
                                .workers = 1,
                                .idempotency_ms = 1000,
                                .monotonic_ms = clock_ms,
                                .random = random_bytes};
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        config.kinds[kind] = (struct topic_limits){.count = 20, .idle_ms = 600000};
    memset(f, 0, sizeof *f);
    f->hub = hub_new(&config);
    f->engine.ops = &engine_ops;
    hub_set_engine(f->hub, &f->engine);
    atomic_store(&f->shared.limits.message_size, 64 * 1024);
    atomic_store(&f->shared.limits.queue, 64 * 1024);
    f->options.presence = note_presence;
    atomic_store(&f->options.subscriptions, 10);
    f->worker.shared = &f->shared;
    f->worker.flush = &f->flush;
    f->worker.wake_pending = true;
    f->worker.context = delivery_new(f->hub, &f->worker, &f->options);
    f->client = memory_zero(sizeof *f->client);
    f->client->ws.conn.worker = &f->worker;
    f->client->ws.conn.state = CONN_CLOSED;
    f->client->dialect = dialect;
    subscriber_init(&f->client->subscriber, &((struct delivery *)f->worker.context)->fanout);
}

static inline void fuzz_client_join(struct fuzz_client *f, const char *topic)
{
    struct join_result r;
    const struct start_point now = {START_NOW, 0, 0};
    FUZZ_CHECK(subscriber_join(&f->client->subscriber, slice_from(topic),
                               f->client->dialect->session->encodings[0][0], &now, &r) == 0);
    topic_unref(r.topic);
}

static inline void fuzz_client_close(struct fuzz_client *f)
{
    if (f->client->dialect->closed)
        f->client->dialect->closed(f->client);
    subscriber_fini(&f->client->subscriber);
    answer_presence();
    memory_free(f->client);
    delivery_free(f->worker.context);
    hub_free(f->hub);
}

static inline void fuzz_client_turn(struct fuzz_client *f)
{
    struct delivery *d = f->worker.context;
    fanout_drain(&d->fanout);
    fanout_deliver(&d->fanout);
}

static inline void fuzz_client_say(struct fuzz_client *f, struct slice text)
{
    struct delivery *d = f->worker.context;
    struct json_value value;
    char *copy = fuzz_copy(text);
    buf_clear(&d->scratch);
    message_dispatch(f->client, slice_of(copy, text.len));
    if (d->scratch.len)
        FUZZ_CHECK(json_parse(buf_slice(&d->scratch), &value, NULL) == 0 &&
                   value.kind == JSON_OBJECT);
    fuzz_client_turn(f);
    free(copy);
}

static inline void fuzz_client_run(struct fuzz_client *f, struct slice input)
{
    struct slice line;
    unsigned lines = 0;
    while (slice_split(&input, '\n', &line) && lines++ < 64)
        fuzz_client_say(f, line);
}

#endif
