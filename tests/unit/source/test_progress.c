/* Progress read from real outputs of build tools, whole and in pieces, and from numbers that are
 * no progress. */
#include "../test.h"

#include <stdio.h>

#include "base/buf.h"
#include "source/progress.h"

struct run {
    struct progress_parser parser;
    uint64_t now_ms;
    struct buf story; /* "1/4 2/4 …": each change */
};

static void begin(struct run *r)
{
    memset(r, 0, sizeof *r);
    r->now_ms = 1000;
}

static void feed(struct run *r, struct slice text)
{
    struct progress progress;
    if (!progress_parser_feed(&r->parser, 0, text, r->now_ms))
        return;
    assert_true(progress_parser_get(&r->parser, &progress));
    assert_true(progress.completed <= progress.total && progress.total > 0);
    assert_true(progress.percent >= 0 && progress.percent <= 100);
    buf_printf(&r->story, "%s%u/%u", r->story.len ? " " : "", progress.completed, progress.total);
}

static void feed_lines(struct run *r, const char *const *lines)
{
    for (; *lines; lines++) {
        feed(r, slice_from(*lines));
        feed(r, SLICE("\n"));
    }
}

static void expect(struct run *r, const char *story)
{
    assert_string_equal(buf_text(&r->story), story);
    buf_fini(&r->story);
}

/* The story of the lines, each ended by "\n". */
static void check_lines(const char *const *lines, const char *story)
{
    struct run r;
    begin(&r);
    feed_lines(&r, lines);
    expect(&r, story);
}

#define CHECK(story, ...) check_lines((const char *const[]){__VA_ARGS__, NULL}, story)

/* ---- Real outputs ---- */

static struct slice read_file(const char *name, char *text, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, TEST_DATA "/progress/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(text, 1, size, file);
    fclose(file);
    assert_true(len > 0 && len < size);
    return slice_of(text, len);
}

/* In pieces of every size the end is the same; byte by byte every step is seen. */
static void check_file(const char *name, const char *story, const char *last)
{
    char text[32768];
    struct slice whole = read_file(name, text, sizeof text);
    for (size_t step = 1; step < 4000; step = step * 3 + 1) {
        struct run r;
        struct progress end;
        begin(&r);
        for (size_t at = 0; at < whole.len; at += step)
            feed(&r, slice_of(text + at, step < whole.len - at ? step : whole.len - at));
        assert_true(progress_parser_get(&r.parser, &end));
        char shown[32];
        snprintf(shown, sizeof shown, "%u/%u", end.completed, end.total);
        assert_string_equal(shown, last);
        if (step == 1 && story)
            assert_string_equal(buf_text(&r.story), story);
        buf_fini(&r.story);
    }
}

static void test_real_outputs(void **state)
{
    (void)state;
    check_file("ninja.txt", "1/9 2/9 3/9 4/9 5/9 6/9 7/9 8/9 9/9", "9/9");
    check_file("ninja-terminal.txt", "0/9 1/9 2/9 3/9 4/9 5/9 6/9 7/9 8/9 9/9", "9/9");
    check_file("make.txt", "22/100 44/100 55/100 66/100 77/100 88/100 100/100", "100/100");
    check_file("make-terminal.txt", NULL, "100/100");
    check_file("ctest.txt", "1/7 2/7 3/7 4/7 5/7 6/7 7/7", "7/7");
    check_file("cargo.txt", "0/12 1/12 2/12 3/12 4/12 5/12 6/12 7/12 8/12 9/12 10/12 11/12 12/12",
               "12/12");
    check_file("git-clone.txt", NULL, "1620/1620");
}

/* Four test programs, each with three tests. */
static void test_rust_tests(void **state)
{
    (void)state;
    check_file("cargo-test.txt", "1/3 2/3 3/3 1/3 2/3 3/3 1/3 2/3 3/3 1/3 2/3 3/3", "3/3");
}

/* ---- Formats ---- */

