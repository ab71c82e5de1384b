/* The descriptions of all HTTP routes; see route.h. */
#include "api/route.h"

#define COUNT(array)      (sizeof array / sizeof *array)
#define PARAMETERS(array) .parameters = array, .parameter_count = COUNT(array)
#define ANSWERS(array)    .answers = array, .answer_count = COUNT(array)
#define JSON              "application/json"
#define NDJSON            "application/x-ndjson"
#define HTML              "text/html"
#define TEXT              "text/plain"
#define BAD_REQUEST                                                             \
    {                                                                           \
        400, JSON, "Error", "The request is malformed; the message says where." \
    }
#define NO_SUCH(what)                                    \
    {                                                    \
        404, JSON, "Error", "There is no such " what "." \
    }
#define UPGRADE_ANSWERS                                                                       \
    {101, NULL, NULL, "The WebSocket is open."}, BAD_REQUEST,                                 \
    {                                                                                         \
        503, JSON, "Error", "A limit of connections is reached, or the server is going down." \
    }

static const struct route_parameter topic_in_path[] = {
    {"topic", IN_PATH, "string", true, false, "A topic, session:build_123 for instance."},
};

static const struct route_parameter session_in_path[] = {
    {"session_id", IN_PATH, "string", true, false,
     "The session: 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -, a slash as %2F."},
};

/* ---- Publishing ---- */

static const struct route_parameter publish_parameters[] = {
    {"ack", IN_QUERY, "string", false, false,
     "For NDJSON: `each` answers every line; else only errors and the end are answered."},
    {"durability", IN_QUERY, "string", false, false,
     "`memory` answers before the event is on disk, and without its offset; delivery still waits "
     "for that."},
};

static const struct route_answer publish_answers[] = {
    {200, JSON, "Published", "Published. For NDJSON: a line of PublishedAll at the end."},
    BAD_REQUEST,
    {413, JSON, "Error", "data is larger than the largest message."},
    {422, JSON, "Error", "A field is not what it must be; the message names it."},
    {429, JSON, "Error", "The token's limit of publishing is reached."},
    {503, JSON, "Error",
     "It cannot be stored now, or too much waits for that; Retry-After says when to try again."},
};

static const struct route_parameter publish_socket_parameters[] = {
    {"ack", IN_QUERY, "string", false, false,
     "`batch`: one answer for each turn of the server's loop; `none`: only errors."},
    {"durability", IN_QUERY, "string", false, false,
     "`memory` answers before the event is on disk, and without its offset."},
};

static const struct route_answer upgrade_answers[] = {UPGRADE_ANSWERS};

/* ---- Reading ---- */

static const struct route_parameter events_parameters[] = {
    {"topic", IN_QUERY, "string", true, true, "What to read."},
    {"types", IN_QUERY, "string", false, false, "Only these event types, with commas between."},
    {"since", IN_QUERY, "string", false, false,
     "A cursor: first what came after it; 0: from the beginning."},
    {"format", IN_QUERY, "string", false, false, "`json`: NDJSON instead of an event stream."},
    {"named", IN_QUERY, "string", false, false,
     "`1`: with `event:` lines; error, open and message become event.<type>."},
    {"Last-Event-ID", IN_HEADER, "string", false, false, "A cursor; goes before `since`."},
};

static const struct route_answer events_answers[] = {
    {200, "text/event-stream", NULL, "Events as they happen, each with its cursor as id."},
    BAD_REQUEST,
    {429, JSON, "Error", "More topics than one connection may follow."},
};

static const struct route_answer topics_answers[] = {
    {200, JSON, "Topics", "The topics."},
};

static const struct route_parameter history_parameters[] = {
    {"topic", IN_PATH, "string", true, false, "A topic, session:build_123 for instance."},
    {"since", IN_QUERY, "integer", false, false, "Only events with offsets above this."},
    {"cursor", IN_QUERY, "string", false, false,
     "Only events behind this cursor, instead of `since`."},
    {"limit", IN_QUERY, "integer", false, false, "At most so many."},
};

static const struct route_answer history_answers[] = {
    {200, JSON, "History", "The events, oldest first."},
    BAD_REQUEST,
    NO_SUCH("topic"),
    {410, JSON, "Error", "The cursor is of an order that was lost."},
    {422, JSON, "Error", "A parameter is no whole number, or out of its range."},
};

