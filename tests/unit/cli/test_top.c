/* What `fanfare top` knows, shows, and does at a key. */
#include "../test.h"

#include "base/memory.h"
#include "cli/top_view.h"

#define HEALTH                                                                                  \
    "{\"status\":\"healthy\",\"version\":\"1.2.3\",\"uptime\":%u,\"connections\":3,\"engine\":" \
    "{\"name\":\"memory\",\"status\":\"ok\"},\"flush\":\"send\",\"workers\":1}"

#define TOPICS                                                                             \
    "{\"topics\":[{\"topic\":\"session:a\",\"subscribers\":1,\"offset\":50,\"rate\":0.5}," \
    "{\"topic\":\"session:b\",\"subscribers\":9,\"offset\":7,\"rate\":12},"                \
    "{\"topic\":\"project:App\",\"subscribers\":0,\"offset\":1200,\"rate\":0}]}"

static struct top_sample make_sample(unsigned uptime, uint64_t at_ms, const char *metrics)
{
    struct top_sample s = {.at_ms = at_ms};
    struct buf text = {0};
    buf_printf(&text, HEALTH, uptime);
    assert_int_equal(top_read_health(&s, &text), 0);
    buf_append_text(&text, TOPICS);
    assert_int_equal(top_read_topics(&s, &text), 0);
    if (metrics)
        top_read_metrics(&s, slice_from(metrics));
    buf_fini(&text);
    return s;
}

static const char *const before_metrics =
    "# HELP fanfare_published_total x\nfanfare_published_total 100\nfanfare_ephemeral_total 10\n"
    "fanfare_deliveries_total 1000\nprocess_cpu_seconds_total 1.5\n"
    "fanfare_connections_refused_total{reason=\"a\"} 2\n"
    "fanfare_connections_refused_total{reason=\"b\"} 3\n";
static const char *const after_metrics =
    "fanfare_published_total 150\nfanfare_ephemeral_total 20\nfanfare_deliveries_total 4000\n"
    "process_cpu_seconds_total 2.5\n";

static void test_sample(void **state)
{
    struct top_sample s = make_sample(61, 0, before_metrics);
    (void)state;
    assert_true(slice_is(s.version, "1.2.3") && slice_is(s.engine, "memory"));
    assert_int_equal(s.topic_count, 3);
    assert_int_equal(s.topics[1].subscribers, 9);
    assert_true(s.has_figures && s.figures.published == 100 && s.figures.refused == 5);
    top_sample_fini(&s);
}

static void test_not_a_server(void **state)
{
    static const char *const texts[] = {"", "[]", "{}", "{\"status\":1}", "<html>"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct top_sample s = {0};
        struct buf text = {0};
        buf_append_text(&text, texts[i]);
        assert_int_not_equal(top_read_health(&s, &text), 0);
        buf_append_text(&text, texts[i]);
        assert_int_not_equal(top_read_topics(&s, &text), 0);
        top_sample_fini(&s);
    }
    struct top_sample odd = {0}; /* members of other kinds are left out, not trusted */
    struct buf text = {0};
    buf_append_text(&text, "{\"topics\":[1,{},{\"topic\":5,\"offset\":-3,\"rate\":\"x\"}]}");
    assert_int_equal(top_read_topics(&odd, &text), 0);
    assert_int_equal(odd.topic_count, 3);
    assert_int_equal(odd.topics[2].offset, 0);
    top_read_metrics(&odd, SLICE("fanfare_published_total\nfanfare_topics nan?\n x 1\n\n"));
    top_sample_fini(&odd);
}

static void test_rates(void **state)
{
    struct top_sample a = make_sample(10, 1000, before_metrics),
                      b = make_sample(12, 3000, after_metrics), again = make_sample(0, 5000, ""),
                      closed = make_sample(14, 5000, NULL);
    (void)state;
    struct top_rates r = top_rates_between(&a, &b);
    assert_true(r.known && r.events == 30 && r.deliveries == 1500 && r.cpu == 0.5);
    assert_false(top_rates_between(NULL, &b).known);
    assert_false(top_rates_between(&b, &again).known);  /* started again */
    assert_false(top_rates_between(&b, &closed).known); /* it does not tell */
    assert_false(top_rates_between(&b, &b).known);
    top_sample_fini(&a);
    top_sample_fini(&b);
    top_sample_fini(&again);
    top_sample_fini(&closed);
}

/* The names of the topics, in the order in which they stand in the picture. */
static void assert_order(const struct top_view *v, const struct top_sample *s, const char *expected)
{
    size_t count;
    struct buf names = {0};
    const struct top_topic **topics = top_view_select(v, s, &count);
    for (size_t i = 0; i < count; i++)
        buf_printf(&names, "%s%.*s", i ? " " : "", SLICE_ARG(topics[i]->name));
    assert_string_equal(buf_text(&names), expected);
    buf_fini(&names);
    memory_free(topics);
}

static void press(struct top_view *v, const char *keys)
{
    for (; *keys; keys++)
        top_view_key(v, *keys);
}

