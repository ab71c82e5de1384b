/*
 * Changes found by looking: for systems and file systems that do not report them.
 *
 * Everything is looked at again and again, at intervals that grow with the time a look takes, so
 * that looking never costs more than a twentieth of one processor.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "source/watch_notifier.h"
#include "source/watch_tree.h"

#define INTERVAL_MIN_MS 50
#define INTERVAL_MAX_MS 10000
#define SHARE           20

struct poll {
    struct watch_notifier notifier;
    struct watch_tree *tree;
    void (*woken)(void *arg);
    void *arg;
    uv_timer_t timer;
};

static void look(uv_timer_t *timer)
{
    struct poll *poll = timer->data;
    uint64_t begun = clock_ms();
    tree_look_at_all(poll->tree);
    tree_run(poll->tree, begun);
    uint64_t interval = (clock_ms() - begun) * SHARE;
    interval = interval < INTERVAL_MIN_MS   ? INTERVAL_MIN_MS
               : interval > INTERVAL_MAX_MS ? INTERVAL_MAX_MS
                                            : interval;
    uv_update_time(timer->loop);
    uv_timer_start(timer, look, interval, 0);
    poll->woken(poll->arg);
}

static int start(uv_loop_t *loop, struct watch_tree *tree, void (*woken)(void *arg), void *arg,
                 struct watch_notifier **notifier, const char **message)
{
    (void)message;
    struct poll *poll = memory_zero(sizeof *poll);
    *poll = (struct poll){.notifier = {&watch_poll}, .tree = tree, .woken = woken, .arg = arg};
    uv_timer_init(loop, &poll->timer);
    poll->timer.data = poll;
    uv_timer_start(&poll->timer, look, INTERVAL_MIN_MS, 0);
    *notifier = &poll->notifier;
    return 0;
}

static int add(struct watch_notifier *notifier, struct watch_dir *dir)
{
    (void)notifier;
    (void)dir; /* every directory that the tree knows is looked at */
    return 0;
}

static void end(struct watch_notifier *notifier, struct watch_dir *dir)
{
    (void)notifier;
    (void)dir;
}

static void on_closed(uv_handle_t *handle)
{
    memory_free(handle->data);
}

static void stop(struct watch_notifier *notifier)
{
    struct poll *poll = CONTAINER(notifier, struct poll, notifier);
    uv_close((uv_handle_t *)&poll->timer, on_closed);
}

const struct watch_notifier_ops watch_poll = {
    .polls = true,
    .create = start,
    .add = add,
    .remove = end,
    .close = stop,
};
