/* What `fanfare run` tells programs: where the lines go, what is in them, and what is counted. */
#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/run_report.h"
#include "codec/json.h"

static const char *const argv[] = {"make", "a b", NULL};

static void test_counting(void **state)
{
    char text[300];
    (void)state;
    memset(text, '\n', sizeof text);
    for (size_t len = 0; len <= sizeof text; len++) {
        struct run_written w = {0};
        run_written_add(&w, slice_of(text, len));
        assert_int_equal(w.lines, len);
        assert_int_equal(w.bytes, len);
    }
    memset(text, 'x', sizeof text);
    text[0] = text[63] = text[64] = text[299] = '\n';
    struct run_written w = {.lines = 1, .bytes = 5};
    run_written_add(&w, slice_of(text, sizeof text));
    assert_int_equal(w.lines, 5);
    assert_int_equal(w.bytes, 305);
}

/* The lines that were written to the file at fd since the last call. */
static const char *written(int fd)
{
    static char text[4096];
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

static void test_lines(void **state)
{
    char path[] = "/tmp/fanfare-report-XXXXXX";
    int fd = mkstemp(path);
    struct run_report r = {.session = "web", .link = NULL, .quiet = true, .fd = RUN_REPORT_NONE};
    struct run_end end = {.pid = 7, .argv = (char *const *)argv, .directory = "/w"};
    (void)state;
    assert_true(fd >= 0);
    assert_false(run_report_is_read(&r));
    run_report_finished(&r, &end, &(struct run_written){0}, &(struct run_losses){0});
    assert_int_equal(run_report_open(&r, path), 0);
    run_report_started(
        &r, &(struct run_beginning){.argv = (char *const *)argv, .directory = "/w", .pid = 7});
    assert_string_equal(written(fd), "{\"event\":\"started\",\"session\":\"web\",\"url\":null,"
                                     "\"command\":\"make 'a b'\",\"cwd\":\"/w\",\"pid\":7,"
                                     "\"pty\":false}\n");
    run_report_server_notice(&r, "connected", SLICE("to \xff\n"));
    assert_string_equal(written(fd),
                        "{\"event\":\"connected\",\"message\":\"to \xef\xbf\xbd\\n\"}\n");
    run_report_finished(&r, &end, &(struct run_written){.lines = 2, .bytes = 9},
                        &(struct run_losses){.left_out = 3, .undelivered = 4, .refused = 5});
    assert_string_equal(written(fd),
                        "{\"event\":\"finished\",\"session\":\"web\",\"url\":null,\"exit_code\":0,"
                        "\"signal\":null,\"duration\":0,\"pid\":7,\"command\":\"make 'a b'\","
                        "\"cwd\":\"/w\",\"lines\":2,\"bytes\":9,\"delivered\":false,"
                        "\"left_out\":3,\"undelivered\":4,\"refused\":5}\n");
    run_report_close(&r);
    assert_false(run_report_is_read(&r));
    close(fd);
    unlink(path);
}

static void test_opening(void **state)
{
    struct run_report r = {.fd = RUN_REPORT_NONE};
    char descriptor[32];
    int ends[2];
    (void)state;
    assert_int_equal(run_report_open(&r, "/no/such/directory/report"), ENOENT);
    assert_false(run_report_is_read(&r));
    assert_int_equal(run_report_open(&r, "/dev/fd/987654"), EBADF);
    assert_int_equal(pipe(ends), 0);
    snprintf(descriptor, sizeof descriptor, "/dev/fd/%d", ends[1]);
    assert_int_equal(run_report_open(&r, descriptor), 0);
    assert_int_not_equal(r.fd, ends[1]); /* which stays the caller's */
    assert_true(fcntl(r.fd, F_GETFD) & FD_CLOEXEC);
    run_report_close(&r);
    run_report_close(&r);
    assert_true(fcntl(ends[1], F_GETFD) >= 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
