/* Intake with an engine that is done later: order, bounds, publishers that go, early answers. */
#include "api/intake_fixture.h"

#include <stdio.h>

#include "../late_engine.h"
#include "fanfare/error.h"
#include "net/worker.h"

/* ---- A publisher, whose worker is the test's thread ---- */

struct fixture {
    struct net_shared shared;
    struct api api;
    struct worker worker;
    struct conn conn;
    struct identity *who;
    struct late_engine *engine;
    struct intake intake;
    struct buf heard; /* the answers, each with a newline; see mask */
    unsigned settled;
    bool ended; /* the intake */
};

static void hear(void *arg, struct slice line)
{
    struct fixture *f = arg;
    mask(&f->heard, line);
    buf_append_char(&f->heard, '\n');
}

static void settled(void *arg)
{
    struct fixture *f = arg;
    f->settled++;
}

static const struct intake_ops hearing = {hear, settled};

static struct fixture *begin(enum ack_mode ack)
{
    struct fixture *f = memory_zero(sizeof *f);
    f->shared.limits.message_size = 200000;
    f->api.shared = &f->shared;
    f->engine = late_engine_new(true);
    f->api.hub = new_hub(&f->engine->engine);
    f->who = anybody();
    const struct worker_config config = {.shared = &f->shared, .conn_size = sizeof(struct conn)};
    assert_int_equal(worker_init(&f->worker, &config), 0);
    f->conn = (struct conn){.worker = &f->worker, .fd = -1};
    intake_init(&f->intake, &f->api, &f->conn, f->who, ack, &hearing, f);
    return f;
}

static void leave(struct fixture *f)
{
    intake_fini(&f->intake);
    f->ended = true;
}

/* Lets the worker do what came, waiting for something. */
static void turn(struct fixture *f)
{
    uv_run(&f->worker.loop, UV_RUN_ONCE);
}

static void await_idle(struct fixture *f)
{
    while (!intake_is_idle(&f->intake))
        turn(f);
}

static void end(struct fixture *f)
{
    if (!f->ended)
        leave(f);
    late_let_go(f->engine);
    while (f->worker.expected)
        turn(f);
    hub_free(f->api.hub);
    worker_fini(&f->worker);
    identity_unref(f->who);
    buf_fini(&f->heard);
    memory_free(f);
}

static void add(struct fixture *f, const char *text)
{
    intake_add_message(&f->intake, slice_from(text));
}

/* Hands it over as a batch of its own, which the engine keeps. */
static void give(struct fixture *f, const char *text)
{
    add(f, text);
    assert_false(intake_flush(&f->intake));
}

/* What was heard since the last call. */
static void assert_heard(struct fixture *f, const char *expected)
{
    assert_string_equal(buf_text(&f->heard), expected);
    buf_clear(&f->heard);
}

static uint64_t last_offset(struct fixture *f)
{
    struct topic_page page = {0};
    hub_topic_page(f->api.hub, SLICE("session:a"), UINT64_MAX - 1, 0, 0, NULL, &page);
    return page.offset;
}

/* ---- Order ---- */

static void test_answers_come_when_the_engine_is_done(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    give(f, EVENT);
    late_await(f->engine, 1);
    assert_heard(f, "");
    assert_int_equal(last_offset(f), 0);
    late_allow(f->engine, 1);
    turn(f);
    assert_true(intake_is_idle(&f->intake));
    assert_int_equal(f->settled, 1);
    assert_heard(f, RESULT(1) "\n");
    end(f);
}

