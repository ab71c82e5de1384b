/*
 * A project in a temporary directory, a watcher on it, and a record of what the watcher reports.
 *
 * Nothing here sleeps and hopes: every wait is for a condition, with a deadline. That nothing more
 * is reported is checked by flush(): events come in the order in which files settle, and of the
 * same time by name, so when a file that is written last and sorts last has been reported,
 * everything before it has been judged.
 */
#ifndef WATCH_FIXTURE_H
#define WATCH_FIXTURE_H

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "fanfare/watcher.h"
#include "source/watcher.h"

#define DEADLINE_SECONDS 30

struct event {
    char type[24];
    char *data;
    uint64_t at; /* clock_ms */
};

struct project {
    char path[64];
    struct fan_watcher *watcher;
    const char *known; /* the checkpoint that the session has */
    unsigned asked;    /* how often that was asked */
    bool force_polling;
    bool stop_at_event; /* the callback stops the watcher */
    const struct watch_notifier_ops *notifier;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool blocked; /* events wait in the callback */
    struct event *events;
    size_t count, cap;
    unsigned flushes;
};

static void on_event(void *arg, const char *type, const char *data, size_t len)
{
    struct project *p = arg;
    pthread_mutex_lock(&p->lock);
    if (p->count == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        p->events = realloc(p->events, p->cap * sizeof *p->events);
    }
    struct event *event = &p->events[p->count];
    snprintf(event->type, sizeof event->type, "%s", type);
    event->data = memory_copy_string(slice_of(data, len));
    event->at = clock_ms();
    p->count++;
    pthread_cond_broadcast(&p->changed);
    while (p->blocked)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    if (p->stop_at_event)
        fan_watcher_stop(p->watcher);
}

static bool on_has_checkpoint(void *arg, const char *id)
{
    struct project *p = arg;
    p->asked++;
    return p->known && strcmp(p->known, id) == 0;
}

/* An empty project without a watcher. */
static inline struct project *project_new(void)
{
    struct project *p = calloc(1, sizeof *p);
    snprintf(p->path, sizeof p->path, "/tmp/fanfare-watch-XXXXXX");
    assert_non_null(mkdtemp(p->path));
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return p;
}

static inline const char *at(struct project *p, const char *relative)
{
    static _Thread_local char paths[4][PATH_MAX];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", p->path, relative);
    return path;
}

static inline void make_dir(struct project *p, const char *relative)
{
    if (mkdir(at(p, relative), 0755) != 0)
        fail_msg("mkdir %s: %s", relative, strerror(errno));
}

static inline void make_dirs(struct project *p)
{
    make_dir(p, ".buildrunner");
    make_dir(p, ".buildrunner/checkpoints");
    make_dir(p, ".buildrunner/context");
    make_dir(p, ".buildrunner/artifacts");
}

static inline void write_bytes(struct project *p, const char *relative, const void *data,
                               size_t len, int flags)
{
    int fd = open(at(p, relative), O_WRONLY | O_CREAT | flags, 0644);
    if (fd < 0)
        fail_msg("open %s: %s", relative, strerror(errno));
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

static inline void write_text(struct project *p, const char *relative, const char *text)
{
    write_bytes(p, relative, text, strlen(text), O_TRUNC);
}

static inline void append_text(struct project *p, const char *relative, const char *text)
{
    write_bytes(p, relative, text, strlen(text), O_APPEND);
}

static inline void move(struct project *p, const char *from, const char *to)
{
    assert_int_equal(rename(at(p, from), at(p, to)), 0);
}

static inline void set_time(struct project *p, const char *relative, time_t seconds)
{
    struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, at(p, relative), times, 0), 0);
}

