/*
 * Who is connected to a topic: asked of all workers in turn, each on its own thread, because a
 * connection belongs to its worker alone.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "codec/json.h"
#include "net/conn_log.h"
#include "net/login.h"
#include "server/private.h"

struct round {
    struct server *server;
    struct worker *asker;
    struct buf topic, array;
    unsigned next; /* worker to be asked */
    void *token;
    void (*done)(void *token, struct buf *array);
};

static void append_client(struct buf *out, struct client *c)
{
    const struct principal *who = login_principal(&c->ws.conn);
    char id[CONN_ID_SIZE], since[CLOCK_TEXT_SIZE];
    conn_format_id(&c->ws.conn, id);
    clock_format(c->since_ms, since);
    if (out->data[out->len - 1] == '}')
        buf_append_char(out, ',');
    buf_printf(out, "{\"connection_id\":\"%s\",\"user_id\":", id);
    json_append_lossy(out, slice_from(who ? who->name : "anonymous"));
    buf_printf(out, ",\"dialect\":\"%s\",\"since\":\"%s\"}", c->dialect->name, since);
}

static void finish(struct worker *w, void *arg)
{
    struct round *r = arg;
    (void)w;
    buf_append_char(&r->array, ']');
    r->done(r->token, &r->array);
    buf_fini(&r->topic);
    buf_fini(&r->array);
    memory_free(r);
}

static void ask(struct worker *w, void *arg)
{
    struct round *r = arg;
    for (uint32_t i = 0; i < w->conn_count; i++) {
        struct client *c = client_from_conn(w->conns[i]);
        if (c->dialect && subscriber_hears(&c->subscriber, buf_slice(&r->topic)) &&
            c->ws.conn.state == CONN_OPEN)
            append_client(&r->array, c);
    }
    if (++r->next < r->server->worker_count)
        worker_post(&r->server->workers[r->next], ask, r);
    else
        worker_post(r->asker, finish, r);
}

void server_presence(void *arg, struct worker *w, struct slice topic, void *token,
                     void (*done)(void *token, struct buf *array))
{
    struct round *r = memory_zero(sizeof *r);
    *r = (struct round){.server = arg, .asker = w, .token = token, .done = done};
    buf_append_slice(&r->topic, topic);
    buf_append_char(&r->array, '[');
    worker_post(&r->server->workers[0], ask, r);
}
