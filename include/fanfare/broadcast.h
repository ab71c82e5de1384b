/*
 * Typed broadcast functions: one for each event of build sessions, of web IDE sessions, of an
 * editor's channels and of an agent platform.
 *
 * They write the event's data as JSON, check it against the event catalogue and hand it to a
 * publisher: an embedded server, a client of a remote server, or a function of your own.
 *
 *   struct fan_publisher publisher = {my_publish, my_context};
 *   fan_broadcast_component_update(&publisher, "build_123", "auth_service", "in_progress", 45.5,
 *                                  NULL);
 *
 * All functions return 0; FAN_E_INVALID when an argument is not what the event's field demands,
 * and then fan_broadcast_problem says which and why, and nothing is published; FAN_E_NO_MEMORY;
 * FAN_E_TOO_LARGE; or what the publisher's function returned. Strings are copied before they
 * return. Texts that are not valid UTF-8 are repaired: what is invalid becomes U+FFFD.
 *
 * The functions hold no state and may be called by any thread from which the publisher's own
 * function may be called.
 */
#ifndef FANFARE_BROADCAST_H
#define FANFARE_BROADCAST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where events go. */
struct fan_publisher {
    /* Publishes one event: topic "session:<id>", type "component_update", data a JSON object of
     * size bytes, not NUL-terminated, valid during the call. topic is NULL for the events of an
     * agent platform: it is left out at POST /api/v1/publish, and fan_server_publish and
     * fan_client_publish take it so. Returns 0 or a negative fan_error. */
    int (*publish)(void *context, const char *topic, const char *type, const char *data,
                   size_t size);
    void *context;
};

/* A component's state. status: "pending", "in_progress", "completed" or "failed" (others pass as
 * they are); progress: 0 to 100 per cent; metadata: a JSON object, NULL for an empty one. */
int fan_broadcast_component_update(const struct fan_publisher *publisher, const char *session_id,
                                   const char *component_id, const char *status, double progress,
                                   const char *metadata);

/* The same of a feature. */
int fan_broadcast_feature_update(const struct fan_publisher *publisher, const char *session_id,
                                 const char *feature_id, const char *status, double progress,
                                 const char *metadata);

/* Terminal output: size bytes as a program wrote them. output_type: "stdout" or "stderr";
 * source: who wrote it, or NULL. A code point that is cut off at either end is repaired as
 * invalid; for output that comes in pieces use a fan_terminal_stream. Text whose JSON would
 * exceed what one event may hold has to be cut by the caller. */
int fan_broadcast_terminal_output(const struct fan_publisher *publisher, const char *session_id,
                                  const char *output, size_t size, const char *output_type,
                                  const char *source);

/* A checkpoint. phase may be NULL; task_count and file_count strings are in the two lists. */
int fan_broadcast_checkpoint_update(const struct fan_publisher *publisher, const char *session_id,
                                    const char *checkpoint_id, const char *phase,
                                    const char *const *tasks_completed, size_t task_count,
                                    const char *const *files_created, size_t file_count,
                                    const char *metadata);

/* Progress of the whole build: 0 <= completed <= total; percent 0 to 100, or negative to have it
 * computed. */
int fan_broadcast_build_progress(const struct fan_publisher *publisher, const char *session_id,
                                 double total, double completed, double percent);

/* A changed file. change_type: "created", "modified", "deleted" or "moved"; content: its size
 * bytes of text, or NULL; more than 64 KiB are left out and marked `truncated`. */
int fan_broadcast_file_change(const struct fan_publisher *publisher, const char *session_id,
                              const char *file_path, const char *change_type, const char *content,
                              size_t size);

/* An error. error_type and traceback may be NULL. */
int fan_broadcast_error(const struct fan_publisher *publisher, const char *session_id,
                        const char *error_message, const char *error_type, const char *traceback);

/* A command was started. cwd may be NULL; pid, cols and rows are left out when negative; pty:
 * whether it writes to a terminal (1, 0; negative to leave it out). */
int fan_broadcast_run_started(const struct fan_publisher *publisher, const char *session_id,
                              const char *command, const char *cwd, long long pid, int pty,
                              long long cols, long long rows);

/* It has ended. exit_code: negative after a signal; signal: "SIGTERM", or NULL; duration: seconds;
 * pid is left out when negative. command and cwd as in run_started, for those who missed that; each
 * may be NULL. */
int fan_broadcast_run_finished(const struct fan_publisher *publisher, const char *session_id,
                               long long exit_code, const char *signal, double duration,
                               long long pid, const char *command, const char *cwd);

/* ---- Web IDE sessions ---- */

/* Code began to run. code_preview: the beginning of the code, or NULL. */
int fan_broadcast_execution_start(const struct fan_publisher *publisher, const char *session_id,
                                  const char *execution_id, const char *language,
                                  const char *code_preview);

/* Running code wrote size bytes. stream: "stdout" or "stderr". */
int fan_broadcast_execution_output(const struct fan_publisher *publisher, const char *session_id,
                                   const char *execution_id, const char *output, size_t size,
                                   const char *stream);

