/* Commands as child processes: what they get, what becomes of them, and what cannot be started. */
#include "../test.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fanfare/error.h"
#include "source/child.h"

struct fixture {
    struct child child;
    struct child_options options;
    sigset_t mask;
    struct buf output, why;
    int value;
};

static void init(struct fixture *f, char *const *argv)
{
    memset(f, 0, sizeof *f);
    sigemptyset(&f->mask);
    f->options = (struct child_options){.argv = argv,
                                        .output = CHILD_PIPE,
                                        .error = CHILD_WITH_OUTPUT,
                                        .mask = &f->mask,
                                        .terminal = -1,
                                        .size = {.ws_row = 33, .ws_col = 99}};
    cfmakeraw(&f->options.settings);
}

static void init_session(struct fixture *f, char *const *argv)
{
    init(f, argv);
    f->options.session = true;
    f->options.output = f->options.error = CHILD_TERMINAL;
    f->options.settings.c_lflag |= ISIG;
    f->options.settings.c_cc[VINTR] = 3;
}

static void fini(struct fixture *f)
{
    child_close(&f->child);
    buf_fini(&f->output);
    buf_fini(&f->why);
}

/* Reads a stream until it ends (a pipe) or says that nobody writes any more (a terminal). */
static void read_stream(struct fixture *f, int stream)
{
    struct pollfd p = {.fd = f->child.outputs[stream], .events = POLLIN};
    ssize_t n;
    do {
        assert_int_equal(poll(&p, 1, 10000), 1);
        char *room = buf_reserve(&f->output, 4096);
        n = read(p.fd, room, 4096);
        if (n > 0)
            buf_commit(&f->output, (size_t)n);
    } while (n > 0 || (n < 0 && errno == EAGAIN));
}

static void expect_output(struct fixture *f, const char *text)
{
    assert_string_equal(buf_text(&f->output), text);
}

/* Reads what is there until the text has come. */
static void await_output(struct fixture *f, const char *text)
{
    struct pollfd p = {.fd = f->child.outputs[0], .events = POLLIN};
    while (!strstr(buf_text(&f->output), text)) {
        assert_int_equal(poll(&p, 1, 10000), 1);
        char *room = buf_reserve(&f->output, 4096);
        ssize_t n = read(p.fd, room, 4096);
        assert_true(n > 0);
        buf_commit(&f->output, (size_t)n);
    }
}

static enum child_state await_state(struct fixture *f)
{
    enum child_state state;
    struct pollfd control = {.fd = f->child.control, .events = POLLIN};
    while ((state = child_poll(&f->child, &f->value)) == CHILD_RUNS)
        poll(&control, 1, f->child.session ? 10000 : 1);
    return state;
}

#define COMMAND(...) ((char *const *)(const char *const[]){__VA_ARGS__, NULL})

static void test_pipes(void **state)
{
    struct fixture f;
    (void)state;
    init(&f, COMMAND("sh", "-c", "printf 'a\\nb'; printf error >&2; exit 3"));
    f.options.error = CHILD_PIPE;
    assert_int_equal(child_start(&f.child, &f.options, &f.why), 0);
    assert_int_equal(f.child.pid, f.child.process);
    read_stream(&f, 0);
    expect_output(&f, "a\nb");
    buf_clear(&f.output);
    read_stream(&f, 1);
    expect_output(&f, "error");
    assert_int_equal(await_state(&f), CHILD_EXITED);
    assert_int_equal(f.value, 3);
    fini(&f);
}

static void test_shared_pipe_and_signal(void **state)
{
    struct fixture f;
    (void)state;
    init(&f, COMMAND("sh", "-c", "echo out; echo error >&2; echo out; kill -USR1 $$"));
    assert_int_equal(child_start(&f.child, &f.options, &f.why), 0);
    assert_int_equal(f.child.outputs[1], -1);
    read_stream(&f, 0);
    expect_output(&f, "out\nerror\nout\n");
    assert_int_equal(await_state(&f), CHILD_KILLED);
    assert_int_equal(f.value, SIGUSR1);
    fini(&f);
}

static void test_terminal_for_output(void **state)
{
    struct fixture f;
    (void)state;
    init(&f, COMMAND("sh", "-c", "test -t 1 && test -t 2 && stty size <&1; ps -o pgid= -p $$"));
    f.options.output = f.options.error = CHILD_TERMINAL;
    assert_int_equal(child_start(&f.child, &f.options, &f.why), 0);
    read_stream(&f, 0);
    char expected[64];
    snprintf(expected, sizeof expected, "33 99\n%d\n", (int)getpgrp());
    char *group = strpbrk(buf_text(&f.output) + 6, "0123456789"); /* ps aligns it */
    assert_memory_equal(buf_text(&f.output), expected, 6);
    assert_string_equal(group, expected + 6);
    assert_null(strchr(buf_text(&f.output), '\r'));
    assert_int_equal(await_state(&f), CHILD_EXITED);
    fini(&f);
}

