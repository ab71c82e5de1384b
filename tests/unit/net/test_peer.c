/* Addresses of clients: text, loopback, and how many connections each may have. */
#include "../test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "net/peer.h"

static void assert_text(int family, const char *address, const char *expected)
{
    struct sockaddr_storage storage = {0};
    char text[PEER_TEXT_SIZE];
    storage.ss_family = (sa_family_t)family;
    if (family == AF_INET)
        inet_pton(family, address, &((struct sockaddr_in *)&storage)->sin_addr);
    else if (family == AF_INET6)
        inet_pton(family, address, &((struct sockaddr_in6 *)&storage)->sin6_addr);
    peer_format(&storage, text);
    assert_string_equal(text, expected);
}

static void test_text(void **state)
{
    (void)state;
    assert_text(AF_INET, "192.0.2.1", "192.0.2.1");
    assert_text(AF_INET6, "2001:db8::1", "2001:db8::1");
    assert_text(AF_INET6, "::ffff:192.0.2.1", "192.0.2.1");
    assert_text(AF_UNIX, "", "unix");
}

static void test_addresses(void **state)
{
    (void)state;
    assert_true(peer_is_address(SLICE("10.1.2.3")));
    assert_true(peer_is_address(SLICE("::1")));
    assert_false(peer_is_address(SLICE("10.1.2")));
    assert_false(peer_is_address(SLICE("10.1.2.3:80")));
    assert_false(peer_is_address(SLICE("unknown")));
    assert_false(peer_is_address(SLICE("")));
    assert_true(peer_is_loopback(SLICE("127.0.0.1")));
    assert_true(peer_is_loopback(SLICE("127.9.9.9")));
    assert_true(peer_is_loopback(SLICE("::1")));
    assert_false(peer_is_loopback(SLICE("128.0.0.1")));
    assert_false(peer_is_loopback(SLICE("localhost")));
}

static void test_counting(void **state)
{
    (void)state;
    struct peer_table *t = peer_table_new();
    struct peer *a, *b, *c;
    assert_int_equal(peer_take(t, SLICE("192.0.2.1"), false, 2, &a), 0);
    assert_int_equal(peer_take(t, SLICE("192.0.2.1"), false, 2, &b), 0);
    assert_ptr_equal(a, b);
    assert_string_equal(a->text, "192.0.2.1");
    assert_int_equal(peer_take(t, SLICE("192.0.2.1"), false, 2, &c), FAN_E_LIMIT);
    assert_null(c);
    assert_int_equal(peer_take(t, SLICE("192.0.2.2"), false, 2, &c), 0);
    peer_release(t, c);
    peer_release(t, b);
    assert_int_equal(peer_take(t, SLICE("192.0.2.1"), false, 2, &b), 0);
    peer_release(t, b);
    peer_release(t, a);
    peer_release(t, NULL);
    peer_table_free(t);
    peer_table_free(NULL);
}

static void test_who_is_not_counted(void **state)
{
    (void)state;
    struct peer_table *t = peer_table_new();
    struct peer *p[6];
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(peer_take(t, SLICE("127.0.0.1"), false, 1, &p[3 * i]), 0);
        assert_int_equal(peer_take(t, SLICE("unix"), false, 1, &p[3 * i + 1]), 0);
        assert_int_equal(peer_take(t, SLICE("192.0.2.9"), true, 1, &p[3 * i + 2]), 0);
    }
    assert_true(p[0]->local);
    assert_false(p[2]->local);
    for (unsigned i = 0; i < 6; i++)
        peer_release(t, p[i]);
    peer_table_free(t);
}

/* Whoever is refused leaves nothing behind. */
static void test_refused(void **state)
{
    (void)state;
    struct peer_table *t = peer_table_new();
    struct peer *p;
    assert_int_equal(peer_take(t, SLICE("192.0.2.1"), false, 0, &p), FAN_E_LIMIT);
    memory_fail_nth(1);
    assert_int_equal(peer_take(t, SLICE("192.0.2.1"), false, 1, &p), FAN_E_NO_MEMORY);
    memory_fail_nth(2);
    int error = peer_take(t, SLICE("192.0.2.2"), false, 1, &p);
    memory_fail_nth(0);
    assert_true(error == FAN_E_NO_MEMORY || error == 0);
    peer_release(t, p);
    peer_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),     cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_counting), cmocka_unit_test(test_who_is_not_counted),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
