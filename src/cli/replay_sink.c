/* Where the events of a replay go; see replay_sink.h. */
#include "cli/replay_sink.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/event_text.h"
#include "cli/replay_source.h"
#include "cli/terminal.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"

#define STEP_MS  200
#define FLUSH_MS 30000

/* ---- Printing ---- */

void replay_printer_init(struct replay_printer *p, bool json)
{
    *p = (struct replay_printer){
        .json = json,
        .raw = !json && isatty(STDOUT_FILENO),
        .colours = terminal_has_colours(stdout),
    };
}

/* The output of a terminal_output event, as it was written. False for other events. */
static bool append_raw(struct buf *out, struct json_value event)
{
    struct json_value data, output;
    if (!slice_is(event_member(event, SLICE("type")), "terminal_output") ||
        !json_find(event, SLICE("data"), &data) || data.kind != JSON_OBJECT ||
        !json_find(data, SLICE("output"), &output) || output.kind != JSON_STRING)
        return false;
    json_string_append(out, output);
    return true;
}

int replay_print(struct replay_printer *p, struct json_value event)
{
    struct buf out = {0};
    bool notice = !p->json && event_is_notice(event);
    if (p->json) {
        buf_printf(&out, "%.*s\n", SLICE_ARG(event.text));
    } else if (p->raw && append_raw(&out, event)) {
        p->played = true;
        if (out.len)
            p->inside_line = out.data[out.len - 1] != '\n';
    } else {
        if (p->inside_line)
            BUF_LITERAL(&out, "\r\n");
        p->inside_line = false;
        (notice ? event_append_notice : event_append_text)(&out, p->colours, event);
    }
    bool written = terminal_write(notice ? stderr : stdout, &out);
    buf_fini(&out);
    return written ? DONE : FAILED;
}

void replay_printer_fini(struct replay_printer *p)
{
    struct buf out = {0};
    if (p->played)
        buf_append_text(&out, p->inside_line ? "\x1b[0m\n" : "\x1b[0m");
    terminal_write(stdout, &out);
    buf_fini(&out);
}

/* ---- Publishing ---- */

/* On the client's thread. */
static void on_problem(void *arg, const struct fan_client_problem *problem)
{
    struct replay_publisher *p = arg;
    struct buf reason = {0};
    switch (problem->kind) {
    case FAN_CLIENT_EVENT_REFUSED:
        if (!atomic_exchange(&p->told, true))
            command_error(&replay_command, "the server refuses events: %s", problem->message);
        break;
    case FAN_CLIENT_DENIED:
        atomic_store(&p->denied, true);
        command_error(&replay_command, "the server refuses the connection: %s", problem->message);
        break;
    default:
        remote_append_reason(&reason, p->remote, slice_from(problem->message));
        command_error(&replay_command, "%s; trying again", buf_text(&reason));
        buf_fini(&reason);
    }
}

int replay_publisher_init(struct replay_publisher *p, const struct remote *remote,
                          const char *topic)
{
    char why[256];
    *p = (struct replay_publisher){.remote = remote, .topic = topic};
    struct fan_client_options options = {
        .url = remote->url,
        .token = remote->token,
        .ca_file = remote->ca_file,
        .on_problem = on_problem,
        .arg = p,
    };
    if (fan_client_new(&options, &p->client, why, sizeof why))
        return command_error(&replay_command, "%s", why);
    return DONE;
}

static void append_event(struct replay_publisher *p, struct json_value event)
{
    static const char *const kept[] = {"type", "data", "key", "source", "ephemeral"};
    struct json_value value;
    buf_clear(&p->event);
    json_begin(&p->event, NULL, '{');
    json_put_text(&p->event, "topic", p->topic);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (json_find(event, slice_from(kept[i]), &value) && value.kind != JSON_NULL)
            json_put_raw(&p->event, kept[i], value.text);
    json_end(&p->event, '}');
}

static bool interrupted(const struct remote *remote)
{
    struct pollfd wake = {.fd = remote->target.wake, .events = POLLIN};
    return poll(&wake, 1, 0) > 0;
}

int replay_publish(struct replay_publisher *p, struct json_value event)
{
    char why[256] = "";
    int error;
    if (event_is_notice(event))
        return DONE;
    append_event(p, event);
    while ((error = fan_client_publish_json(p->client, p->event.data, p->event.len, 0, why,
                                            sizeof why)) == FAN_E_LIMIT) {
        if (atomic_load(&p->denied))
            return FAILED;
        if (interrupted(p->remote))
            return REPLAY_INTERRUPTED;
        fan_client_wait_room(p->client, p->event.len, STEP_MS);
    }
    if (error)
        return command_error(&replay_command, "an event cannot be published: %s",
                             *why ? why : fan_error_text(error));
    return atomic_load(&p->denied) ? FAILED : DONE;
}

/* Until everything is acknowledged, the server refuses us, nobody wants to wait any longer, or the
 * time is over. */
static void flush(struct replay_publisher *p)
{
    for (int waited = 0; waited < FLUSH_MS; waited += STEP_MS)
        if (fan_client_flush(p->client, STEP_MS) != FAN_E_TIMEOUT || atomic_load(&p->denied) ||
            interrupted(p->remote))
            return;
}

int replay_publisher_end(struct replay_publisher *p, bool json)
{
    struct fan_client_stats stats;
    struct buf out = {0};
    flush(p);
    fan_client_stats(p->client, &stats);
    unsigned long long published = stats.acknowledged, failed = stats.refused + stats.spool_events;
    if (json) {
        json_begin(&out, NULL, '{');
        json_put_text(&out, "topic", p->topic);
        json_put_u64(&out, "published", published);
        json_put_u64(&out, "failed", failed);
        json_end(&out, '}');
        BUF_LITERAL(&out, "\n");
    } else {
        terminal_append_plain(&out, slice_from(p->topic));
        buf_printf(&out, ": published %llu", published);
        if (failed)
            buf_printf(&out, ", failed %llu", failed);
        BUF_LITERAL(&out, "\n");
    }
    bool written = terminal_write(stdout, &out);
    buf_fini(&out);
    return written && !failed ? DONE : FAILED;
}

void replay_publisher_fini(struct replay_publisher *p)
{
    fan_client_free(p->client);
    buf_fini(&p->event);
}