static void test_sort_and_filter(void **state)
{
    struct top_sample s = make_sample(1, 0, NULL);
    struct top_view v = {0};
    (void)state;
    assert_order(&v, &s, "session:b session:a project:App");
    press(&v, "o");
    assert_order(&v, &s, "project:App session:a session:b");
    press(&v, "t");
    assert_order(&v, &s, "project:App session:a session:b");
    press(&v, "r");
    assert_order(&v, &s, "session:b session:a project:App");
    press(&v, "ru/APP\r");
    assert_order(&v, &s, "project:App");
    assert_false(v.typing);
    press(&v, "/\x7f\x7f\x7f\x7f\x7fq:B\r"); /* q is a letter while the filter is typed */
    assert_string_equal(v.filter, "q:B");
    assert_order(&v, &s, "");
    press(&v, "/x\x1b");
    assert_string_equal(v.filter, "");
    assert_int_equal(top_view_key(&v, 'q'), TOP_QUIT);
    press(&v, "/");
    assert_int_equal(top_view_key(&v, 3), TOP_QUIT);
    top_sample_fini(&s);
}

static void test_filter_is_bounded(void **state)
{
    struct top_view v = {.typing = true};
    (void)state;
    for (int i = 0; i < 3 * TOP_FILTER_MAX; i++)
        top_view_key(&v, 'x');
    assert_int_equal(strlen(v.filter), TOP_FILTER_MAX);
}

static void test_key_sequences(void **state)
{
    static const struct {
        const char *bytes;
        size_t used;
        int key;
    } cases[] = {
        {"q", 1, 'q'},
        {"\x1b[A", 3, TOP_KEY_UP},
        {"\x1bOB", 3, TOP_KEY_DOWN},
        {"\x1b", 1, 0x1b},
        {"\x1b[5~", 4, TOP_KEY_PAGE_UP},
        {"\x1b[1;5Cx", 6, 0},
        {"\x1b[", 2, 0},
        {"\x1bq", 1, 0x1b},
        {"\x1b[200~", 6, 0},
    };
    int key;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(top_key_read(cases[i].bytes, strlen(cases[i].bytes), &key), cases[i].used);
        assert_int_equal(key, cases[i].key);
    }
    assert_int_equal(top_key_read("", 0, &key), 0);
}

static unsigned lines_of(const char *text)
{
    unsigned lines = 1;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* The picture is exactly as high as the terminal, and never wider. */
static void test_picture_fits(void **state)
{
    struct top_sample s = make_sample(1, 0, before_metrics);
    struct top_rates rates = {0};
    (void)state;
    for (unsigned rows = 7; rows < 30; rows += 5)
        for (unsigned columns = 60; columns < 140; columns += 30) {
            struct top_view v = {.rows = rows, .columns = columns, .url = "http://x", .help = true};
            struct buf out = {0};
            top_view_append(&out, &v, &s, &rates, "reconnecting: gone");
            assert_int_equal(lines_of(buf_text(&out)), rows);
            assert_non_null(strstr(buf_text(&out), "reconnecting: gone"));
            assert_non_null(strstr(buf_text(&out), "session:b"));
            buf_fini(&out);
        }
    top_sample_fini(&s);
}

static void test_scroll_ends_at_the_last_topic(void **state)
{
    struct top_sample s = make_sample(1, 0, NULL);
    struct top_view v = {.rows = 8, .columns = 80, .url = "http://x", .sort = TOP_BY_TOPIC};
    struct top_rates rates = {0};
    struct buf out = {0};
    (void)state;
    top_view_key(&v, TOP_KEY_END);
    top_view_append(&out, &v, &s, &rates, "");
    assert_int_equal(v.scroll, 1);
    assert_null(strstr(buf_text(&out), "project:App"));
    assert_non_null(strstr(buf_text(&out), "session:b"));
    top_view_key(&v, 'k');
    assert_int_equal(v.scroll, 0);
    top_view_key(&v, TOP_KEY_UP);
    assert_int_equal(v.scroll, 0);
    buf_fini(&out);
    top_sample_fini(&s);
}

static void assert_number(double number, const char *expected, const char *bytes)
{
    struct buf out = {0};
    top_append_number(&out, number);
    assert_string_equal(buf_text(&out), expected);
    buf_clear(&out);
    top_append_bytes(&out, number);
    assert_string_equal(buf_text(&out), bytes);
    buf_fini(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    assert_number(0, "0", "0 B");
    assert_number(0.54, "0.5", "0.5 B");
    assert_number(999, "999", "999 B");
    assert_number(999.9, "1.0k", "1000 B");
    assert_number(1536, "1.5k", "1.5 KiB");
    assert_number(123456, "123k", "121 KiB");
    assert_number(5e15, "5000T", "4547 TiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_not_a_server),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_sort_and_filter),
        cmocka_unit_test(test_filter_is_bounded),
        cmocka_unit_test(test_key_sequences),
        cmocka_unit_test(test_picture_fits),
        cmocka_unit_test(test_scroll_ends_at_the_last_topic),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
