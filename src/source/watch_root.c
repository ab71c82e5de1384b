/* Opening things below the project's directory; see watch_root.h. */
#include "source/watch_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "fanfare/error.h"

#ifndef O_PATH /* Linux: passing through a directory needs no right to list it */
#define O_PATH O_RDONLY
#endif

static int error_of(int reason)
{
    switch (reason) {
    case ENOENT:
        return FAN_E_NOT_FOUND;
    case EACCES:
    case EPERM:
        return FAN_E_DENIED;
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return FAN_E_INVALID;
    case EMFILE:
    case ENFILE:
        return FAN_E_LIMIT;
    default:
        return FAN_E_IO;
    }
}

static void open_directory(struct watch_root *root)
{
    struct stat stat;
    root->fd = open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root->fd >= 0 && fstat(root->fd, &stat) == 0) {
        root->device = stat.st_dev;
        root->inode = stat.st_ino;
    }
}

int watch_root_init(struct watch_root *root, const char *path)
{
    *root = (struct watch_root){.fd = -1};
    char *real = realpath(path, NULL);
    if (!real)
        return error_of(errno);
    root->path = memory_copy_string(slice_from(real));
    free(real);
    open_directory(root);
    return root->fd >= 0 ? 0 : error_of(errno);
}

void watch_root_fini(struct watch_root *root)
{
    if (root->fd >= 0)
        close(root->fd);
    memory_free(root->path);
    *root = (struct watch_root){.fd = -1};
}

bool watch_root_is_current(struct watch_root *root)
{
    struct stat now;
    bool there = stat(root->path, &now) == 0 && S_ISDIR(now.st_mode);
    if (there && root->fd >= 0 && now.st_dev == root->device && now.st_ino == root->inode)
        return true;
    if (!there && root->fd < 0)
        return true;
    if (root->fd >= 0)
        close(root->fd);
    root->fd = -1;
    if (there)
        open_directory(root);
    return false;
}

/* Opens the directory that holds the path's last component, which is left in *last. The result is
 * root->fd itself when the path has one component only. */
static int open_parent(const struct watch_root *root, const char *relative, const char **last)
{
    int at = root->fd;
    const char *slash;
    for (; (slash = strchr(relative, '/')); relative = slash + 1) {
        char component[NAME_MAX + 1];
        size_t len = (size_t)(slash - relative);
        int next = -1;
        if (len > NAME_MAX) {
            errno = ENAMETOOLONG;
        } else {
            memcpy(component, relative, len);
            component[len] = '\0';
            next = openat(at, component, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (at != root->fd) {
            int reason = errno;
            close(at);
            errno = reason;
        }
        if (next < 0)
            return -1;
        at = next;
    }
    *last = relative;
    return at;
}

static void close_parent(const struct watch_root *root, int parent)
{
    int reason = errno;
    if (parent != root->fd)
        close(parent);
    errno = reason;
}

int watch_root_open(const struct watch_root *root, const char *relative, int flags)
{
    const char *last;
    if (root->fd < 0) {
        errno = ENOENT;
        return -1;
    }
    int parent = open_parent(root, relative, &last);
    if (parent < 0)
        return -1;
    int fd =
        openat(parent, *last ? last : ".", flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    close_parent(root, parent);
    return fd;
}

int watch_root_stat(const struct watch_root *root, const char *relative, struct stat *stat)
{
    const char *last;
    if (root->fd < 0) {
        errno = ENOENT;
        return -1;
    }
    int parent = open_parent(root, relative, &last);
    if (parent < 0)
        return -1;
    int result = fstatat(parent, *last ? last : ".", stat, AT_SYMLINK_NOFOLLOW);
    close_parent(root, parent);
    return result;
}

char *watch_root_resolve(const struct watch_root *root, const char *relative)
{
    struct buf path = {0};
    buf_append_text(&path, root->path);
    buf_append_char(&path, '/');
    buf_append_text(&path, relative);
    char *real = realpath(buf_text(&path), NULL);
    buf_fini(&path);
    if (!real)
        return NULL;
    size_t len = strcmp(root->path, "/") == 0 ? 0 : strlen(root->path);
    char *inside = NULL;
    if (strncmp(real, root->path, len) == 0 && (real[len] == '/' || real[len] == '\0'))
        inside = memory_copy_string(slice_from(real + len + (real[len] == '/')));
    free(real);
    return inside;
}
