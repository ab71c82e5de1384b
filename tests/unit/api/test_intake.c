/* Intake: what publishers hear in each ack mode, arrays, sums, and line numbers. */
#include "api/intake_fixture.h"

#include <stdio.h>

/* ---- A hub, and what the publisher hears ---- */

struct fixture {
    struct net_shared shared;
    struct api api;
    struct identity *who;
    struct intake intake;
    struct buf heard; /* the answers, each with a newline; see mask */
    unsigned answers;
    unsigned batches, largest; /* that came to the engine, and events in the largest */
};

static struct fixture *counting; /* the engine's */

static void engine_publish(struct engine *engine, struct publish_batch *batch)
{
    counting->batches++;
    if (batch->count > counting->largest)
        counting->largest = batch->count;
    hub_accept(engine->hub, batch);
    batch->done(batch);
}

static void engine_free(struct engine *engine)
{
    memory_free(engine);
}

static const struct engine_ops engine_ops = {
    .name = "test",
    .publish = engine_publish,
    .free = engine_free,
};

static void hear(void *arg, struct slice line)
{
    struct fixture *f = arg;
    mask(&f->heard, line);
    buf_append_char(&f->heard, '\n');
    f->answers++;
}

static void settled(void *arg)
{
    (void)arg;
}

static const struct intake_ops hearing = {hear, settled};

static struct fixture *begin(enum ack_mode ack)
{
    struct fixture *f = memory_zero(sizeof *f);
    f->shared.limits.message_size = 1000;
    f->api.shared = &f->shared;
    struct engine *engine = memory_zero(sizeof *engine);
    engine->ops = &engine_ops;
    f->api.hub = new_hub(engine);
    counting = f;
    f->who = anybody();
    intake_init(&f->intake, &f->api, NULL, f->who, ack, &hearing, f);
    return f;
}

static void end(struct fixture *f)
{
    intake_fini(&f->intake);
    identity_unref(f->who);
    hub_free(f->api.hub);
    buf_fini(&f->heard);
    memory_free(f);
}

static void add(struct fixture *f, const char *text)
{
    intake_add_message(&f->intake, slice_from(text));
}

/* The status of the last answer. */
static int flush(struct fixture *f)
{
    assert_true(intake_flush(&f->intake));
    return f->intake.status;
}

/* What was heard since the last call. */
static void assert_heard(struct fixture *f, const char *expected)
{
    assert_string_equal(buf_text(&f->heard), expected);
    buf_clear(&f->heard);
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

/* ---- Ack modes ---- */

static void test_ack_mode_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        [ACK_EACH] = "each", [ACK_BATCH] = "batch", [ACK_NONE] = "none"};
    for (unsigned i = 0; i < 3; i++) {
        enum ack_mode mode = ACK_EACH;
        assert_true(ack_mode_parse(slice_from(names[i]), &mode));
        assert_int_equal(mode, i);
    }
    static const char *const others[] = {"", "Each", "each ", "all"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        enum ack_mode mode = ACK_BATCH;
        assert_false(ack_mode_parse(slice_from(others[i]), &mode));
        assert_int_equal(mode, ACK_BATCH);
    }
}

static void test_each_is_answered_in_order(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    add(f, EVENT);
    add(f, "7");
    add(f, "{\"topics\":[\"session:a\",\"global\"],\"type\":\"x\"}");
    assert_int_equal(f->answers, 0); /* all go to the hub together */
    assert_int_equal(flush(f), 200);
    assert_heard(f,
                 RESULT(1) "\n" NOT_AN_EVENT "}\n{\"results\":[" RESULT(
                     2) ","
                        "{\"topic\":\"global\",\"offset\":1,\"epoch\":\"#\",\"time\":\"@\"}]}\n");
    assert_int_equal(f->batches, 1);
    assert_int_equal(f->largest, 2);
    assert_int_equal(flush(f), 200); /* nothing is left */
    assert_heard(f, "");
    end(f);
}

