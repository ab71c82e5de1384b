/* The rows of the event catalogue for the agent platform's events; see catalogue.h. */
#include "hub/event_table.h"

#define ROOMS         "Rooms"
#define ON_PROJECT    (TOPIC_BIT(TOPIC_PROJECT))
#define ON_AGENT      (TOPIC_BIT(TOPIC_AGENT))
#define ON_USER       (TOPIC_BIT(TOPIC_USER))
#define ON_GLOBAL     (TOPIC_BIT(TOPIC_GLOBAL))
#define ID            (EVENT_REQUIRED | EVENT_NOT_EMPTY)
#define PERCENT       .flags = EVENT_MINIMUM | EVENT_MAXIMUM, .minimum = 0, .maximum = 100
#define COUNT         EVENT_MINIMUM, .minimum = 0
#define FIELDS(array) .fields = array, .field_count = sizeof array / sizeof *array
#define UUID          "550e8400-e29b-41d4-a716-446655440000"

/* ---- Where they go ---- */

static const struct event_route to_project_and_updater[] = {{TOPIC_PROJECT, "project_id", false},
                                                            {TOPIC_USER, "updated_by", false}};
static const struct event_route to_project_and_deleter[] = {{TOPIC_PROJECT, "project_id", false},
                                                            {TOPIC_USER, "deleted_by", false}};
static const struct event_route to_agent_and_all[] = {{TOPIC_AGENT, "agent_id", false},
                                                      {TOPIC_GLOBAL, NULL, false}};
static const struct event_route to_project[] = {{TOPIC_PROJECT, "project_id", false},
                                                {TOPIC_GLOBAL, NULL, true}};
static const struct event_route to_project_and_assignee[] = {{TOPIC_PROJECT, "project_id", false},
                                                             {TOPIC_USER, "assigned_to", false},
                                                             {TOPIC_GLOBAL, NULL, true}};

/* ---- Their fields ---- */

static const char *const agent_statuses[] = {"online", "offline", "busy", NULL};
static const char *const workflow_statuses[] = {"pending", "running",   "completed",
                                                "failed",  "cancelled", NULL};
static const char *const severities[] = {"info", "warning", "critical", NULL};

static const struct event_field project_updated[] = {
    {NAME("project_id"), EVENT_UUID, EVENT_REQUIRED, .meaning = "The project."},
    {NAME("project_name"), EVENT_TEXT, .meaning = "Its name."},
    {NAME("repository_url"), EVENT_TEXT, .meaning = "Its repository."},
    {NAME("status"), EVENT_TEXT, .meaning = "Its state now."},
    {NAME("updated_by"), EVENT_TEXT, .meaning = "The user who changed it."},
    {NAME("changes"), EVENT_OBJECT, .meaning = "What changed."},
};

static const struct event_field project_deleted[] = {
    {NAME("project_id"), EVENT_UUID, EVENT_REQUIRED, .meaning = "The project."},
    {NAME("deleted_by"), EVENT_TEXT, .meaning = "The user who removed it."},
};

static const struct event_field agent[] = {
    {NAME("agent_id"), EVENT_UUID, EVENT_REQUIRED, .meaning = "The agent."},
    {NAME("agent_name"), EVENT_TEXT, .meaning = "Its name."},
    {NAME("status"), EVENT_TEXT, EVENT_OPEN_CHOICES, .choices = agent_statuses,
     .meaning = "Its state now."},
    {NAME("availability"), EVENT_NUMBER, PERCENT, .meaning = "How much of it is free, per cent."},
    {NAME("metadata"), EVENT_OBJECT, .meaning = "Whatever else is known about it."},
};

static const struct event_field workflow[] = {
    {NAME("workflow_id"), EVENT_UUID, EVENT_REQUIRED, .meaning = "The workflow."},
    {NAME("project_id"), EVENT_UUID, .meaning = "Its project."},
    {NAME("status"), EVENT_TEXT, .choices = workflow_statuses, .meaning = "Its state now."},
    {NAME("progress"), EVENT_NUMBER, PERCENT, .meaning = "Per cent done."},
    {NAME("current_step"), EVENT_TEXT, .meaning = "What it does now."},
    {NAME("total_steps"), EVENT_INTEGER, COUNT, .meaning = "How many steps there are."},
    {NAME("estimated_time_remaining"), EVENT_NUMBER, COUNT, .meaning = "Seconds to go."},
    {NAME("logs"), EVENT_LIST, .meaning = "What it wrote."},
    {NAME("errors"), EVENT_LIST, .meaning = "What went wrong."},
};

