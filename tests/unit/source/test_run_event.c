/* The data of a run's events is JSON, whatever bytes the command has. */
#include "../test.h"

#include <signal.h>

#include "codec/json.h"
#include "source/run_event.h"

static void expect(struct buf *out, const char *json)
{
    struct json_value value;
    assert_int_equal(json_parse(buf_slice(out), &value, NULL), 0);
    assert_string_equal(buf_text(out), json);
    buf_fini(out);
}

static void test_started(void **state)
{
    const char *const argv[] = {"sh",     "-c", "echo 'a b' \"$x\"", "", "plain-1.0/x=y",
                                "\xff\n", NULL};
    const struct winsize size = {.ws_col = 100, .ws_row = 30};
    struct run_beginning b = {.argv = (char *const *)argv, .directory = "/home/ada", .pid = 7};
    struct buf out = {0};
    (void)state;
    run_event_started(&out, &b);
    expect(&out, "{\"command\":\"sh -c 'echo '\\\\''a b'\\\\'' \\\"$x\\\"' '' plain-1.0/x=y "
                 "'\xef\xbf\xbd\\n'\",\"cwd\":\"/home/ada\",\"pid\":7,\"pty\":false}");
    b.size = &size;
    b.argv = (char *const *)argv + 4;
    run_event_started(&out, &b);
    expect(&out, "{\"command\":\"plain-1.0/x=y '\xef\xbf\xbd\\n'\",\"cwd\":\"/home/ada\","
                 "\"pid\":7,\"pty\":true,\"cols\":100,\"rows\":30}");
}

static void test_finished(void **state)
{
    struct buf out = {0};
    (void)state;
    run_event_finished(&out, &(struct run_end){.pid = 7, .exit_code = 3, .seconds = 1.5});
    expect(&out, "{\"exit_code\":3,\"signal\":null,\"duration\":1.5,\"pid\":7}");
    const char *const argv[] = {"make", "a b", NULL};
    run_event_finished(
        &out,
        &(struct run_end){.pid = 7, .seconds = 2, .argv = (char *const *)argv, .directory = "/w"});
    expect(&out, "{\"exit_code\":0,\"signal\":null,\"duration\":2,\"pid\":7,"
                 "\"command\":\"make 'a b'\",\"cwd\":\"/w\"}");
    run_event_finished(&out, &(struct run_end){.signal = SIGTERM});
    expect(&out, "{\"exit_code\":null,\"signal\":\"SIGTERM\",\"duration\":0}");
    run_event_finished(&out, &(struct run_end){.signal = SIGRTMIN + 1});
    expect(&out, "{\"exit_code\":null,\"signal\":\"35\",\"duration\":0}");
}

static void test_in_between(void **state)
{
    struct buf out = {0};
    (void)state;
    run_event_output(&out, SLICE("\x1b[1m\xc3\xa9\xff\0"), 1, "ninja");
    expect(&out, "{\"output\":\"\\u001b[1m\xc3\xa9\xef\xbf\xbd\\u0000\","
                 "\"output_type\":\"stderr\",\"source\":\"ninja\"}");
    run_event_gap(&out, 20 * 1024, 0);
    expect(&out, "{\"output\":\"\\r\\n[fanfare: 20 KiB of output left out here]\\r\\n\","
                 "\"output_type\":\"stdout\",\"source\":\"fanfare\",\"left_out\":20480}");
    run_event_progress(&out, &(struct progress){.total = 3, .completed = 1, .percent = 33.3});
    expect(&out, "{\"total\":3,\"completed\":1,\"percent\":33.3}");
    run_event_failed(&out, "x: \xff");
    expect(&out, "{\"error_message\":\"x: \xef\xbf\xbd\","
                 "\"error_type\":\"command_not_started\"}");
}

static void test_sizes(void **state)
{
    struct buf out = {0};
    (void)state;
    run_event_append_size(&out, 1023);
    BUF_LITERAL(&out, ", ");
    run_event_append_size(&out, 10 * 1024);
    BUF_LITERAL(&out, ", ");
    run_event_append_size(&out, (uint64_t)16 << 20);
    assert_string_equal(buf_text(&out), "1023 bytes, 10 KiB, 16 MiB");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_started),
        cmocka_unit_test(test_finished),
        cmocka_unit_test(test_in_between),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
