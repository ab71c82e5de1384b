/* Logins: shared and own, and the end of a token on a worker's clock. */
#include "../test.h"

#include "base/clock.h"
#include "net/login.h"
#include "net/worker.h"

static struct net_shared shared;
static struct worker worker;
static struct conn conn;
static unsigned freed, told, ended;
static bool may_renew, hangs_up;

static void count_free(struct principal *p)
{
    (void)p;
    freed++;
}

static bool on_expired(struct conn *c)
{
    told++;
    if (hangs_up)
        login_end(c);
    return may_renew;
}

static void on_end(struct conn *c)
{
    assert_ptr_equal(c, &conn);
    ended++;
}

static const struct login_ops ops = {on_expired, on_end};

static int set_up(void **state)
{
    (void)state;
    memset(&worker, 0, sizeof worker);
    worker.shared = &shared;
    worker.now_ms = 1000;
    atomic_store(&shared.limits.token_grace_ms, 1000);
    wheel_init(&worker.logins, 100, worker.now_ms);
    conn = (struct conn){.worker = &worker, .state = CONN_OPEN};
    freed = told = ended = 0;
    may_renew = true;
    hangs_up = false;
    return 0;
}

static void pass(uint64_t ms)
{
    worker.now_ms += ms;
    login_advance(&worker);
}

static void assert_seen(unsigned times_told, unsigned times_ended)
{
    assert_int_equal(told, times_told);
    assert_int_equal(ended, times_ended);
}

static void test_shared(void **state)
{
    (void)state;
    struct principal p;
    struct conn other = {.worker = &worker, .state = CONN_OPEN};
    principal_init(&p, "alice", 0, count_free);
    assert_int_equal(login_begin(&conn, &p, &ops), 0);
    assert_int_equal(login_begin(&other, &p, &ops), 0);
    assert_ptr_equal(conn.login, other.login);
    assert_ptr_equal(login_principal(&conn), &p);
    assert_int_equal(worker.logins.used, 0);
    principal_unref(&p);
    login_end(&conn);
    assert_null(login_principal(&conn));
    assert_int_equal(freed, 0);
    login_end(&other);
    assert_int_equal(freed, 1);
    login_end(&other);
    assert_int_equal(freed, 1);
}

static void test_nobody(void **state)
{
    (void)state;
    assert_int_equal(login_begin(&conn, NULL, &ops), 0);
    assert_null(login_principal(&conn));
    login_end(&conn);
}

static void begin_expired(struct principal *p)
{
    principal_init(p, "alice", clock_wall_ms() - 1, count_free);
    assert_true(principal_is_over(p));
    assert_int_equal(login_begin(&conn, p, &ops), 0);
    principal_unref(p);
}

static void test_told_then_ended(void **state)
{
    (void)state;
    struct principal p;
    begin_expired(&p);
    pass(200);
    assert_seen(1, 0);
    pass(900);
    assert_seen(1, 0);
    pass(300);
    assert_seen(1, 1);
    pass(100000);
    assert_seen(1, 1);
    login_end(&conn);
    assert_int_equal(freed, 1);
}

static void test_ended_at_once(void **state)
{
    (void)state;
    struct principal p;
    may_renew = false;
    begin_expired(&p);
    pass(200);
    assert_seen(1, 1);
    login_end(&conn);
}

static void test_not_yet(void **state)
{
    (void)state;
    struct principal p;
    principal_init(&p, "alice", clock_wall_ms() + 3600000, count_free);
    assert_false(principal_is_over(&p));
    assert_int_equal(login_begin(&conn, &p, &ops), 0);
    principal_unref(&p);
    pass(7200000); /* the wall clock says otherwise */
    assert_seen(0, 0);
    assert_int_equal(worker.logins.used, 1);
    login_end(&conn);
    assert_int_equal(worker.logins.used, 0);
    assert_int_equal(freed, 1);
}

static void test_renewed(void **state)
{
    (void)state;
    struct principal p, fresh;
    begin_expired(&p);
    pass(200);
    principal_init(&fresh, "alice", 0, count_free);
    assert_int_equal(login_renew(&conn, &fresh, &ops), 0);
    principal_unref(&fresh);
    assert_int_equal(freed, 1);
    assert_ptr_equal(login_principal(&conn), &fresh);
    pass(100000);
    assert_seen(1, 0);
    /* And back to one that expires. */
    begin_expired(&p);
    login_end(&conn);
    principal_init(&fresh, "alice", clock_wall_ms() - 1, count_free);
    assert_int_equal(login_begin(&conn, &fresh, &ops), 0);
    principal_unref(&fresh);
    pass(200);
    assert_seen(2, 0);
    login_end(&conn);
}

/* A protocol may end the login, or the connection, while it is told. */
static void test_gone_while_told(void **state)
{
    (void)state;
    struct principal p;
    hangs_up = true;
    begin_expired(&p);
    pass(200);
    assert_seen(1, 0);
    assert_int_equal(freed, 1);
    pass(100000);
    assert_seen(1, 0);
}

static void test_closing_connections_are_left_alone(void **state)
{
    (void)state;
    struct principal p;
    begin_expired(&p);
    conn.state = CONN_FINISHING;
    pass(200);
    assert_seen(0, 0);
    login_end(&conn);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_shared),          TEST(test_nobody),
        TEST(test_told_then_ended), TEST(test_ended_at_once),
        TEST(test_not_yet),         TEST(test_renewed),
        TEST(test_gone_while_told), TEST(test_closing_connections_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
