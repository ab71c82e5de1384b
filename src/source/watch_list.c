/* The checkpoint and context files that a project has, newest first; see fanfare/watcher.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "source/watch_name.h"
#include "source/watcher.h"

struct entry {
    char *name;
    int64_t modified_ns;
    uint64_t size;
};

struct listing {
    struct watch_root root;
    enum watch_dir_kind kind;
    char *real; /* the directory below the root, without links; NULL: there is none */
    struct entry *entries;
    size_t count, cap;
};

/* Whether a link leads to a file inside the project that is not in the same directory anyway. */
static bool follow(const struct listing *l, const char *name, struct stat *stat)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", l->real, name);
    char *real = watch_root_resolve(&l->root, buf_text(&path));
    buf_fini(&path);
    if (!real)
        return false;
    const char *slash = strrchr(real, '/');
    size_t parent = slash ? (size_t)(slash - real) : 0;
    bool elsewhere = parent != strlen(l->real) || strncmp(real, l->real, parent) != 0;
    bool found = elsewhere && watch_root_stat(&l->root, real, stat) == 0 && S_ISREG(stat->st_mode);
    memory_free(real);
    return found;
}

static void take(struct listing *l, int fd, const char *name)
{
    struct stat stat;
    enum watch_file_kind kind = watch_file_kind(l->kind, name);
    if (kind != WATCH_CHECKPOINT && kind != WATCH_TEXT)
        return;
    if (fstatat(fd, name, &stat, AT_SYMLINK_NOFOLLOW) != 0 ||
        (!S_ISREG(stat.st_mode) && !(S_ISLNK(stat.st_mode) && follow(l, name, &stat))))
        return;
    if (l->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->entries = memory_realloc(l->entries, l->cap * sizeof *l->entries);
    }
    l->entries[l->count++] = (struct entry){
        .name = memory_copy_string(slice_from(name)),
        .modified_ns = (int64_t)stat.st_mtim.tv_sec * 1000000000 + stat.st_mtim.tv_nsec,
        .size = (uint64_t)stat.st_size,
    };
}

static int newest_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->modified_ns != y->modified_ns)
        return x->modified_ns > y->modified_ns ? -1 : 1;
    return strcmp(y->name, x->name);
}

/* Returns 0, or FAN_E_DENIED or FAN_E_IO and errno. A directory that is missing is empty. */
static int read_directory(struct listing *l, const char *directory, const char *name)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", directory, name);
    l->real = watch_root_resolve(&l->root, buf_text(&path));
    buf_fini(&path);
    int fd = l->real ? watch_root_open(&l->root, l->real, O_RDONLY | O_DIRECTORY) : -1;
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (!stream) {
        if (fd >= 0)
            close(fd);
        if (!l->real || errno == ENOENT || errno == ENOTDIR)
            return 0;
        return errno == EACCES ? FAN_E_DENIED : FAN_E_IO;
    }
    for (struct dirent *entry; (entry = readdir(stream));)
        take(l, dirfd(stream), entry->d_name);
    closedir(stream);
    if (l->count)
        qsort(l->entries, l->count, sizeof *l->entries, newest_first);
    return 0;
}

/* One block of memory: the list, its files, their paths. */
static struct fan_watcher_files *pack(const struct listing *l, const char *prefix)
{
    size_t size = sizeof(struct fan_watcher_files) + l->count * sizeof(struct fan_watcher_file);
    for (size_t i = 0; i < l->count; i++)
        size += strlen(prefix) + strlen(l->entries[i].name) + 1;
    struct fan_watcher_files *list = memory_try_alloc(size);
    if (!list)
        return NULL;
    list->count = l->count;
    list->files = (struct fan_watcher_file *)(list + 1);
    char *text = (char *)(list->files + l->count);
    for (size_t i = 0; i < l->count; i++) {
        const struct entry *entry = &l->entries[i];
        list->files[i] = (struct fan_watcher_file){
            .path = text, .modified_ms = entry->modified_ns / 1000000, .size = entry->size};
        text = stpcpy(stpcpy(text, prefix), entry->name) + 1;
    }
    return list;
}

static void fini(struct listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        memory_free(l->entries[i].name);
    memory_free(l->entries);
    memory_free(l->real);
    watch_root_fini(&l->root);
}

static int list_files(const char *path, const char *directory, enum watch_dir_kind kind,
                      struct fan_watcher_files **list, struct fan_watcher_error *error)
{
    struct listing l = {.kind = kind};
    const char *name = kind == WATCH_CHECKPOINTS ? "checkpoints" : "context";
    struct buf prefix = {0};
    *list = NULL;
    int result = watcher_open(&l.root, path, &directory, error);
    if (result)
        return result;
    result = read_directory(&l, directory, name);
    buf_printf(&prefix, "%s/%s/%s/", path, directory, name);
    const char *reason = strerror(errno);
    if (!result && !(*list = pack(&l, buf_text(&prefix)))) {
        result = FAN_E_NO_MEMORY;
        reason = fan_error_text(result);
    }
    if (result && error)
        snprintf(error->message, sizeof error->message, "%.300s: %s", buf_text(&prefix), reason);
    buf_fini(&prefix);
    fini(&l);
    return result;
}

int fan_watcher_list_checkpoints(const char *path, const char *directory,
                                 struct fan_watcher_files **list, struct fan_watcher_error *error)
{
    return list_files(path, directory, WATCH_CHECKPOINTS, list, error);
}

int fan_watcher_list_contexts(const char *path, const char *directory,
                              struct fan_watcher_files **list, struct fan_watcher_error *error)
{
    return list_files(path, directory, WATCH_CONTEXT, list, error);
}

int fan_watcher_latest_checkpoint(const char *path, const char *directory, char **file,
                                  struct fan_watcher_error *error)
{
    struct fan_watcher_files *list;
    *file = NULL;
    int result = fan_watcher_list_checkpoints(path, directory, &list, error);
    if (!result && list->count)
        *file = memory_copy_string(slice_from(list->files[0].path));
    fan_free(list);
    return result;
}
