/*
 * What a watcher knows of the project's directories and files.
 *
 * The disk is the truth, events of the kernel are hints. A hint marks a file (tree_touch) or a
 * directory (tree_look) as worth a look; a look compares the directory with what is known and
 * marks the files that differ. Marked files become due once nothing has happened to them for the
 * settling time, and only then are they read and compared with what was reported. So it does not
 * matter how many hints come, in which order, or whether the kernel dropped some: looking at
 * everything again (tree_look_at_all) finds whatever was missed, and nothing twice.
 *
 * Of a file only its stamp and a hash are kept. One thread.
 */
#ifndef SOURCE_WATCH_TREE_H
#define SOURCE_WATCH_TREE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "source/watch_name.h"
#include "source/watch_root.h"

/* How long nothing must have happened to a file before it is read. Short enough that an event
 * follows the last write within 100 ms, long enough to join the writes of an editor or a tool. */
#define WATCH_SETTLE_MS 70

/* Most files, and most directories, that are remembered; about 300 bytes each. */
#define WATCH_MAX_FILES 200000

struct watch_notifier;

struct watch_stamp {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns;
};

struct watch_dir {
    struct list sibling; /* in the parent's children */
    struct list children;
    struct list files; /* watch_file.sibling */
    struct list looking;
    struct watch_dir *parent; /* NULL: the project */
    enum watch_dir_kind kind;
    bool linked;     /* reached through a link inside the project */
    bool watched;    /* the notifier reports it */
    bool unreadable; /* and this was reported */
    int handle;      /* the notifier's; below 0: none */
    uint32_t seen;   /* the look that found it last */
    uint64_t device, inode;
    char *real; /* relative to the root, without links */
    char *path; /* relative to the root, as it is seen */
};

struct watch_file {
    struct list sibling; /* in its directory, or alone when that is gone */
    struct list waiting; /* in watch_tree.waiting, or alone */
    struct list link;    /* in watch_tree.links, or alone */
    struct watch_dir *dir;
    enum watch_file_kind kind;
    bool compare;      /* marked by a look, not by a hint: unchanged since then? */
    bool known;        /* it was reported, or stood there from the start */
    bool reported_bad; /* that it cannot be read, with the content that failed_hash stands for */
    uint32_t seen;     /* the look that found it last */
    uint64_t due;      /* clock_ms at which it will have settled */
    uint64_t failing;  /* clock_ms since which it cannot be read as it is; 0: it can */
    uint64_t hash;     /* of what was reported */
    uint64_t failed_hash;
    struct watch_stamp stamp; /* at the last look */
    char *target;             /* a link: what it leads to, relative to the root; else NULL */
    char path[];              /* relative to the root */
};

struct watch_tree {
    struct watch_root root;
    char *base; /* the name of the directory, ".buildrunner" */
    struct watch_notifier *notifier;
    struct watch_dir *project;
    struct map files;    /* by path */
    struct map dirs;     /* by path */
    struct list waiting; /* marked files, soonest due first */
    struct list looking; /* directories to be looked at */
    struct buf scratch;
    struct list links; /* files that are links: nothing reports changes of what they lead to */
    uint32_t look;
    bool deep;     /* this look goes into directories that are known, too */
    bool baseline; /* what is found counts as known */

    /* What the watcher has to tell; it resets them. */
    bool too_many;         /* WATCH_MAX_FILES is reached */
    bool no_watch;         /* the notifier's limit is reached */
    struct buf unreadable; /* "path: reason" of a directory that cannot be listed; empty: none */
};

/* Takes over the root. Nothing is looked at yet. */
void tree_init(struct watch_tree *tree, const struct watch_root *root, const char *base);
void tree_fini(struct watch_tree *tree);

/* The notifier that is told which directories are to be watched; all of them, if there are some
 * already. */
void tree_set_notifier(struct watch_tree *tree, struct watch_notifier *notifier);

/* Marks a directory, or everything, for tree_run. */
void tree_look(struct watch_tree *tree, struct watch_dir *dir);
void tree_look_at_all(struct watch_tree *tree);

/* Looks at the marked directories; new ones below them are watched and looked at as well. */
void tree_run(struct watch_tree *tree, uint64_t now);

/* Something of that name has changed in the directory. */
void tree_touch(struct watch_tree *tree, struct watch_dir *dir, const char *name, uint64_t now);

/* The kernel no longer watches the directory. */
void tree_unwatched(struct watch_tree *tree, struct watch_dir *dir);

/* What no notifier reports: the root replaced, directories on the way to the files, files behind
 * links. To be called now and then. */
void tree_check(struct watch_tree *tree, uint64_t now);

/* Marks the file again, to be due after the settling time. */
void tree_wait(struct watch_tree *tree, struct watch_file *file, uint64_t now);

/* When the next file is due (clock_ms); UINT64_MAX: none is marked. */
uint64_t tree_next_due(const struct watch_tree *tree);

/* Unmarks a file that is due and returns it; NULL: none is. */
struct watch_file *tree_take_due(struct watch_tree *tree, uint64_t now);

enum watch_presence { WATCH_GONE, WATCH_THERE, WATCH_HIDDEN /* no right to look */ };

/* What stands at the file's path now; fills its stamp. A link that leads to a directory is looked
 * at as one, and WATCH_GONE as a file. */
enum watch_presence tree_stat(struct watch_tree *tree, struct watch_file *file,
                              struct watch_stamp *stamp);

/* Opens the file, or what it leads to, for reading: a descriptor, or -1 and errno. */
int tree_open(struct watch_tree *tree, struct watch_file *file);

/* Forgets the file and frees it. */
void tree_forget(struct watch_tree *tree, struct watch_file *file);

/* Between watch_tree.c and watch_look.c */

struct watch_stamp watch_stamp_of(const struct stat *stat);
bool watch_stamp_equal(const struct watch_stamp *a, const struct watch_stamp *b);

/* "parent/name" in the tree's scratch buffer, valid until the next call. */
const char *tree_join(struct watch_tree *tree, const char *parent, const char *name);

/* NULL: none is known. */
struct watch_dir *tree_child(struct watch_tree *tree, struct watch_dir *dir, const char *name);

/* Takes over path and real. */
struct watch_dir *tree_add_dir(struct watch_tree *tree, struct watch_dir *parent,
                               enum watch_dir_kind kind, char *path, char *real);

/* The directory has gone: its files are marked, to be found gone as well (or back again, if it is
 * made anew at once), and it is freed with all below it. */
void tree_drop_dir(struct watch_tree *tree, struct watch_dir *dir, uint64_t now);

/* A look found the file with this stat. Takes over target. */
void tree_see_file(struct watch_tree *tree, struct watch_dir *dir, const char *name,
                   const struct stat *stat, char *target, uint64_t now);

/* Takes over target. */
void tree_set_target(struct watch_tree *tree, struct watch_file *file, char *target);

#endif
