/* From where each room of a client goes on, told by one string. */
#include "../test.h"

#include "base/memory.h"
#include "codec/json_writer.h"
#include "dialect/rooms_marks.h"
#include "fanfare/error.h"

static struct room_offset plain(uint64_t seq)
{
    return (struct room_offset){{1, seq}, 0};
}

static struct room_offset marked(uint64_t seq, uint32_t mark)
{
    return (struct room_offset){{1, seq}, mark};
}

#define START(m, offset, room, since) \
    room_marks_start(m, &(struct room_offset){(offset).cursor, (offset).mark}, room, since)

/* Adds a mark of so many rooms. */
#define MARK(m, ...)                                                                       \
    do {                                                                                   \
        const uint64_t reached[] = {__VA_ARGS__};                                          \
        assert_int_equal(room_marks_add(m, reached, sizeof reached / sizeof *reached), 0); \
    } while (0)

static void test_offsets(void **state)
{
    (void)state;
    char text[ROOM_OFFSET_SIZE];
    const uint32_t marks[] = {0, 1, 10, UINT32_MAX};
    for (unsigned i = 0; i < 4; i++) {
        struct room_offset back;
        room_offset_format((struct room_offset){{7, 9}, marks[i]}, text);
        assert_int_equal(room_offset_parse(slice_from(text), &back), 0);
        assert_true(back.cursor.epoch == 7 && back.cursor.seq == 9 && back.mark == marks[i]);
    }
    room_offset_format((struct room_offset){{7, 9}, 0}, text);
    assert_int_equal(strlen(text), CURSOR_TEXT_SIZE - 1);
    static const char *const wrong[] = {
        "", "x", ".1", "%s.", "%s.0", "%s.-1", "%s.4294967296", "%sx1", "%s.1.2", "%s 1"};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct room_offset back;
        struct buf whole = {0};
        const char *rest = strstr(wrong[i], "%s") ? wrong[i] + 2 : wrong[i];
        if (rest != wrong[i])
            buf_append_text(&whole, text);
        buf_append_text(&whole, rest);
        assert_int_equal(room_offset_parse(buf_slice(&whole), &back), FAN_E_PARSE);
        buf_fini(&whole);
    }
}

static void test_without_marks(void **state)
{
    (void)state;
    assert_int_equal(START(NULL, plain(7), 0, 3), 7);
    assert_int_equal(START(NULL, plain(7), 5, 9), 9);
    assert_int_equal(room_marks_shown(NULL, 1), 0);
}

/* Room 0 had come to 100, room 1 to 90, when the socket went back for room 2, which it is in since
 * 50. Later comes room 3. */
static void test_one_mark(void **state)
{
    (void)state;
    struct room_marks *m = NULL;
    MARK(&m, 100, 90);
    assert_int_equal(room_marks_shown(m, 60), 1);
    assert_int_equal(room_marks_shown(m, 100), 1);
    assert_int_equal(room_marks_shown(m, 101), 0);
    assert_int_equal(START(m, plain(80), 0, 5), 80); /* it had not seen the mark */
    assert_int_equal(START(m, plain(80), 2, 50), 50);
    assert_int_equal(START(m, plain(100), 2, 50), 50);
    assert_int_equal(START(m, marked(60, 1), 0, 5), 100);
    assert_int_equal(START(m, marked(60, 1), 1, 5), 90);
    assert_int_equal(START(m, marked(60, 1), 2, 50), 60);
    assert_int_equal(START(m, marked(95, 1), 1, 5), 95);
    assert_int_equal(START(m, marked(60, 1), 3, 120), 120);
    assert_int_equal(START(m, plain(101), 0, 5), 101); /* behind it, all go together */
    assert_int_equal(START(m, plain(101), 2, 50), 101);
    room_marks_free(m);
}

static void test_two_marks(void **state)
{
    (void)state;
    struct room_marks *m = NULL;
    MARK(&m, 100);     /* for room 1, since 20 */
    MARK(&m, 100, 60); /* when room 1 had come to 60, for room 2, since 10 */
    assert_int_equal(room_marks_shown(m, 30), 2);
    assert_int_equal(START(m, marked(40, 1), 0, 0), 100);
    assert_int_equal(START(m, marked(40, 1), 1, 20), 40);
    assert_int_equal(START(m, marked(40, 1), 2, 10), 10);
    assert_int_equal(START(m, marked(40, 2), 1, 20), 60);
    assert_int_equal(START(m, marked(40, 2), 2, 10), 40);
    room_marks_leave(m, 0); /* the others move up */
    assert_int_equal(START(m, marked(40, 2), 0, 20), 60);
    assert_int_equal(START(m, marked(40, 1), 1, 10), 10);
    room_marks_leave(m, 9);
    room_marks_free(m);
}

