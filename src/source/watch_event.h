/* The events of a watcher, on their way to its owner. Watcher's thread. */
#ifndef SOURCE_WATCH_EVENT_H
#define SOURCE_WATCH_EVENT_H

#include <stdatomic.h>

#include "base/buf.h"
#include "fanfare/watcher.h"
#include "source/checkpoint.h"

/* Text of a file that still goes into a file_change. */
#define WATCH_CONTENT_MAX (64u << 10)

struct watch_events {
    void *arg;
    void (*event)(void *arg, const char *type, const char *data, size_t len);
    atomic_bool *stopping; /* once true, nothing is reported any more */
    struct buf data;
};

void watch_event_checkpoint(struct watch_events *events, const struct fan_checkpoint *checkpoint);

/* type: component_update or feature_update. */
void watch_event_part(struct watch_events *events, const char *type, const char *id_name,
                      const struct fan_checkpoint_part *part);

void watch_event_progress(struct watch_events *events, size_t total, size_t completed);

/* A file's content in a file_change. */
struct watch_content {
    bool given;        /* this kind of change carries content */
    bool left_out;     /* but it is too much, or no text: truncated */
    struct slice text; /* any bytes */
};

/* change: created, modified, deleted or moved. */
void watch_event_file(struct watch_events *events, const char *path, const char *change,
                      struct watch_content content);

void watch_event_error(struct watch_events *events, const char *error_type, const char *message);

#endif
