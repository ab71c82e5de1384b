/* Listening sockets. */
#include "../test.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fanfare/error.h"
#include "net/listener.h"

static int connect_to(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Accepted sockets are used as they come: they must not wait with small frames (Nagle). */
static void test_accepted_sockets_do_not_delay(void **state)
{
    (void)state;
    struct buf why = {0};
    uint16_t port = 0;
    int fd = listener_open_tcp("127.0.0.1", &port, true, &why);
    assert_true(fd >= 0);
    assert_int_not_equal(port, 0);
    int client = connect_to(port);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 20000), 1);
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC), on = 0;
    socklen_t size = sizeof on;
    assert_true(accepted >= 0);
    assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    assert_int_not_equal(on, 0);
    close(accepted);
    close(client);
    close(fd);
}

static void test_port_in_use(void **state)
{
    (void)state;
    struct buf why = {0};
    uint16_t port = 0;
    int fd = listener_open_tcp("127.0.0.1", &port, true, &why);
    assert_true(fd >= 0);
    assert_int_equal(listener_open_tcp("127.0.0.1", &port, true, &why), FAN_E_ADDRESS);
    assert_non_null(strstr(buf_text(&why), "is another server running?"));
    int second = listener_open_tcp("127.0.0.1", &port, false, &why);
    assert_true(second >= 0); /* another worker's */
    close(second);
    close(fd);
    buf_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted_sockets_do_not_delay),
        cmocka_unit_test(test_port_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