static const struct route_answer presence_answers[] = {
    {200, JSON, "Presence", "Who is connected."},
    BAD_REQUEST,
};

/* ---- Build sessions ---- */

static const struct route_parameter stream_parameters[] = {
    {"session_id", IN_PATH, "string", true, false,
     "The session: 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -, a slash as %2F."},
    {"types", IN_QUERY, "string", false, false, "Only these event types, with commas between."},
    {"events", IN_QUERY, "string", false, false,
     "`full`: events look as in event streams, each with its cursor."},
    {"state", IN_QUERY, "string", false, false, "`1`: build_status follows the greeting."},
    {"epoch", IN_QUERY, "string", false, false, "With since: the life of the numbering."},
    {"since", IN_QUERY, "integer", false, false,
     "Resumes behind this offset; 0 without epoch: from the beginning."},
    {"cursor", IN_QUERY, "string", false, false, "Resumes behind this position."},
};

static const struct route_answer sessions_answers[] = {
    {200, JSON, "Sessions", "The sessions."},
};

static const struct route_answer status_answers[] = {
    {200, JSON, "SessionState", "The session state."},
    BAD_REQUEST,
    NO_SUCH("session"),
};

static const struct route_parameter demo_parameters[] = {
    {"session", IN_QUERY, "string", false, false,
     "The session; without it every session that somebody watches, else `demo`."},
};

static const struct route_answer demo_answers[] = {
    {200, JSON, "DemoUpdates", "Published."},
    BAD_REQUEST,
};

/* ---- Web IDE sessions ---- */

static const struct route_answer ide_status_answers[] = {
    {200, JSON, "ConnectionStatus", "The sessions that have clients."},
};

static const struct route_answer ide_connections_answers[] = {
    {200, JSON, "SessionConnections", "How many clients the session has."},
    BAD_REQUEST,
};

static const struct route_parameter execution_in_path[] = {
    {"execution_id", IN_PATH, "string", true, false, "The execution."},
};

static const struct route_answer not_configured_answers[] = {
    {501, JSON, "Error", "The server has no such service; the message says what it needs."},
};

#define NOT_CONFIGURED(method, path, id, summary, ...)                                        \
    {                                                                                         \
        method, path, id, "Web IDE sessions", summary, NULL, ANSWERS(not_configured_answers), \
            __VA_ARGS__                                                                       \
    }

/* ---- Rooms ---- */

static const struct route_parameter engine_parameters[] = {
    {"EIO", IN_QUERY, "string", true, false, "The protocol's version: `4`."},
    {"transport", IN_QUERY, "string", true, false, "`websocket` or `polling`."},
    {"sid", IN_QUERY, "string", false, false, "The session; without it a new one begins."},
};

static const struct route_answer engine_answers[] = {
    {101, NULL, NULL, "Switching protocols."},
    {200, TEXT, NULL, "On polling: packets."},
    {400, JSON, "EngineError", "The request makes no sense, or the session is unknown."},
};

/* ---- The agent platform ---- */

#define PAGE                                                                          \
    {"limit", IN_QUERY, "integer", false, false, "At most so many, 1 to 1000; 100."}, \
    {                                                                                 \
        "after", IN_QUERY, "integer", false, false, "`next` of the page before."      \
    }

#define RECORDS_AWAY                                                                        \
    {                                                                                       \
        503, JSON, "Error", "The records or the engine do not answer; nothing was changed." \
    }

#define WRONG_FIELD                                                                \
    {                                                                              \
        422, JSON, "Error", "A field is not what it must be; the answer names it." \
    }

#define RATE_LIMITED                                                      \
    {                                                                     \
        429, JSON, "Error", "The token's limit of publishing is reached." \
    }

static const struct route_parameter page_parameters[] = {PAGE};

static const struct route_parameter project_parameters[] = {
    {"project_id", IN_PATH, "string", true, false, "The project, a UUID."},
    {"If-None-Match", IN_HEADER, "string", false, false, "304 when the ETag is still this one."},
};

static const struct route_parameter project_change_parameters[] = {
    {"project_id", IN_PATH, "string", true, false, "The project, a UUID."},
    {"If-Match", IN_HEADER, "string", false, false, "412 when the ETag is no longer this one."},
};

