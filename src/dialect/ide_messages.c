/*
 * What clients of the dialect `ide` ask for, beside what all dialects of sessions answer.
 *
 * What is for the session's others is published and comes back in its place among the events.
 * Running code and asking a model need services that this server does not have: the answer says
 * what is missing.
 */
#include "dialect/ide_private.h"
#include "dialect/publication.h"
#include "fanfare/error.h"
#include "hub/session_state.h"

bool ide_refuse_field(struct client *c, struct json_value message, const char *name,
                      const char *expected, struct json_value value)
{
    message_refuse(c, message, "invalid_message", "%s must be %s, got %s", name, expected,
                   value.kind == JSON_NULL ? "nothing" : json_kind_name(value.kind));
    return false;
}

/* Whether data has that member with a string, not empty when needed. */
static bool check_text(struct client *c, struct json_value message, const char *name, bool empty)
{
    struct json_value value = message_member(ide_fields(message), name);
    if (value.kind == JSON_STRING && (empty || value.text.len > 2))
        return true;
    return ide_refuse_field(c, message, name, empty ? "a string" : "a string that is not empty",
                            value);
}

/* ---- For the session's others ---- */

/* What came of it reaches the client as an event; only that nothing came is told. */
static void told(struct client *c, const struct publication_outcome *outcome)
{
    static const struct json_value nothing = {JSON_NULL, {"null", 4}};
    const char *code = publication_error_code(outcome->error);
    if (publication_error_is_ours(outcome->error))
        c->dialect->error(c, nothing, code, slice_from(outcome->message));
    else if (outcome->error)
        message_refuse(c, nothing, code, "%s", outcome->message);
}

static void publish(struct client *c, const struct publication *events, unsigned count)
{
    publication_send(c, topic_name_slice(session_topic(c)), events, count, told, 0);
}

void ide_on_session_update(struct client *c, struct json_value message)
{
    publish(c, &(const struct publication){SLICE("session_update"), ide_fields(message).text}, 1);
}

void ide_on_hook_event(struct client *c, struct json_value message)
{
    publish(c, &(struct publication){SLICE("hook_triggered"), ide_fields(message).text}, 1);
}

/* There is no workspace: the session keeps the text. */
void ide_on_save_file(struct client *c, struct json_value message)
{
    static const char *const names[] = {"file_id", "file_name", "language"};
    struct json_value data = ide_fields(message), content = message_member(data, "content");
    struct buf context = {0};
    if (!check_text(c, message, "file_id", false) || !check_text(c, message, "file_name", false) ||
        !check_text(c, message, "content", true))
        return;
    if (content.text.len > SESSION_FILE_MAX) {
        message_refuse(c, message, "too_large",
                       "content has %zu bytes as JSON; the session keeps files of at most %d, and "
                       "no workspace is configured to hold larger ones",
                       content.text.len, SESSION_FILE_MAX);
        return;
    }
    json_begin(&context, NULL, '{');
    json_put_text(&context, "hook_type", "on_save");
    json_begin(&context, "context", '{');
    for (unsigned i = 0; i < 3; i++)
        json_put_raw(&context, names[i], message_member(data, names[i]).text);
    json_end(&context, '}');
    json_end(&context, '}');
    const struct publication events[] = {{SLICE("file_saved"), data.text},
                                         {SLICE("hook_triggered"), buf_slice(&context)}};
    if (context.failed)
        conn_close(&c->ws.conn, "out of memory");
    else
        publish(c, events, 2);
    buf_fini(&context);
}

/* ---- What needs services that are not there ---- */

static void answer_no_sandbox(struct client *c, struct json_value message)
{
    struct buf *out = session_begin(c, "execution_error");
    json_put_raw(out, "execution_id", message_member(ide_fields(message), "execution_id").text);
    json_put_text(out, "error", "this server does not run code: no sandbox is configured");
    json_put_text(out, "error_type", "sandbox_unavailable");
    session_send(c, out);
}

/* What asks for a right that the client lacks is refused. */
static bool check_right(struct client *c, struct json_value message,
                        bool (*may)(const struct client *c, struct buf *why))
{
    struct buf why = {0};
    bool allowed = may(c, &why);
    if (!allowed)
        message_refuse(c, message, "forbidden", "%s", buf_text(&why));
    buf_fini(&why);
    return allowed;
}

void ide_on_execute_code(struct client *c, struct json_value message)
{
    if (check_text(c, message, "code", true) && check_text(c, message, "language", false) &&
        check_right(c, message, client_may_execute))
        answer_no_sandbox(c, message);
}

void ide_on_execution(struct client *c, struct json_value message)
{
    if (check_text(c, message, "execution_id", false) &&
        check_right(c, message, client_may_execute))
        answer_no_sandbox(c, message);
}

static void answer_no_model(struct client *c)
{
    struct buf *out = session_begin(c, "ai_error");
    json_put_text(out, "error", "this server has no model to ask: none is configured");
    json_put_text(out, "error_type", "not_configured");
    session_send(c, out);
}

void ide_on_ghost_chat(struct client *c, struct json_value message)
{
    if (check_text(c, message, "message", false) && check_right(c, message, client_may_use_ai))
        answer_no_model(c);
}

void ide_on_cancel_ai(struct client *c, struct json_value message)
{
    if (check_text(c, message, "id", false) && check_right(c, message, client_may_use_ai))
        answer_no_model(c);
}
