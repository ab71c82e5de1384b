/* Sockets and users as the engine keeps them: what is written is read again, anything else is not.
 */
#include "../test.h"

#include "dialect/rooms_notes.h"
#include "dialect/rooms_private.h"
#include "fanfare/error.h"

static char name[] = "/ws", other_name[] = "/other";
static struct room_space space = {.name = name};

static struct slice written(struct buf *out)
{
    struct room_socket socket = {.id = "abcdefghij0123456789", .space = &space};
    socket.user = SLICE("ada \"of\" L\xc3\xa4nd");
    room_put(&socket.rooms, 7, SLICE("project:x"));
    room_put(&socket.rooms, UINT64_C(1) << 40, SLICE("global"));
    const uint64_t reached[] = {9, 8};
    assert_int_equal(room_marks_add(&socket.marks, reached, 2), 0);
    room_note_append_socket(out, &socket, 1234);
    room_socket_fini(&socket);
    return buf_slice(out);
}

static void test_socket(void **state)
{
    (void)state;
    struct buf text = {0}, user = {0};
    struct room_socket socket;
    struct slice room;
    uint64_t since;
    int64_t until;
    size_t at = 0;
    assert_int_equal(room_note_read_socket(written(&text), &space, &socket, &user, &until), 0);
    assert_int_equal(until, 1234);
    assert_string_equal(socket.id, "abcdefghij0123456789");
    assert_ptr_equal(socket.space, &space);
    assert_string_equal(buf_text(&user), "ada \"of\" L\xc3\xa4nd");
    assert_true(room_next(&socket.rooms, &at, &since, &room));
    assert_true(since == 7 && slice_is(room, "project:x"));
    assert_true(room_next(&socket.rooms, &at, &since, &room));
    assert_true(since == UINT64_C(1) << 40 && slice_is(room, "global"));
    assert_false(room_next(&socket.rooms, &at, &since, &room));
    assert_int_equal(room_marks_shown(socket.marks, 9), 1);
    room_socket_fini(&socket);
    buf_fini(&user);
    buf_fini(&text);
}

/* Every part of it alone is no socket, nor is what somebody may have written into the database. */
static void test_not_a_socket(void **state)
{
    (void)state;
    struct buf text = {0}, user = {0};
    struct room_socket socket;
    int64_t until;
    struct slice whole = written(&text);
    for (size_t n = 0; n < whole.len; n++) {
        buf_clear(&user);
        assert_int_equal(
            room_note_read_socket(slice_of(whole.ptr, n), &space, &socket, &user, &until),
            FAN_E_PARSE);
    }
#define SOCKET(id, until, rooms) \
    "{\"id\":\"" id "\",\"space\":\"/ws\",\"user\":\"a\",\"until\":" until ",\"rooms\":" rooms "}"
    static const char *const wrong[] = {
        "[]",
        "null",
        SOCKET("short", "1", "[]"),
        SOCKET("abcdefghij0123456789", "-1", "[]"),
        SOCKET("abcdefghij0123456789", "1", "{}"),
        SOCKET("abcdefghij0123456789", "1", "[\"global\"]"),
        SOCKET("abcdefghij0123456789", "1", "[\"global\",-1]"),
        SOCKET("abcdefghij0123456789", "1", "[1,\"global\"]"),
        SOCKET("abcdefghij0123456789", "1", "[],\"marks\":1"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(
            room_note_read_socket(slice_from(wrong[i]), &space, &socket, &user, &until),
            FAN_E_PARSE);
    struct room_space other = {.name = other_name};
    assert_int_equal(room_note_read_socket(whole, &other, &socket, &user, &until), FAN_E_NOT_FOUND);
    buf_fini(&user);
    buf_fini(&text);
}

static void test_user(void **state)
{
    (void)state;
    struct buf text = {0};
    uint64_t position;
    int64_t at;
    room_note_append_user(&text, UINT64_C(1) << 50, 99);
    assert_int_equal(room_note_read_user(buf_slice(&text), &position, &at), 0);
    assert_true(position == UINT64_C(1) << 50 && at == 99);
    static const char *const wrong[] = {"",
                                        "1",
                                        "{}",
                                        "{\"position\":1}",
                                        "{\"position\":-1,\"at\":1}",
                                        "{\"position\":\"1\",\"at\":1}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(room_note_read_user(slice_from(wrong[i]), &position, &at), FAN_E_PARSE);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socket),
        cmocka_unit_test(test_not_a_socket),
        cmocka_unit_test(test_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
