/* Namespaces of an embedding program, and what the dialect tells their sockets; see socketio.h. */
#include "base/memory.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"
#include "net/login.h"
#include "server/socketio.h"

/* ---- Namespaces ---- */

struct program_space *program_space_find(struct program_space *list, const char *name)
{
    for (; list; list = list->next)
        if (!list->space->plain && strcmp(list->space->name, name) == 0)
            return list;
    return NULL;
}

/* The sessions at /engine.io/ stand beside the namespaces, not among them. */
static int make_space(struct room_space **spaces, const char *name, struct program_space *p)
{
    struct room_space *only = NULL;
    int error = room_space_add(name ? spaces : &only, slice_from(name ? name : "engine.io"),
                               &program_hooks, p, &p->space);
    if (!error)
        p->space->plain = !name;
    return error;
}

int program_space_add(struct program_space **list, struct room_space **spaces, const char *name,
                      void *arg, struct program_space **added, struct buf *why)
{
    if (name && !sio_namespace_valid(slice_from(name))) {
        buf_printf(why, "a namespace is / or a name such as /chat, got \"%s\"", name);
        return FAN_E_INVALID;
    }
    struct program_space *p = memory_zero(sizeof *p);
    if (make_space(spaces, name, p) != 0) {
        buf_printf(why, "there is a namespace %s already", name);
        memory_free(p);
        return FAN_E_EXISTS;
    }
    p->arg = arg;
    list_init(&p->sockets);
    pthread_mutex_init(&p->lock, NULL);
    p->next = *list;
    *list = p;
    *added = p;
    return 0;
}

void program_space_set_handler(struct program_space *p, const struct fan_namespace_handler *from)
{
    size_t n = 0;
    p->handler = *from;
    while (from->events && from->events[n].name)
        n++;
    p->events = memory_zero((n + 1) * sizeof *p->events);
    for (size_t i = 0; i < n; i++)
        p->events[i] = (struct fan_event_handler){
            memory_copy_string(slice_from(from->events[i].name)), from->events[i].handle};
}

void program_spaces_free(struct program_space *list)
{
    while (list) {
        struct program_space *p = list;
        list = p->next;
        for (struct fan_event_handler *e = p->events; e && e->name; e++)
            memory_free((char *)e->name);
        memory_free(p->events);
        if (p->space->plain)
            room_spaces_free(p->space);
        pthread_mutex_destroy(&p->lock);
        memory_free(p);
    }
}

/* ---- A socket's life ---- */

static const char *put_text(char **at, const char *text)
{
    char *begin = *at;
    size_t n = strlen(text) + 1;
    memcpy(begin, text, n);
    *at += n;
    return begin;
}