/* What fails at once waits for what came before it, and lines that are no event's, too. */
static void test_answers_keep_their_order(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    give(f, EVENT);
    give(f, "7");
    give(f, "[]");
    give(f, "[" EVENT ",7]");
    intake_add_line(&f->intake, SLICE("a line"));
    add(f, EVENT);
    assert_false(intake_flush(&f->intake));
    assert_int_equal(late_came(f->engine), 3);
    assert_heard(f, "");
    late_allow(f->engine, 1);
    while (f->settled == 0)
        turn(f);
    assert_heard(f, RESULT(1) "\n" NOT_AN_EVENT "}\n[]\n");
    late_allow(f->engine, 2);
    await_idle(f);
    assert_heard(f, "[" RESULT(2) "," NOT_AN_EVENT "}]\na line\n" RESULT(3) "\n");
    assert_int_equal(f->intake.line, 5);
    end(f);
}

/* The engine need not be done with them in the order in which it got them. */
static void test_answers_in_order_of_an_engine_without(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    f->engine->backwards = true;
    give(f, "{\"topic\":\"session:a\",\"type\":\"x\",\"id\":\"1\"}");
    give(f, "{\"topic\":\"global\",\"type\":\"x\"}");
    give(f, EVENT);
    late_allow(f->engine, 2);
    while (f->worker.expected > 1)
        turn(f);
    assert_heard(f, "");
    assert_int_equal(f->settled, 0);
    late_allow(f->engine, 1);
    await_idle(f);
    assert_heard(f, RESULT(2) "\n{\"topic\":\"global\",\"offset\":1,\"epoch\":\"#\","
                              "\"time\":\"@\"}\n" RESULT(1) "\n");
    assert_int_equal(f->settled, 1);
    end(f);
}

/* An array is one answer, however many batches it takes and whenever they are done. */
static void test_array_of_several_batches(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    struct buf text = {0};
    for (unsigned i = 0; i < 3 * INTAKE_MAX; i++)
        buf_append_text(&text, i ? "," EVENT : "[" EVENT);
    buf_append_char(&text, ']');
    give(f, buf_text(&text));
    assert_int_equal(late_came(f->engine), 3);
    late_allow(f->engine, 2);
    while (f->worker.expected > 1)
        turn(f);
    assert_heard(f, "");
    late_allow(f->engine, 1);
    await_idle(f);
    assert_non_null(strstr(buf_text(&f->heard), "\"offset\":384,"));
    assert_ptr_equal(strchr(buf_text(&f->heard), '\n'), f->heard.data + f->heard.len - 1);
    buf_fini(&text);
    end(f);
}

static void assert_sum(struct fixture *f, const char *expected)
{
    struct buf sum = {0}, masked = {0};
    intake_append_sum(&f->intake, &sum);
    mask(&masked, buf_slice(&sum));
    assert_string_equal(buf_text(&masked), expected);
    buf_fini(&sum);
    buf_fini(&masked);
}

/* What is under way is in none of the sums yet. */
static void test_sums_tell_what_is_done(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_BATCH);
    f->intake.sum_topics = true;
    give(f, EVENT);
    give(f, EVENT);
    late_allow(f->engine, 1);
    turn(f);
    assert_sum(f, "{\"published\":1,\"failed\":0,\"topics\":{\"session:a\":{\"offset\":1,"
                  "\"epoch\":\"#\"}}}");
    late_allow(f->engine, 1);
    await_idle(f);
    assert_sum(f, "{\"published\":1,\"failed\":0,\"topics\":{\"session:a\":{\"offset\":2,"
                  "\"epoch\":\"#\"}}}");
    end(f);
}

/* ---- Failures ---- */

static void test_store_that_fails(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_BATCH);
    f->intake.lines = true;
    late_fail(f->engine, FAN_E_IO, "the disk is full");
    give(f, EVENT);
    late_allow(f->engine, 1);
    await_idle(f);
    assert_heard(f, "{\"error\":{\"status\":503,\"code\":\"storage_unavailable\",\"message\":\"the "
                    "event could not be stored and was not published: the disk is full; try again "
                    "when GET /health says that the engine is well\","
                    "\"retry_after\":1},\"line\":1}\n");
    assert_int_equal(f->intake.status, 503);
    assert_sum(f, "{\"published\":0,\"failed\":1,\"topics\":{}}");
    assert_int_equal(last_offset(f), 0);
    late_fail(f->engine, 0, "");
    give(f, EVENT);
    late_allow(f->engine, 1);
    await_idle(f);
    assert_heard(f, "");
    assert_int_equal(f->intake.status, 200);
    end(f);
}

