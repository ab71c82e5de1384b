/* Sockets and users that are gone; see rooms_recovery.h. */
#include "dialect/rooms_recovery.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "dialect/rooms_notes.h"
#include "hub/hub.h"

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
    uint64_t until_ms, position; /* of a user: none yet is NOT_GIVEN */
    uint64_t written;            /* of a user: the position that the engine keeps */
    struct room_socket socket;   /* its user is the text behind */
    struct slice key;
    const char *kind; /* of its note */
    char text[];
};

struct room_recovery {
    pthread_mutex_t lock;
    struct remembered sockets, users;
    struct hub *hub; /* that keeps notes; NULL: none does */
};

/* A user who has had no connection that ended. */
#define NOT_GIVEN UINT64_MAX

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

void room_socket_fini(struct room_socket *socket)
{
    buf_fini(&socket->rooms);
    room_marks_free(socket->marks);
    socket->marks = NULL;
}

static void entry_free(struct entry *e)
{
    room_socket_fini(&e->socket);
    memory_free(e);
}

static void forget(struct remembered *m, struct entry *e)
{
    map_remove(&m->by_key, e->key);
    list_remove(&e->by_age);
    m->bytes -= e->bytes;
    entry_free(e);
}

/* The engine forgets it, too. */
static void strike(struct room_recovery *r, const char *kind, struct slice key)
{
    if (r->hub)
        room_note_send(r->hub, kind, key, slice_of(NULL, 0));
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

static void make_room(struct room_recovery *r, struct remembered *m, size_t bytes)
{
    uint64_t now = clock_ms();
    while (!list_empty(&m->by_age)) {
        struct entry *oldest = CONTAINER(m->by_age.next, struct entry, by_age);
        if (oldest->until_ms > now && m->bytes + bytes <= BYTES_MAX)
            return;
        strike(r, oldest->kind, oldest->key);
        forget(m, oldest);
    }
}

/* Takes the place of one with the same key. False: there is no room for it. */
static bool put(struct room_recovery *r, struct remembered *m, struct entry *e)
{
    struct entry *before = map_get(&m->by_key, e->key);
    if (before)
        forget(m, before);
    make_room(r, m, e->bytes);
    if (e->bytes > BYTES_MAX || map_try_put(&m->by_key, e) != 0) {
        strike(r, e->kind, e->key);
        entry_free(e);
        return false;
    }
    m->bytes += e->bytes;
    list_init(&e->by_age);
    list_append(&m->by_age, &e->by_age);
    return true;
}

static struct entry *entry_try_new(const char *kind, struct slice text, uint64_t until_ms)
{
    struct entry *e = memory_try_alloc(sizeof *e + text.len);
    if (!e)
        return NULL;
    *e = (struct entry){.bytes = sizeof *e + text.len, .until_ms = until_ms, .kind = kind};
    memcpy(e->text, text.ptr, text.len);
    return e;
}

/* ---- Sockets ---- */

static int64_t wall_time_of(uint64_t until_ms)
{
    return clock_wall_ms() + (int64_t)(until_ms - clock_ms());
}

static void write_socket(struct room_recovery *r, const struct room_socket *socket,
                         int64_t until_ms)
{
    struct buf value = {0};
    if (!r->hub)
        return;
    room_note_append_socket(&value, socket, until_ms);
    if (!value.failed)
        room_note_send(r->hub, ROOM_NOTE_SOCKET, slice_from(socket->pid), buf_slice(&value));
    buf_fini(&value);
}

/* Takes the socket's rooms and marks over. */
static struct entry *socket_entry(struct room_socket *socket, uint64_t until_ms)
{
    struct entry *e = entry_try_new(ROOM_NOTE_SOCKET, socket->user, until_ms);
    if (!e)
        return NULL;
    e->bytes += socket->rooms.cap + room_marks_bytes(socket->marks);
    e->socket = *socket;
    e->socket.user = slice_of(e->text, socket->user.len);
    e->key = slice_from(e->socket.pid);
    socket->rooms = (struct buf){0};
    socket->marks = NULL;
    return e;
}

void room_recovery_keep(struct room_recovery *r, struct room_socket *socket, uint64_t until_ms)
{
    struct entry *e = socket_entry(socket, until_ms);
    if (!e)
        return;
    pthread_mutex_lock(&r->lock);
    write_socket(r, &e->socket, wall_time_of(until_ms));
    put(r, &r->sockets, e);
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
        e->socket.marks = NULL;
        forget(&r->sockets, e);
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

bool room_recovery_writes(const struct room_recovery *r)
{
    return r->hub != NULL;
}

void room_recovery_write(struct room_recovery *r, const struct room_socket *socket)
{
    write_socket(r, socket, 0);
}

void room_recovery_note(const struct room_socket *socket, struct buf *name, struct buf *value)
{
    buf_append_text(name, ROOM_NOTE_SOCKET);
    buf_append_text(name, socket->pid);
    room_note_append_socket(value, socket, 0);
}

void room_recovery_strike(struct room_recovery *r, const char *pid)
{
    strike(r, ROOM_NOTE_SOCKET, slice_from(pid));
}

/* ---- Users ---- */

static void write_user(struct room_recovery *r, struct entry *e, uint64_t position)
{
    struct buf value = {0};
    e->written = position;
    if (!r->hub)
        return;
    room_note_append_user(&value, position, clock_wall_ms());
    if (!value.failed)
        room_note_send(r->hub, ROOM_NOTE_USER, e->key, buf_slice(&value));
    buf_fini(&value);
}

/* NULL: no memory. */
static struct entry *put_user(struct room_recovery *r, struct slice user, uint64_t position)
{
    struct entry *e = entry_try_new(ROOM_NOTE_USER, user, UINT64_MAX);
    if (!e)
        return NULL;
    e->key = slice_of(e->text, user.len);
    e->position = position;
    return put(r, &r->users, e) ? e : NULL;
}

void room_recovery_note_user(struct room_recovery *r, struct slice user, uint64_t position)
{
    pthread_mutex_lock(&r->lock);
    struct entry *e = put_user(r, user, position);
    if (e)
        write_user(r, e, position);
    pthread_mutex_unlock(&r->lock);
}

bool room_recovery_find_user(struct room_recovery *r, struct slice user, uint64_t *position)
{
    pthread_mutex_lock(&r->lock);
    const struct entry *e = map_get(&r->users.by_key, user);
    bool found = e && e->position != NOT_GIVEN;
    if (found)
        *position = e->position;
    pthread_mutex_unlock(&r->lock);
    return found;
}

/* The position that was written of the user last. False: none was. */
static bool has_written(struct room_recovery *r, struct slice user, uint64_t *position)
{
    pthread_mutex_lock(&r->lock);
    const struct entry *e = map_get(&r->users.by_key, user);
    if (e)
        *position = e->written;
    pthread_mutex_unlock(&r->lock);
    return e != NULL;
}

/* Whether the topic had an event between the two positions. May read from the disk. */
static bool has_between(struct hub *hub, struct slice topic, uint64_t from, uint64_t to)
{
    uint64_t first, last;
    return hub_topic_offset_at(hub, topic, from, &first) == 0 &&
           hub_topic_offset_at(hub, topic, to, &last) == 0 && first != last;
}

void room_recovery_write_user(struct room_recovery *r, struct slice user, struct slice topic,
                              uint64_t position)
{
    uint64_t written = 0;
    if (!r->hub || (has_written(r, user, &written) &&
                    (written >= position || !has_between(r->hub, topic, written, position))))
        return;
    pthread_mutex_lock(&r->lock);
    struct entry *e = map_get(&r->users.by_key, user);
    if (!e)
        e = put_user(r, user, NOT_GIVEN);
    if (e)
        write_user(r, e, position);
    pthread_mutex_unlock(&r->lock);
}

/* ---- After a restart ---- */

struct load {
    struct room_recovery *r;
    const struct room_space *spaces;
    uint64_t window_ms, user_ms;
};

static void load_socket(void *arg, struct slice name, struct slice value)
{
    struct load *l = arg;
    struct slice pid = slice_skip(name, strlen(ROOM_NOTE_SOCKET));
    struct room_socket socket;
    struct buf user = {0};
    int64_t until, now = clock_wall_ms();
    int error = room_note_read_socket(value, l->spaces, &socket, &user, &until);
    uint64_t left = until == 0 ? l->window_ms : until > now ? (uint64_t)(until - now) : 0;
    if (error || left == 0 || pid.len != ROOM_ID_SIZE - 1) {
        strike(l->r, ROOM_NOTE_SOCKET, pid);
    } else {
        left = left > l->window_ms ? l->window_ms : left; /* the clock may have been set back */
        memcpy(socket.pid, pid.ptr, pid.len);
        socket.user = buf_slice(&user);
        room_recovery_keep(l->r, &socket, clock_ms() + left);
    }
    if (!error)
        room_socket_fini(&socket);
    buf_fini(&user);
}

static void load_user(void *arg, struct slice name, struct slice value)
{
    struct load *l = arg;
    struct slice user = slice_skip(name, strlen(ROOM_NOTE_USER));
    uint64_t position;
    int64_t at_ms;
    if (room_note_read_user(value, &position, &at_ms) != 0 ||
        (l->user_ms && clock_wall_ms() - at_ms > (int64_t)l->user_ms)) {
        strike(l->r, ROOM_NOTE_USER, user);
        return;
    }
    struct entry *e = put_user(l->r, user, position);
    if (e)
        e->written = position;
}

int room_recovery_load(struct room_recovery *r, struct hub *hub, const struct room_space *spaces,
                       uint64_t window_ms, uint64_t user_ms)
{
    struct load l = {.r = r, .spaces = spaces, .window_ms = window_ms, .user_ms = user_ms};
    if (!hub_keeps_notes(hub))
        return 0;
    r->hub = hub;
    int error = hub_each_note(hub, SLICE(ROOM_NOTE_USER), load_user, &l);
    return error ? error : hub_each_note(hub, SLICE(ROOM_NOTE_SOCKET), load_socket, &l);
}
