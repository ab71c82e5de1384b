/*
 * Publishing from inside the process: watched projects and embedding programs. The checks are
 * those of POST /api/v1/publish.
 */
#include <uv.h>

#include "base/clock.h"
#include "fanfare/error.h"
#include "hub/event_draft.h"
#include "server/private.h"

static void on_done(struct publish_batch *batch)
{
    uv_sem_post(batch->arg);
}

/* names: of its topics, each with a NUL. */
static int publish(struct server *s, struct event *event, const struct buf *names, struct buf *why)
{
    struct slice topics[EVENT_ROUTES_MAX];
    const char *name = names->data;
    for (unsigned i = 0; i < event->place_count; i++, name += strlen(name) + 1)
        topics[i] = slice_from(name);
    struct publish_item item = {.event = event, .topics = topics};
    struct publish_item *items[1] = {&item};
    uv_sem_t done;
    uv_sem_init(&done, 0);
    struct publish_batch batch = {.items = items, .count = 1, .done = on_done, .arg = &done};
    hub_publish(s->hub, &batch);
    uv_sem_wait(&done);
    uv_sem_destroy(&done);
    if (item.error == FAN_E_EXISTS)
        buf_append_text(why, "its id was used a moment ago for an event with other topics");
    else if (item.error == FAN_E_LIMIT)
        buf_append_text(why, "the server has as many topics as it can");
    else if (item.error)
        buf_append_text(why, fan_error_text(item.error));
    return item.error;
}

int server_publish(struct server *s, const struct api_event *event, struct buf *why)
{
    struct buf names = {0};
    const struct event_draft draft = {
        .topic = event->topic,
        .type = event->type,
        .source = event->source,
        .id = event->id,
        .names = &names,
        .data = event->data,
        .time_ms = clock_wall_ms(),
    };
    struct event *made;
    struct event_check check;
    int error = event_draft_make(&draft, api_message_size(&s->api), &made, &check);
    if (error) {
        buf_append_text(why, check.message);
        buf_fini(&names);
        return error;
    }
    if (check.warning)
        api_count_unusual(&s->api);
    error = publish(s, made, &names, why);
    event_unref(made);
    buf_fini(&names);
    return error;
}