static const struct event_field pull_request[] = {
    {NAME("pr_id"), EVENT_ANY, EVENT_REQUIRED, .meaning = "The pull request."},
    {NAME("project_id"), EVENT_UUID, .meaning = "Its project."},
    {NAME("title"), EVENT_TEXT, .meaning = "Its title."},
    {NAME("description"), EVENT_TEXT, .meaning = "Its text."},
    {NAME("author"), EVENT_TEXT, .meaning = "Who opened it."},
    {NAME("branch"), EVENT_TEXT, .meaning = "The branch that is to be merged."},
    {NAME("github_url"), EVENT_TEXT, .meaning = "Where it can be seen."},
    {NAME("status"), EVENT_TEXT, .meaning = "Its state now."},
    {NAME("created_at"), EVENT_TEXT, .meaning = "When it was opened."},
};

static const struct event_field issue[] = {
    {NAME("issue_id"), EVENT_ANY, EVENT_REQUIRED, .meaning = "The issue."},
    {NAME("project_id"), EVENT_UUID, .meaning = "Its project."},
    {NAME("title"), EVENT_TEXT, .meaning = "Its title."},
    {NAME("description"), EVENT_TEXT, .meaning = "Its text."},
    {NAME("status"), EVENT_TEXT, .meaning = "Its state now."},
    {NAME("priority"), EVENT_TEXT, .meaning = "How urgent it is."},
    {NAME("assigned_to"), EVENT_TEXT, .meaning = "The user who takes care of it."},
    {NAME("updated_at"), EVENT_TEXT, .meaning = "When it changed."},
};

static const struct event_field suggestion[] = {
    {NAME("suggestion_id"), EVENT_UUID, EVENT_REQUIRED, .meaning = "The suggestion."},
    {NAME("target_type"), EVENT_TEXT, .meaning = "What kind of thing it is about."},
    {NAME("target_id"), EVENT_UUID, .meaning = "What it is about."},
    {NAME("category"), EVENT_TEXT, .meaning = "What kind of suggestion it is."},
    {NAME("title"), EVENT_TEXT, .meaning = "It in short."},
    {NAME("description"), EVENT_TEXT, .meaning = "It in full."},
    {NAME("severity"), EVENT_TEXT, .choices = severities, .meaning = "How much it matters."},
    {NAME("confidence"), EVENT_NUMBER, .flags = EVENT_MINIMUM | EVENT_MAXIMUM, .minimum = 0,
     .maximum = 1, .meaning = "How sure the model is."},
    {NAME("suggested_action"), EVENT_ANY, .meaning = "What to do."},
    {NAME("project_id"), EVENT_UUID, .meaning = "Its project."},
    {NAME("metadata"), EVENT_OBJECT, .meaning = "Whatever else is known about it."},
};

static const struct event_field analysis[] = {
    {NAME("analysis_id"), EVENT_TEXT, ID, .meaning = "The analysis."},
    {NAME("target_type"), EVENT_TEXT, .meaning = "What kind of thing was analysed."},
    {NAME("target_id"), EVENT_UUID, .meaning = "What was analysed."},
    {NAME("summary"), EVENT_TEXT, .meaning = "What came out."},
    {NAME("suggestions"), EVENT_LIST, .meaning = "What to do."},
    {NAME("project_id"), EVENT_UUID, .meaning = "Its project."},
    {NAME("metadata"), EVENT_OBJECT, .meaning = "Whatever else is known about it."},
};

#define ROW(name, topics, key, goes, fields, meaning_, example_)                          \
    {                                                                                     \
        NAME(name), {0}, topics, key, FIELDS(fields),                                     \
            .any_names = true, .routes = goes, .route_count = sizeof goes / sizeof *goes, \
            .section = ROOMS, .meaning = meaning_, .example = example_                    \
    }

