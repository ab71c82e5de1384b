/* Connections of a real worker: output in both flush stages, overflow, closing, timers. */
#include "worker_fixture.h"

#include "net/out_queue.h"

/* Each test runs once for each flush stage. */
static enum flush_choice stage;

static int open_world(void **state)
{
    (void)state;
    return world_open(stage, &world_app) ? 0 : -1;
}

static int close_world(void **state)
{
    (void)state;
    world_close();
    return 0;
}

static bool was_drained(void *arg)
{
    return atomic_load(&((struct probe *)arg)->drained) > 0;
}

static bool done_flag(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

/* ---- The same bytes, whatever the socket takes ---- */

#define STREAMS     6
#define STREAM_SIZE (3u << 20)

/* Pieces of random size out of shared buffers, to several connections in the same turn; now and
 * then control output in between. */
struct torrent {
    struct probe probes[STREAMS];
    char *expected[STREAMS];
    atomic_size_t made[STREAMS];
    size_t read[STREAMS];
    uint64_t random; /* the worker's */
    atomic_bool made_all;
};

static struct torrent torrent;

static unsigned below(unsigned n)
{
    torrent.random ^= torrent.random << 13;
    torrent.random ^= torrent.random >> 7;
    torrent.random ^= torrent.random << 17;
    return (unsigned)((torrent.random >> 9) % n);
}

/* Before it is sent: the reader may have it at once. It counts when it was accepted. */
static void expect(unsigned i, const char *data, size_t len)
{
    memcpy(torrent.expected[i] + atomic_load(&torrent.made[i]), data, len);
}

static void send_run(unsigned i, struct bytes *run, uint32_t offset, uint32_t length)
{
    struct conn *c = torrent.probes[i].conn;
    if (torrent.made[i] + length > STREAM_SIZE)
        return;
    expect(i, run->data + offset, length);
    int error = below(3) ? conn_send_run(c, run, offset, length, 1)
                         : conn_send(c, OUT_EVENTS, run, offset, length, 1);
    if (error == 0)
        torrent.made[i] += length;
    else
        assert_int_equal(error, FAN_E_LIMIT);
}

static void send_control(unsigned i)
{
    char text[64];
    int n = snprintf(text, sizeof text, "<control %zu>", atomic_load(&torrent.made[i]));
    const struct conn *c = torrent.probes[i].conn;
    if ((c->out && c->out->control_bytes > 50000) || torrent.made[i] + sizeof text > STREAM_SIZE)
        return;
    expect(i, text, (size_t)n);
    assert_int_equal(conn_send_copy(torrent.probes[i].conn, slice_of(text, (size_t)n)), 0);
    torrent.made[i] += (size_t)n;
}

static void pour(void *arg)
{
    (void)arg;
    if (atomic_load(&torrent.made_all))
        return;
    struct bytes *run = bytes_try_new(1 + below(60000));
    run->len = run->cap;
    for (uint32_t k = 0; k < run->len; k++)
        run->data[k] = (char)below(256);
    bool all = true;
    for (unsigned i = 0; i < STREAMS; i++) {
        for (unsigned pieces = below(3); pieces; pieces--) {
            uint32_t offset = below(run->len), length = 1 + below(run->len - offset);
            send_run(i, run, offset, length);
        }
        if (below(4) == 0)
            send_control(i);
        all = all && torrent.made[i] + 60000 > STREAM_SIZE;
    }
    bytes_unref(run);
    atomic_store(&torrent.made_all, all);
    worker_again(&world.worker);
}

static void start_pouring(void *arg)
{
    (void)arg;
    world.turn = pour;
    worker_again(&world.worker);
}

/* Readers stop and go on; some read little at a time. */
static void read_stream(unsigned i)
{
    static char chunk[65536];
    size_t most = i % 2 ? sizeof chunk : 1 + torrent.read[i] * 7919 % 3000;
    ssize_t n = recv(torrent.probes[i].fd, chunk, most, 0);
    if (n < 0) {
        assert_true(errno == EAGAIN);
        return;
    }
    assert_true(n > 0);
    assert_true(torrent.read[i] + (size_t)n <= STREAM_SIZE);
    assert_memory_equal(chunk, torrent.expected[i] + torrent.read[i], (size_t)n);
    torrent.read[i] += (size_t)n;
}

static bool all_read(void)
{
    bool all = atomic_load(&torrent.made_all);
    for (unsigned i = 0; i < STREAMS; i++)
        all = all && torrent.read[i] == torrent.made[i];
    return all;
}

static void test_same_bytes_under_short_writes(void **state)
{
    (void)state;
    memset(&torrent, 0, sizeof torrent);
    torrent.random = 88172645463325252u;
    for (unsigned i = 0; i < STREAMS; i++) {
        torrent.expected[i] = memory_zero(STREAM_SIZE);
        probe_open(&torrent.probes[i], i < 4 ? 4096 : 0);
    }
    on_worker(start_pouring, NULL);
    uint64_t until = clock_ms() + 2 * PATIENCE_MS;
    while (!all_read()) {
        unsigned pauses = (unsigned)(clock_ms() / 20);
        for (unsigned i = 0; i < STREAMS; i++)
            if ((pauses + i) % 3)
                read_stream(i);
        assert_true(clock_ms() < until);
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        assert_true(torrent.made[i] > STREAM_SIZE - 100000);
        wait_for("drained", was_drained, &torrent.probes[i]);
        close(torrent.probes[i].fd);
        wait_closed(&torrent.probes[i]);
        memory_free(torrent.expected[i]);
    }
}

/* ---- The events' queue ---- */

struct frame_stream {
    struct probe probe;
    unsigned sent;
    uint64_t dropped, first_dropped;
};

/* A frame: its number in eight digits, then 992 bytes of it. */
static struct bytes *make_frame(unsigned number)
{
    struct bytes *frame = bytes_try_new(1000);
    frame->len = 1000;
    for (unsigned i = 0; i < 1000; i += 8)
        for (unsigned k = 0, n = number; k < 8; k++, n /= 10)
            frame->data[i + 7 - k] = (char)('0' + n % 10);
    return frame;
}

static void send_until_refused(void *arg)
{
    struct frame_stream *f = arg;
    int error = 0;
    for (unsigned i = 1; !error && i < 100000; i++) {
        struct bytes *frame = make_frame(i);
        error = conn_send(f->probe.conn, OUT_EVENTS, frame, 0, frame->len, i);
        bytes_unref(frame);
        f->sent += !error;
        /* What the socket takes is gone from the queue. */
        if (i % 100 == 0 && !f->probe.conn->blocked)
            conn_flush(f->probe.conn);
    }
    assert_int_equal(error, FAN_E_LIMIT);
    f->dropped = conn_drop_events(f->probe.conn, &f->first_dropped);
    conn_finish(f->probe.conn, "enough");
}

/* What has begun is finished; what is dropped leaves no trace. */
static void test_overflow_of_events(void **state)
{
    (void)state;
    struct frame_stream f = {.first_dropped = UINT64_MAX};
    static char text[1 << 20];
    size_t total = 0, n;
    atomic_store(&world.shared.limits.queue, 100000);
    probe_open(&f.probe, 8192);
    on_worker(send_until_refused, &f);
    assert_true(f.dropped > 0 && f.dropped <= 100000 && f.dropped % 1000 == 0);
    while ((n = read_some(f.probe.fd, text + total, sizeof text - total)) > 0)
        total += n;
    assert_int_equal(total % 1000, 0);
    assert_int_equal(total / 1000 + f.dropped / 1000, f.sent);
    assert_int_equal(f.first_dropped, total / 1000 + 1);
    for (unsigned i = 0; i < total / 1000; i++) {
        struct bytes *frame = make_frame(i + 1);
        assert_memory_equal(text + (size_t)i * 1000, frame->data, 1000);
        bytes_unref(frame);
    }
    close(f.probe.fd);
    wait_closed(&f.probe);
    assert_string_equal(f.probe.reason, "enough");
}

/* A single piece larger than the limit goes, when nothing else waits. */
static void send_large(void *arg)
{
    struct probe *p = arg;
    struct bytes *large = bytes_try_new(500000);
    large->len = 500000;
    memset(large->data, 'x', large->len);
    assert_int_equal(conn_send(p->conn, OUT_EVENTS, large, 0, large->len, 1), 0);
    assert_int_equal(conn_send(p->conn, OUT_EVENTS, large, 0, large->len, 2), FAN_E_LIMIT);
    assert_int_equal(conn_waiting(p->conn), 500000);
    bytes_unref(large);
}

static void test_one_large_piece(void **state)
{
    (void)state;
    static char text[65536];
    struct probe p;
    size_t total = 0;
    atomic_store(&world.shared.limits.queue, 1000);
    probe_open(&p, 4096);
    on_worker(send_large, &p);
    while (total < 500000)
        total += read_some(p.fd, text, sizeof text);
    assert_int_equal(total, 500000);
    close(p.fd);
    wait_closed(&p);
}

/* Dropping all that waits is reported as drained, so that reading from history goes on. */
static void fill_and_drop(void *arg)
{
    struct probe *p = arg;
    uint64_t first = 0;
    struct bytes *frame = make_frame(7);
    assert_int_equal(conn_send(p->conn, OUT_EVENTS, frame, 0, frame->len, 7), 0);
    bytes_unref(frame);
    assert_int_equal(conn_drop_events(p->conn, &first), 1000);
    assert_int_equal(first, 7);
}

static void test_dropping_everything_drains(void **state)
{
    (void)state;
    struct probe p;
    probe_open(&p, 0);
    on_worker(fill_and_drop, &p);
    wait_for("drained", was_drained, &p);
    close(p.fd);
    wait_closed(&p);
}

/* ---- The control queue ---- */

static size_t accepted; /* messages */

static void overflow_control(void *arg)
{
    struct probe *p = arg;
    char text[1000];
    int error = 0;
    memset(text, 'c', sizeof text);
    /* The socket is offered what waits before it counts as too much, and takes some megabytes. */
    for (accepted = 0; !error && accepted < 100000; accepted += !error)
        error = conn_send_copy(p->conn, slice_of(text, sizeof text));
    assert_int_equal(error, FAN_E_LIMIT);
    assert_int_equal(atomic_load(&p->overflows), 1);
    assert_false(conn_is_open(p->conn));
    assert_true(conn_waiting(p->conn) <= OUT_CONTROL_MAX);
}

static void test_overflow_of_control(void **state)
{
    (void)state;
    static char text[65536];
    struct probe p;
    size_t total = 0, n;
    probe_open(&p, 0);
    on_worker(overflow_control, &p);
    while ((n = read_some(p.fd, text, sizeof text)) > 0)
        total += n;
    assert_int_equal(total, accepted * 1000);
    assert_true(total >= OUT_CONTROL_MAX / 1000 * 1000);
    close(p.fd);
    wait_closed(&p);
    assert_string_equal(p.reason, "overflow");
    assert_int_equal(atomic_load(&world.worker.stats.control_overflows), 1);
}

/* ---- Closing ---- */

static void send_and_finish(void *arg)
{
    struct probe *p = arg;
    char *text = memory_alloc(300000);
    memset(text, 'f', 300000);
    assert_int_equal(conn_send_body(p->conn, slice_of(text, 300000)), 0);
    memory_free(text);
    conn_finish(p->conn, "finished");
    conn_finish(p->conn, "again");
    assert_int_equal(p->conn->state, CONN_FINISHING);
}

static void test_finish_sends_everything(void **state)
{
    (void)state;
    static char text[65536];
    struct probe p;
    size_t total = 0, n;
    probe_open(&p, 4096);
    on_worker(send_and_finish, &p);
    write_all(p.fd, "ignored", 7);
    while ((n = read_some(p.fd, text, sizeof text)) > 0)
        total += n;
    assert_int_equal(total, 300000);
    assert_int_equal(atomic_load(&p.closed), 0); /* lingers until our end */
    close(p.fd);
    wait_closed(&p);
    assert_string_equal(p.reason, "finished");
    assert_int_equal(atomic_load(&p.bytes), 0);
}

/* A peer that does not close its end is not waited for long. */
static void test_lingering_ends(void **state)
{
    (void)state;
    char text[10];
    struct probe p;
    uint64_t start = clock_ms();
    probe_open(&p, 0);
    on_worker(send_and_finish, &p);
    static char sink[65536];
    while (read_some(p.fd, sink, sizeof sink) > 0)
        ;
    wait_closed(&p);
    assert_in_range(clock_ms() - start, 1900, 4000);
    assert_int_equal(recv(p.fd, text, sizeof text, 0), 0);
    close(p.fd);
}

/* The peer has sent its last byte, but still reads. */
static void test_end_of_the_peer_while_finishing(void **state)
{
    (void)state;
    static char text[65536];
    struct probe p;
    size_t total = 0, n;
    probe_open(&p, 4096);
    on_worker(send_and_finish, &p);
    shutdown(p.fd, SHUT_WR);
    while ((n = read_some(p.fd, text, sizeof text)) > 0)
        total += n;
    assert_int_equal(total, 300000);
    wait_closed(&p);
    close(p.fd);
}

static void close_now(void *arg)
{
    struct probe *p = arg;
    assert_int_equal(conn_send_copy(p->conn, SLICE("never sent")), 0);
    conn_close(p->conn, "now");
    conn_close(p->conn, "too late");
    assert_int_equal(conn_send_copy(p->conn, SLICE("no")), FAN_E_CLOSED);
    conn_finish(p->conn, "no");
    conn_timer_stop(p->conn);
}

static void test_close(void **state)
{
    (void)state;
    char text[64];
    struct probe p;
    probe_open(&p, 0);
    on_worker(close_now, &p);
    wait_closed(&p);
    assert_string_equal(p.reason, "now");
    assert_int_equal(read_some(p.fd, text, sizeof text), 0);
    close(p.fd);
    assert_int_equal(atomic_load(&world.shared.connections), 0);
}

static void test_close_from_its_own_callback(void **state)
{
    (void)state;
    struct probe p;
    probe_open(&p, 0);
    p.close_on_data = true;
    write_all(p.fd, "bye", 3);
    wait_closed(&p);
    assert_string_equal(p.reason, "told to");
    close(p.fd);
}

static void test_end_of_the_peer(void **state)
{
    (void)state;
    struct probe p;
    probe_open(&p, 0);
    write_all(p.fd, "last words", 10);
    close(p.fd);
    wait_closed(&p);
    assert_int_equal(atomic_load(&p.ends), 1);
    assert_int_equal(atomic_load(&p.bytes), 10);
    assert_string_equal(p.reason, "closed by peer");
}

/* A peer that is gone while much waits for it. */
static void send_much(void *arg)
{
    struct probe *p = arg;
    char *text = memory_zero(1 << 20);
    assert_int_equal(conn_send_body(p->conn, slice_of(text, 1 << 20)), 0);
    memory_free(text);
}

static void test_reset_while_sending(void **state)
{
    (void)state;
    struct probe p;
    probe_open(&p, 4096);
    on_worker(send_much, &p);
    close(p.fd);
    wait_closed(&p);
}

static void send_to_the_dead(void *arg)
{
    struct probe *probes = arg;
    struct bytes *frame = make_frame(1);
    for (unsigned i = 0; i < 20; i++)
        if (probes[i].conn)
            conn_send_run(probes[i].conn, frame, 0, frame->len, 1);
    bytes_unref(frame);
}

/* Their sends fail together in one batch. */
static void test_many_dead_peers(void **state)
{
    (void)state;
    static struct probe probes[20];
    for (unsigned i = 0; i < 20; i++) {
        probe_open(&probes[i], 0);
        shutdown(probes[i].fd, SHUT_RD);
    }
    for (unsigned i = 0; i < 20; i += 2)
        close(probes[i].fd);
    on_worker(send_to_the_dead, probes);
    for (unsigned i = 0; i < 20; i++) {
        if (i % 2)
            close(probes[i].fd);
        wait_closed(&probes[i]);
    }
}

/* ---- Timers ---- */

static void set_timers(void *arg)
{
    struct probe *probes = arg;
    conn_timer(probes[0].conn, 150);
    conn_timer(probes[1].conn, 150);
    conn_timer_stop(probes[1].conn);
    conn_timer(probes[2].conn, 1);
    conn_timer(probes[2].conn, 300);
}

static bool has_fired(void *arg)
{
    return atomic_load(&((struct probe *)arg)->timers) > 0;
}

static void test_timers(void **state)
{
    (void)state;
    struct probe probes[3];
    for (unsigned i = 0; i < 3; i++)
        probe_open(&probes[i], 0);
    uint64_t start = clock_ms();
    on_worker(set_timers, probes);
    wait_for("a timer", has_fired, &probes[0]);
    assert_true(clock_ms() - start >= 150);
    wait_for("a timer", has_fired, &probes[2]);
    assert_true(clock_ms() - start >= 300);
    assert_int_equal(atomic_load(&probes[0].timers), 1);
    assert_int_equal(atomic_load(&probes[1].timers), 0);
    assert_int_equal(atomic_load(&probes[2].timers), 1);
    for (unsigned i = 0; i < 3; i++) {
        close(probes[i].fd);
        wait_closed(&probes[i]);
    }
}

/* ---- Reading ---- */

static void pause_reading(void *arg)
{
    conn_pause(((struct probe *)arg)->conn);
}

static void resume_reading(void *arg)
{
    conn_resume(((struct probe *)arg)->conn);
}

static void look(void *arg)
{
    (void)arg;
}

static bool has_data(void *arg)
{
    return atomic_load(&((struct probe *)arg)->bytes) > 0;
}

static void test_pause(void **state)
{
    (void)state;
    struct probe p;
    probe_open(&p, 0);
    on_worker(pause_reading, &p);
    write_all(p.fd, "hello", 5);
    for (unsigned i = 0; i < 10; i++)
        on_worker(look, NULL); /* turns in which it would have been read */
    assert_int_equal(atomic_load(&p.bytes), 0);
    on_worker(resume_reading, &p);
    wait_for("data", has_data, &p);
    assert_string_equal(p.last, "hello");
    close(p.fd);
    wait_closed(&p);
}

/* ---- Memory ---- */

static void send_without_memory(void *arg)
{
    struct probe *p = arg;
    memory_fail_nth(1);
    assert_int_equal(conn_send_copy(p->conn, SLICE("text")), FAN_E_NO_MEMORY);
    memory_fail_nth(0);
    assert_int_equal(p->conn->state, CONN_CLOSED);
}

static void test_without_memory(void **state)
{
    (void)state;
    struct probe p;
    probe_open(&p, 0);
    on_worker(send_without_memory, &p);
    wait_closed(&p);
    assert_string_equal(p.reason, "out of memory");
    close(p.fd);
}

/* ---- What came before the connection was taken over ---- */

struct early {
    int fd;
    uint64_t requests;
    bool open, watched;
};

static void add_early(void *arg)
{
    struct early *e = arg;
    struct peer *peer;
    uint64_t before = atomic_load(&world.worker.stats.http_requests);
    assert_int_equal(peer_take(world.shared.peers, SLICE("unix"), false, 1, &peer), 0);
    const struct conn *c = worker_add_conn(&world.worker, e->fd, peer, false);
    assert_non_null(c);
    e->requests = atomic_load(&world.worker.stats.http_requests) - before;
    e->open = conn_is_open(c);
    e->watched = c->watched;
}

/* The peer has sent this, and its last byte if ends, before its connection is accepted. */
static struct early accept_after(const char *text, bool ends, int *fd)
{
    int fds[2];
    make_pair(fds, 0);
    write_all(fds[1], text, strlen(text));
    if (ends)
        shutdown(fds[1], SHUT_WR);
    struct early e = {.fd = fds[0]};
    *fd = fds[1];
    on_worker(add_early, &e);
    return e;
}

static bool nobody_is_left(void *arg)
{
    (void)arg;
    return atomic_load(&world.shared.connections) == 0;
}

static void test_read_at_once(void **state)
{
    (void)state;
    char answer[512] = "";
    int fd;
    struct early e = accept_after("", false, &fd);
    assert_int_equal(e.requests, 0);
    assert_true(e.open && e.watched);
    close(fd);
    e = accept_after("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, &fd);
    assert_int_equal(e.requests, 1);
    assert_true(e.open && e.watched);
    close(fd);
    e = accept_after("", true, &fd);
    assert_false(e.open || e.watched);
    close(fd);
    e = accept_after("nonsense\r\n", true, &fd);
    assert_int_equal(e.requests, 0);
    assert_true(e.watched);
    assert_true(read_some(fd, answer, sizeof answer - 1) > 0);
    assert_non_null(strstr(answer, "400 Bad Request"));
    close(fd);
    wait_for("the end of all connections", nobody_is_left, NULL);
}

/* ---- Descriptors that are registered together ---- */

static void add_row(void *arg)
{
    struct connecting *row = arg;
    for (unsigned i = 0; i < 20; i++)
        add_probe(&row[i]);
    conn_close(row[7].probe->conn, "before its first send");
}

static void test_accepted_in_one_turn(void **state)
{
    (void)state;
    static struct probe probes[20];
    struct connecting row[20];
    char text[256];
    for (unsigned i = 0; i < 20; i++) {
        int fds[2];
        make_pair(fds, 0);
        probes[i] = (struct probe){.fd = fds[1]};
        row[i] = (struct connecting){&probes[i], fds[0]};
    }
    on_worker(add_row, row);
    wait_closed(&probes[7]);
    on_worker(send_to_the_dead, probes); /* all but one are alive */
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(read_some(probes[i].fd, text, sizeof text) > 0, i != 7);
        close(probes[i].fd);
    }
    for (unsigned i = 0; i < 20; i++)
        wait_closed(&probes[i]);
}

/* ---- Posting ---- */

static atomic_bool posted;

static void note_post(struct worker *w, void *arg)
{
    assert_true(worker_is_current(w));
    (void)arg;
    atomic_store(&posted, true);
}

static void test_post(void **state)
{
    (void)state;
    atomic_store(&posted, false);
    assert_false(worker_is_current(&world.worker));
    worker_post(&world.worker, note_post, NULL);
    wait_for("a posted call", done_flag, &posted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

static const struct CMUnitTest tests[] = {
    TEST(test_same_bytes_under_short_writes),
    TEST(test_overflow_of_events),
    TEST(test_one_large_piece),
    TEST(test_dropping_everything_drains),
    TEST(test_overflow_of_control),
    TEST(test_finish_sends_everything),
    TEST(test_lingering_ends),
    TEST(test_end_of_the_peer_while_finishing),
    TEST(test_close),
    TEST(test_close_from_its_own_callback),
    TEST(test_end_of_the_peer),
    TEST(test_reset_while_sending),
    TEST(test_many_dead_peers),
    TEST(test_timers),
    TEST(test_pause),
    TEST(test_without_memory),
    TEST(test_read_at_once),
    TEST(test_accepted_in_one_turn),
    TEST(test_post),
};

int main(void)
{
    const char *why;
    stage = FLUSH_SEND;
    int failed = cmocka_run_group_tests_name("send", tests, NULL, NULL);
    if (!flush_uring_available(&why)) {
        print_message("io_uring is not available: %s\n", why);
        return failed;
    }
    stage = FLUSH_URING;
    return failed + cmocka_run_group_tests_name("io_uring", tests, NULL, NULL);
}