static void test_formats(void **state)
{
    (void)state;
    CHECK("12/345", "[12/345] CC main.o");
    CHECK("12/100", "[ 12%] Building C object main.o");
    CHECK("12/65", " 12/65 Test #12: name ......   Passed    0.03 sec");
    CHECK("2/30", " 2/30 suite / name        OK              0.05s");
    CHECK("3/7", "Step 3/7 : RUN make");
    CHECK("1234/5678", "[1,234 / 5,678] Compiling foo.cc; 3s");
    CHECK("3/7", "[INFO] Building module-c 1.0-SNAPSHOT                [3/7]");
    CHECK("3/10 4/10 10/10", "Test Suites: 1 failed, 2 passed, 3 of 10 total",
          "Test Suites: 4 of 10 total", "Test Suites: 10 passed, 10 total");
    CHECK("12/345", "    \x1b[1m\x1b[36mBuilding\x1b[0m [==>        ] 12/345: serde, libc");
}

static void test_pytest(void **state)
{
    (void)state;
    CHECK("3/24 12/24 24/24", "============ test session starts ============", "collected 24 items",
          "", "tests/test_a.py ...F                                     [ 12%]",
          "tests/test_b.py ........                                     [ 50%]",
          "tests/test_c.py ............                                 [100%]");
    CHECK("12/100", "tests/test_a.py ...F                 [ 12%]");
    CHECK("2/8", "collected 9 items / 1 deselected / 8 selected", "a.py ..      [ 25%]");
    CHECK("4/40", "collecting ... collected 40 items",
          "[gw1] [ 10%] PASSED tests/test_a.py::test_x");
    CHECK("5/40", "collected 40 items", "tests/test_a.py .....                   [ 5/40]");
}

/* Old npm draws a bar; what it fills is all that is known. */
static void test_npm(void **state)
{
    struct run r;
    (void)state;
    begin(&r);
    feed(&r, SLICE("\r\xe2\xb8\xa8#\xe2\xa0\x82\xe2\xa0\x82\xe2\xa0\x82\xe2\xa0\x82\xe2\xb8\xa9 "
                   "idealTree"));
    feed(&r, SLICE("\r\xe2\xb8\xa8##\xe2\xa0\x82\xe2\xa0\x82\xe2\xa0\x82\xe2\xb8\xa9 reify"));
    feed(&r, SLICE("\r\xe2\xb8\xa8####\xe2\xa0\x82\xe2\xb8\xa9 reify"));
    expect(&r, "40/100 80/100");
}

static void test_percentages(void **state)
{
    struct run r;
    struct progress progress;
    (void)state;
    CHECK("30/100 45/100", "Downloading: 10%", "Downloading: 30%", "Downloading: 45%");
    CHECK("90/100", "phase one 10 %", "phase one 50 %", "phase one 90 %");
    CHECK("20/100 30/100", "<s> [webpack.Progress] 10% building",
          "<s> [webpack.Progress] 20% building", "<s> [webpack.Progress] 30% sealing");
    CHECK("450/1000", "Receiving objects:  10% (100/1000)", "Receiving objects:  45% (450/1000)");
    begin(&r);
    feed(&r, SLICE("\r 10.5%|#    |"));
    feed(&r, SLICE("\r 20.5%|##   |"));
    feed(&r, SLICE("\r 33.3%|###  |"));
    assert_true(progress_parser_get(&r.parser, &progress));
    assert_int_equal(progress.completed, 33);
    assert_true(progress.percent > 33.29 && progress.percent < 33.31);
    expect(&r, "33/100");
}

/* ---- Numbers that are no progress ---- */

