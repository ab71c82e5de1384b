/* What the dialect rooms remembers of those who are gone. */
#include "../test.h"

#include "base/clock.h"
#include "dialect/rooms_recovery.h"

static const char place[2]; /* two namespaces: only their addresses count */
#define SPACE ((const struct room_space *)&place[0])
#define OTHER ((const struct room_space *)&place[1])

static void keep(struct room_recovery *r, const char *pid, const char *user, uint64_t ms)
{
    struct room_socket socket = {.space = SPACE, .user = slice_from(user)};
    strcpy(socket.pid, pid);
    strcpy(socket.id, "socket");
    BUF_LITERAL(&socket.rooms, "rooms");
    room_recovery_keep(r, &socket, clock_ms() + ms);
    buf_fini(&socket.rooms);
}

static bool take(struct room_recovery *r, const char *pid, const char *user,
                 const struct room_space *space)
{
    struct room_socket socket = {0};
    bool found = room_recovery_take(r, slice_from(pid), slice_from(user), space, &socket);
    if (found) {
        assert_string_equal(socket.id, "socket");
        assert_true(slice_is(buf_slice(&socket.rooms), "rooms"));
    }
    buf_fini(&socket.rooms);
    return found;
}

static void test_sockets(void **state)
{
    (void)state;
    struct room_recovery *r = room_recovery_new();
    keep(r, "a", "ada", 60000);
    assert_false(take(r, "b", "ada", SPACE));
    assert_false(take(r, "a", "eve", SPACE));
    assert_false(take(r, "a", "ada", OTHER));
    assert_true(take(r, "a", "ada", SPACE));
    assert_false(take(r, "a", "ada", SPACE)); /* once */
    keep(r, "c", "ada", 0);
    assert_false(take(r, "c", "ada", SPACE));
    keep(r, "d", "ada", 60000);
    keep(r, "d", "eve", 60000); /* the newer one counts */
    assert_false(take(r, "d", "ada", SPACE));
    assert_true(take(r, "d", "eve", SPACE));
    keep(r, "left", "ada", 60000);
    room_recovery_free(r);
}

static void test_users(void **state)
{
    (void)state;
    struct room_recovery *r = room_recovery_new();
    uint64_t position = 0;
    assert_false(room_recovery_find_user(r, SLICE("ada"), &position));
    room_recovery_note_user(r, SLICE("ada"), 7);
    room_recovery_note_user(r, SLICE("ada"), 9);
    room_recovery_note_user(r, SLICE("eve"), 3);
    assert_true(room_recovery_find_user(r, SLICE("ada"), &position) && position == 9);
    assert_true(room_recovery_find_user(r, SLICE("eve"), &position) && position == 3);
    room_recovery_free(r);
}

/* However many are gone, what is remembered of them is bounded, and the newest are. */
static void test_oldest_are_forgotten(void **state)
{
    (void)state;
    struct room_recovery *r = room_recovery_new();
    char *name = calloc(1, 1 << 20);
    uint64_t position = 0;
    assert_non_null(name);
    for (unsigned i = 0; i < 40; i++) {
        memset(name, 'a' + (int)(i % 26), (1 << 20) - 1);
        name[0] = (char)('0' + i);
        room_recovery_note_user(r, slice_of(name, 1 << 20), i);
    }
    assert_true(room_recovery_find_user(r, slice_of(name, 1 << 20), &position) && position == 39);
    memset(name, 'a', (1 << 20) - 1);
    name[0] = '0';
    assert_false(room_recovery_find_user(r, slice_of(name, 1 << 20), &position));
    free(name);
    room_recovery_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_oldest_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
