/* A watcher from the inside; the public side is fanfare/watcher.h. */
#ifndef SOURCE_WATCHER_H
#define SOURCE_WATCHER_H

#include "fanfare/watcher.h"
#include "source/watch_notifier.h"
#include "source/watch_root.h"

/* fan_watcher_new with a notifier of the caller's choice. */
int watcher_start(const struct fan_watcher_options *options,
                  const struct watch_notifier_ops *notifier, struct fan_watcher **watcher,
                  struct fan_watcher_error *error);

/* Opens the root and checks that directory (NULL: the default, which is put in its place) is a
 * single name. Errors as fan_watcher_new. */
int watcher_open(struct watch_root *root, const char *path, const char **directory,
                 struct fan_watcher_error *error);

#endif