static void test_batch_and_none_tell_errors_only(void **state)
{
    (void)state;
    for (enum ack_mode ack = ACK_BATCH; ack <= ACK_NONE; ack++) {
        struct fixture *f = begin(ack);
        add(f, EVENT);
        add(f, "[" EVENT ",7," EVENT "]");
        add(f, "[]");
        intake_flush(&f->intake);
        assert_heard(f, NOT_AN_EVENT "}\n");
        assert_sum(f, "{\"published\":3,\"failed\":1,\"topics\":{}}");
        end(f);
    }
}

static void test_status_of_the_last(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    add(f, EVENT);
    add(f, "{");
    assert_int_equal(flush(f), 400);
    assert_int_equal(f->batches, 1);
    add(f, "{}");
    assert_int_equal(flush(f), 422);
    assert_int_equal(f->batches, 1); /* the hub is not asked about nothing */
    add(f, "{");
    add(f, EVENT);
    assert_int_equal(flush(f), 200);
    end(f);
}

/* ---- What the hub says of single events ---- */

static void test_refusals_of_the_hub(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    add(f, "{\"topics\":[\"global\",\"global\"],\"type\":\"x\"}");
    add(f, "{\"topic\":\"session:a\",\"type\":\"x\",\"id\":\"i\"}");
    add(f, "{\"topic\":\"session:a\",\"type\":\"x\",\"id\":\"i\"}");
    add(f, "{\"topics\":[\"session:a\",\"session:b\"],\"type\":\"x\",\"id\":\"i\"}");
    assert_int_equal(flush(f), 422);
    assert_heard(
        f,
        "{\"error\":{\"status\":422,\"code\":\"invalid_event\",\"message\":\"topics must not "
        "name a topic twice\",\"field\":\"topics\"}}\n" RESULT(
            1) "\n"
               "{\"topic\":\"session:a\",\"offset\":1,\"epoch\":\"#\",\"time\":\"@\","
               "\"duplicate\":true}\n"
               "{\"error\":{\"status\":422,\"code\":\"invalid_event\",\"message\":\"id was used a "
               "moment ago for an event with other topics\",\"field\":\"id\"}}\n");
    assert_sum(f, "{\"published\":2,\"failed\":2,\"topics\":{}}");
    end(f);
}

static void test_size_limit(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    char data[1001];
    struct buf text = {0};
    memset(data, 'x', sizeof data - 1);
    data[sizeof data - 1] = '\0';
    buf_printf(&text, "{\"topic\":\"global\",\"type\":\"x\",\"data\":{\"a\":\"%s\"}}", data);
    add(f, buf_text(&text));
    assert_int_equal(flush(f), 413);
    buf_fini(&text);
    end(f);
}

static void test_unusual_values_are_counted(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_NONE);
    add(f,
        "{\"topic\":\"session:a\",\"type\":\"component_update\",\"data\":{\"component_id\":\"a\","
        "\"status\":\"skipped\"}}");
    add(f,
        "{\"topic\":\"session:a\",\"type\":\"component_update\",\"data\":{\"component_id\":\"a\","
        "\"status\":\"failed\"}}");
    intake_flush(&f->intake);
    assert_int_equal(f->api.unusual, 1);
    end(f);
}

static void test_unreadable_event(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_NONE);
    f->intake.lines = true;
    add(f, EVENT);
    intake_add_failure(&f->intake, &(struct publish_failure){413, "too_large", "", "too long"});
    assert_int_equal(flush(f), 413);
    assert_heard(f, "{\"error\":{\"status\":413,\"code\":\"too_large\",\"message\":\"too long\"},"
                    "\"line\":2}\n");
    end(f);
}