static void *make(void *arg, struct client *c)
{
    const struct principal *who = login_principal(&c->ws.conn);
    const char *id = room_program_id(c), *address = c->ws.conn.peer->text;
    const char *user = who ? who->name : "anonymous";
    size_t size = strlen(id) + strlen(address) + strlen(user) + 3;
    struct fan_socket *s = memory_try_alloc(sizeof *s + size);
    if (!s)
        return NULL;
    memset(s, 0, sizeof *s);
    char *at = s->text;
    atomic_init(&s->refs, 1);
    s->space = arg;
    s->id = put_text(&at, id);
    s->address = put_text(&at, address);
    s->user = put_text(&at, user);
    s->worker = c->ws.conn.worker;
    s->client = c;
    s->orders_end = &s->orders;
    list_init(&s->link);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void enter(struct fan_socket *s)
{
    pthread_mutex_lock(&s->space->lock);
    s->in = true;
    list_append(&s->space->sockets, &s->link);
    pthread_mutex_unlock(&s->space->lock);
}

static void leave(struct fan_socket *s)
{
    pthread_mutex_lock(&s->space->lock);
    list_remove(&s->link);
    buf_fini(&s->rooms);
    s->room_count = 0;
    pthread_mutex_unlock(&s->space->lock);
}

static void append_refusal(struct buf *out, const struct fan_refusal *refusal)
{
    struct json_value data;
    const char *message = refusal->message[0] ? refusal->message : "not authorized";
    json_put_name(out, "message");
    json_append_lossy(out, slice_from(message));
    if (refusal->data[0] && json_parse(slice_from(refusal->data), &data, NULL) == 0)
        json_put_raw(out, "data", slice_from(refusal->data));
}

/* Asks the program; it may end the socket in its answer. */
static bool let_in(struct fan_socket *s, struct json_value auth, struct buf *refusal)
{
    const struct program_space *p = s->space;
    struct fan_refusal why = {0};
    struct slice text = auth.kind == JSON_OBJECT ? auth.text : SLICE("{}");
    if (p->handler.connect && p->handler.connect(p->arg, s, text.ptr, text.len, &why) != 0) {
        append_refusal(refusal, &why);
        return false;
    }
    if (!s->closed)
        enter(s);
    return true;
}

static bool open_socket(void *socket, struct json_value auth, struct buf *refusal)
{
    struct fan_socket *s = fan_socket_ref(socket);
    const struct program_space *p = s->space;
    bool in = true;
    if (!p->space->plain) {
        in = let_in(s, auth, refusal);
    } else {
        enter(s);
        if (p->engine.open)
            p->engine.open(p->arg, s);
    }
    fan_socket_unref(s);
    return in;
}

static void on_closed(void *socket, const char *reason)
{
    struct fan_socket *s = socket;
    const struct program_space *p = s->space;
    if (s->client)
        worker_alarm_stop(s->client->ws.conn.worker, &s->alarm);
    leave(s);
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_mutex_unlock(&s->lock);
    s->client = NULL;
    socket_drop_orders(s);
    calls_end(s, FAN_E_CLOSED);
    if (reason && p->handler.disconnect)
        p->handler.disconnect(p->arg, s, reason);
    if (reason && p->engine.close)
        p->engine.close(p->arg, s, reason);
    fan_socket_unref(s);
}

static void on_departed(void *socket, struct worker *to)
{
    struct fan_socket *s = socket;
    worker_alarm_stop(s->client->ws.conn.worker, &s->alarm);
    pthread_mutex_lock(&s->lock);
    s->client = NULL;
    s->worker = to;
    pthread_mutex_unlock(&s->lock);
}

static void on_arrived(void *socket, struct client *c)
{
    struct fan_socket *s = socket;
    pthread_mutex_lock(&s->lock);
    s->client = c;
    s->waiting = conn_waiting(&c->ws.conn);
    socket_schedule(s);
    pthread_mutex_unlock(&s->lock);
    if (s->awaited)
        calls_set_alarm(s);
}

static void on_drained(void *socket)
{
    struct fan_socket *s = socket;
    const struct program_space *p = s->space;
    pthread_mutex_lock(&s->lock);
    bool owed = s->refused;
    s->refused = false;
    s->waiting = 0;
    pthread_mutex_unlock(&s->lock);
    if (owed && p->handler.drained)
        p->handler.drained(p->arg, s);
    if (owed && p->engine.drained)
        p->engine.drained(p->arg, s);
}

/* ---- Events ---- */

/* Attachments as the program sees them, and what they stand in. */
struct arguments {
    struct fan_attachment attachments[SIO_ATTACHMENTS_MAX];
    struct buf json;
    struct fan_arguments view;
};

/* rest: the array behind its bracket, or behind the event's name. */
static bool read_arguments(const struct room_message *m, struct slice rest, struct arguments *a)
{
    a->json = (struct buf){0};
    rest = slice_trim(rest);
    if (rest.len && rest.ptr[0] == ',')
        rest = slice_skip(rest, 1);
    buf_append_char(&a->json, '[');
    buf_append_slice(&a->json, slice_trim(rest));
    for (unsigned i = 0; i < m->attachment_count; i++)
        a->attachments[i] = (struct fan_attachment){m->attachments[i].ptr, m->attachments[i].len};
    a->view =
        (struct fan_arguments){a->json.data, a->json.len, a->attachments, m->attachment_count};
    return !a->json.failed;
}

static void handle(struct fan_socket *s, const struct fan_event *event)
{
    const struct program_space *p = s->space;
    for (const struct fan_event_handler *e = p->events; e && e->name; e++)
        if (strcmp(e->name, event->name) == 0) {
            e->handle(p->arg, s, event);
            return;
        }
    if (p->handler.event)
        p->handler.event(p->arg, s, event);
}

/* A name may be a number, too; its text is the name then. */
static void append_name(struct buf *out, struct json_value name)
{
    if (name.kind == JSON_STRING)
        json_string_append(out, name);
    else
        buf_append_slice(out, name.text);
}

static void on_event(void *socket, const struct room_message *m)
{
    struct fan_socket *s = fan_socket_ref(socket);
    struct json_iter it = json_elements(m->data);
    struct json_value name;
    struct arguments arguments;
    struct buf text = {0};
    json_next_element(&it, &name); /* was checked when it was read */
    const char *behind = name.text.ptr + name.text.len;
    const char *end = m->data.text.ptr + m->data.text.len;
    append_name(&text, name);
    if (read_arguments(m, slice_of(behind, (size_t)(end - behind)), &arguments) && !text.failed) {
        const struct fan_event event = {buf_text(&text), arguments.view,
                                        m->has_id ? (int64_t)m->id : FAN_NO_ACK};
        handle(s, &event);
    }
    buf_fini(&arguments.json);
    buf_fini(&text);
    fan_socket_unref(s);
}

static void on_acknowledged(void *socket, const struct room_message *m)
{
    struct fan_socket *s = fan_socket_ref(socket);
    struct arguments arguments;
    if (read_arguments(m, slice_skip(m->data.text, 1), &arguments))
        call_answered(s, m->id, &arguments.view);
    buf_fini(&arguments.json);
    fan_socket_unref(s);
}

static void on_message(void *socket, struct slice data, bool binary)
{
    struct fan_socket *s = fan_socket_ref(socket);
    const struct program_space *p = s->space;
    if (p->engine.message)
        p->engine.message(p->arg, s, binary ? FAN_WEBSOCKET_BINARY : FAN_WEBSOCKET_TEXT, data.ptr,
                          data.len);
    fan_socket_unref(s);
}

const struct room_hooks program_hooks = {
    .make = make,
    .open = open_socket,
    .event = on_event,
    .acknowledged = on_acknowledged,
    .message = on_message,
    .drained = on_drained,
    .departed = on_departed,
    .arrived = on_arrived,
    .closed = on_closed,
};
