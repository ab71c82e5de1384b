/* Intake: events of one publisher, handed over together and answered in their order; and the quota
 * of publishing. */
#include "../test.h"

#include <stdio.h>

#include "api/api.h"
#include "api/intake.h"
#include "base/clock.h"
#include "base/memory.h"
#include "codec/json.h"
#include "fanfare/error.h"

static struct net_shared shared;
static struct api api;
static struct intake intake;
static struct buf answers; /* a line each */

static uint64_t monotonic_ms(void)
{
    return 1000000;
}

static void not_random(void *out, size_t n)
{
    memset(out, 7, n);
}

/* The engine: accepts at once. */
static void engine_publish(struct engine *engine, struct publish_batch *batch)
{
    hub_accept(engine->hub, batch);
    batch->done(batch);
}

static void engine_free(struct engine *engine)
{
    memory_free(engine);
}

static const struct engine_ops engine_ops = {
    .name = "test", .publish = engine_publish, .free = engine_free};

static void note_answer(void *arg, struct slice line)
{
    struct json_value value;
    assert_ptr_equal(arg, &answers);
    assert_int_equal(json_parse(line, &value, NULL), 0);
    buf_append_slice(&answers, line);
    buf_append_char(&answers, '\n');
}

static const struct intake_ops ops = {note_answer};

static int open_api(void **state)
{
    (void)state;
    struct hub_config config = {.memory_limit = 1 << 30,
                                .workers = 1,
                                .idempotency_ms = 600000,
                                .monotonic_ms = monotonic_ms,
                                .random = not_random};
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        config.kinds[kind] = (struct topic_limits){.count = 100000, .idle_ms = 600000};
    struct engine *engine = memory_zero(sizeof *engine);
    engine->ops = &engine_ops;
    memset(&api, 0, sizeof api);
    api.shared = &shared;
    atomic_store(&shared.limits.message_size, 1000);
    api.hub = hub_new(&config);
    hub_set_engine(api.hub, engine);
    return 0;
}

static int close_api(void **state)
{
    (void)state;
    intake_fini(&intake);
    buf_fini(&answers);
    hub_free(api.hub);
    return 0;
}

static void begin(enum ack_mode ack)
{
    intake_init(&intake, &api, ack, &ops, &answers);
}

static void add(const char *text)
{
    intake_add(&intake, slice_from(text));
}

static void add_message(const char *text)
{
    intake_add_message(&intake, slice_from(text));
}

#define EVENT "{\"topic\":\"session:a\",\"type\":\"x\"}"

/* The answers with the epochs and times taken out. */
static const char *told(void)
{
    static char text[8192];
    size_t at = 0;
    struct slice rest = buf_slice(&answers);
    while (rest.len && at < sizeof text - 1) {
        bool noise = slice_starts(rest, ",\"epoch\"") || slice_starts(rest, ",\"time\"");
        if (!noise) {
            text[at++] = rest.ptr[0];
            rest = slice_skip(rest, 1);
            continue;
        }
        for (unsigned quotes = 0; rest.len && quotes < 4; rest = slice_skip(rest, 1))
            quotes += rest.ptr[0] == '"';
    }
    text[at] = '\0';
    return text;
}

static unsigned lines(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < answers.len; i++)
        n += answers.data[i] == '\n';
    return n;
}

static void test_an_answer_for_each(void **state)
{
    (void)state;
    begin(ACK_EACH);
    add(EVENT);
    add("{\"topics\":[\"session:a\",\"global\"],\"type\":\"x\"}");
    add("{\"topic\":\"session:a\",\"type\":\"x\",\"ephemeral\":true}");
    assert_int_equal(answers.len, 0);
    assert_int_equal(intake_flush(&intake), 200);
    assert_string_equal(told(), "{\"topic\":\"session:a\",\"offset\":1}\n"
                                "{\"results\":[{\"topic\":\"session:a\",\"offset\":2},"
                                "{\"topic\":\"global\",\"offset\":1}]}\n"
                                "{\"topic\":\"session:a\"}\n");
    assert_int_equal(intake_flush(&intake), 200);
    assert_int_equal(lines(), 3);
}

