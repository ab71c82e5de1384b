/* Events that want an answer: who waits, for how long, and how it ends; see socketio.h. */
#include "base/memory.h"
#include "fanfare/error.h"
#include "server/socketio.h"

void call_round_done(struct call_round *round)
{
    if (!round || atomic_fetch_sub_explicit(&round->left, 1, memory_order_acq_rel) != 1)
        return;
    round->answer(round->arg, NULL, 0, NULL);
    memory_free(round);
}

void call_finish(struct fan_socket *s, struct call *c, int error,
                 const struct fan_arguments *arguments)
{
    pthread_mutex_lock(&s->lock);
    s->calls--;
    pthread_mutex_unlock(&s->lock);
    c->answer(c->arg, s, error, arguments);
    call_round_done(c->round);
    memory_free(c);
}

static uint64_t now_ms(const struct fan_socket *s)
{
    return s->client->ws.conn.worker->now_ms;
}

void calls_set_alarm(struct fan_socket *s)
{
    uint64_t first = UINT64_MAX, now = now_ms(s);
    for (const struct call *c = s->awaited; c; c = c->next)
        if (c->deadline_ms < first)
            first = c->deadline_ms;
    if (first == UINT64_MAX)
        worker_alarm_stop(s->client->ws.conn.worker, &s->alarm);
    else
        worker_alarm_set(s->client->ws.conn.worker, &s->alarm, first > now ? first - now : 0);
}

/* Takes a call out of the list. */
static struct call *take(struct call **at)
{
    struct call *c = *at;
    *at = c->next;
    return c;
}

static void on_alarm(struct worker_alarm *alarm)
{
    struct fan_socket *s = fan_socket_ref(CONTAINER(alarm, struct fan_socket, alarm));
    uint64_t now = now_ms(s);
    struct call **at = &s->awaited;
    while (s->client && *at) {
        if ((*at)->deadline_ms > now) {
            at = &(*at)->next;
            continue;
        }
        call_finish(s, take(at), FAN_E_TIMEOUT, NULL);
        at = &s->awaited; /* the callback may have changed the list */
    }
    if (s->client)
        calls_set_alarm(s);
    fan_socket_unref(s);
}

void call_await(struct fan_socket *s, struct call *c)
{
    c->deadline_ms = now_ms(s) + c->timeout_ms;
    c->next = s->awaited;
    s->awaited = c;
    s->alarm.ring = on_alarm;
    calls_set_alarm(s);
}

void call_answered(struct fan_socket *s, uint64_t id, const struct fan_arguments *arguments)
{
    for (struct call **at = &s->awaited; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            call_finish(s, take(at), 0, arguments);
            if (s->client)
                calls_set_alarm(s);
            return;
        }
}

void calls_end(struct fan_socket *s, int error)
{
    while (s->awaited)
        call_finish(s, take(&s->awaited), error, NULL);
}