static void test_coming_back(void **state)
{
    (void)state;
    struct room_marks *m = NULL;
    const struct room_offset with = marked(40, 1);
    assert_int_equal(room_marks_come_back(NULL, &with, NULL, 0), 0);
    MARK(&m, 100);
    const uint64_t starts[] = {100, 40};
    assert_int_equal(room_marks_come_back(m, &with, starts, 2), 0);
    MARK(&m, 100, 40);
    assert_int_equal(room_marks_shown(m, 50), 2); /* numbers are not used again */
    for (unsigned times = 0; times < 20;
         times++) { /* again and again without having got anything */
        assert_int_equal(START(m, with, 0, 0), 100);
        assert_int_equal(START(m, with, 1, 20), 40);
        assert_int_equal(START(m, with, 2, 70), 70); /* it came meanwhile */
        assert_int_equal(room_marks_come_back(m, &with, starts, 2), 0);
        MARK(&m, 100, 40);
    }
    assert_int_equal(START(m, marked(55, 22), 0, 0), 100);
    assert_int_equal(START(m, marked(55, 22), 1, 20), 55);
    room_marks_leave(m, 0);
    assert_int_equal(START(m, with, 0, 20), 40);
    room_marks_free(m);
}

/* Who stands before the oldest that is kept gets everything again rather than too little. */
static void test_too_many(void **state)
{
    (void)state;
    struct room_marks *m = NULL;
    for (unsigned i = 0; i < 9; i++)
        MARK(&m, 100 + i);
    assert_int_equal(START(m, marked(40, 1), 0, 7), 7);
    assert_int_equal(START(m, plain(40), 0, 7), 7);
    assert_int_equal(START(m, marked(40, 2), 0, 7), 101);
    assert_int_equal(START(m, plain(200), 0, 7), 200);
    room_marks_free(m);
}

static struct room_marks *through_json(struct room_marks *m)
{
    struct buf text = {0};
    struct json_value object;
    struct room_marks *back;
    json_begin(&text, NULL, '{');
    room_marks_append(m, &text);
    json_end(&text, '}');
    room_marks_free(m);
    assert_int_equal(json_parse(buf_slice(&text), &object, NULL), 0);
    assert_int_equal(room_marks_read(object, &back), 0);
    buf_fini(&text);
    return back;
}

static void test_json(void **state)
{
    (void)state;
    struct room_marks *m = NULL;
    assert_null(through_json(NULL));
    MARK(&m, 100);
    const uint64_t starts[] = {100, UINT64_C(1) << 40};
    m = through_json(m);
    assert_int_equal(room_marks_come_back(m, &(struct room_offset){{1, 40}, 1}, starts, 2), 0);
    MARK(&m, 100, 40);
    m = through_json(m);
    assert_int_equal(START(m, marked(40, 1), 1, 0), UINT64_C(1) << 40);
    assert_int_equal(START(m, marked(50, 2), 0, 0), 100);
    MARK(&m, 300);
    assert_int_equal(room_marks_shown(m, 300), 3);
    room_marks_free(m);
    static const char *const wrong[] = {
        "{\"marks\":1,\"last\":1}",
        "{\"marks\":[]}",
        "{\"marks\":[[]],\"last\":1}",
        "{\"marks\":[[1,-1]],\"last\":1}",
        "{\"marks\":[\"x\",[1]],\"last\":1}",
        "{\"marks\":[\"AAAAAAAAAAAAAAAAAAAAAA\"],\"last\":1}",
        "{\"marks\":[\"AAAAAAAAAAAAAAAAAAAAAA\",[1],[2]],\"last\":1}",
        "{\"marks\":[1],\"last\":1}",
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct json_value object;
        assert_int_equal(json_parse(slice_from(wrong[i]), &object, NULL), 0);
        assert_int_equal(room_marks_read(object, &m), FAN_E_PARSE);
        assert_null(m);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    const uint64_t reached = 7;
    for (unsigned nth = 1; nth <= 2; nth++) {
        struct room_marks *m = NULL;
        memory_fail_nth(nth);
        assert_int_equal(room_marks_add(&m, &reached, 1), FAN_E_NO_MEMORY);
        memory_fail_nth(0);
        assert_int_equal(room_marks_add(&m, &reached, 1), 0);
        room_marks_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets),     cmocka_unit_test(test_without_marks),
        cmocka_unit_test(test_one_mark),    cmocka_unit_test(test_two_marks),
        cmocka_unit_test(test_coming_back), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_json),        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
