/* Server-Sent Events out. */
#include "../test.h"

#include "codec/sse.h"

static void check_event(const char *id, const char *name, const char *data, const char *expected)
{
    struct buf out = {0};
    sse_append_event(&out, slice_from(id), slice_from(name), slice_from(data));
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void test_events(void **state)
{
    (void)state;
    check_event("", "", "x", "data: x\n\n");
    check_event("c1", "", "{\"a\":1}", "id: c1\ndata: {\"a\":1}\n\n");
    check_event("c1", "tick", "", "id: c1\nevent: tick\ndata: \n\n");
    check_event(NULL, NULL, NULL, "data: \n\n");
}

static void test_data_of_several_lines(void **state)
{
    (void)state;
    check_event("", "", "a\nb", "data: a\ndata: b\n\n");
    check_event("", "", "a\r\nb\rc\n", "data: a\ndata: b\ndata: c\ndata: \n\n");
    check_event("", "", "\n\n", "data: \ndata: \ndata: \n\n");
    check_event("", "", "a\r", "data: a\ndata: \n\n");
}

/* The caller's promise is broken, but nothing but id lines come of it. */
static void test_line_breaks_in_an_id_inject_nothing(void **state)
{
    (void)state;
    check_event("1\ndata: forged", "", "x", "id: 1\nid: data: forged\ndata: x\n\n");
}

static void test_comments_and_retry(void **state)
{
    (void)state;
    struct buf out = {0};
    sse_append_comment(&out, SLICE("still here"));
    sse_append_retry(&out, 2500);
    sse_append_comment(&out, SLICE("a\nb"));
    assert_string_equal(buf_text(&out), ": still here\n\nretry: 2500\n\n: a\n: b\n\n");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_data_of_several_lines),
        cmocka_unit_test(test_line_breaks_in_an_id_inject_nothing),
        cmocka_unit_test(test_comments_and_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
