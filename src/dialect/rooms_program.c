/* Sockets and sessions that belong to the embedding program; see struct room_hooks. */
#include "dialect/rooms_private.h"
#include "fanfare/error.h"

/* ---- Socket.IO ---- */

/* The program's side of a socket that is about to be let in. */
static void *make(struct client *c)
{
    struct room_session *s = room_session_of(c);
    s->program = s->space->hooks->make(s->space->arg, c);
    return s->program;
}

bool room_program_open(struct client *c, struct json_value auth, struct buf *refusal)
{
    struct room_session *s = room_session_of(c);
    const struct room_hooks *hooks = s->space->hooks;
    void *program = make(c);
    if (!program) {
        json_put_text(refusal, "message", "out of memory");
        return false;
    }
    bool in = hooks->open(program, auth, refusal);
    if (s->program != program)
        return true; /* the program let it in and ended it at once */
    if (in && !s->entered)
        room_confirm(c);
    if (in)
        return true;
    s->program = NULL;
    hooks->closed(program, NULL);
    return false;
}

void room_program_take(struct client *c, const struct sio_whole *whole)
{
    const struct room_session *s = room_session_of(c);
    const struct sio_packet *packet = &whole->packet;
    const struct room_message message = {
        .data = packet->data,
        .has_id = packet->has_id,
        .id = packet->id,
        .attachments = whole->attachments,
        .attachment_count = packet->attachments,
    };
    if (packet->type == SIO_EVENT || packet->type == SIO_BINARY_EVENT)
        s->space->hooks->event(s->program, &message);
    else if (packet->has_id)
        s->space->hooks->acknowledged(s->program, &message);
}

void room_program_closed(struct client *c, const char *reason)
{
    struct room_session *s = room_session_of(c);
    void *program = s->program;
    s->program = NULL;
    if (program)
        s->space->hooks->closed(program, reason);
}

int room_program_send(struct client *c, struct slice frames)
{
    struct room_session *s = room_session_of(c);
    if (c->ws.close_sent || c->ws.conn.state != CONN_OPEN)
        return FAN_E_CLOSED;
    if (!s->entered)
        room_confirm(c);
    return conn_send_body(&c->ws.conn, frames);
}

void room_program_end(struct client *c)
{
    const struct room_session *s = room_session_of(c);
    if (s->space->plain) {
        ws_close(&c->ws, WS_CLOSE_NORMAL, "closed by the program");
        return;
    }
    if (!s->entered)
        room_confirm(c);
    room_disconnect(c);
}

void room_program_abandon(struct client *c, const char *reason)
{
    ws_close(&room_carrier(c)->ws, WS_CLOSE_TRY_LATER, reason);
}

const char *room_program_id(const struct client *c)
{
    const struct room_session *s = room_session_of(c);
    return s->space->plain ? s->sid : s->socket_id;
}

/* ---- Engine.IO alone ---- */

bool room_engine_open(struct client *c)
{
    struct room_session *s = room_session_of(c);
    s->space = client_delivery(c)->options->rooms.engine;
    s->entered = true;
    if (make(c)) {
        struct buf refusal = {0};
        const struct json_value nothing = {JSON_NULL, {"null", 4}};
        s->space->hooks->open(s->program, nothing, &refusal);
        buf_fini(&refusal);
        return true;
    }
    conn_close(&c->ws.conn, "out of memory");
    return false;
}

bool room_engine_take(struct client *c, const struct eio_packet *packet)
{
    const struct room_session *s = room_session_of(c);
    if (!s->space || !s->space->plain)
        return false;
    if (s->program)
        s->space->hooks->message(s->program, packet->data, packet->binary);
    return true;
}