#define AGENT(name, meaning)                                                         \
    ROW(name, ON_AGENT | ON_GLOBAL, "agent_id", to_agent_and_all, agent, meaning,    \
        "{\"agent_id\":\"" UUID "\",\"agent_name\":\"GPT-4\",\"status\":\"online\"," \
        "\"availability\":85,\"metadata\":{}}")

#define WORKFLOW(name, status, meaning)                                             \
    ROW(name, ON_PROJECT | ON_GLOBAL, "workflow_id", to_project, workflow, meaning, \
        "{\"workflow_id\":\"" UUID "\",\"status\":\"" status "\",\"progress\":50,"  \
        "\"current_step\":\"Step 2\",\"total_steps\":5,\"logs\":[],\"errors\":[]}")

#define PULL_REQUEST(name, status, meaning)                                          \
    ROW(name, ON_PROJECT, NULL, to_project, pull_request, meaning,                   \
        "{\"pr_id\":\"42\",\"project_id\":\"" UUID "\",\"title\":\"Fix the login\"," \
        "\"author\":\"ada\",\"branch\":\"fix-login\",\"status\":\"" status "\"}")

#define ISSUE(name, status, meaning)                                                 \
    ROW(name, ON_PROJECT | ON_USER, NULL, to_project_and_assignee, issue, meaning,   \
        "{\"issue_id\":\"7\",\"project_id\":\"" UUID "\",\"title\":\"Login fails\"," \
        "\"status\":\"" status "\",\"priority\":\"high\",\"assigned_to\":\"ada\"}")

const struct event_type rooms_table[] = {
    ROW("project.updated", ON_PROJECT | ON_USER, NULL, to_project_and_updater, project_updated,
        "A project changed.",
        "{\"project_id\":\"" UUID "\",\"project_name\":\"AI Agent Framework\","
        "\"repository_url\":\"https://github.com/user/ai-agent-framework\","
        "\"status\":\"active\",\"updated_by\":\"ada\",\"changes\":{\"status\":\"updated\"}}"),
    ROW("project.deleted", ON_PROJECT | ON_USER, NULL, to_project_and_deleter, project_deleted,
        "A project is gone.", "{\"project_id\":\"" UUID "\",\"deleted_by\":\"ada\"}"),
    AGENT("agent.status_changed", "An agent's state changed."),
    AGENT("agent.connected", "An agent is there."),
    AGENT("agent.disconnected", "An agent is gone."),
    WORKFLOW("workflow.started", "pending", "A workflow began."),
    WORKFLOW("workflow.progress", "running", "A workflow goes on."),
    WORKFLOW("workflow.completed", "completed", "A workflow is done."),
    WORKFLOW("workflow.failed", "failed", "A workflow failed."),
    PULL_REQUEST("pr.created", "open", "A pull request was opened."),
    PULL_REQUEST("pr.updated", "open", "A pull request changed."),
    PULL_REQUEST("pr.closed", "closed", "A pull request was closed."),
    ISSUE("issue.created", "open", "An issue was opened."),
    ISSUE("issue.updated", "open", "An issue changed."),
    ISSUE("issue.closed", "closed", "An issue was closed."),
    ROW("ai.suggestion", ON_PROJECT | ON_GLOBAL, NULL, to_project, suggestion,
        "A model suggests something.",
        "{\"suggestion_id\":\"" UUID "\",\"target_type\":\"pr\",\"target_id\":\"" UUID "\","
        "\"category\":\"optimization\",\"title\":\"Simplify function\",\"severity\":\"info\","
        "\"confidence\":0.92}"),
    ROW("ai.analysis_complete", ON_PROJECT | ON_GLOBAL, NULL, to_project, analysis,
        "A model has analysed something.",
        "{\"analysis_id\":\"a1\",\"target_type\":\"pr\",\"target_id\":\"" UUID "\","
        "\"summary\":\"Two findings.\",\"suggestions\":[]}"),
};

const unsigned rooms_table_count = sizeof rooms_table / sizeof *rooms_table;