static const struct route_parameter agent_in_path[] = {
    {"agent_id", IN_PATH, "string", true, false, "The agent, a UUID."},
};

static const struct route_parameter workflow_in_path[] = {
    {"workflow_id", IN_PATH, "string", true, false, "The workflow, a UUID."},
};

static const struct route_answer projects_answers[] = {
    {200, JSON, "Projects", "The projects that the token may read, oldest first."},
    WRONG_FIELD,
    RECORDS_AWAY,
};

static const struct route_answer project_create_answers[] = {
    {201, JSON, "Project", "Made; Location says where it is."},
    BAD_REQUEST,
    {409, JSON, "Error", "The id is taken, or there are too many projects."},
    WRONG_FIELD,
    RATE_LIMITED,
    RECORDS_AWAY,
};

static const struct route_answer project_answers[] = {
    {200, JSON, "Project", "The project, with an ETag."},
    {304, NULL, NULL, "It has not changed."},
    NO_SUCH("project"),
    WRONG_FIELD,
    RECORDS_AWAY,
};

static const struct route_answer project_update_answers[] = {
    {200, JSON, "Project", "The project now, and what changed."},
    BAD_REQUEST,
    NO_SUCH("project"),
    {412, JSON, "Error", "It has changed meanwhile."},
    WRONG_FIELD,
    RATE_LIMITED,
    RECORDS_AWAY,
};

static const struct route_answer project_delete_answers[] = {
    {204, NULL, NULL, "Gone."},
    NO_SUCH("project"),
    {412, JSON, "Error", "It has changed meanwhile."},
    WRONG_FIELD,
    RATE_LIMITED,
    RECORDS_AWAY,
};

static const struct route_answer agent_answers[] = {
    {200, JSON, "event_agent.status_changed", "The agent's state."},
    BAD_REQUEST,
    NO_SUCH("agent"),
    WRONG_FIELD,
    RATE_LIMITED,
    RECORDS_AWAY,
};

static const struct route_answer workflow_answers[] = {
    {200, JSON, "event_workflow.progress", "How far the workflow is."},
    BAD_REQUEST,
    NO_SUCH("workflow"),
    WRONG_FIELD,
    RATE_LIMITED,
    RECORDS_AWAY,
};

static const struct route_answer suggestions_answers[] = {
    {200, JSON, "Suggestions", "The newest suggestions that the token may read, newest first."},
    WRONG_FIELD,
    RECORDS_AWAY,
};

static const struct route_answer suggestion_add_answers[] = {
    {201, JSON, "event_ai.suggestion", "Published."},
    BAD_REQUEST,
    WRONG_FIELD,
    RATE_LIMITED,
    RECORDS_AWAY,
};

static const struct route_parameter github_parameters[] = {
    {"X-GitHub-Event", IN_HEADER, "string", true, false,
     "`pull_request` and `issues` are published; others are taken and left."},
    {"X-GitHub-Delivery", IN_HEADER, "string", true, false, "What comes again is left."},
    {"X-Hub-Signature-256", IN_HEADER, "string", true, false, "HMAC-SHA256 of the body."},
};

static const struct route_answer github_answers[] = {
    {200, JSON, "WebhookTaken", "Published; or it was before, or is about no project here."},
    {204, NULL, NULL, "An event that is not published."},
    BAD_REQUEST,
    {401, JSON, "Error", "The signature is wrong."},
    {404, JSON, "Error", "The server has no GITHUB_WEBHOOK_SECRET."},
    {413, JSON, "Error", "The payload is too large."},
    {422, JSON, "Error", "The payload is none of this event."},
    RECORDS_AWAY,
};

static const struct route_answer websocket_stats_answers[] = {
    {200, JSON, "WebSocketStats", "How many are connected, and how much happens."},
};

/* ---- The server itself ---- */

static const struct route_answer health_answers[] = {
    {200, JSON, "Health", "All is well."},
    {503, JSON, "Health", "The engine is down, or the server is going down."},
};

static const struct route_answer metrics_answers[] = {
    {200, TEXT, NULL, "Prometheus text."},
    {403, JSON, "Error", "From another machine, without a token of an admin."},
};

