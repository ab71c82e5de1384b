/* What this build and this machine can do; see features.h. */
#include "cli/features.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>
#include <zlib.h>

#ifdef FANFARE_HAVE_URING
#include <liburing.h>
#endif

static void set(struct feature *f, const char *name, bool here, const char *detail,
                const char *hint)
{
    *f = (struct feature){.name = name, .here = here, .hint = hint};
    snprintf(f->detail, sizeof f->detail, "%s", detail);
}

/* Asks the kernel for a ring: containers and hardened systems often forbid it. */
static void find_uring(struct feature *f)
{
#ifdef FANFARE_HAVE_URING
    struct io_uring ring;
    int result = io_uring_queue_init(2, &ring, 0);
    if (result == 0) {
        io_uring_queue_exit(&ring);
        set(f, "io_uring", true, "batched sends", "");
        return;
    }
    set(f, "io_uring", false, strerror(-result),
        "the kernel or the container forbids it (sysctl kernel.io_uring_disabled, seccomp); "
        "plain sends are used");
#else
    set(f, "io_uring", false, "not in this build", "apt install liburing-dev, and build again");
#endif
}

/* A program on the PATH. */
static void find_program(struct feature *f, const char *name, const char *program,
                         const char *purpose, const char *hint)
{
    const char *path = getenv("PATH");
    struct slice rest = slice_from(path ? path : "/usr/bin:/bin"), directory;
    char candidate[512], detail[600];
    while (slice_split(&rest, ':', &directory)) {
        snprintf(candidate, sizeof candidate, "%.*s/%s", SLICE_ARG(directory), program);
        if (access(candidate, X_OK) == 0) {
            snprintf(detail, sizeof detail, "%s: %s", candidate, purpose);
            set(f, name, true, detail, "");
            return;
        }
    }
    set(f, name, false, purpose, hint);
}

void features_find(struct feature features[FEATURE_COUNT])
{
    char zlib[64], libuv[64], sqlite[64];
    snprintf(zlib, sizeof zlib, "zlib %s", zlibVersion());
    snprintf(libuv, sizeof libuv, "libuv %s", uv_version_string());
    set(&features[0], "loop", true, libuv, "");
    find_uring(&features[1]);
    set(&features[2], "tls", true, OpenSSL_version(OPENSSL_VERSION), "");
    set(&features[3], "deflate", true, zlib, "");
    set(&features[4], "engine memory", true, "history in memory, lost at a restart", "");
    snprintf(sqlite, sizeof sqlite, "history on disk, SQLite %s", sqlite3_libversion());
    set(&features[5], "engine sqlite", true, sqlite, "");
#ifdef FANFARE_HAVE_REDIS
    set(&features[6], "engine redis", true, "several servers as one", "");
#else
    set(&features[6], "engine redis", false, "not in this build", "");
#endif
    find_program(&features[7], "bubblewrap", "bwrap", "sandbox for running code",
                 "apt install bubblewrap");
    find_program(&features[8], "ripgrep", "rg", "search", "apt install ripgrep");
}
