/* What publishers are answered: places of accepted events, and refusals. */
#include "../test.h"

#include "api/publish_event.h"
#include "codec/cursor.h"
#include "fanfare/error.h"
#include "hub/catalogue.h"

#define CUSTOM "{\"topic\":\"session:a\",\"type\":\"made_up\","

/* Parses an event that must be accepted. The caller frees its event and the names. */
static struct parsed_event accept(const char *text, struct buf *names)
{
    struct parsed_event parsed;
    struct publish_failure failure;
    if (publish_event_parse(slice_from(text), 1000, names, &parsed, &failure) != 0)
        fail_msg("%s: %s", text, failure.message);
    return parsed;
}

static void assert_text(struct buf *out, const char *expected)
{
    assert_string_equal(buf_text(out), expected);
    buf_fini(out);
}

static void test_refusals_of_the_hub(void **state)
{
    (void)state;
    static const struct {
        int error, status;
        const char *code, *field, *message;
    } cases[] = {
        {FAN_E_EXISTS, 422, "invalid_event", "id",
         "id was used a moment ago for an event with other topics"},
        {FAN_E_INVALID, 422, "invalid_event", "topics", "topics must not name a topic twice"},
        {FAN_E_LIMIT, 503, "too_many_topics", "", "the server has as many topics as it can"},
        {FAN_E_NO_MEMORY, 503, "out_of_memory", "", "not enough memory for this event"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct publish_failure failure;
        publish_event_refused(cases[i].error, "", &failure);
        assert_int_equal(failure.status, cases[i].status);
        assert_string_equal(failure.code, cases[i].code);
        assert_string_equal(failure.field, cases[i].field);
        assert_string_equal(failure.message, cases[i].message);
    }
}

static void test_failure_json(void **state)
{
    (void)state;
    struct buf out = {0};
    publish_failure_append(&out,
                           &(struct publish_failure){422, "invalid_event", "time", "no \"x\""});
    assert_text(&out, "{\"error\":{\"status\":422,\"code\":\"invalid_event\",\"message\":\"no "
                      "\\\"x\\\"\",\"field\":\"time\"}");
    publish_failure_append(&out, &(struct publish_failure){400, "invalid_json", "", "cut \xc3"});
    assert_text(&out, "{\"error\":{\"status\":400,\"code\":\"invalid_json\",\"message\":\"cut "
                      "\xef\xbf\xbd\"}");
}

static uint64_t no_time(void)
{
    return 1000;
}

static void ones(void *out, size_t n)
{
    memset(out, 1, n);
}

static void nothing(struct publish_batch *batch)
{
    (void)batch;
}

static void accept_item(struct hub *h, struct publish_item *item)
{
    struct publish_item *items[] = {item};
    hub_accept(h, &(struct publish_batch){.items = items, .count = 1, .done = nothing});
    assert_int_equal(item->error, 0);
}

static struct hub *small_hub(void)
{
    struct hub_config config = {
        .memory_limit = 1 << 20,
        .workers = 1,
        .idempotency_ms = 600000,
        .monotonic_ms = no_time,
        .random = ones,
    };
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        config.kinds[kind] = (struct topic_limits){.count = 100, .idle_ms = 600000};
    return hub_new(&config);
}

/* `#` stands for the epoch of each place in its turn. */
static void assert_result_text(const struct event *e, struct buf *out, const char *expected)
{
    struct buf text = {0};
    char epoch[EPOCH_TEXT_SIZE];
    unsigned place = 0;
    for (const char *at = expected; *at; at++) {
        if (*at != '#') {
            buf_append_char(&text, *at);
            continue;
        }
        epoch_format(e->places[place++].epoch, epoch);
        buf_append_text(&text, epoch);
    }
    assert_string_equal(buf_text(out), buf_text(&text));
    buf_fini(&text);
}

/* Publishes the event so many times and compares the last result. */
static void assert_result(struct hub *h, const char *text, unsigned times, const char *expected)
{
    static const struct slice topics[] = {NAME("session:a"), NAME("session:b")};
    struct buf names = {0}, out = {0};
    while (times--) {
        struct parsed_event parsed = accept(text, &names);
        struct publish_item item = {.event = parsed.event, .topics = topics};
        accept_item(h, &item);
        publish_result_append(&out, &item, parsed.many);
        if (times == 0)
            assert_result_text(item.event, &out, expected);
        buf_clear(&out);
        event_unref(item.event);
    }
    buf_fini(&names);
    buf_fini(&out);
}

#define AT "\"time\":\"2026-01-31T12:00:00.000Z\""

static void test_results(void **state)
{
    (void)state;
    struct hub *h = small_hub();
    assert_result(h, CUSTOM AT "}", 1,
                  "{\"topic\":\"session:a\",\"offset\":1,\"epoch\":\"#\"," AT "}");
    assert_result(h, "{\"topics\":[\"session:a\",\"session:b\"],\"type\":\"x\"," AT "}", 1,
                  "{\"results\":[{\"topic\":\"session:a\",\"offset\":2,\"epoch\":\"#\"," AT "},"
                  "{\"topic\":\"session:b\",\"offset\":1,\"epoch\":\"#\"," AT "}]}");
    assert_result(h, "{\"topics\":[\"session:a\"],\"type\":\"x\"," AT "}", 1,
                  "{\"results\":[{\"topic\":\"session:a\",\"offset\":3,\"epoch\":\"#\"," AT "}]}");
    assert_result(h, CUSTOM AT ",\"ephemeral\":true}", 1,
                  "{\"topic\":\"session:a\",\"epoch\":\"#\"," AT "}");
    assert_result(h, CUSTOM AT ",\"id\":\"i\"}", 2,
                  "{\"topic\":\"session:a\",\"offset\":4,\"epoch\":\"#\"," AT
                  ",\"duplicate\":true}");
    hub_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_of_the_hub),
        cmocka_unit_test(test_failure_json),
        cmocka_unit_test(test_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
