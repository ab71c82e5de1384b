/* The rows of the event catalogue; see catalogue.h. */
#include "hub/event_table.h"

#define IDE            "Web IDE sessions"
#define CHANNELS       "Channels"
#define ON_SESSION     (TOPIC_BIT(TOPIC_SESSION))
#define ON_CHANNEL     (TOPIC_BIT(TOPIC_CHANNEL))
#define ID             (EVENT_REQUIRED | EVENT_NOT_EMPTY)
#define PERCENT        .flags = EVENT_MINIMUM | EVENT_MAXIMUM, .minimum = 0, .maximum = 100
#define FIELDS(array)  .fields = array, .field_count = sizeof array / sizeof *array
#define MEMBERS(array) .members = array, .member_count = sizeof array / sizeof *array
#define COUNT          EVENT_MINIMUM, .minimum = 0

static const char *const statuses[] = {"pending", "in_progress", "completed", "failed", NULL};
static const char *const streams[] = {"stdout", "stderr", NULL};
static const char *const changes[] = {"created", "modified", "deleted", "moved", NULL};

static const struct event_field component_update[] = {
    {NAME("component_id"), EVENT_TEXT, ID, .meaning = "The component."},
    {NAME("status"), EVENT_TEXT, EVENT_REQUIRED | EVENT_OPEN_CHOICES, .choices = statuses,
     .meaning = "Its state now."},
    {NAME("progress"), EVENT_NUMBER, PERCENT, .meaning = "Per cent done."},
    {NAME("metadata"), EVENT_OBJECT, .meaning = "Whatever else is known about it."},
};

static const struct event_field feature_update[] = {
    {NAME("feature_id"), EVENT_TEXT, ID, .meaning = "The feature."},
    {NAME("status"), EVENT_TEXT, EVENT_REQUIRED | EVENT_OPEN_CHOICES, .choices = statuses,
     .meaning = "Its state now."},
    {NAME("progress"), EVENT_NUMBER, PERCENT, .meaning = "Per cent done."},
    {NAME("metadata"), EVENT_OBJECT, .meaning = "Whatever else is known about it."},
};

static const struct event_field terminal_output[] = {
    {NAME("output"), EVENT_TEXT, EVENT_REQUIRED,
     .meaning = "What the program wrote, escape sequences included."},
    {NAME("output_type"), EVENT_TEXT, .choices = streams, .meaning = "Where it wrote to."},
    {NAME("source"), EVENT_TEXT, .meaning = "Who wrote it."},
    {NAME("left_out"), EVENT_INTEGER, EVENT_MINIMUM, .minimum = 0,
     .meaning = "How many bytes of output are missing here; `output` says so in words."},
};

static const struct event_field checkpoint_update[] = {
    {NAME("checkpoint_id"), EVENT_TEXT, ID, .meaning = "The checkpoint."},
    {NAME("phase"), EVENT_TEXT, .meaning = "The build's phase."},
    {NAME("tasks_completed"), EVENT_TEXT_LIST, .meaning = "Tasks done so far."},
    {NAME("files_created"), EVENT_TEXT_LIST, .meaning = "Files made so far."},
    {NAME("metadata"), EVENT_OBJECT, .meaning = "Whatever else the checkpoint says."},
};

static const struct event_field build_progress[] = {
    {NAME("total"), EVENT_NUMBER, EVENT_REQUIRED | EVENT_MINIMUM, .minimum = 0,
     .meaning = "How many steps there are."},
    {NAME("completed"), EVENT_NUMBER, EVENT_REQUIRED | EVENT_MINIMUM, .minimum = 0,
     .meaning = "How many of them are done; at most total."},
    {NAME("percent"), EVENT_NUMBER, PERCENT,
     .meaning = "Per cent done; computed from the other two when left out."},
};

static const struct event_field file_change[] = {
    {NAME("file_path"), EVENT_TEXT, ID, .meaning = "The file."},
    {NAME("change_type"), EVENT_TEXT, EVENT_REQUIRED, .choices = changes,
     .meaning = "What happened to it."},
    {NAME("content"), EVENT_TEXT, .longest = 64 * 1024,
     .meaning = "Its text, when it has at most 64 KiB; else left out, and truncated is true."},
    {NAME("truncated"), EVENT_BOOLEAN, .meaning = "Whether the content was left out."},
};