static void test_failures_stand_in_their_place(void **state)
{
    (void)state;
    const struct publish_failure unread = {.status = 413, .code = "too_large", .message = "long"};
    begin(ACK_EACH);
    intake.lines = true;
    add(EVENT);
    add("{");
    add("{\"topics\":[\"session:a\",\"session:a\"],\"type\":\"x\"}"); /* the hub refuses it */
    intake_add_failure(&intake, &unread);
    add(EVENT);
    assert_int_equal(intake_flush(&intake), 200);
    assert_int_equal(lines(), 5);
    assert_non_null(strstr(told(), "\"line\":2}"));
    assert_non_null(strstr(told(), "twice"));
    assert_non_null(strstr(told(), "\"line\":3}"));
    assert_non_null(strstr(told(), "\"too_large\""));
    assert_non_null(strstr(told(), "\"offset\":2}\n"));
    add("{");
    assert_int_equal(intake_flush(&intake), 400);
    assert_non_null(strstr(told(), "\"line\":6}"));
}

static void test_the_same_id_again(void **state)
{
    (void)state;
    begin(ACK_EACH);
    add("{\"topic\":\"session:a\",\"type\":\"x\",\"id\":\"i\"}");
    add(EVENT);
    add("{\"topic\":\"session:a\",\"type\":\"x\",\"id\":\"i\"}");
    assert_int_equal(intake_flush(&intake), 200);
    assert_non_null(strstr(told(), "\"offset\":2}\n{\"topic\":\"session:a\",\"offset\":1,"));
    add("{\"topics\":[\"session:a\",\"global\"],\"type\":\"x\",\"id\":\"i\"}");
    assert_int_equal(intake_flush(&intake), 422);
}

/* An array is answered with an array, whatever it has to be cut into. */
static void test_arrays(void **state)
{
    (void)state;
    struct buf text = {0};
    begin(ACK_EACH);
    add_message(" [" EVENT " , {} ] ");
    add_message("[]");
    add_message(EVENT);
    intake_flush(&intake);
    assert_int_equal(lines(), 3);
    assert_int_equal(strncmp(told(), "[{\"topic\":\"session:a\",\"offset\":1},{\"error\":", 42), 0);
    assert_non_null(strstr(told(), "}]\n[]\n{\"topic\":\"session:a\",\"offset\":2}\n"));
    buf_clear(&answers);
    BUF_LITERAL(&text, "[");
    for (unsigned i = 0; i < 3 * INTAKE_MAX; i++)
        buf_append_text(&text, i ? "," EVENT : EVENT);
    BUF_LITERAL(&text, "]");
    add(EVENT);
    intake_add_message(&intake, buf_slice(&text));
    add(EVENT);
    intake_flush(&intake);
    assert_int_equal(lines(), 3);
    struct json_value array, element;
    struct slice rest = buf_slice(&answers), line;
    slice_split(&rest, '\n', &line);
    slice_split(&rest, '\n', &line);
    assert_int_equal(json_parse(line, &array, NULL), 0);
    unsigned count = 0;
    for (struct json_iter it = json_elements(array); json_next_element(&it, &element);)
        count++;
    assert_int_equal(count, 3 * INTAKE_MAX);
    buf_fini(&text);
}

static void test_broken_arrays(void **state)
{
    (void)state;
    begin(ACK_EACH);
    add_message("[" EVENT);
    add_message("[" EVENT ",]");
    add_message("");
    add_message("[[" EVENT "]]");
    intake_flush(&intake);
    assert_int_equal(lines(), 4);
    struct hub_stats stats;
    hub_stats(api.hub, &stats);
    assert_int_equal(stats.published, 0);
}

