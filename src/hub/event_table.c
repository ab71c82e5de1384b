/* The rows of the event catalogue; see catalogue.h. */
#include "hub/event_table.h"

#define ON_SESSION    (TOPIC_BIT(TOPIC_SESSION))
#define ID            (EVENT_REQUIRED | EVENT_NOT_EMPTY)
#define PERCENT       .flags = EVENT_MINIMUM | EVENT_MAXIMUM, .minimum = 0, .maximum = 100
#define FIELDS(array) .fields = array, .field_count = sizeof array / sizeof *array

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
     .example = "{\"exit_code\":0,\"signal\":null,\"duration\":12.5,\"pid\":4711}"},
};

const unsigned event_table_count = sizeof event_table / sizeof *event_table;
