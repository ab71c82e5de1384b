/* One line of a build tool's output; see progress_line.h. Each format has a function that looks at
 * the place where its tool prints it, and nowhere else. */
#include "source/progress_line.h"

#include <ctype.h>

#define MOST_DIGITS 8

/* ---- Scanning ---- */

static bool at_end(struct slice text)
{
    return text.len == 0;
}

static bool take_char(struct slice *text, char c)
{
    if (at_end(*text) || text->ptr[0] != c)
        return false;
    *text = slice_skip(*text, 1);
    return true;
}

static bool take_text(struct slice *text, const char *word)
{
    if (!slice_starts(*text, word))
        return false;
    *text = slice_skip(*text, strlen(word));
    return true;
}

static void skip_spaces(struct slice *text)
{
    while (text->len && (text->ptr[0] == ' ' || text->ptr[0] == '\t'))
        *text = slice_skip(*text, 1);
}

static struct slice without_trailing_spaces(struct slice text)
{
    while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool take_number(struct slice *text, uint32_t *number)
{
    size_t n = 0;
    *number = 0;
    while (n < text->len && n <= MOST_DIGITS && isdigit((unsigned char)text->ptr[n]))
        *number = *number * 10 + (uint32_t)(text->ptr[n++] - '0');
    *text = slice_skip(*text, n);
    return n > 0 && n <= MOST_DIGITS;
}

/* "12/345", with 0 ≤ completed ≤ total and something to do. */
static bool take_fraction(struct slice *text, struct progress_reading *r)
{
    return take_number(text, &r->completed) && take_char(text, '/') &&
           take_number(text, &r->total) && r->total > 0 && r->completed <= r->total;
}

/* "12%" */
static bool take_percent(struct slice *text, struct progress_reading *r)
{
    if (!take_number(text, &r->completed) || !take_char(text, '%') || r->completed > 100)
        return false;
    r->total = 100;
    r->percent = r->completed;
    return true;
}

/* "1,234 / 5,678", as Bazel writes it. */
static bool take_spaced_fraction(struct slice *text, struct progress_reading *r)
{
    char plain[2 * MOST_DIGITS + 2];
    size_t len = 0;
    const char *end = memchr(text->ptr, ']', text->len);
    if (!end || !memmem(text->ptr, (size_t)(end - text->ptr), " / ", 3))
        return false;
    for (const char *c = text->ptr; c < end; c++)
        if (*c != ' ' && *c != ',' && len < sizeof plain)
            plain[len++] = *c;
    struct slice fraction = slice_of(plain, len);
    *text = slice_skip(*text, (size_t)(end - text->ptr));
    return take_fraction(&fraction, r) && at_end(fraction);
}

static bool contains(struct slice text, const char *word)
{
    return memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

/* ---- Formats of build tools ---- */

/* "[12/345] CC main.o", "[1,234 / 5,678] Compiling", "[ 12%] Building C object main.o" */
static bool read_bracket(struct slice line, struct progress_reading *r)
{
    if (!take_char(&line, '['))
        return false;
    skip_spaces(&line);
    struct slice text = line;
    r->kind = PROGRESS_STEPS;
    bool found = take_fraction(&text, r);
    if (!found) {
        text = line;
        found = take_spaced_fraction(&text, r);
    }
    if (!found) {
        text = line;
        r->kind = PROGRESS_MAKE;
        found = take_percent(&text, r);
    }
    return found && take_char(&text, ']') && (at_end(text) || text.ptr[0] == ' ');
}

/* "12/65 Test #12: name ...   Passed" and "12/65 suite / name   OK   0.02s" */
static bool read_numbered_test(struct slice line, struct progress_reading *r)
{
    if (!take_fraction(&line, r) || !take_char(&line, ' '))
        return false;
    skip_spaces(&line);
    struct slice after = line;
    uint32_t number;
    if (take_text(&after, "Test ")) {
        skip_spaces(&after);
        r->kind = PROGRESS_CTEST;
        if (take_char(&after, '#') && take_number(&after, &number))
            return take_char(&after, ':');
    }
    static const char *const verdicts[] = {" OK ",      " FAIL ",         " SKIP ",
                                           " TIMEOUT ", " EXPECTEDFAIL ", " ERROR "};
    r->kind = PROGRESS_MESON;
    bool timed = line.len > 1 && line.ptr[line.len - 1] == 's' &&
                 isdigit((unsigned char)line.ptr[line.len - 2]);
    for (size_t i = 0; timed && i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (contains(line, verdicts[i]))
            return true;
    return false;
}

/* "Building [====>      ] 12/345: serde, libc" */
static bool read_cargo_bar(struct slice line, struct progress_reading *r)
{
    if (!take_text(&line, "Building ["))
        return false;
    const char *end = memchr(line.ptr, ']', line.len);
    if (!end)
        return false;
    line = slice_skip(line, (size_t)(end - line.ptr) + 1);
    r->kind = PROGRESS_CARGO;
    return take_char(&line, ' ') && take_fraction(&line, r) &&
           (line.len == 0 || line.ptr[0] == ':' || line.ptr[0] == ' ');
}

/* "Step 3/7 : RUN make" */
static bool read_docker_step(struct slice line, struct progress_reading *r)
{
    r->kind = PROGRESS_DOCKER;
    return take_text(&line, "Step ") && take_fraction(&line, r) && take_text(&line, " : ");
}

/* "[INFO] Building module 1.0            [3/7]" */
static bool read_maven(struct slice line, struct progress_reading *r)
{
    const char *begin = line.len ? memrchr(line.ptr, '[', line.len) : NULL;
    if (!slice_starts(line, "[INFO] Building ") || begin == line.ptr)
        return false;
    line = slice_skip(line, (size_t)(begin - line.ptr) + 1);
    r->kind = PROGRESS_MAVEN;
    return take_fraction(&line, r) && take_char(&line, ']') && at_end(line);
}

/* "Test Suites: 1 failed, 2 passed, 3 of 10 total", which Jest draws anew for every suite, and at
 * the end "Test Suites: 10 passed, 10 total" */
static bool read_jest(struct slice line, struct progress_reading *r)
{
    if (!take_text(&line, "Test Suites: ") || line.len < 6 ||
        !slice_is(slice_skip(line, line.len - 6), " total"))
        return false;
    for (const char *comma; (comma = memchr(line.ptr, ',', line.len));) {
        line = slice_skip(line, (size_t)(comma - line.ptr) + 1);
        skip_spaces(&line);
    }
    r->kind = PROGRESS_JEST;
    if (!take_number(&line, &r->completed))
        return false;
    r->total = r->completed;
    if (take_text(&line, " of ") && !take_number(&line, &r->total))
        return false;
    return r->total > 0 && r->completed <= r->total && slice_is(line, " total");
}

/* "tests/test_a.py ....F..        [ 12%]", with the number padded to three places, or
 * "… [ 12/345]"; and "[gw0] [ 12%] PASSED tests/…" of several workers. */
static bool read_pytest(struct slice line, struct progress_reading *r)
{
    struct slice text = line;
    uint32_t worker;
    r->kind = PROGRESS_PYTEST;
    if (take_text(&text, "[gw") && take_number(&text, &worker) && take_text(&text, "] [")) {
        skip_spaces(&text);
        return take_percent(&text, r) && take_text(&text, "] ");
    }
    line = without_trailing_spaces(line);
    const char *begin = line.len ? memrchr(line.ptr, '[', line.len) : NULL;
    if (!begin || begin == line.ptr || begin[-1] != ' ')
        return false;
    text = slice_skip(line, (size_t)(begin - line.ptr) + 1);
    bool padded = text.len == 5; /* "100%]" */
    skip_spaces(&text);
    struct slice number = text;
    if (take_percent(&text, r))
        return padded && take_char(&text, ']') && at_end(text);
    return take_fraction(&number, r) && take_char(&number, ']') && at_end(number);
}

/* ---- Notes ---- */

/* "collected 9 items / 1 deselected / 8 selected" */
static bool read_collected(struct slice line, struct progress_reading *r)
{
    if (!take_number(&line, &r->total) || !take_text(&line, " item"))
        return false;
    const char *last = memrchr(line.ptr, '/', line.len);
    struct slice selected =
        last ? slice_skip(line, (size_t)(last - line.ptr) + 2) : (struct slice){0};
    uint32_t number;
    if (take_number(&selected, &number) && slice_is(selected, " selected"))
        r->total = number;
    return r->total > 0;
}

static bool read_note(struct slice line, struct progress_reading *r)
{
    const char *collected = memmem(line.ptr, line.len, "collected ", 10);
    if (take_text(&line, "running ") && take_number(&line, &r->total)) {
        r->kind = PROGRESS_RUST_TESTS_RUN;
        return take_text(&line, " test") && (slice_is(line, "s") || at_end(line));
    }
    if (take_text(&line, "test ")) {
        line = without_trailing_spaces(line);
        r->kind = PROGRESS_RUST_TEST_ENDED;
        return contains(line, " ... ok") || contains(line, " ... FAILED") ||
               contains(line, " ... ignored");
    }
    if (take_text(&line, "Finished ")) {
        r->kind = PROGRESS_CARGO_FINISHED;
        return contains(line, "target(s)");
    }
    if (!collected || (collected != line.ptr && !slice_starts(line, "collecting ")))
        return false;
    line = slice_skip(line, (size_t)(collected - line.ptr) + 10);
    r->kind = PROGRESS_PYTEST_COLLECTED;
    return read_collected(line, r);
}

/* ---- Any percentage ---- */

static bool mentions(struct slice line, const char *const *words)
{
    char lower[256];
    size_t len = line.len < sizeof lower ? line.len : sizeof lower;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)tolower((unsigned char)line.ptr[i]);
    for (; *words; words++)
        if (contains(slice_of(lower, len), *words))
            return true;
    return false;
}

static const char *const measuring[] = {
    "cpu",      "mem",      "coverage", "covered", "usage",   "used",    "util",
    "idle",     "load avg", "battery",  "swap",    "disk",    "faster",  "slower",
    "hit rate", "ratio",    "lines",    "stmts",   "quality", "smaller", NULL};
static const char *const progressing[] = {
    "progress", "complete", "download", "upload",    "install", "build",   "compil",
    "done",     "extract",  "fetch",    "transform", "receiv",  "resolv",  "transfer",
    "writing",  "copy",     "unpack",   "prepar",    "process", "loading", NULL};

/* What may stand in front of a percentage that a program prints about itself: no sign, no letter.
 */
static bool may_precede(char c)
{
    return (unsigned char)c >= 0x80 || strchr(" \t([|:=>#._", c) != NULL;
}

static bool may_follow(struct slice text)
{
    return at_end(text) || (unsigned char)text.ptr[0] >= 0x80 ||
           strchr(" \t)]|,:;.", text.ptr[0]) != NULL;
}

/* Where the number in front of the '%' at `end` begins; NULL when there is none. */
static const char *number_before(struct slice line, const char *end)
{
    const char *begin = end;
    if (begin > line.ptr && begin[-1] == ' ')
        begin--;
    const char *last = begin;
    while (begin > line.ptr && (isdigit((unsigned char)begin[-1]) || begin[-1] == '.'))
        begin--;
    while (begin < last && *begin == '.') /* a bar of dots */
        begin++;
    if (begin == last || last - begin > 6)
        return NULL;
    return begin > line.ptr && !may_precede(begin[-1]) ? NULL : begin;
}

/* "45.5" as 45.5, at most 100. */
static bool read_decimal(const char *begin, const char *end, double *value)
{
    double unit = 1;
    bool fraction = false;
    *value = 0;
    for (; begin < end && *begin != ' '; begin++) {
        if (*begin == '.' && fraction)
            return false;
        if (*begin == '.') {
            fraction = true;
            continue;
        }
        *value = *value * 10 + (*begin - '0');
        unit *= fraction ? 10 : 1;
    }
    *value /= unit;
    return *value <= 100;
}

/* A hash (FNV-1a) of the text in front of the number, without what changes while a bar grows. On a
 * line that is drawn again and again only its letters count. */
static uint64_t shape_of(struct slice prefix, bool redrawn)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < prefix.len; i++) {
        unsigned char c = (unsigned char)prefix.ptr[i];
        bool counts = redrawn ? isalpha(c) != 0 : c < 0x80 && !strchr(" \t#=->._|*", c);
        if (counts)
            hash = (hash ^ c) * 0x100000001b3u;
    }
    return (hash ^ redrawn) | 1;
}