static const struct event_field error[] = {
    {NAME("error_message"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "What went wrong."},
    {NAME("error_type"), EVENT_TEXT, .meaning = "What kind of error it is."},
    {NAME("traceback"), EVENT_TEXT, .meaning = "Where it happened."},
};

static const struct event_field run_started[] = {
    {NAME("command"), EVENT_ANY, .meaning = "The command and its arguments."},
    {NAME("cwd"), EVENT_TEXT, .meaning = "The directory in which it runs."},
    {NAME("pid"), EVENT_INTEGER, .meaning = "Its process id."},
    {NAME("pty"), EVENT_BOOLEAN, .meaning = "Whether it writes to a terminal."},
    {NAME("cols"), EVENT_INTEGER, EVENT_MINIMUM, .minimum = 0,
     .meaning = "The terminal's width, where there is one."},
    {NAME("rows"), EVENT_INTEGER, EVENT_MINIMUM, .minimum = 0, .meaning = "Its height."},
};

static const struct event_field run_finished[] = {
    {NAME("exit_code"), EVENT_INTEGER,
     .meaning = "How it exited; null after a signal, 126 or 127 when it could not be started."},
    {NAME("signal"), EVENT_ANY,
     .meaning = "The signal that ended it, \"SIGTERM\" for instance, or null."},
    {NAME("duration"), EVENT_NUMBER, EVENT_MINIMUM, .minimum = 0, .meaning = "Seconds it took."},
    {NAME("pid"), EVENT_INTEGER, .meaning = "Its process id, as in `run_started`."},
    {NAME("command"), EVENT_ANY,
     .meaning = "The command once more, for readers that have not seen `run_started`."},
    {NAME("cwd"), EVENT_TEXT, .meaning = "Likewise its directory."},
};

/* ---- Web IDE sessions ---- */

static const char *const error_types[] = {"timeout",
                                          "memory",
                                          "output_limit",
                                          "unsupported_language",
                                          "sandbox_unavailable",
                                          "queue_full",
                                          "cancelled",
                                          "server_restarted",
                                          NULL};
static const char *const hooks[] = {"on_run", "on_error", "on_save", NULL};

static const struct event_field result[] = {
    {NAME("stdout"), EVENT_TEXT, .meaning = "What it wrote to stdout."},
    {NAME("stderr"), EVENT_TEXT, .meaning = "What it wrote to stderr."},
    {NAME("exit_code"), EVENT_INTEGER, .meaning = "How it exited; null after a signal."},
    {NAME("execution_time"), EVENT_NUMBER, COUNT, .meaning = "Seconds it took."},
    {NAME("signal"), EVENT_ANY, .meaning = "The signal that ended it, or null."},
    {NAME("timed_out"), EVENT_BOOLEAN, .meaning = "Whether it took too long."},
    {NAME("memory_bytes"), EVENT_INTEGER, COUNT, .meaning = "The most memory it had."},
    {NAME("truncated"), EVENT_BOOLEAN, .meaning = "Whether output was cut off."},
};

static const struct event_field execution_start[] = {
    {NAME("execution_id"), EVENT_TEXT, ID, .meaning = "The execution."},
    {NAME("language"), EVENT_TEXT, ID, .meaning = "The language."},
    {NAME("code_preview"), EVENT_TEXT, .meaning = "The first 100 characters of the code."},
};

static const struct event_field execution_output[] = {
    {NAME("execution_id"), EVENT_TEXT, ID, .meaning = "The execution."},
    {NAME("output"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "What it wrote."},
    {NAME("stream"), EVENT_TEXT, .choices = streams, .meaning = "Where it wrote to."},
};

static const struct event_field execution_complete[] = {
    {NAME("execution_id"), EVENT_TEXT, ID, .meaning = "The execution."},
    {NAME("result"), EVENT_OBJECT, EVENT_REQUIRED, MEMBERS(result), .meaning = "How it ended."},
};

static const struct event_field execution_error[] = {
    {NAME("execution_id"), EVENT_TEXT, ID, .meaning = "The execution."},
    {NAME("error"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "What went wrong."},
    {NAME("error_type"), EVENT_TEXT, EVENT_OPEN_CHOICES, .choices = error_types,
     .meaning = "What kind of error it is."},
    {NAME("result"), EVENT_OBJECT, MEMBERS(result), .meaning = "As far as it got."},
};

static const struct event_field ai_typing[] = {
    {NAME("is_typing"), EVENT_BOOLEAN, EVENT_REQUIRED, .meaning = "Whether an answer is coming."},
};

static const struct event_field chat_message[] = {
    {NAME("id"), EVENT_TEXT, ID, .meaning = "The message."},
    {NAME("content"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "Its text."},
    {NAME("sender"), EVENT_TEXT, .meaning = "\"ghost\" for answers."},
    {NAME("timestamp"), EVENT_TEXT, .meaning = "When it was written."},
};

static const struct event_field ai_response[] = {
    {NAME("message"), EVENT_OBJECT, EVENT_REQUIRED, MEMBERS(chat_message),
     .meaning = "The whole answer."},
};

static const struct event_field ai_chunk[] = {
    {NAME("id"), EVENT_TEXT, ID, .meaning = "The message of which this is a part."},
    {NAME("chunk"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The part."},
    {NAME("index"), EVENT_INTEGER, COUNT, .meaning = "Parts before it."},
    {NAME("finished"), EVENT_BOOLEAN, .meaning = "Whether it is the last part."},
};

static const struct event_field ai_error[] = {
    {NAME("error"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "What went wrong."},
    {NAME("error_type"), EVENT_TEXT, .meaning = "What kind of error it is."},
};

static const struct event_field hook_triggered[] = {
    {NAME("hook_type"), EVENT_TEXT, EVENT_REQUIRED, .choices = hooks, .meaning = "The hook."},
    {NAME("context"), EVENT_OBJECT, .meaning = "What it was about."},
};

static const struct event_field file_saved[] = {
    {NAME("file_id"), EVENT_TEXT, ID, .meaning = "The file."},
    {NAME("file_name"), EVENT_TEXT, ID, .meaning = "Its name."},
    {NAME("language"), EVENT_TEXT, .meaning = "Its language."},
    {NAME("content"), EVENT_TEXT,
     .meaning = "Its text, where the session keeps it instead of a workspace."},
};

/* ---- Channels ---- */

static const char *const file_events[] = {"add", "change", "unlink", "addDir", "unlinkDir", NULL};
static const char *const severities[] = {"error", "warning", "info", "hint", NULL};
static const char *const validations[] = {"lint", "typecheck", "format", NULL};
static const char *const git_events[] = {"status", "commit", "push", "pull", "branch", NULL};

#define TIMESTAMP                                                                           \
    {                                                                                       \
        NAME("timestamp"), EVENT_TEXT, .meaning = "When it happened; put in when left out." \
    }

static const struct event_field files_channel[] = {
    {NAME("file"), EVENT_TEXT, ID, .meaning = "The file, relative to the workspace."},
    {NAME("event"), EVENT_TEXT, EVENT_REQUIRED, .choices = file_events,
     .meaning = "What happened to it."},
    {NAME("movedTo"), EVENT_TEXT, .meaning = "Where it went, for an unlink by renaming."},
    TIMESTAMP,
};

static const struct event_field diagnostic[] = {
    {NAME("file"), EVENT_TEXT, ID, .meaning = "The file."},
    {NAME("line"), EVENT_INTEGER, COUNT, .meaning = "The line."},
    {NAME("column"), EVENT_INTEGER, COUNT, .meaning = "The column."},
    {NAME("message"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "What is wrong."},
    {NAME("severity"), EVENT_TEXT, EVENT_REQUIRED, .choices = severities, .meaning = "How bad."},
    {NAME("source"), EVENT_TEXT, .meaning = "Who says so."},
};

static const struct event_field diagnostics_channel[] = {
    {NAME("diagnostics"), EVENT_LIST, EVENT_REQUIRED, MEMBERS(diagnostic),
     .meaning = "What is wrong now."},
    {NAME("cleared"), EVENT_BOOLEAN, .meaning = "Whether nothing is wrong any more."},
    TIMESTAMP,
};

static const struct event_field ai_response_channel[] = {
    {NAME("id"), EVENT_TEXT, ID, .meaning = "The answer of which this is a part."},
    {NAME("chunk"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The part."},
    {NAME("index"), EVENT_INTEGER, EVENT_REQUIRED | COUNT, .meaning = "Parts before it."},
    {NAME("finished"), EVENT_BOOLEAN, EVENT_REQUIRED, .meaning = "Whether it is the last part."},
    TIMESTAMP,
};

static const struct event_field search_result[] = {
    {NAME("file"), EVENT_TEXT, ID, .meaning = "The file."},
    {NAME("line"), EVENT_INTEGER, COUNT, .meaning = "The line."},
    {NAME("column"), EVENT_INTEGER, COUNT, .meaning = "The column."},
    {NAME("match"), EVENT_TEXT, .meaning = "What matched."},
    {NAME("context"), EVENT_ANY, .meaning = "What stands around it."},
};

static const struct event_field search_channel[] = {
    {NAME("query"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "What is looked for."},
    {NAME("completed"), EVENT_INTEGER, EVENT_REQUIRED | COUNT, .meaning = "Results so far."},
    {NAME("total"), EVENT_INTEGER, COUNT, .meaning = "Results in all; null until it is done."},
    {NAME("results"), EVENT_LIST, EVENT_REQUIRED, MEMBERS(search_result), .meaning = "New ones."},
    TIMESTAMP,
};

static const struct event_field validation_error[] = {
    {NAME("file"), EVENT_TEXT, ID, .meaning = "The file."},
    {NAME("line"), EVENT_INTEGER, COUNT, .meaning = "The line."},
    {NAME("column"), EVENT_INTEGER, COUNT, .meaning = "The column."},
    {NAME("message"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "What is wrong."},
    {NAME("rule"), EVENT_TEXT, .meaning = "The rule that says so."},
};

static const struct event_field validation[] = {
    {NAME("type"), EVENT_TEXT, EVENT_REQUIRED, .choices = validations, .meaning = "What ran."},
    {NAME("passed"), EVENT_BOOLEAN, EVENT_REQUIRED, .meaning = "Whether all was well."},
    {NAME("errors"), EVENT_LIST, MEMBERS(validation_error), .meaning = "What was not."},
};

static const struct event_field validation_channel[] = {
    {NAME("validation"), EVENT_OBJECT, EVENT_REQUIRED, MEMBERS(validation),
     .meaning = "What came out."},
    TIMESTAMP,
};

static const struct event_field git_status[] = {
    {NAME("branch"), EVENT_TEXT, .meaning = "The branch; null for none."},
    {NAME("ahead"), EVENT_INTEGER, COUNT, .meaning = "Commits that upstream lacks."},
    {NAME("behind"), EVENT_INTEGER, COUNT, .meaning = "Commits that only upstream has."},
    {NAME("staged"), EVENT_ANY, .meaning = "Files in the index."},
    {NAME("modified"), EVENT_ANY, .meaning = "Changed files."},
    {NAME("untracked"), EVENT_ANY, .meaning = "Files that git does not know."},
    {NAME("deleted"), EVENT_ANY, .meaning = "Files that are gone."},
};

static const struct event_field git_channel[] = {
    {NAME("type"), EVENT_TEXT, EVENT_REQUIRED, .choices = git_events, .meaning = "What happened."},
    {NAME("message"), EVENT_TEXT, EVENT_REQUIRED, .meaning = "The same in words."},
    {NAME("status"), EVENT_OBJECT, MEMBERS(git_status), .meaning = "The repository now."},
    TIMESTAMP,
};

const struct event_type event_table[] = {
    {NAME("component_update"),
     {"components"},
     ON_SESSION,
     "component_id",
     FIELDS(component_update),
     .meaning = "A component's state or progress changed.",
     .example = "{\"component_id\":\"auth_service\",\"status\":\"in_progress\",\"progress\":45.5,"
                "\"metadata\":{\"step\":\"compile\"}}"},
    {NAME("feature_update"),
     {"features"},
     ON_SESSION,
     "feature_id",
     FIELDS(feature_update),
     .meaning = "A feature's state or progress changed.",
     .example = "{\"feature_id\":\"login\",\"status\":\"completed\",\"progress\":100,"
                "\"metadata\":{}}"},
    {NAME("terminal_output"),
     {"terminal"},
     ON_SESSION,
     FIELDS(terminal_output),
     .meaning = "A program wrote to its terminal.",
     .example = "{\"output\":\"Compiling auth_service...\\n\",\"output_type\":\"stdout\","
                "\"source\":\"builder\"}"},
    {NAME("checkpoint_update"),
     {"checkpoints", "tasks"},
     ON_SESSION,
     FIELDS(checkpoint_update),
     .meaning = "A build checkpoint was written.",
     .example = "{\"checkpoint_id\":\"checkpoint_123\",\"phase\":\"build_phase_1\","
                "\"tasks_completed\":[\"task1\"],\"files_created\":[\"src/auth.c\"],"
                "\"metadata\":{}}"},
    {NAME("build_progress"),
     {"progress"},
     ON_SESSION,
     "",
     FIELDS(build_progress),
     .finish = event_finish_progress,
     .meaning = "How far the build as a whole is.",
     .example = "{\"total\":10,\"completed\":7,\"percent\":70}"},
    {NAME("file_change"),
     {"files"},
     ON_SESSION,
     FIELDS(file_change),
     .finish = event_finish_longest,
     .meaning = "A watched file changed.",
     .example = "{\"file_path\":\"context/plan.md\",\"change_type\":\"modified\","
                "\"content\":\"# Plan\\n\"}"},
    {NAME("error"),
     {"errors"},
     ON_SESSION,
     FIELDS(error),
     .meaning = "Something failed. Every filter lets it pass.",
     .example = "{\"error_message\":\"undefined reference to auth_init\","
                "\"error_type\":\"link_error\",\"traceback\":null}"},
    {NAME("run_started"),
     {0},
     ON_SESSION,
     FIELDS(run_started),
     .meaning = "`fanfare run` started a command.",
     .example = "{\"command\":\"make -j4\",\"cwd\":\"/home/ada/auth\",\"pid\":4711,"
                "\"pty\":true,\"cols\":120,\"rows\":40}"},
    {NAME("run_finished"),
     {0},
     ON_SESSION,
     FIELDS(run_finished),
     .meaning = "The command that `fanfare run` started has ended.",
     .example = "{\"exit_code\":0,\"signal\":null,\"duration\":12.5,\"pid\":4711,"
                "\"command\":\"make -j4\",\"cwd\":\"/home/ada/auth\"}"},
    {NAME("execution_start"),
     {0},
     ON_SESSION,
     FIELDS(execution_start),
     .any_names = true,
     .section = IDE,
     .meaning = "Code began to run.",
     .example = "{\"execution_id\":\"exec-1\",\"language\":\"python\","
                "\"code_preview\":\"print('hello')\"}"},
    {NAME("execution_output"),
     {0},
     ON_SESSION,
     FIELDS(execution_output),
     .any_names = true,
     .section = IDE,
     .meaning = "Running code wrote something.",
     .example = "{\"execution_id\":\"exec-1\",\"output\":\"hello\\n\",\"stream\":\"stdout\"}"},
    {NAME("execution_complete"),
     {0},
     ON_SESSION,
     FIELDS(execution_complete),
     .any_names = true,
     .section = IDE,
     .meaning = "Code ran to its end.",
     .example = "{\"execution_id\":\"exec-1\",\"result\":{\"stdout\":\"hello\\n\",\"stderr\":\"\","
                "\"exit_code\":0,\"execution_time\":0.03,\"signal\":null,\"timed_out\":false,"
                "\"memory_bytes\":9437184,\"truncated\":false}}"},
    {NAME("execution_error"),
     {0},
     ON_SESSION,
     FIELDS(execution_error),
     .any_names = true,
     .section = IDE,
     .meaning = "Code could not run, or not to its end.",
     .example = "{\"execution_id\":\"exec-1\",\"error\":\"took longer than 10 s\","
                "\"error_type\":\"timeout\"}"},
    {NAME("ai_typing"),
     {0},
     ON_SESSION,
     FIELDS(ai_typing),
     .any_names = true,
     .section = IDE,
     .meaning = "An answer is coming, or no longer. Best published as ephemeral.",
     .example = "{\"is_typing\":true}"},
    {NAME("ai_response"),
     {0},
     ON_SESSION,
     FIELDS(ai_response),
     .any_names = true,
     .section = IDE,
     .meaning = "An answer, whole.",
     .example = "{\"message\":{\"id\":\"m1\",\"content\":\"Line 3 lacks a colon.\","
                "\"sender\":\"ghost\",\"timestamp\":\"2026-01-31T12:00:00.123Z\"}}"},
    {NAME("ai_chunk"),
     {0},
     ON_SESSION | ON_CHANNEL,
     FIELDS(ai_chunk),
     .any_names = true,
     .section = IDE,
     .meaning = "A part of an answer, as it is written.",
     .example = "{\"id\":\"m1\",\"chunk\":\"Line 3 \",\"index\":0,\"finished\":false}"},
    {NAME("ai_error"),
     {0},
     ON_SESSION,
     FIELDS(ai_error),
     .any_names = true,
     .section = IDE,
     .meaning = "There will be no answer.",
     .example = "{\"error\":\"the model does not answer\",\"error_type\":\"timeout\"}"},
    {NAME("hook_triggered"),
     {0},
     ON_SESSION,
     FIELDS(hook_triggered),
     .any_names = true,
     .section = IDE,
     .meaning = "A hook's occasion came.",
     .example = "{\"hook_type\":\"on_save\",\"context\":{\"file_name\":\"main.py\"}}"},
    {NAME("session_update"),
     {0},
     ON_SESSION,
     .any_names = true,
     .section = IDE,
     .meaning = "Something of the session changed; data says what, in words of the clients' own.",
     .example = "{\"active_file\":\"main.py\"}"},
    {NAME("file_saved"),
     {0},
     ON_SESSION,
     FIELDS(file_saved),
     .any_names = true,
     .section = IDE,
     .meaning = "A file was saved.",
     .example = "{\"file_id\":\"f1\",\"file_name\":\"main.py\",\"language\":\"python\"}"},
};

const unsigned event_table_count = sizeof event_table / sizeof *event_table;

/* The row's name is the channel's. */
const struct event_type channel_table[] = {
    {NAME("files"),
     {0},
     ON_CHANNEL,
     FIELDS(files_channel),
     .finish = event_finish_timestamp,
     .any_names = true,
     .section = CHANNELS,
     .meaning = "Files of the workspace change.",
     .example = "{\"file\":\"src/main.ts\",\"event\":\"change\","
                "\"timestamp\":\"2026-01-31T12:00:00.123Z\"}"},
    {NAME("diagnostics"),
     {0},
     ON_CHANNEL,
     FIELDS(diagnostics_channel),
     .finish = event_finish_timestamp,
     .any_names = true,
     .section = CHANNELS,
     .meaning = "Compilers and language servers find fault. A slow reader gets the newest of each "
                "`key` that the publisher gives, the file's name for instance.",
     .example = "{\"diagnostics\":[{\"file\":\"src/main.ts\",\"line\":3,\"column\":7,"
                "\"message\":\"';' expected\",\"severity\":\"error\",\"source\":\"ts\"}],"
                "\"timestamp\":\"2026-01-31T12:00:00.123Z\"}"},
    {NAME("ai-response"),
     {0},
     ON_CHANNEL,
     FIELDS(ai_response_channel),
     .finish = event_finish_timestamp,
     .any_names = true,
     .section = CHANNELS,
     .meaning = "A model answers, part by part.",
     .example = "{\"id\":\"m1\",\"chunk\":\"Line 3 \",\"index\":0,\"finished\":false,"
                "\"timestamp\":\"2026-01-31T12:00:00.123Z\"}"},
    {NAME("search"),
     {0},
     ON_CHANNEL,
     "query",
     FIELDS(search_channel),
     .finish = event_finish_timestamp,
     .any_names = true,
     .section = CHANNELS,
     .meaning = "A search goes on.",
     .example = "{\"query\":\"todo\",\"completed\":1,\"total\":null,\"results\":[{\"file\":"
                "\"src/main.ts\",\"line\":3,\"column\":7,\"match\":\"TODO\"}],"
                "\"timestamp\":\"2026-01-31T12:00:00.123Z\"}"},
    {NAME("validation"),
     {0},
     ON_CHANNEL,
     FIELDS(validation_channel),
     .finish = event_finish_timestamp,
     .any_names = true,
     .section = CHANNELS,
     .meaning = "A linter, type checker or formatter has run.",
     .example = "{\"validation\":{\"type\":\"lint\",\"passed\":false,\"errors\":[{\"file\":"
                "\"src/main.ts\",\"line\":3,\"column\":7,\"message\":\"unused variable\","
                "\"rule\":\"no-unused-vars\"}]},\"timestamp\":\"2026-01-31T12:00:00.123Z\"}"},
    {NAME("git"),
     {0},
     ON_CHANNEL,
     FIELDS(git_channel),
     .finish = event_finish_timestamp,
     .any_names = true,
     .section = CHANNELS,
     .meaning = "The repository changes.",
     .example = "{\"type\":\"commit\",\"message\":\"Fix the build\",\"status\":{\"branch\":"
                "\"main\",\"ahead\":1,\"behind\":0},"
                "\"timestamp\":\"2026-01-31T12:00:00.123Z\"}"},
};

const unsigned channel_table_count = sizeof channel_table / sizeof *channel_table;
