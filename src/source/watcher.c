/*
 * The watcher: a thread with a loop of its own, on which a notifier marks what may have changed
 * (watch_tree.h) and a timer has the files that have settled read and reported (watch_publish.h).
 *
 * Everything is set up on the caller's thread; from the moment the thread runs, it alone touches
 * the watcher, but for the two atomics and the handle that wakes the loop.
 */
#include "source/watcher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "source/watch_publish.h"

/* How often that is checked which nobody reports; while files behind links are watched, more
 * often, as nobody reports their changes either. */
#define CHECK_MS       500
#define CHECK_LINKS_MS 30

struct fan_watcher {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t wake;
    uv_timer_t due;   /* the next file has settled */
    uv_timer_t check; /* what nobody reports */
    atomic_bool stopping, polling;
    bool full_told;
    const char *no_native; /* why there is no notifier but polling, to be reported; else NULL */
    struct watch_tree tree;
    struct watch_publisher publisher;
};

static void work(void *watcher);

/* Reports a trouble of the watcher itself, to its owner and in the log. */
static void report(struct fan_watcher *w, const char *type, const char *what, const char *more)
{
    struct buf text = {0};
    buf_printf(&text, "%s: %s%s", w->tree.root.path, what, more);
    log_warn("watch", buf_text(&text), LOG_TEXT("type", type));
    watch_event_error(&w->publisher.events, type, buf_text(&text));
    buf_fini(&text);
}

static void fall_back(struct fan_watcher *w, const char *why)
{
    const char *unused;
    struct watch_notifier *native = w->tree.notifier, *poll;
    if (watch_poll.create(&w->loop, &w->tree, work, w, &poll, &unused) != 0)
        return; /* a timer always starts */
    tree_set_notifier(&w->tree, poll);
    if (native)
        native->ops->close(native);
    atomic_store(&w->polling, true);
    w->no_native = why;
}

static void report_troubles(struct fan_watcher *w)
{
    struct watch_tree *tree = &w->tree;
    if (tree->no_watch && !tree->notifier->ops->polls)
        fall_back(w, tree->notifier->ops->limit_text);
    tree->no_watch = false;
    if (w->no_native)
        report(w, "watch_limit", w->no_native,
               "; until the next start, changes are looked for at intervals");
    w->no_native = NULL;
    if (tree->too_many && !w->full_told)
        report(w, "watch_limit", "there are too many files", "; the rest of them is not watched");
    w->full_told = w->full_told || tree->too_many;
    tree->too_many = false;
    if (tree->unreadable.len) {
        char *directory = memory_copy_string(buf_slice(&tree->unreadable));
        buf_clear(&tree->unreadable);
        report(w, "directory_unreadable", "a directory cannot be watched: ", directory);
        memory_free(directory);
    }
}

static void close_all(struct fan_watcher *w)
{
    struct watch_notifier *notifier = w->tree.notifier;
    if (uv_is_closing((uv_handle_t *)&w->due))
        return;
    tree_set_notifier(&w->tree, NULL);
    if (notifier)
        notifier->ops->close(notifier);
    uv_close((uv_handle_t *)&w->due, NULL);
    uv_close((uv_handle_t *)&w->check, NULL);
    uv_close((uv_handle_t *)&w->wake, NULL);
}

static void on_due(uv_timer_t *timer)
{
    struct fan_watcher *w = timer->data;
    watch_publisher_run(&w->publisher, clock_ms());
    work(w);
}

/* After anything has happened: what is to be told, and when to go on. */
static void work(void *watcher)
{
    struct fan_watcher *w = watcher;
    if (!atomic_load(&w->stopping))
        report_troubles(w);
    if (atomic_load(&w->stopping)) {
        close_all(w);
        return;
    }
    uint64_t next = tree_next_due(&w->tree), now = clock_ms();
    uv_update_time(&w->loop);
    if (next == UINT64_MAX)
        uv_timer_stop(&w->due);
    else
        uv_timer_start(&w->due, on_due, next > now ? next - now : 0, 0);
}

static void on_check(uv_timer_t *timer)
{
    struct fan_watcher *w = timer->data;
    tree_check(&w->tree, clock_ms());
    work(w);
    if (!uv_is_closing((uv_handle_t *)timer))
        uv_timer_start(timer, on_check, list_empty(&w->tree.links) ? CHECK_MS : CHECK_LINKS_MS, 0);
}

