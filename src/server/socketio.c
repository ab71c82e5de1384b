/*
 * Sockets of an embedding program: the fan_socket_ functions.
 *
 * A socket's client belongs to a worker, and may go to another one when it upgrades. Whatever is
 * asked of it becomes an order in the socket's own list, which its worker works off; so calls keep
 * their order through a move. Calls from the worker's thread are carried out before they return. A
 * lock, held for a few instructions, guards the list and says where the client is.
 *
 * What waits is bounded: bytes of orders and those that the client's queue holds together. A sender
 * that comes too early is refused and called back when all of it has gone.
 */
#include "server/socketio.h"

#include "base/memory.h"
#include "fanfare/error.h"
#include "net/worker.h"

#define ROOM_NAME_MAX 255

struct order {
    struct order *next;
    struct program_packet *packet; /* NULL: end the socket */
    bool has_id;                   /* an acknowledgement's */
    uint64_t id;
    struct call *call; /* NULL: no answer is wanted */
    size_t size;
};

/* ---- Carrying out ---- */

static void send_packet(struct fan_socket *s, struct order *o)
{
    struct buf frames = {0};
    if (o->call) {
        o->has_id = true;
        o->id = o->call->id = s->next_id++;
        call_await(s, o->call);
        o->call = NULL;
    }
    program_packet_append(o->packet, o->has_id ? &o->id : NULL, &frames);
    if (frames.failed)
        room_program_abandon(s->client, "out of memory");
    else
        room_program_send(s->client, buf_slice(&frames));
    buf_fini(&frames);
}

static void order_free(struct order *o)
{
    program_packet_unref(o->packet);
    memory_free(o);
}

static void carry_out(struct fan_socket *s, struct order *o)
{
    if (s->client && o->packet)
        send_packet(s, o);
    else if (s->client)
        room_program_end(s->client);
    if (o->call)
        call_finish(s, o->call, FAN_E_CLOSED, NULL);
    order_free(o);
}

/* The orders, when this worker is the one to see to them. */
static struct order *take_orders(struct fan_socket *s, const struct worker *w, size_t *size)
{
    struct order *list = NULL;
    pthread_mutex_lock(&s->lock);
    s->scheduled = false;
    if (s->worker != w) {
        socket_schedule(s);
    } else if (s->client || s->closed) { /* else it arrives soon */
        list = s->orders;
        *size = s->posted;
        s->orders = NULL;
        s->orders_end = &s->orders;
    }
    pthread_mutex_unlock(&s->lock);
    return list;
}

static void note_waiting(struct fan_socket *s, size_t done)
{
    pthread_mutex_lock(&s->lock);
    s->posted -= done;
    s->waiting = s->client ? conn_waiting(&s->client->ws.conn) : 0;
    pthread_mutex_unlock(&s->lock);
}

void socket_run_orders(struct worker *w, void *arg)
{
    struct fan_socket *s = arg;
    size_t size = 0;
    struct order *o = take_orders(s, w, &size);
    bool any = o != NULL;
    while (o) {
        struct order *next = o->next;
        carry_out(s, o);
        o = next;
    }
    if (any)
        note_waiting(s, size);
    fan_socket_unref(s);
}

void socket_schedule(struct fan_socket *s)
{
    if (s->scheduled || !s->orders)
        return;
    s->scheduled = true;
    worker_post(s->worker, socket_run_orders, fan_socket_ref(s));
}

void socket_drop_orders(struct fan_socket *s)
{
    pthread_mutex_lock(&s->lock);
    struct order *o = s->orders;
    s->orders = NULL;
    s->orders_end = &s->orders;
    s->posted = 0;
    pthread_mutex_unlock(&s->lock);
    while (o) {
        struct order *next = o->next;
        if (o->call)
            call_finish(s, o->call, FAN_E_CLOSED, NULL);
        order_free(o);
        o = next;
    }
}

/* ---- Asking ---- */

/* Why an order cannot be taken, under the lock; 0: it can. */
static int look(struct fan_socket *s, const struct order *o)
{
    if (s->closed)
        return FAN_E_CLOSED;
    if (o->call && s->calls >= CALLS_MAX)
        return FAN_E_LIMIT;
    if (o->packet && s->posted + s->waiting >= NET_LIMIT(s->worker, queue))
        return FAN_E_AGAIN;
    return 0;
}