static int remove_entry(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
    (void)stat;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void start(struct project *p)
{
    struct fan_watcher_error error = {""};
    struct fan_watcher_options options = {
        .path = p->path,
        .arg = p,
        .event = on_event,
        .has_checkpoint = on_has_checkpoint,
        .force_polling = p->force_polling,
    };
    int result = p->notifier ? watcher_start(&options, p->notifier, &p->watcher, &error)
                             : fan_watcher_new(&options, &p->watcher, &error);
    if (result)
        fail_msg("%s", error.message);
}

static inline void forget_events(struct project *p)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->count; i++)
        memory_free(p->events[i].data);
    p->count = 0;
    pthread_mutex_unlock(&p->lock);
}

static inline void finish(struct project *p)
{
    fan_watcher_free(p->watcher);
    remove_tree(p->path);
    forget_events(p);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    free(p->events);
    free(p);
}

static inline void print_events(struct project *p)
{
    for (size_t i = 0; i < p->count; i++)
        print_error("  %s %.300s\n", p->events[i].type, p->events[i].data);
}

/* Waits with the lock held; fails the test when the time is over. */
static inline void wait_change(struct project *p, uint64_t deadline, const char *what)
{
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000),
                             .tv_nsec = (long)(deadline % 1000) * 1000000};
    if (pthread_cond_timedwait(&p->changed, &p->lock, &until) == ETIMEDOUT) {
        print_events(p);
        pthread_mutex_unlock(&p->lock);
        fail_msg("timed out waiting for: %s", what);
    }
}

static inline void wait_count(struct project *p, size_t count)
{
    uint64_t deadline = clock_ms() + DEADLINE_SECONDS * 1000;
    char what[64];
    snprintf(what, sizeof what, "%zu events", count);
    pthread_mutex_lock(&p->lock);
    while (p->count < count)
        wait_change(p, deadline, what);
    pthread_mutex_unlock(&p->lock);
}

static inline size_t count_type(struct project *p, const char *type, const char *part)
{
    size_t count = 0;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->count; i++)
        count += strcmp(p->events[i].type, type) == 0 && strstr(p->events[i].data, part);
    pthread_mutex_unlock(&p->lock);
    return count;
}

/* Waits for an event of that type whose data contains part. Returns when it was reported. */
static inline uint64_t wait_event(struct project *p, const char *type, const char *part)
{
    uint64_t deadline = clock_ms() + DEADLINE_SECONDS * 1000;
    size_t i = 0;
    pthread_mutex_lock(&p->lock);
    for (;; i++) {
        while (i >= p->count)
            wait_change(p, deadline, part);
        if (strcmp(p->events[i].type, type) == 0 && strstr(p->events[i].data, part))
            break;
    }
    uint64_t when = p->events[i].at;
    pthread_mutex_unlock(&p->lock);
    return when;
}

/* Everything written so far has been judged, and reported if need be. The event of the file that
 * tells so is taken out of the record. */
static inline void flush(struct project *p)
{
    char name[64], data[128];
    snprintf(name, sizeof name, ".buildrunner/context/zz-flush-%u", p->flushes++);
    snprintf(data, sizeof data, "{\"file_path\":\"%s\",\"change_type\":\"created\"}", name);
    write_text(p, name, "");
    wait_event(p, "file_change", data);
    pthread_mutex_lock(&p->lock);
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->events[i].data, data) == 0)
            memory_free(p->events[i].data);
        else
            p->events[kept++] = p->events[i];
    }
    p->count = kept;
    pthread_mutex_unlock(&p->lock);
}

/* All that was reported since the last check, flush events aside: "type data" each. NULL ends. */
static inline void expect(struct project *p, ...)
{
    va_list args;
    size_t i = 0;
    va_start(args, p);
    const char *text;
    flush(p);
    pthread_mutex_lock(&p->lock);
    for (; (text = va_arg(args, const char *)); i++) {
        char found[4096] = "nothing";
        if (i < p->count)
            snprintf(found, sizeof found, "%s %s", p->events[i].type, p->events[i].data);
        if (strcmp(found, text) != 0)
            print_events(p);
        assert_string_equal(found, text);
    }
    if (p->count != i)
        print_events(p);
    assert_int_equal(p->count, i);
    pthread_mutex_unlock(&p->lock);
    va_end(args);
    forget_events(p);
}

#endif
