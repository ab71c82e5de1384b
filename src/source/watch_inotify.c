/*
 * Changes as Linux reports them: inotify(7), read directly because libuv's own file events say
 * nothing of an overflow of the kernel's queue, after which everything has to be looked at again.
 */
#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"
#include "fanfare/error.h"
#include "source/watch_notifier.h"
#include "source/watch_tree.h"

/* On the way to the files only directories that come and go matter. */
#define MASK_WAY                                                                           \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | \
     IN_ATTRIB | IN_ONLYDIR | IN_DONT_FOLLOW)
#define MASK_FILES (MASK_WAY | IN_MODIFY | IN_CLOSE_WRITE | IN_EXCL_UNLINK)

/* Batches read in one turn before the loop goes on; the rest is reported in the next. */
#define READS_PER_TURN 64

struct inotify {
    struct watch_notifier notifier;
    struct watch_tree *tree;
    void (*woken)(void *arg);
    void *arg;
    int fd;
    uv_poll_t poll;
    struct map dirs; /* by watch descriptor */
    struct buf path;
};

static struct slice handle_key(const void *dir)
{
    const int *handle = &((const struct watch_dir *)dir)->handle;
    return slice_of((const char *)handle, sizeof *handle);
}

static struct watch_dir *find(const struct inotify *in, int handle)
{
    return map_get(&in->dirs, slice_of((const char *)&handle, sizeof handle));
}

static void forget(struct inotify *in, struct watch_dir *dir)
{
    map_remove(&in->dirs, handle_key(dir));
    dir->handle = -1;
}

static void take_event(struct inotify *in, const struct inotify_event *event, uint64_t now)
{
    if (event->mask & IN_Q_OVERFLOW) {
        tree_look_at_all(in->tree);
        return;
    }
    struct watch_dir *dir = find(in, event->wd);
    if (!dir)
        return; /* left over from a watch that was ended */
    if (event->mask & IN_IGNORED) {
        forget(in, dir);
        tree_unwatched(in->tree, dir);
    } else if (event->len == 0 || (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))) {
        tree_look(in->tree, dir->parent ? dir->parent : dir);
    } else if (event->mask & IN_ISDIR) {
        tree_look(in->tree, dir);
    } else {
        tree_touch(in->tree, dir, event->name, now);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct inotify *in = poll->data;
    (void)status;
    (void)events;
    char batch[32768] __attribute__((aligned(__alignof__(struct inotify_event))));
    for (int i = 0; i < READS_PER_TURN; i++) {
        uint64_t now = clock_ms();
        ssize_t n = read(in->fd, batch, sizeof batch);
        if (n <= 0)
            break;
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const void *)(batch + at);
            take_event(in, event, now);
            at += (ssize_t)(sizeof *event + event->len);
        }
        tree_run(in->tree, now);
    }
    in->woken(in->arg);
}

static int start(uv_loop_t *loop, struct watch_tree *tree, void (*woken)(void *arg), void *arg,
                 struct watch_notifier **notifier, const char **message)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        *message = errno == EMFILE ? "the limit of inotify instances is reached; raise it with "
                                     "sysctl fs.inotify.max_user_instances"
                                   : "inotify is not available";
        return errno == EMFILE ? FAN_E_LIMIT : FAN_E_UNSUPPORTED;
    }
    struct inotify *in = memory_zero(sizeof *in);
    *in = (struct inotify){
        .notifier = {&watch_inotify}, .tree = tree, .woken = woken, .arg = arg, .fd = fd};
    map_init(&in->dirs, handle_key);
    in->poll.data = in;
    int error = uv_poll_init(loop, &in->poll, fd);
    if (error) {
        close(fd);
        memory_free(in);
        *message = "inotify is not available";
        return FAN_E_UNSUPPORTED;
    }
    uv_poll_start(&in->poll, UV_READABLE, on_readable);
    *notifier = &in->notifier;
    return 0;
}

static int add(struct watch_notifier *notifier, struct watch_dir *dir)
{
    struct inotify *in = CONTAINER(notifier, struct inotify, notifier);
    bool way = dir->kind == WATCH_PROJECT || dir->kind == WATCH_BASE;
    buf_clear(&in->path);
    buf_append_text(&in->path, in->tree->root.path);
    buf_append_char(&in->path, '/');
    buf_append_text(&in->path, dir->real);
    int handle = inotify_add_watch(in->fd, buf_text(&in->path), way ? MASK_WAY : MASK_FILES);
    if (handle < 0)
        return errno == ENOSPC || errno == ENOMEM ? FAN_E_LIMIT : FAN_E_NOT_FOUND;
    struct watch_dir *before = find(in, handle);
    if (before) { /* it was renamed, which has not been noticed yet */
        forget(in, before);
        before->watched = false;
    }
    dir->handle = handle;
    map_put(&in->dirs, dir);
    return 0;
}

static void end(struct watch_notifier *notifier, struct watch_dir *dir)
{
    struct inotify *in = CONTAINER(notifier, struct inotify, notifier);
    if (dir->handle >= 0) {
        inotify_rm_watch(in->fd, dir->handle);
        forget(in, dir);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct inotify *in = handle->data;
    map_fini(&in->dirs);
    buf_fini(&in->path);
    memory_free(in);
}

static void stop(struct watch_notifier *notifier)
{
    struct inotify *in = CONTAINER(notifier, struct inotify, notifier);
    uv_poll_stop(&in->poll);
    close(in->fd);
    uv_close((uv_handle_t *)&in->poll, on_closed);
}

const struct watch_notifier_ops watch_inotify = {
    .polls = false,
    .create = start,
    .add = add,
    .remove = end,
    .limit_text = "the limit of inotify watches is reached; raise it with "
                  "sysctl fs.inotify.max_user_watches",
    .close = stop,
};