/* "45% (450/1000)" and "45%|####    | 45/100 [" tell the numbers, too. */
static void read_counts(struct slice after, struct progress_reading *r)
{
    const char *slash = memchr(after.ptr, '/', after.len);
    if (!slash)
        return;
    const char *begin = slash;
    while (begin > after.ptr && isdigit((unsigned char)begin[-1]))
        begin--;
    struct slice text = slice_skip(after, (size_t)(begin - after.ptr));
    struct progress_reading counts = {.kind = r->kind};
    if (begin == after.ptr || !take_fraction(&text, &counts))
        return;
    double difference = 100.0 * counts.completed / counts.total - r->percent;
    if (difference > -1.01 && difference < 1.01) {
        r->total = counts.total;
        r->completed = counts.completed;
    }
}

static bool read_percentage(struct slice line, bool redrawn, struct progress_reading *r)
{
    const char *sign = memchr(line.ptr, '%', line.len), *begin;
    if (!sign || !(begin = number_before(line, sign)))
        return false;
    struct slice after = slice_skip(line, (size_t)(sign - line.ptr) + 1);
    if (!may_follow(after) || memchr(after.ptr ? after.ptr : "", '%', after.len) ||
        !read_decimal(begin, sign, &r->percent) || mentions(line, measuring))
        return false;
    struct slice prefix = slice_of(line.ptr, (size_t)(begin - line.ptr));
    r->kind = PROGRESS_PERCENT;
    r->total = 100;
    r->completed = (uint32_t)r->percent;
    r->shape = shape_of(prefix, redrawn);
    r->plausible = mentions(line, progressing);
    read_counts(after, r);
    return true;
}