static void test_sums(void **state)
{
    (void)state;
    struct buf sum = {0};
    struct json_value object, value, topics;
    begin(ACK_BATCH);
    intake.sum_topics = true;
    for (unsigned i = 0; i < 2 * INTAKE_MAX + 5; i++)
        add(EVENT);
    add("{");
    add("{\"topic\":\"global\",\"type\":\"x\"}");
    intake_flush(&intake);
    assert_int_equal(lines(), 1); /* what went wrong */
    intake_append_sum(&intake, &sum);
    assert_int_equal(json_parse(buf_slice(&sum), &object, NULL), 0);
    assert_true(json_find(object, SLICE("published"), &value));
    assert_true(slice_is(value.text, "262"));
    assert_true(json_find(object, SLICE("failed"), &value));
    assert_true(slice_is(value.text, "1"));
    assert_true(json_find(object, SLICE("topics"), &topics));
    assert_true(json_find(topics, SLICE("session:a"), &value));
    assert_true(json_find(value, SLICE("offset"), &value));
    assert_true(slice_is(value.text, "261"));
    buf_clear(&sum);
    intake_append_sum(&intake, &sum);
    assert_string_equal(buf_text(&sum), "{\"published\":0,\"failed\":0,\"topics\":{}}");
    buf_fini(&sum);
}

static void test_sums_are_bounded(void **state)
{
    (void)state;
    struct buf sum = {0};
    char text[64];
    begin(ACK_NONE);
    intake.sum_topics = true;
    for (unsigned i = 0; i < 1100; i++) {
        snprintf(text, sizeof text, "{\"topic\":\"session:%u\",\"type\":\"x\"}", i);
        add(text);
    }
    intake_flush(&intake);
    assert_int_equal(lines(), 0);
    intake_append_sum(&intake, &sum);
    assert_non_null(strstr(buf_text(&sum), "\"topics_left_out\":true"));
    buf_fini(&sum);
}

static void test_fini_in_the_middle(void **state)
{
    (void)state;
    begin(ACK_EACH);
    add(EVENT);
    add("{");
    add_message("[" EVENT "," EVENT "]");
    intake_fini(&intake);
    assert_int_equal(answers.len, 0);
    begin(ACK_EACH);
}

static void test_ack_modes(void **state)
{
    (void)state;
    enum ack_mode mode;
    begin(ACK_EACH);
    assert_true(ack_mode_parse(SLICE("none"), &mode));
    assert_int_equal(mode, ACK_NONE);
    assert_true(ack_mode_parse(SLICE("batch"), &mode));
    assert_true(ack_mode_parse(SLICE("each"), &mode));
    assert_false(ack_mode_parse(SLICE("all"), &mode));
    assert_false(ack_mode_parse(SLICE(""), &mode));
}

/* A burst of one second, then as fast as the limit says. */
static void test_quota(void **state)
{
    (void)state;
    begin(ACK_EACH);
    assert_int_equal(api_publish_quota(&api, 1000000), 0);
    static const uint64_t rates[] = {1, 100, 300000, 3000000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        uint64_t rate = rates[i];
        atomic_store(&api.publish_limit, rate);
        atomic_store(&api.publish_ready_ns, 0);
        assert_int_equal(api_publish_quota(&api, rate), 0);
        uint64_t wait = api_publish_quota(&api, 2 * rate);
        assert_in_range(wait, 1900, 2001);
        assert_in_range(api_publish_quota(&api, 0), 1800, 2001);
    }
    /* Event by event it is the same. */
    atomic_store(&api.publish_limit, 700000);
    atomic_store(&api.publish_ready_ns, 0);
    uint64_t start = clock_ns();
    for (unsigned i = 0; i < 1400000; i++)
        api_publish_quota(&api, 1);
    uint64_t took_ms = (clock_ns() - start) / 1000000;
    if (took_ms < 900)
        assert_in_range(api_publish_quota(&api, 1) + took_ms, 990, 1010);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_api, close_api)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_answer_for_each), TEST(test_failures_stand_in_their_place),
        TEST(test_the_same_id_again),  TEST(test_arrays),
        TEST(test_broken_arrays),      TEST(test_sums),
        TEST(test_sums_are_bounded),   TEST(test_fini_in_the_middle),
        TEST(test_ack_modes),          TEST(test_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
