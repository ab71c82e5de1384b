/* Reading and reporting the files that have settled; see watch_publish.h. */
#include "source/watch_publish.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

/* A file that is due, as it was found. */
struct item {
    struct watch_file *file;
    struct watch_stamp stamp;
    enum watch_presence presence;
    const struct watch_file *source; /* the file that was renamed to this one; NULL: none */
};

struct batch {
    struct item *items;
    size_t count, cap;
};

/* A file's content and what stands for it. */
struct content {
    int error;  /* 0, or why there is none */
    int reason; /* errno of FAN_E_IO */
    char *text; /* owned */
    size_t len;
    uint64_t hash;
};

void publisher_init(struct watch_publisher *publisher, struct watch_tree *tree,
                    const struct fan_watcher_options *options, atomic_bool *stopping)
{
    *publisher = (struct watch_publisher){
        .tree = tree,
        .events = {.arg = options->arg, .event = options->event, .stopping = stopping},
        .has_checkpoint = options->has_checkpoint,
    };
    progress_init(&publisher->progress);
}

void publisher_fini(struct watch_publisher *publisher)
{
    progress_fini(&publisher->progress);
    buf_fini(&publisher->events.data);
}

/* For files whose content does not matter or is too much. */
static uint64_t hash_of_stamp(const struct watch_stamp *stamp)
{
    uint64_t parts[] = {stamp->device, stamp->inode, stamp->size, (uint64_t)stamp->modified_ns};
    return map_hash(slice_of((const char *)parts, sizeof parts));
}

static struct content read_content(struct watch_publisher *p, struct watch_file *file,
                                   const struct watch_stamp *stamp)
{
    struct content content = {.hash = hash_of_stamp(stamp)};
    if (file->kind == WATCH_OTHER)
        return content;
    int fd = tree_open(p->tree, file);
    if (fd < 0) {
        content.error = FAN_E_IO;
        content.reason = errno;
        return content;
    }
    content.error = checkpoint_read(
        fd, file->kind == WATCH_CHECKPOINT ? FAN_CHECKPOINT_MAX_SIZE : WATCH_CONTENT_MAX,
        &content.text, &content.len);
    content.reason = errno;
    close(fd);
    if (!content.error)
        content.hash = map_hash(slice_of(content.text, content.len));
    return content;
}

/* The file cannot be taken as it is. It may not be complete yet, so it gets some time before this
 * is reported; final: it cannot become better by itself. */
static void fail(struct watch_publisher *p, struct watch_file *file, uint64_t hash, bool final,
                 const char *type, const char *message, uint64_t now)
{
    if (!file->failing || file->failed_hash != hash) {
        file->failing = now;
        file->failed_hash = hash;
        file->reported_bad = false;
    }
    if (file->reported_bad)
        return;
    if (!final && now - file->failing < WATCH_RETRY_MS) {
        tree_wait(p->tree, file, now);
        return;
    }
    file->reported_bad = true;
    watch_event_error(&p->events, type, message);
}

static void fail_unread(struct watch_publisher *p, struct watch_file *file,
                        const struct content *content, uint64_t now)
{
    struct fan_checkpoint_error error;
    if (content->error == FAN_E_IO && (content->reason == ENOENT || content->reason == ENOTDIR)) {
        tree_wait(p->tree, file, now); /* gone since it was looked at; so it will be found */
        return;
    }
    if (content->error == FAN_E_TOO_LARGE)
        checkpoint_fail(&error, file->path, 1, 1, "the file is larger than %u MiB",
                        FAN_CHECKPOINT_MAX_SIZE >> 20);
    else
        checkpoint_fail(&error, file->path, 1, 1, "cannot be read: %s",
                        content->error == FAN_E_IO ? strerror(content->reason)
                                                   : fan_error_text(content->error));
    fail(p, file, content->hash, content->error == FAN_E_TOO_LARGE, "file_unreadable",
         error.message, now);
}