/* The event that finds no memory is refused; those around it are not. */
static void test_out_of_memory_fails_one(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    add(f, EVENT);
    memory_fail_nth(1); /* the event; its names have room already */
    add(f, EVENT);
    memory_fail_nth(0);
    add(f, EVENT);
    intake_flush(&f->intake);
    assert_heard(
        f, RESULT(1) "\n{\"error\":{\"status\":503,\"code\":\"out_of_memory\",\"message\":"
                     "\"not enough memory for this event\",\"retry_after\":1}}\n" RESULT(2) "\n");
    end(f);
}

static void test_no_memory_for_names(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_NONE);
    memory_fail_nth(1);
    add(f, EVENT);
    memory_fail_nth(0);
    add(f, EVENT);
    intake_flush(&f->intake);
    assert_int_equal(f->answers, 1);
    assert_sum(f, "{\"published\":1,\"failed\":1,\"topics\":{}}");
    end(f);
}

/* ---- Arrays ---- */

static void test_arrays(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    add(f, "[" EVENT "]");
    add(f, " \t\r\n[ 7 , " EVENT " ] ");
    add(f, EVENT);
    add(f, "[[]]");
    intake_flush(&f->intake);
    assert_heard(f, "[" RESULT(1) "]\n[" NOT_AN_EVENT
                                  "}," RESULT(2) "]\n" RESULT(3) "\n"
                                                                 "[" NOT_AN_EVENT "}]\n");
    end(f);
}

/* What came before an empty array is answered before it. */
static void test_empty_array(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    add(f, EVENT);
    add(f, "[ ]");
    add(f, EVENT);
    intake_flush(&f->intake);
    assert_heard(f, RESULT(1) "\n[]\n" RESULT(2) "\n");
    end(f);
}

/* A broken array is one event that could not be read; nothing of it is published. */
static void test_broken_array(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    add(f, "[" EVENT ",");
    assert_int_equal(flush(f), 400);
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->batches, 0);
    assert_memory_equal(f->heard.data, "{\"error\":{\"status\":400,\"code\":\"invalid_json\"", 43);
    end(f);
}

static void append_array(struct buf *text, unsigned count)
{
    buf_append_char(text, '[');
    for (unsigned i = 0; i < count; i++)
        buf_append_text(text, i ? "," EVENT : EVENT);
    buf_append_char(text, ']');
}

/* One answer, whatever number of batches it took. */
static void assert_array_answered(unsigned before, unsigned count, unsigned batches)
{
    struct fixture *f = begin(ACK_EACH);
    struct buf text = {0}, expected = {0};
    append_array(&text, count);
    for (unsigned i = 1; i <= before; i++)
        add(f, EVENT);
    intake_add_message(&f->intake, buf_slice(&text));
    intake_flush(&f->intake);
    for (unsigned i = 1; i <= before + count; i++)
        buf_printf(&expected,
                   "%s{\"topic\":\"session:a\",\"offset\":%u,\"epoch\":\"#\",\"time\":\"@\"}%s",
                   i == before + 1 ? "[" : "", i,
                   i <= before          ? "\n"
                   : i < before + count ? ","
                                        : "]\n");
    assert_heard(f, buf_text(&expected));
    assert_int_equal(f->answers, before + 1);
    assert_int_equal(f->batches, batches);
    assert_in_range(f->largest, 1, INTAKE_MAX);
    buf_fini(&text);
    buf_fini(&expected);
    end(f);
}

static void test_long_arrays(void **state)
{
    (void)state;
    assert_array_answered(0, INTAKE_MAX, 1);
    assert_array_answered(0, INTAKE_MAX + 1, 2);
    assert_array_answered(0, 3 * INTAKE_MAX, 3);
    assert_array_answered(INTAKE_MAX, 1, 2);
    assert_array_answered(INTAKE_MAX - 1, 2, 2);
    assert_array_answered(5, 2 * INTAKE_MAX - 5, 2);
}

