/* What a name in a watched directory stands for. No I/O, any thread. */
#ifndef SOURCE_WATCH_NAME_H
#define SOURCE_WATCH_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum watch_dir_kind {
    WATCH_PROJECT, /* only the directory's name counts in it */
    WATCH_BASE,    /* .buildrunner: only the three below */
    WATCH_CHECKPOINTS,
    WATCH_CONTEXT,
    WATCH_ARTIFACTS, /* and every directory below it */
};

enum watch_file_kind {
    WATCH_NOTHING, /* to be passed over */
    WATCH_CHECKPOINT,
    WATCH_TEXT, /* a context file: reported with its content */
    WATCH_OTHER
};

/* What a file of that name in such a directory is. Passed over are the files that editors and
 * tools keep only while they are writing, and in checkpoints and context all hidden files, as the
 * patterns *.json and *.md leave them out. */
enum watch_file_kind watch_file_kind(enum watch_dir_kind dir, const char *name);

/* Whether a directory of that name is watched; fills *kind. base: the name of WATCH_BASE. */
bool watch_dir_kind(enum watch_dir_kind parent, const char *base, const char *name,
                    enum watch_dir_kind *kind);

/* The names of the directories that such a directory can hold; returns how many. 0: any name, the
 * directory has to be listed. */
size_t watch_dir_names(enum watch_dir_kind parent, const char *base, const char *names[3]);

#endif