/* A refusal at once still comes behind what is under way. */
static void test_engine_that_is_full(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    f->engine->limit = 1;
    give(f, EVENT);
    give(f, EVENT);
    assert_heard(f, "");
    late_allow(f->engine, 1);
    await_idle(f);
    assert_heard(f, RESULT(1) "\n{\"error\":{\"status\":503,\"code\":\"overloaded\",\"message\":"
                              "\"too many events wait to be stored; try again in a "
                              "moment\",\"retry_after\":1}}\n");
    end(f);
}

/* ---- Bounds ---- */

static void test_many_events_hold_the_connection(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_NONE);
    for (unsigned i = 1; i <= INTAKE_UNDER_WAY_EVENTS; i++) {
        assert_false(f->conn.held);
        add(f, EVENT);
        if (i % INTAKE_MAX == 0)
            intake_flush(&f->intake);
    }
    assert_true(f->conn.held);
    late_allow(f->engine, 1);
    while (f->settled == 0)
        turn(f);
    assert_false(f->conn.held);
    end(f);
}

static void test_many_batches_hold_the_connection(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_NONE);
    for (unsigned i = 0; i < INTAKE_UNDER_WAY_BATCHES; i++) {
        assert_false(f->conn.held);
        give(f, EVENT);
    }
    assert_true(f->conn.held);
    leave(f);
    assert_false(f->conn.held); /* the connection may go on with something else */
    end(f);
}

static void test_many_bytes_hold_the_connection(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_NONE);
    struct buf text = {0};
    unsigned given = 0;
    BUF_LITERAL(&text, "{\"topic\":\"global\",\"type\":\"x\",\"data\":{\"a\":\"");
    for (unsigned i = 0; i < 150000; i++)
        buf_append_char(&text, 'x');
    BUF_LITERAL(&text, "\"}}");
    for (; !f->conn.held; given++)
        give(f, buf_text(&text));
    assert_in_range(given, INTAKE_UNDER_WAY_BYTES / 152000, INTAKE_UNDER_WAY_BYTES / 150000 + 1);
    late_let_go(f->engine);
    await_idle(f);
    assert_false(f->conn.held);
    assert_int_equal(f->intake.under_way.bytes + f->intake.under_way.events, 0);
    buf_fini(&text);
    end(f);
}

/* ---- Publishers that go, and that move ---- */

static void test_events_of_a_publisher_that_is_gone(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    give(f, EVENT);
    give(f, "7"); /* is nobody's task */
    give(f, EVENT);
    add(f, EVENT); /* not handed over */
    late_allow(f->engine, 1);
    turn(f);
    leave(f);
    buf_clear(&f->heard);
    late_allow(f->engine, 1);
    while (f->worker.expected)
        turn(f);
    assert_heard(f, "");
    assert_int_equal(last_offset(f), 2);
    end(f);
}

/* It may also go when the engine is done and the worker does not know yet. */
static void test_publisher_goes_as_the_engine_is_done(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    give(f, EVENT);
    give(f, EVENT);
    late_allow(f->engine, 2);
    while (last_offset(f) < 2)
        ;
    leave(f);
    end(f);
}

static void test_intake_that_moved(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    struct intake *moved = memory_alloc(sizeof *moved);
    give(f, EVENT);
    *moved = f->intake;
    intake_moved(moved, f);
    intake_add(moved, SLICE(EVENT));
    assert_false(intake_flush(moved));
    late_allow(f->engine, 2);
    while (!intake_is_idle(moved))
        turn(f);
    assert_heard(f, RESULT(1) "\n" RESULT(2) "\n");
    intake_fini(moved);
    memory_free(moved);
    f->ended = true;
    end(f);
}

