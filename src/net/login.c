/* Logins; see login.h. */
#include "net/login.h"

#include "base/clock.h"
#include "base/memory.h"
#include "fanfare/error.h"
#include "net/worker.h"

/* The wall clock may be set, so a time far away is looked at again now and then. */
#define LOOK_AGAIN_MS (60 * 1000)

/* ---- Principals ---- */

void principal_init(struct principal *p, const char *name, int64_t until_ms,
                    void (*free)(struct principal *principal))
{
    atomic_init(&p->refs, 1);
    p->name = name;
    p->until_ms = until_ms;
    p->free = free;
    p->login = (struct login){.principal = p};
}

struct principal *principal_ref(struct principal *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void principal_unref(struct principal *p)
{
    if (p && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        p->free(p);
}

bool principal_is_over(const struct principal *p)
{
    return p->until_ms && clock_wall_ms() >= p->until_ms;
}

/* ---- Logins ---- */

static void set_timer(struct login *l)
{
    int64_t left = l->principal->until_ms - clock_wall_ms();
    uint64_t delay = left < 0 ? 0 : (uint64_t)left;
    wheel_set(&l->conn->worker->logins, &l->timer, delay < LOOK_AGAIN_MS ? delay : LOOK_AGAIN_MS);
}

int login_begin(struct conn *c, struct principal *p, const struct login_ops *ops)
{
    struct login *l = p ? &p->login : NULL;
    if (p && p->until_ms) {
        l = memory_try_alloc(sizeof *l);
        if (!l)
            return FAN_E_NO_MEMORY;
        *l = (struct login){.principal = p, .conn = c, .ops = ops};
        set_timer(l);
    }
    if (p)
        principal_ref(p);
    c->login = l;
    return 0;
}

void login_end(struct conn *c)
{
    struct login *l = c->login;
    c->login = NULL;
    if (!l)
        return;
    struct principal *p = l->principal;
    if (l->conn) {
        wheel_cancel(&c->worker->logins, &l->timer);
        memory_free(l);
    }
    principal_unref(p);
}

int login_renew(struct conn *c, struct principal *p, const struct login_ops *ops)
{
    struct login *old = c->login;
    int error = login_begin(c, p, ops);
    struct login *fresh = c->login;
    c->login = old;
    if (!error) {
        login_end(c);
        c->login = fresh;
    }
    return error;
}

struct principal *login_principal(const struct conn *c)
{
    return c->login ? c->login->principal : NULL;
}

/* ---- Time ---- */

static void fire(struct wheel_timer *timer, void *arg)
{
    struct login *l = CONTAINER(timer, struct login, timer);
    struct worker *w = arg;
    struct conn *c = l->conn;
    if (c->state != CONN_OPEN)
        return; /* it is going already */
    w->busy = true;
    if (!principal_is_over(l->principal)) {
        set_timer(l);
        return;
    }
    bool may_renew = !l->told && l->ops->expired(c);
    if (c->login != l || c->state != CONN_OPEN)
        return;
    if (!may_renew) {
        l->ops->end(c);
        return;
    }
    l->told = true;
    wheel_set(&w->logins, timer, NET_LIMIT(w, token_grace_ms));
}

void login_advance(struct worker *w)
{
    wheel_advance(&w->logins, w->now_ms, fire, w);
}
