/* A topic's history as a recording; see replay_source.h. */
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/event_text.h"
#include "cli/replay_source.h"
#include "client/backoff.h"
#include "codec/http.h"
#include "fanfare/error.h"

#define PAGE_EVENTS 500
#define ANSWER_MS   10000

static uint64_t number_in(struct json_value object, struct slice name)
{
    struct json_value value;
    int64_t n = 0;
    if (json_find(object, name, &value) && value.kind == JSON_NUMBER)
        json_integer(value, &n);
    return n > 0 ? (uint64_t)n : 0;
}

static int ask(struct replay_history *h)
{
    struct buf target = {0};
    BUF_LITERAL(&target, "/api/v1/topics/");
    http_percent_encode(slice_from(h->topic), &target);
    buf_printf(&target, "/history?limit=%d", PAGE_EVENTS);
    if (h->cursor && !h->begun) {
        BUF_LITERAL(&target, "&cursor=");
        http_percent_encode(slice_from(h->cursor), &target);
    } else {
        buf_printf(&target, "&since=%llu", (unsigned long long)h->since);
    }
    buf_clear(&h->page);
    buf_clear(&h->why);
    int error = remote_get(h->remote, buf_slice(&target), ANSWER_MS, &h->page, &h->why);
    buf_fini(&target);
    return error;
}

/* Asks again until the server is back, when it was there before. */
static int ask_patiently(struct replay_history *h)
{
    struct backoff backoff = {.first_ms = 250, .most_ms = 5000};
    struct pollfd wake = {.fd = h->remote->target.wake, .events = POLLIN};
    bool told = false;
    int error;
    while ((error = ask(h)) != 0 && h->begun) {
        if (error == FAN_E_CLOSED || error == FAN_E_DENIED || error == FAN_E_NOT_FOUND ||
            error == FAN_E_INVALID)
            break;
        if (!told)
            command_error(&replay_command, "%s; trying again", buf_text(&h->why));
        told = true;
        if (poll(&wake, 1, (int)backoff_next(&backoff)) > 0)
            return FAN_E_CLOSED;
    }
    return error;
}

static int report(const struct replay_history *h, int error, struct buf *why)
{
    if (error == FAN_E_CLOSED)
        return REPLAY_INTERRUPTED;
    if (error == FAN_E_NOT_FOUND && !h->begun)
        return command_error(&replay_command, "%s; `fanfare top` shows the topics that there are",
                             buf_text(why));
    return command_error(&replay_command, "%s", buf_text(why));
}

/* The server was started again without what it knew. */
static int history_lost(const struct replay_history *h)
{
    return command_error(&replay_command,
                         "%s: the server has lost its history; played up to #%llu of %llu",
                         h->topic, (unsigned long long)h->since, (unsigned long long)h->until);
}

/* Says when history begins behind the place where the replay is. */
static void note_trimmed(const struct replay_history *h, struct json_value page)
{
    uint64_t first = number_in(page, SLICE("first_offset"));
    if (first > h->since + 1)
        command_error(&replay_command, "#%llu to #%llu are no longer kept: going on with #%llu",
                      (unsigned long long)h->since + 1, (unsigned long long)first - 1,
                      (unsigned long long)first);
}

static int read_page(struct replay_history *h)
{
    struct json_value page, events;
    int error = ask_patiently(h);
    if (error == FAN_E_NOT_FOUND && h->begun)
        return history_lost(h);
    if (error)
        return report(h, error, &h->why);
    if (json_parse(buf_slice(&h->page), &page, NULL) || page.kind != JSON_OBJECT ||
        !json_find(page, SLICE("events"), &events) || events.kind != JSON_ARRAY)
        return command_error(&replay_command, "%s: the answer is not a Fanfare server's",
                             h->remote->url);
    struct slice epoch = event_member(page, SLICE("epoch"));
    if (h->begun && !slice_is(epoch, h->epoch))
        return history_lost(h);
    if (!h->begun) {
        h->since = number_in(page, SLICE("since")); /* what the cursor means */
        snprintf(h->epoch, sizeof h->epoch, "%.*s", SLICE_ARG(epoch));
        h->until = number_in(page, SLICE("offset"));
    }
    note_trimmed(h, page);
    h->begun = true;
    h->events = json_elements(events);
    return 0;
}

int replay_history_next(struct replay_history *h, struct json_value *event)
{
    if (!h->begun || !json_next_element(&h->events, event)) {
        if (h->begun && h->since >= h->until)
            return REPLAY_END;
        int code = read_page(h);
        if (code)
            return code;
        if (!json_next_element(&h->events, event))
            return REPLAY_END;
    }
    uint64_t offset = number_in(*event, SLICE("offset"));
    if (offset > h->until)
        return REPLAY_END;
    h->since = offset;
    return 0;
}

void replay_history_fini(struct replay_history *h)
{
    buf_fini(&h->page);
    buf_fini(&h->why);
}
