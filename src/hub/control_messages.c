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
    {NAME("expires"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "When the new token expires."},
};

#define RESERVED(dialect, name)                         \
    {                                                   \
        NAME(name), dialect, FROM_SERVER, NULL, 0, NULL \
    }
#define BUILD(name, from, fields, meaning)                 \
    {                                                      \
        NAME(name), "build", from, FIELDS(fields), meaning \
    }

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

    RESERVED("ide", "connect"),
    RESERVED("ide", "disconnect"),
    RESERVED("ide", "session_state"),
    RESERVED("ide", "get_state"),
    RESERVED("ide", "execute_code"),
    RESERVED("ide", "execution_input"),
    RESERVED("ide", "cancel_execution"),
    RESERVED("ide", "ghost_chat"),
    RESERVED("ide", "cancel_ai"),
    RESERVED("ide", "save_file"),
    RESERVED("ide", "hook_event"),

    RESERVED("channels", "request"),
    RESERVED("channels", "response"),
    RESERVED("channels", "event"),

    RESERVED("rooms", "connection_established"),
    RESERVED("rooms", "connection.established"),
    RESERVED("rooms", "publish"),
    RESERVED("rooms", "token_expired"),

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
