/* Typed broadcast functions of the agent platform's events; see fanfare/broadcast.h. Where they go
 * is said in the catalogue alone: none names a topic. */
#include "hub/broadcast_private.h"

/* A number that is left out when it is negative; NaN is refused, JSON has none. */
static void put_share(struct draft *draft, const char *name, double number, const char *expected)
{
    if (number >= 0)
        json_put_number(&draft->data, name, number);
    else if (!(number < 0) && !draft->error)
        draft->error = broadcast_invalid(name, expected);
}

/* ---- Projects ---- */

int fan_broadcast_project_updated(const struct fan_publisher *publisher, const char *project_id,
                                  const char *project_name, const char *repository_url,
                                  const char *status, const char *updated_by, const char *changes)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "project_id", project_id);
    draft_put_text(&draft, "project_name", project_name);
    draft_put_text(&draft, "repository_url", repository_url);
    draft_put_text(&draft, "status", status);
    draft_put_text(&draft, "updated_by", updated_by);
    draft_put_json(&draft, "changes", changes);
    return draft_broadcast_routed(&draft, publisher, "project.updated");
}

int fan_broadcast_project_deleted(const struct fan_publisher *publisher, const char *project_id,
                                  const char *deleted_by)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "project_id", project_id);
    draft_put_text(&draft, "deleted_by", deleted_by);
    return draft_broadcast_routed(&draft, publisher, "project.deleted");
}

/* ---- Agents ---- */

static int broadcast_agent(const struct fan_publisher *publisher, const char *type,
                           const char *agent_id, const char *agent_name, const char *status,
                           double availability, const char *metadata)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "agent_id", agent_id);
    draft_put_text(&draft, "agent_name", agent_name);
    draft_put_text(&draft, "status", status);
    put_share(&draft, "availability", availability, "must be a number from 0 to 100");
    draft_put_json(&draft, "metadata", metadata);
    return draft_broadcast_routed(&draft, publisher, type);
}

int fan_broadcast_agent_status_changed(const struct fan_publisher *publisher, const char *agent_id,
                                       const char *agent_name, const char *status,
                                       double availability, const char *metadata)
{
    return broadcast_agent(publisher, "agent.status_changed", agent_id, agent_name, status,
                           availability, metadata);
}

int fan_broadcast_agent_connected(const struct fan_publisher *publisher, const char *agent_id,
                                  const char *agent_name, const char *status, double availability,
                                  const char *metadata)
{
    return broadcast_agent(publisher, "agent.connected", agent_id, agent_name, status, availability,
                           metadata);
}

int fan_broadcast_agent_disconnected(const struct fan_publisher *publisher, const char *agent_id,
                                     const char *agent_name, const char *status,
                                     double availability, const char *metadata)
{
    return broadcast_agent(publisher, "agent.disconnected", agent_id, agent_name, status,
                           availability, metadata);
}

/* ---- Workflows ---- */

static int broadcast_workflow(const struct fan_publisher *publisher, const char *type,
                              const struct fan_workflow *w)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "workflow_id", w->workflow_id);
    draft_put_text(&draft, "project_id", w->project_id);
    draft_put_text(&draft, "status", w->status);
    put_share(&draft, "progress", w->progress, "must be a number from 0 to 100");
    draft_put_text(&draft, "current_step", w->current_step);
    if (w->total_steps > 0)
        draft_put_count(&draft, "total_steps", w->total_steps);
    if (!(w->estimated_time_remaining == 0))
        put_share(&draft, "estimated_time_remaining", w->estimated_time_remaining,
                  "must be a number of at least 0");
    draft_put_json_if(&draft, "logs", w->logs);
    draft_put_json_if(&draft, "errors", w->errors);
    return draft_broadcast_routed(&draft, publisher, type);
}

int fan_broadcast_workflow_started(const struct fan_publisher *publisher,
                                   const struct fan_workflow *workflow)
{
    return broadcast_workflow(publisher, "workflow.started", workflow);
}

int fan_broadcast_workflow_progress(const struct fan_publisher *publisher,
                                    const struct fan_workflow *workflow)
{
    return broadcast_workflow(publisher, "workflow.progress", workflow);
}

int fan_broadcast_workflow_completed(const struct fan_publisher *publisher,
                                     const struct fan_workflow *workflow)
{
    return broadcast_workflow(publisher, "workflow.completed", workflow);
}

