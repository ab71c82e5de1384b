/* The known directories and files; see watch_tree.h. Looking at them is in watch_look.c. */
#include "source/watch_tree.h"

#include "base/memory.h"
#include "source/watch_notifier.h"

static struct slice file_key(const void *file)
{
    return slice_from(((const struct watch_file *)file)->path);
}

static struct slice dir_key(const void *dir)
{
    return slice_from(((const struct watch_dir *)dir)->path);
}

struct watch_stamp watch_stamp_of(const struct stat *stat)
{
    return (struct watch_stamp){
        .device = stat->st_dev,
        .inode = stat->st_ino,
        .size = (uint64_t)stat->st_size,
        .modified_ns = (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec,
        .changed_ns = (int64_t)stat->st_ctim.tv_sec * 1000000000 + stat->st_ctim.tv_nsec,
    };
}

bool watch_stamp_equal(const struct watch_stamp *a, const struct watch_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

const char *tree_join(struct watch_tree *tree, const char *parent, const char *name)
{
    buf_clear(&tree->scratch);
    if (*parent) {
        buf_append_text(&tree->scratch, parent);
        buf_append_char(&tree->scratch, '/');
    }
    buf_append_text(&tree->scratch, name);
    return buf_text(&tree->scratch);
}

struct watch_dir *tree_add_dir(struct watch_tree *tree, struct watch_dir *parent,
                               enum watch_dir_kind kind, char *path, char *real)
{
    struct watch_dir *dir = memory_zero(sizeof *dir);
    *dir = (struct watch_dir){
        .parent = parent, .kind = kind, .handle = -1, .path = path, .real = real};
    list_init(&dir->children);
    list_init(&dir->files);
    list_init(&dir->looking);
    list_init(&dir->sibling);
    if (parent)
        list_append(&parent->children, &dir->sibling);
    map_put(&tree->dirs, dir);
    return dir;
}

static void unwatch(struct watch_tree *tree, struct watch_dir *dir)
{
    if (dir->watched && tree->notifier)
        tree->notifier->ops->remove(tree->notifier, dir);
    dir->watched = false;
}

static void dir_free(struct watch_tree *tree, struct watch_dir *dir)
{
    unwatch(tree, dir);
    map_remove(&tree->dirs, dir_key(dir));
    list_remove(&dir->sibling);
    list_remove(&dir->looking);
    memory_free(dir->path);
    memory_free(dir->real);
    memory_free(dir);
}

static struct watch_dir *first_child(struct watch_dir *dir)
{
    return CONTAINER(dir->children.next, struct watch_dir, sibling);
}

static void release_files(struct watch_tree *tree, struct watch_dir *dir, uint64_t now)
{
    LIST_EACH (link, &dir->files) {
        struct watch_file *file = CONTAINER(link, struct watch_file, sibling);
        list_remove(&file->sibling);
        file->dir = NULL;
        tree_wait(tree, file, now);
    }
}

void tree_drop_dir(struct watch_tree *tree, struct watch_dir *top, uint64_t now)
{
    struct watch_dir *dir = top;
    for (;;) {
        while (!list_empty(&dir->children))
            dir = first_child(dir);
        release_files(tree, dir, now);
        struct watch_dir *parent = dir->parent;
        bool last = dir == top;
        dir_free(tree, dir);
        if (last)
            return;
        dir = parent;
    }
}

void tree_init(struct watch_tree *tree, const struct watch_root *root, const char *base)
{
    *tree = (struct watch_tree){.root = *root};
    list_init(&tree->waiting);
    list_init(&tree->looking);
    list_init(&tree->links);
    map_init(&tree->files, file_key);
    map_init(&tree->dirs, dir_key);
    tree->base = memory_copy_string(slice_from(base));
    tree->project = tree_add_dir(tree, NULL, WATCH_PROJECT, memory_copy_string(SLICE("")),
                                 memory_copy_string(SLICE("")));
}

void tree_fini(struct watch_tree *tree)
{
    tree_drop_dir(tree, tree->project, 0);
    MAP_EACH (i, &tree->files) {
        struct watch_file *file = tree->files.slots[i].object;
        memory_free(file->target);
        memory_free(file);
    }
    map_fini(&tree->files);
    map_fini(&tree->dirs);
    watch_root_fini(&tree->root);
    buf_fini(&tree->scratch);
    buf_fini(&tree->unreadable);
    memory_free(tree->base);
}

void tree_look(struct watch_tree *tree, struct watch_dir *dir)
{
    list_remove(&dir->looking);
    list_append(&tree->looking, &dir->looking);
}

void tree_look_at_all(struct watch_tree *tree)
{
    tree->deep = true;
    tree_look(tree, tree->project);
}

void tree_unwatched(struct watch_tree *tree, struct watch_dir *dir)
{
    dir->watched = false;
    tree_look(tree, dir->parent ? dir->parent : dir);
}

void tree_set_notifier(struct watch_tree *tree, struct watch_notifier *notifier)
{
    MAP_EACH (i, &tree->dirs)
        unwatch(tree, tree->dirs.slots[i].object);
    tree->notifier = notifier;
    if (notifier)
        tree_look_at_all(tree);
}

static struct watch_file *file_new(struct watch_tree *tree, struct watch_dir *dir,
                                   enum watch_file_kind kind, const char *path)
{
    if (tree->files.count >= WATCH_MAX_FILES) {
        tree->too_many = true;
        return NULL;
    }
    size_t len = strlen(path);
    struct watch_file *file = memory_zero(sizeof *file + len + 1);
    memcpy(file->path, path, len + 1);
    file->kind = kind;
    file->dir = dir;
    list_init(&file->waiting);
    list_init(&file->sibling);
    list_init(&file->link);
    list_append(&dir->files, &file->sibling);
    map_put(&tree->files, file);
    return file;
}

/* The file of that name, new if need be. *fresh tells which. NULL: passed over. */
static struct watch_file *file_get(struct watch_tree *tree, struct watch_dir *dir, const char *name,
                                   bool *fresh)
{
    enum watch_file_kind kind = watch_file_kind(dir->kind, name);
    if (kind == WATCH_NOTHING)
        return NULL;
    const char *path = tree_join(tree, dir->path, name);
    struct watch_file *file = map_get(&tree->files, slice_from(path));
    *fresh = !file;
    if (!file)
        return file_new(tree, dir, kind, path);
    if (file->dir != dir) { /* its directory was made anew */
        list_remove(&file->sibling);
        list_append(&dir->files, &file->sibling);
        file->dir = dir;
    }
    return file;
}

void tree_set_target(struct watch_tree *tree, struct watch_file *file, char *target)
{
    if (!target)
        list_remove(&file->link);
    else if (list_empty(&file->link)) /* else it stays where it is: the list may be walked */
        list_append(&tree->links, &file->link);
    memory_free(file->target);
    file->target = target;
}

void tree_forget(struct watch_tree *tree, struct watch_file *file)
{
    map_remove(&tree->files, file_key(file));
    list_remove(&file->sibling);
    list_remove(&file->waiting);
    tree_set_target(tree, file, NULL);
    memory_free(file);
}

void tree_wait(struct watch_tree *tree, struct watch_file *file, uint64_t now)
{
    file->due = now + WATCH_SETTLE_MS; /* the same for all: the list stays in order */
    list_remove(&file->waiting);
    list_append(&tree->waiting, &file->waiting);
}

uint64_t tree_next_due(const struct watch_tree *tree)
{
    return list_empty(&tree->waiting)
               ? UINT64_MAX
               : CONTAINER(tree->waiting.next, struct watch_file, waiting)->due;
}

struct watch_file *tree_take_due(struct watch_tree *tree, uint64_t now)
{
    if (tree_next_due(tree) > now)
        return NULL;
    struct watch_file *file = CONTAINER(tree->waiting.next, struct watch_file, waiting);
    list_remove(&file->waiting);
    return file;
}

void tree_see_file(struct watch_tree *tree, struct watch_dir *dir, const char *name,
                   const struct stat *stat, char *target, uint64_t now)
{
    bool fresh;
    struct watch_stamp stamp = watch_stamp_of(stat);
    struct watch_file *file = file_get(tree, dir, name, &fresh);
    if (!file) {
        memory_free(target);
        return;
    }
    file->seen = tree->look;
    tree_set_target(tree, file, target);
    bool changed = !watch_stamp_equal(&file->stamp, &stamp);
    file->stamp = stamp;
    if (fresh && tree->baseline) {
        file->known = true;
    } else if (changed) {
        file->compare = true;
        tree_wait(tree, file, now);
    }
}

struct watch_dir *tree_child(struct watch_tree *tree, struct watch_dir *dir, const char *name)
{
    return map_get(&tree->dirs, slice_from(tree_join(tree, dir->path, name)));
}

void tree_touch(struct watch_tree *tree, struct watch_dir *dir, const char *name, uint64_t now)
{
    bool fresh;
    enum watch_dir_kind kind;
    if (dir->kind == WATCH_PROJECT || dir->kind == WATCH_BASE) {
        if (watch_dir_kind(dir->kind, tree->base, name, &kind)) /* a link to the directory */
            tree_look(tree, dir);
        return;
    }
    if (tree_child(tree, dir, name)) {
        tree_look(tree, dir);
        return;
    }
    struct watch_file *file = file_get(tree, dir, name, &fresh);
    if (!file)
        return;
    file->compare = false;
    tree_wait(tree, file, now);
}
