/* Choosing the flush stage; see flush.h. */
#include "net/flush.h"

#include <stddef.h>

struct flush *flush_open(enum flush_choice choice, unsigned files)
{
    struct flush *f = NULL;
#ifdef FANFARE_HAVE_URING
    if (choice != FLUSH_SEND)
        f = flush_uring_ops.open(files);
#endif
    if (!f && choice != FLUSH_URING)
        f = flush_send_ops.open(files);
    return f;
}

bool flush_uring_available(const char **why)
{
#ifdef FANFARE_HAVE_URING
    struct flush *f = flush_uring_ops.open(16);
    if (f) {
        flush_uring_ops.close(f);
        *why = NULL;
        return true;
    }
    *why = "the kernel has no io_uring or forbids it (see sysctl kernel.io_uring_disabled, or the "
           "container's seccomp profile)";
#else
    *why = "built without liburing (install liburing-dev and build again)";
#endif
    return false;
}
