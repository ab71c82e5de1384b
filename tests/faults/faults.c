/*
 * A disk that fails on command: preloaded into the server (LD_PRELOAD), it stands between SQLite
 * and the kernel for files below FANFARE_FAULT_DIR.
 *
 * What goes wrong stands in the file FANFARE_FAULT_CONTROL and may change at any time:
 *
 *   full          nothing can be written: ENOSPC
 *   read-only     nothing can be written, or opened to be written: EROFS
 *   error         writing and syncing fail: EIO
 *   sync-error    only syncing fails: EIO
 *   slow N        syncing takes N milliseconds more
 *   (empty)       all is well
 *
 * Nothing here allocates or locks: the server may call from any thread, at any time. Descriptors
 * that were opened below the directory are remembered in a table, so that sockets pass at no cost.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS 65536

static atomic_bool watched[DESCRIPTORS];

struct fault {
    int write_error, sync_error, open_error; /* 0: it works */
    long sync_ms;
};

/* ---- What is wrong just now ---- */

/* The next function of that name. */
static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

static void read_control(char *text, size_t size)
{
    int (*real_open)(const char *, int, ...) = (int (*)(const char *, int, ...))real("open");
    const char *path = getenv("FANFARE_FAULT_CONTROL");
    int fd = path ? real_open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
}

static struct fault current_fault(void)
{
    char text[64];
    int before = errno;
    read_control(text, sizeof text);
    errno = before;
    struct fault f = {0};
    if (strncmp(text, "full", 4) == 0)
        f.write_error = ENOSPC;
    else if (strncmp(text, "read-only", 9) == 0)
        f.write_error = f.open_error = EROFS;
    else if (strncmp(text, "error", 5) == 0)
        f.write_error = f.sync_error = EIO;
    else if (strncmp(text, "sync-error", 10) == 0)
        f.sync_error = EIO;
    else if (strncmp(text, "slow ", 5) == 0)
        f.sync_ms = strtol(text + 5, NULL, 10);
    return f;
}

static bool is_watched(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS && atomic_load(&watched[fd]);
}

static bool write_fails(int fd)
{
    int error = is_watched(fd) ? current_fault().write_error : 0;
    if (error)
        errno = error;
    return error != 0;
}

/* Also waits as long as a slow disk would. */
static bool sync_fails(int fd)
{
    if (!is_watched(fd))
        return false;
    struct fault f = current_fault();
    struct timespec pause = {f.sync_ms / 1000, f.sync_ms % 1000 * 1000000};
    if (f.sync_ms > 0)
        nanosleep(&pause, NULL);
    if (f.sync_error)
        errno = f.sync_error;
    return f.sync_error != 0;
}

/* ---- Opening and closing ---- */

static int opened(const char *path, int fd)
{
    const char *directory = getenv("FANFARE_FAULT_DIR");
    if (fd >= 0 && fd < DESCRIPTORS)
        atomic_store(&watched[fd], directory && strncmp(path, directory, strlen(directory)) == 0);
    return fd;
}

static bool open_fails(const char *path, int flags)
{
    const char *directory = getenv("FANFARE_FAULT_DIR");
    if ((flags & O_ACCMODE) == O_RDONLY || !directory ||
        strncmp(path, directory, strlen(directory)) != 0)
        return false;
    int error = current_fault().open_error;
    if (error)
        errno = error;
    return error != 0;
}

static mode_t mode_of(int flags, va_list more)
{
    return flags & O_CREAT ? va_arg(more, mode_t) : 0;
}

#define OPEN(name)                                                                          \
    int name(const char *path, int flags, ...)                                              \
    {                                                                                       \
        va_list more;                                                                       \
        va_start(more, flags);                                                              \
        mode_t mode = mode_of(flags, more);                                                 \
        va_end(more);                                                                       \
        if (open_fails(path, flags))                                                        \
            return -1;                                                                      \
        int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))real(#name); \
        return opened(path, next(path, flags, mode));                                       \
    }

OPEN(open)
OPEN(open64)

int close(int fd)
{
    int (*next)(int) = (int (*)(int))real("close");
    if (fd >= 0 && fd < DESCRIPTORS)
        atomic_store(&watched[fd], false);
    return next(fd);
}

/* ---- Writing and syncing ---- */

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*next)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))real("write");
    return write_fails(fd) ? -1 : next(fd, data, size);
}

#define PWRITE(name)                                                   \
    ssize_t name(int fd, const void *data, size_t size, off_t at)      \
    {                                                                  \
        ssize_t (*next)(int, const void *, size_t, off_t) =            \
            (ssize_t(*)(int, const void *, size_t, off_t))real(#name); \
        return write_fails(fd) ? -1 : next(fd, data, size, at);        \
    }

PWRITE(pwrite)
PWRITE(pwrite64)

#define SYNC(name)                                    \
    int name(int fd)                                  \
    {                                                 \
        int (*next)(int) = (int (*)(int))real(#name); \
        return sync_fails(fd) ? -1 : next(fd);        \
    }

SYNC(fsync)
SYNC(fdatasync)
