/* The thread of the agent platform's records; see platform.h. */
#include "api/platform.h"

#include <pthread.h>

#include "base/log.h"
#include "base/memory.h"
#include "fanfare/error.h"

struct platform {
    char *path; /* NULL: in memory */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct platform_job *first, **end;
    unsigned count;
    bool running, stopping;
    pthread_t thread;
    struct platform_db db; /* the thread's */
    bool told;             /* that it cannot be opened; once is enough */
};

struct platform *platform_new(const char *path)
{
    struct platform *p = memory_zero(sizeof *p);
    p->path = path ? memory_copy_string(slice_from(path)) : NULL;
    p->end = &p->first;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    return p;
}

void platform_free(struct platform *p)
{
    if (!p)
        return;
    memory_free(p->path);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    memory_free(p);
}

/* ---- The thread ---- */

/* A file that could not be opened may be there the next time: its disk was full, or its owner has
 * changed. */
static bool is_open(struct platform *p)
{
    if (p->db.handle)
        return true;
    if (platform_db_open(&p->db, p->path) == 0) {
        p->told = false;
        return true;
    }
    if (!p->told)
        log_error("platform", "projects cannot be read",
                  LOG_TEXT("reason", platform_db_problem(&p->db)));
    p->told = true;
    return false;
}

static void run_job(struct platform *p, struct platform_job *job)
{
    if (is_open(p))
        job->run(job, &p->db, NULL);
    else
        job->run(job, NULL, platform_db_problem(&p->db));
}

/* The next job; NULL: it is over. */
static struct platform_job *next_job(struct platform *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->first && !p->stopping)
        pthread_cond_wait(&p->changed, &p->lock);
    struct platform_job *job = p->first;
    if (job) {
        p->first = job->next;
        p->count--;
        if (!p->first)
            p->end = &p->first;
    }
    pthread_mutex_unlock(&p->lock);
    return job;
}

static void *run(void *arg)
{
    struct platform *p = arg;
    for (struct platform_job *job; (job = next_job(p));)
        run_job(p, job);
    platform_db_close(&p->db);
    return NULL;
}

/* ---- Handing over ---- */

/* Workers block all signals, and the thread inherits that. */
static int admit(struct platform *p)
{
    if (p->stopping)
        return FAN_E_CLOSED;
    if (p->count >= PLATFORM_QUEUE_MAX)
        return FAN_E_LIMIT;
    if (!p->running && pthread_create(&p->thread, NULL, run, p) != 0)
        return FAN_E_NO_MEMORY;
    p->running = true;
    return 0;
}

int platform_submit(struct platform *p, struct platform_job *job)
{
    pthread_mutex_lock(&p->lock);
    int error = admit(p);
    if (!error) {
        job->next = NULL;
        *p->end = job;
        p->end = &job->next;
        p->count++;
        pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return error;
}

void platform_stop(struct platform *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_signal(&p->changed);
    bool running = p->running;
    p->running = false;
    pthread_mutex_unlock(&p->lock);
    if (running)
        pthread_join(p->thread, NULL);
}