/* ---- Answers that do not wait for the store ---- */

#define PROMISE "{\"topic\":\"session:a\",\"time\":\"@\",\"durability\":\"memory\"}"

static void test_early_answers(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    f->intake.early = true;
    add(f, EVENT);
    add(f, "7");
    add(f, "{\"topics\":[\"session:a\",\"global\"],\"type\":\"x\"}");
    assert_true(intake_flush(&f->intake));
    assert_heard(f, PROMISE "\n" NOT_AN_EVENT "}\n{\"results\":[" PROMISE
                            ",{\"topic\":\"global\",\"time\":\"@\",\"durability\":\"memory\"}]}\n");
    assert_int_equal(last_offset(f), 0);
    late_allow(f->engine, 1);
    turn(f);
    assert_heard(f, ""); /* once is enough */
    assert_int_equal(last_offset(f), 2);
    assert_int_equal(f->api.lost, 0);
    end(f);
}

/* Sums do not know the places either. */
static void test_early_sums(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_BATCH);
    f->intake.early = true;
    f->intake.sum_topics = true;
    add(f, EVENT);
    add(f, EVENT);
    assert_true(intake_flush(&f->intake));
    assert_sum(f, "{\"published\":2,\"failed\":0,\"topics\":{\"session:a\":{\"durability\":"
                  "\"memory\"}}}");
    end(f);
}

/* Nobody is waiting any more; it is counted. */
static void test_early_answers_that_were_wrong(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    f->intake.early = true;
    late_fail(f->engine, FAN_E_IO, "the disk is full");
    for (unsigned i = 0; i < 2; i++) {
        add(f, EVENT);
        assert_true(intake_flush(&f->intake));
    }
    assert_heard(f, PROMISE "\n" PROMISE "\n");
    late_allow(f->engine, 1);
    turn(f);
    assert_int_equal(f->api.lost, 1);
    leave(f);
    late_allow(f->engine, 1);
    while (f->worker.expected)
        turn(f);
    assert_int_equal(f->api.lost, 2);
    assert_heard(f, "");
    end(f);
}

/* What is refused at once is no promise; and what is promised is bounded like the rest. */
static void test_early_answers_are_bounded(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    f->intake.early = true;
    f->engine->limit = 1;
    add(f, EVENT);
    intake_flush(&f->intake);
    buf_clear(&f->heard);
    add(f, EVENT);
    assert_true(intake_flush(&f->intake));
    assert_non_null(strstr(buf_text(&f->heard), "\"overloaded\""));
    f->engine->limit = 0;
    for (unsigned i = 1; i < INTAKE_UNDER_WAY_BATCHES; i++) {
        assert_false(f->conn.held);
        add(f, EVENT);
        intake_flush(&f->intake);
    }
    assert_true(f->conn.held);
    late_let_go(f->engine);
    while (f->worker.expected)
        turn(f);
    assert_false(f->conn.held);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_come_when_the_engine_is_done),
        cmocka_unit_test(test_answers_keep_their_order),
        cmocka_unit_test(test_answers_in_order_of_an_engine_without),
        cmocka_unit_test(test_array_of_several_batches),
        cmocka_unit_test(test_sums_tell_what_is_done),
        cmocka_unit_test(test_store_that_fails),
        cmocka_unit_test(test_engine_that_is_full),
        cmocka_unit_test(test_many_events_hold_the_connection),
        cmocka_unit_test(test_many_batches_hold_the_connection),
        cmocka_unit_test(test_many_bytes_hold_the_connection),
        cmocka_unit_test(test_events_of_a_publisher_that_is_gone),
        cmocka_unit_test(test_publisher_goes_as_the_engine_is_done),
        cmocka_unit_test(test_intake_that_moved),
        cmocka_unit_test(test_early_answers),
        cmocka_unit_test(test_early_sums),
        cmocka_unit_test(test_early_answers_that_were_wrong),
        cmocka_unit_test(test_early_answers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