/* More topics than a batch has events. */
static void test_batch_with_many_topics(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_NONE);
    struct buf text = {0};
    BUF_LITERAL(&text, "{\"type\":\"x\",\"topics\":[");
    for (unsigned i = 0; i < HUB_MAX_EVENT_TOPICS; i++)
        buf_printf(&text, "%s\"session:%u\"", i ? "," : "", i);
    BUF_LITERAL(&text, "]}");
    f->intake.sum_topics = true;
    for (unsigned i = 0; i < INTAKE_MAX; i++)
        add(f, buf_text(&text));
    assert_int_equal(flush(f), 200);
    assert_int_equal(f->batches, 1);
    assert_int_equal(f->intake.topics.count, HUB_MAX_EVENT_TOPICS);
    assert_heard(f, "");
    buf_fini(&text);
    end(f);
}

/* ---- Lines and sums ---- */

static void test_lines(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_NONE);
    f->intake.lines = true;
    add(f, "1");
    intake_flush(&f->intake);
    add(f, EVENT);
    add(f, "[" EVENT ",2]"); /* events are counted, not messages */
    add(f, "3");
    intake_flush(&f->intake);
    assert_heard(f, NOT_AN_EVENT ",\"line\":1}\n" NOT_AN_EVENT ",\"line\":4}\n" NOT_AN_EVENT
                                 ",\"line\":5}\n");
    end(f);
}

static void test_sums(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_BATCH);
    f->intake.sum_topics = true;
    assert_sum(f, "{\"published\":0,\"failed\":0,\"topics\":{}}");
    add(f, EVENT);
    add(f, "7");
    intake_flush(&f->intake);
    add(f, EVENT);
    intake_flush(&f->intake);
    assert_sum(f, "{\"published\":2,\"failed\":1,\"topics\":{\"session:a\":{\"offset\":2,"
                  "\"epoch\":\"#\"}}}");
    assert_sum(f, "{\"published\":0,\"failed\":0,\"topics\":{}}"); /* only since the last one */
    add(f, EVENT);
    intake_flush(&f->intake);
    assert_sum(f, "{\"published\":1,\"failed\":0,\"topics\":{\"session:a\":{\"offset\":3,"
                  "\"epoch\":\"#\"}}}");
    end(f);
}

static void test_sum_is_bounded(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_BATCH);
    struct buf sum = {0};
    char text[80];
    f->intake.sum_topics = true;
    for (unsigned i = 0; i < 1001; i++) {
        snprintf(text, sizeof text, "{\"topic\":\"session:%u\",\"type\":\"x\"}", i);
        add(f, text);
    }
    intake_flush(&f->intake);
    intake_append_sum(&f->intake, &sum);
    assert_memory_equal(sum.data, "{\"published\":1001,", 18);
    assert_non_null(strstr(buf_text(&sum), "}},\"topics_left_out\":true}"));
    buf_clear(&sum);
    add(f, EVENT);
    intake_flush(&f->intake);
    intake_append_sum(&f->intake, &sum);
    assert_null(strstr(buf_text(&sum), "topics_left_out"));
    buf_fini(&sum);
    end(f);
}

/* A publisher that goes away leaves events that were never handed over. */
static void test_left_behind(void **state)
{
    (void)state;
    struct fixture *f = begin(ACK_EACH);
    add(f, EVENT);
    add(f, "7");
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ack_mode_names),
        cmocka_unit_test(test_each_is_answered_in_order),
        cmocka_unit_test(test_batch_and_none_tell_errors_only),
        cmocka_unit_test(test_status_of_the_last),
        cmocka_unit_test(test_refusals_of_the_hub),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_unusual_values_are_counted),
        cmocka_unit_test(test_unreadable_event),
        cmocka_unit_test(test_out_of_memory_fails_one),
        cmocka_unit_test(test_no_memory_for_names),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_empty_array),
        cmocka_unit_test(test_broken_array),
        cmocka_unit_test(test_long_arrays),
        cmocka_unit_test(test_batch_with_many_topics),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_sum_is_bounded),
        cmocka_unit_test(test_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
