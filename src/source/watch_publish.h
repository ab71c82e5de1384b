/*
 * Reading the files that have settled and reporting what has become of them.
 *
 * A file is reported when its content differs from what was reported last, so whatever made the
 * watcher look at it does no harm. Files that became due together are reported in the order of
 * their times and names: the last state is the right one. Watcher's thread.
 */
#ifndef SOURCE_WATCH_PUBLISH_H
#define SOURCE_WATCH_PUBLISH_H

#include "source/watch_event.h"
#include "source/watch_progress.h"
#include "source/watch_tree.h"

/* How long a file that cannot be read as it is may take to become whole, from its last change. */
#define WATCH_RETRY_MS 2000

struct watch_publisher {
    struct watch_tree *tree;
    struct watch_events events;
    struct watch_progress progress;
    bool (*has_checkpoint)(void *arg, const char *checkpoint_id);
    struct watch_file *first; /* the newest checkpoint at start, until it has been judged */
};

void publisher_init(struct watch_publisher *publisher, struct watch_tree *tree,
                    const struct fan_watcher_options *options, atomic_bool *stopping);
void publisher_fini(struct watch_publisher *publisher);

/* Takes note of the content of what stood there at start. The newest checkpoint becomes due. */
void publisher_take_stock(struct watch_publisher *publisher, uint64_t now);

/* Reads and reports the files that are due. */
void watch_publisher_run(struct watch_publisher *publisher, uint64_t now);

#endif
