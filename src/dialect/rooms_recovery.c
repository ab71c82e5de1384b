/* Sockets and users that are gone; see rooms_recovery.h. */
#include "dialect/rooms_recovery.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"

/* All that is remembered, about; then the oldest go. */
#define BYTES_MAX (32u << 20)

/* One table of things that are looked up by a text and forgotten in the order of their coming. */
struct remembered {
    struct map by_key;
    struct list by_age;
    size_t bytes;
};

struct entry {
    struct list by_age;
    size_t bytes;
    uint64_t until_ms, position;
    struct room_socket socket; /* its user is the text behind */
    struct slice key;
    char text[];
};

struct room_recovery {
    pthread_mutex_t lock;
    struct remembered sockets, users;
};

static struct slice entry_key(const void *object)
{
    return ((const struct entry *)object)->key;
}

static void remembered_init(struct remembered *m)
{
    map_init(&m->by_key, entry_key);
    list_init(&m->by_age);
}

struct room_recovery *room_recovery_new(void)
{
    struct room_recovery *r = memory_zero(sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    remembered_init(&r->sockets);
    remembered_init(&r->users);
    return r;
}

static void forget(struct remembered *m, struct entry *e)
{
    map_remove(&m->by_key, e->key);
    list_remove(&e->by_age);
    m->bytes -= e->bytes;
    buf_fini(&e->socket.rooms);
    memory_free(e);
}

static void forget_all(struct remembered *m)
{
    while (!list_empty(&m->by_age))
        forget(m, CONTAINER(m->by_age.next, struct entry, by_age));
    map_fini(&m->by_key);
}

void room_recovery_free(struct room_recovery *r)
{
    if (!r)
        return;
    forget_all(&r->sockets);
    forget_all(&r->users);
    pthread_mutex_destroy(&r->lock);
    memory_free(r);
}

static void make_room(struct remembered *m, size_t bytes)
{
    uint64_t now = clock_ms();
    while (!list_empty(&m->by_age)) {
        struct entry *oldest = CONTAINER(m->by_age.next, struct entry, by_age);
        if (oldest->until_ms > now && m->bytes + bytes <= BYTES_MAX)
            return;
        forget(m, oldest);
    }
}

/* Takes the place of one with the same key. */
static void put(struct remembered *m, struct entry *e)
{
    struct entry *before = map_get(&m->by_key, e->key);
    if (before)
        forget(m, before);
    make_room(m, e->bytes);
    if (e->bytes > BYTES_MAX || map_try_put(&m->by_key, e) != 0) {
        buf_fini(&e->socket.rooms);
        memory_free(e);
        return;
    }
    m->bytes += e->bytes;
    list_init(&e->by_age);
    list_append(&m->by_age, &e->by_age);
}

static struct entry *entry_try_new(struct slice user, uint64_t until_ms)
{
    struct entry *e = memory_try_alloc(sizeof *e + user.len);
    if (!e)
        return NULL;
    *e = (struct entry){.bytes = sizeof *e + user.len, .until_ms = until_ms};
    memcpy(e->text, user.ptr, user.len);
    return e;
}

/* ---- Sockets ---- */

void room_recovery_keep(struct room_recovery *r, struct room_socket *socket, uint64_t until_ms)
{
    struct entry *e = entry_try_new(socket->user, until_ms);
    if (!e)
        return;
    e->bytes += socket->rooms.cap;
    e->socket = *socket;
    e->socket.user = slice_of(e->text, socket->user.len);
    e->key = slice_from(e->socket.pid);
    socket->rooms = (struct buf){0};
    pthread_mutex_lock(&r->lock);
    put(&r->sockets, e);
    pthread_mutex_unlock(&r->lock);
}

bool room_recovery_take(struct room_recovery *r, struct slice pid, struct slice user,
                        const struct room_space *space, struct room_socket *socket)
{
    pthread_mutex_lock(&r->lock);
    struct entry *e = map_get(&r->sockets.by_key, pid);
    bool found = e && e->until_ms > clock_ms() && e->socket.space == space &&
                 slice_equal(e->socket.user, user);
    if (found) {
        *socket = e->socket;
        e->socket.rooms = (struct buf){0};
        forget(&r->sockets, e);
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

/* ---- Users ---- */

void room_recovery_note_user(struct room_recovery *r, struct slice user, uint64_t position)
{
    struct entry *e = entry_try_new(user, UINT64_MAX);
    if (!e)
        return;
    e->key = slice_of(e->text, user.len);
    e->position = position;
    pthread_mutex_lock(&r->lock);
    put(&r->users, e);
    pthread_mutex_unlock(&r->lock);
}

bool room_recovery_find_user(struct room_recovery *r, struct slice user, uint64_t *position)
{
    pthread_mutex_lock(&r->lock);
    const struct entry *e = map_get(&r->users.by_key, user);
    if (e)
        *position = e->position;
    pthread_mutex_unlock(&r->lock);
    return e != NULL;
}
