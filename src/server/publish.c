/*
 * Publishing from inside the process: watched projects and embedding programs. The checks are
 * those of POST /api/v1/publish.
 *
 * Whoever publishes waits until the engine is done, but for the workers' own threads (the callbacks
 * of an embedding program), which must not: there the event is accepted when the engine has taken
 * it, and what becomes of it later is counted.
 */
#include <uv.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fanfare/error.h"
#include "hub/event_draft.h"
#include "hub/submission.h"
#include "server/private.h"

struct parcel {
    struct submission submission;
    struct publish_item item, *items[1];
    struct slice topics[EVENT_ROUTES_MAX];
    uv_sem_t done;   /* of one that is waited for */
    struct api *api; /* of one that is not */
    struct buf names;
};

/* names: of its topics, each with a NUL; they are the parcel's then. */
static void pack(struct parcel *p, struct event *event, struct buf *names)
{
    p->names = *names;
    *names = (struct buf){0};
    const char *name = p->names.data;
    for (unsigned i = 0; i < event->place_count; i++, name += strlen(name) + 1)
        p->topics[i] = slice_from(name);
    p->item = (struct publish_item){.event = event, .topics = p->topics};
    p->items[0] = &p->item;
    p->submission.batch.items = p->items;
    p->submission.batch.count = 1;
}

static int outcome(const struct parcel *p, struct buf *why)
{
    if (p->item.error)
        submission_explain(p->item.error, p->submission.batch.reason, why);
    return p->item.error;
}

static void wake(struct submission *submission)
{
    uv_sem_post(&CONTAINER(submission, struct parcel, submission)->done);
}

static int publish_and_wait(struct server *s, struct event *event, struct buf *names,
                            struct buf *why)
{
    struct parcel p = {.submission.late = wake};
    pack(&p, event, names);
    uv_sem_init(&p.done, 0);
    if (!submission_publish(s->hub, &p.submission))
        uv_sem_wait(&p.done);
    uv_sem_destroy(&p.done);
    buf_fini(&p.names);
    return outcome(&p, why);
}

static void forget(struct parcel *p)
{
    event_unref(p->item.event);
    buf_fini(&p->names);
    memory_free(p);
}

static void on_late(struct submission *submission)
{
    struct parcel *p = CONTAINER(submission, struct parcel, submission);
    if (p->item.error)
        api_count_lost(p->api);
    forget(p);
}

static int publish_and_go(struct server *s, struct event *event, struct buf *names, struct buf *why)
{
    struct parcel *p = memory_zero(sizeof *p);
    p->api = &s->api;
    p->submission.late = on_late;
    pack(p, event_ref(event), names);
    if (!submission_publish(s->hub, &p->submission))
        return 0;
    int error = outcome(p, why);
    forget(p);
    return error;
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
    error = server_is_own_thread(s) ? publish_and_go(s, made, &names, why)
                                    : publish_and_wait(s, made, &names, why);
    event_unref(made);
    buf_fini(&names);
    return error;
}