static bool is_known(struct watch_publisher *p, const struct fan_checkpoint *checkpoint)
{
    return p->has_checkpoint && p->has_checkpoint(p->events.arg, fan_checkpoint_id(checkpoint));
}

/* When the file was written, for putting checkpoints in order. A time of modification in the
 * future, which would make all that follow look old, is capped by that of the last change. */
static int64_t written_ns(const struct watch_stamp *stamp)
{
    return stamp->modified_ns < stamp->changed_ns ? stamp->modified_ns : stamp->changed_ns;
}

/* The content was read and differs from what is known. Takes over its text. */
static void publish_checkpoint(struct watch_publisher *p, struct watch_file *file,
                               struct content *content, uint64_t now)
{
    struct fan_checkpoint *checkpoint;
    struct fan_checkpoint_error error;
    int result =
        checkpoint_parse_owned(content->text, content->len, file->path, &checkpoint, &error);
    content->text = NULL;
    if (result) {
        fail(p, file, content->hash, result == FAN_E_INVALID, "checkpoint_parse", error.message,
             now);
        return;
    }
    bool adopt = file == p->first && is_known(p, checkpoint);
    p->first = NULL;
    file->failing = 0;
    file->known = true;
    file->hash = content->hash;
    if (adopt)
        progress_adopt(&p->progress, checkpoint, written_ns(&file->stamp));
    else
        progress_report(&p->progress, &p->events, checkpoint, written_ns(&file->stamp));
    fan_checkpoint_free(checkpoint);
}

static void publish_change(struct watch_publisher *p, const struct item *item,
                           const struct content *content)
{
    struct watch_file *file = item->file;
    struct watch_content shown = {
        .given = file->kind == WATCH_TEXT,
        .left_out = content->error == FAN_E_TOO_LARGE,
        .text = slice_of(content->text, content->len),
    };
    const char *change = item->source ? "moved" : file->known ? "modified" : "created";
    file->failing = 0;
    file->known = true;
    file->hash = content->hash;
    watch_event_file(&p->events, file->path, change, shown);
}

/* Whether nothing is to be done before the time for becoming whole is over. */
static bool still_failing(const struct item *item, uint64_t now)
{
    const struct watch_file *file = item->file;
    return file->failing && !file->reported_bad && now - file->failing < WATCH_RETRY_MS &&
           watch_stamp_equal(&item->stamp, &file->stamp);
}

static void publish(struct watch_publisher *p, const struct item *item, uint64_t now)
{
    struct watch_file *file = item->file;
    if (still_failing(item, now)) {
        tree_wait(p->tree, file, now);
        return;
    }
    file->stamp = item->stamp;
    struct content content = read_content(p, file, &item->stamp);
    bool large_text = content.error == FAN_E_TOO_LARGE && file->kind == WATCH_TEXT;
    if (content.error && !large_text) {
        fail_unread(p, file, &content, now);
        return;
    }
    bool renamed = item->source && item->source->kind == WATCH_CHECKPOINT &&
                   item->source->hash == content.hash;
    if (file->known && file->hash == content.hash)
        file->failing = 0;
    else if (file->kind == WATCH_CHECKPOINT && !renamed)
        publish_checkpoint(p, file, &content, now);
    else
        publish_change(p, item, &content);
    memory_free(content.text);
}

/* The files that are due, and what stands at their paths now. */
static void collect(struct watch_publisher *p, struct batch *batch, uint64_t now)
{
    struct watch_file *file;
    while ((file = tree_take_due(p->tree, now))) {
        struct item item = {.file = file};
        item.presence = tree_stat(p->tree, file, &item.stamp);
        if (item.presence == WATCH_THERE && file->compare &&
            !watch_stamp_equal(&item.stamp, &file->stamp)) {
            file->stamp = item.stamp; /* found by a look, and still being written */
            tree_wait(p->tree, file, now);
            continue;
        }
        if (batch->count == batch->cap) {
            batch->cap = batch->cap ? 2 * batch->cap : 16;
            batch->items = memory_realloc(batch->items, batch->cap * sizeof *batch->items);
        }
        batch->items[batch->count++] = item;
    }
}

