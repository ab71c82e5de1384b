/*
 * How a watcher learns that something has changed: from the kernel, or by looking at intervals.
 *
 * A notifier runs on the watcher's loop and calls tree_touch, tree_look and tree_unwatched, then
 * tree_run, then woken, for each batch of news.
 */
#ifndef SOURCE_WATCH_NOTIFIER_H
#define SOURCE_WATCH_NOTIFIER_H

#include <stdbool.h>
#include <uv.h>

struct watch_dir;
struct watch_notifier;
struct watch_tree;

/* All slots are called on the watcher's thread and may block on the disk only. */
struct watch_notifier_ops {
    bool polls;

    /* A notifier that reports to the tree. Returns 0 and *notifier, or FAN_E_LIMIT (a limit of the
     * system; *message says which, a static text) or FAN_E_UNSUPPORTED. woken is called with arg
     * after each batch. */
    int (*create)(uv_loop_t *loop, struct watch_tree *tree, void (*woken)(void *arg), void *arg,
                  struct watch_notifier **notifier, const char **message);

    /* Reports changes in the directory from now on and sets dir->handle. Returns 0, FAN_E_LIMIT,
     * or FAN_E_NOT_FOUND when the directory has gone. */
    int (*add)(struct watch_notifier *notifier, struct watch_dir *dir);

    /* Ends that; resets dir->handle. */
    void (*remove)(struct watch_notifier *notifier, struct watch_dir *dir);

    /* What a person can do when add said FAN_E_LIMIT; NULL: it never does. */
    const char *limit_text;

    /* Ends everything; the notifier frees itself once the loop has closed its handles. */
    void (*close)(struct watch_notifier *notifier);
};

struct watch_notifier {
    const struct watch_notifier_ops *ops;
};

extern const struct watch_notifier_ops watch_poll;
#ifdef __linux__
extern const struct watch_notifier_ops watch_inotify;
#define WATCH_NATIVE (&watch_inotify)
#else
#define WATCH_NATIVE (&watch_poll)
#endif

#endif