static void on_wake(uv_async_t *wake)
{
    work(wake->data);
}

static void run(void *watcher)
{
    struct fan_watcher *w = watcher;
    sigset_t all;
    sigfillset(&all); /* signals are for the program's own threads */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    work(w);
    uv_run(&w->loop, UV_RUN_DEFAULT);
}

static int fail(struct fan_watcher_error *error, int result, const char *path, const char *reason)
{
    if (error)
        snprintf(error->message, sizeof error->message, "%.300s: %s", path, reason);
    return result;
}

int watcher_open(struct watch_root *root, const char *path, const char **directory,
                 struct fan_watcher_error *error)
{
    const char *name = *directory ? *directory : FAN_WATCHER_DIRECTORY;
    *root = (struct watch_root){.fd = -1};
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return fail(error, FAN_E_INVALID, name,
                    "expected the name of a directory in the project, without any slash");
    int result = watch_root_init(root, path);
    if (result) {
        const char *reason = strerror(errno);
        watch_root_fini(root);
        return fail(error, result, path, reason);
    }
    *directory = name;
    return 0;
}

static int init_loop(struct fan_watcher *w)
{
    if (uv_loop_init(&w->loop) != 0)
        return FAN_E_LIMIT;
    if (uv_async_init(&w->loop, &w->wake, on_wake) != 0) {
        uv_loop_close(&w->loop);
        return FAN_E_LIMIT;
    }
    uv_timer_init(&w->loop, &w->due);
    uv_timer_init(&w->loop, &w->check);
    w->wake.data = w->due.data = w->check.data = w;
    return 0;
}

static void take_stock(struct fan_watcher *w, const struct watch_notifier_ops *ops)
{
    struct watch_notifier *notifier;
    const char *why = NULL;
    if (ops->create(&w->loop, &w->tree, work, w, &notifier, &why) == 0) {
        atomic_store(&w->polling, ops->polls);
        tree_set_notifier(&w->tree, notifier);
    } else {
        fall_back(w, why);
    }
    w->tree.baseline = true;
    tree_run(&w->tree, clock_ms());
    w->tree.baseline = false;
    publisher_take_stock(&w->publisher, clock_ms());
    uv_timer_start(&w->check, on_check, CHECK_MS, 0);
}

static void fini(struct fan_watcher *w)
{
    uv_loop_close(&w->loop);
    tree_fini(&w->tree);
    publisher_fini(&w->publisher);
    memory_free(w);
}

int watcher_start(const struct fan_watcher_options *options, const struct watch_notifier_ops *ops,
                  struct fan_watcher **watcher, struct fan_watcher_error *error)
{
    struct watch_root root;
    const char *directory = options->directory;
    *watcher = NULL;
    int result = watcher_open(&root, options->path, &directory, error);
    if (result)
        return result;
    struct fan_watcher *w = memory_zero(sizeof *w);
    atomic_init(&w->stopping, false);
    atomic_init(&w->polling, false);
    if (init_loop(w) != 0) {
        watch_root_fini(&root);
        memory_free(w);
        return fail(error, FAN_E_LIMIT, options->path, "no descriptors left for an event loop");
    }
    tree_init(&w->tree, &root, directory);
    publisher_init(&w->publisher, &w->tree, options, &w->stopping);
    take_stock(w, ops);
    if (uv_thread_create(&w->thread, run, w) != 0) {
        close_all(w);
        uv_run(&w->loop, UV_RUN_DEFAULT);
        fini(w);
        return fail(error, FAN_E_LIMIT, options->path, "a thread cannot be started");
    }
    *watcher = w;
    return 0;
}

int fan_watcher_new(const struct fan_watcher_options *options, struct fan_watcher **watcher,
                    struct fan_watcher_error *error)
{
    return watcher_start(options, options->force_polling ? &watch_poll : WATCH_NATIVE, watcher,
                         error);
}

void fan_watcher_stop(struct fan_watcher *watcher)
{
    if (!atomic_exchange(&watcher->stopping, true))
        uv_async_send(&watcher->wake);
}

void fan_watcher_free(struct fan_watcher *watcher)
{
    if (!watcher)
        return;
    fan_watcher_stop(watcher);
    uv_thread_join(&watcher->thread);
    fini(watcher);
}

bool fan_watcher_is_polling(const struct fan_watcher *watcher)
{
    return atomic_load(&watcher->polling);
}
