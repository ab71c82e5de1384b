/*
 * The project's directory, and opening things in it without ever leaving it.
 *
 * A path below the root is walked component by component with O_NOFOLLOW, so a link that is put
 * in its place at the wrong moment cannot lead out. Links are followed only by resolving them
 * first (watch_root_resolve) and then walking the link-free result in the same way.
 */
#ifndef SOURCE_WATCH_ROOT_H
#define SOURCE_WATCH_ROOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct watch_root {
    char *path; /* absolute, without links */
    int fd;     /* -1 while the directory is missing */
    dev_t device;
    ino_t inode;
};

/* Opens the directory. Returns 0, FAN_E_NOT_FOUND, FAN_E_DENIED, FAN_E_INVALID (no directory),
 * FAN_E_LIMIT (no descriptors) or FAN_E_IO; errno says more. */
int watch_root_init(struct watch_root *root, const char *path);

/* Safe on a root that is {.fd = -1} or whose init failed. */
void watch_root_fini(struct watch_root *root);

/* Whether the path still leads to the directory that is open; if not, it is opened anew (or fd
 * becomes -1 while there is none). */
bool watch_root_is_current(struct watch_root *root);

/* Opens what stands at the relative path ("" is the root itself). A link in the last place fails
 * with ELOOP. Never waits, also not for a FIFO's writer. Returns a descriptor, or -1 and errno. */
int watch_root_open(const struct watch_root *root, const char *relative, int flags);

/* lstat below the root. Returns 0, or -1 and errno. */
int watch_root_stat(const struct watch_root *root, const char *relative, struct stat *stat);

/* Where the path leads when all links are followed, relative to the root, for memory_free; NULL
 * when it leads out of the root, nowhere, or in a circle. */
char *watch_root_resolve(const struct watch_root *root, const char *relative);

#endif