/* Code ran to its end. result: a JSON object with stdout, stderr, exit_code and so on. */
int fan_broadcast_execution_complete(const struct fan_publisher *publisher, const char *session_id,
                                     const char *execution_id, const char *result);

/* Code could not run, or not to its end. error_type: "timeout" for instance; result: as far as it
 * got, a JSON object, or NULL. */
int fan_broadcast_execution_error(const struct fan_publisher *publisher, const char *session_id,
                                  const char *execution_id, const char *error,
                                  const char *error_type, const char *result);

/* An answer is coming (1), or no longer (0). */
int fan_broadcast_ai_typing(const struct fan_publisher *publisher, const char *session_id,
                            int is_typing);

/* An answer, whole. sender: "ghost"; timestamp: RFC 3339; both may be NULL. */
int fan_broadcast_ai_response(const struct fan_publisher *publisher, const char *session_id,
                              const char *id, const char *content, const char *sender,
                              const char *timestamp);

/* A part of an answer. index: parts before it, negative to leave it out; finished: whether it is
 * the last one, negative to leave it out. */
int fan_broadcast_ai_chunk(const struct fan_publisher *publisher, const char *session_id,
                           const char *id, const char *chunk, long long index, int finished);

/* There will be no answer. error_type may be NULL. */
int fan_broadcast_ai_error(const struct fan_publisher *publisher, const char *session_id,
                           const char *error, const char *error_type);

/* A hook's occasion came: "on_run", "on_error" or "on_save". context: a JSON object, or NULL. */
int fan_broadcast_hook_triggered(const struct fan_publisher *publisher, const char *session_id,
                                 const char *hook_type, const char *context);

/* Something of the session changed. data: a JSON object. */
int fan_broadcast_session_update(const struct fan_publisher *publisher, const char *session_id,
                                 const char *data);

/* A file was saved. language may be NULL; content: its text where the session is to keep it, or
 * NULL. */
int fan_broadcast_file_saved(const struct fan_publisher *publisher, const char *session_id,
                             const char *file_id, const char *file_name, const char *language,
                             const char *content);

/* ---- The editor's channels; `timestamp` is put in ---- */

/* Channel `files`. event: "add", "change", "unlink", "addDir" or "unlinkDir"; movedTo: where a file
 * went, or NULL. */
int fan_broadcast_channel_files(const struct fan_publisher *publisher, const char *file,
                                const char *event, const char *moved_to);

/* Channel `diagnostics`. diagnostics: a JSON array; cleared: whether nothing is wrong any
 * more (1, 0; negative to leave it out). */
int fan_broadcast_channel_diagnostics(const struct fan_publisher *publisher,
                                      const char *diagnostics, int cleared);

/* Channel `ai-response`: a part of an answer. */
int fan_broadcast_channel_ai_response(const struct fan_publisher *publisher, const char *id,
                                      const char *chunk, long long index, int finished);

/* Channel `search`. completed: results so far; total: in all, negative until that is known;
 * results: a JSON array. */
int fan_broadcast_channel_search(const struct fan_publisher *publisher, const char *query,
                                 long long completed, long long total, const char *results);

/* Channel `validation`. type: "lint", "typecheck" or "format"; errors: a JSON array, or NULL. */
int fan_broadcast_channel_validation(const struct fan_publisher *publisher, const char *type,
                                     int passed, const char *errors);

/* Channel `git`. type: "status", "commit", "push", "pull" or "branch"; status: a JSON object, or
 * NULL. */
int fan_broadcast_channel_git(const struct fan_publisher *publisher, const char *type,
                              const char *message, const char *status);

/*
 * ---- An agent platform: projects, agents, workflows, pull requests, issues, AI ----
 *
 * Each goes where its type belongs (docs/events.md), as one event in all of its topics:
 * `project:<project_id>` and `user:<updated_by>`, for instance. The ids of projects, agents,
 * workflows, suggestions and targets are UUIDs. Texts and JSON may be NULL and are left out then,
 * unless it is said otherwise.
 */

/* A project changed. changes: a JSON object, the fields that changed and their new values; NULL for
 * an empty one. */
int fan_broadcast_project_updated(const struct fan_publisher *publisher, const char *project_id,
                                  const char *project_name, const char *repository_url,
                                  const char *status, const char *updated_by, const char *changes);

/* A project is gone. */
int fan_broadcast_project_deleted(const struct fan_publisher *publisher, const char *project_id,
                                  const char *deleted_by);

/* An agent's state changed; it is there; it is gone. status: "online", "offline", "busy" (others
 * pass as they are); availability: 0 to 100 per cent, negative to leave it out; metadata: a JSON
 * object, NULL for an empty one. */
int fan_broadcast_agent_status_changed(const struct fan_publisher *publisher, const char *agent_id,
                                       const char *agent_name, const char *status,
                                       double availability, const char *metadata);