int fan_broadcast_workflow_failed(const struct fan_publisher *publisher,
                                  const struct fan_workflow *workflow)
{
    return broadcast_workflow(publisher, "workflow.failed", workflow);
}

/* ---- Pull requests ---- */

static int broadcast_pull_request(const struct fan_publisher *publisher, const char *type,
                                  const struct fan_pull_request *pr)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "pr_id", pr->pr_id);
    draft_put_text(&draft, "project_id", pr->project_id);
    draft_put_text(&draft, "title", pr->title);
    draft_put_text(&draft, "description", pr->description);
    draft_put_text(&draft, "author", pr->author);
    draft_put_text(&draft, "branch", pr->branch);
    draft_put_text(&draft, "github_url", pr->github_url);
    draft_put_text(&draft, "status", pr->status);
    draft_put_text(&draft, "created_at", pr->created_at);
    return draft_broadcast_routed(&draft, publisher, type);
}

int fan_broadcast_pr_created(const struct fan_publisher *publisher,
                             const struct fan_pull_request *pull_request)
{
    return broadcast_pull_request(publisher, "pr.created", pull_request);
}

int fan_broadcast_pr_updated(const struct fan_publisher *publisher,
                             const struct fan_pull_request *pull_request)
{
    return broadcast_pull_request(publisher, "pr.updated", pull_request);
}

int fan_broadcast_pr_closed(const struct fan_publisher *publisher,
                            const struct fan_pull_request *pull_request)
{
    return broadcast_pull_request(publisher, "pr.closed", pull_request);
}

/* ---- Issues ---- */

static int broadcast_issue(const struct fan_publisher *publisher, const char *type,
                           const struct fan_issue *issue)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "issue_id", issue->issue_id);
    draft_put_text(&draft, "project_id", issue->project_id);
    draft_put_text(&draft, "title", issue->title);
    draft_put_text(&draft, "description", issue->description);
    draft_put_text(&draft, "status", issue->status);
    draft_put_text(&draft, "priority", issue->priority);
    draft_put_text(&draft, "assigned_to", issue->assigned_to);
    draft_put_text(&draft, "updated_at", issue->updated_at);
    return draft_broadcast_routed(&draft, publisher, type);
}

int fan_broadcast_issue_created(const struct fan_publisher *publisher,
                                const struct fan_issue *issue)
{
    return broadcast_issue(publisher, "issue.created", issue);
}

int fan_broadcast_issue_updated(const struct fan_publisher *publisher,
                                const struct fan_issue *issue)
{
    return broadcast_issue(publisher, "issue.updated", issue);
}

int fan_broadcast_issue_closed(const struct fan_publisher *publisher, const struct fan_issue *issue)
{
    return broadcast_issue(publisher, "issue.closed", issue);
}

/* ---- AI ---- */

int fan_broadcast_ai_suggestion(const struct fan_publisher *publisher,
                                const struct fan_suggestion *s)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "suggestion_id", s->suggestion_id);
    draft_put_text(&draft, "target_type", s->target_type);
    draft_put_text(&draft, "target_id", s->target_id);
    draft_put_text(&draft, "category", s->category);
    draft_put_text(&draft, "title", s->title);
    draft_put_text(&draft, "description", s->description);
    draft_put_text(&draft, "severity", s->severity);
    put_share(&draft, "confidence", s->confidence, "must be a number from 0 to 1");
    draft_put_text(&draft, "suggested_action", s->suggested_action);
    draft_put_text(&draft, "project_id", s->project_id);
    draft_put_json(&draft, "metadata", s->metadata);
    return draft_broadcast_routed(&draft, publisher, "ai.suggestion");
}

int fan_broadcast_ai_analysis_complete(const struct fan_publisher *publisher,
                                       const struct fan_analysis *a)
{
    struct draft draft = draft_begin();
    draft_put_text(&draft, "analysis_id", a->analysis_id);
    draft_put_text(&draft, "target_type", a->target_type);
    draft_put_text(&draft, "target_id", a->target_id);
    draft_put_text(&draft, "summary", a->summary);
    draft_put_json_if(&draft, "suggestions", a->suggestions);
    draft_put_text(&draft, "project_id", a->project_id);
    draft_put_json(&draft, "metadata", a->metadata);
    return draft_broadcast_routed(&draft, publisher, "ai.analysis_complete");
}
