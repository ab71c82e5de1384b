/*
 * `fanfare top` on a terminal; see top_live.h.
 *
 * One thread asks the server, so that keys are answered at once also while it does not. It hands
 * over one sample at a time: what nobody has looked at is replaced by the next.
 */
#include "cli/top_live.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/screen.h"
#include "cli/top_fetch.h"
#include "fanfare/error.h"

struct live {
    struct remote *remote;
    int interval_ms;
    int end;  /* readable: the thread ends */
    int news; /* readable: there is a sample or a problem */

    pthread_mutex_t lock; /* of the two below */
    struct top_sample latest;
    struct buf problem;

    /* The drawing thread's own. */
    struct top_view *view;
    struct top_sample before, now;
    struct top_rates rates;
    struct buf shown_problem;
};

/* ---- Asking ---- */

static void hand_over(struct live *l, int error, struct top_sample *sample, struct buf *why)
{
    pthread_mutex_lock(&l->lock);
    buf_clear(&l->problem);
    if (error) {
        buf_printf(&l->problem, "reconnecting: %s", buf_text(why));
        top_sample_fini(sample);
    } else {
        top_sample_fini(&l->latest);
        l->latest = *sample;
    }
    pthread_mutex_unlock(&l->lock);
    eventfd_write(l->news, 1);
}

static void *ask(void *arg)
{
    struct live *l = arg;
    struct pollfd end = {.fd = l->end, .events = POLLIN};
    while (poll(&end, 1, l->interval_ms) == 0) {
        struct top_sample sample;
        struct buf why = {0};
        int error = top_fetch(l->remote, &sample, &why);
        if (error == FAN_E_CLOSED)
            top_sample_fini(&sample);
        else
            hand_over(l, error, &sample, &why);
        buf_fini(&why);
    }
    return NULL;
}

/* ---- Drawing ---- */

static bool draw(struct live *l)
{
    struct buf picture = {0};
    screen_size(&l->view->rows, &l->view->columns);
    top_view_append(&picture, l->view, &l->now, &l->rates, buf_text(&l->shown_problem));
    bool drawn = screen_draw(&picture);
    buf_fini(&picture);
    return drawn;
}

static void take_news(struct live *l)
{
    eventfd_t count;
    eventfd_read(l->news, &count);
    pthread_mutex_lock(&l->lock);
    buf_clear(&l->shown_problem);
    buf_append_slice(&l->shown_problem, buf_slice(&l->problem));
    if (l->latest.version.len && !l->view->paused) {
        top_sample_fini(&l->before);
        l->before = l->now;
        l->now = l->latest;
        l->latest = (struct top_sample){0};
        l->rates = top_rates_between(&l->before, &l->now);
    }
    pthread_mutex_unlock(&l->lock);
}

/* Works off the keys that were pressed. False: quit. */
static bool take_keys(struct live *l, struct screen *screen)
{
    char data[256];
    ssize_t n = read(screen->keys, data, sizeof data);
    if (n == 0)
        return false; /* the terminal is gone */
    size_t len = n > 0 ? (size_t)n : 0, used;
    int key;
    for (size_t at = 0; (used = top_key_read(data + at, len - at, &key)) > 0; at += used) {
        if (key == 'Z' - 0x40)
            screen_suspend(screen);
        else if (top_view_key(l->view, key) == TOP_QUIT)
            return false;
    }
    return true;
}

static int watch(struct live *l, struct screen *screen)
{
    struct pollfd fds[] = {{.fd = screen->keys, .events = POLLIN},
                           {.fd = screen->signals, .events = POLLIN},
                           {.fd = l->news, .events = POLLIN}};
    while (draw(l)) {
        if (poll(fds, 3, -1) < 0)
            continue;
        if (fds[0].revents && !take_keys(l, screen))
            return DONE;
        if (fds[1].revents && screen_signal(screen) == SCREEN_END)
            return DONE;
        if (fds[2].revents)
            take_news(l);
    }
    return FAILED;
}

static int watch_with_thread(struct live *l)
{
    struct screen screen;
    pthread_t thread;
    int code = FAILED;
    if (screen_open(&screen) != 0)
        return command_error(&top_command, "there is no terminal to read keys from; use --once");
    if (pthread_create(&thread, NULL, ask, l) == 0) {
        code = watch(l, &screen);
        eventfd_write(l->end, 1);
        pthread_join(thread, NULL);
    }
    screen_close(&screen);
    return code;
}

int top_live(struct remote *remote, struct top_view *view, struct top_sample *first,
             int interval_ms)
{
    struct live l = {
        .remote = remote,
        .interval_ms = interval_ms,
        .end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .view = view,
        .now = *first,
    };
    *first = (struct top_sample){0};
    int code = FAILED;
    if (l.end >= 0 && l.news >= 0) {
        remote->target.wake = l.end;
        code = watch_with_thread(&l);
    }
    close(l.end);
    close(l.news);
    top_sample_fini(&l.before);
    top_sample_fini(&l.now);
    top_sample_fini(&l.latest);
    buf_fini(&l.problem);
    buf_fini(&l.shown_problem);
    return code;
}