int fan_broadcast_agent_connected(const struct fan_publisher *publisher, const char *agent_id,
                                  const char *agent_name, const char *status, double availability,
                                  const char *metadata);
int fan_broadcast_agent_disconnected(const struct fan_publisher *publisher, const char *agent_id,
                                     const char *agent_name, const char *status,
                                     double availability, const char *metadata);

/* How far a workflow is. */
struct fan_workflow {
    const char *workflow_id; /* needed */
    const char *project_id;  /* NULL: the event goes to everybody (`global`) */
    const char *status;      /* "pending", "running", "completed", "failed" or "cancelled" */
    double progress;         /* 0 to 100 per cent; negative to leave it out */
    const char *current_step;
    long long total_steps;           /* 0 to leave it out */
    double estimated_time_remaining; /* seconds; 0 to leave it out */
    const char *logs, *errors;       /* JSON arrays */
};

int fan_broadcast_workflow_started(const struct fan_publisher *publisher,
                                   const struct fan_workflow *workflow);
int fan_broadcast_workflow_progress(const struct fan_publisher *publisher,
                                    const struct fan_workflow *workflow);
int fan_broadcast_workflow_completed(const struct fan_publisher *publisher,
                                     const struct fan_workflow *workflow);
int fan_broadcast_workflow_failed(const struct fan_publisher *publisher,
                                  const struct fan_workflow *workflow);

/* A pull request. */
struct fan_pull_request {
    const char *pr_id;      /* needed */
    const char *project_id; /* NULL: the event goes to everybody (`global`) */
    const char *title, *description, *author;
    const char *branch; /* which is to be merged */
    const char *github_url;
    const char *status;     /* "open", "closed", "merged" */
    const char *created_at; /* RFC 3339 */
};

int fan_broadcast_pr_created(const struct fan_publisher *publisher,
                             const struct fan_pull_request *pull_request);
int fan_broadcast_pr_updated(const struct fan_publisher *publisher,
                             const struct fan_pull_request *pull_request);
int fan_broadcast_pr_closed(const struct fan_publisher *publisher,
                            const struct fan_pull_request *pull_request);

/* An issue. */
struct fan_issue {
    const char *issue_id;   /* needed */
    const char *project_id; /* NULL, and no assigned_to: the event goes to everybody (`global`) */
    const char *title, *description, *status, *priority;
    const char *assigned_to; /* a user, who hears of it */
    const char *updated_at;  /* RFC 3339 */
};

int fan_broadcast_issue_created(const struct fan_publisher *publisher,
                                const struct fan_issue *issue);
int fan_broadcast_issue_updated(const struct fan_publisher *publisher,
                                const struct fan_issue *issue);
int fan_broadcast_issue_closed(const struct fan_publisher *publisher,
                               const struct fan_issue *issue);

/* What a model suggests. */
struct fan_suggestion {
    const char *suggestion_id; /* needed */
    const char *target_type;   /* "pr" */
    const char *target_id;
    const char *category; /* "optimization" */
    const char *title, *description;
    const char *severity; /* "info", "warning" or "critical" */
    double confidence;    /* 0 to 1; negative to leave it out */
    const char *suggested_action;
    const char *project_id; /* NULL: the event goes to everybody (`global`) */
    const char *metadata;   /* a JSON object, NULL for an empty one */
};

int fan_broadcast_ai_suggestion(const struct fan_publisher *publisher,
                                const struct fan_suggestion *suggestion);

/* What a model's analysis came to. */
struct fan_analysis {
    const char *analysis_id; /* needed */
    const char *target_type, *target_id;
    const char *summary;
    const char *suggestions; /* a JSON array */
    const char *project_id;  /* NULL: the event goes to everybody (`global`) */
    const char *metadata;    /* a JSON object, NULL for an empty one */
};

int fan_broadcast_ai_analysis_complete(const struct fan_publisher *publisher,
                                       const struct fan_analysis *analysis);

/* Why the last call on this thread returned FAN_E_INVALID: "progress must be a number from 0 to
 * 100, got 140". Never NULL; valid until the thread's next call. */
const char *fan_broadcast_problem(void);

/* A program's output that comes in pieces of any size. The beginning of a code point at a piece's
 * end waits for the next piece. Starts as {0}; one for each of a program's streams; owns no
 * memory. */
struct fan_terminal_stream {
    unsigned char waiting[3];
    unsigned char count;
};

/* Publishes a piece as terminal_output; nothing when no code point became whole. After a failure
 * of the publisher the piece counts as taken. */
int fan_terminal_stream_write(struct fan_terminal_stream *stream,
                              const struct fan_publisher *publisher, const char *session_id,
                              const char *output, size_t size, const char *output_type,
                              const char *source);

/* At the output's end: publishes U+FFFD for a code point that never became whole. The stream may
 * be used again. */
int fan_terminal_stream_finish(struct fan_terminal_stream *stream,
                               const struct fan_publisher *publisher, const char *session_id,
                               const char *output_type, const char *source);

#ifdef __cplusplus
}
#endif
#endif
