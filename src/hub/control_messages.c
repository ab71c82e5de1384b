/*
 * The names and fields of the dialects' control messages; see catalogue.h.
 *
 * The names are reserved: an event of such a type would look to a client like the server's own
 * word about the connection.
 */
#include "hub/catalogue.h"

#define FIELDS(array) array, sizeof array / sizeof *array
#define FROM_CLIENT   true
#define FROM_SERVER   false

static const char *const reasons[] = {"trimmed", "epoch_changed", "limit", "invalid", NULL};
static const char *const gap_reasons[] = {"trimmed", "superseded", "epoch_changed", "limit", NULL};

static const struct event_field topics[] = {
    {NAME("topics"), EVENT_TEXT_LIST, EVENT_REQUIRED,
     .meaning = "Event types, or short names (components, features, terminal, checkpoints, "
                "progress, files, errors, tasks); [\"*\"] means all."},
};

static const struct event_field answered_topics[] = {
    {NAME("topics"), EVENT_TEXT_LIST, EVENT_REQUIRED, .meaning = "What the filter lets pass now."},
    {NAME("except"), EVENT_TEXT_LIST, .meaning = "Types that are left out of [\"*\"]."},
};

static const struct event_field greeting[] = {
    {NAME("status"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "\"connected\"."},
    {NAME("session_id"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The session."},
    {NAME("connection_id"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "This connection."},
    {NAME("timestamp"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The server's time."},
    {NAME("epoch"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The life of the session's numbering."},
    {NAME("offset"), EVENT_INTEGER, EVENT_REQUIRED, .meaning = "The newest event's number."},
    {NAME("cursor"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The same position, opaque."},
};

static const struct event_field pong[] = {
    {NAME("timestamp"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The server's time."},
};

static const struct event_field build_status[] = {
    {NAME("session_id"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The session."},
    {NAME("offset"), EVENT_INTEGER, EVENT_REQUIRED,
     .meaning = "The state is the one after exactly the events up to this number."},
    {NAME("status"), EVENT_OBJECT, EVENT_REQUIRED, .meaning = "The session state."},
};

static const struct event_field resume[] = {
    {NAME("epoch"), EVENT_TEXT, .meaning = "As the greeting or an answer said."},
    {NAME("offset"), EVENT_INTEGER, EVENT_MINIMUM, .minimum = 0,
     .meaning = "The last event that was seen."},
    {NAME("cursor"), EVENT_TEXT, .meaning = "Instead of the two."},
};

static const struct event_field resumed[] = {
    {NAME("epoch"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The life of the numbering."},
    {NAME("offset"), EVENT_INTEGER, EVENT_REQUIRED, .meaning = "The newest event's number."},
    {NAME("cursor"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The same position, opaque."},
    {NAME("missed"), EVENT_INTEGER, EVENT_REQUIRED, .meaning = "How many events were replayed."},
};

static const struct event_field resume_failed[] = {
    {NAME("reason"), EVENT_TEXT, EVENT_REQUIRED, .choices = reasons, .meaning = "Why."},
    {NAME("available_from"), EVENT_INTEGER, .meaning = "The oldest event that is still kept."},
};

static const struct event_field gap[] = {
    {NAME("from"), EVENT_INTEGER, EVENT_REQUIRED, .meaning = "The first event that is missing."},
    {NAME("to"), EVENT_INTEGER, EVENT_REQUIRED, .meaning = "The last event that is missing."},
    {NAME("reason"), EVENT_TEXT, EVENT_REQUIRED, .choices = gap_reasons, .meaning = "Why."},
};

static const struct event_field refresh_token[] = {
    {NAME("token"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "A fresh token of the same user."},
};

static const struct event_field token_refreshed[] = {
    {NAME("expires"), EVENT_TEXT, EVENT_REQUIRED,
     .meaning = "When the new token expires; null: never."},
};

/* ---- Web IDE sessions ---- */

static const struct event_field ide_greeting[] = {
    {NAME("status"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "\"connected\"."},
    {NAME("connection_id"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "This connection."},
    {NAME("epoch"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The life of the session's numbering."},
    {NAME("offset"), EVENT_INTEGER, EVENT_REQUIRED, .meaning = "The newest event's number."},
    {NAME("cursor"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The same position, opaque."},
};

static const struct event_field ide_disconnect[] = {
    {NAME("connection_id"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The one that is gone."},
    {NAME("reason"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "Why."},
};

static const struct event_field ide_pong[] = {
    {NAME("timestamp"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The ping's own; without it, now."},
};

static const struct event_field ide_state[] = {
    {NAME("offset"), EVENT_INTEGER, EVENT_REQUIRED,
     .meaning = "The state is the one after exactly the events up to this number."},
    {NAME("executions"), EVENT_OBJECT, EVENT_REQUIRED, .meaning = "The last executions by id."},
    {NAME("chat"), EVENT_LIST, EVENT_REQUIRED, .meaning = "The last messages."},
    {NAME("files"), EVENT_OBJECT, EVENT_REQUIRED, .meaning = "The last saved files by id."},
    {NAME("updates"), EVENT_LIST, EVENT_REQUIRED, .meaning = "The last session updates."},
};

static const struct event_field ide_error[] = {
    {NAME("error"), EVENT_TEXT, EVENT_REQUIRED,
     .meaning = "\"Invalid message format\" or \"Message processing error\"."},
    {NAME("detail"), EVENT_TEXT, .meaning = "What was wrong and what was expected."},
    {NAME("code"), EVENT_TEXT, .meaning = "The kind of problem, for programs."},
};

static const struct event_field ide_resume[] = {
    {NAME("epoch"), EVENT_TEXT, .meaning = "As the greeting or an answer said."},
    {NAME("offset"), EVENT_INTEGER, EVENT_MINIMUM, .minimum = 0,
     .meaning = "The last event that was seen."},
    {NAME("cursor"), EVENT_TEXT, .meaning = "Instead of the two."},
    {NAME("connection_id"), EVENT_TEXT,
     .meaning = "The connection before: what it sent comes back as an echo here, too."},
};

static const struct event_field hook_event[] = {
    {NAME("hook_type"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "on_run, on_error or on_save."},
    {NAME("context"), EVENT_OBJECT, .meaning = "What it is about."},
};

static const struct event_field save_file[] = {
    {NAME("file_id"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The file."},
    {NAME("file_name"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "Its name."},
    {NAME("language"), EVENT_TEXT, .meaning = "Its language."},
    {NAME("content"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "Its text."},
};

static const struct event_field execute_code[] = {
    {NAME("code"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "What to run."},
    {NAME("language"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "Its language."},
};

static const struct event_field execution[] = {
    {NAME("execution_id"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The execution."},
};

static const struct event_field ghost_chat[] = {
    {NAME("message"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The question."},
    {NAME("context"), EVENT_OBJECT, .meaning = "What it is about."},
};

static const struct event_field cancel_ai[] = {
    {NAME("id"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The answer."},
};

/* ---- Channels ---- */

static const struct event_field subscribe_channel[] = {
    {NAME("id"), EVENT_ANY, .meaning = "Comes back in the answer."},
    {NAME("channel"), EVENT_TEXT, EVENT_REQUIRED,
     .meaning = "A channel, or a pattern: `files/*` is every channel below, `*` every one."},
    {NAME("since"), EVENT_INTEGER, EVENT_MINIMUM, .minimum = 0,
     .meaning = "The last event that was seen; 0 without epoch: from the beginning."},
    {NAME("epoch"), EVENT_TEXT, .meaning = "With since: the life of the numbering."},
    {NAME("cursor"), EVENT_TEXT, .meaning = "Instead of the two; for patterns the only way."},
};

static const struct event_field unsubscribe_channel[] = {
    {NAME("id"), EVENT_ANY, .meaning = "Comes back in the answer."},
    {NAME("channel"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "As it was subscribed."},
};

static const struct event_field request[] = {
    {NAME("id"), EVENT_ANY, .meaning = "Comes back in the answer."},
    {NAME("handler"), EVENT_TEXT, EVENT_REQUIRED,
     .meaning = "get-status, presence, history, list-files, read-file, search, git-status, "
                "run-validation, diagnostics or refresh-token (data.token: a fresh token)."},
    {NAME("data"), EVENT_OBJECT, .meaning = "Its arguments."},
};

static const struct event_field response[] = {
    {NAME("id"), EVENT_ANY, .meaning = "That of the message; the greeting has none."},
    {NAME("data"), EVENT_OBJECT, EVENT_REQUIRED, .meaning = "The answer, or `error`."},
    {NAME("error"), EVENT_TEXT, .meaning = "What was wrong."},
};

static const struct event_field channel_gap[] = {
    {NAME("channel"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The channel, or the pattern."},
    {NAME("from"), EVENT_INTEGER, EVENT_REQUIRED,
     .meaning = "The first event that is missing; 0: unknown."},
    {NAME("to"), EVENT_INTEGER, EVENT_REQUIRED, .meaning = "The last event that is missing."},
    {NAME("reason"), EVENT_TEXT, EVENT_REQUIRED,
     .meaning = "trimmed, superseded, epoch_changed, limit or invalid."},
};

static const struct event_field channel_pong[] = {
    {NAME("id"), EVENT_ANY, .meaning = "That of the ping."},
    {NAME("timestamp"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The server's time."},
};

/* ---- Rooms ---- */

static const struct event_field subscribe_room[] = {
    {NAME("room"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The room: a topic."},
    {NAME("since"), EVENT_INTEGER, EVENT_MINIMUM, .minimum = 0,
     .meaning = "The last event that was seen; 0 without epoch: from the beginning."},
    {NAME("epoch"), EVENT_TEXT, .meaning = "With since: the life of the numbering."},
};

static const struct event_field unsubscribe_room[] = {
    {NAME("room"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The room."},
};

static const struct event_field publish_room[] = {
    {NAME("room"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The room."},
    {NAME("event"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The event's type."},
    {NAME("data"), EVENT_OBJECT, .meaning = "Its data."},
};

static const struct event_field established[] = {
    {NAME("connection_id"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "This connection."},
    {NAME("user_id"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The token's sub."},
    {NAME("rooms"), EVENT_TEXT_LIST, EVENT_REQUIRED, .meaning = "The rooms that it is in."},
};

static const struct event_field token_expired[] = {
    {NAME("message"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "What to do now."},
};

#define RESERVED(dialect, name)                         \
    {                                                   \
        NAME(name), dialect, FROM_SERVER, NULL, 0, NULL \
    }
#define MESSAGE(dialect, name, from, fields, meaning)      \
    {                                                      \
        NAME(name), dialect, from, FIELDS(fields), meaning \
    }
#define BUILD(name, from, fields, meaning)    MESSAGE("build", name, from, fields, meaning)
#define IDE(name, from, fields, meaning)      MESSAGE("ide", name, from, fields, meaning)
#define ROOMS(name, from, fields, meaning)    MESSAGE("rooms", name, from, fields, meaning)
#define CHANNELS(name, from, fields, meaning) MESSAGE("channels", name, from, fields, meaning)

static const struct control_message table[] = {
    {NAME("ping"), "build", FROM_CLIENT, NULL, 0, "Asks for a pong."},
    BUILD("subscribe", FROM_CLIENT, topics,
          "Replaces the filter: from now on only these event types, plus error."),
    BUILD("unsubscribe", FROM_CLIENT, topics, "Takes event types out of the filter."),
    {NAME("request_status"), "build", FROM_CLIENT, NULL, 0, "Asks for the session state."},
    {NAME("get_status"), "build", FROM_CLIENT, NULL, 0, "The same as request_status."},
    BUILD("resume", FROM_CLIENT, resume, "Asks for the events since a position."),
    BUILD("refresh_token", FROM_CLIENT, refresh_token, "Brings a fresh token."),
    BUILD("connection", FROM_SERVER, greeting, "The first message on a connection."),
    BUILD("pong", FROM_SERVER, pong, "The answer to a ping."),
    BUILD("subscribed", FROM_SERVER, answered_topics, "The answer to subscribe."),
    BUILD("unsubscribed", FROM_SERVER, answered_topics, "The answer to unsubscribe."),
    BUILD("build_status", FROM_SERVER, build_status, "The session state."),
    BUILD("resumed", FROM_SERVER, resumed, "All missed events were sent; the live tail follows."),
    BUILD("resume_failed", FROM_SERVER, resume_failed,
          "History does not reach back that far; build_status follows."),
    BUILD("gap", FROM_SERVER, gap, "Events that this connection will not get."),
    BUILD("token_refreshed", FROM_SERVER, token_refreshed, "The answer to refresh_token."),

    {NAME("ping"), "ide", FROM_CLIENT, NULL, 0, "Asks for a pong."},
    {NAME("get_state"), "ide", FROM_CLIENT, NULL, 0, "Asks for the session state."},
    IDE("resume", FROM_CLIENT, ide_resume, "Asks for the events since a position."),
    IDE("subscribe", FROM_CLIENT, topics,
        "Replaces the filter: from now on only these event types, plus error."),
    IDE("unsubscribe", FROM_CLIENT, topics, "Takes event types out of the filter."),
    {NAME("session_update"), "ide", FROM_CLIENT, NULL, 0,
     "Any data, for the session's other connections; the sender gets `echo: true` and the "
     "`original_message` in its place."},
    IDE("hook_event", FROM_CLIENT, hook_event, "Becomes hook_triggered for everybody."),
    IDE("save_file", FROM_CLIENT, save_file, "Saves a file: file_saved, then hook_triggered."),
    IDE("execute_code", FROM_CLIENT, execute_code, "Runs code."),
    IDE("execution_input", FROM_CLIENT, execution, "Writes to its stdin."),
    IDE("cancel_execution", FROM_CLIENT, execution, "Kills it."),
    IDE("ghost_chat", FROM_CLIENT, ghost_chat, "Asks the model."),
    IDE("cancel_ai", FROM_CLIENT, cancel_ai, "Stops an answer."),
    IDE("refresh_token", FROM_CLIENT, refresh_token, "Brings a fresh token."),
    IDE("connect", FROM_SERVER, ide_greeting, "The first message on a connection."),
    IDE("disconnect", FROM_SERVER, ide_disconnect, "Another connection of the session is gone."),
    IDE("pong", FROM_SERVER, ide_pong, "The answer to a ping."),
    IDE("session_state", FROM_SERVER, ide_state, "The session state."),
    IDE("subscribed", FROM_SERVER, answered_topics, "The answer to subscribe."),
    IDE("unsubscribed", FROM_SERVER, answered_topics, "The answer to unsubscribe."),
    IDE("resumed", FROM_SERVER, resumed, "All missed events were sent; the live tail follows."),
    IDE("resume_failed", FROM_SERVER, resume_failed,
        "History does not reach back that far; session_state follows."),
    IDE("gap", FROM_SERVER, gap, "Events that this connection will not get."),
    IDE("token_refreshed", FROM_SERVER, token_refreshed, "The answer to refresh_token."),
    IDE("error", FROM_SERVER, ide_error,
        "A message made no sense. Errors of the session read so, too."),

    CHANNELS("subscribe", FROM_CLIENT, subscribe_channel, "Follows a channel or a pattern."),
    CHANNELS("unsubscribe", FROM_CLIENT, unsubscribe_channel, "Follows it no more."),
    CHANNELS("request", FROM_CLIENT, request, "Asks for something."),
    {NAME("ping"), "channels", FROM_CLIENT, NULL, 0, "Asks for a pong."},
    CHANNELS("response", FROM_SERVER, response, "The greeting, and the answer to a message."),
    CHANNELS("gap", FROM_SERVER, channel_gap, "Events that this connection will not get."),
    CHANNELS("pong", FROM_SERVER, channel_pong, "The answer to a ping."),
    RESERVED("channels", "event"),

    ROOMS("subscribe", FROM_CLIENT, subscribe_room, "Enters a room."),
    ROOMS("unsubscribe", FROM_CLIENT, unsubscribe_room, "Leaves it."),
    {NAME("ping"), "rooms", FROM_CLIENT, NULL, 0, "Asks for a pong."},
    ROOMS("refresh_token", FROM_CLIENT, refresh_token, "Brings a fresh token."),
    ROOMS("publish", FROM_CLIENT, publish_room, "Publishes an event, with the right to."),
    ROOMS("connection_established", FROM_SERVER, established, "The first event on a connection."),
    {NAME("pong"), "rooms", FROM_SERVER, NULL, 0, "The answer to a ping."},
    ROOMS("gap", FROM_SERVER, gap, "Events that this connection will not get."),
    ROOMS("token_expired", FROM_SERVER, token_expired, "The token has run out."),
    RESERVED("rooms", "connection.established"),

    /* Its newListener and removeListener have capitals: no event type's form anyway. */
    RESERVED("socket.io", "connect_error"),
    RESERVED("socket.io", "connected"),
    RESERVED("socket.io", "disconnected"),
    RESERVED("socket.io", "disconnecting"),
};

const struct control_message *control_messages(unsigned *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}