/* Takes the order over; on failure its call, too, is freed without an answer. */
static int push(struct fan_socket *s, struct order *o)
{
    struct worker *here = NULL;
    pthread_mutex_lock(&s->lock);
    int error = look(s, o);
    if (error == FAN_E_AGAIN)
        s->refused = true;
    if (!error) {
        s->calls += o->call != NULL;
        s->posted += o->size;
        *s->orders_end = o;
        s->orders_end = &o->next;
        if (worker_is_current(s->worker))
            here = s->worker;
        else
            socket_schedule(s);
    }
    pthread_mutex_unlock(&s->lock);
    if (error) {
        memory_free(o->call);
        order_free(o);
    } else if (here) {
        socket_run_orders(here, fan_socket_ref(s));
    }
    return error;
}

/* Takes the packet and the call over. */
static int ask(struct fan_socket *s, struct program_packet *packet, const uint64_t *id,
               struct call *call)
{
    struct order *o = memory_try_alloc(sizeof *o);
    if (!o) {
        program_packet_unref(packet);
        memory_free(call);
        return FAN_E_NO_MEMORY;
    }
    *o = (struct order){
        .packet = packet,
        .has_id = id != NULL,
        .id = id ? *id : 0,
        .call = call,
        .size = packet ? program_packet_size(packet) : 0,
    };
    return push(s, o);
}

int fan_socket_emit(struct fan_socket *s, const char *name, const struct fan_arguments *arguments)
{
    struct program_packet *packet;
    int error = name ? program_packet_new(s->space, name, arguments, &packet) : FAN_E_INVALID;
    return error ? error : ask(s, packet, NULL, NULL);
}

static struct call *call_try_new(unsigned timeout_ms, fan_answer_fn *answer, void *arg)
{
    struct call *c = memory_try_alloc(sizeof *c);
    if (c)
        *c = (struct call){.timeout_ms = timeout_ms, .answer = answer, .arg = arg};
    return c;
}

int fan_socket_call(struct fan_socket *s, const char *name, const struct fan_arguments *arguments,
                    unsigned timeout_ms, fan_answer_fn *answer, void *arg)
{
    struct program_packet *packet;
    int error =
        name && answer ? program_packet_new(s->space, name, arguments, &packet) : FAN_E_INVALID;
    if (error)
        return error;
    struct call *call = call_try_new(timeout_ms, answer, arg);
    if (call)
        return ask(s, packet, NULL, call);
    program_packet_unref(packet);
    return FAN_E_NO_MEMORY;
}

int fan_socket_acknowledge(struct fan_socket *s, int64_t ack, const struct fan_arguments *arguments)
{
    struct program_packet *packet;
    uint64_t id = (uint64_t)ack;
    int error = ack >= 0 ? program_packet_new(s->space, NULL, arguments, &packet) : FAN_E_INVALID;
    return error ? error : ask(s, packet, &id, NULL);
}

int fan_socket_disconnect(struct fan_socket *s)
{
    return ask(s, NULL, NULL, NULL);
}

int fan_engineio_send(struct fan_socket *s, enum fan_websocket_kind kind, const void *data,
                      size_t size)
{
    struct program_packet *packet;
    int error = s->space->space->plain ? program_packet_message(kind, slice_of(data, size), &packet)
                                       : FAN_E_INVALID;
    return error ? error : ask(s, packet, NULL, NULL);
}

/* ---- Rooms ---- */

/* Where the room's name begins in the socket's list; its length when it is not in there. */
static size_t find_room(const struct fan_socket *s, const char *room)
{
    size_t at = 0;
    while (at < s->rooms.len && strcmp(s->rooms.data + at, room) != 0)
        at += strlen(s->rooms.data + at) + 1;
    return at;
}

/* 0 when it may join one more. */
static int look_at_limit(struct fan_socket *s)
{
    pthread_mutex_lock(&s->lock);
    int error = FAN_E_CLOSED;
    if (!s->closed) {
        const struct delivery *d = s->worker->context;
        error = s->room_count < d->options->subscriptions ? 0 : FAN_E_LIMIT;
    }
    pthread_mutex_unlock(&s->lock);
    return error;
}

int fan_socket_join(struct fan_socket *s, const char *room)
{
    size_t n = room ? strlen(room) : 0;
    if (n == 0 || n > ROOM_NAME_MAX)
        return FAN_E_INVALID;
    pthread_mutex_lock(&s->space->lock);
    bool is_in = find_room(s, room) < s->rooms.len;
    int error = is_in ? 0 : look_at_limit(s);
    if (!error && !is_in && !buf_reserve(&s->rooms, n + 1)) {
        s->rooms.failed = false; /* what is in it is as it was */
        error = FAN_E_NO_MEMORY;
    }
    if (!error && !is_in) {
        buf_append(&s->rooms, room, n + 1);
        s->room_count++;
    }
    pthread_mutex_unlock(&s->space->lock);
    return error;
}