static const struct route_answer document_answers[] = {
    {200, JSON, "Document", "The document."},
};

static const struct route_answer page_answers[] = {
    {200, HTML, NULL, "The page."},
};

static const struct route_parameter file_in_path[] = {
    {"file", IN_PATH, "string", true, false, "The file's name."},
};

static const struct route_answer file_answers[] = {
    {200, TEXT, NULL, "The file."},
    NO_SUCH("file"),
};

static const struct route_doc table[] = {
    {HTTP_POST, "/api/v1/publish", "publish", "Publishing",
     "Publish one event, or a stream of them",
     "One event as JSON. With Content-Type application/x-ndjson one event a line, of any number: "
     "errors are answered as they come, `{\"error\":{…},\"line\":n}`, and the stream goes on.",
     PARAMETERS(publish_parameters), .request_media = {JSON, NDJSON},
     .request_schema = "PublishEvent", ANSWERS(publish_answers), .flags = ROUTE_CHANGES},
    {HTTP_GET, "/api/v1/publish", "publish_socket", "Publishing", "Publish over a WebSocket",
     "One event, or an array of events, per text message; each is answered in order.",
     PARAMETERS(publish_socket_parameters), ANSWERS(upgrade_answers), .flags = ROUTE_WEBSOCKET},
    {HTTP_GET, "/events", "events", "Reading", "Read topics as Server-Sent Events",
     "A comment comes every 15 seconds. A position that history no longer has gives first "
     "`{\"type\":\"resume_failed\",…}`, then the live tail.",
     PARAMETERS(events_parameters), ANSWERS(events_answers), .flags = ROUTE_STREAM},
    {HTTP_GET, "/api/v1/topics", "topics", "Reading", "List the topics", NULL,
     ANSWERS(topics_answers)},
    {HTTP_GET, "/api/v1/topics/{topic}/history", "history", "Reading", "Read a topic's history",
     NULL, PARAMETERS(history_parameters), ANSWERS(history_answers)},
    {HTTP_GET, "/api/v1/topics/{topic}/presence", "presence", "Reading",
     "See who is connected to a topic", NULL, PARAMETERS(topic_in_path), ANSWERS(presence_answers)},
    {HTTP_GET, "/api/build/stream/{session_id}", "build_stream", "Build sessions",
     "Follow a build session over a WebSocket", "The messages are in /asyncapi.json.",
     PARAMETERS(stream_parameters), ANSWERS(upgrade_answers), .flags = ROUTE_WEBSOCKET},
    {HTTP_GET, "/api/build/sessions", "build_sessions", "Build sessions", "List the sessions", NULL,
     ANSWERS(sessions_answers)},
    {HTTP_GET, "/api/build/status/{session_id}", "build_status", "Build sessions",
     "Read a session's state", NULL, PARAMETERS(session_in_path), ANSWERS(status_answers)},
    {HTTP_POST, "/demo/send-update", "demo_send_update", "Build sessions",
     "Publish a demo update of each type", "In the open mode, or for admins only.",
     PARAMETERS(demo_parameters), ANSWERS(demo_answers), .flags = ROUTE_CHANGES},
    {HTTP_GET, "/ws/{session_id}", "ide", "Web IDE sessions",
     "Follow a web IDE session over a WebSocket",
     "The messages are in /asyncapi.json. `status` and `sessions` are no session ids.",
     PARAMETERS(stream_parameters), ANSWERS(upgrade_answers), .flags = ROUTE_WEBSOCKET},
    {HTTP_GET, "/ws/status", "ide_status", "Web IDE sessions", "Count the clients", NULL,
     ANSWERS(ide_status_answers)},
    {HTTP_GET, "/ws/sessions/{session_id}/connections", "ide_connections", "Web IDE sessions",
     "Count a session's clients", NULL, PARAMETERS(session_in_path),
     ANSWERS(ide_connections_answers)},
    NOT_CONFIGURED(HTTP_POST, "/api/v1/execution/execute", "execute", "Run code",
                   .flags = ROUTE_CHANGES),
    NOT_CONFIGURED(HTTP_POST, "/api/v1/execution/execute/websocket", "execute_for_session",
                   "Run code and tell a session", .flags = ROUTE_CHANGES),
    NOT_CONFIGURED(HTTP_GET, "/api/v1/execution/languages", "languages", "List the languages",
                   .flags = 0),
    NOT_CONFIGURED(HTTP_GET, "/api/v1/execution/{execution_id}", "execution", "Read an execution",
                   PARAMETERS(execution_in_path)),
    NOT_CONFIGURED(HTTP_DELETE, "/api/v1/execution/{execution_id}", "cancel_execution",
                   "Cancel an execution", PARAMETERS(execution_in_path), .flags = ROUTE_CHANGES),
    NOT_CONFIGURED(HTTP_POST, "/api/v1/execution/{execution_id}/input", "execution_input",
                   "Write to an execution's stdin", PARAMETERS(execution_in_path),
                   .flags = ROUTE_CHANGES),
    NOT_CONFIGURED(HTTP_POST, "/api/v1/sessions/{session_id}/ai/chat", "ai_chat", "Ask the model",
                   PARAMETERS(session_in_path), .flags = ROUTE_CHANGES),
    {HTTP_GET, "/ws", "channels", "Channels", "Follow channels over a WebSocket",
     "The messages are in /asyncapi.json. With `EIO=4` in the query it is `/socket.io/`.",
     ANSWERS(upgrade_answers), .flags = ROUTE_WEBSOCKET},
    {HTTP_GET, "/socket.io/", "rooms", "Rooms", "Follow rooms with a Socket.IO client",
     "Also at `/ws/socket.io/` and `/ws`. The token comes in the message that connects to a "
     "namespace.",
     PARAMETERS(engine_parameters), ANSWERS(engine_answers), .flags = ROUTE_OPEN | ROUTE_WEBSOCKET},
    {HTTP_POST, "/socket.io/", "rooms_post", "Rooms", "Post packets of a session on polling", NULL,
     PARAMETERS(engine_parameters), .request_media = {TEXT}, ANSWERS(engine_answers),
     .flags = ROUTE_OPEN},
    {HTTP_GET, "/api/v1/projects", "projects", "Agent platform", "List the projects", NULL,
     PARAMETERS(page_parameters), ANSWERS(projects_answers)},
    {HTTP_POST, "/api/v1/projects", "create_project", "Agent platform", "Make a project", NULL,
     .request_media = {JSON}, .request_schema = "ProjectFields", ANSWERS(project_create_answers),
     .flags = ROUTE_CHANGES},
    {HTTP_GET, "/api/v1/projects/{project_id}", "project", "Agent platform", "Read a project", NULL,
     PARAMETERS(project_parameters), ANSWERS(project_answers)},
    {HTTP_PUT, "/api/v1/projects/{project_id}", "update_project", "Agent platform",
     "Change a project",
     "Fields that are left out stay as they are. `project.updated` tells what changed; when "
     "nothing "
     "did, nothing is told.",
     PARAMETERS(project_change_parameters), .request_media = {JSON},
     .request_schema = "ProjectFields", ANSWERS(project_update_answers), .flags = ROUTE_CHANGES},
    {HTTP_DELETE, "/api/v1/projects/{project_id}", "delete_project", "Agent platform",
     "Remove a project", "`project.deleted` tells of it.", PARAMETERS(project_change_parameters),
     ANSWERS(project_delete_answers), .flags = ROUTE_CHANGES},
    {HTTP_GET, "/api/v1/agents/{agent_id}/status", "agent_status", "Agent platform",
     "Read an agent's state", NULL, PARAMETERS(agent_in_path), ANSWERS(agent_answers)},
    {HTTP_PUT, "/api/v1/agents/{agent_id}/status", "set_agent_status", "Agent platform",
     "Say an agent's state",
     "Fields that are left out stay as they are. `agent.status_changed` tells of it when something "
     "is new.",
     PARAMETERS(agent_in_path), .request_media = {JSON}, .request_schema = "Report",
     ANSWERS(agent_answers), .flags = ROUTE_CHANGES},
    {HTTP_GET, "/api/v1/workflows/{workflow_id}/progress", "workflow_progress", "Agent platform",
     "Read how far a workflow is", NULL, PARAMETERS(workflow_in_path), ANSWERS(workflow_answers)},
    {HTTP_POST, "/api/v1/workflows/{workflow_id}/progress", "report_workflow_progress",
     "Agent platform", "Say how far a workflow is",
     "Fields that are left out stay as they are. By its status it is published as "
     "`workflow.started` (pending), `workflow.progress` (running), `workflow.completed`, or "
     "`workflow.failed` (failed, cancelled).",
     PARAMETERS(workflow_in_path), .request_media = {JSON}, .request_schema = "Report",
     ANSWERS(workflow_answers), .flags = ROUTE_CHANGES},
    {HTTP_GET, "/api/v1/ai/suggestions", "suggestions", "Agent platform", "List the suggestions",
     NULL, PARAMETERS(page_parameters), ANSWERS(suggestions_answers)},
    {HTTP_POST, "/api/v1/ai/suggestions", "suggest", "Agent platform", "Suggest something",
     "Published as `ai.suggestion`; `suggestion_id` is made when it is left out.",
     .request_media = {JSON}, .request_schema = "Report", ANSWERS(suggestion_add_answers),
     .flags = ROUTE_CHANGES},
    {HTTP_POST, "/webhooks/github", "github_webhook", "Agent platform", "Webhooks of GitHub",
     "Pull requests and issues of repositories that a project names in `repository_url`. The "
     "signature takes the token's place; the secret is GITHUB_WEBHOOK_SECRET.",
     PARAMETERS(github_parameters), .request_media = {JSON, "application/x-www-form-urlencoded"},
     .request_schema = "Document", ANSWERS(github_answers), .flags = ROUTE_OPEN | ROUTE_CHANGES},
    {HTTP_GET, "/api/v1/websocket/stats", "websocket_stats", "Rooms",
     "Count connections, rooms and events", NULL, ANSWERS(websocket_stats_answers)},
    {HTTP_GET, "/health", "health", "Server", "Ask how the server is", NULL,
     ANSWERS(health_answers), .flags = ROUTE_OPEN},
    {HTTP_GET, "/metrics", "metrics", "Server", "Read the metrics",
     "Open on this machine only, unless the configuration says otherwise.",
     ANSWERS(metrics_answers), .flags = ROUTE_OPEN},
    {HTTP_GET, "/openapi.json", "openapi", "Server", "This interface as OpenAPI", NULL,
     ANSWERS(document_answers), .flags = ROUTE_OPEN},
    {HTTP_GET, "/asyncapi.json", "asyncapi", "Server", "The messages as AsyncAPI", NULL,
     ANSWERS(document_answers), .flags = ROUTE_OPEN},
    {HTTP_GET, "/docs", "docs", "Pages", "The interactive page of this interface", NULL,
     ANSWERS(page_answers), .flags = ROUTE_OPEN},
    {HTTP_GET, "/docs/{file}", "docs_file", "Pages", "Its style and script", NULL,
     PARAMETERS(file_in_path), ANSWERS(file_answers), .flags = ROUTE_OPEN},
    {HTTP_GET, "/", "dashboard", "Pages", "The dashboard", NULL, ANSWERS(page_answers),
     .flags = ROUTE_OPEN},
    {HTTP_GET, "/assets/{file}", "page_file", "Pages", "The dashboard's style and script", NULL,
     PARAMETERS(file_in_path), ANSWERS(file_answers), .flags = ROUTE_OPEN},
    {HTTP_GET, "/icon.svg", "icon", "Pages", "The dashboard's icon", NULL, ANSWERS(file_answers),
     .flags = ROUTE_OPEN},
    {HTTP_GET, "/fanfare.js", "client_library", "Pages", "The client library, an ES module",
     "Pages of any origin may import it.", ANSWERS(file_answers), .flags = ROUTE_OPEN},
    {HTTP_GET, "/examples/{file}", "example", "Pages", "The small test client",
     "/examples/websocket_client.html", PARAMETERS(file_in_path), ANSWERS(file_answers),
     .flags = ROUTE_OPEN},
};

const struct route_doc *route_docs(unsigned *count)
{
    *count = COUNT(table);
    return table;
}

const struct route_doc *route_doc_find(enum http_method method, const char *path)
{
    for (unsigned i = 0; i < COUNT(table); i++)
        if (table[i].method == method && strcmp(table[i].path, path) == 0)
            return &table[i];
    return NULL;
}
