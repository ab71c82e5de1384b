/*
 * From one checkpoint to the next: which components and features have moved on.
 *
 * Of the last checkpoint only the status and progress of its parts are kept. Watcher's thread.
 */
#ifndef SOURCE_WATCH_PROGRESS_H
#define SOURCE_WATCH_PROGRESS_H

#include <stdint.h>

#include "base/map.h"
#include "source/watch_event.h"

struct watch_progress {
    struct map components, features; /* of the last checkpoint, by id */
    int64_t newest_ns;               /* its file's time, since 1970 */
};

void progress_init(struct watch_progress *progress);
void progress_fini(struct watch_progress *progress);

/* The last checkpoint from now on, without reporting anything. */
void progress_adopt(struct watch_progress *progress, const struct fan_checkpoint *checkpoint,
                    int64_t written_ns);

/*
 * Reports a checkpoint: itself, each component and feature whose status or progress differs from
 * the last one, and how many components are completed. One whose file is older than the last one's
 * comes late: it is reported itself, but the state of the build stays with the newer one.
 */
void progress_report(struct watch_progress *progress, struct watch_events *events,
                     const struct fan_checkpoint *checkpoint, int64_t written_ns);

#endif
