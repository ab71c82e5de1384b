/* Tables of text. */
#include "../test.h"

#include "cli/table.h"

static const struct table_column columns[] = {{"NAME", false}, {"COUNT", true}, {"NOTE", false}};

static void add_row(struct table *t, const char *name, const char *count, const char *note)
{
    table_add(t, slice_from(name));
    table_add(t, slice_from(count));
    table_add(t, slice_from(note));
}

static void assert_table(const struct table *t, unsigned width, unsigned first, unsigned count,
                         const char *expected)
{
    struct buf out = {0};
    table_append(&out, t, false, width, first, count);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void test_columns(void **state)
{
    struct table t;
    (void)state;
    table_init(&t, columns, 3);
    add_row(&t, "a", "1", "x");
    add_row(&t, "longer", "12345678", "");
    assert_table(&t, 0, 0, 9, "NAME       COUNT  NOTE\na              1  x\nlonger  12345678  \n");
    assert_table(&t, 0, 1, 1, "NAME       COUNT  NOTE\nlonger  12345678  \n");
    assert_table(&t, 0, 2, 5, "NAME       COUNT  NOTE\n");
    table_fini(&t);
}

static void test_first_column_gives_way(void **state)
{
    struct table t;
    (void)state;
    table_init(&t, columns, 3);
    add_row(&t, "session:a-long-name", "7", "y");
    assert_table(&t, 20, 0, 9, "NAME     COUNT  NOTE\nsessio…      7  y\n");
    assert_table(&t, 5, 0, 9, "NAME  COUNT  NOTE\nses…      7  y\n");
    table_fini(&t);
}

static void test_characters_not_bytes(void **state)
{
    struct table t;
    struct buf out = {0};
    (void)state;
    assert_int_equal(table_width_of(SLICE("größe…")), 6);
    table_append_cut(&out, SLICE("größe"), 4);
    assert_string_equal(buf_text(&out), "grö…");
    buf_clear(&out);
    table_append_cut(&out, SLICE("größe"), 5);
    assert_string_equal(buf_text(&out), "größe");
    buf_clear(&out);
    table_append_cut(&out, SLICE("größe"), 0);
    assert_string_equal(buf_text(&out), "");
    buf_fini(&out);
    table_init(&t, columns, 3);
    add_row(&t, "größer", "1", "");
    assert_table(&t, 0, 0, 9, "NAME    COUNT  NOTE\ngrößer      1  \n");
    table_fini(&t);
}

static void test_cells_cannot_move_the_cursor(void **state)
{
    struct table t;
    (void)state;
    table_init(&t, columns, 3);
    add_row(&t, "\x1b[2J", "\n", "");
    assert_table(&t, 0, 0, 9, "NAME        COUNT  NOTE\n\\u001b[2J  \\u000a  \n");
    table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_first_column_gives_way),
        cmocka_unit_test(test_characters_not_bytes),
        cmocka_unit_test(test_cells_cannot_move_the_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