static void test_no_progress(void **state)
{
    (void)state;
    CHECK("", "see [1/2] in the manual", "as in part [1/2]", "(12/345) files", "12/345",
          "at 12/11/2026 10%3", "a 12/65 Test of patience");
    CHECK("", "[12/3] more than all", "[0/0] nothing", "[1/2", "[/2] x", "[1/] x", "[1/2]x",
          "[123456789/999999999] x", "[101%] Building", "[ 12%]x");
    CHECK("", "50% faster", "100% of tests passed", "up 3% since", "99% tests passed, 1 failed");
    CHECK("", "CPU 10%", "CPU 20%", "CPU 30%", "CPU 40%");
    CHECK("", "coverage: 10%", "coverage: 20%", "coverage: 30%");
    CHECK("", "load 10%", "load 5%", "load 10%", "load 20%", "load 30%", "load 40%");
    CHECK("", "src/a.c 10%", "src/b.c 20%", "src/c.c 30%", "src/d.c 40%");
    CHECK("", "-10%", "-20%", "-30%", "a%20b", "a%30b", "10%% 20%", "width: 10%; height: 20%");
    CHECK("", "collected 24 items", "Finished `dev` target(s) in 2s", "test of something ... ok");
}

/* vim, less and top show percentages that mean something else. */
static void test_alternate_screen(void **state)
{
    struct run r;
    (void)state;
    begin(&r);
    feed(&r, SLICE("\x1b[?1049h\x1b[H[1/4] \r\n progress 10%\r progress 20%\r progress 30%\r"));
    expect(&r, "");
    feed(&r, SLICE("\x1b[?1049l[1/4] x\n"));
    expect(&r, "1/4");
}

/* ---- Whom to believe ---- */

static void test_never_back(void **state)
{
    (void)state;
    CHECK("12/100 14/100", "[ 12%] Building a", "[ 10%] Building b", "[ 14%] Building c");
    CHECK("1/10 2/10 3/12 4/12", "[1/10] a", "[2/10] b", "[3/12] found more", "[4/12] c");
}

static void test_one_after_another(void **state)
{
    struct run r;
    (void)state;
    CHECK("1/2 2/2 1/3 2/3", "[1/2] a", "[2/2] b", "1/3 Test #1: x", "2/3 Test #2: y");
    CHECK("5/9 3/4 4/4", "[5/9] fails", "[1/4] again", "[2/4] again", "[3/4] again", "[4/4] done");
    begin(&r);
    feed(&r, SLICE("[5/9] a\n"));
    r.now_ms += 10000;
    feed(&r, SLICE("1/3 Test #1: x\n"));
    expect(&r, "5/9 1/3");
}

/* A build inside a step of another one: shown at most once, and then known for what it is. */
static void test_parts(void **state)
{
    (void)state;
    CHECK("4/10 3/90 4/90 5/10 6/10", "[4/10] configure part", "[1/90] a", "[2/90] b", "[3/90] c",
          "[4/90] d", "[5/10] build part", "[1/80] a", "[2/80] b", "[3/80] c", "[4/80] d",
          "[6/10] end");
    CHECK("4/10 5/10", "[4/10] x", "progress 10%", "progress 20%", "progress 30%", "[5/10] y");
}

static void test_streams_apart(void **state)
{
    struct run r;
    (void)state;
    begin(&r);
    progress_parser_feed(&r.parser, 0, SLICE("[1"), 0);
    assert_false(progress_parser_feed(&r.parser, 1, SLICE("warning\n"), 0));
    feed(&r, SLICE("/4] x\n"));
    expect(&r, "1/4");
}

static void test_long_lines_and_sequences(void **state)
{
    struct run r;
    (void)state;
    begin(&r);
    for (int i = 0; i < 5000; i++)
        feed(&r, SLICE("long, "));
    feed(&r, SLICE("[1/4]\n[2/4] short\n\x1b]0;title [3/4] x\x07\x1b]0;[3/4]\x1b\\"));
    feed(&r, SLICE("\x1b[38;5;12345678901234567890m[4/4] done\x1b[0m\n"));
    expect(&r, "2/4 4/4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_outputs),
        cmocka_unit_test(test_rust_tests),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_pytest),
        cmocka_unit_test(test_npm),
        cmocka_unit_test(test_percentages),
        cmocka_unit_test(test_no_progress),
        cmocka_unit_test(test_alternate_screen),
        cmocka_unit_test(test_never_back),
        cmocka_unit_test(test_one_after_another),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_streams_apart),
        cmocka_unit_test(test_long_lines_and_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
