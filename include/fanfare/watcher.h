/*
 * Watching a project: what a build tool writes below PROJECT/.buildrunner becomes events.
 *
 *   checkpoints/NAME.json  checkpoint_update, component_update, feature_update, build_progress
 *   context/NAME.md        file_change with the file's content
 *   artifacts/ and below   file_change, as for other files in the two directories above
 *
 *   static void print(void *arg, const char *type, const char *data, size_t len)
 *   {
 *       printf("%s %.*s\n", type, (int)len, data);
 *   }
 *   …
 *   struct fan_watcher *watcher;
 *   struct fan_watcher_error error;
 *   if (fan_watcher_new(&(struct fan_watcher_options){.path = ".", .event = print}, &watcher,
 *                       &error) != 0)
 *       …
 *   fan_watcher_free(watcher);
 *
 * docs/watching.md tells which event comes when.
 */
#ifndef FANFARE_WATCHER_H
#define FANFARE_WATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fanfare/error.h"
#include "fanfare/memory.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FAN_WATCHER_DIRECTORY ".buildrunner"

struct fan_watcher;

struct fan_watcher_error {
    char message[512]; /* names the path and says what is wrong */
};

struct fan_watcher_options {
    const char *path;      /* the project's directory; copied */
    const char *directory; /* the directory in it, a single name; NULL: FAN_WATCHER_DIRECTORY */

    void *arg; /* handed to both callbacks */

    /*
     * Something happened. type: checkpoint_update, component_update, feature_update,
     * build_progress, file_change or error; data: the event's fields as the text of one JSON
     * object of len bytes without line breaks, NUL-terminated, the watcher's own.
     *
     * Called on the watcher's thread, one call at a time. It may block: the watcher then waits,
     * and afterwards reports what the files have become. It may call fan_watcher_stop.
     */
    void (*event)(void *arg, const char *type, const char *data, size_t len);

    /* Whether the checkpoint of that id is known already, asked once at start for the newest one,
     * which is published if not. NULL: it is published. Called on the watcher's thread. */
    bool (*has_checkpoint)(void *arg, const char *checkpoint_id);

    /* Looks at the files at intervals instead of asking the system to report changes: for network
     * and other file systems that do not report them. */
    bool force_polling;
};

/*
 * Takes stock of what exists and starts watching, on a thread of its own. What changes after it
 * has returned is reported. The project's directory must exist, those below it need not.
 * Returns 0 and a watcher for fan_watcher_free, or FAN_E_NOT_FOUND, FAN_E_DENIED, FAN_E_INVALID
 * (the path is no directory, the directory's name is none) or FAN_E_LIMIT (no thread or
 * descriptor) with *error filled (error may be NULL) and *watcher NULL. Any thread; blocks on the
 * disk.
 */
int fan_watcher_new(const struct fan_watcher_options *options, struct fan_watcher **watcher,
                    struct fan_watcher_error *error);

/* Asks the watcher to end and returns at once; an event that is being reported is the last one.
 * May be called again, from any thread and from the callbacks. */
void fan_watcher_stop(struct fan_watcher *watcher);

/* Stops, waits until the thread has ended and frees. Not from the callbacks. NULL is allowed. */
void fan_watcher_free(struct fan_watcher *watcher);

/* Whether the watcher looks at intervals, because it was asked to or because the system does not
 * report changes (the event of type error says why). Any thread. */
bool fan_watcher_is_polling(const struct fan_watcher *watcher);

struct fan_watcher_file {
    const char *path;    /* the project's path as it was given, then the path in it */
    int64_t modified_ms; /* since 1970, UTC */
    uint64_t size;       /* bytes */
};

/* Newest first; of the same time, the one whose name sorts last first. */
struct fan_watcher_files {
    size_t count;
    struct fan_watcher_file *files;
};

/*
 * The checkpoint files and the context files that exist. Needs no watcher; directories that are
 * missing hold no files. Links that lead out of the project are left out. Returns 0 and a list for
 * fan_free (one call frees all of it), or an error as fan_watcher_new, also FAN_E_NO_MEMORY.
 */
int fan_watcher_list_checkpoints(const char *path, const char *directory,
                                 struct fan_watcher_files **list, struct fan_watcher_error *error);
int fan_watcher_list_contexts(const char *path, const char *directory,
                              struct fan_watcher_files **list, struct fan_watcher_error *error);

/* The newest checkpoint file's path, for fan_free; *file is NULL when there is none. Errors as
 * above. */
int fan_watcher_latest_checkpoint(const char *path, const char *directory, char **file,
                                  struct fan_watcher_error *error);

#ifdef __cplusplus
}
#endif
#endif
