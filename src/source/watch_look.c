/*
 * Looking at directories and files; see watch_tree.h.
 *
 * A directory is watched before it is listed, so what is made in between is found by the one or
 * the other. Looking is a queue, not a recursion: depth costs no stack.
 *
 * Links: one that leads out of the project is nothing. One that leads to what is watched anyway is
 * nothing either (checkpoints/latest.json -> checkpoint_7.json is not one checkpoint more), nor one
 * that leads to a directory above the watched one. Any other directory is entered once, whatever
 * the number of links to it. So there are no loops.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/memory.h"
#include "fanfare/error.h"
#include "source/watch_notifier.h"
#include "source/watch_tree.h"

/* While one directory is looked at. */
struct visit {
    struct watch_tree *tree;
    struct watch_dir *dir;
    uint64_t now;
};

/* Whether path is dir or below it. */
static bool is_within(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return len == 0 || (strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

/* Whether a file or directory stands where the directory would report it itself. */
static bool covers(const struct watch_dir *dir, const char *real)
{
    if (!is_within(real, dir->real))
        return false;
    if (dir->kind == WATCH_ARTIFACTS)
        return true;
    const char *rest = real + strlen(dir->real);
    rest += *rest == '/';
    return !strchr(rest, '/');
}

static bool is_covered(struct watch_tree *tree, const char *real)
{
    const char *names[3];
    struct watch_dir *base = tree_child(tree, tree->project, tree->base);
    size_t count = watch_dir_names(WATCH_BASE, tree->base, names);
    for (size_t i = 0; base && i < count; i++) {
        struct watch_dir *dir = tree_child(tree, base, names[i]);
        if (dir && covers(dir, real))
            return true;
    }
    return false;
}

static bool is_entered(const struct watch_tree *tree, const struct stat *stat)
{
    MAP_EACH (i, &tree->dirs) {
        const struct watch_dir *dir = tree->dirs.slots[i].object;
        if (dir->device == stat->st_dev && dir->inode == stat->st_ino)
            return true;
    }
    return false;
}

/* Whether a link to the directory is followed. The directories that are not searched to any depth
 * cannot make a loop; they may stand anywhere in the project. */
static bool may_enter(struct visit *v, enum watch_dir_kind kind, const char *real,
                      const struct stat *stat)
{
    struct watch_dir *base = tree_child(v->tree, v->tree->project, v->tree->base);
    if (kind != WATCH_ARTIFACTS)
        return true;
    if (!base || is_within(base->real, real) || is_entered(v->tree, stat))
        return false;
    return v->dir->kind == WATCH_BASE || !is_covered(v->tree, real);
}

/* real: where a link leads, taken over; NULL for a directory that stands here itself. */
static struct watch_dir *add_child(struct visit *v, const char *name, enum watch_dir_kind kind,
                                   const struct stat *stat, char *real)
{
    struct watch_tree *tree = v->tree;
    if (tree->dirs.count >= WATCH_MAX_FILES) {
        tree->too_many = true;
        memory_free(real);
        return NULL;
    }
    char *path = memory_copy_string(slice_from(tree_join(tree, v->dir->path, name)));
    bool linked = real != NULL;
    if (!linked)
        real = memory_copy_string(slice_from(tree_join(tree, v->dir->real, name)));
    struct watch_dir *child = tree_add_dir(tree, v->dir, kind, path, real);
    child->linked = linked;
    child->device = stat->st_dev;
    child->inode = stat->st_ino;
    return child;
}

static void visit_directory(struct visit *v, const char *name, const struct stat *stat, char *real)
{
    enum watch_dir_kind kind;
    struct watch_dir *child = tree_child(v->tree, v->dir, name);
    if (!watch_dir_kind(v->dir->kind, v->tree->base, name, &kind)) {
        memory_free(real);
        return;
    }
    bool same = child && child->device == stat->st_dev && child->inode == stat->st_ino &&
                child->linked == (real != NULL) && (!real || strcmp(real, child->real) == 0);
    if (child && !same)
        tree_drop_dir(v->tree, child, v->now);
    if (same) {
        memory_free(real);
        child->seen = v->tree->look;
        if (v->tree->deep || !child->watched || child->unreadable)
            tree_look(v->tree, child);
        return;
    }
    if (real && !may_enter(v, kind, real, stat)) {
        memory_free(real);
        return;
    }
    child = add_child(v, name, kind, stat, real);
    if (child) {
        child->seen = v->tree->look;
        tree_look(v->tree, child);
    }
}

static void visit_link(struct visit *v, const char *name)
{
    struct stat stat;
    char *real = watch_root_resolve(&v->tree->root, tree_join(v->tree, v->dir->real, name));
    if (!real)
        return;
    bool there = watch_root_stat(&v->tree->root, real, &stat) == 0;
    if (there && S_ISDIR(stat.st_mode))
        visit_directory(v, name, &stat, real);
    else if (there && S_ISREG(stat.st_mode) && !is_covered(v->tree, real))
        tree_see_file(v->tree, v->dir, name, &stat, real, v->now);
    else
        memory_free(real);
}

static void visit(struct visit *v, int fd, const char *name)
{
    struct stat stat;
    if (fstatat(fd, name, &stat, AT_SYMLINK_NOFOLLOW) != 0)
        return; /* gone again */
    if (S_ISLNK(stat.st_mode))
        visit_link(v, name);
    else if (S_ISDIR(stat.st_mode))
        visit_directory(v, name, &stat, NULL);
    else if (S_ISREG(stat.st_mode))
        tree_see_file(v->tree, v->dir, name, &stat, NULL, v->now);
}

/* What is known of the directory and was not seen has gone. */
static void miss(struct visit *v)
{
    LIST_EACH (link, &v->dir->files) {
        struct watch_file *file = CONTAINER(link, struct watch_file, sibling);
        if (file->seen != v->tree->look && list_empty(&file->waiting))
            tree_wait(v->tree, file, v->now);
    }
    LIST_EACH (link, &v->dir->children) {
        struct watch_dir *child = CONTAINER(link, struct watch_dir, sibling);
        if (child->seen != v->tree->look)
            tree_drop_dir(v->tree, child, v->now);
    }
}

/* Takes over fd. Returns false when the directory could not be listed to its end. */
static bool list(struct visit *v, int fd)
{
    const char *names[3];
    size_t count = watch_dir_names(v->dir->kind, v->tree->base, names);
    for (size_t i = 0; i < count; i++)
        visit(v, fd, names[i]);
    DIR *stream = count ? NULL : fdopendir(fd);
    if (!stream) {
        close(fd);
        return count > 0;
    }
    struct dirent *entry;
    while (errno = 0, (entry = readdir(stream)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            visit(v, dirfd(stream), entry->d_name);
    bool complete = errno == 0;
    closedir(stream);
    return complete;
}

static void cannot_look(struct visit *v, int reason)
{
    struct watch_tree *tree = v->tree;
    if (reason == ENOENT || reason == ENOTDIR || reason == ELOOP) {
        tree->look++;
        if (v->dir->parent)
            tree_drop_dir(tree, v->dir, v->now);
        else
            miss(v);
        return;
    }
    if (!v->dir->unreadable && tree->unreadable.len == 0)
        buf_printf(&tree->unreadable, "%s: %s", *v->dir->path ? v->dir->path : tree->root.path,
                   strerror(reason));
    v->dir->unreadable = true;
}

static void watch(struct watch_tree *tree, struct watch_dir *dir, const struct stat *stat)
{
    if (dir->watched && (dir->device != stat->st_dev || dir->inode != stat->st_ino)) {
        tree->notifier->ops->remove(tree->notifier, dir);
        dir->watched = false;
    }
    dir->device = stat->st_dev;
    dir->inode = stat->st_ino;
    if (dir->watched || !tree->notifier)
        return;
    int error = tree->notifier->ops->add(tree->notifier, dir);
    dir->watched = error == 0;
    if (error == FAN_E_LIMIT)
        tree->no_watch = true;
}

static void look_at(struct visit *v)
{
    struct stat stat;
    int fd = watch_root_open(&v->tree->root, v->dir->real, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || fstat(fd, &stat) != 0) {
        int reason = errno;
        if (fd >= 0)
            close(fd);
        cannot_look(v, reason);
        return;
    }
    watch(v->tree, v->dir, &stat);
    v->dir->unreadable = false;
    v->tree->look++;
    if (list(v, fd))
        miss(v);
}

void tree_run(struct watch_tree *tree, uint64_t now)
{
    while (!list_empty(&tree->looking)) {
        struct watch_dir *dir = CONTAINER(tree->looking.next, struct watch_dir, looking);
        list_remove(&dir->looking);
        look_at(&(struct visit){.tree = tree, .dir = dir, .now = now});
    }
    tree->deep = false;
}

/* The file's path without linked directories, in the scratch buffer. */
static const char *real_path(struct watch_tree *tree, const struct watch_file *file)
{
    const char *slash = strrchr(file->path, '/');
    return file->dir ? tree_join(tree, file->dir->real, slash + 1) : file->path;
}

static enum watch_presence absent(int reason)
{
    return reason == ENOENT || reason == ENOTDIR || reason == ELOOP || reason == ENAMETOOLONG
               ? WATCH_GONE
               : WATCH_HIDDEN;
}

enum watch_presence tree_stat(struct watch_tree *tree, struct watch_file *file,
                              struct watch_stamp *stamp)
{
    struct stat stat;
    char *target = NULL;
    if (watch_root_stat(&tree->root, real_path(tree, file), &stat) != 0)
        return absent(errno);
    if (S_ISLNK(stat.st_mode)) {
        target = watch_root_resolve(&tree->root, real_path(tree, file));
        if (!target || is_covered(tree, target)) {
            memory_free(target);
            return WATCH_GONE;
        }
        if (watch_root_stat(&tree->root, target, &stat) != 0) {
            int reason = errno;
            memory_free(target);
            return absent(reason);
        }
    }
    if (S_ISDIR(stat.st_mode) && file->dir)
        tree_look(tree, file->dir);
    if (!S_ISREG(stat.st_mode)) {
        memory_free(target);
        return WATCH_GONE;
    }
    tree_set_target(tree, file, target);
    *stamp = watch_stamp_of(&stat);
    return WATCH_THERE;
}

int tree_open(struct watch_tree *tree, struct watch_file *file)
{
    return watch_root_open(&tree->root, file->target ? file->target : real_path(tree, file),
                           O_RDONLY);
}

static void check_link(struct watch_tree *tree, struct watch_file *file, uint64_t now)
{
    struct watch_stamp stamp = {0};
    if (!list_empty(&file->waiting))
        return;
    if (tree_stat(tree, file, &stamp) != WATCH_THERE || !watch_stamp_equal(&stamp, &file->stamp)) {
        file->stamp = stamp;
        file->compare = true;
        tree_wait(tree, file, now);
    }
}

void tree_check(struct watch_tree *tree, uint64_t now)
{
    struct watch_dir *base = tree_child(tree, tree->project, tree->base);
    if (!watch_root_is_current(&tree->root)) {
        tree_look_at_all(tree);
    } else {
        tree_look(tree, tree->project);
        if (base)
            tree_look(tree, base);
    }
    LIST_EACH (link, &tree->links)
        check_link(tree, CONTAINER(link, struct watch_file, link), now);
    tree_run(tree, now);
}