/* Files that have gone come first, by inode; then the others, oldest first. */
static int by_fate(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    bool x_gone = x->presence == WATCH_GONE, y_gone = y->presence == WATCH_GONE;
    if (x_gone != y_gone)
        return x_gone ? -1 : 1;
    int64_t x_order = x_gone ? (int64_t)x->file->stamp.inode : written_ns(&x->stamp);
    int64_t y_order = x_gone ? (int64_t)y->file->stamp.inode : written_ns(&y->stamp);
    if (x_order != y_order)
        return x_order < y_order ? -1 : 1;
    return strcmp(x->file->path, y->file->path);
}

/* The known file that has gone and whose inode this new one has. Inodes are given to new files at
 * once, so the time and size must be the same as well. */
static const struct watch_file *find_source(const struct item *gone, size_t count,
                                            const struct item *item)
{
    size_t low = 0;
    if (item->file->known)
        return NULL;
    for (size_t high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if ((int64_t)gone[middle].file->stamp.inode < (int64_t)item->stamp.inode)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && gone[low].file->stamp.inode == item->stamp.inode; low++) {
        const struct watch_stamp *stamp = &gone[low].file->stamp;
        if (gone[low].file->known && stamp->device == item->stamp.device &&
            stamp->size == item->stamp.size && stamp->modified_ns == item->stamp.modified_ns)
            return gone[low].file;
    }
    return NULL;
}

static void publish_batch(struct watch_publisher *p, struct batch *batch, uint64_t now)
{
    size_t gone = 0;
    if (batch->count)
        qsort(batch->items, batch->count, sizeof *batch->items, by_fate);
    while (gone < batch->count && batch->items[gone].presence == WATCH_GONE)
        gone++;
    for (size_t i = 0; i < gone; i++)
        if (batch->items[i].file->known)
            watch_event_file(&p->events, batch->items[i].file->path, "deleted",
                             (struct watch_content){0});
    for (size_t i = gone; i < batch->count && !atomic_load(p->events.stopping); i++) {
        struct item *item = &batch->items[i];
        if (item->presence == WATCH_HIDDEN) {
            fail_unread(p, item->file, &(struct content){.error = FAN_E_IO, .reason = EACCES}, now);
            continue;
        }
        item->source = find_source(batch->items, gone, item);
        publish(p, item, now);
    }
    for (size_t i = 0; i < gone; i++) {
        if (p->first == batch->items[i].file)
            p->first = NULL;
        tree_forget(p->tree, batch->items[i].file);
    }
}

void watch_publisher_run(struct watch_publisher *p, uint64_t now)
{
    struct batch batch = {0};
    collect(p, &batch, now);
    publish_batch(p, &batch, now);
    memory_free(batch.items);
    tree_run(p->tree, now); /* directories that were found in the place of files */
}

static bool is_newer(const struct watch_file *a, const struct watch_file *b)
{
    if (!b || written_ns(&a->stamp) != written_ns(&b->stamp))
        return !b || written_ns(&a->stamp) > written_ns(&b->stamp);
    return strcmp(a->path, b->path) > 0;
}

void publisher_take_stock(struct watch_publisher *p, uint64_t now)
{
    MAP_EACH (i, &p->tree->files) {
        struct watch_file *file = p->tree->files.slots[i].object;
        struct content content = read_content(p, file, &file->stamp);
        file->hash = content.hash;
        memory_free(content.text);
        if (file->kind == WATCH_CHECKPOINT && is_newer(file, p->first))
            p->first = file;
    }
    if (p->first) {
        p->first->known = false; /* it is reported like a new one, unless it is known */
        tree_wait(p->tree, p->first, now);
    }
}