int fan_socket_leave(struct fan_socket *s, const char *room)
{
    pthread_mutex_lock(&s->space->lock);
    size_t at = room ? find_room(s, room) : s->rooms.len;
    bool found = at < s->rooms.len;
    if (found) {
        size_t n = strlen(room) + 1;
        memmove(s->rooms.data + at, s->rooms.data + at + n, s->rooms.len - at - n);
        s->rooms.len -= n;
        s->room_count--;
    }
    pthread_mutex_unlock(&s->space->lock);
    return found ? 0 : FAN_E_NOT_FOUND;
}

/* ---- To many ---- */

/* Who is asked, each referenced: they are sent to without the namespace's lock, because what they
 * answer may ask for it. */
static struct fan_socket **collect(struct program_space *space, const char *room, size_t *count)
{
    size_t n = 0, cap = 0;
    struct fan_socket **found = NULL;
    pthread_mutex_lock(&space->lock);
    LIST_EACH (link, &space->sockets) {
        struct fan_socket *s = CONTAINER(link, struct fan_socket, link);
        if (room && find_room(s, room) == s->rooms.len)
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            found = memory_realloc(found, cap * sizeof *found);
        }
        found[n++] = fan_socket_ref(s);
    }
    pthread_mutex_unlock(&space->lock);
    *count = n;
    return found;
}

/* A client that does not keep up comes back rather than miss something without knowing. */
static void abandon(struct worker *w, void *arg)
{
    struct fan_socket *s = arg;
    (void)w;
    if (s->client)
        room_program_abandon(s->client, "slow reader");
    fan_socket_unref(s);
}

static void send_to(struct fan_socket *s, struct program_packet *packet, struct call *call)
{
    fan_answer_fn *answer = call ? call->answer : NULL;
    void *arg = call ? call->arg : NULL;
    struct call_round *round = call ? call->round : NULL;
    int error = ask(s, program_packet_ref(packet), NULL, call);
    if (error == FAN_E_AGAIN) {
        pthread_mutex_lock(&s->lock);
        if (!s->closed)
            worker_post(s->worker, abandon, fan_socket_ref(s));
        pthread_mutex_unlock(&s->lock);
    }
    if (error && answer)
        answer(arg, s, FAN_E_CLOSED, NULL);
    if (error)
        call_round_done(round);
}

static struct call_round *round_new(fan_answer_fn *answer, void *arg, size_t count)
{
    struct call_round *round = memory_alloc(sizeof *round);
    *round = (struct call_round){.answer = answer, .arg = arg};
    atomic_init(&round->left, (unsigned)count + 1);
    return round;
}

int program_space_emit(struct program_space *space, const char *room, const char *event,
                       const struct fan_arguments *arguments, const struct call *model)
{
    struct program_packet *packet;
    size_t count;
    int error = event ? program_packet_new(space, event, arguments, &packet) : FAN_E_INVALID;
    if (error)
        return error;
    struct fan_socket **sockets = collect(space, room, &count);
    struct call_round *round = model ? round_new(model->answer, model->arg, count) : NULL;
    for (size_t i = 0; i < count; i++) {
        struct call *call = NULL;
        if (model) {
            call = memory_alloc(sizeof *call);
            *call = *model;
            call->round = round;
        }
        send_to(sockets[i], packet, call);
        fan_socket_unref(sockets[i]);
    }
    call_round_done(round);
    memory_free(sockets);
    program_packet_unref(packet);
    return 0;
}

/* ---- Questions ---- */

const char *fan_socket_id(const struct fan_socket *s)
{
    return s->id;
}

const char *fan_socket_address(const struct fan_socket *s)
{
    return s->address;
}

const char *fan_socket_user(const struct fan_socket *s)
{
    return s->user;
}

void fan_socket_set_context(struct fan_socket *s, void *context)
{
    s->context = context;
}

void *fan_socket_context(const struct fan_socket *s)
{
    return s->context;
}

struct fan_socket *fan_socket_ref(struct fan_socket *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void fan_socket_unref(struct fan_socket *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    buf_fini(&s->rooms);
    pthread_mutex_destroy(&s->lock);
    memory_free(s);
}
