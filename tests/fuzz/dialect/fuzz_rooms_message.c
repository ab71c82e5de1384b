/*
 * What clients of the dialect `rooms` send: each line of the input is a message on one session, a
 * binary one when it begins with a 'b'. It runs on a real worker, with turns in between, so that
 * several namespaces, recovery and rooms take their usual ways. Whatever it is, each answer must be
 * a packet that a client can read.
 */
#include "../fuzz.h"

#include <uv.h>

#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "dialect/rooms_frames.h"
#include "dialect/rooms_private.h"
#include "net/peer.h"

#define LINES_MAX 24

/* ---- A worker, made once ---- */

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
static const struct worker_ops worker_ops = {
    .turn = delivery_turn, .after_flush = delivery_after_flush, .closed = delivery_conn_closed};

static struct {
    bool made;
    struct hub *hub;
    struct engine engine;
    struct net_shared shared;
    struct delivery_options options;
    struct worker worker;
    uv_sem_t done;
} world = {.engine = {.ops = &engine_ops}};

static void wake(void *arg)
{
    worker_wake(arg);
}

static void make_hub(void)
{
    struct hub_config config = {.memory_limit = 1 << 20,
                                .workers = 1,
                                .idempotency_ms = 1000,
                                .monotonic_ms = clock_ms,
                                .random = random_bytes};
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        config.kinds[kind] = (struct topic_limits){.count = 20, .idle_ms = 600000};
    world.hub = hub_new(&config);
    hub_set_engine(world.hub, &world.engine);
    hub_set_wake(world.hub, 0, wake, &world.worker);
}

static void make_options(void)
{
    const struct authenticator_options none = {
        .keys = {"", "", "", "", ""}, .policy = {.open = true, .issuer = "", .audience = ""}};
    struct buf why = {0};
    struct room_space *space;
    struct delivery_options *o = &world.options;
    o->authenticator = authenticator_new(&none, &why);
    FUZZ_CHECK(o->authenticator);
    o->rooms.recovery = room_recovery_new();
    o->workers = &world.worker;
    o->worker_count = 1;
    atomic_store(&o->subscriptions, 10);
    atomic_store(&o->rooms.ping_interval_ms, 60000);
    atomic_store(&o->rooms.ping_timeout_ms, 60000);
    atomic_store(&o->rooms.connect_timeout_ms, 60000);
    atomic_store(&o->rooms.recovery_window_ms, 60000);
    atomic_store(&o->rooms.max_payload, 4096);
    FUZZ_CHECK(room_space_add(&o->rooms.spaces, SLICE("/"), NULL, NULL, &space) == 0);
    space->recovers = true;
    FUZZ_CHECK(room_space_add(&o->rooms.spaces, SLICE("/ws"), NULL, NULL, &space) == 0);
    space->recovers = true;
    FUZZ_CHECK(room_space_add(&o->rooms.spaces, SLICE("/plain"), NULL, NULL, &space) == 0);
}

static void make_world(void)
{
    const struct worker_config config = {
        .ops = &worker_ops, .shared = &world.shared, .conn_size = sizeof(struct client)};
    world.made = true;
    make_hub();
    make_options();
    atomic_store(&world.shared.limits.message_size, 64 * 1024);
    atomic_store(&world.shared.limits.queue, 64 * 1024);
    atomic_store(&world.shared.limits.messages, 1000000);
    atomic_store(&world.shared.limits.burst, 1000000);
    world.shared.peers = peer_table_new();
    uv_sem_init(&world.done, 0);
    FUZZ_CHECK(worker_init(&world.worker, &config) == 0);
    world.worker.context = delivery_new(world.hub, &world.worker, &world.options);
    FUZZ_CHECK(worker_start(&world.worker, FLUSH_SEND, 1024) == 0);
}

/* ---- A session ---- */

static struct client *client; /* the worker's */

static void check_frame(enum ws_opcode opcode, struct slice payload)
{
    struct eio_packet packet;
    struct sio_packet inner;
    const char *why;
    if (opcode != WS_TEXT)
        return;
    FUZZ_CHECK(eio_packet_parse(payload, &packet) == 0);
    if (packet.type == EIO_MESSAGE)
        FUZZ_CHECK(sio_packet_parse(packet.data, &inner, &why) == 0);
}

static void collect(struct conn *conn)
{
    struct buf frames = {0};
    conn_take(conn, &frames);
    FUZZ_CHECK(!frames.failed);
    for (struct slice rest = buf_slice(&frames); rest.len;) {
        enum ws_opcode opcode;
        struct slice payload = room_frame_take(&rest, &opcode);
        check_frame(opcode, payload);
    }
    buf_fini(&frames);
}

static void on_drained(struct conn *conn)
{
    room_drained(client_from_conn(conn));
}

static void on_timer(struct conn *conn)
{
    conn_close(conn, "timer");
}

static void on_overflow(struct conn *conn)
{
    conn_close(conn, "control queue overflow");
}

static void on_closed(struct conn *conn)
{
    if (client_from_conn(conn) == client)
        client = NULL;
}

static const struct conn_ops ops = {
    .name = "fuzz",
    .drained = on_drained,
    .timer = on_timer,
    .overflow = on_overflow,
    .collect = collect,
    .closed = on_closed,
};

static void open_session(struct worker *w, void *arg)
{
    struct conn *conn;
    (void)arg;
    FUZZ_CHECK(worker_add_unbound(w, &ops, "127.0.0.1", &conn) == 0);
    client = client_begin(conn, &rooms_dialect, NULL, SLICE("/fuzz"));
    struct room_session *s = memory_zero(sizeof *s);
    s->javascript = true;
    s->idle_ms = clock_wall_ms();
    ws_limits_begin(&client->ws);
    room_become_websocket(client, s);
    uv_sem_post(&world.done);
}

static void take_line(struct worker *w, void *arg)
{
    const struct slice *line = arg;
    (void)w;
    bool binary = line->len && line->ptr[0] == 'b';
    if (client && client->ws.conn.state == CONN_OPEN && !client->ws.close_sent)
        room_websocket_ops.message(&client->ws, binary ? slice_skip(*line, 1) : *line, binary);
    uv_sem_post(&world.done);
}

static void close_session(struct worker *w, void *arg)
{
    (void)w;
    (void)arg;
    if (client)
        conn_close(&client->ws.conn, "end");
    uv_sem_post(&world.done);
}

/* Everything is gone at the end of the turn behind. */
static void look(struct worker *w, void *arg)
{
    *(uint32_t *)arg = w->conn_count;
    uv_sem_post(&world.done);
}

static void run(void (*task)(struct worker *w, void *arg), void *arg)
{
    worker_post(&world.worker, task, arg);
    uv_sem_wait(&world.done);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size), line;
    uint32_t left = 1;
    if (!world.made)
        make_world();
    run(open_session, NULL);
    for (unsigned n = 0; n < LINES_MAX && slice_split(&input, '\n', &line); n++) {
        char *copy = fuzz_copy(line);
        struct slice message = slice_of(copy, line.len);
        run(take_line, &message);
        free(copy);
    }
    run(close_session, NULL);
    for (unsigned tries = 0; left; tries++) {
        FUZZ_CHECK(tries < 100000);
        run(look, &left);
    }
    return 0;
}