static void test_cannot_start(void **state)
{
    const struct {
        const char *name;
        int error;
    } cases[] = {{"no-such-command", FAN_E_NOT_FOUND},
                 {"/no/such/file", FAN_E_NOT_FOUND},
                 {"/", FAN_E_DENIED},
                 {"/etc/passwd", FAN_E_DENIED}};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        char *const argv[] = {(char *)cases[i / 2].name, NULL};
        (i % 2 ? init_session : init)(&f, argv);
        assert_int_equal(child_start(&f.child, &f.options, &f.why), cases[i / 2].error);
        assert_true(f.why.len > 0);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
        assert_int_equal(errno, ECHILD);
        fini(&f);
    }
}

static void test_session(void **state)
{
    struct fixture f;
    (void)state;
    init_session(&f, COMMAND("sh", "-c",
                             "echo ready; read line; echo \"<$line>\"; stty size; "
                             "test -t 0 && tty >/dev/null && exit 5"));
    assert_int_equal(child_start(&f.child, &f.options, &f.why), 0);
    assert_true(f.child.pid != f.child.process);
    await_output(&f, "ready");
    assert_int_equal(write(f.child.terminal, "hello\n", 6), 6);
    await_output(&f, "33 99");
    assert_non_null(strstr(buf_text(&f.output), "<hello>"));
    assert_int_equal(await_state(&f), CHILD_EXITED);
    assert_int_equal(f.value, 5);
    fini(&f);
}

static void test_session_keys_send_signals(void **state)
{
    struct fixture f;
    (void)state;
    init_session(&f, COMMAND("sh", "-c", "echo ready; exec sleep 100"));
    assert_int_equal(child_start(&f.child, &f.options, &f.why), 0);
    await_output(&f, "ready");
    assert_int_equal(write(f.child.terminal, "\003", 1), 1);
    assert_int_equal(await_state(&f), CHILD_KILLED);
    assert_int_equal(f.value, SIGINT);
    fini(&f);
}

static void test_session_stops_and_goes_on(void **state)
{
    struct fixture f;
    (void)state;
    init_session(&f, COMMAND("sh", "-c", "echo ready; kill -TSTP $$; echo on; exit 4"));
    assert_int_equal(child_start(&f.child, &f.options, &f.why), 0);
    assert_int_equal(await_state(&f), CHILD_STOPPED);
    assert_int_equal(f.value, SIGTSTP);
    assert_int_equal(kill(-f.child.pid, SIGCONT), 0);
    await_output(&f, "on\n");
    assert_int_equal(await_state(&f), CHILD_EXITED);
    assert_int_equal(f.value, 4);
    fini(&f);
}

/* When we are gone, so is the command. */
static void test_session_ends_with_us(void **state)
{
    struct fixture f;
    (void)state;
    init_session(&f, COMMAND("sh", "-c", "echo ready; exec sleep 100"));
    assert_int_equal(child_start(&f.child, &f.options, &f.why), 0);
    await_output(&f, "ready");
    child_close(&f.child);
    assert_int_equal(waitpid(f.child.process, NULL, 0), f.child.process);
    while (kill(f.child.pid, 0) == 0)
        usleep(1000); /* until init has reaped it */
    fini(&f);
}

static void test_signals_are_as_the_caller_says(void **state)
{
    struct fixture f;
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    init(&f, COMMAND("grep", "-E", "SigBlk|SigIgn", "/proc/self/status"));
    sigaddset(&f.mask, SIGUSR2);
    assert_int_equal(child_start(&f.child, &f.options, &f.why), 0);
    read_stream(&f, 0);
    /* Whoever runs the tests may ignore signals, too: those stay ignored. */
    unsigned long blocked, ignored;
    assert_int_equal(sscanf(buf_text(&f.output), "SigBlk:%lx SigIgn:%lx", &blocked, &ignored), 2);
    assert_int_equal(blocked, 1ul << (SIGUSR2 - 1));
    assert_int_equal(ignored & 1ul << (SIGPIPE - 1), 0);
    assert_int_equal(await_state(&f), CHILD_EXITED);
    fini(&f);
    signal(SIGPIPE, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_shared_pipe_and_signal),
        cmocka_unit_test(test_terminal_for_output),
        cmocka_unit_test(test_cannot_start),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_session_keys_send_signals),
        cmocka_unit_test(test_session_stops_and_goes_on),
        cmocka_unit_test(test_session_ends_with_us),
        cmocka_unit_test(test_signals_are_as_the_caller_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
