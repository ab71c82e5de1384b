/* Threads that yield to others; see nice.h. */
#include "base/nice.h"

#include <sys/resource.h>
#include <unistd.h>

void nice_thread(int increment)
{
#ifdef __linux__
    id_t self = (id_t)gettid();
    setpriority(PRIO_PROCESS, self, getpriority(PRIO_PROCESS, self) + increment);
#else
    (void)increment;
#endif
}