/* npm's bar: "⸨####⠂⠂⠂⠂⸩" */
static bool read_npm_bar(struct slice line, struct progress_reading *r)
{
    static const char open[] = "\xe2\xb8\xa8", close[] = "\xe2\xb8\xa9";
    const char *begin = memmem(line.ptr, line.len, open, 3);
    const char *end = begin ? memmem(begin, line.len - (size_t)(begin - line.ptr), close, 3) : NULL;
    if (!end)
        return false;
    uint32_t cells = 0, filled = 0;
    for (const char *c = begin + 3; c < end; c++) {
        cells += ((unsigned char)*c & 0xC0) != 0x80; /* code points */
        filled += *c == '#';
    }
    if (cells < 5)
        return false;
    r->kind = PROGRESS_PERCENT;
    r->percent = 100.0 * filled / cells;
    r->total = 100;
    r->completed = (uint32_t)r->percent;
    r->shape = 2;
    r->plausible = true;
    return true;
}

/* Most lines of most programs say nothing: those that hold none of the characters that every format
 * has, and begin no note, are not looked at twice. */
static bool may_say_something(struct slice line)
{
    return line.len && (strchr("crtFT", line.ptr[0]) || memchr(line.ptr, '/', line.len) ||
                        memchr(line.ptr, '%', line.len) || memchr(line.ptr, 0xe2, line.len));
}

bool progress_read_line(struct slice line, bool redrawn, struct progress_reading *reading)
{
    static bool (*const formats[])(struct slice line, struct progress_reading * r) = {
        read_bracket, read_numbered_test, read_cargo_bar, read_docker_step, read_maven,
        read_jest,    read_pytest,        read_note,      read_npm_bar,
    };
    skip_spaces(&line);
    line = without_trailing_spaces(line);
    if (!may_say_something(line))
        return false;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        *reading = (struct progress_reading){0};
        if (formats[i](line, reading))
            return true;
    }
    *reading = (struct progress_reading){0};
    if (read_percentage(line, redrawn, reading))
        return true;
    *reading = (struct progress_reading){0};
    return false;
}
